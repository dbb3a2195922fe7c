"""Law 1: the dataset and the model depend on the data, the project file and the seed alone, to the byte: not on ranks nor on the nodes they stand on.

Usage: test_same_bits.py BIN_FOLDER"""

import random

import program
from program import DONE

ROWS = 3000
CHUNKS = 100000                    # rows that fill three chunks of a table: each of three ranks reads one
RANKS = [1, 2, 3, 5]
NODES = {"FW_TEST_NODE_RANKS": "2"}        # 4 ranks as two nodes of two

LEARNERS = [
    ("mlp with dropout", ["model.dropout=0.2"]),
    ("gelu, adamw, cosine, warm-up", ["model.activation=gelu", "train.optimizer=adamw", "train.weight_decay=0.01", "train.schedule={kind: cosine, warmup_epochs: 1}"]),
    ("tanh, sgd with momentum, steps", ["model.activation=tanh", "train.optimizer=sgd", "train.momentum=0.9", "train.learning_rate=0.05",
                                        "train.schedule={kind: step, step_epochs: 1, step_factor: 0.5}"]),
    ("linear with l1", ["model={learner: linear}", "train.l1=0.001"]),
    ("linear, leaf by leaf, the last one short", ["model={learner: linear}", "train.global_batch_size=397", "train.leaf_rows=16", "train.epochs=1"]),
    ("balanced classes, l2, one deep net", ["model.hidden=[24, 16, 8]", "train.class_weights=balanced", "train.l2=0.0001"]),
    ("batches that no leaf divides", ["train.global_batch_size=97", "model.dropout=0.2"]),
    ("wide layers, whose gradients a node's ranks share", ["model.hidden=[300, 280]", "train.global_batch_size=128", "train.leaf_rows=16", "train.epochs=1"]),
    ("leaves of one row", ["train.global_batch_size=32", "train.leaf_rows=1", "train.epochs=1"]),
]


def train(program_, folder, name, *overrides, ranks=None, env=None, project="callcenter.yaml"):
    program_("train", project, "-o", name, *overrides, cwd=folder, ranks=ranks, env=env).expect(DONE)
    return folder / name / "model.h5"


def the_dataset_is_the_same_file(program_, folder):
    folder = folder / "example"
    program.callcenter(program_, folder, CHUNKS)
    for ranks in RANKS[1:]:
        program_("ingest", "callcenter.yaml", "-o", f"{ranks}.h5", cwd=folder, ranks=ranks).expect(DONE)
        program_("diff", "callcenter.dataset.h5", f"{ranks}.h5", cwd=folder).expect(DONE)
        program.assert_same_bytes(folder / "callcenter.dataset.h5", folder / f"{ranks}.h5")


def the_model_is_the_same_file(program_, folder):
    folder = folder / "example"
    program.callcenter(program_, folder, ROWS)

    def check(name, overrides):
        overrides = ["train.epochs=3", *overrides]
        models = [train(program_, folder, f"{name}-{ranks}", *overrides, ranks=ranks) for ranks in RANKS]
        models.append(train(program_, folder, f"{name}-nodes", *overrides, ranks=4, env=NODES))
        program.assert_same_bytes(*models)

    program.for_each(LEARNERS, check)


def the_model_of_a_regression_is_the_same_file(program_, folder):
    draw = random.Random(5)
    rows = []
    for i in range(700):
        x, z = draw.gauss(0, 1), draw.uniform(-2, 2)
        rows.append(f"{i},{x:.5f},{z:.5f},{draw.choice('uvw')},{3 * x - z * z + draw.gauss(0, 0.1):.6f}")
    (folder / "rows.csv").write_text("id,x,z,group,y\n" + "\n".join(rows) + "\n")
    (folder / "p.yaml").write_text("project: small\nproblem: {task: regression, target: y}\ndata: {tables: {rows: rows.csv}, id: id}\n"
                                   "model: {learner: mlp, hidden: [16], activation: tanh}\ntrain: {epochs: 4, global_batch_size: 50}\n")
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    models = [train(program_, folder, f"{ranks}", ranks=ranks, project="p.yaml") for ranks in RANKS]
    models.append(train(program_, folder, "nodes", ranks=4, env=NODES, project="p.yaml"))
    program.assert_same_bytes(*models)


def two_seeds_are_two_models(program_, folder):
    folder = folder / "example"
    program.callcenter(program_, folder, ROWS)
    one, two = (train(program_, folder, f"seed{seed}", "train.epochs=1", f"train.seed={seed}") for seed in (1, 2))
    again = train(program_, folder, "again", "train.epochs=1", "train.seed=1")
    assert not program.same_bytes(one, two)
    program.assert_same_bytes(one, again)
    program_("diff", one, again, cwd=folder).expect(DONE)
    result = program_("diff", one, two, cwd=folder)
    assert result.code == program.CHECK_SAYS_NO, result


program.main([the_dataset_is_the_same_file, the_model_is_the_same_file, the_model_of_a_regression_is_the_same_file, two_seeds_are_two_models])
