#!/bin/sh
# Cuts a host off from the others, or joins it again:   sh link.sh FOLDER HOST down | up
set -eu
nsenter -t "$(cat "$1/switch.pid")" --net ip link set "v${2#h}" "$3"
[ "$3" = down ] || sleep 3      # until the others ask for its address again
