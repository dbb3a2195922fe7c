#!/usr/bin/env python3
"""Real drift: a model trained on the first part of a stream, and the rest of it scored piece by piece with its labels coming late, under flywheel-monitor's
eyes. Prints the timeline: alerts as they came, realised accuracy beside the estimate made without labels, and the estimate's error.

    python3 tests/bench/bench_timeline.py [--set elec2] [--set bank-marketing] [--pictures FOLDER] [--keep FOLDER]

elec2: trained on the first third, a window is a week (336 half hours), labels come two days late. bank-marketing: trained on the first 70 % of the calls, a window is
500 calls, labels come 500 calls late. The rows stand in the order of their time. Time is told by row: the events themselves go over the bus as fast as they are
scored. --pictures: the monitor's page in Chromium, half way and at the end."""

import argparse
import atexit
import contextlib
import csv
import datetime
import gzip
import json
import math
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "system"))
from browser import Browser  # noqa: E402

PROJECT = """\
project: {name}
problem: {{task: classification, target: {target}, positive: "{positive}"}}
data:
  tables: {{rows: train.csv}}
  id: id
  split: {{by: time, column: row, train: 0.7, validation: 0.1, test: 0.2}}
features: {{"*": auto, row: ignore{ignore}}}
model: {{learner: mlp, hidden: [32], dropout: 0.2}}
train: {{epochs: 20, global_batch_size: 256, optimizer: adamw, learning_rate: 0.002, weight_decay: 0.01, seed: 1, early_stopping: {{metric: log_loss, patience: 5}}}}
monitor: {{window: {window}, performance: {{metric: accuracy, drop: 0.05}}, alerts: {{cool_down: 1 s}}}}
"""
LIMIT_S = 120


class Set:
    def __init__(self, name, header, rows, target, positive, share, window, late, ignore, when):
        self.name, self.header, self.rows, self.target, self.positive = name, header, rows, target, positive
        self.first, self.window, self.late, self.ignore, self.when = int(share * len(rows)), window, late, ignore, when

    def write(self, path, rows):
        with open(path, "w", newline="", encoding="utf-8") as f:
            out = csv.writer(f)
            out.writerow(["id", "row", *self.header])
            out.writerows([f"{self.name}-{i}", i, *self.rows[i]] for i in rows)

    def write_outcomes(self, path, rows):
        at = self.header.index(self.target)
        with open(path, "w", newline="", encoding="utf-8") as f:
            out = csv.writer(f)
            out.writerow(["id", "outcome"])
            out.writerows([f"{self.name}-{i}", self.rows[i][at]] for i in rows)


def elec2(data):
    with open(data / "elec2" / "electricity.csv", encoding="utf-8") as f:
        header, *rows = csv.reader(f)
    began = datetime.datetime(1996, 5, 7)
    return Set("elec2", header, rows, "class", "UP", 1 / 3, 336, 96, ", date: ignore", lambda i: f"{began + datetime.timedelta(minutes=30 * i):%Y-%m-%d}")


def bank_marketing(data):
    with gzip.open(data / "bank-marketing" / "bank-additional-full.csv.gz", "rt", encoding="utf-8") as f:
        header, *rows = csv.reader(f, delimiter=";")
    at = header.index("month")
    return Set("bank-marketing", header, rows, "y", "yes", 0.7, 500, 500, ", duration: ignore", lambda i: f"call {i} ({rows[min(i, len(rows) - 1)][at]})")


SETS = {"elec2": elec2, "bank-marketing": bank_marketing}


def environment():
    env = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        env.pop(name, None)
    return env


def call(bin_folder, *words, cwd):
    done = subprocess.run([bin_folder / "flywheel", *map(str, words)], cwd=cwd, env=environment(), capture_output=True, text=True, check=False, timeout=2 * LIMIT_S)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(map(str, words))}: {done.returncode}\n{done.stderr}")
    return done


def query(store, text):
    with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(store)) as db:
        return db.execute(text).fetchall()
    return []


def until(what, is_there):
    deadline = time.monotonic() + LIMIT_S
    while not is_there():
        if time.monotonic() > deadline:
            sys.exit(f"{what} did not come")
        time.sleep(0.02)


class Monitor:
    def __init__(self, bin_folder, folder):
        self.folder, self.store = folder, folder / "m.store"
        self.scores, self.outcomes = f"ipc://{folder}/scores", f"ipc://{folder}/outcomes"
        self.said = open(folder / "monitor.out", "w+", encoding="utf-8")
        self.talk = open(folder / "monitor.err", "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            [bin_folder / "flywheel-monitor", "--format", "jsonl", "--connect", self.scores, "--connect", self.outcomes, "--store", self.store, "--dashboard", "127.0.0.1:0",
             folder / "p.yaml"], stdout=self.said, stderr=self.talk, env=environment())
        atexit.register(lambda: self.process.poll() is None and self.process.kill())      # a bench that fails leaves none behind

    def page(self):
        until("the page", lambda: "the page is at" in (self.folder / "monitor.err").read_text())
        return (self.folder / "monitor.err").read_text().split("the page is at ")[1].split()[0]

    def rows(self):
        return (query(self.store, "SELECT sum(rows) FROM windows") or [(0,)])[0][0] or 0

    def alerts(self):
        return query(self.store, "SELECT alert, kind, subject, level, threshold, features, text, resolved_us FROM alerts ORDER BY alert")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(LIMIT_S) != 0:
            sys.exit((self.folder / "monitor.err").read_text())


def take_pictures(url, folder, name):
    with tempfile.TemporaryDirectory() as scratch, Browser(scratch) as b:
        for look, width, dark in (("light", 1300, False), ("dark", 1300, True), ("phone", 400, False)):
            b.size(width, 900, dark)
            b.open(url)
            b.wait_until("document.body && document.body.dataset.ready==='yes'")
            time.sleep(1)
            b.picture(folder / f"{name}-{look}.png")
        print(f"pictures of {name}: the page's complaints: {b.complaints or 'none'}")


def stream(s, bin_folder, folder, pictures):
    """Scores the rest window by window; labels follow. Gives the alerts with the row at which each was seen."""
    monitor, seen, told = Monitor(bin_folder, folder), {}, s.first
    pieces = [range(at, min(at + s.window, len(s.rows))) for at in range(s.first, len(s.rows), s.window)]
    for number, piece in enumerate(pieces):
        s.write(folder / "piece.csv", piece)
        call(bin_folder, "score", "run", "piece.csv", "-o", "p.csv", "--bus", monitor.scores, "--wait-subscribers", 1, "--wait-seconds", LIMIT_S, cwd=folder)
        until("the window", lambda: monitor.rows() >= piece.stop - s.first)
        labelled = range(told, max(piece.stop - s.late, told))
        if labelled:
            s.write_outcomes(folder / "outcomes.csv", labelled)
            call(bin_folder, "outcomes", "outcomes.csv", "--model", s.name, "--bus", monitor.outcomes, "--wait", LIMIT_S, cwd=folder)
            told = labelled.stop
        for alert in monitor.alerts():
            seen.setdefault(alert[0], piece.stop)
        if pictures and number == len(pieces) // 2:
            take_pictures(monitor.page(), pictures, f"{s.name}-half-way")
    time.sleep(1)
    if pictures:
        take_pictures(monitor.page(), pictures, f"{s.name}-end")
    monitor.end()
    for alert in monitor.alerts():
        seen.setdefault(alert[0], len(s.rows))
    return monitor, seen


def print_alerts(s, monitor, seen):
    print(f"\n{len(seen)} alerts of {s.name}, from row {s.first} ({s.when(s.first)}) on:")
    for number, kind, subject, level, threshold, features, text, resolved in monitor.alerts():
        print(f"  {s.when(seen[number]):>18}  row {seen[number]:>6}  {kind:<12} {subject:<24} {level:8.3g} of {threshold:<6.3g} {'over' if resolved else 'open'}  {text}")


def print_quality(s, monitor):
    rows = query(monitor.store, "SELECT window, realised, low, high, estimated, reference, labelled FROM performance WHERE metric = 'accuracy' ORDER BY window")
    if not rows:
        sys.exit("no quality was told")
    both = [(r, e) for _, r, _, _, e, _, share in rows if r is not None and e is not None and share == 1]
    error = sum(abs(r - e) for r, e in both) / max(len(both), 1)
    bias = sum(e - r for r, e in both) / max(len(both), 1)
    inside = sum(1 for _, r, low, high, e, _, share in rows if r is not None and e is not None and share == 1 and low <= e <= high)
    print(f"\nquality of {s.name}: accuracy of the reference {rows[0][5]:.4f}; {len(both)} windows with all labels: realised {sum(r for r, _ in both) / len(both):.4f}, "
          f"estimated {sum(e for _, e in both) / len(both):.4f}; the estimate's error: mean absolute {error:.4f}, mean {bias:+.4f}, within the realised interval {inside} times")
    for window, realised, low, high, estimated, _, share in rows:
        at = s.first + (window - 1) * s.window
        bar = "" if realised is None else " " * round(60 * (realised - 0.4)) + "*"
        figures = "realised      -               " if realised is None else f"realised {realised:.3f} ({low:.3f}-{high:.3f})"
        print(f"  {s.when(at):>18}  {figures}  estimated {math.nan if estimated is None else estimated:.3f}  {100 * share:3.0f} % labelled {bar}")


def show(s, bin_folder, folder, pictures):
    s.write(folder / "train.csv", range(s.first))
    (folder / "p.yaml").write_text(PROJECT.format(name=s.name, target=s.target, positive=s.positive, window=s.window, ignore=s.ignore))
    call(bin_folder, "ingest", "p.yaml", cwd=folder)
    call(bin_folder, "train", "p.yaml", "-o", "run", cwd=folder)
    began = time.monotonic()
    monitor, seen = stream(s, bin_folder, folder, pictures)
    print(f"{s.name}: trained on {s.first} rows, {len(s.rows) - s.first} streamed in {time.monotonic() - began:.0f} s")
    print_alerts(s, monitor, seen)
    print_quality(s, monitor)
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    print("test split:", json.dumps(metrics.get("test", metrics))[:300])


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin")
    p.add_argument("--data", type=pathlib.Path, default=ROOT.parent / "shared" / "data")
    p.add_argument("--set", action="append", choices=sorted(SETS))
    p.add_argument("--pictures", type=pathlib.Path)
    p.add_argument("--keep", type=pathlib.Path, help="work here, and leave everything there")
    o = p.parse_args()
    if o.pictures:
        o.pictures.mkdir(parents=True, exist_ok=True)
    for name in o.set or SETS:
        with tempfile.TemporaryDirectory() as scratch:
            folder = (o.keep or pathlib.Path(scratch)) / name
            folder.mkdir(parents=True)
            show(SETS[name](o.data), o.bin.resolve(), folder, o.pictures)


if __name__ == "__main__":
    main()
