"""A project file that is wrong ends every command with 2 before anything is started, and each mistake is told with file, line and column.

Usage: test_bad_project.py BIN_FOLDER"""

import program
from program import DONE, SMALL_PROJECT, USAGE

# (what is replaced, by what, what is said)
CASES = [
    ("an unknown key", "epochs: 2", "epoch: 2", ["p.yaml:8:9", "train.epoch: unknown key", "did you mean 'epochs'?"]),
    ("an unknown section", "model:", "modl:", ["p.yaml:7:1", "modl: unknown key", "did you mean 'model'?"]),
    ("an unknown key of a feature", "x: number", "x: {type: number, scal: none}", ["p.yaml:6:30", "scal: unknown key", "did you mean 'scale'?"]),
    ("a wrong type", "epochs: 2", "epochs: two", ["p.yaml:8:17", "train.epochs: expected a whole number, found 'two'"]),
    ("a list for a number", "epochs: 2", "epochs: [2]", ["p.yaml:8:17", "train.epochs: expected a whole number"]),
    ("a value out of range", "epochs: 2", "epochs: 0", ["p.yaml:8:17", "train.epochs: 0 is out of range", ">= 1"]),
    ("a fraction out of range", "learner: linear", "learner: mlp, dropout: 1.0", ["p.yaml:7:32", "model.dropout: 1", "out of range"]),
    ("an unknown word", "learner: linear", "learner: liner", ["p.yaml:7:18", "model.learner", "liner", "did you mean 'linear'?"]),
    ("a missing key", "project: small\n", "", ["project: is missing"]),
    ("a key twice", "epochs: 2", "epochs: 2, epochs: 3", ["p.yaml:8:20", "epochs"]),
    ("no YAML", "model: {learner: linear}", "model: {learner: linear", ["p.yaml:"]),
    ("two mistakes at once", "model: {learner: linear}\ntrain: {epochs: 2", "model: {learnr: linear}\ntrain: {epochs: 0",
     ["p.yaml:7:9: model.learnr: unknown key, did you mean 'learner'?", "p.yaml:8:17: train.epochs: 0 is out of range"]),
    ("a searched key that does not exist", "epochs: 2", "epochs: 2}\ntune: {space: {train.learnin_rate: {low: 1, high: 2}}", ["p.yaml:9:16", "did you mean 'train.learning_rate'?"]),
    ("a range upside down", "epochs: 2", "epochs: 2}\ntune: {space: {train.l2: {low: 2, high: 1}}", ["p.yaml:9:32: tune.space.train.l2: low 2 is above high 1"]),
    ("a logarithm of nothing", "epochs: 2", "epochs: 2}\ntune: {space: {train.l2: {low: 0, high: 1, log: true}}", ["p.yaml:9:32", "has no logarithm"]),
    ("no choices", "epochs: 2", "epochs: 2}\ntune: {space: {train.l2: {choices: []}}", ["p.yaml:9:36", "choices are empty"]),
    ("a condition on an unknown key", "epochs: 2", "epochs: 2}\ntune: {space: {train.l2: {low: 0, high: 1, when: {model.lerner: mlp}}}",
     ["p.yaml:9:51", "did you mean 'model.learner'?"]),
    ("an objective that the task does not have", "epochs: 2", "epochs: 2}\ntune: {objective: rmse", ["p.yaml:9:19: tune.objective.metric: 'rmse' is no metric of this task"]),
    ("a table that is not there", "rows.csv", "nowhere.csv", ["nowhere.csv"]),
    ("a target that is no column", "target: kind", "target: knd", ["knd", "did you mean 'kind'?"]),
    ("a feature that is no column", "x: number", "xx: number", ["xx"]),
]


def each_mistake_is_told_where_it_stands(program_, folder):
    def check(name, was, now, says):
        assert SMALL_PROJECT.count(was) == 1, was
        program.write_small(folder, project=SMALL_PROJECT.replace(was, now))
        program_("check", "p.yaml", cwd=folder).expect(USAGE, *says)
        program_("ingest", "p.yaml", cwd=folder).expect(USAGE)
        assert not (folder / "small.dataset.h5").exists(), "a dataset was made"

    program.for_each(CASES, check)


def one_rank_speaks_of_all_mistakes(program_, folder):
    name, was, now, says = next(case for case in CASES if case[0] == "two mistakes at once")
    program.write_small(folder, project=SMALL_PROJECT.replace(was, now))
    for command in ("ingest", "train", "evaluate"):
        program_(command, "p.yaml", cwd=folder, ranks=3).expect(USAGE, *says)


def overrides_are_checked_like_the_file(program_, folder):
    program.write_small(folder)
    for override, says in [("train.epoch=3", "did you mean 'epochs'?"), ("train.epochs=none", "expected a whole number"), ("train.epochs=-1", "out of range")]:
        program_("check", "p.yaml", override, cwd=folder).expect(USAGE, "train.epoch", says)
    program_("check", "p.yaml", cwd=folder, env={"FLYWHEEL_TRAIN__EPOCH": "3"}).expect(USAGE, "did you mean 'epochs'?")


def a_command_line_that_is_wrong_is_told(program_, folder):
    program.write_small(folder)
    for args, says in [
        (["trian", "p.yaml"], ["trian", "did you mean train?"]),
        (["train"], ["something is missing"]),
        (["train", "p.yaml", "--outptu", "run"], ["--outptu", "did you mean --output?"]),
        (["train", "p.yaml", "--output"], ["--output needs"]),
        (["train", "p.yaml", "q.yaml"], ["q.yaml"]),
        (["train", "nowhere.yaml"], ["nowhere.yaml: no such file"]),
        (["train", "."], ["is a folder"]),
        (["train", "p.yaml"], ["there is no dataset yet", "flywheel ingest p.yaml"]),
        (["evaluate", "p.yaml", "nowhere"], ["nowhere"]),
        (["score", "nowhere", "rows.csv"], ["nowhere"]),
        (["score", ".", "rows.csv"], ["no model.h5"]),
    ]:
        program_(*args, cwd=folder).expect(USAGE, *says)


def a_dataset_of_other_settings_is_refused(program_, folder):
    program.write_small(folder)
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    program_("train", "p.yaml", "data.split.seed=2", cwd=folder, ranks=2).expect(USAGE, "other settings", "flywheel ingest")
    assert not (folder / "runs").exists()


program.main([each_mistake_is_told_where_it_stands, one_rank_speaks_of_all_mistakes, overrides_are_checked_like_the_file,
              a_command_line_that_is_wrong_is_told, a_dataset_of_other_settings_is_refused])
