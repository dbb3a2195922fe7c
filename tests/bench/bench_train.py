#!/usr/bin/env python3
"""Training throughput beside PyTorch on fashion-mnist: same net, batch and optimizer; both sides in turn in one run; medians and the ratio.

    python3 tests/bench/bench_train.py [--flywheel build/release/bin/flywheel] [--peers ../shared/peers] [--data ../shared/data] [--rounds 3]

PyTorch's side is the better of one process and DDP with two. OPENBLAS_CORETYPE is unset for both. One BLAS thread a rank."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

NETS = {"mlp": [256, 128], "mlp1024": [1024, 1024], "softmax": []}
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--flywheel", default=os.path.join(ROOT, "build", "release", "bin", "flywheel"))
    p.add_argument("--peers", default=os.path.join(ROOT, "..", "shared", "peers"))
    p.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    p.add_argument("--python", default="/usr/bin/python3", help="the interpreter that has torch")
    p.add_argument("--case", action="append", help="net:batch, e.g. mlp:128 (default: mlp:128 and mlp:1024)")
    p.add_argument("--ranks", type=int, default=2)
    p.add_argument("--epochs", type=int, default=6)
    p.add_argument("--rounds", type=int, default=3, help="how often both sides take their turn")
    return p.parse_args()


def environment():
    e = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        e.pop(name, None)
    return e


def project(folder, data, net, batch, epochs):
    f = os.path.join(data, "fashion-mnist")
    model = "{learner: mlp, hidden: %s}" % NETS[net] if NETS[net] else "{learner: linear}"
    path = os.path.join(folder, "fashion.yaml")
    with open(path, "w") as out:
        out.write(f"""project: fashion
problem: {{task: classification, target: label}}
data:
  tables:
    train: {{images: {f}/train-images-idx3-ubyte.gz, labels: {f}/train-labels-idx1-ubyte.gz}}
    test: {{images: {f}/t10k-images-idx3-ubyte.gz, labels: {f}/t10k-labels-idx1-ubyte.gz}}
  split: {{by: given, train: [train], test: [test], validation: 0}}
model: {model}
train: {{epochs: {epochs}, global_batch_size: {batch}, optimizer: adam, learning_rate: 0.001}}
""")
    return path


def run(command, env):
    r = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if r.returncode != 0:
        sys.exit("failed (%d): %s\n%s" % (r.returncode, " ".join(command), r.stderr[-2000:]))
    return r.stdout


def ours(a, env, folder, yaml):
    """Rows per second of every round after the first."""
    out = os.path.join(folder, "run")
    run(["mpirun", "-n", str(a.ranks), a.flywheel, "train", yaml, "-o", out, "--resume", "never"], env)
    with open(os.path.join(out, "progress.jsonl")) as f:
        rates = [e["rows_per_s"] for e in map(json.loads, f) if e["event"] == "round"]
    os.remove(os.path.join(out, "progress.jsonl"))
    return statistics.median(rates[1:])


def theirs(a, env, net, batch, procs):
    command = [a.python, os.path.join(a.peers, "torch_train.py"), "--net", net, "--batch", str(batch), "--epochs", str(a.epochs),
               "--data", os.path.join(a.data, "fashion-mnist")]
    if procs > 1:
        command += ["--ddp", "--procs", str(procs)]
    result = json.loads(run(command, env).strip().splitlines()[-1])
    return result["samples_per_s"]["median"]


def main():
    a = arguments()
    env = environment()
    for case in a.case or ["mlp:128", "mlp:1024"]:
        net, batch = case.split(":")
        with tempfile.TemporaryDirectory() as folder:
            yaml = project(folder, a.data, net, int(batch), a.epochs)
            run([a.flywheel, "ingest", yaml], env)
            mine, single, double = [], [], []
            for _ in range(a.rounds):
                mine.append(ours(a, env, folder, yaml))
                single.append(theirs(a, env, net, int(batch), 1))
                double.append(theirs(a, env, net, int(batch), 2))
            best = max(statistics.median(single), statistics.median(double))
            print(json.dumps({"case": case, "ranks": a.ranks, "flywheel_rows_per_s": round(statistics.median(mine)),
                              "torch_1_process": round(statistics.median(single)), "torch_ddp_2": round(statistics.median(double)),
                              "ratio": round(statistics.median(mine) / best, 3)}), flush=True)


if __name__ == "__main__":
    main()
