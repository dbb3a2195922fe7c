#!/usr/bin/env python3
"""Training throughput on fashion-mnist beside PyTorch and beside a bare C loop with OpenBLAS: same net, batch and optimizer; all in turn in one run; medians.

    python3 tests/bench/bench_train.py [--case mlp:128] [--rounds 3]     rows/s; ratio: to the better of torch with one process and DDP with two
    python3 tests/bench/bench_train.py --sums-cost [--case mlp:128]      what exact sums cost, beside the same program with plain float sums
    python3 tests/bench/bench_train.py --accuracy [--seeds 5]            test accuracy after 10 epochs of mlp, batch 128, on both sides

The bare loop is peers/train_limit.c, built into a temporary folder. --sums-cost needs the target bench_flywheel_float_sums. OPENBLAS_CORETYPE is unset for
all. One BLAS thread a rank."""
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
    p.add_argument("--rounds", type=int, default=3, help="how often all take their turn")
    p.add_argument("--sums-cost", action="store_true")
    p.add_argument("--accuracy", action="store_true")
    p.add_argument("--seeds", type=int, default=5)
    return p.parse_args()


def environment():
    e = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        e.pop(name, None)
    return e


def project(folder, data, net, batch, epochs, seed=1):
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
train: {{epochs: {epochs}, global_batch_size: {batch}, optimizer: adam, learning_rate: 0.001, seed: {seed}}}
""")
    return path


def run(command, env):
    r = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    if r.returncode != 0:
        sys.exit("failed (%d): %s\n%s" % (r.returncode, " ".join(command), r.stderr[-2000:]))
    return r.stdout


def ours(a, env, folder, yaml, program=None):
    """Rows per second of every round after the first."""
    out = os.path.join(folder, "run")
    run(["mpirun", "-n", str(a.ranks), program or a.flywheel, "train", yaml, "-o", out, "--resume", "never"], env)
    with open(os.path.join(out, "progress.jsonl")) as f:
        rates = [e["rows_per_s"] for e in map(json.loads, f) if e["event"] == "round"]
    os.remove(os.path.join(out, "progress.jsonl"))
    return rates[1:]


def build_limit(a, env, folder):
    """The bare C loop; None where the peers' folder has none."""
    source, program = os.path.join(a.peers, "train_limit.c"), os.path.join(folder, "train_limit")
    if not os.path.exists(source):
        return None
    flags = run(["pkg-config", "--cflags", "--libs", "openblas"], env).split()
    run(["mpicc", "-O3", "-march=native", "-std=gnu17", source, "-o", program] + flags + ["-lm"], env)
    return program


def limit(a, env, program, net, batch):
    dims = ",".join(map(str, [784] + NETS[net] + [10]))
    out = run(["mpirun", "-n", str(a.ranks), program, "--dims", dims, "--batch", str(batch), "--epochs", str(a.epochs)], env)
    return json.loads(out.strip().splitlines()[-1])["samples_per_s"]["median"]


def theirs(a, env, net, batch, procs):
    command = [a.python, os.path.join(a.peers, "torch_train.py"), "--net", net, "--batch", str(batch), "--epochs", str(a.epochs),
               "--data", os.path.join(a.data, "fashion-mnist")]
    if procs > 1:
        command += ["--ddp", "--procs", str(procs)]
    result = json.loads(run(command, env).strip().splitlines()[-1])
    return result["samples_per_s"]["median"]


def throughput(a, env, folder, yaml, case, net, batch):
    bare = build_limit(a, env, folder)
    mine, single, double, least = [], [], [], []
    for _ in range(a.rounds):
        mine.append(statistics.median(ours(a, env, folder, yaml)))
        single.append(theirs(a, env, net, batch, 1))
        double.append(theirs(a, env, net, batch, 2))
        if bare:
            least.append(limit(a, env, bare, net, batch))
    best = max(statistics.median(single), statistics.median(double))
    line = {"case": case, "ranks": a.ranks, "flywheel_rows_per_s": round(statistics.median(mine)), "torch_1_process": round(statistics.median(single)),
            "torch_ddp_2": round(statistics.median(double)), "ratio": round(statistics.median(mine) / best, 3)}
    if bare:
        line.update(bare_c_loop=round(statistics.median(least)), of_bare_loop=round(statistics.median(mine) / statistics.median(least), 3))
    print(json.dumps(line), flush=True)


def sums_cost(a, env, folder, yaml, case):
    """The best round of each side: what disturbs a round is not the sums."""
    plain = os.path.join(os.path.dirname(a.flywheel), "bench_flywheel_float_sums")
    if not os.path.exists(plain):
        sys.exit("%s is not there: cmake --build build/release --target bench_flywheel_float_sums" % plain)
    exact, floats = [], []
    for _ in range(a.rounds):
        exact += ours(a, env, folder, yaml)
        floats += ours(a, env, folder, yaml, plain)
    print(json.dumps({"case": case, "ranks": a.ranks, "rounds": len(exact), "exact_sums_rows_per_s": round(max(exact)), "float_sums_rows_per_s": round(max(floats)),
                      "cost": round(max(floats) / max(exact) - 1.0, 3), "cost_of_medians": round(statistics.median(floats) / statistics.median(exact) - 1.0, 3)}),
          flush=True)


def accuracy(a, env):
    mine, torch = [], []
    for seed in range(1, a.seeds + 1):
        with tempfile.TemporaryDirectory() as folder:
            yaml, out = project(folder, a.data, "mlp", 128, 10, seed), os.path.join(folder, "run")
            run([a.flywheel, "ingest", yaml], env)
            run(["mpirun", "-n", str(a.ranks), a.flywheel, "train", yaml, "-o", out, "--resume", "never"], env)
            mine.append(json.loads(run([a.flywheel, "evaluate", yaml, out, "--format", "json"], env))["metrics"]["accuracy"])
        result = run([a.python, os.path.join(a.peers, "torch_train.py"), "--net", "mlp", "--batch", "128", "--epochs", "10", "--seed", str(seed),
                      "--data", os.path.join(a.data, "fashion-mnist")], env)
        torch.append(json.loads(result.strip().splitlines()[-1])["test_acc"])
    print(json.dumps({"accuracy": "mlp 784-256-128-10, batch 128, 10 epochs", "flywheel": mine, "torch": torch, "flywheel_mean": round(statistics.mean(mine), 4),
                      "torch_mean": round(statistics.mean(torch), 4), "difference": round(statistics.mean(mine) - statistics.mean(torch), 4)}))


def main():
    a = arguments()
    env = environment()
    if a.accuracy:
        return accuracy(a, env)
    for case in a.case or ["mlp:128", "mlp:1024", "mlp1024:512", "softmax:1024"]:
        net, batch = case.split(":")
        with tempfile.TemporaryDirectory() as folder:
            yaml = project(folder, a.data, net, int(batch), a.epochs)
            run([a.flywheel, "ingest", yaml], env)
            if a.sums_cost:
                sums_cost(a, env, folder, yaml, case)
            else:
                throughput(a, env, folder, yaml, case, net, int(batch))


if __name__ == "__main__":
    main()
