"""How long predictions take, from `score` over the bus to /api/windows and /metrics: the percentiles are those of what publishers told, over runs, ranks and a monitor
that was killed in the middle; and they lie within the time that the run took.

Usage: test_latency.py BIN_FOLDER"""

import json
import math
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import program  # noqa: E402
from program import DONE  # noqa: E402
from test_telemetry import Stage, wait_for  # noqa: E402

ROWS, BINS, LIMIT_S = 20000, 210, 30
EDGES = [math.floor(1000 * 2 ** (k / 8)) / 1e9 for k in range(BINS - 1)]      # proto/telemetry.proto


def percentile(counts, percent):
    """The upper edge of the bin of the row of that rank."""
    rank, seen = math.ceil(sum(counts) * percent / 100), 0
    for edge, count in zip(EDGES, counts):
        seen += count
        if seen >= rank:
            return edge
    return EDGES[-1]


def score(stage, program_, folder, shared, number, ranks=None):
    """The counts that it told, and the seconds that it ran."""
    watch, told = stage.start(f"watch{number}", [stage.bin / "flywheel", "watch", f"ipc://{folder}/a", "--topic", "summary/", "--until-end"])
    begin = time.monotonic()
    program_("score", "run", "calls.csv", "-o", folder / "p.csv", "--bus", f"ipc://{folder}/a", "--spool", folder / "a.spool", "--wait-subscribers", "2", "monitor.window=7 d",
             cwd=shared, ranks=ranks).expect(DONE)
    seconds = time.monotonic() - begin
    stage.finish(f"watch{number}", watch)
    summaries = [json.loads(line) for line in told.read_text().splitlines()]
    assert summaries and sum(s["rows"] for s in summaries) == ROWS, told.read_text()
    for s in summaries:
        assert len(s["latency"]) == BINS and sum(s["latency"]) == s["rows"], s
    counts = [sum(column) for column in zip(*(s["latency"] for s in summaries))]
    assert counts[0] == 0, "1024 rows of text were predicted in less than a microsecond"
    assert percentile(counts, 100) <= 1.1 * seconds, (percentile(counts, 100), seconds)
    return counts


def ask(page, path):
    with urllib.request.urlopen(f"{page}{path}", timeout=LIMIT_S) as answer:
        return answer.read().decode()


def window_of(page, rows):
    deadline, windows = time.monotonic() + LIMIT_S, []
    while [w["rows"] for w in windows] != [rows]:
        assert time.monotonic() < deadline, windows
        time.sleep(0.05)
        windows = json.loads(ask(page, "/api/windows?model=callcenter"))["windows"]
    return windows[0]


def check(page, counts):
    told = window_of(page, sum(counts))["latency"]
    want = {f"p{p}": percentile(counts, p) for p in (50, 90, 99)}
    assert all(abs(told[name] / want[name] - 1) < 2e-3 for name in want), (told, want)      # edges are whole nanoseconds
    assert told["p50"] <= told["p90"] <= told["p99"]
    metrics = ask(page, "/metrics")
    found = dict(re.findall(r'^flywheel_prediction_latency_seconds\{model="callcenter",percentile="(\d+)"\} (\S+)$', metrics, re.M))
    assert {f"p{p}": float(v) for p, v in found.items()} == told, (found, told)
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=metrics, capture_output=True, text=True, timeout=LIMIT_S)
        assert done.returncode == 0 and not done.stdout + done.stderr, done


def monitor(stage, folder, name, *more):
    return stage.start(name, [stage.bin / "flywheel-monitor", "--connect", f"ipc://{folder}/a", "--window", "7d", "--store", folder / "m.store", "--name", "m", *more])[0]


def what_publishers_told_is_what_the_page_shows(program_, folder, shared):
    with Stage(program_.bin, folder) as stage:
        first = monitor(stage, folder, "first")
        counts = score(stage, program_, folder, shared, 1)
        first.kill()
        first.wait()
        second = monitor(stage, folder, "second", "--until-end")
        more = score(stage, program_, folder, shared, 2, ranks=2)
        stage.finish("second", second)
        third = monitor(stage, folder, "third", "--dashboard", "127.0.0.1:0")
        wait_for(folder / "third.err", lambda text: "the page is at" in text)
        page = re.search(r"the page is at (\S+?)/?\s", (folder / "third.err").read_text())[1]
        counts = [a + b for a, b in zip(counts, more)]
        check(page, counts)
        more = score(stage, program_, folder, shared, 3)                             # amends the window
        check(page, [a + b for a, b in zip(counts, more)])
        third.terminate()
        stage.finish("third", third)


def prepare(program_, folder):
    program.callcenter(program_, folder / "example", ROWS)
    folder = folder / "example"
    program_("train", "callcenter.yaml", "-o", "run", "train.epochs=1", cwd=folder).expect(DONE)
    return folder


program.main([what_publishers_told_is_what_the_page_shows], prepare)
