"""Live quality through the monitor itself: a model of adult, scored in pieces; outcomes that come late, doubled, before their predictions and corrected; from some row on the
outcomes are others than the model has learned. What is realised in each window equals scikit-learn's figures on the same rows, the fall is one alert, and a monitor
that is killed again and again comes to the same.

Usage: test_live_quality.py BIN_FOLDER SOURCE_FOLDER. Skipped (77) without scikit-learn or the table, but not under CI=true."""

import csv
import json
import math
import os
import pathlib
import random
import sys

try:
    import numpy as np
    from sklearn import metrics
except ImportError as error:
    print(f"skipped: {error.name} is missing (Debian: python3-sklearn)", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import program  # noqa: E402
from program import DONE  # noqa: E402
from test_drift import Monitor, stored, until  # noqa: E402
from test_telemetry import Stage  # noqa: E402

TABLE = pathlib.Path(sys.argv[2]).parent / "shared" / "data" / "adult" / "adult-train.csv"
TRAINED, PIECE, PIECES, OTHERS = 8192, 4096, 4, 3 * 4096      # OTHERS: from this row on half of the outcomes are turned round
EARLY, LATE = "2026-01-02T03:04:05Z", "2026-01-03T00:00:00Z"
PROJECT = """
project: adult
problem: {task: classification, target: income, positive: ">50K"}
data:
  tables: {train: train.csv}
  id: id
  split: {train: 0.7, validation: 0.3, test: 0, by: random, seed: 1}
features: {"*": auto, fnlwgt: ignore}
model: {learner: linear}
train: {epochs: 4, global_batch_size: 256, learning_rate: 0.02}
monitor: {window: 1000, performance: {metric: accuracy, drop: 0.05}}
"""


def write_rows(path, header, rows):
    with path.open("w", newline="") as f:
        csv.writer(f).writerows([header, *rows])


def prepare(program_, folder):
    """Pieces to score, and the truth of each row: what was observed, then turned round."""
    draw = random.Random(7)
    with TABLE.open(newline="") as f:
        header, *rows = filter(None, csv.reader(f, skipinitialspace=True))
    target = header.index("income")
    classes = sorted({row[target] for row in rows})
    rows = [[f"r{i}", *row] for i, row in enumerate(rows[:TRAINED + PIECE * PIECES])]
    shared = folder / "adult"
    shared.mkdir()
    write_rows(shared / "train.csv", ["id", *header], rows[:TRAINED])
    truth = {}
    for i, row in enumerate(rows[TRAINED:]):
        value = row[target + 1]
        truth[row[0]] = classes[1 - classes.index(value)] if i >= OTHERS and draw.random() < 0.5 else value
    for k in range(PIECES):
        write_rows(shared / f"piece{k}.csv", ["id", *header], rows[TRAINED + k * PIECE:TRAINED + (k + 1) * PIECE])
    write_outcomes(shared, [row[0] for row in rows[TRAINED:]], truth, classes, draw)
    (shared / "adult.yaml").write_text(PROJECT)
    program_("ingest", "adult.yaml", cwd=shared).expect(DONE)
    program_("train", "adult.yaml", "-o", "run", cwd=shared).expect(DONE)
    return shared


def write_outcomes(shared, ids, truth, classes, draw):
    """Nine in ten of each piece, in any order. Of the first, 100 are wrong at first."""
    known = {}
    for k in range(PIECES):
        some = draw.sample(ids[k * PIECE:(k + 1) * PIECE], PIECE * 9 // 10)
        known.update((i, truth[i]) for i in some)
        told = [[i, truth[i], EARLY] for i in some]
        if k == 0:
            write_rows(shared / "corrections.csv", ["id", "outcome", "time"], [[i, value, LATE] for i, value, _ in told[:100]])
            told = [[i, classes[1 - classes.index(value)] if j < 100 else value, time] for j, (i, value, time) in enumerate(told)]
        write_rows(shared / f"outcomes{k}.csv", ["id", "outcome", "time"], told)
    (shared / "known.json").write_text(json.dumps(known))


class Life:
    """A monitor on a store, which may be killed behind each of its publishers' commands."""

    def __init__(self, program_, folder, shared, stage, kills):
        self.program, self.folder, self.shared, self.stage, self.kills = program_, folder, shared, stage, kills
        self.store, self.alerts, self.monitor, self.n = folder / "m.store", [], None, 0
        self.scores, self.outcomes = f"ipc://{folder}/s", f"ipc://{folder}/o"
        self.begin()

    def begin(self):
        self.n += 1
        self.monitor = Monitor(self.stage, f"monitor{self.n}", "--connect", self.scores, "--connect", self.outcomes, "--store", self.store, "--name", "m",
                               "--insecure", self.shared / "adult.yaml")

    def kill(self):
        self.monitor.kill()
        self.alerts += self.monitor.said("alert")
        self.begin()

    def run(self, *words):
        process = self.program.start(*map(str, words), cwd=self.shared)
        if self.kills:
            program.time.sleep(0.05 * self.n)
            self.kill()
        self.program.finish(process).expect(DONE)

    def score(self, k):
        self.run("score", "run", f"piece{k}.csv", "-o", self.folder / f"p{k}.csv", "--bus", self.scores, "--spool", self.folder / "spool", "--wait-subscribers", "1")
        until("the predictions", lambda: stored(self.store, "SELECT sum(rows) FROM windows") >= [((k + 1) * PIECE,)])

    def tell(self, file):
        self.run("outcomes", file, "--model", "adult", "--bus", self.outcomes, "--spool", self.folder / "told")

    def end(self):
        self.monitor.end()
        self.alerts += self.monitor.said("alert")
        return stored(self.store, "SELECT window, metric, realised, low, high, estimated, reference, labelled FROM performance ORDER BY window, metric")


def live(program_, folder, shared, kills):
    folder.mkdir()
    known = json.loads((shared / "known.json").read_text())
    joined = "SELECT count(*) FROM waiting_outcomes o JOIN waiting_predictions p USING (model, id)"
    with Stage(program_.bin, folder) as stage:
        life = Life(program_, folder, shared, stage, kills)
        life.score(0)
        life.tell("outcomes0.csv")
        life.tell("outcomes1.csv")                       # before its predictions
        life.score(1)
        life.tell("corrections.csv")
        life.score(2)
        life.tell("outcomes2.csv")
        life.tell("outcomes2.csv")                       # again
        life.score(3)
        life.tell("outcomes3.csv")
        until("all outcomes", lambda: stored(life.store, joined) == [(len(known),)])
        until("the corrections", lambda: stored(life.store, f"SELECT count(*) FROM waiting_outcomes WHERE at_us = {1767398400000000}") == [(100,)])
        return life.end(), life


def figures_of(rows, classes):
    """scikit-learn's, of (truth, label, probability of the second class)."""
    truth, said, score = (np.array(column) for column in zip(*rows))
    return {"accuracy": metrics.accuracy_score(truth, said), "precision": metrics.precision_score(truth, said), "recall": metrics.recall_score(truth, said),
            "f1": metrics.f1_score(truth, said), "auc": metrics.roc_auc_score(truth, score), "log_loss": metrics.log_loss(truth, np.column_stack([1 - score, score]))}


def windows_of(life, known):
    """The pairs of each window, by what the store holds of predictions and by the test's own truth."""
    ((text,),) = stored(life.store, "SELECT classes FROM models")
    classes, windows = json.loads(text), {}
    for i, window, label, probabilities in stored(life.store, "SELECT id, window, label, probabilities FROM waiting_predictions"):
        if i in known:
            windows.setdefault(window, []).append((classes.index(known[i]), label, float(np.frombuffer(probabilities, "<f4")[0])))
    return classes, windows


def what_is_realised_is_what_scikit_learn_says_also_after_kills(program_, folder, shared):
    known = json.loads((shared / "known.json").read_text())
    rows, life = live(program_, folder / "whole", shared, kills=False)
    classes, windows = windows_of(life, known)
    assert len(windows) == PIECES * 4 and sum(map(len, windows.values())) == len(known)
    assert life.monitor is not None and classes == ["<=50K", ">50K"]
    for window, pairs in windows.items():
        for name, figure in figures_of(pairs, classes).items():
            ((_, _, realised, low, high, _, _, labelled),) = [row for row in rows if row[:2] == (window, name)]
            close = {"auc": 1e-3, "log_loss": 1e-6, "f1": 1e-15}.get(name, 0)      # auc: scores of one place are ties; log_loss: of float32 probabilities; f1: the last bit
            assert abs(realised - figure) <= close, (window, name, realised, figure)
            assert low < realised < high and 0.85 < labelled < 0.95
    judge_alerts(life.alerts, windows)
    again, other = live(program_, folder / "killed", shared, kills=True)
    assert other.n > 8 and again == rows, [(a, b) for a, b in zip(rows, again) if a != b][:5]
    assert causes(other.alerts) == causes(life.alerts), other.alerts


def causes(alerts):
    return sorted({(a["alert"], a["kind"], a["subject"], a["what"]) for a in alerts if a["kind"] == "performance"})


def judge_alerts(alerts, windows):
    raised = [a for a in alerts if a["what"] == "raised" and a["kind"] == "performance" and a["subject"] == "accuracy"]
    assert len(raised) == 1, alerts
    assert raised[0]["level"] > raised[0]["threshold"] == 0.05 and "instead of" in raised[0]["text"], raised


if __name__ == "__main__":
    if not TABLE.exists():
        print(f"skipped: no {TABLE}", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    program.main([what_is_realised_is_what_scikit_learn_says_also_after_kills], prepare)
