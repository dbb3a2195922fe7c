"""A rank that lives and does not get on, in each phase of a job that mpirun started: the others say so and end, and the same command ends well afterwards.

Usage: test_stall.py BIN_FOLDER"""

import pathlib
import re
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import program  # noqa: E402
from program import DONE, FAILED, RANK_LOST  # noqa: E402

STALL_S = 3
AT_ONCE = 3                        # cases side by side: most of their time they wait for the rule
TRAIN = ["train", "p.yaml", "-o", "run", "train.epochs=3", "train.checkpoint.every=3 rounds"]
# (phase, ranks, rank that stops, where, command). Rank 0 is the coordinator too.
CASES = [
    ("ingest", 2, 0, "ingest.chunk", ["ingest", "p.yaml", "-o", "other.h5"]),
    ("ingest", 3, 0, "ingest.distribute", ["ingest", "p.yaml", "-o", "other.h5"]),
    ("train", 3, 2, "train.step@hit=4", TRAIN),
    ("save", 2, 0, "fs.before_fsync@hit=3", TRAIN),            # behind resolved.yaml and the only checkpoint
    ("evaluate", 2, 1, "evaluate.part", ["evaluate", "p.yaml", "whole", "-o", "judged"]),
    ("evaluate", 3, 0, "evaluate.part", ["evaluate", "p.yaml", "whole", "-o", "judged"]),
    ("score", 2, 0, "score.block", ["score", "whole", "rows.csv", "-o", "out.csv"]),
    ("open", 2, 1, "open.rows", TRAIN),
]


class Example:
    def __init__(self, program_, folder):
        self.folder = folder / "example"
        self.folder.mkdir()
        folder = self.folder
        program.write_small(folder)
        program_("ingest", "p.yaml", cwd=folder).expect(DONE)
        program_("train", "p.yaml", "-o", "whole", "train.epochs=3", cwd=folder).expect(DONE)

    def copy(self):
        here = pathlib.Path(tempfile.mkdtemp(prefix="case-", dir=self.folder.parent))
        shutil.copytree(self.folder, here, dirs_exist_ok=True)
        return here

    def clear(self):
        for path in [self.folder / name for name in ("other.h5", "out.csv", *(path.name for path in self.folder.glob("*.tmp.*")))]:
            path.unlink(missing_ok=True)
        for name in ("run", "judged"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def a_rank_that_stops_in_any_phase_is_told_and_ends_the_job(program_, _folder, example):
    def check(_name, phase, ranks, stopped, point, command):
        here = example.copy()
        place, _, hit = point.partition("@")
        env = {"FW_STALL_SECONDS": str(STALL_S), "FW_FAULTS": f"{place}@rank={stopped},{hit + ',' if hit else ''}stop"}
        result = program_(*command, cwd=here, ranks=ranks, env=env, may_die=True)
        assert result.code == RANK_LOST and result.err.count("a rank was lost") == 1, result
        for words in (f"no sign of progress for {STALL_S} s", f"rank        {stopped} (pid ", f"phase       {phase}\n", "start the same command again"):
            assert words in result.err, f"it does not say {words!r}: {result}"
        assert STALL_S <= result.seconds < STALL_S + 20, result
        program_(*command, cwd=here, ranks=ranks, env={"FW_STALL_SECONDS": str(STALL_S)}, may_die=True).expect(DONE)

    program.for_each([(f"{phase}: rank {rank} of {ranks} stops at {point}", phase, ranks, rank, point, command)
                      for phase, ranks, rank, point, command in CASES], check, AT_ONCE)


def a_slow_rank_that_gets_on_is_no_stall(program_, _folder, example):
    """Each step and each write takes less than the limit, all of them together more."""
    example.clear()
    slow = ";".join(["train.step@rank=1,delay=400", "checkpoint.before_write@rank=0,delay=1500", "checkpoint.before_seal@rank=0,delay=1500"])
    program_(*TRAIN, cwd=example.folder, ranks=2, env={"FW_STALL_SECONDS": str(STALL_S), "FW_FAULTS": slow}).expect(DONE)
    program.assert_same_bytes(example.folder / "whole/model.h5", example.folder / "run/model.h5")


def ranks_that_wait_for_the_coordinator_or_for_readers_do_not_stall(program_, _folder, example):
    """report.html is written by the coordinator, while the ranks have no order; --wait-seconds is the user's own limit."""
    example.clear()
    slow = {"FW_STALL_SECONDS": "1", "FW_FAULTS": "fs.before_write@rank=0,delay=2500"}
    program_("evaluate", "p.yaml", "whole", "-o", "judged", cwd=example.folder, ranks=2, env=slow).expect(DONE)
    alone = ["--bus", f"ipc://{example.folder}/nobody", "--wait-subscribers", "1", "--wait-seconds", "2.5"]
    result = program_("score", "whole", "rows.csv", "-o", "out.csv", *alone, cwd=example.folder, ranks=2, env={"FW_STALL_SECONDS": "1"})
    result.expect(FAILED, "0 of 1 readers came before the deadline")


def a_job_that_was_suspended_goes_on(program_, _folder, example):
    """All ranks are stopped for longer than the limit and continued, as a batch system suspends a job."""
    example.clear()
    env = {"FW_STALL_SECONDS": str(STALL_S), "FW_FAULTS": "train.step@rank=1,delay=300"}
    process = program_.start(*TRAIN, cwd=example.folder, ranks=2, env=env)
    begun = example.folder / "run/progress.jsonl"
    deadline = time.monotonic() + 30
    while not begun.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    ranks = [int(pid) for pid in re.findall(r"\d+", pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())]
    assert len(ranks) == 2, ranks
    for number, pause in ((signal.SIGSTOP, STALL_S + 1.5), (signal.SIGCONT, 0)):
        for pid in ranks:
            program.os.kill(pid, number)
        time.sleep(pause)
    program_.finish(process).expect(DONE)
    program.assert_same_bytes(example.folder / "whole/model.h5", example.folder / "run/model.h5")


program.main([a_rank_that_stops_in_any_phase_is_told_and_ends_the_job, a_slow_rank_that_gets_on_is_no_stall,
              ranks_that_wait_for_the_coordinator_or_for_readers_do_not_stall, a_job_that_was_suspended_goes_on], prepare=Example)
