#!/usr/bin/env python3
"""Predictions/s from a publisher to committed windows with drift of 28 features, one core each, beside the raw ceiling of ZeroMQ; and the monitor's CPU time at ten times the traffic.

    python3 tests/bench/bench_monitor.py [--rounds 3] [--seconds 8]      throughput, as fast as it goes: each case, medians
    python3 tests/bench/bench_monitor.py --traffic [--rate 100000]       CPU seconds of the monitor at RATE and at 10 RATE, for --seconds each
    python3 tests/bench/bench_monitor.py --ceiling                       raw ZeroMQ alone (peers/zmq_pubsub.c, built into a temporary folder)

The publisher is bench_monitor on core 0, flywheel-monitor with a store on core 1. A run is over when the monitor has acknowledged all, which it does behind its commit; the
store is then read: its windows must hold every row, with figures of drift. One JSON object a line."""
import argparse
import json
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import figures  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
LIMIT_S = 300
# What the publisher is told, what the monitor is told, and the guess of rows/s that says how many make a run of --seconds.
CASES = {
    "summaries, windows of 1,000": (["window=1000"], "1000", 6e6),
    "summaries, windows of 10,000": (["window=10000"], "10000", 2.5e7),
    "summaries, windows of a second": (["every=1"], "1s", 2e7),
    "summaries and every row, windows of 1,000": (["window=1000", "sample=1"], "1000", 1e6),
}
TRAFFIC = {"windows of a second": (["every=1"], "1s"), "windows of 1,000": (["window=1000"], "1000")}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"), help="where flywheel-monitor and bench_monitor are")
    p.add_argument("--peers", default=os.path.join(ROOT, "..", "shared", "peers"))
    p.add_argument("--rounds", type=int, default=3, help="how often all take their turn")
    p.add_argument("--seconds", type=float, default=8, help="of one run, about")
    p.add_argument("--case", action="append", choices=[*CASES, *TRAFFIC], help="only this one; may be given again")
    p.add_argument("--traffic", action="store_true")
    p.add_argument("--rate", type=float, default=100000, help="rows/s of --traffic; the other run has ten times as many")
    p.add_argument("--ceiling", action="store_true")
    return p.parse_args()


def on_core(core, *command):
    return ["taskset", "-c", str(core), *command]


def stored(path):
    """Windows, their rows, those with figures of drift, the fewest figures in any of some 100 of them, and bytes used."""
    db = sqlite3.connect(path)
    n, rows = db.execute("SELECT count(*), coalesce(sum(rows), 0) FROM windows").fetchone()
    packed = db.execute("SELECT count(*) FROM figures").fetchone()[0]
    some = db.execute("SELECT bytes FROM figures WHERE window % ? = 0", (max(1, packed // 100),)).fetchall()
    used = db.execute("SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size").fetchone()[0]
    db.close()
    return n, rows, packed, min((sum(1 for _ in figures.unpack(data)) for (data,) in some), default=0), used


def end(monitor):
    """Its totals are given on SIGTERM. CPU seconds and peak memory (MiB) of all its life."""
    monitor.send_signal(signal.SIGTERM)
    _, status, used = os.wait4(monitor.pid, 0)
    monitor.returncode = os.waitstatus_to_exitcode(status)
    if monitor.returncode != 0:
        sys.exit(f"the monitor ended with {monitor.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def one_run(a, folder, told, window, rows, rate=0):
    """What the publisher says, and what became of it at the monitor."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    store = os.path.join(folder, "store")
    publisher = subprocess.Popen(on_core(0, os.path.join(a.bin, "bench_monitor"), f"rows={int(rows)}", f"rate={rate}", "wait=1", f"spool={folder}/spool", *told),
                                 stdout=subprocess.PIPE, text=True)
    endpoint = publisher.stdout.readline().strip()
    with open(os.path.join(folder, "said"), "w") as said:
        monitor = subprocess.Popen(on_core(1, os.path.join(a.bin, "flywheel-monitor"), "--connect", endpoint, "--store", store, "--window", window, "--format", "jsonl"),
                                   stdout=said, stderr=said)
        out, _ = publisher.communicate(timeout=LIMIT_S)
        cpu, peak = end(monitor)
    if publisher.returncode != 0:
        sys.exit("the publisher failed")
    result = json.loads(out.strip().splitlines()[-1])
    windows, held, looked_at, fewest, used = stored(store)
    if held != int(rows) or windows == 0 or looked_at != windows or fewest < 28:
        sys.exit(f"the store holds {held} rows of {int(rows)} in {windows} windows, {looked_at} of them with figures of drift, {fewest} at least")
    return dict(result, monitor_cpu=cpu, monitor_mib=peak, stored_windows=windows, figures=fewest, store_bytes=used)


def throughput(a, folder):
    runs = {name: [] for name in a.case or CASES}
    for _ in range(a.rounds):
        for name in runs:
            told, window, guess = CASES[name]
            runs[name].append(one_run(a, folder, told, window, guess * a.seconds))
    for name, r in runs.items():
        rates = sorted(x["rows_per_s"] for x in r)
        print(json.dumps({"case": name, "predictions_per_s": round(statistics.median(rates)), "from": rates[0], "to": rates[-1], "rows": r[0]["rows"],
                          "windows": r[0]["stored_windows"], "figures_a_window": r[0]["figures"], "store_bytes_a_window": round(r[0]["store_bytes"] / r[0]["stored_windows"]), "messages": r[0]["messages"],
                          "monitor_us_a_window": round(statistics.median(1e6 * x["monitor_cpu"] / x["stored_windows"] for x in r)),
                          "publisher_cpu_s": round(statistics.median(x["cpu_seconds"] for x in r), 2),
                          "monitor_cpu_s": round(statistics.median(x["monitor_cpu"] for x in r), 2), "monitor_peak_mib": round(max(x["monitor_mib"] for x in r))}), flush=True)


def traffic(a, folder):
    """Beside what a monitor takes to start, be idle and end, which is in both."""
    for name in a.case or TRAFFIC:
        told, window = TRAFFIC[name]
        once, tenfold = [], []
        for _ in range(a.rounds):
            for rate, cpu in ((a.rate, once), (10 * a.rate, tenfold)):
                cpu.append(one_run(a, folder, told, window, rate * a.seconds, rate)["monitor_cpu"])
        print(json.dumps({"traffic": name, "rate": a.rate, "seconds": a.seconds, "monitor_cpu_s": round(statistics.median(once), 3),
                          "at_ten_times": round(statistics.median(tenfold), 3), "ratio": round(statistics.median(t / o for t, o in zip(tenfold, once)), 2)}), flush=True)


def ceiling(a, folder):
    """One PUB process to one SUB process that only counts: messages of 64 bytes, and those of 1,000 predictions of 28 bytes as `score` sends them."""
    source = os.path.abspath(a.peers)
    subprocess.run(["protoc-c", f"--proto_path={source}", f"--c_out={folder}", os.path.join(source, "telemetry.proto")], check=True)
    program = os.path.join(folder, "zmq_pubsub")
    subprocess.run(["gcc", "-O3", "-I", folder, os.path.join(source, "zmq_pubsub.c"), os.path.join(folder, "telemetry.pb-c.c"), "-o", program, "-lzmq", "-lprotobuf-c", "-lpthread"],
                   check=True)
    for name, options in {"each alone, 64 bytes": ["--size", "64", "--count", "2000000"], "1,000 together, 28 bytes each": ["--size", "28", "--batch", "1000", "--count", "40000000"]}.items():
        out = subprocess.run([program, "--repeat", str(a.rounds), *options], check=True, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S).stdout
        rate = json.loads(out.strip().splitlines()[-1])["msgs_per_s"]
        print(json.dumps({"raw_zeromq": name, "predictions_per_s": round(rate["median"]), "from": rate["min"], "to": rate["max"]}), flush=True)


def main():
    a = arguments()
    with tempfile.TemporaryDirectory() as folder:
        what = ceiling if a.ceiling else traffic if a.traffic else throughput
        what(a, os.path.join(folder, "run") if what is not ceiling else folder)


main()
