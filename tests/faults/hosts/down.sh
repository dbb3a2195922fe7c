#!/bin/sh
# Takes the hosts of a folder away, whatever is left of them (again and again, if one likes), or one as if its power failed:   sh down.sh FOLDER [HOST]
# What runs on a host carries its name in FW_TEST_PLACE; with the last process go the network, the links and the mounts.
set -u
folder=$(cd "${1:?usage: down.sh FOLDER [HOST]}" 2>/dev/null && pwd) || exit 0
END_S=10

deadline=$(($(date +%s) + END_S))
while pids=$(grep -lsz -e "^FW_TEST_PLACE=$folder/${2:-[a-z0-9]*}\$" /proc/[0-9]*/environ | sed 's|^/proc/\([0-9]*\)/.*|\1|'); [ -n "$pids" ]; do
    if [ "$(date +%s)" -ge $deadline ]; then
        echo "hosts: still there after $END_S s:" $pids >&2
        exit 1
    fi
    kill -KILL $pids 2>/dev/null
    sleep 0.05
done
