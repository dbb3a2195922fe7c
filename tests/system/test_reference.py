"""The reference in model.h5 against numpy, on real tables: bins and counts of the training rows, and of what the model says about validation rows. The same
bytes on any number of ranks; a private column is not in it; a model of an older format is read.

Usage: test_reference.py BIN_FOLDER SOURCE_FOLDER. Skipped (77) without numpy, h5py or the tables, but not under CI=true."""

import csv
import json
import math
import os
import pathlib
import sys

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error.name} is missing (Debian: python3-numpy python3-h5py)", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

import program
from program import DONE, main

RANKS = [1, 2, 3, 5]
BINS, CHUNK, LABELS = 32, 1000, 64
DATA = pathlib.Path(sys.argv[2]).parent / "shared" / "data"

ADULT = """
project: adult
problem: {{task: classification, target: income, positive: ">50K"}}
data:
  tables: {{train: {data}/adult/adult-train.csv}}
  missing: ["?"]
  private: [race]
  split: {{train: 0.8, validation: 0.2, test: 0, by: random, stratify: true, seed: 1}}
model: {{learner: linear}}
train: {{epochs: 1, global_batch_size: 256, learning_rate: 0.02}}
"""

ELEC2 = """
project: elec2
problem: {{task: classification, target: class}}
data:
  tables: {{train: {data}/elec2/electricity.csv}}
  split: {{train: 0.6, validation: 0.4, test: 0, by: random, stratify: true, seed: 2}}
features: {{"*": auto, date: ignore, day: {{type: category}}}}
model: {{learner: mlp, hidden: [8]}}
train: {{epochs: 1, global_batch_size: 512, learning_rate: 0.01}}
"""

HOUSING = """
project: housing
problem: {{task: regression, target: median_house_value}}
data:
  tables: {{train: {data}/california-housing/housing.csv}}
  split: {{train: 0.7, validation: 0, test: 0.3, by: random, stratify: false, seed: 3}}
model: {{learner: linear}}
train: {{epochs: 1, global_batch_size: 256, learning_rate: 0.02}}
"""


def read_reference(model):
    with h5py.File(model, "r") as f:
        return json.loads(bytes(f["reference"][()]))


def read_split(dataset, split):
    """name -> (values or labels, missing) of the rows of a split."""
    with h5py.File(dataset, "r") as f:
        manifest = json.loads(bytes(f["manifest"][()]))
        rows = manifest["rows"]
        first = {"train": 0, "validation": rows["train"], "test": rows["train"] + rows["validation"]}[split]
        part = slice(first, first + rows[split])
        at, columns = {"number": 0, "category": 0}, {}
        for i, column in enumerate(manifest["schema"]["columns"]):
            missing = f["missing"][i, part].astype(bool)
            if column["type"] == "number":
                columns[column["name"]] = (f["numbers"][at["number"], part], missing)
            elif column["type"] == "category":
                codes = f["codes"][at["category"], part]
                columns[column["name"]] = (np.array([*column["categories"], ""])[codes], missing)
            at[column["type"]] = at.get(column["type"], 0) + 1
        return columns


def expected_cuts(values):
    distinct = np.unique(values)
    if len(distinct) == 1:
        return [np.nextafter(distinct[0], -np.inf), distinct[0]]
    if len(distinct) <= BINS:
        return distinct[:-1]
    cuts = np.unique(np.quantile(values, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    return cuts[cuts < distinct[-1]]


def check_cuts(column, values, missing):
    """Cut points, counts and centres of a column with numbers. Returns the place of each value."""
    name, present = column["name"], values[~missing]
    cuts = np.asarray(column["cuts"])
    assert np.array_equal(cuts, expected_cuts(present)), f"{name}: {cuts} are not {expected_cuts(present)}"
    places = np.searchsorted(cuts, present, side="left")
    counts = np.bincount(places, minlength=len(cuts) + 1)
    assert column["counts"] == counts.tolist(), f"{name}: {column['counts']} are not {counts.tolist()}"
    assert column["missing"] == missing.sum() and column["unseen"] == 0, name
    for i, centre in enumerate(column["centres"]):
        if counts[i] > 0:
            mean = math.fsum(present[places == i]) / counts[i]
            assert centre == mean, f"{name}: the centre of bin {i} is {centre}, not {mean}"
    return places


def check_labels(column, texts, missing):
    name = column["name"]
    labels, counts = np.unique(texts[~missing], return_counts=True)
    keep = np.sort(np.argsort(-counts, kind="stable")[:LABELS])
    assert column["labels"] == labels[keep].tolist(), f"{name}: {column['labels']}"
    assert column["counts"] == counts[keep].tolist(), f"{name}: {column['counts']} are not {counts[keep].tolist()}"
    assert column["missing"] == missing.sum() and column["unseen"] == counts.sum() - counts[keep].sum(), name


def check_features(reference, dataset, absent):
    columns = read_split(dataset, "train")
    features = reference["columns"][: reference["features"]]
    assert len(features) >= 7 and reference["features_left_out"] == 0
    for column in features:
        assert column["name"] not in absent
        check = check_cuts if column["kind"] == "number" else check_labels
        check(column, *columns[column["name"]])
    assert any(column["kind"] == "category" for column in features)


def check_score(column, scores, truth):
    places = check_cuts(column, scores, np.zeros(len(scores), bool))
    hits = np.bincount(places[truth], minlength=len(column["cuts"]) + 1).tolist()
    assert column["hits"] == hits, f"{column['name']}: {column['hits']} are not {hits}"


def check_classes(reference, predictions, labels):
    """Against what `score` writes for the same rows."""
    prediction, confidence, score = reference["columns"][reference["features"]:]
    said = np.array([row["prediction"] for row in predictions])
    classes = [name[2:] for name in predictions[0] if name.startswith("p_")]
    p = np.array([[np.float32(row["p_" + name]) for name in classes] for row in predictions])
    assert prediction["name"] == "prediction" and prediction["labels"] == classes
    assert prediction["counts"] == [int((said == name).sum()) for name in classes]
    assert confidence["name"] == "confidence" and score["name"] == "score=" + classes[1]
    check_score(confidence, p.max(axis=1).astype(float), said == labels)
    check_score(score, p[:, 1].astype(float), labels == classes[1])
    right = said == labels
    return {"accuracy": right.astype(float)}


def check_metric(reference, name, of_rows, tolerance):
    """of_rows: the metric is a mean over rows."""
    metric = next(m for m in reference["metrics"] if m["name"] == name)
    n = len(of_rows)
    assert reference["chunk_rows"] == CHUNK if n >= 10 * CHUNK else n // 10
    chunks = of_rows[: reference["chunks"] * reference["chunk_rows"]].reshape(reference["chunks"], reference["chunk_rows"]).mean(axis=1)
    assert reference["chunks"] == n // reference["chunk_rows"]
    for key, value in [("value", of_rows.mean()), ("mean", chunks.mean()), ("deviation", chunks.std(ddof=1))]:
        assert math.isclose(metric[key], value, rel_tol=tolerance), f"{name}: {key} is {metric[key]}, not {value}"


def train(program_, folder, yaml):
    if not DATA.is_dir():
        print(f"skipped: {DATA} is not there", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    (folder / "p.yaml").write_text(yaml.format(data=DATA))
    program_("ingest", "p.yaml", "-o", "d.h5", cwd=folder).expect(DONE)
    models = []
    for ranks in RANKS:
        program_("train", "p.yaml", "data.dataset=d.h5", "-o", f"r{ranks}", cwd=folder, ranks=ranks).expect(DONE)
        models.append(folder / f"r{ranks}" / "model.h5")
    program.assert_same_bytes(*models)
    return models[0]


def score(program_, folder, model, split):
    program_("score", str(model), "d.h5", "--split", split, "-o", "p.csv", cwd=folder).expect(DONE)
    with (folder / "p.csv").open(newline="") as f:
        return list(csv.DictReader(f))


def two_classes(program_, folder, yaml, target, absent):
    model = train(program_, folder, yaml)
    reference = read_reference(model)
    check_features(reference, folder / "d.h5", absent)
    assert reference["split"] == "validation"
    labels = read_split(folder / "d.h5", "validation")[target][0]
    of_rows = check_classes(reference, score(program_, folder, model, "validation"), labels)
    check_metric(reference, "accuracy", of_rows["accuracy"], 1e-12)      # counts of rows: quotients of small integers
    return reference


def adult_is_what_numpy_counts(program_, folder):
    reference = two_classes(program_, folder, ADULT, "income", ["race", "income"])
    native = next(c for c in reference["columns"] if c["name"] == "native_country" or c["name"] == "native-country")
    assert native["missing"] > 100


def elec2_is_what_numpy_counts(program_, folder):
    two_classes(program_, folder, ELEC2, "class", ["date", "class"])


def a_regression_without_validation_rows_is_judged_on_its_test_rows(program_, folder):
    model = train(program_, folder, HOUSING)
    reference = read_reference(model)
    check_features(reference, folder / "d.h5", ["median_house_value"])
    assert reference["split"] == "test" and len(reference["columns"]) == reference["features"] + 1
    values = np.array([float(row["prediction"]) for row in score(program_, folder, model, "test")])
    check_cuts(reference["columns"][-1], values, np.zeros(len(values), bool))
    truth = read_split(folder / "d.h5", "test")["median_house_value"][0]
    check_metric(reference, "mae", np.abs(values - truth), 1e-9)         # float sums of 6,000 terms
    check_errors(reference["columns"][-1], values, np.abs(values - truth))


def check_errors(column, values, errors):
    """The means of |e|, e^2 and e^4 in each bin: sums of some hundred terms."""
    places = np.searchsorted(column["cuts"], values)
    for name, power in (("absolute", 1), ("square", 2), ("fourth", 4)):
        found = column[name]
        assert len(found) == len(column["cuts"]) + 1
        for i, mean in enumerate(found):
            expected = (errors[places == i] ** power).mean() if (places == i).any() else 0
            assert abs(mean - expected) <= 1e-12 * expected, (name, i, mean, expected)


def it_is_shown_and_compared(program_, folder):
    program.callcenter(program_, folder / "example", 3000)
    folder = folder / "example"
    for seed in (1, 2):
        program_("train", "callcenter.yaml", "-o", f"s{seed}", f"train.seed={seed}", "train.epochs=1", cwd=folder).expect(DONE)
    program_("inspect", "s1", cwd=folder).expect(DONE, "reference", "confidence", "score=", "deviation")
    described = json.loads(program_("inspect", "s1", "--format", "json", cwd=folder).expect(DONE).out)
    reference = read_reference(folder / "s1" / "model.h5")
    assert described["reference_columns"] == reference["columns"] and described["reference_metrics"] == reference["metrics"]
    assert described["reference"]["split"] == "validation"
    found = json.loads(program_("diff", "s1", "s2", "--format", "json", cwd=folder).expect(program.CHECK_SAYS_NO).out)
    names = {row["column"] for row in found["reference"]}
    assert "confidence" in names and not names & {c["name"] for c in reference["columns"][: reference["features"]]}, names


main([adult_is_what_numpy_counts, elec2_is_what_numpy_counts, a_regression_without_validation_rows_is_judged_on_its_test_rows, it_is_shown_and_compared])
