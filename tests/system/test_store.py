"""flywheel-monitor --store: what it counts goes on in the next monitor; a store that is damaged, newer, in use or without room is told and left whole.

Usage: test_store.py BIN_FOLDER"""

import contextlib
import json
import pathlib
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import program  # noqa: E402
from program import BAD_DATA, DONE, FAILED, USAGE  # noqa: E402
from test_telemetry import Stage  # noqa: E402

BATCHES, ROWS = 50, 40
LIMIT_S = 120


def monitor_command(program_, *words):
    return [str(w) for w in (program_.bin / "flywheel-monitor", *words)]


def one_run(program_, folder, *words):
    """A publisher from its beginning to its end, and a monitor with these arguments beside it: what the monitor said."""
    with Stage(program_.bin, folder) as stage:
        publisher, endpoint = stage.publish(1, BATCHES, ROWS)
        command = monitor_command(program_, "--connect", endpoint, "--until-end", "--format", "jsonl", *words)
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        result = program.Result(command, done.returncode, done.stdout, done.stderr, 0).expect(DONE)
        stage.finish("publisher", publisher)
        return result


def run_with_small_files(program_, folder, limit, *words):
    """The same with no file above so many bytes, and a window a row. The monitor is stopped when it has told of all: what it can't store it does not
    acknowledge, and the publisher would wait for that until its last deadline."""
    with Stage(program_.bin, folder) as stage:
        _, endpoint = stage.publish(1, BATCHES, ROWS)
        command = monitor_command(program_, "--connect", endpoint, "--format", "jsonl", "--window", "1", *words)
        with (folder / "small.err").open("w+") as err, subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=err, text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))) as monitor:
            deadline = threading.Timer(LIMIT_S, monitor.kill)
            deadline.start()
            lines, windows = [], 0
            for line in monitor.stdout:
                lines.append(line)
                if '"event":"window"' in line:
                    windows += 1
                    if windows == BATCHES * ROWS:
                        monitor.send_signal(signal.SIGTERM)
            monitor.wait()
            deadline.cancel()
        return program.Result(command, monitor.returncode, "".join(lines), (folder / "small.err").read_text(), 0).expect(DONE)


def start(program_, *words):
    """A monitor that cannot start: to its end."""
    command = monitor_command(program_, "--connect", "tcp://127.0.0.1:9", *words)
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    return program.Result(command, done.returncode, done.stdout, done.stderr, 0)


def total(result):
    return [event for event in map(json.loads, result.out.splitlines()) if event["event"] == "total"][-1]


def stored(store, query):
    with contextlib.closing(sqlite3.connect(store)) as db:
        return db.execute(query).fetchall()


def counts_go_on_in_the_next_monitor(program_, folder):
    for runs in (1, 2, 3):
        result = one_run(program_, folder, "--store", folder / "m.store", "--window", "300")
        assert total(result)["predictions"] == runs * BATCHES * ROWS, result
        windows = stored(folder / "m.store", "SELECT number, rows, closed, body, to_us - from_us FROM windows ORDER BY number")
        assert [w[0] for w in windows] == list(range(1, len(windows) + 1)), windows
        assert sum(w[1] for w in windows) == runs * BATCHES * ROWS
        for _, rows, closed, body, _ in windows:
            body = json.loads(body)
            assert sum(body["counts"]) == rows and body["confidence"] == 0.5 and body["gaps"] == 0 and closed in ("full", "end")
        ((name, classes, predictions),) = stored(folder / "m.store", "SELECT name, classes, predictions FROM models")
        assert (name, predictions) == ("callcenter", runs * BATCHES * ROWS) and len(json.loads(classes)) == 3
    assert (folder / "m.store").stat().st_mode & 0o777 == 0o600


def the_project_names_the_store(program_, folder):
    (folder / "p").mkdir()
    program.write_small(folder / "p", project=program.SMALL_PROJECT + "monitor: {bus: \"tcp://127.0.0.1:1\", store: kept.store, keep: 30 d}\n")
    one_run(program_, folder, folder / "p/p.yaml")
    assert stored(folder / "p/kept.store", "SELECT count(*) FROM models") == [(1,)]


def a_killed_monitor_leaves_a_store_that_goes_on(program_, folder):
    store = folder / "m.store"
    with Stage(program_.bin, folder) as stage:
        publisher, endpoint = stage.publish(1, BATCHES, ROWS)
        killed, _ = stage.start("killed", monitor_command(program_, "--connect", endpoint, "--store", store, "--window", "300"))
        deadline = time.monotonic() + LIMIT_S
        seen = 0
        while seen < BATCHES * ROWS:                     # the state of the open window is there too
            assert time.monotonic() < deadline, seen
            with contextlib.suppress(sqlite3.OperationalError):
                rows = stored(store, "SELECT bytes FROM states WHERE key = 'intake'")
                seen = sum(m["predictions"] for m in json.loads(rows[0][0])["models"]) if rows else 0
            time.sleep(0.02)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        stage.finish("publisher", publisher)
    result = one_run(program_, folder, "--store", store, "--window", "300")
    assert total(result)["predictions"] == 2 * BATCHES * ROWS, result
    assert stored(store, "SELECT sum(rows), max(number), count(*) FROM windows")[0] == (2 * BATCHES * ROWS, 14, 14)


def a_store_that_is_not_sound_is_refused(program_, folder):
    store = folder / "m.store"
    one_run(program_, folder, "--store", store)
    sound = store.read_bytes()
    store.write_bytes(sound[:4096] + b"\xff" * 4096 + sound[8192:])
    start(program_, "--store", store).expect(BAD_DATA, "--new-store", "m.store.corrupt")
    damaged = store.read_bytes()
    result = one_run(program_, folder, "--store", store, "--new-store")
    assert "the damaged store is now" in result.err and total(result)["predictions"] == BATCHES * ROWS, result
    assert (folder / "m.store.corrupt").read_bytes() == damaged
    with contextlib.closing(sqlite3.connect(store)) as db:
        db.execute("PRAGMA user_version = 9")
    start(program_, "--store", store).expect(BAD_DATA, "newer flywheel-monitor (schema 9")
    start(program_, "--store", store, "--new-store").expect(BAD_DATA, "newer flywheel-monitor (schema 9")
    start(program_, "--store", folder).expect(USAGE, "not a regular file")
    start(program_, "--store", folder / "no/such/m.store").expect(FAILED, "is its folder there")
    start(program_, "--new-store").expect(USAGE, "--new-store")
    with contextlib.closing(sqlite3.connect(folder / "other.db")) as db:
        db.execute("CREATE TABLE t (x)")
    start(program_, "--store", folder / "other.db", "--new-store").expect(USAGE, "another program")


def one_monitor_has_a_store(program_, folder):
    with Stage(program_.bin, folder) as stage:
        first, _ = stage.start("first", monitor_command(program_, "--connect", "tcp://127.0.0.1:9", "--store", folder / "m.store"))
        deadline = time.monotonic() + LIMIT_S
        while "listening" not in (folder / "first.err").read_text() or not (folder / "m.store.lock").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        start(program_, "--store", folder / "m.store").expect(USAGE, f"another flywheel-monitor has it (process {first.pid})")
        first.send_signal(signal.SIGTERM)
        stage.finish("first", first)


def without_room_it_watches_in_memory_and_says_so(program_, folder):
    result = run_with_small_files(program_, folder, 400 * 1024, "--store", folder / "m.store")                     # 2000 windows take more
    assert result.err.count("goes on in memory") == 1, result
    assert total(result)["predictions"] == BATCHES * ROWS, result
    again = one_run(program_, folder, "--store", folder / "m.store")                                               # what is there is whole
    kept = total(again)["predictions"] - BATCHES * ROWS
    rows, number = stored(folder / "m.store", "SELECT sum(rows), max(number) FROM windows")[0]
    assert 0 <= kept <= BATCHES * ROWS and rows == kept + BATCHES * ROWS and number >= 2, (kept, rows, number)


if __name__ == "__main__":
    program.main([
        counts_go_on_in_the_next_monitor, the_project_names_the_store, a_killed_monitor_leaves_a_store_that_goes_on, a_store_that_is_not_sound_is_refused,
        one_monitor_has_a_store, without_room_it_watches_in_memory_and_says_so])
