"""Each named place of the code is made to fail, or the process is killed there: one error, nothing half-written, and the next attempt ends in the same bytes.

Usage: test_fault_points.py BIN_FOLDER [all]
all: each place on each rank at more than one hit."""

import pathlib
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import program  # noqa: E402
from program import DONE, FAILED, RANK_LOST  # noqa: E402

ALL = "all" in sys.argv[2:]
ROWS = 2000
AT_ONCE = 3                        # cases side by side, each in a folder of its own
CHUNKS = 50000                     # rows that fill two chunks of a table: each of two ranks reads one
KILLED = (RANK_LOST, 128 + signal.SIGKILL)
TRAIN = ["train.epochs=6", "train.early_stopping.patience=6", "train.checkpoint=1 rounds"]

CHECKPOINT = ["before_write", "before_seal", "before_verify", "before_rename", "after_rename"]
FILE = ["before_write", "before_fsync", "before_rename", "after_rename"]
# (point, rank, hit). A thread writes the checkpoints; one that is due while another is being written waits, so that a run has two or more: after the
# first round and after the last. Rank 0 writes resolved.yaml first: the 2nd and 3rd file of a run are checkpoints.
EVERYWHERE = [
    *((f"checkpoint.{point}", 0, hit) for point in CHECKPOINT for hit in (1, 2)),
    *((f"fs.{point}", 0, hit) for point in FILE for hit in (1, 2, 3)),
    *(("train.after_checkpoint", rank, 2) for rank in (0, 1)),
]
KILL_TRAINING = EVERYWHERE if ALL else [
    *((f"checkpoint.{point}", 0, 2) for point in CHECKPOINT), ("fs.before_rename", 0, 3), ("fs.after_rename", 0, 3), ("train.after_checkpoint", 1, 2)]
FAIL_TRAINING = EVERYWHERE if ALL else [
    ("checkpoint.before_write", 0, 2), ("checkpoint.before_verify", 0, 1), ("checkpoint.after_rename", 0, 2), ("fs.before_fsync", 0, 1),
    ("fs.before_fsync", 0, 3), ("train.after_checkpoint", 1, 2)]
# With one checkpoint, after the last round, model.h5 is the 3rd file.
ONE_CHECKPOINT = [word if "checkpoint=" not in word else "train.checkpoint=6 rounds" for word in TRAIN]
MODEL = [(f"fs.{point}", 0, 3) for point in (FILE if ALL else ("before_fsync", "before_rename"))]
INGEST = [(point, rank, 1) for point in ("ingest.chunk", "ingest.distribute", "ingest.write_block", "ingest.before_rename") for rank in ((0, 1) if ALL else (1,))]
OUTPUT = [(f"fs.{point}", 0, 1) for point in (FILE if ALL else ("before_fsync", "before_rename"))]


class Example:
    def __init__(self, program_, folder):
        self.program, self.folder = program_, folder / "example"
        self.project, self.chunks = self.folder / "callcenter.yaml", self.folder / "chunks/callcenter.yaml"
        program.callcenter(program_, self.folder, ROWS)
        program.callcenter(program_, self.folder / "chunks", CHUNKS)
        program_("train", self.project, *TRAIN, "-o", "whole", cwd=self.folder, ranks=2).expect(DONE)
        program_("score", "whole", "calls.csv", "-o", "whole.csv", cwd=self.folder).expect(DONE)

    def fresh(self):
        return pathlib.Path(tempfile.mkdtemp(prefix="case-", dir=self.folder.parent))

    def run(self, *args, fault, cwd, ranks=2):
        """With a schedule: made to fail, it ends with 1 and leaves nothing; killed, it ends as a job that has lost a rank."""
        point, rank, hit, action = fault
        env = {"FW_FAULTS": f"{point}@rank={rank},hit={hit},{action}"}
        result = self.program(*args, cwd=cwd, ranks=ranks, env=env, may_die=action == "kill")
        if action == "fail":
            result.expect(FAILED, point, "made to fail by FW_FAULTS")
        else:
            assert result.code in KILLED and result.err.count("a rank was lost") == 1, result
        return result


def cases(points, action):
    return [(f"{point} on rank {rank}, hit {hit}, {action}", (point, rank, hit, action)) for point, rank, hit in points]


def training_goes_on_in_the_same_bytes(program_, _folder, example):
    def check(_name, fault):
        here, command = example.fresh(), ["train", example.project, *TRAIN, "-o", "run"]
        example.run(*command, fault=fault, cwd=here)
        if not (here / "run/model.h5").exists():
            program_(*command, cwd=here, ranks=3).expect(DONE, *(["going on from"] if fault[2] > 1 else []))
        program.assert_same_bytes(example.folder / "whole/model.h5", here / "run/model.h5")

    program.for_each(cases(FAIL_TRAINING, "fail") + cases(KILL_TRAINING, "kill"), check, AT_ONCE)


def a_model_that_was_not_saved_is_saved_later(program_, _folder, example):
    def check(_name, fault):
        here, command = example.fresh(), ["train", example.project, *ONE_CHECKPOINT, "-o", "run"]
        example.run(*command, fault=fault, cwd=here)
        assert fault[0] == "fs.after_rename" or not (here / "run/model.h5").exists()
        if not (here / "run/model.h5").exists():
            program_(*command, cwd=here, ranks=3).expect(DONE, "going on from")
        program.assert_same_bytes(example.folder / "whole/model.h5", here / "run/model.h5")

    program.for_each(cases(MODEL, "fail") + cases(MODEL, "kill"), check, AT_ONCE)


def ingest_leaves_no_dataset_or_the_whole_one(program_, _folder, example):
    good = example.folder / "chunks/callcenter.dataset.h5"

    def check(_name, fault):
        here = example.fresh()
        example.run("ingest", example.chunks, "-o", "d.h5", fault=fault, cwd=here)
        assert not (here / "d.h5").exists()
        assert fault[3] == "kill" or not list(here.iterdir()), list(here.iterdir())
        program_("ingest", example.chunks, "-o", "d.h5", cwd=here, ranks=3, may_die=True).expect(DONE)
        program.assert_same_bytes(good, here / "d.h5")
        shutil.rmtree(here)

    program.for_each(cases(INGEST, "fail") + cases(INGEST, "kill"), check, AT_ONCE)


def score_leaves_the_output_that_was_there(program_, _folder, example):
    def check(_name, output, fault):
        here, command = example.fresh(), ["score", example.folder / "whole", example.folder / "calls.csv", "-o", output]
        (here / output).write_text("what was there\n")
        example.run(*command, fault=fault, cwd=here)
        if fault[0] != "fs.after_rename":
            assert (here / output).read_text() == "what was there\n"
        for left in here.glob(f"{output}.tmp.*"):
            left.unlink()
        program_(*command, cwd=here, ranks=2).expect(DONE)
        if output == "out.csv":
            program.assert_same_bytes(example.folder / "whole.csv", here / output)

    program.for_each([(f"{name}, {output}", output, fault) for output in ("out.csv", "out.h5") for action in ("fail", "kill")
                      for name, fault in cases(OUTPUT, action)], check, AT_ONCE)


def a_malformed_schedule_is_refused(program_, _folder, example):
    for schedule in ("fs.before_write", "fs.before_write@explode", "@kill", "fs.before_write@hit=0,kill"):
        result = program_("ingest", "callcenter.yaml", "-o", "d.h5", cwd=example.folder, env={"FW_FAULTS": schedule})
        result.expect(program.USAGE, "FW_FAULTS")


program.main([training_goes_on_in_the_same_bytes, a_model_that_was_not_saved_is_saved_later, ingest_leaves_no_dataset_or_the_whole_one, score_leaves_the_output_that_was_there,
              a_malformed_schedule_is_refused], prepare=Example)
