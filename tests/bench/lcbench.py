#!/usr/bin/python3
"""Samplers on the LCBench surrogate: validation accuracy of trained networks as a function of seven hyperparameters and the epoch.

    lcbench.py BIN [--samplers auto,tpe,random] [--optuna tpe,tpe_mv] [--first 0] [--seeds 10] [--counts 25,50,100,200]
    lcbench.py BIN --asha [--epochs 2080] [--least 2] [--eta 3] [--slots 4]     the product's study with asha: regret when so many epochs are spent

BIN is the folder of the programs (build/release/bin). Regret of a study: (best possible - best found) / (best possible - worst), of validation accuracy after 52
epochs; the extremes are those of 50,000 random points and of a local search from the best of them, an instance each. Prints a JSON object for each sampler:
the mean over instances and seeds at each count; with asha of the kept (complete) trial, and of the best value of any round. Exit code 77: no onnx, or no data.
"""
import argparse
import json
import os
import subprocess
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")      # rows are few: threads would only wait for each other
try:
    import numpy as np
    from surrogate import Surrogate
except ImportError as e:
    print(f"lcbench.py: {e}", file=sys.stderr)
    sys.exit(77)

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared", "data", "lcbench-surrogate")
INSTANCES = ["167168", "189873", "189906"]
EPOCHS = 52
# name, whole, low, high, logarithmic: in the order of the surrogate's inputs behind the epoch
SPACE = [("batch_size", True, 16, 512, True), ("learning_rate", False, 1e-4, 0.1, True), ("momentum", False, 0.1, 0.99, False), ("weight_decay", False, 1e-5, 0.1, False),
         ("num_layers", True, 1, 5, False), ("max_units", True, 64, 1024, True), ("max_dropout", False, 0.0, 1.0, False)]


def from_unit(u):
    """(rows, 7) in [0, 1] to hyperparameters."""
    x = np.empty_like(u)
    for k, (_, whole, low, high, log) in enumerate(SPACE):
        a, b = (low - 0.5, high + 0.5) if whole else (low, high)
        v = np.exp(np.log(a) + u[:, k] * (np.log(b) - np.log(a))) if log else a + u[:, k] * (b - a)
        x[:, k] = np.clip(np.round(v), low, high) if whole else v
    return x


def accuracy(surrogate, instance, x, epoch=EPOCHS):
    """(rows) of x (rows, 7), after `epoch` epochs, one for all or one a row."""
    x = np.atleast_2d(x)
    x = np.column_stack([np.broadcast_to(np.asarray(epoch, float), len(x)), x])
    return np.concatenate([surrogate(instance, x[i:i + 1000])[:, 1] for i in range(0, len(x), 1000)]).astype(float)


def extremes(surrogate, instance):
    rng = np.random.default_rng(0)
    u = rng.uniform(size=(50000, 7))
    v = accuracy(surrogate, instance, from_unit(u))
    worst, top = v.min(), u[np.argsort(-v)[:50]]
    best = np.sort(v)[::-1][:50].copy()
    for scale in [0.2, 0.1, 0.05, 0.02, 0.01, 0.005]:
        for _ in range(20):
            near = np.clip(np.repeat(top, 20, 0) + rng.normal(size=(1000, 7)) * scale * (rng.uniform(size=(1000, 7)) < 0.5), 0, 1)
            there = accuracy(surrogate, instance, from_unit(near)).reshape(50, 20)
            at = there.argmax(1)
            better = there[np.arange(50), at] > best
            top[better] = near.reshape(50, 20, 7)[np.arange(50), at][better]
            best[better] = there[np.arange(50), at][better]
    return float(best.max()), float(worst)


class Sampler:
    """bench_ask, the other end of the line."""

    def __init__(self, folder, name, seed, trials, pruned=False):
        self.p = subprocess.Popen([os.path.join(folder, "bench_ask"), "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.say(f"space {name} {seed} {trials} {EPOCHS} {int(pruned)}")
        for _, whole, low, high, log in SPACE:
            self.say(f"{'int' if whole else 'float'} {low!r} {high!r} {int(log)}")
        self.say("go")

    def say(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()

    def ask(self, number):
        self.say(f"ask {number}")
        line = self.p.stdout.readline()
        if not line:
            raise SystemExit("lcbench.py: bench_ask ended; its message is above")
        return np.array([float(v) for v in line.split()])

    def tell(self, number, loss, rounds, state):
        self.say(f"tell {number} {float(loss)!r} {rounds} {state}")

    def close(self):
        self.p.stdin.close()
        self.p.stdout.close()
        self.p.wait(timeout=30)


def study(folder, name, seed, trials, value):
    """Best accuracy after each trial."""
    s, best = Sampler(folder, name, seed, trials, False), []
    for t in range(trials):
        v = value(s.ask(t), EPOCHS)
        s.tell(t, -v, EPOCHS, "complete")
        best.append(max(v, best[-1] if best else v))
    s.close()
    return best


def study_asha(folder, name, seed, o, curve):
    """The product's study with asha: best accuracy of a complete trial, the best of any round, epochs and trials; at most o.epochs epochs in all."""
    rungs = [o.least * o.eta ** k for k in range(10) if o.least * o.eta ** k < EPOCHS] + [EPOCHS]
    mean_cost = sum((r - (rungs[k - 1] if k else 0)) / o.eta ** k for k, r in enumerate(rungs))
    p = subprocess.Popen([os.path.join(folder, "bench_curves"), "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    lines = [f"study {name} asha {seed} {round(o.epochs / mean_cost)} {EPOCHS} {o.slots} {o.least} {o.eta} {o.epochs}"]
    lines += [f"{'int' if whole else 'float'} {low!r} {high!r} {int(log)}" for _, whole, low, high, log in SPACE] + ["go"]
    p.stdin.write("\n".join(lines) + "\n")
    p.stdin.flush()
    for line in p.stdout:
        word, *values = line.split()
        if word == "done":
            p.stdin.close()
            p.wait(timeout=30)
            return -float(values[3]), -float(values[4]), int(values[0]), int(values[1]), int(values[2])
        p.stdin.write(" ".join(repr(-v) for v in curve(np.array([float(v) for v in values[1:]]))) + "\n")
        p.stdin.flush()
    raise SystemExit("lcbench.py: bench_curves ended; its message is above")


def study_optuna(kind, seed, trials, value):
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = {"tpe": lambda: optuna.samplers.TPESampler(seed=seed), "tpe_mv": lambda: optuna.samplers.TPESampler(seed=seed, multivariate=True),
               "random": lambda: optuna.samplers.RandomSampler(seed=seed)}[kind]()

    def objective(t):
        return value(np.array([t.suggest_int(n, lo, hi, log=log) if whole else t.suggest_float(n, lo, hi, log=log) for n, whole, lo, hi, log in SPACE], float), EPOCHS)

    st = optuna.create_study(sampler=sampler, direction="maximize")
    st.optimize(objective, n_trials=trials)
    return np.maximum.accumulate([t.value for t in st.trials])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bin")
    p.add_argument("--samplers", default="auto")
    p.add_argument("--optuna", default="")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--first", type=int, default=0, help="the first of the seeds")
    p.add_argument("--counts", default="25,50,100,200")
    p.add_argument("--asha", action="store_true")
    p.add_argument("--epochs", type=int, default=40 * EPOCHS)
    p.add_argument("--least", type=int, default=2, help="epochs before the first verdict (tune.pruner.min_rounds)")
    p.add_argument("--eta", type=float, default=3, help="tune.pruner.reduction_factor")
    p.add_argument("--slots", type=int, default=4, help="trials at a time")
    p.add_argument("--instances", default=",".join(INSTANCES))
    a = p.parse_args()
    if not os.path.isfile(os.path.join(DATA, "model.onnx")):
        print(f"lcbench.py: no data in {os.path.normpath(DATA)}", file=sys.stderr)
        return 77
    import warnings
    warnings.simplefilter("ignore")
    surrogate = Surrogate(DATA)
    span = {i: extremes(surrogate, i) for i in a.instances.split(",")}
    print(json.dumps({"bench": "lcbench", "extremes": span}), flush=True)
    counts = [int(c) for c in a.counts.split(",")]
    runs = [("flywheel", n) for n in a.samplers.split(",") if n] + [("optuna", n) for n in a.optuna.split(",") if n]
    for program, name in runs:
        regret, spent = [], []
        for i in a.instances.split(","):
            high, low = span[i]

            def value(x, epoch, i=i):
                return float(accuracy(surrogate, i, x, epoch)[0])

            def curve(x, i=i):
                return accuracy(surrogate, i, np.tile(x, (EPOCHS, 1)), np.arange(1, EPOCHS + 1)).tolist()
            for seed in range(a.first, a.first + a.seeds):
                if a.asha:
                    best, seen, *counted = study_asha(a.bin, name, seed, a, curve)
                    best = [best if np.isfinite(best) else low, seen]
                    spent.append(counted)
                else:
                    best = study_optuna(name, seed, max(counts), value) if program == "optuna" else study(a.bin, name, seed, max(counts), value)
                    best = [best[c - 1] for c in counts]
                regret.append([(high - b) / (high - low) for b in best])
        mean = np.mean(regret, 0)
        key = ["kept", "any round"] if a.asha else [str(c) for c in counts]
        said = {"bench": "lcbench", "program": program, "sampler": name, "seeds": [a.first, a.first + a.seeds - 1], "regret": {k: round(float(v), 4) for k, v in zip(key, mean)},
                "by_instance": np.round(np.reshape(regret, (-1, a.seeds, len(key))).mean(1)[:, 0 if a.asha else -1], 4).tolist()}
        if a.asha:
            said |= {"least": a.least, "eta": a.eta, "slots": a.slots} | dict(zip(["epochs", "trials", "complete"], np.mean(spent, 0).round(1).tolist()))
        print(json.dumps(said), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
