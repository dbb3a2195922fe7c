#!/usr/bin/env python3
"""What telemetry costs `flywheel score`: throughput, and how long a part of the table takes (p50, p99), beside the same without a bus. One rank.

    python3 tests/bench/bench_telemetry.py [--rounds 5] [--repeat 20] [--learner linear|mlp] [--variant stopped]
    python3 tests/bench/bench_telemetry.py --repeat 85 --rounds 1     every variant for about a minute a side: 10 GB of memory
    python3 tests/bench/bench_telemetry.py --sample 0.00001           of the rows one by one (monitor.sample); default: all of them

In each round each variant takes turns with `off` (no bus) on the same table: both are started, and of the two one stands still (SIGSTOP) while the other one works for some seconds: what
slows the machine down meanwhile slows both. `control`: no bus either, which tells how far chance goes. `absent`: a bus and nobody there. `running`: flywheel-monitor with a store.
`stopped`: the same, stopped (SIGSTOP) from the beginning until all predictions are written. `slow`: a reader of ten messages a second. Throughput is what was written in its turns; p50 and
p99 are what `score` says of itself. Ratios are to `off` beside it; the median of the rounds counts. For p99 there is `--turn 0`: at the end of a turn one part waits for the next one, and those
behind it find cold caches, about one part in a hundred. `p50_to_bare` and `p99_to_bare` are to the same parts without the time that `score` says telemetry took in each: what the machine does
meanwhile does not blur them. What telemetry costs elsewhere, in caches and by the thread that sends it, is in the ratios to `off` alone.
The table (28 numbers, two classes) and the model are made from a fixed seed. All files are in memory (/dev/shm): where the kernel takes a table's cache away in the midst (DAMON does), the
disk would be measured. A virtual machine that gives its free memory back to the host (page_reporting) gets each page of it again in 11 us, in place of 2; it is said how to keep it.
Every file of predictions must be the same bytes. How long readers then still took is `ending_s` (the slow one goes at that moment). One JSON object a line; each
pair's own on standard error."""
import argparse
import atexit
import contextlib
import filecmp
import glob
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
VARIANTS = ["control", "absent", "running", "stopped", "slow"]
MEMORY = "/dev/shm"
REPORTING = "/sys/module/page_reporting/parameters/page_reporting_order"      # blocks of 2^so many pages are given back
NO_ORDER = 11
LIMIT_S = 300


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"), help="where flywheel and flywheel-monitor are")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--rows", type=int, default=400000)
    p.add_argument("--repeat", type=int, default=20, help="the table holds the rows so many times")
    p.add_argument("--turn", type=float, default=4.0, help="seconds; 0: each works through its table in one go, one after the other")
    p.add_argument("--learner", choices=["linear", "mlp"], default="linear")
    p.add_argument("--sample", default="1")
    p.add_argument("--variant", action="append", choices=VARIANTS, help="only this one; may be given again")
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


def start(command, **how):
    """Does not outlive the bench, whatever ends that."""
    process = subprocess.Popen(command, **how)
    atexit.register(lambda: process.poll() is None and process.kill())
    return process


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

    def go_on(self):
        """No more: `score` would wait up to 30 s for it."""
        self.over.set()

    def run(self):
        while not self.over.wait(0.1):
            if self.socket.poll(0):
                self.socket.recv_multipart()
        self.socket.close(0)

    def end(self):
        self.go_on()
        self.join()


class Monitor:
    def __init__(self, a, folder, endpoint):
        self.said = open(os.path.join(folder, "said"), "w")
        self.process = start([os.path.join(a.bin, "flywheel-monitor"), "--connect", endpoint, "--store", os.path.join(folder, "store"), "--format", "jsonl"],
                             stdout=self.said, stderr=self.said)
        time.sleep(0.2)

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        self.process.terminate()
        if self.process.wait(60) != 0:
            sys.exit("the monitor failed")
        self.said.close()


class Score:
    """`flywheel score` of the table, in a folder of its own, with a bus or without."""

    def __init__(self, a, folder, table, run, variant):
        self.folder, self.variant, self.out = folder, variant, os.path.join(folder, "out.csv")
        self.endpoint = f"ipc://{folder}/bus"
        self.peak_kib = self.bytes = self.seconds = 0
        os.makedirs(folder)
        command = [os.path.join(a.bin, "flywheel"), "score", run, table, "-o", self.out]
        if variant not in ("off", "control"):
            command += ["--bus", self.endpoint, "--spool", os.path.join(folder, "spool"), f"monitor.sample={a.sample}"]
        self.talk = open(os.path.join(folder, "talk"), "w+")
        self.process = start(command, env=environment(), stdout=subprocess.DEVNULL, stderr=self.talk)

    def written(self):
        """Bytes so far; None: all is written, or it failed."""
        if self.process.poll() is not None or os.path.exists(self.out):
            return None
        for growing in glob.glob(self.out + ".tmp.*"):
            with contextlib.suppress(FileNotFoundError):      # it has got its name meanwhile
                return os.path.getsize(growing)
        return None if os.path.exists(self.out) else 0

    def begin(self):
        """Until it writes; then it stands still."""
        while self.written() == 0:
            time.sleep(0.01)
        time.sleep(0.3)
        self.process.send_signal(signal.SIGSTOP)

    def turn(self, seconds):
        """False: it has written all."""
        before, start = self.written(), time.monotonic()
        self.process.send_signal(signal.SIGCONT)
        time.sleep(seconds)
        self.process.send_signal(signal.SIGSTOP)
        took, after = time.monotonic() - start, self.written()
        self.peak_kib = max(self.peak_kib, high_water_kib(self.process.pid))
        if before is None or after is None:
            return False
        self.bytes += after - before
        self.seconds += took
        return True

    def end(self, written=lambda: None):
        """What it says of itself. written: is called when all predictions are there."""
        before, start = self.written(), time.monotonic()
        self.process.send_signal(signal.SIGCONT)
        while self.written() is not None:
            self.peak_kib = max(self.peak_kib, high_water_kib(self.process.pid))
            time.sleep(0.02)
        if self.seconds == 0 and os.path.exists(self.out):      # there were no turns
            self.bytes, self.seconds = os.path.getsize(self.out) - before, time.monotonic() - start
        written()
        self.process.wait(LIMIT_S)
        self.talk.seek(0)
        said = self.talk.read()
        if self.process.returncode != 0:
            sys.exit(f"score failed ({self.variant}):\n{said}")
        p50, p99 = map(float, re.search(r"in ([0-9.]+) ms \(p50\), ([0-9.]+) ms \(p99\)", said).groups())
        bare = re.search(r"without its time: ([0-9.]+) ms \(p50\), ([0-9.]+) ms \(p99\)", said)
        bare_p50, bare_p99 = map(float, bare.groups()) if bare else (p50, p99)
        ending = re.search(r"its end took ([0-9.]+) s", said)
        return {"bytes_per_s": self.bytes / self.seconds, "seconds": self.seconds, "p50_ms": p50, "p99_ms": p99, "p50_to_bare": p50 / bare_p50,
                "p99_to_bare": p99 / bare_p99, "ending_s": float(ending[1]) if ending else 0.0,
                "peak_mib": self.peak_kib / 1024, "counts": (re.search(r"published .*", said) or [""])[0].split(": ")[-1]}


def high_water_kib(pid):
    """Of its own memory: what wait4 tells may be its parent's, from before the exec."""
    try:
        with open(f"/proc/{pid}/status") as status:
            return int(next((line.split()[1] for line in status if line.startswith("VmHWM")), 0))
    except OSError:
        return 0


def side_by_side(a, folder, table, run, variant, off_first):
    """What `off` and the variant say, after their turns, or after all in one go."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    told = Score(a, os.path.join(folder, variant), table, run, variant)
    reader = Monitor(a, folder, told.endpoint) if variant in ("running", "stopped") else SlowReader(told.endpoint) if variant == "slow" else None
    told.begin()
    if variant == "stopped":
        reader.stop()
    off = Score(a, os.path.join(folder, "off"), table, run, "off")
    off.begin()
    pair = [off, told]
    while a.turn > 0 and all(score.turn(a.turn) for score in pair):
        pair.reverse()                             # off, told, told, off: neither is always the first
    if a.turn > 0 and (off.seconds == 0 or told.seconds == 0):
        sys.exit("the table is too short for a turn of each; --repeat makes it longer")
    said = {score: score.end(reader.go_on if reader is not None and score is told else lambda: None) for score in (pair if off_first else reversed(pair))}
    if reader is not None:
        reader.end()
    if not filecmp.cmp(off.out, told.out, shallow=False):
        sys.exit(f"the predictions are not the same bytes ({variant})")
    return said[off], said[told]


def touch(folder, n_bytes):
    """So much of the memory once, so that the first ones do not get it page by page from the host."""
    path, part = os.path.join(folder, "touched"), bytes(1 << 20)
    with open(path, "wb", buffering=0) as out:
        for _ in range(n_bytes >> 20):
            out.write(part)
    os.remove(path)


def say_what_disturbs():
    with contextlib.suppress(OSError, ValueError), open(REPORTING) as order:
        if int(order.read()) < NO_ORDER:
            print(f"bench: this machine gives free memory back to its host, which is measured too; as root: echo {NO_ORDER} > {REPORTING}", file=sys.stderr)


def measure(a, folder):
    table, run = prepare(a, folder)
    if a.prepare:
        return
    say_what_disturbs()
    touch(folder, os.path.getsize(table) // 3)      # more than both sides write
    bytes_a_row = None
    runs = {v: [] for v in a.variant or VARIANTS}
    for i in range(a.rounds):
        for v, pairs in runs.items():
            pairs.append(side_by_side(a, os.path.join(folder, "turn"), table, run, v, i % 2 == 0))
            bytes_a_row = bytes_a_row or os.path.getsize(os.path.join(folder, "turn", "off", "out.csv")) / (a.rows * a.repeat)
            print(json.dumps({"variant": v, "off": pairs[-1][0], "told": pairs[-1][1]}), file=sys.stderr, flush=True)
    for v, pairs in runs.items():
        median = lambda name: statistics.median(told[name] / off[name] for off, told in pairs)
        print(json.dumps({"learner": a.learner, "sample": a.sample, "variant": v, "rounds": a.rounds, "seconds": round(min(told["seconds"] for _, told in pairs)),
                          "off_rows_per_s": round(statistics.median(off["bytes_per_s"] for off, _ in pairs) / bytes_a_row), "ratio_rows_per_s": round(median("bytes_per_s"), 4),
                          "off_p50_ms": statistics.median(off["p50_ms"] for off, _ in pairs), "ratio_p50": round(median("p50_ms"), 4),
                          "off_p99_ms": statistics.median(off["p99_ms"] for off, _ in pairs), "ratio_p99": round(median("p99_ms"), 4),
                          "p50_to_bare": round(statistics.median(told["p50_to_bare"] for _, told in pairs), 4),
                          "p99_to_bare": round(statistics.median(told["p99_to_bare"] for _, told in pairs), 4),
                          "off_peak_mib": round(max(off["peak_mib"] for off, _ in pairs)), "peak_mib": round(max(told["peak_mib"] for _, told in pairs)),
                          "ending_s": max(told["ending_s"] for _, told in pairs), "counts": pairs[-1][1]["counts"]}), flush=True)


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    if a.folder:
        os.makedirs(a.folder, exist_ok=True)
        measure(a, os.path.abspath(a.folder))
        return
    with tempfile.TemporaryDirectory(dir=MEMORY if os.path.isdir(MEMORY) else None) as folder:
        measure(a, folder)


main()
