#!/bin/sh
# Ends the Slurm of a folder, its jobs included, whatever is left of it:   sh down.sh FOLDER          (again and again, if one likes)
# Takes away one node at once, as if its power failed:                     sh down.sh FOLDER NODE
#
# What belongs to it: the daemons that have one of the folder's logs open, and under its slurm.conf the processes of jobs and Slurm's commands.
# They are killed until none is left. The folder stays, for its logs.
set -u
folder=$(cd "${1:?usage: down.sh FOLDER [NODE]}" 2>/dev/null && pwd) || exit 0
node=${2:-}
END_S=10

daemons() {
    find /proc -maxdepth 2 -name exe \( -lname '*/munged' -o -lname '*/slurm*' \) 2>/dev/null | while IFS= read -r exe; do
        ls -l "${exe%/exe}/fd" 2>/dev/null | grep -qE " $folder/${node:+slurmd\\.$node\\.}[^ /]*log\$" && basename "${exe%/exe}"
    done
}

of_jobs() {
    for environ in $(grep -lsz -e "^SLURM_CONF=$folder/slurm.conf\$" /proc/[0-9]*/environ); do
        pid=$(basename "${environ%/environ}")
        if [ -n "$node" ]; then
            grep -qsz -e "^SLURMD_NODENAME=$node\$" "$environ" && echo "$pid"
        else
            case $(readlink "/proc/$pid/exe") in
            */srun | */salloc | */sbatch | */scontrol) echo "$pid" ;;
            *) grep -qsz -e '^SLURM_JOB_ID=' "$environ" && echo "$pid" ;;
            esac
        fi
    done
}

deadline=$(($(date +%s) + END_S))
while pids=$( { daemons; of_jobs; } | grep -vx $$); [ -n "$pids" ]; do
    if [ "$(date +%s)" -ge $deadline ]; then
        echo "slurm: still there after $END_S s:" $pids >&2
        exit 1
    fi
    kill -KILL $pids 2>/dev/null
    sleep 0.1
done
