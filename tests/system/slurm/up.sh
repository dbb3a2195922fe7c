#!/bin/sh
# A real Slurm on this machine, in one folder:   sh up.sh FOLDER [NODES]     (FOLDER is made; its path has at most 80 bytes; 4 nodes by default)
#
# munged, slurmctld and a slurmd for each node n1, n2, ..., on free ports of 127.0.0.1, with two processors each. No service of the system is touched.
# Then:   . FOLDER/env.sh; srun -N2 -n4 --mpi=pmix flywheel ...     and at the end:   sh down.sh FOLDER
# Needs root and the Debian packages slurmctld, slurmd, slurm-client, slurm-wlm-basic-plugins and munge; where they are missing it says so and exits 77.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${1:?usage: up.sh FOLDER [NODES]}"
folder=$(cd "$1" && pwd)
nodes=${2:-4}
START_S=30

cannot() { echo "slurm: skipped: $*"; exit 77; }
[ "$(id -u)" -eq 0 ] || cannot "only root starts slurmd"
PATH=$PATH:/usr/sbin:/sbin
for program in munged slurmctld slurmd scontrol sinfo; do
    command -v $program >/dev/null || cannot "there is no $program (apt-get install --no-install-recommends slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge)"
done
[ ${#folder} -le 80 ] || cannot "$folder is too long a name for the socket of munged"

free_ports() {
    python3 -c 'import socket, sys
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(s.getsockname()[1] for s in held))' "$1"
}

# --- its files

chmod 755 "$folder"
mkdir -p "$folder/state"
host=$(hostname)
i=0
lines=
for port in $(free_ports $((nodes + 1))); do
    if [ $i -eq 0 ]; then
        control_port=$port
    else
        mkdir -p "$folder/spool.n$i" "$folder/tmp.n$i"
        lines="${lines}NodeName=n$i NodeHostname=$host NodeAddr=127.0.0.1 Port=$port CPUs=2 RealMemory=1000 State=UNKNOWN\\n"
    fi
    i=$((i + 1))
done
sed -e "s|@FOLDER@|$folder|g" -e "s|@CONTROL_PORT@|$control_port|" -e "s|@NODES@|$lines|" "$here/slurm.conf.in" >"$folder/slurm.conf"
cat >"$folder/cgroup.conf" <<'END'
CgroupAutomount=no
ConstrainCores=no
ConstrainRAMSpace=no
END
# The nodes share one host name and one /dev/shm: shared memory of Open MPI that is named by the host would be taken for that of another node.
cat >"$folder/prolog.sh" <<END
#!/bin/sh
echo "export OMPI_MCA_btl=tcp,self"
echo "export OMPI_MCA_btl_tcp_if_include=lo"
echo "export OMPI_MCA_osc_sm_backing_directory=$folder/tmp.\$SLURMD_NODENAME"
END
chmod 755 "$folder/prolog.sh"
dd if=/dev/urandom of="$folder/munge.key" bs=1024 count=1 2>/dev/null
chmod 400 "$folder/munge.key"
cat >"$folder/env.sh" <<END
export SLURM_CONF=$folder/slurm.conf
unset SLURM_JOB_ID SLURM_JOBID SLURM_STEP_ID
END

# --- its processes

. "$folder/env.sh"
trap 'sh "$here/down.sh" "$folder"' EXIT
munged --force -S "$folder/munge.sock" --key-file="$folder/munge.key" --log-file="$folder/munge.log" --pid-file="$folder/munged.pid" --seed-file="$folder/munge.seed"
slurmctld -c
for i in $(seq "$nodes"); do slurmd -N "n$i"; done

deadline=$(($(date +%s) + START_S))
until [ "$(sinfo -h -N -o %T 2>/dev/null | grep -c '^idle$')" -eq "$nodes" ]; do
    if [ "$(date +%s)" -ge $deadline ]; then
        echo "slurm: after $START_S s the nodes are not idle:" >&2
        sinfo -N >&2 || true
        tail -n 20 "$folder"/*.log >&2
        exit 1
    fi
    sleep 0.2
done
trap - EXIT
echo "slurm: $nodes nodes; . $folder/env.sh"
