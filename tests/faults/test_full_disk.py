"""A disk that is full, or a limit on the size of files: the right error, nothing half-written, the last good checkpoint stands and training goes on
from it to the same bytes.

Usage: test_full_disk.py BIN_FOLDER
As root the disk is a tmpfs of its own; the limit on files (RLIMIT_FSIZE) is tried by everybody."""

import contextlib
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import program  # noqa: E402
from program import DONE, FAILED  # noqa: E402

ROWS = 20000
TRAIN = ["train", "callcenter.yaml", "train.epochs=6", "train.early_stopping.patience=6", "train.checkpoint=1 rounds", "model.hidden=[256, 64]"]
NO_SPACE, TOO_LARGE = "No space left on device", "File too large"


@contextlib.contextmanager
def disk(folder, kib):
    """A disk of so many KiB, empty; None where it can't be had."""
    folder.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder], capture_output=True, check=False).returncode == 0
    if not mounted:
        print("        no disk of its own here: left to the limit on files", flush=True)
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


def grow(folder, kib):
    subprocess.run(["mount", "-o", f"remount,size={kib}k", folder], check=True)


class Example:
    def __init__(self, program_, folder):
        self.program, self.folder = program_, folder / "example"
        program.callcenter(program_, self.folder, ROWS)
        program_(*TRAIN, "-o", "whole", cwd=self.folder, ranks=2).expect(DONE)
        self.model = self.folder / "whole/model.h5"
        self.checkpoint_kib = (self.folder / "whole/checkpoint.h5").stat().st_size // 1024 + 1

    def inspect(self, path):
        self.program("inspect", path, cwd=self.folder).expect(DONE)


def two_checkpoints_stand_when_the_third_finds_no_room(program_, _folder, example):
    run = example.folder / "full"
    with disk(run, example.checkpoint_kib * 5 // 2 + 64) as there:
        if there is None:
            return
        result = program_(*TRAIN, "-o", "full", cwd=example.folder, ranks=2)
        result.expect(FAILED, "checkpoint full/checkpoint.h5 could not be written; the one before it stands", NO_SPACE)
        assert sorted(path.name for path in run.iterdir() if path.suffix != ".yaml") == ["checkpoint.h5", "checkpoint.h5.previous", "progress.jsonl"]
        for name in ("checkpoint.h5", "checkpoint.h5.previous"):
            example.inspect(run / name)
        program_(*TRAIN, "-o", "full", cwd=example.folder).expect(FAILED, "going on from", NO_SPACE)       # not until there is room
        grow(run, 64 * 1024)
        program_(*TRAIN, "-o", "full", cwd=example.folder, ranks=3).expect(DONE, "going on from full/checkpoint.h5")
        program.assert_same_bytes(example.model, run / "model.h5")


def a_checkpoint_past_the_limit_leaves_the_one_before(program_, _folder, example):
    run = example.folder / "limited"
    fault = {"FW_FAULTS": "train.after_checkpoint@hit=2,fail"}
    program_(*TRAIN, "-o", "limited", cwd=example.folder, env=fault).expect(FAILED)
    before = {name: (run / name).read_bytes() for name in ("checkpoint.h5", "checkpoint.h5.previous")}
    result = program_(*TRAIN, "-o", "limited", cwd=example.folder, file_limit=example.checkpoint_kib * 512)
    result.expect(FAILED, "checkpoint limited/checkpoint.h5 could not be written; the one before it stands", TOO_LARGE)
    assert before == {name: (run / name).read_bytes() for name in before}
    program_(*TRAIN, "-o", "limited", cwd=example.folder, ranks=2).expect(DONE, "going on from")
    program.assert_same_bytes(example.model, run / "model.h5")


def a_model_that_finds_no_room_can_be_saved_later(program_, _folder, example):
    late = [word if "checkpoint=" not in word else "train.checkpoint=6 rounds" for word in TRAIN]
    run = example.folder / "late"
    with disk(run, example.checkpoint_kib + 24) as there:                # the checkpoint of the last round fits, the model beside it does not
        if there is None:
            return
        program_(*late, "-o", "late", cwd=example.folder, ranks=2).expect(FAILED, "model.h5", NO_SPACE)
        assert not (run / "model.h5").exists()
        grow(run, 64 * 1024)
        program_(*late, "-o", "late", cwd=example.folder).expect(DONE, "going on from")
        program.assert_same_bytes(example.model, run / "model.h5")


def ingest_leaves_nothing_on_a_full_disk(program_, _folder, example):
    kib = (example.folder / "callcenter.dataset.h5").stat().st_size // 1024
    for share in (0.1, 0.5, 0.95, 1.3):                                   # the spools of the ranks, or the dataset itself
        with disk(example.folder / "small", int(kib * share)) as there:
            if there is None:
                break
            for ranks in (None, 2):
                before = {path.name: path.read_bytes() for path in there.iterdir()}      # the dataset, when the first had room
                result = program_("ingest", "callcenter.yaml", "-o", "small/d.h5", cwd=example.folder, ranks=ranks)
                assert result.code == FAILED or share > 1 and result.code == DONE, result
                if result.code == FAILED:
                    result.expect(FAILED, "small/d.h5")
                    assert before == {path.name: path.read_bytes() for path in there.iterdir()}, list(there.iterdir())
                    assert not before or share > 1, before.keys()
    (example.folder / "limit").mkdir()
    program_("ingest", "callcenter.yaml", "-o", "limit/d.h5", cwd=example.folder, file_limit=kib * 512).expect(FAILED, "limit/d.h5")
    assert not list((example.folder / "limit").iterdir())


def score_leaves_the_output_that_was_there(program_, _folder, example):
    for name in ("out.csv", "out.h5"):
        with disk(example.folder / "small", 300) as there:
            for place in ([there] if there is not None else []) + [example.folder]:
                (place / name).write_text("what was there\n")
                limit = None if place == there else 300 * 1024
                result = program_("score", "whole", "calls.csv", "-o", place / name, cwd=example.folder, file_limit=limit)
                result.expect(FAILED, name)
                assert (place / name).read_text() == "what was there\n"
                if limit is None:
                    program_("score", "whole", "calls.csv", "-o", place / name, cwd=example.folder, ranks=2).expect(FAILED, name)
                    assert [path.name for path in place.iterdir()] == [name]


def reports_and_projects_that_find_no_room_are_not_begun(program_, _folder, example):
    with disk(example.folder / "small", 20) as there:
        if there is None:
            return
        program_("evaluate", "callcenter.yaml", "whole", "-o", "small", "problem.success={}", cwd=example.folder).expect(FAILED, "report.html", NO_SPACE)
        assert not (there / "report.html").exists()
        program_("init", "--example", "callcenter", "small/example", "--rows", "2000", cwd=example.folder).expect(FAILED, "calls.csv", NO_SPACE)
        assert not list((there / "example").iterdir())


program.main([two_checkpoints_stand_when_the_third_finds_no_room, a_checkpoint_past_the_limit_leaves_the_one_before,
              a_model_that_finds_no_room_can_be_saved_later, ingest_leaves_nothing_on_a_full_disk, score_leaves_the_output_that_was_there,
              reports_and_projects_that_find_no_room_are_not_begun], prepare=Example)
