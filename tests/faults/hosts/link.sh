#!/bin/sh
# Cuts a host off from the others, or joins it again:   sh link.sh FOLDER HOST down | up
set -eu
exec nsenter -t "$(cat "$1/switch.pid")" --net ip link set "v${2#h}" "$3"
