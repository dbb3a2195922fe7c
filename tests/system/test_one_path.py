"""Law 3: a row gets the same bits wherever it is predicted: in a dataset or a table, alone or among others, on one rank or three, plain or compressed.

Usage: test_one_path.py BIN_FOLDER"""

import csv
import gzip
import json
import math

import program
from program import DONE

ROWS = 3000
CHUNKS = 100000                    # rows that fill three chunks of a table: each of three ranks reads one
SINGLY = 20


def lines_by_id(path):
    """id -> the whole line, prediction and probabilities as text."""
    lines = path.read_text().splitlines()
    return lines[0], {line.split(",", 1)[0]: line for line in lines[1:]}


def scored(program_, folder, output, source, *options, ranks=None):
    program_("score", "run", source, "-o", output, *options, cwd=folder, ranks=ranks).expect(DONE)
    return folder / output


def example(program_, folder, *overrides, rows=ROWS):
    folder = folder / "example"
    program.callcenter(program_, folder, rows)
    program_("train", "callcenter.yaml", "-o", "run", "train.epochs=3", *overrides, cwd=folder, ranks=2).expect(DONE)
    return folder


def a_row_alone_or_among_others(program_, folder):
    folder = example(program_, folder, "model.activation=gelu")
    head, whole = lines_by_id(scored(program_, folder, "whole.csv", "calls.csv"))
    assert len(whole) == ROWS

    for ranks in (None, 3):                                       # a dataset
        other_head, test = lines_by_id(scored(program_, folder, f"test{ranks}.csv", "callcenter.dataset.h5", "--split", "test", ranks=ranks))
        assert other_head == head and len(test) > 200
        assert all(whole[key] == line for key, line in test.items())
    program.assert_same_bytes(folder / "testNone.csv", folder / "test3.csv")

    table = (folder / "calls.csv").read_text().splitlines()
    by_id = {line.split(",", 1)[0]: line for line in table[1:]}
    for i, key in enumerate(list(test)[:SINGLY]):                 # one row at a time
        (folder / "one.csv").write_text(f"{table[0]}\n{by_id[key]}\n")
        _, one = lines_by_id(scored(program_, folder, "one.out", "one.csv", ranks=3 if i % 10 == 0 else None))
        assert one == {key: whole[key]}, f"{one} alone, {whole[key]} among others"

    some = list(test)[:100]                                       # other neighbours
    (folder / "some.csv").write_text("\n".join([table[0], *(by_id[key] for key in reversed(some))]) + "\n")
    _, among = lines_by_id(scored(program_, folder, "some.out", "some.csv", ranks=3))
    assert list(among) == some[::-1] and all(among[key] == whole[key] for key in some)


def a_thousand_rows_singly_and_in_blocks(program_, folder):
    """As a table and as a dataset, on one rank and three: the same bytes, whatever is predicted at a time."""
    folder = example(program_, folder, rows=1000)
    for source in ("calls.csv", "callcenter.dataset.h5"):
        outputs = [scored(program_, folder, f"{source}-{piece}-{ranks}.csv", source, "--piece-rows", str(piece), ranks=ranks)
                   for piece in (1, 7, 1000) for ranks in (None, 3)]
        program.assert_same_bytes(*outputs)
    _, whole = lines_by_id(folder / "calls.csv-1-3.csv")
    _, stored = lines_by_id(folder / "callcenter.dataset.h5-1000-None.csv")
    assert len(whole) == 1000 and len(stored) > 900               # one label is excluded from the dataset
    assert all(whole[key] == line for key, line in stored.items())


def evaluation_judges_what_score_gives(program_, folder):
    """Log loss, accuracy and confusion of `evaluate` follow from the lines of `score` and the labels of the table, by the standard library's exact sum."""
    folder = example(program_, folder)
    head, test = lines_by_id(scored(program_, folder, "test.csv", "callcenter.dataset.h5", "--split", "test"))
    classes = [name.removeprefix("p_") for name in head.split(",")[2:]]
    merged = {"kindle_account": "kindle", "kindle_content": "kindle", "kindle_device": "kindle"}
    with (folder / "calls.csv").open() as table:
        truth = {row["call_id"]: merged.get(row["skill"], row["skill"]) for row in csv.DictReader(table)}
    losses, right = [], 0
    for key, line in test.items():
        _, predicted, *probabilities = line.split(",")
        p = dict(zip(classes, map(float, probabilities)))
        assert predicted == max(p, key=p.get)
        losses.append(-math.log(p[truth[key]]))
        right += predicted == truth[key]
    reports = []
    for ranks in (None, 3):
        result = program_("evaluate", "callcenter.yaml", "run", "--format", "json", "problem.success={}", cwd=folder, ranks=ranks).expect(DONE)
        reports.append(json.loads(result.out))
    assert reports[0] == reports[1]
    metrics = reports[0]["metrics"]
    assert reports[0]["rows"] == len(test)
    assert metrics["accuracy"] == right / len(test)
    # 9 digits of a float in each line: a relative 1e-8 of each probability is at most 1e-8 of a loss
    assert abs(metrics["log_loss"] - math.fsum(losses) / len(losses)) < 2e-8, (metrics["log_loss"], math.fsum(losses) / len(losses))


def the_output_is_the_same_file(program_, folder):
    folder = example(program_, folder, rows=CHUNKS)
    (folder / "calls.csv.gz").write_bytes(gzip.compress((folder / "calls.csv").read_bytes()))
    outputs = [scored(program_, folder, f"{source}-{ranks}.csv", source, ranks=ranks) for source in ("calls.csv", "calls.csv.gz") for ranks in (None, 2, 3)]
    program.assert_same_bytes(*outputs)
    ids = [line.split(",", 1)[0] for line in outputs[0].read_text().splitlines()[1:]]
    assert ids == [line.split(",", 1)[0] for line in (folder / "calls.csv").read_text().splitlines()[1:]], "not in the order of the input"
    outputs = [scored(program_, folder, f"all-{ranks}.csv", "callcenter.dataset.h5", ranks=ranks) for ranks in (None, 3)]
    program.assert_same_bytes(*outputs)
    outputs = [scored(program_, folder, f"{ranks}.h5", "calls.csv", ranks=ranks) for ranks in (None, 3)]
    program.assert_same_bytes(*outputs)


MANY = """\
project: many
problem: {task: classification, target: kind}
data: {tables: {rows: rows.csv}, split: {train: 0.6, validation: 0.2, test: 0.2}}
features: {a: number, b: number}
model: {learner: linear}
train: {epochs: 2, global_batch_size: 1024}
"""


def three_thousand_classes_are_judged(program_, folder):
    """The predictions of one part of a split, 4,096 rows of 3,000 classes, would be three times what one message may hold."""
    (folder / "p.yaml").write_text(MANY)
    (folder / "rows.csv").write_text("a,b,kind\n" + "".join(f"{i % 60},{i // 60 % 50},c{i % 3000}\n" for i in range(9000)))
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    program_("train", "p.yaml", "-o", "run", cwd=folder, ranks=2).expect(DONE)
    reports = []
    for ranks in (None, 3):
        result = program_("evaluate", "p.yaml", "run", "--format", "json", cwd=folder, ranks=ranks).expect(DONE)
        reports.append(json.loads(result.out))
    assert reports[0] == reports[1] == json.loads((folder / "run/metrics.json").read_text())
    (report, _), rows = reports, reports[0]["rows"]
    assert rows > 1400, rows                             # more than one message holds
    each = report["per_class"]
    assert len(each) == 3000 and sum(c["support"] for c in each) == sum(c["predicted"] for c in each) == rows
    assert report["metrics"]["accuracy"] == sum(c["correct"] for c in each) / rows
    assert "confusion" not in report and len(report["commonest_confusions"]) == 1000


program.main([a_row_alone_or_among_others, a_thousand_rows_singly_and_in_blocks, evaluation_judges_what_score_gives, the_output_is_the_same_file,
              three_thousand_classes_are_judged])
