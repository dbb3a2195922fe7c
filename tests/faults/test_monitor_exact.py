"""flywheel-monitor with its store and two publishers of predictions, all killed with SIGKILL at random moments: what the store holds in the end is the truth, class
by class; and with spools that are too small on purpose, produced = delivered + dropped exactly, and the monitor has what was delivered, and says what is missing.

Usage: test_monitor_exact.py BIN_FOLDER [--predictions N] [--kills N] [--rows N] [--seed S]
kills: of the monitor; each publisher is killed once. What the publishers say is computed here again from the seed (bus/telemetry_peer.c)."""

import argparse
import collections
import contextlib
import json
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

PUBLISHERS, CLASSES = 2, ["kindle", "orders", "prime", "music", "other"]
STEPS, BLOCKS, SAMPLED = 4, 16, 10                  # as in telemetry_peer.c
SUMMARY, SAMPLE, OUTCOMES, PLAIN = range(STEPS)
TOLD, UNTOLD = 0, 1
LABEL = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4]
LIMIT_S = 300
SMALL_CAP = 1 << 20
DROPS = ("queue", "full", "disk", "lost")
OTHER_ALERTS = ("publisher_lost", "performance")   # one that is killed is missed for a while; a window of a hundred outcomes may be a bad one


# ---- the truth --------------------------------------------------------------------------------------------------------------------------------------


class Truth:
    """What the messages of the publishers say."""

    def __init__(self, seed, blocks, rows):
        self.seed, self.blocks, self.rows = seed, blocks, rows
        self.last = blocks * STEPS + -(-blocks // BLOCKS) + 2

    def draws(self, who, kind, rows):
        mask, start = (1 << 64) - 1, self.seed * 0xBF58476D1CE4E5B9 + (who * 4 + kind) * 0x94D049BB133111EB
        for row in rows:
            x = (row + 1) * 0x9E3779B97F4A7C15 + start & mask
            x = (x ^ x >> 32) * 0xD6E8FEB86659FD93 & mask
            yield x ^ x >> 32

    def labels(self, who, kind, rows):
        """How often each class is among these rows."""
        counts = [0] * 16
        for x in self.draws(who, kind, rows):
            counts[x & 15] += 1
        return [sum(n for n, label in zip(counts, LABEL) if label == wanted) for wanted in range(len(CLASSES))]

    def step(self, number):
        """(step, block) of a message; (None, None): it holds no rows."""
        at = (number - 1) % (1 + BLOCKS * STEPS)
        if at == 0 or number > self.last - 2:
            return None, None
        return (at - 1) % STEPS, (number - 1) // (1 + BLOCKS * STEPS) * BLOCKS + (at - 1) // STEPS

    def rows_of(self, lost, step):
        """Of each publisher: the rows whose message of this step was not lost. lost: a set of numbers for each."""
        for who in range(PUBLISHERS):
            gone = {block for kind, block in map(self.step, lost[who]) if kind == step}
            if not gone:
                yield who, range(self.blocks * self.rows)
                continue
            for block in range(self.blocks):
                if block not in gone:
                    yield who, range(block * self.rows, (block + 1) * self.rows)

    def counts(self, lost, step, kind):
        total = [0] * len(CLASSES)
        for who, rows in self.rows_of(lost, step):
            total = [a + b for a, b in zip(total, self.labels(who, kind, rows))]
        return total

    def sampled(self, lost, step):
        """The ids of the messages of this step -> whether the prediction is right."""
        ids = {}
        for who, rows in self.rows_of(lost, step):
            some = [row for block in range(rows.start, rows.stop, self.rows) for row in range(block, block + self.rows, SAMPLED)]
            ids.update((f"{who}-{row}", x >> 20 & 3 != 0) for row, x in zip(some, self.draws(who, TOLD, some)))
        return ids


# ---- the processes ----------------------------------------------------------------------------------------------------------------------------------


class Stage:
    """The publishers and the monitor; started again after each kill."""

    def __init__(self, options, folder, truth, cap=None, window="1000"):
        self.options, self.folder, self.truth, self.cap, self.window = options, folder, truth, cap, window
        self.processes, self.ended, self.kills, self.peak_kib = {}, {}, collections.Counter(), collections.Counter()
        self.told_again = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.kill()
            process.wait()

    def endpoint(self, who):
        return f"ipc://{self.folder}/{who}"

    def command(self, name):
        if name == "monitor":
            connect = [word for who in range(PUBLISHERS) for word in ("--connect", self.endpoint(who))]
            return ["flywheel-monitor", *connect, "--store", self.folder / "m.store", "--name", "m", "--window", self.window, "--format", "jsonl",
                    "--dashboard", "127.0.0.1:0"]
        cap = [] if self.cap is None else [self.cap]
        return ["telemetry_peer", self.endpoint(name), self.folder / f"spool{name}", self.truth.seed, name, self.truth.blocks, self.truth.rows, self.options.pause, *cap]

    def text(self, name, kind):
        path = self.folder / f"{name}.{kind}"
        return path.read_text() if path.exists() else ""

    def start(self, name):
        program, *words = self.command(name)
        with (self.folder / f"{name}.err").open("a") as err, (self.folder / f"{name}.out").open("a") as out:
            self.processes[name] = subprocess.Popen(list(map(str, (self.options.bin / program, *words))), stdout=out, stderr=err)

    def said(self, name):
        """Whole lines of a publisher."""
        return [json.loads(line) for line in self.text(name, "out").splitlines(keepends=True) if line.endswith("}\n")]

    def look(self):
        """Who has ended by itself; an error is ours."""
        for name, process in list(self.processes.items()):
            with contextlib.suppress(OSError, TypeError):                     # it has just ended
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
                self.peak_kib[name] = max(self.peak_kib[name], int(re.search(r"VmHWM:\s+(\d+)", status)[1]))
            code = process.poll()
            if code is None:
                continue
            del self.processes[name]
            assert code == 0 and name != "monitor", f"{name} ended with {code}: {self.text(name, 'err')[-2000:]}"
            counts = self.said(name)[-1]
            if counts["spooled"] > 0:                  # the monitor was away: the next publisher on the spool has to deliver it
                self.start(name)
            else:
                self.ended[name] = counts

    def kill(self, name):
        """False: it has ended before."""
        self.look()
        process = self.processes.pop(name, None)
        if process is None:
            return False
        process.kill()
        process.wait()
        self.kills[name] += 1
        if name == "monitor":
            self.check_every_account()
        return True

    def check_every_account(self):
        """In what is committed, at whatever moment."""
        with contextlib.suppress(sqlite3.OperationalError):            # no table yet
            for produced, delivered, spooled, dropped in self.stored("SELECT produced, delivered, spooled, dropped FROM publishers"):
                assert produced == delivered + spooled + dropped, (produced, delivered, spooled, dropped)

    def produced(self, who):
        """How far the publisher has come, as a share."""
        numbers = [line["messages"] for line in self.said(who) if "messages" in line]
        return max(numbers, default=0) / self.truth.last

    def until(self, what, is_so):
        deadline = time.monotonic() + LIMIT_S
        while not is_so():
            self.look()
            assert time.monotonic() < deadline, f"{what}: not so after {LIMIT_S} s; ended: {self.ended}; {self.text('monitor', 'err')[-1000:]}"
            time.sleep(0.02)

    def until_produced(self, share, who=None):
        self.until(f"{share:.0%} produced", lambda: who in self.ended or
                   (sum(map(self.produced, range(PUBLISHERS))) / PUBLISHERS if who is None else self.produced(who)) >= share)

    def stored(self, query):
        with contextlib.closing(sqlite3.connect(self.folder / "m.store", timeout=60)) as db:
            return db.execute(query).fetchall()

    def has_begun(self):
        with contextlib.suppress(sqlite3.OperationalError):
            return sum(position > 0 for (position,) in self.stored("SELECT position FROM publishers")) == PUBLISHERS
        return False

    def page(self, path):
        address = re.findall(r"the page is at (http://\S+)", self.text("monitor", "err"))[-1]
        with urllib.request.urlopen(address + path, timeout=30) as answer:
            return answer.read().decode()

    def has_heard_all(self):
        """A monitor that was killed between a publisher's last message and its end has to be told of the end again: by the next one on the spool."""
        rows = {address: row for address, *row in self.stored("SELECT address, ended, position = produced - dropped FROM publishers")}
        for who in range(PUBLISHERS):
            if rows.get(self.endpoint(who), [0])[0] == 0 and who not in self.processes and time.monotonic() > self.told_again + 5:
                self.start(who)
                self.told_again = time.monotonic()
        return len(rows) == PUBLISHERS and all(ended and (up_to_date or self.cap is not None) for ended, up_to_date in rows.values())

    def finish(self):
        """Until the publishers have ended, and then the monitor. What its page said before."""
        self.until("the publishers' end", lambda: len(self.ended) == PUBLISHERS)
        self.told_again = time.monotonic()
        self.until("the last word in the store", self.has_heard_all)
        said = {path: self.page(path) for path in ("metrics", "api/publishers")}
        monitor = self.processes.pop("monitor")
        monitor.send_signal(signal.SIGTERM)
        assert monitor.wait(LIMIT_S) == 0, self.text("monitor", "err")[-2000:]
        return said

    def lost(self):
        """The numbers of each publisher's messages that the monitor says are lost: before a commit it may say so twice."""
        lost = [set() for _ in range(PUBLISHERS)]
        for who, first, last in re.findall(r"at ipc://\S*/(\d+): messages (\d+) to (\d+) are lost", self.text("monitor", "err")):
            lost[int(who)].update(range(int(first), int(last) + 1))
        return lost


# ---- what the store says ----------------------------------------------------------------------------------------------------------------------------


def check_model(stage, name, expected):
    """Its windows' counts are the truth. The sum of the gaps that they tell of."""
    ((model, classes, predictions),) = stage.stored(f"SELECT model, classes, predictions FROM models WHERE name = '{name}'")
    windows = stage.stored(f"SELECT number, rows, revised, body FROM windows WHERE model = {model} ORDER BY number")
    assert json.loads(classes) == CLASSES
    if not stage.window.endswith("s"):                     # those of time are numbered by the clock
        assert [number for number, *_ in windows] == list(range(1, len(windows) + 1)), f"{name}: numbers {[number for number, *_ in windows]}"
    total, gaps = [0] * len(CLASSES), 0
    for number, rows, _, body in windows:
        body = json.loads(body)
        assert sum(body["counts"]) == rows > 0, f"window {number} of {name}: {rows} rows, {body}"
        total = [a + b for a, b in zip(total, body["counts"])]
        gaps += body["gaps"]
    assert total == expected, f"{name}: {total}, in truth {expected}"
    assert predictions == sum(expected), f"{name}: {predictions}, in truth {sum(expected)}"
    return gaps


def check_outcomes(stage, lost):
    """Each id that was told of is there once, and what a window says of the outcomes is what they are."""
    ((model,),) = stage.stored("SELECT model FROM models WHERE name = 'told'")
    predicted, known = stage.truth.sampled(lost, SAMPLE), stage.truth.sampled(lost, OUTCOMES)
    window_of = dict(stage.stored(f"SELECT id, window FROM waiting_predictions WHERE model = {model}"))
    assert window_of.keys() == predicted.keys(), f"{len(window_of)} predictions with an id, in truth {len(predicted)}"
    assert {row[0] for row in stage.stored(f"SELECT id FROM waiting_outcomes WHERE model = {model}")} == known.keys()
    ids, joined, right = (collections.Counter() for _ in range(3))
    for name, window in window_of.items():
        ids[window] += 1
        joined[window] += name in known
        right[window] += name in known and known[name]
    said = {window: row for window, *row in stage.stored(f"SELECT window, labelled, realised FROM performance WHERE model = {model} AND metric = 'accuracy'")}
    assert said.keys() == (+joined).keys(), (said.keys(), joined.keys())
    for window, (labelled, realised) in said.items():
        truth = joined[window] / ids[window], right[window] / joined[window]
        assert abs(labelled - truth[0]) < 1e-12 and abs(realised - truth[1]) < 1e-12, f"window {window}: {labelled}, {realised}, in truth {truth}"


def check_account(stage, said, lost):
    """The same counts from the publishers, in the store and on the page. What was taken in by a monitor that was killed before it could say so may have been
    dropped later: then more was dropped than is missing."""
    rows = stage.stored("SELECT address, position, produced, delivered, spooled, dropped, missing, reasons FROM publishers ORDER BY address")
    shown = sorted(json.loads(said["api/publishers"])["publishers"], key=lambda p: p["address"])
    for who, (address, position, produced, delivered, spooled, dropped, missing, reasons) in enumerate(rows):
        counts, reasons = stage.ended[who], json.loads(reasons)
        drops = {reason: counts[reason] for reason in DROPS}
        assert counts["produced"] == stage.truth.last == counts["delivered"] + sum(drops.values()) and counts["spooled"] == 0, counts
        assert (produced, delivered, spooled, dropped) == (counts["produced"], counts["delivered"], 0, sum(drops.values())), (rows, counts)
        assert missing == dropped or stage.cap is not None, (rows, counts)
        assert {reason: reasons[reason] for reason in DROPS} == drops and position == produced and dropped >= missing == len(lost[who]), (rows, counts, len(lost[who]))
        assert (shown[who]["produced"], shown[who]["delivered"], shown[who]["spooled"], shown[who]["dropped"]) == (produced, delivered, 0, dropped), shown[who]
        assert address == stage.endpoint(who)
        for name, n in {'telemetry_events_total{publisher="%s",outcome="produced"}': produced, 'telemetry_events_total{publisher="%s",outcome="delivered"}': delivered,
                        'telemetry_events_total{publisher="%s",outcome="missing"}': missing, 'telemetry_events_total{publisher="%s",outcome="dropped"}': dropped,
                        'telemetry_dropped_total{publisher="%s",reason="full"}': counts["full"], 'telemetry_spooled_events{publisher="%s"}': 0}.items():
            line = f"flywheel_{name % shown[who]['name']} {n}"
            assert line in said["metrics"].splitlines(), f"{line} is not in {said['metrics']}"


def store_mb(stage):
    return sum(path.stat().st_size for path in stage.folder.glob("m.store*")) / 1e6


def figures(stage, start):
    peak = {name: f"{kib / 1024:.0f}" for name, kib in stage.peak_kib.items()}
    return (f"monitor killed {stage.kills['monitor']} times, publishers {[stage.kills[who] for who in range(PUBLISHERS)]}, store {store_mb(stage):.1f} MB, "
            f"peak MiB: monitor {peak['monitor']}, publishers {[peak[who] for who in range(PUBLISHERS)]}, {time.monotonic() - start:.1f} s to the monitor's end")


# ---- the tests --------------------------------------------------------------------------------------------------------------------------------------


def every_prediction_is_counted_once(options, folder, draw, truth, window="1000"):
    start = time.monotonic()
    moments = sorted([(draw.uniform(0.02, 1), "monitor") for _ in range(options.kills)] + [(draw.uniform(0.1, 0.9), who) for who in range(PUBLISHERS)], key=lambda m: m[0])
    with Stage(options, folder, truth, window=window) as stage:
        for name in ["monitor", *range(PUBLISHERS)]:
            stage.start(name)
        for share, name in moments:
            stage.until_produced(share, None if name == "monitor" else name)
            time.sleep(draw.uniform(0, 0.25))
            if stage.kill(name):
                time.sleep(draw.choice([0, 0, draw.uniform(0, 0.5)]))
                stage.start(name)
        said = stage.finish()
        assert stage.kills["monitor"] == options.kills and all(stage.kills[who] == 1 for who in range(PUBLISHERS)), stage.kills
        seconds = figures(stage, start)
        none = [set()] * PUBLISHERS
        assert stage.lost() == none, f"the monitor says that messages are lost: {stage.lost()}"
        gaps = check_model(stage, "told", truth.counts(none, SUMMARY, TOLD)), check_model(stage, "plain", truth.counts(none, PLAIN, UNTOLD))
        assert gaps == (0, 0), gaps
        check_outcomes(stage, none)
        check_account(stage, said, none)
        alerts = stage.stored(f"SELECT kind, text FROM alerts WHERE kind NOT IN {OTHER_ALERTS}")
        assert not alerts, alerts
    return f"{2 * PUBLISHERS * truth.blocks * truth.rows} predictions: {seconds}"


def windows_of_time_hold_each_once_too(options, folder, draw, truth):
    """What a spool held is counted in the window of its moment, however late it comes."""
    return every_prediction_is_counted_once(options, folder, draw, truth, "1s")


def what_small_spools_drop_is_counted(options, folder, draw, truth):
    """The monitor is away for most of the time."""
    start = time.monotonic()
    with Stage(options, folder, truth, SMALL_CAP) as stage:
        for name in ["monitor", *range(PUBLISHERS)]:
            stage.start(name)
        stage.until_produced(draw.uniform(0.1, 0.2))
        stage.until("a first commit", stage.has_begun)         # what was dropped before it is not missed
        stage.kill("monitor")
        stage.until_produced(draw.uniform(0.75, 0.85))
        stage.start("monitor")
        time.sleep(draw.uniform(0.2, 0.6))
        for _ in range(2):
            stage.kill("monitor")
            stage.start("monitor")
            time.sleep(draw.uniform(0.2, 0.6))
        said = stage.finish()
        seconds, lost = figures(stage, start), stage.lost()
        assert all(lost), "nothing was dropped: the spools were not too small"
        gaps = check_model(stage, "told", truth.counts(lost, SUMMARY, TOLD)), check_model(stage, "plain", truth.counts(lost, PLAIN, UNTOLD))
        n = sum(map(len, lost))
        assert gaps == (n, n), f"the windows tell of {gaps} lost messages, in truth {n}"
        check_account(stage, said, lost)
        check_outcomes(stage, lost)
        alerts = stage.stored(f"SELECT kind, count(*) FROM alerts WHERE kind NOT IN {OTHER_ALERTS} GROUP BY kind")
        assert alerts == [("telemetry_lost", PUBLISHERS)], alerts
    produced, dropped = (sum(counts[name] for counts in stage.ended.values() for name in names) for names in (["produced"], DROPS))
    return f"{produced} messages: {produced - dropped} delivered, {dropped} dropped, {n} of them missing: {seconds}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--predictions", type=int, default=300000)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--rows", type=int, default=100, help="of a block: a message of the summary, one of predictions")
    parser.add_argument("--pause", type=int, default=4000, help="us behind each block")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    draw = random.Random(options.seed)
    for test in (every_prediction_is_counted_once, windows_of_time_hold_each_once_too, what_small_spools_drop_is_counted):
        least = 600_000 if test is what_small_spools_drop_is_counted else 0          # more than the spools hold
        truth = Truth(options.seed, max(options.predictions, least) // (2 * PUBLISHERS * options.rows), options.rows)
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            said = test(options, pathlib.Path(folder), draw, truth)
        print(f"ok {test.__name__}: {said} ({time.monotonic() - start:.1f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
