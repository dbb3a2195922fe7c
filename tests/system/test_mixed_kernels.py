"""Law 1 on a cluster of different CPUs: whatever kernels each rank runs, the dataset, the model, its judgement and its predictions are the same bytes.

FW_KERNELS takes the place of the CPU for the kernels of common/core/kernels.h, GLIBC_TUNABLES for those that the C library chooses. What the loader chooses
(common/core/targets.h) has the same bits by construction: one source without contraction or reordering.

Usage: test_mixed_kernels.py BIN_FOLDER"""

import csv
import json
import pathlib

import program
from program import DONE, USAGE

ROWS = 800
LEARNERS = [
    ("gelu, adamw, dropout", ["model.activation=gelu", "model.dropout=0.2", "train.optimizer=adamw", "train.weight_decay=0.01"]),
    ("tanh, sgd with momentum", ["model.activation=tanh", "train.optimizer=sgd", "train.momentum=0.9", "train.learning_rate=0.05", "train.global_batch_size=97"]),
]
NO_FMA = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX2,-FMA,-FMA4"}      # of libm and libc


def has(name):
    flags = {"avx512": ("avx512f", "avx512dq"), "avx2": ("avx2", "fma"), "portable": ()}[name]
    words = pathlib.Path("/proc/cpuinfo").read_text().split()
    return all(flag in words for flag in flags)


HERE = [name for name in ("avx512", "avx2", "portable") if has(name)]


class Mixed(program.Program):
    """Each rank with kernels of its own: mpirun with one context a rank; a single rank without mpirun."""

    def __init__(self, plain, kernels):
        super().__init__(plain.bin)
        self.kernels = kernels

    def command(self, args, ranks):
        words = ["mpirun"] if len(self.kernels) > 1 else []
        for rank, name in enumerate(self.kernels):
            words += ([":"] if rank > 0 else []) + (["-n", "1"] if words else []) + ["env", f"FW_KERNELS={name}", self.bin / "flywheel", *args]
        return words


def alone(plain, name):
    return Mixed(plain, [name])


def mixtures(plain):
    """One rank of each kind, then ranks that differ, the slowest first and last."""
    both = [[HERE[0], HERE[-1]], [HERE[-1], *HERE]] if len(HERE) > 1 else []
    return [(name, alone(plain, name)) for name in HERE] + [("+".join(names), Mixed(plain, names)) for names in both]


def trained(ranks, folder, name, *overrides, code=DONE, env=None):
    ranks("train", "callcenter.yaml", "-o", name, *overrides, cwd=folder, env=env).expect(code)
    return folder / name / "model.h5"


def the_dataset_and_the_model_are_the_same_files(plain, folder):
    folder = folder / "example"
    program.callcenter(plain, folder, ROWS)
    for label, ranks in mixtures(plain):
        ranks("ingest", "callcenter.yaml", "-o", f"{label}.h5", cwd=folder).expect(DONE)
        program.assert_same_bytes(folder / "callcenter.dataset.h5", folder / f"{label}.h5")

    def check(name, overrides):
        overrides = ["train.epochs=2", *overrides]
        models = [trained(ranks, folder, f"{name}-{label}", *overrides) for label, ranks in mixtures(plain)]
        models.append(trained(alone(plain, "portable"), folder, f"{name}-no-fma", *overrides, env=NO_FMA))
        program.assert_same_bytes(*models)

    program.for_each(LEARNERS, check)


def judgement_and_predictions_are_the_same(plain, folder):
    folder = folder / "example"
    program.callcenter(plain, folder, ROWS)
    trained(alone(plain, HERE[0]), folder, "run", "train.epochs=3", "model.activation=gelu")
    judged, scores = [], []
    for label, ranks in mixtures(plain):
        result = ranks("evaluate", "callcenter.yaml", "run", "--format", "json", cwd=folder)
        assert result.code in (DONE, program.CHECK_SAYS_NO), result
        judged.append(json.loads(result.out))
        ranks("score", "run", "calls.csv", "-o", f"{label}.csv", cwd=folder).expect(DONE)
        scores.append(folder / f"{label}.csv")
    assert all(one == judged[0] for one in judged) and judged[0]["metrics"], judged
    program.assert_same_bytes(*scores)
    with scores[0].open() as lines:
        assert len(list(csv.reader(lines))) == ROWS + 1


def a_checkpoint_goes_on_on_other_kernels(plain, folder):
    """Killed behind its first checkpoint, on each mixture; goes on on the next one, the last on the first."""
    folder = folder / "example"
    program.callcenter(plain, folder, ROWS)
    settings = ["train.epochs=3", "model.activation=gelu", "train.optimizer=adam", "model.dropout=0.2", "train.checkpoint=1 rounds"]
    whole = trained(alone(plain, HERE[0]), folder, "whole", *settings)
    kill = {"FW_FAULTS": "train.after_checkpoint@hit=1,kill"}
    kinds = mixtures(plain)
    for (first, start), (then, go_on) in zip(kinds, kinds[1:] + kinds[:1]):
        name = f"{first}-{then}"
        killed = start("train", "callcenter.yaml", "-o", name, *settings, cwd=folder, may_die=True, env=kill)
        assert killed.code != DONE and (folder / name / "checkpoint.h5").exists(), killed
        trained(go_on, folder, name, *settings)
        assert '"resume"' in (folder / name / "progress.jsonl").read_text(), f"{name} began anew"
        program.assert_same_bytes(whole, folder / name / "model.h5")


def kernels_that_are_not_here_are_refused(plain, folder):
    program.write_small(folder)
    plain("ingest", "p.yaml", cwd=folder).expect(DONE)
    for ranks in (None, 2):
        plain("train", "p.yaml", "-o", "run", cwd=folder, ranks=ranks, env={"FW_KERNELS": "abacus"}).expect(
            USAGE, 'rank 0', 'FW_KERNELS: "abacus" is not one of avx512, avx2, portable', "unset it")
    plain("check", "p.yaml", cwd=folder, env={"FW_KERNELS": "abacus"}).expect(USAGE, "FW_KERNELS")
    Mixed(plain, ["portable", "abacus"])("train", "p.yaml", "-o", "run", cwd=folder).expect(USAGE, "rank 1", '"abacus"')
    assert not (folder / "run").exists(), "nothing was started"


program.main([the_dataset_and_the_model_are_the_same_files, judgement_and_predictions_are_the_same, a_checkpoint_goes_on_on_other_kernels,
              kernels_that_are_not_here_are_refused])
