#!/usr/bin/env python3
"""Regret of flywheel's samplers beside Optuna's on the functions of objectives.c: median [quartiles] over seeds, and the ratio of tpe to the best of Optuna's.

Usage: bench_samplers.py BIN [--functions ...] [--samplers ...] [--peers ...] [--seeds N] [--peer-seeds N] [--counts 50,100,200] [--jobs N] [--json FILE]
BIN is the folder of the programs. Optuna (Debian: python3-optuna) evaluates the same C functions through `bench_samplers --serve`, so there is one
definition of each. Its samplers: random, tpe, tpe_mv (multivariate, in groups where there are conditions), cmaes. --peers "" leaves Optuna out."""
import argparse
import json
import math
import multiprocessing
import subprocess
import sys
import warnings

NUMBERS = "branin,hartmann6,rosenbrock10,ackley10,levy8"
MIXED = "network,branches,choices,steps"
FLOAT, INT = 0, 1


class Served:
    """A function of objectives.c in a process of its own."""

    def __init__(self, folder, function):
        self.process = subprocess.Popen([folder + "/bench_samplers", "--serve", function], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.space = json.loads(self.process.stdout.readline())

    def value(self, x):
        self.process.stdin.write(" ".join("nan" if v is None else repr(float(v)) for v in x) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


def suggest(trial, params):
    x = []
    for p in params:
        if "parent" in p and x[p["parent"]] not in p["when"]:
            x.append(None)
        elif p["choices"] > 0:
            x.append(trial.suggest_categorical(p["name"], list(range(p["choices"]))))
        elif p["kind"] == INT:
            x.append(trial.suggest_int(p["name"], int(p["low"]), int(p["high"]), log=p["log"]))
        else:
            x.append(trial.suggest_float(p["name"], p["low"], p["high"], step=p["step"] or None, log=p["log"]))
    return x


def peer(job):
    """Best value so far minus the minimum, after each trial of one Optuna study."""
    folder, function, sampler, seed, trials = job
    warnings.simplefilter("ignore")
    import optuna
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    served = Served(folder, function)
    params = served.space["params"]
    kind = {"random": lambda: optuna.samplers.RandomSampler(seed=seed), "tpe": lambda: optuna.samplers.TPESampler(seed=seed),
            "tpe_mv": lambda: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=any("parent" in p for p in params)),
            "cmaes": lambda: optuna.samplers.CmaEsSampler(seed=seed)}[sampler]
    study = optuna.create_study(sampler=kind())
    study.optimize(lambda trial: served.value(suggest(trial, params)), n_trials=trials)
    best, regret = math.inf, []
    for trial in study.trials:
        best = min(best, trial.value - served.space["minimum"])
        regret.append(best)
    served.close()
    return function, sampler, regret


def quantile(values, share):
    values = sorted(values)
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


def ours(a):
    out = subprocess.run([a.bin + "/bench_samplers", a.functions, a.samplers, str(a.seeds), a.counts], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def theirs(a):
    counts = [int(c) for c in a.counts.split(",")]
    jobs = [(a.bin, f, s, seed, max(counts)) for f in a.functions.split(",") for s in a.peers.split(",") if s for seed in range(a.peer_seeds)]
    got = {}
    with multiprocessing.Pool(a.jobs) as pool:
        for function, sampler, regret in pool.imap_unordered(peer, jobs):
            got.setdefault((function, sampler), []).append(regret)
    return [{"bench": "hpo_quality", "function": f, "sampler": "optuna " + s, "trials": c, "seeds": len(runs),
             "regret": {name: quantile([r[c - 1] for r in runs], share) for name, share in (("q25", 0.25), ("median", 0.5), ("q75", 0.75))}}
            for (f, s), runs in got.items() for c in counts]


def table(results, functions, counts):
    samplers = list(dict.fromkeys(r["sampler"] for r in results))
    print("| function, trials | " + " | ".join(samplers) + " | tpe / best of Optuna's |")
    print("|---" * (len(samplers) + 2) + "|")
    for function in functions:
        for count in counts:
            row = {r["sampler"]: r["regret"] for r in results if r["function"] == function and r["trials"] == count}
            cells = ["%.3g [%.3g, %.3g]" % (row[s]["median"], row[s]["q25"], row[s]["q75"]) for s in samplers]
            own = row["tpe"]["median"] if "tpe" in row else math.nan
            other = [r["median"] for s, r in row.items() if s.startswith("optuna")]
            ratio = "%.2f" % (own / min(other)) if other and min(other) > 0 else "-"
            print("| %s, %d | %s | %s |" % (function, count, " | ".join(cells), ratio))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("bin")
    p.add_argument("--functions", default=NUMBERS + "," + MIXED)
    p.add_argument("--samplers", default="random,sobol,tpe,tpe_univariate")
    p.add_argument("--peers", default="tpe,tpe_mv")
    p.add_argument("--seeds", type=int, default=20)
    p.add_argument("--peer-seeds", type=int, default=20)
    p.add_argument("--counts", default="50,100,200")
    p.add_argument("--jobs", type=int, default=2, help="processes of Optuna")
    p.add_argument("--json", help="also write a JSON line for each figure")
    a = p.parse_args()
    results = ours(a) + theirs(a)
    if a.json:
        with open(a.json, "w") as f:
            f.writelines(json.dumps(r) + "\n" for r in results)
    table(results, a.functions.split(","), [int(c) for c in a.counts.split(",")])


if __name__ == "__main__":
    sys.exit(main())
