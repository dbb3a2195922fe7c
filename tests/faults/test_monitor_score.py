"""`flywheel score` as the publisher: killed with SIGKILL while it scores with a spool, and started again with the same one. It leaves no output; what it had published
is in the spool, and is counted once; the rows are scored from the first one on again, as new predictions with new numbers.

Usage: test_monitor_score.py BIN_FOLDER SOURCE_FOLDER. Skipped (77) without pyzmq or protobuf, but not under CI=true."""

import collections
import contextlib
import csv
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import struct
import sys
import time

SOURCE = pathlib.Path(sys.argv[2])
sys.path[:0] = [str(SOURCE / "tests/system"), str(SOURCE / "deploy/examples")]
try:
    import subscriber
except ImportError as error:
    print(f"skipped: {error.name} is missing (Debian: python3-zmq python3-protobuf)", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

import program  # noqa: E402
from program import DONE  # noqa: E402
from test_telemetry import Stage  # noqa: E402

ROWS, SEED, LIMIT_S = 30000, 1, 120
SEGMENT_HEAD, RECORD_HEAD = 40, struct.Struct("<4sIIIQQ")      # common/bus/record.h
telemetry = subscriber.compile_proto(subscriber.DEFAULT_PROTO)


def until(what, is_so):
    deadline = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.005)


def size(spool):
    return sum(path.stat().st_size for path in spool.glob("*.seg"))


def records(spool):
    """(number, topic, payload) of what is whole in it."""
    for path in sorted(spool.glob("*.seg")):
        data, at = path.read_bytes(), SEGMENT_HEAD
        while at + RECORD_HEAD.size <= len(data):
            magic, topic_len, length, _, number, _ = RECORD_HEAD.unpack_from(data, at)
            begin, end = at + RECORD_HEAD.size, at + RECORD_HEAD.size + topic_len + length
            if magic == bytes(4) or end > len(data):
                break
            yield number, data[begin:begin + topic_len].decode(), data[begin + topic_len:end]
            at += -(-(end - at) // 8) * 8


def counted(spool):
    """The messages in it, the rows of its predictions, and of its summaries the rows of each class."""
    numbers, rows, classes = [], 0, collections.Counter()
    place = None
    for number, _, payload in records(spool):
        numbers.append(number)
        batch = telemetry.TelemetryBatch()
        batch.ParseFromString(payload)
        if batch.WhichOneof("body") == "model":
            columns = {column.name: i for i, column in enumerate(batch.model.columns)}
            place = sum(len(column.counts) for column in batch.model.columns[:columns["prediction"]])
            names = list(batch.model.classes)
        elif batch.WhichOneof("body") == "summary":
            classes.update(dict(zip(names, batch.summary.counts[place:])))
        elif batch.WhichOneof("body") == "predictions":
            rows += batch.predictions.rows
    assert numbers == list(range(1, len(numbers) + 1)), numbers
    return len(numbers), rows, +classes


def stored(store, query):
    with contextlib.closing(sqlite3.connect(store, timeout=60)) as db:
        return db.execute(query).fetchall()


def check_store(store, messages, rows, classes):
    """Its counts are those of all that was published, by classes and by rows."""
    ((model, names, predictions),) = stored(store, "SELECT model, classes, predictions FROM models")
    total = collections.Counter()
    for n, body in stored(store, f"SELECT rows, body FROM windows WHERE model = {model}"):
        counts = dict(zip(json.loads(names), json.loads(body)["counts"]))
        assert sum(counts.values()) == n, (n, counts)
        total.update(counts)
    assert +total == classes and predictions == sum(classes.values()), (total, classes, predictions)
    ((state,),) = stored(store, "SELECT bytes FROM states WHERE key = 'intake'")
    assert [m["predictions"] for m in json.loads(state)["models"]] == [rows], (state, rows)
    assert stored(store, "SELECT position, produced, delivered, spooled, dropped, missing FROM publishers") == [(messages, messages, messages, 0, 0, 0)]


def score_words(folder, shared, output, spool):
    return ["score", shared / "run", shared / "calls.csv", "-o", folder / output, "--bus", f"ipc://{folder}/b", "--spool", folder / spool, "monitor.window=200"]


def what_a_killed_score_had_published_is_counted_once(program_, folder, shared):
    draw = random.Random(SEED)
    program_(*score_words(folder, shared, "whole.csv", "whole.spool"), cwd=folder).expect(DONE)      # nobody listens: all of it stays
    _, rows, whole = counted(folder / "whole.spool")
    with (folder / "whole.csv").open(newline="") as f:
        said = collections.Counter(row["prediction"] for row in csv.DictReader(f))
    assert (rows, whole) == (ROWS, said), (rows, whole, said)

    with Stage(program_.bin, folder) as stage:
        for i in range(3):                                           # each goes on with the spool of the one before
            before = size(folder / "s") if (folder / "s").exists() else 0
            share = draw.uniform(0.2, 0.7)
            first, _ = stage.start(f"killed{i}", list(map(str, [program_.bin / "flywheel", *score_words(folder, shared, "p.csv", "s")])))
            until("a part of the messages", lambda: size(folder / "s") - before > share * size(folder / "whole.spool") or first.poll() is not None)
            assert first.poll() is None, "it has ended before it was killed"
            first.send_signal(signal.SIGKILL)
            first.wait()
        assert not (folder / "p.csv").exists(), "a killed score leaves no output"
        messages, rows, classes = counted(folder / "s")
        assert 0 < sum(classes.values()) < 3 * ROWS and 0 < rows < 3 * ROWS

        command = list(map(str, [program_.bin / "flywheel-monitor", "--connect", f"ipc://{folder}/b", "--store", folder / "m.store", "--name", "m"]))
        monitor, _ = stage.start("monitor", command)
        last, _ = stage.start("last", list(map(str, [program_.bin / "flywheel", *score_words(folder, shared, "p.csv", "s"), "--wait-subscribers", "1"])))
        until("the store", lambda: (folder / "m.store").exists())
        until("some of it", lambda: stored(folder / "m.store", "SELECT 1 FROM sqlite_master WHERE name = 'publishers'")
              and stored(folder / "m.store", "SELECT 1 FROM publishers WHERE position > 0"))
        monitor.send_signal(signal.SIGKILL)
        monitor.wait()
        monitor, _ = stage.start("monitor-again", command)
        talk = stage.finish("last", last)
        told = re.search(rf"published {ROWS} predictions in (\d+) messages on \S+: (\d+) delivered, 0 spooled, 0 dropped", talk)
        assert told is not None and int(told[2]) == messages + int(told[1]), (messages, talk)
        until("the end", lambda: stored(folder / "m.store", "SELECT ended, spooled FROM publishers") == [(1, 0)])
        monitor.send_signal(signal.SIGTERM)
        stage.finish("monitor-again", monitor)
    assert (folder / "p.csv").read_bytes() == (folder / "whole.csv").read_bytes()
    check_store(folder / "m.store", messages + int(told[1]), rows + ROWS, classes + whole)


def prepare(program_, folder):
    folder = folder / "example"
    program.callcenter(program_, folder, ROWS)
    program_("train", "callcenter.yaml", "-o", "run", "train.epochs=1", cwd=folder).expect(DONE)
    return folder


if __name__ == "__main__":
    program.main([what_a_killed_score_had_published_is_counted_once], prepare)
