"""What a study holds: sweep list, trials, best, show, export, replay, report, in every format; and a study that is damaged.

Usage: test_sweep_show.py BIN_FOLDER"""

import csv
import io
import json
import shutil

import program
from program import BAD_DATA, DONE, USAGE

SPACE = """\
tune:
  trials: 12
  sampler: random
  pruner: {name: asha, min_rounds: 1, max_rounds: 4}
  objective: macro_f1
  space:
    model.learner: {choices: [mlp, linear]}
    model.hidden: {choices: [[16], [32, 16]], when: {model.learner: mlp}}
    train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}
"""


def prepare(program_, folder):
    example = folder / "example"
    program.callcenter(program_, example, 2000)
    (example / "p.yaml").write_text((example / "callcenter.yaml").read_text() + SPACE)
    program_("sweep", "p.yaml", "monitor.bus=tcp://127.0.0.1:*", cwd=example).expect(DONE)
    return example


def rows_of(program_, example, *words):
    return json.loads(program_("sweep", *words, "--format", "json", cwd=example).expect(DONE).out)


def trials_are_the_same_in_every_format(program_, _folder, example):
    rows = rows_of(program_, example, "trials")
    assert [row["trial"] for row in rows] == list(range(12)) and {row["state"] for row in rows} == {"COMPLETE", "PRUNED"}, rows
    for row in rows:
        assert ("model.hidden" in row["params"]) == (row["params"]["model.learner"] == "mlp"), row
        assert isinstance(row["params"].get("model.hidden", []), list) and row["reason"] is None, row
    lines = program_("sweep", "trials", "callcenter", "--format", "jsonl", cwd=example).expect(DONE).out.splitlines()
    assert [json.loads(line) for line in lines] == rows
    exported = program_("sweep", "export", "studies/callcenter", cwd=example).expect(DONE).out
    assert exported == program_("sweep", "trials", "--csv", "--format", "csv", cwd=example).expect(DONE).out
    for row, cells in zip(rows, csv.DictReader(io.StringIO(exported, newline="")), strict=True):
        assert int(cells["trial"]) == row["trial"] and cells["state"] == row["state"] and float(cells["value"]) == row["value"], cells
        assert float(cells["train.learning_rate"]) == row["params"]["train.learning_rate"], cells
        assert json.loads(cells["model.hidden"] or "null") == row["params"].get("model.hidden"), cells
    table = program_("sweep", "trials", cwd=example).expect(DONE, "train.learning_rate").out.splitlines()
    assert len(table) == 13, table


def the_best_and_one_are_described(program_, _folder, example):
    rows, best = rows_of(program_, example, "trials"), rows_of(program_, example, "best")
    assert best["value"] == max(row["value"] for row in rows if row["state"] == "COMPLETE"), best
    assert (example / best["model"]).is_file() and (example / best["project"]).is_file(), best
    program_("sweep", "best", cwd=example).expect(DONE, f"trial    {best['trial']}", "model.learner")
    one = rows_of(program_, example, "show", str(best["trial"]))
    assert one["rounds"] == len(one["by_round"]) == 4 and one["by_round"][-1]["macro_f1"] == one["value"] and one["created"] < one["ended"], one
    assert rows_of(program_, example, "show", "callcenter", str(best["trial"])) == one
    program_("sweep", "show", "studies/callcenter", "3", cwd=example).expect(DONE, "by_round")
    (listed,) = rows_of(program_, example, "list")
    assert (listed["study"], listed["trials"], listed["best_trial"], listed["open"]) == ("callcenter", 12, best["trial"], 0), listed
    page = example / "studies/callcenter/report.html"
    page.unlink()
    program_("sweep", "report", cwd=example).expect(DONE, "report.html")
    assert "All parameters of each trial" in page.read_text() and "train.learning_rate" in page.read_text()


def what_is_not_there_is_said(program_, folder, example):
    program_("sweep", "trials", "nothing", cwd=example).expect(USAGE, "nothing is no study", "sweep list")
    program_("sweep", "trials", cwd=folder).expect(USAGE, "there is no study in studies/")
    program_("sweep", "show", "12", cwd=example).expect(USAGE, "no trial 12")
    program_("sweep", "show", "many", cwd=example).expect(USAGE, "is no number of a trial")
    program_("sweep", "best", "callcenter", "tune.trials=3", cwd=example).expect(USAGE, "means nothing")
    program_("sweep", "list", "a", "b", cwd=example).expect(USAGE, "one argument too many")
    program_("sweep", "trials", "--format", "xml", cwd=example).expect(USAGE, "table")


def one_changed_byte_is_found(program_, folder, example):
    """In each line of the journal in turn, and its place is said."""
    study = folder / "damaged"
    shutil.copytree(example / "studies/callcenter", study)
    good = (study / "journal").read_bytes()
    program_("sweep", "replay", study, cwd=folder).expect(DONE, "the same")
    at = 0
    for number, line in enumerate(good.splitlines(keepends=True)[:-1], 1):
        place = at + len(line) // 2
        (study / "journal").write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1:])
        program_("sweep", "replay", study, cwd=folder).expect(BAD_DATA, f"line {number}")
        at += len(line)


if __name__ == "__main__":
    program.main([trials_are_the_same_in_every_format, the_best_and_one_are_described, what_is_not_there_is_said, one_changed_byte_is_found], prepare)
