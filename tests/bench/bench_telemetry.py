#!/usr/bin/env python3
"""What telemetry costs `flywheel score`: throughput, and how long a part of the table takes (p50, p99), beside the same without a bus. One rank.

    python3 tests/bench/bench_telemetry.py [--rounds 7] [--rows 400000] [--learner mlp|linear]
    python3 tests/bench/bench_telemetry.py --sample 0.00001           of the rows one by one (monitor.sample); default: all of them

All take their turn in each round; ratios are to `off` of the same round, and the median of the rounds counts. `off`: no bus. `absent`: a bus and nobody there. `running`: flywheel-monitor
with a store. `stopped`: the same, stopped (SIGSTOP) 0.2 s after the beginning. `slow`: a reader that takes ten messages a second. The table (28 numbers, two classes) and the model are
made from a fixed seed; the bus is on loopback and its spool on the disk. Throughput is until the predictions are written; how long readers then
still took is `ending_s` (the slow one goes at that moment). Every file of predictions must be the same bytes. One JSON object a line."""
import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
VARIANTS = ["off", "absent", "running", "stopped", "slow"]
LIMIT_S = 300


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"), help="where flywheel and flywheel-monitor are")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--rows", type=int, default=400000)
    p.add_argument("--repeat", type=int, default=1, help="the table holds the rows so many times")
    p.add_argument("--learner", choices=["mlp", "linear"], default="mlp")
    p.add_argument("--sample", default="1")
    p.add_argument("--variant", action="append", choices=VARIANTS[1:], help="only this one beside off; may be given again")
    p.add_argument("--folder", help="keep table and model there, and take them from there")
    p.add_argument("--prepare", action="store_true", help="only make them")
    return p.parse_args()


def environment():
    e = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMPI_MCA_rmaps_base_oversubscribe"):
        e.pop(name, None)
    return e


def write_table(path, rows, seed, repeat=1):
    r = numpy.random.default_rng(seed)
    y = r.integers(0, 2, rows)
    x = r.standard_normal((rows, 28))
    x[:, :7] += 0.5 * y[:, None]
    x[:, 7:14] = abs(x[:, 7:14]) + 0.3 * y[:, None] * r.standard_normal((rows, 7))
    with open(path, "w") as out:
        out.write("label," + ",".join(f"x{i}" for i in range(28)) + "\n")
        body = path + ".body"
        numpy.savetxt(body, numpy.column_stack([y, x]), fmt=["%d"] + ["%.4f"] * 28, delimiter=",")
        for _ in range(repeat):
            with open(body) as part:
                shutil.copyfileobj(part, out, 1 << 22)
    os.remove(body)


def prepare(a, folder):
    """score.csv and the folder of the run."""
    table, run = os.path.join(folder, f"score{a.rows}x{a.repeat}.csv"), os.path.join(folder, "run_" + a.learner)
    if not os.path.exists(table):
        write_table(table, a.rows, 2, a.repeat)
    if os.path.exists(run):
        return table, run
    write_table(os.path.join(folder, "train.csv"), 40000, 1)
    yaml = os.path.join(folder, a.learner + ".yaml")
    model = "{learner: mlp, hidden: [64, 32]}" if a.learner == "mlp" else "{learner: linear}"
    with open(yaml, "w") as out:
        out.write(f"project: bench\nproblem: {{task: classification, target: label}}\ndata: {{tables: {{train: train.csv}}, dataset: {a.learner}.h5}}\nfeatures: {{\"*\": auto}}\n"
                  f"model: {model}\ntrain: {{epochs: 2, global_batch_size: 256}}\n")
    for command in (["ingest", yaml], ["train", yaml, "-o", run]):
        subprocess.run([os.path.join(a.bin, "flywheel"), *command], env=environment(), cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return table, run


class SlowReader(threading.Thread):
    """Ten messages a second, and a queue of ten."""

    def __init__(self, endpoint):
        import zmq
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.rcvhwm = 10
        self.socket.subscribe(b"")
        self.socket.connect(endpoint)
        self.start()

    def run(self):
        while not self.over.wait(0.1):
            if self.socket.poll(0):
                self.socket.recv_multipart()
        self.socket.close(0)

    def end(self):
        self.over.set()
        self.join()


class Monitor:
    def __init__(self, a, folder, endpoint):
        self.said = open(os.path.join(folder, "said"), "w")
        self.process = subprocess.Popen([os.path.join(a.bin, "flywheel-monitor"), "--connect", endpoint, "--store", os.path.join(folder, "store"), "--format", "jsonl"],
                                        stdout=self.said, stderr=self.said)
        time.sleep(0.2)

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def end(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        if self.process.wait(60) != 0:
            sys.exit("the monitor failed")
        self.said.close()


def high_water_kib(pid):
    """Of its own memory: what wait4 tells may be its parent's, from before the exec."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return int(next((line.split()[1] for line in status if line.startswith("VmHWM")), 0))
    except OSError:
        return 0


def score(a, folder, table, run, variant):
    """What `score` says of itself, its peak memory in MiB, and a hash of what it wrote."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    endpoint, out = f"ipc://{folder}/bus", os.path.join(folder, "out.csv")
    command = [os.path.join(a.bin, "flywheel"), "score", run, table, "-o", out]
    if variant != "off":
        command += ["--bus", endpoint, "--spool", os.path.join(folder, "spool"), f"monitor.sample={a.sample}"]
    reader = Monitor(a, folder, endpoint) if variant in ("running", "stopped") else SlowReader(endpoint) if variant == "slow" else None
    with open(os.path.join(folder, "talk"), "w+") as talk:
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=talk)
        if variant == "stopped":
            time.sleep(0.2)
            reader.stop()
        pid = peak_kib = 0
        while pid == 0:
            peak_kib = max(peak_kib, high_water_kib(process.pid))
            pid, status = os.waitpid(process.pid, os.WNOHANG)
            time.sleep(0.02)
            if variant == "slow" and os.path.exists(out):
                reader.over.set()                  # the predictions are there; for this one `score` would wait up to 30 s more
        process.returncode = os.waitstatus_to_exitcode(status)
        talk.seek(0)
        said = talk.read()
    if reader is not None:
        reader.end()
    if process.returncode != 0:
        sys.exit(f"score failed ({variant}):\n{said}")
    p50, p99 = map(float, re.search(r"in ([0-9.]+) ms \(p50\), ([0-9.]+) ms \(p99\)", said).groups())
    ending = re.search(r"its end took ([0-9.]+) s", said)
    with open(out, "rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    return {"rows_per_s": float(re.search(r"\((\d+) rows/s\)", said)[1]), "p50_ms": p50, "p99_ms": p99, "ending_s": float(ending[1]) if ending else 0.0,
            "peak_mib": peak_kib / 1024, "digest": digest, "counts": (re.search(r"published .*", said) or [""])[0]}


def measure(a, folder):
    table, run = prepare(a, folder)
    if a.prepare:
        return
    variants = ["off"] + (a.variant or VARIANTS[1:])
    runs = {v: [] for v in variants}
    for _ in range(a.rounds):
        for v in variants:
            runs[v].append(score(a, os.path.join(folder, "turn"), table, run, v))
    if len({x["digest"] for r in runs.values() for x in r}) != 1:
        sys.exit("the predictions are not the same bytes")
    for v, r in runs.items():
        line = {"learner": a.learner, "sample": a.sample, "variant": v, "rounds": a.rounds}
        for name in ("rows_per_s", "p50_ms", "p99_ms"):
            line[name] = round(statistics.median(x[name] for x in r), 2)
            line["ratio_" + name] = round(statistics.median(x[name] / o[name] for x, o in zip(r, runs["off"])), 4)
        line.update(ending_s=max(x["ending_s"] for x in r), peak_mib=round(max(x["peak_mib"] for x in r)), counts=r[-1]["counts"].split(": ")[-1])
        print(json.dumps(line), flush=True)


def main():
    a = arguments()
    if a.folder:
        os.makedirs(a.folder, exist_ok=True)
        measure(a, os.path.abspath(a.folder))
        return
    with tempfile.TemporaryDirectory() as folder:
        measure(a, folder)


main()
