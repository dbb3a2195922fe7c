"""What `score --bus` tells of its model and counts of its rows: the sum of all windows is what numpy counts, on any number of ranks; a sample is of the same rows;
what may not be told is not.

Usage: test_summaries.py BIN_FOLDER SOURCE_FOLDER. Skipped (77) without numpy, h5py, pyzmq or protobuf, but not under CI=true."""

import csv
import json
import os
import pathlib
import sys
import threading

sys.path.insert(0, str(pathlib.Path(sys.argv[2]) / "deploy" / "examples"))
try:
    import h5py
    import numpy as np
    import zmq

    import subscriber
except ImportError as error:
    print(f"skipped: {error.name} is missing (Debian: python3-numpy python3-h5py python3-zmq python3-protobuf)", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

import program
from program import DONE, USAGE, main

ROWS, LIMIT_MS = 20000, 60000
telemetry = subscriber.compile_proto(subscriber.DEFAULT_PROTO)


class Listener(threading.Thread):
    """Takes every message until the end of the predictions; the last frame is the batch, whatever the bus puts between."""

    def __init__(self, endpoint):
        super().__init__(daemon=True)
        self.models, self.summaries, self.rows, self.topics, self.ended = [], [], [], set(), False
        self.socket = zmq.Context.instance().socket(zmq.SUB)
        self.socket.rcvhwm = 0
        self.socket.subscribe(b"")
        self.socket.connect(endpoint)

    def run(self):
        while not self.ended and self.socket.poll(LIMIT_MS):
            frames = self.socket.recv_multipart()
            batch = telemetry.TelemetryBatch()
            try:
                batch.ParseFromString(frames[-1])
            except Exception:                            # a word of the bus to itself
                continue
            self.take(frames[0].decode(errors="replace"), batch)
        self.socket.close(0)

    def take(self, topic, batch):
        kind = batch.WhichOneof("body")
        if kind is not None:
            self.topics.add(topic)
        if kind == "model":
            self.models.append(batch.model)
        elif kind == "summary":
            self.summaries.append(batch.summary)
        elif kind == "predictions":
            self.rows.extend(subscriber.rows_of(batch.predictions))
        elif kind == "end":
            self.ended = True


def score(program_, folder, table, *keys, ranks=None):
    """All that was published."""
    endpoint = f"ipc://{folder}/b{Listener.__name__}-{score.calls}"
    score.calls += 1
    listener = Listener(endpoint)
    listener.start()
    program_("score", "run", table, "-o", "p.csv", "--bus", endpoint, "--wait-subscribers", "1", *keys, cwd=folder, ranks=ranks).expect(DONE)
    listener.join(60)
    assert listener.ended, f"the end did not come: {listener.topics}"
    return listener


score.calls = 0


def total(listener):
    """The sum of the windows: a list of counts for each column of the model told of."""
    model = listener.models[0]
    counts = np.zeros(sum(len(column.counts) for column in model.columns), np.int64)
    for number, summary in enumerate(listener.summaries):
        assert summary.digest == model.digest and summary.model == model.name and summary.window == number + 1
        assert 0 < summary.from_us <= summary.to_us and summary.shape == listener.summaries[0].shape
        counts += np.array(summary.counts, np.int64)
    at, columns = 0, {}
    for i, column in enumerate(model.columns):
        columns[i < model.features, column.name] = counts[at:at + len(column.counts)].tolist()
        at += len(column.counts)
    assert sum(summary.rows for summary in listener.summaries) == ROWS
    return columns


def expected(column, cells, missing_texts):
    """Counts of a column of the table, by numpy."""
    missing = np.isin(cells, missing_texts)
    if column.kind == 0:
        places = np.searchsorted(np.array(column.cuts), cells[~missing].astype(float), side="left")
        return [*np.bincount(places, minlength=len(column.cuts) + 1).tolist(), 0, int(missing.sum())]
    counts = [int((cells == label).sum()) for label in column.labels]
    return [*counts, int((~missing).sum()) - sum(counts), int(missing.sum())]


def scores(column, p):
    return np.bincount(np.searchsorted(np.array(column.cuts), p, side="left"), minlength=len(column.cuts) + 1).tolist() + [0, 0]


def read_csv(path):
    with path.open(newline="") as f:
        rows = list(csv.DictReader(f))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def the_sum_of_the_windows_is_what_numpy_counts(program_, folder, shared):
    table, written = read_csv(shared / "calls.csv"), None
    for ranks in (None, 2, 3):
        heard = score(program_, shared, "calls.csv", ranks=ranks)
        sums, model = total(heard), heard.models[0]
        assert len(heard.rows) == ROWS and len(heard.models) >= 1 and len(heard.summaries) > 1
        written = read_csv(shared / "p.csv")
        for i, column in enumerate(model.columns):
            feature, found = i < model.features, sums[i < model.features, column.name]
            if feature:
                want = expected(column, table[column.name], ["", "?", "NA", "N/A", "NaN", "nan", "null", "NULL"])
            elif column.name == "prediction":
                want = [*(int((written["prediction"] == label).sum()) for label in column.labels), 0, 0]
            else:
                p = np.array([written[name].astype(np.float32) for name in written if name.startswith("p_")])
                want = scores(column, p.max(axis=0) if column.name == "confidence" else written["p_" + column.name.removeprefix("score=")].astype(np.float32))
            assert found == want, f"{ranks} ranks, {column.name}: {found} are not {want}"
        assert model.features >= 3
        assert {topic.split("/")[0] for topic in heard.topics} == {"prediction", "model", "summary"}


def the_model_told_of_is_the_one_in_the_file(program_, folder, shared):
    model = score(program_, shared, "calls.csv").models[0]
    with h5py.File(shared / "run" / "model.h5", "r") as f:
        reference = json.loads(bytes(f["reference"][()]))
    assert len(model.columns) == len(reference["columns"]) and model.features == reference["features"] and model.split == reference["split"]
    for told, kept in zip(model.columns, reference["columns"]):
        assert told.name == kept["name"] and list(told.counts) == [*kept["counts"], kept["unseen"], kept["missing"]]
        assert list(told.cuts) == kept.get("cuts", []) and list(told.labels) == kept.get("labels", []) and list(told.hits) == kept.get("hits", [])
    assert [(m.name, m.value, m.mean, m.deviation) for m in model.metrics] == [(m["name"], m["value"], m["mean"], m["deviation"]) for m in reference["metrics"]]


def a_sample_is_of_the_same_rows_and_counts_are_of_all(program_, folder, shared):
    whole = total(score(program_, shared, "calls.csv"))
    taken = []
    for ranks in (None, 2, 3):
        heard = score(program_, shared, "calls.csv", "monitor.sample=0.05", "monitor.window=5000", ranks=ranks)
        taken.append([row.number for row in heard.rows])
        assert total(heard) == whole
    assert taken[0] == taken[1] == taken[2] and 0.04 * ROWS < len(taken[0]) < 0.06 * ROWS, [len(rows) for rows in taken]


def what_may_not_be_told_is_not(program_, folder, shared):
    heard = score(program_, shared, "calls.csv", "monitor.features=none", ranks=2)
    model = heard.models[0]
    assert model.features == 0 and [column.name for column in model.columns][:2] == ["prediction", "confidence"]
    assert total(heard)[False, "prediction"] and not any(row.features for row in heard.rows)
    program_("score", "run", "calls.csv", "-o", "p.csv", "train.epochs=3", cwd=shared).expect(USAGE, "monitor.features")
    program_("score", "run", "calls.csv", "-o", "p.csv", "monitor.sample=0", cwd=shared).expect(USAGE, "monitor.sample")


def values_are_told_when_they_are_asked_for(program_, folder, shared):
    table = read_csv(shared / "calls.csv")
    heard = score(program_, shared, "calls.csv", "monitor.features=full", "monitor.sample=0.02", ranks=2)
    names = heard.models[0].columns[: heard.models[0].features]
    assert heard.rows
    for row in heard.rows:
        assert len(row.features) == len(names)
        for column, feature in zip(names, row.features):
            cell, kind = table[column.name][row.number], feature.WhichOneof("value")
            if kind == "number":
                assert feature.number == float(cell), (column.name, feature, cell)
            elif kind == "text":
                assert feature.text == cell, (column.name, feature, cell)
            else:
                assert cell == "", (column.name, feature, cell)


def prepare(program_, folder):
    program.callcenter(program_, folder / "example", ROWS)
    folder = folder / "example"
    program_("train", "callcenter.yaml", "-o", "run", "train.epochs=1", cwd=folder).expect(DONE)
    return folder


main([the_sum_of_the_windows_is_what_numpy_counts, the_model_told_of_is_the_one_in_the_file, a_sample_is_of_the_same_rows_and_counts_are_of_all,
      what_may_not_be_told_is_not, values_are_told_when_they_are_asked_for], prepare)
