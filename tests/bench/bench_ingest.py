#!/usr/bin/env python3
"""Ingest of a 1,000,000 x 28 CSV beside pandas.read_csv: seconds, peak memory a rank; both sides in turn in one run.

    python3 tests/bench/bench_ingest.py [--rows 1000000] [--rounds 3]

Ours parses, splits, shuffles, checks and writes dataset.h5; pandas parses into memory."""
import argparse
import glob
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
PANDAS = """
import resource, sys, time
import numpy as np, pandas as pd
t = time.time()
d = pd.read_csv(sys.argv[1], header=None, dtype=np.float32)
print(time.time() - t, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(d))
"""


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--flywheel", default=os.path.join(ROOT, "build", "release", "bin", "flywheel"))
    p.add_argument("--peers", default=os.path.join(ROOT, "..", "shared", "peers"))
    p.add_argument("--python", default="/usr/bin/python3", help="the interpreter that has numpy and pandas")
    p.add_argument("--rows", type=int, default=1000000)
    p.add_argument("--rounds", type=int, default=3)
    return p.parse_args()


def environment():
    return dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")


def project(folder):
    names = ["y"] + ["x%d" % i for i in range(28)]
    path = os.path.join(folder, "higgs.yaml")
    with open(path, "w") as f:
        f.write("""project: higgs
problem: {task: classification, target: y}
data:
  tables: {train: {path: higgs_train.csv, header: false, columns: [%s]}}
  split: {train: 0.9, validation: 0.05, test: 0.05, stratify: false}
""" % ", ".join(names))
    return path


def ours(a, env, yaml, ranks):
    """Seconds of the whole command, and the largest peak memory of a rank in MiB."""
    script = 'exec /usr/bin/env python3 -c "import resource,subprocess,sys; r=subprocess.call(sys.argv[1:]); ' \
             'print(\'peak\', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr); sys.exit(r)" ' \
             '"$0" ingest "$1"'
    for old in glob.glob(os.path.join(os.path.dirname(yaml), "*.dataset.h5")):
        os.remove(old)                      # else its blocks are freed within the time
    start = time.time()
    r = subprocess.run(["mpirun", "-n", str(ranks), "sh", "-c", script, a.flywheel, yaml], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    seconds = time.time() - start
    if r.returncode != 0:
        sys.exit("flywheel ingest failed:\n" + r.stderr[-2000:])
    inside = float(re.search(r"rows in ([0-9.]+) s", r.stdout).group(1))
    return seconds, inside, max(int(k) for k in re.findall(r"peak (\d+)", r.stderr)) / 1024


def theirs(a, env, folder):
    out = subprocess.run([a.python, "-c", PANDAS, os.path.join(folder, "higgs_train.csv")], env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    seconds, peak, _ = out.split()
    return float(seconds), float(peak)


def main():
    a = arguments()
    env = environment()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([a.python, os.path.join(a.peers, "make_synthetic.py"), "--out", folder, "--rows", str(a.rows), "--test", "1000", "--csv"], check=True,
                       stdout=subprocess.DEVNULL)
        yaml = project(folder)
        results = {1: [], 2: [], "pandas": []}
        for _ in range(a.rounds):
            for ranks in (1, 2):
                results[ranks].append(ours(a, env, yaml, ranks))
            results["pandas"].append(theirs(a, env, folder))
        pandas = statistics.median(s for s, _ in results["pandas"])
        print(json.dumps({"pandas_s": round(pandas, 3), "pandas_peak_mib": round(max(p for _, p in results["pandas"]))}))
        for ranks in (1, 2):
            wall = statistics.median(w for w, _, _ in results[ranks])
            inside = statistics.median(i for _, i, _ in results[ranks])
            print(json.dumps({"ranks": ranks, "command_s": round(wall, 3), "ingest_s": round(inside, 3), "ratio_to_pandas": round(pandas / inside, 2),
                              "peak_mib_a_rank": round(max(p for _, _, p in results[ranks]))}))


if __name__ == "__main__":
    main()
