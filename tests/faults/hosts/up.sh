#!/bin/sh
# Several hosts on this machine:   sh up.sh FOLDER [HOSTS]      (h1, h2, ...; 3 by default)
#
# Each host has its own name, network and shared memory (namespaces of the kernel), and shares files and processes. The hosts hang on a switch of their
# own (10.77.0.1, .2, ...), which reaches nothing else; the network of this machine is not touched. All of it goes with the last process of a host.
# Then:   sh on.sh FOLDER h1 COMMAND...      sh link.sh FOLDER h2 down | up      and at the end:   sh down.sh FOLDER
# Needs root, unshare, nsenter and ip; where they are missing it says so and exits 77.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: up.sh FOLDER [HOSTS]}"
folder=$(cd "$1" && pwd)
hosts=${2:-3}

cannot() { echo "hosts: skipped: $*"; exit 77; }
[ "$(id -u)" -eq 0 ] || cannot "only root makes hosts"
for program in unshare nsenter ip; do command -v $program >/dev/null || cannot "there is no $program (apt-get install --no-install-recommends util-linux iproute2)"; done
unshare --net --uts --ipc --mount mount -t tmpfs tmpfs /mnt 2>/dev/null || cannot "this kernel or container gives no namespaces"
unshare --net sh -c 'ip link add br0 type bridge && ip link add v1 type veth peer name w1' 2>/dev/null || cannot "this kernel has no bridges or no veth links"

holder() {      # holder NAME NAMESPACES: a process that holds them; its number stands in NAME.pid
    FW_TEST_PLACE="$folder/$1" setsid unshare $2 sleep infinity </dev/null >/dev/null 2>&1 &
    echo $! >"$folder/$1.pid"
    until [ "$(readlink /proc/$!/exe)" != "$(command -v unshare)" ] && [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
}

trap 'sh "$here/down.sh" "$folder"' EXIT
echo "127.0.0.1 localhost" >"$folder/hosts"
for i in $(seq "$hosts"); do echo "10.77.0.$i h$i" >>"$folder/hosts"; done
printf '#!/bin/sh\nexec sh "%s/agent.sh" "%s" "$@"\n' "$here" "$folder" >"$folder/agent"      # what mpirun calls in place of ssh
chmod 755 "$folder/agent"

holder switch --net
switch=$(cat "$folder/switch.pid")
nsenter -t "$switch" --net sh -c 'ip link add br0 type bridge && ip link set br0 up'
for i in $(seq "$hosts"); do
    holder "h$i" '--net --uts --ipc --mount'
    host=$(cat "$folder/h$i.pid")
    nsenter -t "$host" --uts --mount sh -c 'hostname "$1" && mount -t tmpfs tmpfs /dev/shm && mount --bind "$2/hosts" /etc/hosts' host "h$i" "$folder"
    nsenter -t "$switch" --net ip link add "v$i" type veth peer name eth0 netns "$host"
    nsenter -t "$switch" --net ip link set "v$i" master br0 up
    nsenter -t "$host" --net sh -c "ip addr add 10.77.0.$i/24 dev eth0 && ip link set eth0 up && ip link set lo up"
done
trap - EXIT
echo "hosts: $hosts in $folder"
