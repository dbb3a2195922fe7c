"""Datasets, checkpoints and models that are cut short, flipped in one bit, of a newer version, or something else: 4, no crash, nothing believed.

Usage: test_damaged_file.py BIN_FOLDER [EVERY]
EVERY: in how many bytes one bit is flipped (default 499); smaller takes longer."""

import shutil
import subprocess
import sys

import program
from program import BAD_DATA, DONE, USAGE, small_rows

EVERY = int(sys.argv[2]) if len(sys.argv) > 2 else 499
HEAD = 512                        # the head of each file; HDF5's own bytes begin behind it
DATASET = "small.dataset.h5"


def trained(program_, folder):
    """A dataset, two generations of a checkpoint, and the model after four rounds."""
    program.write_small(folder)
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    program_("train", "p.yaml", "-o", "run", *RUN, cwd=folder).expect(DONE)


RUN = ["train.epochs=4", "train.checkpoint=1 rounds"]


def cuts(size):
    """Nothing, within the magic, within the head, its end, and sixteen places of the rest, up to one byte too few."""
    return sorted({0, 4, 8, 100, HEAD - 1, HEAD, HEAD + 1, size - 1, *(HEAD + i * (size - HEAD) // 16 for i in range(1, 16))})


def damaged(good, every):
    """(what was done to it, the bytes), one after the other."""
    for n in cuts(len(good)):
        yield f"cut to {n} of {len(good)} bytes", good[:n]
    yield "a byte more", good + b"\0"
    for at in range(0, len(good), every):
        flipped = bytearray(good)
        flipped[at] ^= 1 << at % 8
        yield f"bit {at % 8} of byte {at} of {len(good)}", bytes(flipped)


def no_damaged_model_or_checkpoint_is_believed(program_, folder):
    trained(program_, folder)
    for name in ("model", "checkpoint"):
        bad = folder / f"{name}.h5"
        good = (folder / "run" / bad.name).read_bytes()

        def check(_what, content):
            bad.write_bytes(content)
            program_("inspect", bad.name, cwd=folder).expect(BAD_DATA, bad.name)

        program.for_each(list(damaged(good, max(1, EVERY // 8))), check)
        bad.write_bytes(good)
        program_("inspect", bad.name, cwd=folder).expect(DONE)


def a_damaged_model_predicts_nothing(program_, folder):
    trained(program_, folder)
    good = (folder / "run/model.h5").read_bytes()
    for ranks, content in [(None, good[: len(good) // 2]), (2, good[:-1]), (2, good[:600] + bytes([good[600] ^ 1]) + good[601:])]:
        (folder / "bad.h5").write_bytes(content)
        program_("score", "bad.h5", "rows.csv", "-o", "out.csv", cwd=folder, ranks=ranks).expect(BAD_DATA, "bad.h5")
        program_("evaluate", "p.yaml", "bad.h5", "-o", "judged", cwd=folder, ranks=ranks).expect(BAD_DATA, "bad.h5")
        assert not (folder / "out.csv").exists() and not (folder / "judged").exists()


def a_damaged_dataset_trains_nothing(program_, folder):
    """A bit that stands for nothing may pass: then the model is the same to the byte."""
    trained(program_, folder)
    good = (folder / DATASET).read_bytes()
    refused = 0

    def check(_what, content):
        nonlocal refused
        (folder / "bad.h5").write_bytes(content)
        result = program_("train", "p.yaml", "data.dataset=bad.h5", "-o", "again", *RUN, cwd=folder)
        if result.code == DONE:
            program.assert_same_bytes(folder / "run/model.h5", folder / "again/model.h5")
        else:
            result.expect(BAD_DATA, "bad.h5")
            refused += 1
            assert not (folder / "again/model.h5").exists()
        shutil.rmtree(folder / "again", ignore_errors=True)

    cases = list(damaged(good, EVERY))
    program.for_each(cases, check)
    assert refused > len(cases) * 3 // 4, f"only {refused} of {len(cases)} were refused"
    (folder / "bad.h5").write_bytes(good[: len(good) // 2])
    program_("train", "p.yaml", "data.dataset=bad.h5", "-o", "again", cwd=folder, ranks=3).expect(BAD_DATA, "bad.h5")
    program_("score", "run", "bad.h5", "-o", "out.csv", cwd=folder, ranks=2).expect(BAD_DATA, "bad.h5")


def a_damaged_checkpoint_gives_way_to_the_one_before(program_, folder):
    trained(program_, folder)
    run = folder / "run"
    model = (run / "model.h5").rename(folder / "whole.h5")
    good = (run / "checkpoint.h5").read_bytes()
    for content in (good[: len(good) // 2], good[:700] + bytes([good[700] ^ 4]) + good[701:], b""):
        (run / "checkpoint.h5").write_bytes(content)
        program_("train", "p.yaml", "-o", "run", *RUN, cwd=folder, ranks=2).expect(DONE, "checkpoint.h5", "going on from the checkpoint before it", "round 4")
        program.assert_same_bytes(model, run / "model.h5")
        (run / "model.h5").unlink()
    for name in ("checkpoint.h5", "checkpoint.h5.previous"):
        (run / name).write_bytes(good[:-1])
    program_("train", "p.yaml", "-o", "run", *RUN, cwd=folder, ranks=2).expect(BAD_DATA, "checkpoint.h5")
    program_("train", "p.yaml", "-o", "run", "--resume", "never", *RUN, cwd=folder).expect(DONE)
    program.assert_same_bytes(model, run / "model.h5")


def other_versions_are_refused_as_such(program_, folder):
    trained(program_, folder)
    for name, kind, version, command, older in [
        ("run/model.h5", "model", 3, ["score", "run", "rows.csv", "-o", "out.csv"], None),      # versions 1 and 2 are read
        ("run/checkpoint.h5", "checkpt", 2, ["train", "p.yaml", "--resume", "run/checkpoint.h5", "-o", "other", *RUN], "start a new run"),
        (DATASET, "dataset", 2, ["train", "p.yaml", "-o", "new", *RUN], None),      # the version of its content stands in its manifest
    ]:
        good = (folder / name).read_bytes()
        subprocess.run([program_.bin / "stamp_version", name, kind, str(version)], cwd=folder, check=True)
        assert (folder / name).read_bytes() == good
        if older is not None:
            subprocess.run([program_.bin / "stamp_version", name, kind, "1"], cwd=folder, check=True)
            program_(*command, cwd=folder).expect(BAD_DATA, "version 1", older)
        subprocess.run([program_.bin / "stamp_version", name, kind, "999"], cwd=folder, check=True)
        program_(*command, cwd=folder).expect(BAD_DATA, "version 999", "use a newer flywheel")
        program_("inspect", name, cwd=folder).expect(BAD_DATA, "version 999", "use a newer flywheel")
        (folder / name).write_bytes(good)


def files_of_another_kind_are_told_apart(program_, folder):
    trained(program_, folder)
    (folder / "new").mkdir()
    shutil.copy(folder / DATASET, folder / "new/model.h5")
    program_("score", "new", "rows.csv", "-o", "out.csv", cwd=folder).expect(BAD_DATA, 'kind "dataset"', '"model" is needed')
    program_("train", "p.yaml", "data.dataset=run/model.h5", "-o", "other", cwd=folder).expect(BAD_DATA, 'kind "model"')
    program_("train", "p.yaml", "--resume", "run/model.h5", "-o", "other", *RUN, cwd=folder).expect(BAD_DATA, 'kind "model"')
    program_("score", "rows.csv", "rows.csv", "-o", "out.csv", cwd=folder).expect(BAD_DATA, "rows.csv is not a flywheel file")
    result = program_("train", "p.yaml", "--resume", "run/checkpoint.h5", "-o", "other", *RUN, "train.seed=9", cwd=folder, ranks=2)
    result.expect(USAGE, "other settings")
    program.write_small(folder, rows=small_rows(seed=2))
    program_("ingest", "p.yaml", "-o", "other.h5", cwd=folder).expect(DONE)
    program_("train", "p.yaml", "--resume", "run/checkpoint.h5", "data.dataset=other.h5", "-o", "third", *RUN, cwd=folder).expect(BAD_DATA, "was written for dataset")


program.main([no_damaged_model_or_checkpoint_is_believed, a_damaged_model_predicts_nothing, a_damaged_dataset_trains_nothing,
              a_damaged_checkpoint_gives_way_to_the_one_before, other_versions_are_refused_as_such, files_of_another_kind_are_told_apart])
