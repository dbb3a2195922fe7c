"""`flywheel-monitor --once` judges recordings: rows like those of the training pass, a column that is shifted fails with 3 and the report names it, the figures are
those that a monitor on the bus has, and what is damaged, cut off or no recording is refused.

Usage: test_once.py BIN_FOLDER SOURCE_FOLDER [FOLDER_FOR_PICTURES]. Skipped (77) without the tables in ../shared/data, but not under CI=true."""

import contextlib
import csv
import os
import pathlib
import re
import resource
import subprocess
import sys

import figures
import program
from browser import Browser, chromium
from program import BAD_DATA, CHECK_SAYS_NO, DONE, FAILED, USAGE, environment, for_each

ADULT = pathlib.Path(sys.argv[2]).resolve().parent / "shared" / "data" / "adult"
PICTURES = sys.argv[3] if len(sys.argv) > 3 else None
COLUMN, SHIFT, ROWS, WINDOW = "hours-per-week", 8, 16281, 1000
SEGMENT_HEAD, RECORD_HEAD = 40, 32

PROJECT = """
project: adult
problem: {{task: classification, target: income, positive: ">50K"}}
data:
  tables: {{train: {table}}}
  missing: ["?"]
  split: {{train: 0.9, validation: 0.1, test: 0, by: random, stratify: true, seed: 1}}
features: {{"*": auto, fnlwgt: ignore}}
model: {{learner: linear}}
train: {{epochs: 2, global_batch_size: 256}}
"""


def once(program_, folder, *args, code, words=(), file_limit=None, env=None):
    """What it said on standard output."""
    def limit():
        if file_limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    command = [str(program_.bin / "flywheel-monitor"), "--once", *map(str, args)]
    p = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, env=environment(env), preexec_fn=limit)
    said = f"{' '.join(command)}\n{p.stdout}\n{p.stderr}"
    assert p.returncode == code, f"exit code {p.returncode}, expected {code}: {said}"
    for word in words:
        assert word in p.stdout + p.stderr, f"it does not say {word!r}: {said}"
    assert p.stderr.count(": error: ") == (code != DONE), said
    return p.stdout


def stored(store, query):
    with contextlib.closing(figures.connect(store)) as db:
        return db.execute(query).fetchall()


# ---- verdicts

def rows_like_those_of_the_training_pass(program_, folder, shared):
    out = once(program_, folder, shared / "plain.rec", code=DONE, words=["no alert was raised"])
    assert "\nalert " not in out and f"total adult {ROWS} predictions, 0 gaps" in out, out
    assert list(folder.iterdir()) == []


def a_shifted_column_fails_and_the_report_names_it(program_, folder, shared):
    out = once(program_, folder, shared / "shifted.rec", "--report", "r.html", code=CHECK_SAYS_NO, words=["raised: drift 1"], env={"TMPDIR": str(folder)})
    assert f"\nalert 1 drift raised: adult: {COLUMN} has drifted from the reference" in out, out
    assert [p.name for p in folder.iterdir()] == ["r.html"], "the store of the report is left behind"
    once(program_, folder, shared / "plain.rec", "--report", "plain.html", code=DONE)
    for name in ("r.html", "plain.html"):
        text = (folder / name).read_text()
        assert not re.search(r"(src|href)=\"(?!data:|#)", text[:text.index("<script type=")]), "it asks for something"
    if chromium() is None:
        print("  no Chromium: the report was not looked at")
        return
    look_at_reports(folder)


def look_at_reports(folder):
    with Browser(folder) as b:
        b.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=-1, uploadThroughput=-1)
        for look, width, dark in (("light", 1300, False), ("dark", 1300, True), ("phone", 400, False)):
            b.size(width, 900, dark)
            b.open((folder / "r.html").as_uri())
            b.wait_until("document.body !== null && document.body.dataset.ready === 'yes'")
            shows_the_drift(b, width)
            if PICTURES:
                b.evaluate("new Promise((r) => setTimeout(r, 300))")
                b.picture(pathlib.Path(PICTURES) / f"once-{look}.png")
        a_key_shows_another_feature(b)
        b.open((folder / "plain.html").as_uri())
        b.wait_until("document.body !== null && document.body.dataset.ready === 'yes' && document.title === 'flywheel report'")
        assert "no alert was raised" in b.evaluate("document.getElementById('status').textContent")
        assert "No alert was ever raised" in b.evaluate("document.getElementById('alerts-body').innerText")
        assert b.evaluate("performance.getEntriesByType('resource').length") == 0 and b.complaints == [], b.complaints


def shows_the_drift(b, width):
    text = b.evaluate("document.body.innerText")
    for word in ("flywheel report", "raised: drift 1", f"drift \u2013 adult \u2013 {COLUMN}", "shifted.rec", f"{ROWS:,}".replace(",", "\u202f"), "Written by flywheel"):
        assert word in text, f"{word!r} is not shown: {text}"
    assert b.evaluate("document.title").endswith(") flywheel report") and b.evaluate("document.querySelectorAll('#alerts-body > *').length") == 1
    assert "null" not in text and "undefined" not in text, text
    assert b.evaluate("document.getElementById('feature').value") == COLUMN
    assert b.evaluate("[...document.querySelectorAll('main section:not([hidden])')].map((s) => s.id).join()") == "alerts,models,traffic,shares,latency,quality,drift,history,histogram,publishers"
    for panel in ("history", "histogram", "traffic", "shares"):
        assert b.evaluate(f"document.querySelectorAll('#{panel}-body tbody tr').length") > 1, panel
    assert b.evaluate("performance.getEntriesByType('resource').length") == 0, "something was asked for"
    assert b.evaluate("document.documentElement.scrollWidth") <= width
    assert b.complaints == [], b.complaints


def a_key_shows_another_feature(b):
    b.evaluate("[...document.querySelectorAll('#drift-body button')].find((e) => e.textContent === 'age').focus()")
    for kind in ("keyDown", "keyUp"):
        b.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r" if kind == "keyDown" else "")
    b.wait_until("document.getElementById('feature').value === 'age' && document.getElementById('history-body').innerHTML.includes('Drift of age')")
    b.wait_until("document.getElementById('histogram-body').innerHTML.includes('Histogram of age')")


def thresholds_and_window_come_from_the_project(program_, folder, shared):
    (folder / "calm.yaml").write_text((shared / "p.yaml").read_text() + "monitor: {window: 2000, drift: {psi: 100, js: 1, missing_rate: 1, unseen_rate: 1}, performance: {deviations: 100}}\n")
    once(program_, folder, "calm.yaml", shared / "shifted.rec", "--store", "s", code=DONE)
    (rows, windows), = stored(folder / "s", "SELECT sum(rows), count(*) FROM windows")
    assert rows == ROWS and 8 <= windows <= 9, windows


def several_are_one_analysis(program_, folder, shared):
    out = once(program_, folder, shared / "plain.rec", shared / "shifted.rec", "--format", "jsonl", code=CHECK_SAYS_NO)
    assert f'"predictions":{2 * ROWS},"gaps":0' in out and out.count('"event":"publisher"') == 2 and len(re.findall('"what":"raised","kind":"drift"', out)) == 1, out
    once(program_, folder, shared / "plain.rec", shared / "plain.rec", code=USAGE, words=["are the same recording"])


def an_open_alert_of_the_store_fails_the_next_run_too(program_, folder, shared):
    once(program_, folder, shared / "shifted.rec", "--store", "s", code=CHECK_SAYS_NO, words=["raised: drift 1"])
    first = stored(folder / "s", "SELECT count(*), sum(rows) FROM windows")
    once(program_, folder, shared / "shifted.rec", "--store", "s", code=CHECK_SAYS_NO, words=["no alert is new, but "])
    assert stored(folder / "s", "SELECT count(*), sum(rows) FROM windows") == first, "a recording was counted twice"


# ---- the same as over the bus

def the_figures_are_those_of_a_monitor_on_the_bus(program_, folder, shared):
    endpoint = f"ipc://{folder}/b"
    command = [program_.bin / "flywheel-monitor", "--connect", endpoint, "--store", folder / "bus", "--until-end"]
    monitor = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        program_("score", "run", shared / "shifted.csv", "-o", folder / "p.csv", "--bus", endpoint, "--spool", folder / "spool", "--wait-subscribers", "1", "--record", folder / "r.rec",
                 cwd=shared).expect(DONE, "r.rec, ")
        out, err = monitor.communicate(timeout=60)
    finally:
        monitor.kill()
        monitor.wait()
    assert monitor.returncode == 0 and " drift raised: " in out, out + err
    once(program_, folder, "r.rec", "--store", "file", code=CHECK_SAYS_NO)
    for query in ("SELECT model, window, feature, test, statistic, threshold, effect, evidence, p FROM drift ORDER BY window, feature, test",
                  "SELECT model, number, from_us, to_us, rows, revised, closed, body FROM windows ORDER BY number", "SELECT model, name, digest, task, classes, predictions FROM models",
                  "SELECT kind, subject, level, peak, threshold, certainty, features FROM alerts"):
        bus, file = stored(folder / "bus", query), stored(folder / "file", query)
        assert bus == file and len(bus) > 0, f"{query}: {[pair for pair in zip(bus, file) if pair[0] != pair[1]][:3]}, {len(bus)} and {len(file)} rows"


def a_spool_that_a_run_has_left_is_taken(program_, folder, shared):
    program_("score", "run", shared / "shifted.csv", "-o", folder / "p.csv", "--bus", f"ipc://{folder}/b", "--spool", folder / "spool", cwd=shared).expect(DONE)
    before = sorted((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in (folder / "spool").iterdir())
    once(program_, folder, "spool", code=CHECK_SAYS_NO, words=[f"total adult {ROWS} predictions, 0 gaps"])
    assert before == sorted((p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in (folder / "spool").iterdir()), "the spool was changed"


def any_number_of_ranks_records_the_same_counts(program_, folder, shared):
    program_("score", "run", shared / "shifted.csv", "-o", folder / "p.csv", "--record", folder / "r.rec", cwd=shared, ranks=2).expect(DONE)
    once(program_, folder, "r.rec", "--store", "s", code=CHECK_SAYS_NO, words=[f"total adult {ROWS} predictions, 0 gaps"])
    assert stored(folder / "s", "SELECT sum(rows) FROM windows") == [(ROWS,)]


# ---- what is refused

def boundaries(recording):
    """Where each record begins, the end of the last one, and whether these are all."""
    at, places = SEGMENT_HEAD, []
    while at < len(recording):
        places.append(at)
        topic, payload = int.from_bytes(recording[at + 4:at + 8], "little"), int.from_bytes(recording[at + 8:at + 12], "little")
        at += RECORD_HEAD + (topic + payload + 7) // 8 * 8
    assert at == len(recording) and len(places) > 10
    return places


def a_recording_that_is_not_whole_is_refused(program_, folder, shared):
    whole = (shared / "shifted.rec").read_bytes()
    places = boundaries(whole)
    cuts = [(f"cut at {n}", whole[:n], "unfinished: it ends at byte") for n in places]
    cuts += [(f"cut at {n}", whole[:n], "cut off within a message") for n in (places[3] + 1, places[5] + 40, (places[-2] + places[-1]) // 2, len(whole) - 1)]
    flips = [(f"flipped at {n}", whole[:n] + bytes([whole[n] ^ 16]) + whole[n + 1:], "damaged") for n in (3, places[0] + 9, places[4] + 33, (places[6] + places[7]) // 2, len(whole) - 3)]
    other = [("empty", b"", "is empty"), ("more", whole + b"x", "stands behind its end"), ("text", (shared / "plain.csv").read_bytes(), "no recording")]

    def check(name, content, words):
        path = folder / f"{name.replace(' ', '-')}.rec"
        path.write_bytes(content)
        out = once(program_, folder, path, "--report", "r.html", "--store", f"{path}.store", code=BAD_DATA, words=[words, path.name])
        assert out == "" and not pathlib.Path(f"{path}.store").exists(), "some of it was taken"
    for_each(cuts + flips + other, check, at_once=2)
    assert not (folder / "r.html").exists()


def without_a_model_nothing_can_be_judged(program_, folder, shared):
    (folder / "o.csv").write_text("id,outcome\nr1,>50K\n")
    program_("outcomes", "o.csv", "--model", "adult", "--record", "o.rec", cwd=folder).expect(DONE, "1 outcomes recorded")
    once(program_, folder, "o.rec", code=BAD_DATA, words=["tell of no model with a reference"])
    once(program_, folder, "o.rec", shared / "plain.rec", code=BAD_DATA, words=["predictions come before their outcomes"])
    once(program_, folder, shared / "plain.rec", "o.rec", code=DONE)
    program_("outcomes", "o.csv", "--model", "adult", "--record", "o.rec", "--bus", "ipc://b", cwd=folder).expect(USAGE, "in place of the bus")


def wrong_use_is_said(program_, folder, shared):
    rec = shared / "plain.rec"
    for_each([("no recording", [], "name a recording"), ("a project alone", [shared / "p.yaml"], "name a recording"), ("missing", ["none.rec"], "none.rec cannot be opened"),
              ("two projects", [rec, "a.yaml", "b.yml"], "one project file at most"), ("a bus", [rec, "--connect", "tcp://127.0.0.1:5"], "no network"),
              ("a page", [rec, "--dashboard", "127.0.0.1:0"], "no network"), ("until the end", [rec, "--until-end"], "no network"), ("a folder", [folder], "is no spool"),
              ("no report", [rec, "--report", ""], "--report names no file")], lambda name, args, words: once(program_, folder, *args, code=USAGE, words=[words]))
    command = [program_.bin / "flywheel-monitor", "--report", "r.html"]
    p = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder)
    assert p.returncode == USAGE and "--report goes with --once" in p.stderr, p.stderr


def a_full_disk_leaves_no_report(program_, folder, shared):
    tmp = folder / "tmp"
    tmp.mkdir()
    once(program_, folder, shared / "plain.rec", "--report", "r.html", "--store", "s", code=FAILED, words=["r.html"], file_limit=300 << 10, env={"TMPDIR": str(tmp)})
    assert [p.name for p in folder.iterdir() if "html" in p.name] == []
    once(program_, folder, shared / "plain.rec", "--report", "r.html", code=FAILED, words=["r.html: its figures could not be kept"], file_limit=150 << 10, env={"TMPDIR": str(tmp)})
    once(program_, folder, shared / "shifted.rec", "--report", "r.html", code=CHECK_SAYS_NO, words=["drift 1", "r.html"], file_limit=150 << 10, env={"TMPDIR": str(tmp)})
    assert list(tmp.iterdir()) == [] and [p.name for p in folder.iterdir() if "html" in p.name] == []


def a_recording_that_can_not_be_written_leaves_nothing(program_, folder, shared):
    program_("score", "run", shared / "plain.csv", "-o", folder / "p.csv", "--record", folder / "r.rec", cwd=shared, file_limit=100_000).expect(FAILED)
    program_("score", "run", shared / "plain.csv", "-o", folder / "p.csv", "--record", folder / "none" / "r.rec", cwd=shared).expect(FAILED, "r.rec cannot be written")
    assert list(folder.iterdir()) == []


# ---- a model and two tables

def write_table(path, head, rows):
    with path.open("w", newline="") as f:
        out = csv.writer(f)
        out.writerow(["id", *head])
        out.writerows([f"r{i}", *row] for i, row in enumerate(rows))


def prepare(program_, folder):
    (folder / "p.yaml").write_text(PROJECT.format(table=ADULT / "adult-train.csv"))
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    program_("train", "p.yaml", "-o", "run", cwd=folder).expect(DONE)
    with (ADULT / "adult-test.csv").open(newline="") as f:
        head, *rows = csv.reader(f, skipinitialspace=True)
    rows = [row for row in rows if len(row) == len(head)]
    assert len(rows) == ROWS
    at = head.index(COLUMN)
    write_table(folder / "plain.csv", head, rows)
    write_table(folder / "shifted.csv", head, [[*row[:at], str(int(row[at]) + SHIFT), *row[at + 1:]] for row in rows])
    for name in ("plain", "shifted"):
        program_("score", "run", f"{name}.csv", "-o", f"{name}.out.csv", "--id", "id", "--record", f"{name}.rec", cwd=folder).expect(DONE, f"written: {name}.rec")
    return folder


if __name__ == "__main__":
    if not ADULT.is_dir():
        print(f"skipped: {ADULT} is not there", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    program.main([rows_like_those_of_the_training_pass, a_shifted_column_fails_and_the_report_names_it, thresholds_and_window_come_from_the_project, several_are_one_analysis,
                  an_open_alert_of_the_store_fails_the_next_run_too, the_figures_are_those_of_a_monitor_on_the_bus, a_spool_that_a_run_has_left_is_taken,
                  any_number_of_ranks_records_the_same_counts, a_recording_that_is_not_whole_is_refused, without_a_model_nothing_can_be_judged, wrong_use_is_said,
                  a_full_disk_leaves_no_report, a_recording_that_can_not_be_written_leaves_nothing], prepare)
