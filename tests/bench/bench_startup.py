#!/usr/bin/env python3
"""Seconds from the start of mpirun to the end of the first step on fashion-mnist (60,000 x 784, ingested beforehand), beside torchrun; and the file-system
calls of a rank on 1, 2, 4 and 8 ranks, which must not grow with the number of ranks.

    python3 tests/bench/bench_startup.py [--flywheel build/release/bin/flywheel] [--peers ../shared/peers] [--data ../shared/data] [--rounds 5]

Both sides take turns; medians. The end of our first step is the event "step" in progress.jsonl. `mpirun -n 2 true` is the floor. Calls by strace."""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PROJECT = """project: fashion
problem: {{task: classification, target: label}}
data:
  tables:
    train: {{images: {0}/train-images-idx3-ubyte.gz, labels: {0}/train-labels-idx1-ubyte.gz}}
    test: {{images: {0}/t10k-images-idx3-ubyte.gz, labels: {0}/t10k-labels-idx1-ubyte.gz}}
  split: {{by: given, train: [train], test: [test], validation: 0}}
model: {{learner: mlp, hidden: [256, 128]}}
train: {{epochs: 1, global_batch_size: 128, optimizer: adam, learning_rate: 0.001}}
"""


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--flywheel", default=os.path.join(ROOT, "build", "release", "bin", "flywheel"))
    p.add_argument("--peers", default=os.path.join(ROOT, "..", "shared", "peers"))
    p.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    p.add_argument("--python", default="/usr/bin/python3", help="the interpreter that has torch")
    p.add_argument("--rounds", type=int, default=5, help="how often each side takes its turn")
    p.add_argument("--no-peer", action="store_true")
    p.add_argument("--no-calls", action="store_true", help="without strace")
    return p.parse_args()


def environment():
    e = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
             OMPI_MCA_rmaps_base_oversubscribe="1")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        e.pop(name, None)
    return e


def run(command, env):
    r = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if r.returncode != 0:
        sys.exit("failed (%d): %s\n%s" % (r.returncode, " ".join(command), r.stderr[-2000:]))
    return r.stdout


def train(a, folder):
    return [a.flywheel, "train", os.path.join(folder, "fashion.yaml"), "-o", os.path.join(folder, "run"), "--resume", "never"]


def ours(a, env, folder, ranks):
    begin = time.time()
    run(["mpirun", "-n", str(ranks)] + train(a, folder), env)
    with open(os.path.join(folder, "run", "progress.jsonl")) as f:
        step = next(e for e in map(json.loads, f) if e["event"] == "step")
    return datetime.datetime.fromisoformat(step["time"].replace("Z", "+00:00")).timestamp() - begin


def theirs(a, env):
    begin = time.time()
    command = [a.python, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-r", "1", "-t", "1", os.path.join(a.peers, "torch_train.py"),
               "--net", "mlp", "--batch", "128", "--epochs", "1", "--ddp", "--procs", "2", "--data", os.path.join(a.data, "fashion-mnist"),
               "--started", repr(begin)]
    lines = [x for x in run(command, env).splitlines() if "launch_to_first_step_s" in x]
    return json.loads(lines[-1][lines[-1].index("{"):])["launch_to_first_step_s"]


def floor(env):
    begin = time.time()
    run(["mpirun", "-n", "2", "true"], env)
    return time.time() - begin


def calls(a, env, folder, ranks):
    """File-system calls of rank 0 and of the busiest other rank in a whole training with its report: all (libraries, /proc, /sys and Open MPI's own files
    among them: with more ranks than cores Open MPI asks for the machine's topology again), and those on the project's files."""
    script = 'exec strace -f -qq -e trace=%%file -o %s/calls.$OMPI_COMM_WORLD_RANK "$@"' % folder
    run(["mpirun", "-n", str(ranks), "sh", "-c", script, "sh"] + train(a, folder), env)
    count, data = [], []
    for r in range(ranks):
        path = os.path.join(folder, "calls.%d" % r)
        with open(path) as f:
            lines = [x for x in f if "(" in x]
        os.remove(path)
        count.append(len(lines))
        data.append(sum('"' + folder in x for x in lines))
    return {"ranks": ranks, "calls_rank_0": count[0], "calls_other_max": max(count[1:], default=None),
            "project_files_rank_0": data[0], "project_files_other_max": max(data[1:], default=None)}


def main():
    a = arguments()
    env = environment()
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "fashion.yaml"), "w") as f:
            f.write(PROJECT.format(os.path.join(a.data, "fashion-mnist")))
        run([a.flywheel, "ingest", os.path.join(folder, "fashion.yaml")], env)
        mine, peer, least = [], [], []
        for _ in range(a.rounds):
            mine.append(ours(a, env, folder, 2))
            least.append(floor(env))
            if not a.no_peer:
                peer.append(theirs(a, env))
        result = {"first_step_s": round(statistics.median(mine), 3), "lowest": round(min(mine), 3), "mpirun_alone_s": round(statistics.median(least), 3)}
        if peer:
            result.update(torchrun_s=round(statistics.median(peer), 3), ratio=round(statistics.median(peer) / statistics.median(mine), 2))
        print(json.dumps(result), flush=True)
        for ranks in [] if a.no_calls else [1, 2, 4, 8]:
            print(json.dumps(calls(a, env, folder, ranks)), flush=True)


if __name__ == "__main__":
    main()
