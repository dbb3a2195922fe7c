"""Quality in use: what `flywheel outcomes` publishes reaches a reader once, and what it refuses; what is estimated without outcomes against what scikit-learn says when
they are known, on bank-marketing and elec2: rows drawn at random, rows ordered by a column (the rows change, what follows from a row does not), and later rows, where both do.

Usage: test_quality.py BIN_FOLDER SOURCE_FOLDER. Skipped (77) without numpy, scikit-learn or the tables, but not under CI=true."""

import csv
import gzip
import json
import os
import pathlib
import random
import socket
import sys

try:
    import numpy as np
    from sklearn import metrics
except ImportError as error:
    print(f"skipped: {error.name} is missing (Debian: python3-sklearn)", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

from program import BAD_DATA, DONE, FAILED, USAGE, for_each, main

DATA = pathlib.Path(sys.argv[2]).parent / "shared" / "data"
WINDOW = 2000

PROJECT = """
project: {name}
problem: {{task: classification, target: {target}, positive: "{positive}"}}
data:
  tables: {{train: first.csv}}
  split: {{train: 0.6, validation: 0.4, test: 0, by: random, stratify: true, seed: 2}}
features: {features}
model: {{learner: mlp, hidden: [16]}}
train: {{epochs: 4, global_batch_size: 512, learning_rate: 0.01}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# --- the command

def outcomes_reach_a_reader_once(program_, folder):
    (folder / "o.csv").write_text("\n".join(["who,what,time", *(f"id-{i},{'yes' if i % 3 else ''},2026-01-02T03:04:05Z" for i in range(30000))]) + "\n")
    bus = f"tcp://127.0.0.1:{free_port()}"
    watch = program_.start("watch", bus, "--until-end", cwd=folder)
    program_("outcomes", "o.csv", "--model", "churn", "--bus", bus, "--id", "who", "--outcome", "what", cwd=folder).expect(DONE, "20000 outcomes published, 10000 rows without one")
    seen = [json.loads(line) for line in program_.finish(watch).out.splitlines()]
    assert [row["id"] for row in seen] == [f"id-{i}" for i in range(30000) if i % 3]
    assert all(row["outcome"] == "yes" and row["model"] == "churn" and row["time"] == "2026-01-02T03:04:05.000Z" for row in seen)


def kpi_events_wait_in_a_spool(program_, folder):
    (folder / "k.csv").write_text("id,value\n" + "".join(f"e{i},{i % 2}\n" for i in range(100)))
    bus = f"tcp://127.0.0.1:{free_port()}"
    kpi = ["--kpi", "callcenter/transfer_rate", "--bus", bus, "--spool", "spool"]
    program_("outcomes", "k.csv", *kpi, "--wait", "0.2", cwd=folder).expect(DONE, "100 events published")
    (folder / "k.csv").write_text("id,value\nlast,0.5\n")
    watch = program_.start("watch", bus, "--seconds", "4", cwd=folder)
    program_("outcomes", "k.csv", *kpi, cwd=folder).expect(DONE, "1 events published")
    seen = [json.loads(line) for line in program_.finish(watch).out.splitlines()]
    assert [(row["kpi"], row["id"], row["value"]) for row in seen] == [("transfer_rate", f"e{i}", i % 2) for i in range(100)] + [("transfer_rate", "last", 0.5)], seen


def bad_use_is_told(program_, folder):
    (folder / "o.csv").write_text("id,outcome\n1,yes\n,no\n")
    (folder / "k.csv").write_text("id,value\n1,many\n")
    bus = ["--bus", f"tcp://127.0.0.1:{free_port()}", "--spool", "spool", "--wait", "0.1"]
    cases = [
        ("of what", ["o.csv"], USAGE, "--model NAME, or --kpi"),
        ("of two", ["o.csv", "--model", "m", "--kpi", "p/k"], USAGE, "--model NAME, or --kpi"),
        ("no project", ["o.csv", "--kpi", "k"], USAGE, "PROJECT/NAME"),
        ("no column", ["o.csv", "--model", "m", "--id", "name"], USAGE, "no column 'name'"),
        ("no time", ["o.csv", "--model", "m", "--time", "when"], USAGE, "no column 'when'"),
        ("no file", ["none.csv", "--model", "m"], USAGE, "none.csv"),
        ("no id", ["o.csv", "--model", "m", *bus], BAD_DATA, "row 2 has no id"),
        ("no number", ["k.csv", "--kpi", "p/k", *bus], BAD_DATA, "many"),
        ("nobody there", ["o.csv", "--model", "m", "--wait", "0.2", "--bus", f"tcp://127.0.0.1:{free_port()}"], FAILED, "nobody has listened"),
    ]
    for_each(cases, lambda name, args, code, words: program_("outcomes", *args, cwd=folder).expect(code, words))


# --- estimates on real tables

def fresh(folder, name):
    (folder / name).mkdir()
    return folder / name



def rows_of(path):
    with (gzip.open(path, "rt") if path.suffix == ".gz" else path.open()) as f:
        return list(csv.reader(f, delimiter=";" if "bank" in path.name else ","))


def estimated_and_realised(program_, folder, path, name, target, positive, features, first, order="later"):
    """A model of the first rows; then windows of the others. order: "later", "random", or the column by which they are ordered. Errors of the estimates, and of who
    believes that all is as in the reference."""
    header, *rows = rows_of(path)
    if order != "later":
        random.Random(4).shuffle(rows)
        cut, by = int(first * len(rows)), header.index(order) if order != "random" else None
        rows[cut:] = rows[cut:] if by is None else sorted(rows[cut:], key=lambda row: float(row[by]))
    cut = int(first * len(rows))
    for part, some in (("first.csv", rows[:cut]), ("later.csv", rows[cut:])):
        with (folder / part).open("w", newline="") as f:
            csv.writer(f).writerows([header, *some])
    (folder / "p.yaml").write_text(PROJECT.format(name=name, target=target, positive=positive, features=features))
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    program_("train", "p.yaml", "-o", "run", cwd=folder).expect(DONE)
    program_("score", "run/model.h5", "later.csv", "-o", "p.csv", cwd=folder).expect(DONE)
    with (folder / "p.csv").open(newline="") as f:
        scored = list(csv.reader(f))
    names, scored = scored[0], scored[1:]
    labels = [i for i, column in enumerate(names) if column.startswith("p_") or column.startswith("probability")]
    said_at = next(i for i, column in enumerate(names) if column in ("prediction", "label", target))
    said = [row[said_at] for row in scored]
    p = np.array([[float(row[i]) for i in labels] for row in scored])
    (folder / "w.txt").write_text("".join(f"{s} {' '.join(map(repr, map(float, q)))}\n" for s, q in zip(said, p)))
    run = program_.bin / "estimate_windows"
    windows = [json.loads(line) for line in os.popen(f"'{run}' '{folder}/run/model.h5' '{folder}/w.txt' {WINDOW}")]
    truth = np.array([row[header.index(target)] for row in rows[cut:]]) == positive
    score = p[:, [names[i].endswith(positive) for i in labels].index(True)]
    described = json.loads(program_("inspect", "run", "--format", "json", cwd=folder).expect(DONE).out)
    reference = {m["name"]: m["value"] for m in described["reference_metrics"]}
    table = {"accuracy": [], "auc": []}
    for k, window in enumerate(windows):
        here = slice(k * WINDOW, (k + 1) * WINDOW)
        table["accuracy"].append((window["accuracy"][0], ((score[here] > 0.5) == truth[here]).mean()))
        table["auc"].append((window["auc"][0], metrics.roc_auc_score(truth[here], score[here])))
    assert len(windows) == len(truth) // WINDOW
    found = {}
    for metric, pairs in table.items():
        pairs = np.array(pairs)
        found[metric] = np.abs(pairs[:, 0] - pairs[:, 1]).mean()
        print(f"{name}: {metric} of {len(pairs)} windows of {WINDOW}, {order}: reference {reference[metric]:.3f}; realised {pairs[:, 1].min():.3f} to {pairs[:, 1].max():.3f}; "
              f"mean absolute error of the estimate {found[metric]:.3f}, of the reference {np.abs(reference[metric] - pairs[:, 1]).mean():.3f}")
    return found


def on_bank_marketing(program_, folder):
    path, features = DATA / "bank-marketing" / "bank-full.csv.gz", '{"*": auto, duration: ignore}'
    for order, limit in (("random", 0.03), ("age", 0.04), ("later", None)):      # 230 positives a window: auc varies by 0.018
        found = estimated_and_realised(program_, fresh(folder, order), path, "bank", "y", "yes", features, 0.7, order)
        assert limit is None or max(found.values()) <= limit, (order, found)


def on_elec2(program_, folder):
    path, features = DATA / "elec2" / "electricity.csv", '{"*": auto, date: ignore}'
    for order, limit in (("random", 0.015), ("nswdemand", 0.03), ("later", None)):
        found = estimated_and_realised(program_, fresh(folder, order), path, "elec2", "class", "UP", features, 1 / 3, order)
        assert limit is None or max(found.values()) <= limit, (order, found)


main([outcomes_reach_a_reader_once, kpi_events_wait_in_a_spool, bad_use_is_told, on_bank_marketing, on_elec2])
