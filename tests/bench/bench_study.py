#!/usr/bin/env python3
"""What a search costs beside its trainings, next to Optuna (in memory, and with SQLite): seconds of 1,000 empty trials with the journal on the disk; an ask when
10 to 10,000 trials are known; ask, report and completion at 10,000 and 100,000; and the idle share of 10,000 virtual workers.

    python3 tests/bench/bench_study.py [--bin build/release/bin] [--peers ../shared/peers] [--rounds 3] [--no-peer]

Both sides take turns; the best of each. Fails when a bound does not hold: 1,000 trials in a fiftieth of what Optuna needs in memory, 200 us an ask at 10,000
known trials, 1 % idle."""
import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--bin", default=os.path.join(ROOT, "build", "release", "bin"))
    p.add_argument("--peers", default=os.path.join(ROOT, "..", "shared", "peers"))
    p.add_argument("--python", default="/usr/bin/python3", help="the interpreter that has optuna")
    p.add_argument("--rounds", type=int, default=3, help="how often each side takes its turn")
    p.add_argument("--sqlite-trials", type=int, default=300, help="SQLite is too slow for 1,000; the time is scaled")
    p.add_argument("--no-peer", action="store_true")
    return p.parse_args()


def line(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        sys.exit("%s: %s" % (" ".join(command), done.stderr.strip()))
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    a = arguments()
    program = os.path.join(a.bin, "bench_study")
    peer = os.path.join(a.peers, "optuna_overhead.py")
    with_peer = not a.no_peer and os.path.exists(peer)
    if not with_peer and not a.no_peer:
        print("%s is not there: without Optuna" % peer)
    ours, memory, good = [], [], True
    for _ in range(a.rounds):
        ours.append(line([program, "empty", "tpe", "1000"])["seconds"])
        if with_peer:
            memory.append(line([a.python, peer, "--storage", "memory", "--sampler", "tpe", "--trials", "1000"])["wall_s"])
    print("1,000 empty trials, three parameters, tpe      flywheel %.3f s" % min(ours))
    if with_peer:
        sqlite = line([a.python, peer, "--storage", "sqlite", "--sampler", "tpe", "--trials", str(a.sqlite_trials)])["wall_s"] * 1000 / a.sqlite_trials
        good &= min(memory) >= 50 * min(ours)
        print("  Optuna in memory %.2f s: %.0f times; with SQLite about %.1f s: %.0f times" % (min(memory), min(memory) / min(ours), sqlite, sqlite / min(ours)))
    for sampler, trials in (("tpe", 100), ("tpe", 1000), ("tpe", 10000), ("random", 10000), ("random", 100000)):
        r = min((line([program, "known", sampler, "asha", str(trials)]) for _ in range(a.rounds)), key=lambda k: k["ask_us"])
        good &= r["ask_us"] <= 200
        print("%7d known, %-6s asha: ask %6.1f us (p99 %6.1f), report and completion %5.1f us (p99 %6.1f)" % (trials, sampler, r["ask_us"], r["ask_p99_us"], r["told_us"], r["told_p99_us"]))
    for sampler, trials, mean in (("random", 100000, 10), ("tpe", 50000, 10), ("tpe", 50000, 2)):
        r = line([program, "idle", sampler, "10000", str(trials), str(mean)])
        good &= r["idle_share"] <= 0.01
        print("10,000 workers, %s, asha, rounds of %d s: idle %.4f %%, the coordinator busy %.1f %%, %.1f us a decision" %
              (sampler, mean, 100 * r["idle_share"], 100 * r["coordinator_busy"], r["us_a_decision"]))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
