"""Windows of time over the bus: what was scored while no monitor was there is counted in the windows of its time, and amends those that were closed before.

Usage: test_windows.py BIN_FOLDER"""

import contextlib
import json
import pathlib
import re
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import figures  # noqa: E402
import program  # noqa: E402
from program import DONE, USAGE  # noqa: E402
from test_telemetry import Stage, wait_for  # noqa: E402

ROWS = 20000
FIGURES = "SELECT statistic FROM drift WHERE test IN ('ks', 'missing_rate') ORDER BY feature, test"
SECOND, DAY = 1_000_000, 86_400_000_000


def stored(store, query):
    with contextlib.closing(figures.connect(store)) as db:
        return db.execute(query).fetchall()


def score(program_, shared, folder, who, window, *words):
    """The seconds in which it ran."""
    begin = int(time.time())
    program_("score", "run", "calls.csv", "-o", folder / f"{who}.csv", "--bus", f"ipc://{folder}/{who}", "--spool", folder / f"{who}.spool", *words,
             f"monitor.window={window}", cwd=shared).expect(DONE)
    return range(begin, int(time.time()) + 1)


def monitor(stage, folder, name, window, *publishers, more=()):
    words = [word for who in publishers for word in ("--connect", f"ipc://{folder}/{who}")]
    return stage.start(name, [stage.bin / "flywheel-monitor", *words, "--window", window, "--store", folder / "m.store", "--name", "m", "--until-end", *more])[0]


def each_row_is_in_the_window_of_its_time(program_, folder, shared):
    """One publisher was alone, then another one came with a monitor, then the first one again, with what is still in its spool."""
    alone = score(program_, shared, folder, "a", "1 s")
    time.sleep(1)
    with Stage(program_.bin, folder) as stage:
        first = monitor(stage, folder, "first", "1s", "b")
        other = score(program_, shared, folder, "b", "1 s", "--wait-subscribers", "1")
        stage.finish("first", first)
        time.sleep(1)
        second = monitor(stage, folder, "second", "1s", "a", "b")
        again = score(program_, shared, folder, "a", "1 s", "--wait-subscribers", "1")
        talk = stage.finish("second", second)
    rows = dict(stored(folder / "m.store", "SELECT number, rows FROM windows"))
    for seconds in (alone, other, again):
        assert sum(rows.pop(second, 0) for second in seconds) == ROWS, (seconds, rows, talk)
    assert not rows, rows
    assert stored(folder / "m.store", f"SELECT count(*) FROM windows WHERE from_us < number * {SECOND} OR to_us >= (number + 1) * {SECOND} OR from_us > to_us") == [(0,)]
    assert stored(folder / "m.store", "SELECT DISTINCT revised FROM windows") == [(0,)] and "too late" not in talk
    for number, counted, body in stored(folder / "m.store", "SELECT number, rows, body FROM windows"):
        assert sum(json.loads(body)["counts"]) == counted, (number, counted, body)


def late_rows_amend_what_another_monitor_closed(program_, folder, shared):
    day = time.time() // 86400
    score(program_, shared, folder, "a", "1 d")
    with Stage(program_.bin, folder) as stage:
        first = monitor(stage, folder, "first", "1d", "b")
        score(program_, shared, folder, "b", "1 d", "--wait-subscribers", "1")
        stage.finish("first", first)
        ((rows, revised, closed),) = stored(folder / "m.store", "SELECT rows, revised, closed FROM windows")
        assert (rows, revised, closed) == (ROWS, 0, "end")
        before = stored(folder / "m.store", FIGURES)
        second = stage.start("second", [stage.bin / "flywheel-monitor", "--connect", f"ipc://{folder}/a", "--window", "1d", "--store", folder / "m.store", "--name", "m",
                                        "--dashboard", "127.0.0.1:0"])[0]
        wait_for(folder / "second.err", lambda text: "the page is at" in text)
        page = re.search(r"the page is at (\S+?)/?\s", (folder / "second.err").read_text())[1]
        score(program_, shared, folder, "a", "1 d", "--wait-subscribers", "1")
        deadline = time.monotonic() + 30
        told = {}
        while told.get("rows") != 3 * ROWS:
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
            with urllib.request.urlopen(f"{page}/api/windows?model=callcenter", timeout=10) as answer:
                (told,) = json.load(answer)["windows"]
        second.terminate()
        stage.finish("second", second)
    ((number, rows, revised, begin, end),) = stored(folder / "m.store", "SELECT number, rows, revised, from_us, to_us FROM windows")
    assert number == day and rows == 3 * ROWS and revised >= 1 and day * DAY <= begin < end < (day + 1) * DAY, (number, rows, revised, begin, end)
    assert told["revised"] >= 1 and told["rows"] == rows, told
    after = stored(folder / "m.store", FIGURES)      # three times the same rows have the same shares
    assert len(after) == len(before) > 5 and all(abs(a - b) < 1e-9 for (a,), (b,) in zip(after, before)), (before, after)


def a_window_is_rows_or_a_time(program_, folder, shared):
    for bad in ("0.5 s", "8 d", "0", "a while"):
        program_("score", "run", "calls.csv", "-o", folder / "p.csv", f"monitor.window={bad}", cwd=shared).expect(USAGE, "monitor.window")


def prepare(program_, folder):
    program.callcenter(program_, folder / "example", ROWS)
    folder = folder / "example"
    program_("train", "callcenter.yaml", "-o", "run", "train.epochs=1", cwd=folder).expect(DONE)
    return folder


program.main([each_row_is_in_the_window_of_its_time, late_rows_amend_what_another_monitor_closed, a_window_is_rows_or_a_time], prepare)
