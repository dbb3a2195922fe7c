"""flywheel-monitor watches what `score --bus` tells of: rows like those of the training raise no alert, a column that is shifted raises one, once, also when the
monitor is killed in between.

Usage: test_drift.py BIN_FOLDER"""

import contextlib
import csv
import json
import pathlib
import signal
import sqlite3
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import figures  # noqa: E402
import program  # noqa: E402
from program import DONE  # noqa: E402
from test_telemetry import Stage  # noqa: E402

ROWS, COLUMN, SHIFT = 20000, "days_since_last_order", 120
LIMIT_S = 60


def until(what, is_there):
    deadline = time.monotonic() + LIMIT_S
    while not is_there():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.02)


def stored(store, query):
    """[] while there is no such table yet."""
    with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(figures.connect(store)) as db:
        return db.execute(query).fetchall()
    return []


class Monitor:
    """One on a store, and what it says."""

    def __init__(self, stage, name, *words):
        command = [stage.bin / "flywheel-monitor", "--format", "jsonl", *words]
        self.stage, self.name = stage, name
        self.process, self.output = stage.start(name, list(map(str, command)))

    def said(self, event):
        lines = [line for line in self.output.read_text().splitlines(keepends=True) if line.endswith("\n")]
        return [o for o in map(json.loads, lines) if o["event"] == event]

    def err(self):
        return (self.stage.folder / f"{self.name}.err").read_text()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.stage.finish(self.name, self.process)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def score(program_, shared, table, endpoint, *keys):
    """Its spool is the test's own: what a monitor that ended early left in it is for the next publisher there."""
    program_("score", "run", table, "-o", "p.csv", "--bus", endpoint, "--spool", endpoint.removeprefix("ipc://") + ".spool", "--wait-subscribers", "1", *keys,
             cwd=shared).expect(DONE)


def rows_as_they_were_raise_none(program_, folder, shared):
    store, endpoint = folder / "m.store", f"ipc://{folder}/b"
    with Stage(program_.bin, folder) as stage:
        monitor = Monitor(stage, "monitor", "--connect", endpoint, "--store", store)
        score(program_, shared, "calls.csv", endpoint)
        until("the end of the publisher", lambda: monitor.said("publisher"))
        monitor.end()
        assert not monitor.said("alert"), monitor.said("alert")
    assert stored(store, "SELECT count(*) FROM alerts") == [(0,)]
    ((rows, last, windows),) = stored(store, "SELECT sum(rows), max(number), count(*) FROM windows")
    assert rows == ROWS and last == windows >= 10, (rows, last, windows)
    tests = dict(stored(store, "SELECT test, count(*) FROM drift WHERE feature = 'days_since_last_order' GROUP BY test"))
    assert tests.keys() == {"psi", "js", "ks", "chi_square", "wasserstein", "missing_rate", "unseen_rate"} and set(tests.values()) == {windows}, tests
    assert stored(store, "SELECT max(evidence) < 2 FROM drift") == [(1,)]
    ((position, produced, missing, ended),) = stored(store, "SELECT position, produced, missing, ended FROM publishers")
    assert position == produced > 0 and missing == 0 and ended == 1
    ((name, classes, predictions),) = stored(store, "SELECT name, classes, predictions FROM models")
    ((body,),) = stored(store, "SELECT body FROM windows WHERE number = 1")
    assert name == "callcenter" and predictions == ROWS and len(json.loads(body)["counts"]) == len(json.loads(classes))


def a_shifted_column_raises_one_also_after_a_kill(program_, folder, shared):
    store, endpoint = folder / "m.store", f"ipc://{folder}/b"
    words = ("--connect", endpoint, "--store", store, "--name", "m")
    with Stage(program_.bin, folder) as stage:
        first = Monitor(stage, "first", *words)
        score(program_, shared, "shifted.csv", endpoint)
        until("the alert", lambda: first.said("alert"))
        until("the end of the publisher", lambda: stored(store, "SELECT 1 FROM publishers WHERE ended = 1 AND position = produced"))
        first.kill()
        before = stored(store, "SELECT max(number), sum(rows) FROM windows")[0]
        assert before[1] <= ROWS

        second = Monitor(stage, "second", *words)
        score(program_, shared, "shifted.csv", endpoint)
        until("the end of the publisher", lambda: second.said("publisher"))
        second.end()
    raised = first.said("alert")
    assert [(a["what"], a["kind"], a["subject"], a["features"]) for a in raised] == [("raised", "drift", COLUMN, [COLUMN])], raised
    assert raised[0]["level"] > raised[0]["threshold"] == 0.2 and raised[0]["certainty"] > 0.99 and COLUMN in raised[0]["text"]
    assert not second.said("alert"), second.said("alert")
    ((kind, subject, loud, resolved, text),) = stored(store, "SELECT kind, subject, loud, resolved_us, text FROM alerts")
    assert (kind, subject, resolved) == ("drift", COLUMN, 0) and loud > before[0], (kind, subject, loud, resolved, before)
    assert stored(store, "SELECT event, count(*) FROM alert_events GROUP BY event") == [("raised", 1)]
    ((rows, last, windows),) = stored(store, "SELECT sum(rows), max(number), count(*) FROM windows")
    assert rows == 2 * ROWS and last == windows > before[0], (rows, last, windows)
    until_now = int(text.split("in ")[1].split(" rows")[0])
    assert until_now > 1.5 * ROWS, text                  # the evidence goes on where it was: of the rows of both


def thresholds_come_from_the_project(program_, folder, shared):
    """js and psi that nothing reaches: the shift is seen, in the figures, and is no alert."""
    endpoint = f"ipc://{folder}/b"
    (shared / "calm.yaml").write_text((shared / "callcenter.yaml").read_text().replace(
        "\nmonitor:\n", "\nmonitor:\n  drift: {psi: 100, js: 1, missing_rate: 1, unseen_rate: 1}\n"))
    with Stage(program_.bin, folder) as stage:
        monitor = Monitor(stage, "monitor", "--connect", endpoint, "--insecure", "--store", folder / "m.store", shared / "calm.yaml")
        score(program_, shared, "shifted.csv", endpoint)
        until("the end of the publisher", lambda: monitor.said("publisher"))
        monitor.end()
        assert not monitor.said("alert"), monitor.said("alert")
    assert stored(folder / "m.store", "SELECT max(evidence) > 100, max(threshold) FROM drift WHERE test = 'psi'") == [(1, 100)]


def without_a_store_it_tells_all_the_same(program_, folder, shared):
    endpoint = f"ipc://{folder}/b"
    with Stage(program_.bin, folder) as stage:
        monitor, output = stage.start("monitor", [str(program_.bin / "flywheel-monitor"), "--connect", endpoint])
        score(program_, shared, "shifted.csv", endpoint)
        until("the end of the publisher", lambda: "\npublisher " in output.read_text())
        monitor.send_signal(signal.SIGTERM)
        stage.finish("monitor", monitor)
        lines = [line for line in output.read_text().splitlines() if line.startswith("alert ")]
    assert len(lines) == 1 and lines[0].startswith(f"alert 1 drift raised: callcenter: {COLUMN} has drifted from the reference: "), lines


def what_is_missing_and_who_is_silent_are_alerts(program_, folder, shared):
    """A publisher that is killed: it is not heard any more."""
    store = folder / "m.store"
    with Stage(program_.bin, folder) as stage:
        publisher, endpoint = stage.publish(2, 50, 40)    # waits for a second reader, which does not come
        monitor = Monitor(stage, "monitor", "--connect", endpoint, "--store", store)
        until("the publisher", lambda: "is there" in (folder / "monitor.err").read_text())
        publisher.kill()
        until("the alert", lambda: monitor.said("alert"))
        monitor.end()
        assert [(a["kind"], a["what"]) for a in monitor.said("alert")] == [("publisher_lost", "raised")], monitor.said("alert")
        assert endpoint in monitor.said("alert")[0]["subject"]
    assert stored(store, "SELECT kind FROM alerts") == [("publisher_lost",)]
    assert stored(store, "SELECT ended FROM publishers") == [(0,)]


def prepare(program_, folder):
    folder = folder / "example"
    program.callcenter(program_, folder, ROWS)
    program_("train", "callcenter.yaml", "-o", "run", "train.epochs=1", cwd=folder).expect(DONE)
    with (folder / "calls.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    for row in rows:
        row[COLUMN] = str(int(row[COLUMN]) + SHIFT) if row[COLUMN] else ""
    with (folder / "shifted.csv").open("w", newline="") as f:
        out = csv.DictWriter(f, rows[0])
        out.writeheader()
        out.writerows(rows)
    return folder


if __name__ == "__main__":
    program.main([rows_as_they_were_raise_none, a_shifted_column_raises_one_also_after_a_kill, thresholds_come_from_the_project,
                  without_a_store_it_tells_all_the_same, what_is_missing_and_who_is_silent_are_alerts], prepare)
