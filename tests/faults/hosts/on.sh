#!/bin/sh
# Runs a line for the shell on a host:   sh on.sh FOLDER HOST COMMAND...
folder=$1 host=$2
shift 2
pid=$(cat "$folder/$host.pid" 2>/dev/null) && [ -d "/proc/$pid" ] || { echo "hosts: there is no host $host" >&2; exit 255; }
export FW_TEST_PLACE="$folder/$host"
exec nsenter -t "$pid" --net --uts --ipc --mount --wd="$PWD" -- sh -c "$*"
