"""Each named place of the code is made to fail, or the process is killed there: one error, nothing half-written, and the next attempt ends in the same bytes.

Usage: test_fault_points.py BIN_FOLDER [all]
all: each place on each rank at more than one hit."""

import json
import pathlib
import re
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

# Each place of the code stands here by its name (tests/lint/faults.sh), or in ELSEWHERE with the test that has it.
ELSEWHERE = {"rows.before_rename": "ranks/test_rows_file.c", "store.before_commit": "unit/test_store_faults.c", "recording.before_write": "unit/test_recording.c"}
CHECKPOINT = ["checkpoint.before_write", "checkpoint.before_seal", "checkpoint.before_verify", "checkpoint.before_rename", "checkpoint.after_rename"]
FILE = ["fs.before_write", "fs.before_fsync", "fs.before_rename", "fs.after_rename"]
# (point, rank, hit). A thread writes the checkpoints; one that is due while another is being written waits, so that a run has two or more: after the
# first round and after the last. Rank 0 writes resolved.yaml first: the 2nd and 3rd file of a run are checkpoints.
EVERYWHERE = [
    *((point, 0, hit) for point in CHECKPOINT for hit in (1, 2)),
    *((point, 0, hit) for point in FILE for hit in (1, 2, 3)),
    *((point, rank, hit) for rank in (0, 1) for point, hit in (("train.after_checkpoint", 2), ("save.reference", 1), ("open.rows", 1))),
]
STEPS = [("train.step", rank, 2) for rank in (0, 1)]      # the ranks agree on no failure there
KILL_TRAINING = EVERYWHERE + STEPS if ALL else [
    *((point, 0, 2) for point in CHECKPOINT), ("fs.before_rename", 0, 3), ("fs.after_rename", 0, 3), ("train.after_checkpoint", 1, 2), ("save.reference", 0, 1),
    STEPS[1]]
FAIL_TRAINING = EVERYWHERE if ALL else [
    ("checkpoint.before_write", 0, 2), ("checkpoint.before_verify", 0, 1), ("checkpoint.after_rename", 0, 2), ("fs.before_fsync", 0, 1),
    ("fs.before_fsync", 0, 3), ("train.after_checkpoint", 1, 2), ("save.reference", 1, 1), ("open.rows", 1, 1)]
# With one checkpoint, after the last round, model.h5 is the 3rd file.
ONE_CHECKPOINT = [word if "checkpoint=" not in word else "train.checkpoint=6 rounds" for word in TRAIN]
MODEL = [(point, 0, 3) for point in (FILE if ALL else FILE[1:3])]
INGEST = [(point, rank, 1) for point in ("ingest.chunk", "ingest.distribute", "ingest.write_block", "ingest.before_rename") for rank in ((0, 1) if ALL else (1,))]
OUTPUT = [(point, 0, 1) for point in ([*FILE, "score.block"] if ALL else [*FILE[1:3], "score.block"])]
EVALUATE = [("evaluate.part", rank, 1) for rank in (0, 1)]
SPOOL = [("spool.before_write", 1), ("spool.before_sync", 1), *((("spool.before_write", 3), ("spool.before_sync", 2)) if ALL else ())]


def checkpoints_before(point, hit):
    """How many checkpoints of a run are whole when it comes to this place: resolved.yaml is the first file, train.step is in the first round."""
    if point.startswith(("checkpoint.", "fs.")):
        return hit - (2 if point.startswith("fs.") else 1) + point.endswith("after_rename")
    return {"train.after_checkpoint": hit, "save.reference": 1}.get(point, 0)


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
            program_(*command, cwd=here, ranks=3).expect(DONE, *(["going on from"] if checkpoints_before(fault[0], fault[2]) > 0 else []))
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


def an_evaluation_leaves_no_report_or_the_same(program_, _folder, example):
    command = ["evaluate", example.project, example.folder / "whole", "--format", "json", "problem.success={}"]
    good = json.loads(program_(*command, "-o", "judged", cwd=example.folder).expect(DONE).out)

    def check(_name, fault):
        here = example.fresh()
        example.run(*command, "-o", "judged", fault=fault, cwd=here)
        assert not (here / "judged/metrics.json").exists()
        assert json.loads(program_(*command, "-o", "judged", cwd=here, ranks=3).expect(DONE).out) == good

    program.for_each(cases(EVALUATE, "fail") + cases(EVALUATE, "kill"), check, AT_ONCE)


def predictions_do_not_depend_on_the_spool(program_, _folder, example):
    """What can't be kept on its disk is counted as dropped, and the predictions are written all the same; a killed publisher's spool is taken up by the next."""
    counts = re.compile(r"in (\d+) messages on .*: 0 delivered, (\d+) spooled, (\d+) dropped")

    def check(_name, point, hit, action):
        here = example.fresh()
        command = ["score", example.folder / "whole", example.folder / "calls.csv", "-o", "out.csv", "--bus", f"ipc://{here}/bus", "--spool", "spool"]
        env = {"FW_FAULTS": f"{point}@hit={hit},{action}"}
        first = program_(*command, cwd=here, env=env, may_die=action == "kill")
        if action == "kill":
            assert first.code == -signal.SIGKILL, first
            if (here / "out.csv").exists():                          # the spool is synced beside it, the last time behind the predictions
                program.assert_same_bytes(example.folder / "whole.csv", here / "out.csv")
            for left in here.glob("out.csv.tmp.*"):
                left.unlink()
        else:
            first.expect(DONE, "goes on in memory", "made to fail by FW_FAULTS")
            messages, spooled, dropped = map(int, counts.search(first.err).groups())
            assert messages == spooled + dropped > 0, first
            program.assert_same_bytes(example.folder / "whole.csv", here / "out.csv")
        second = program_(*command, cwd=here).expect(DONE)
        messages, spooled, dropped = map(int, counts.search(second.err).groups())
        assert dropped == 0 and spooled >= messages > 0, second
        program.assert_same_bytes(example.folder / "whole.csv", here / "out.csv")

    program.for_each([(f"{point}, hit {hit}, {action}", point, hit, action) for action in ("fail", "kill") for point, hit in SPOOL], check, AT_ONCE)


def what_is_tried_elsewhere_is(_program, _folder, _example):
    for point, path in ELSEWHERE.items():
        assert point in (pathlib.Path(__file__).resolve().parent.parent / path).read_text(), f"{path} has no {point}"


def a_malformed_schedule_is_refused(program_, _folder, example):
    for schedule in ("fs.before_write", "fs.before_write@explode", "@kill", "fs.before_write@hit=0,kill"):
        result = program_("ingest", "callcenter.yaml", "-o", "d.h5", cwd=example.folder, env={"FW_FAULTS": schedule})
        result.expect(program.USAGE, "FW_FAULTS")


program.main([training_goes_on_in_the_same_bytes, a_model_that_was_not_saved_is_saved_later, ingest_leaves_no_dataset_or_the_whole_one, score_leaves_the_output_that_was_there,
              an_evaluation_leaves_no_report_or_the_same, predictions_do_not_depend_on_the_spool, what_is_tried_elsewhere_is, a_malformed_schedule_is_refused],
             prepare=Example)
