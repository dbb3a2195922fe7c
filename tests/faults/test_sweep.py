"""A sweep on gangs that is killed at random and resumed ends as the one that nobody disturbed: the same trials, values, and bits of the best model; and
nothing that has ended is run again.

Usage: test_sweep.py BIN_FOLDER [MOMENTS [DATA_FOLDER]]
MOMENTS: how often a worker, the coordinator, and all are killed each (default 3). DATA_FOLDER: ../shared/data beside the tree; then 64 trials on fashion-mnist
are searched, else 16 on the call centre. Without the pictures it is skipped (77), or fails where CI=true."""

import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import program
from program import DONE, RANK_LOST, assert_same_bytes

PROJECTS = pathlib.Path(__file__).resolve().parent.parent / "system/datasets"
TUNE = """
tune:
  trials: %d
  sampler: tpe
  pruner: {name: asha, max_rounds: 9}
  parallel: 4
  objective: accuracy
  space:
    train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}
    model.hidden: {choices: [[16], [32], [32, 16]]}
    model.dropout: {low: 0.0, high: 0.5}
    train.global_batch_size: {choices: [128, 256, 512]}
"""
MOMENTS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
DATA = pathlib.Path(sys.argv[3]).resolve() if len(sys.argv) > 3 else None
SWEEP = ("sweep", "p.yaml", "--lockstep", "monitor.bus=tcp://127.0.0.1:*", "train.checkpoint=0.3 s")
LIMIT_S = 1800


def prepare(program_, folder):
    """The project with its dataset, and the sweep that nobody disturbs."""
    where = folder / "project"
    if DATA is None:
        program.callcenter(program_, where, 4000)
        (where / "p.yaml").write_text((where / "callcenter.yaml").read_text() + TUNE % 16)
    else:
        where.mkdir()
        text = (PROJECTS / "fashion-mnist.yaml").read_text().replace("../../../../shared/data", str(DATA))
        (where / "p.yaml").write_text(text + TUNE % 64)
        program_("ingest", "p.yaml", cwd=where, ranks=2).expect(DONE)
    program_(*SWEEP, "--groups", "4", "-o", "whole", cwd=where, limit_s=LIMIT_S).expect(DONE)
    return where


def journal(study):
    """Its whole lines."""
    with contextlib.suppress(FileNotFoundError):
        return [json.loads(line.split(" ", 1)[1]) for line in (study / "journal").read_text().splitlines(keepends=True) if line.endswith("\n")]
    return []


def lines(study):
    with contextlib.suppress(FileNotFoundError):
        return (study / "journal").read_bytes().count(b"\n")
    return 0


def processes(study):
    """pid -> is a rank, of all that carry a gang's card of this study."""
    found, mark = {}, str(study / "groups").encode()
    for path in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            words = (path / "cmdline").read_bytes().split(b"\0")
            if any(word.startswith(mark) and word.endswith(b"gang.json") for word in words):
                found[int(path.name)] = any(v.startswith(b"OMPI_COMM_WORLD_RANK=") for v in (path / "environ").read_bytes().split(b"\0"))
    return found


def kill(pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


class Sweep:
    def __init__(self, program_, where, study, draw):
        self.program, self.where, self.study, self.draw, self.killed = program_, where, study, draw, collections.Counter()

    def start(self):
        more = ["--resume"] if lines(self.study) > 0 else []
        groups = str(self.draw.choice([2, 4]))
        self.process = self.program.start(*SWEEP, "--groups", groups, "-o", self.study, *more, cwd=self.where)

    def wait_for_a_moment(self, most):
        """False: it has ended before."""
        until, deadline = lines(self.study) + self.draw.randrange(0, most), time.monotonic() + LIMIT_S
        while lines(self.study) < until and self.process.poll() is None:
            assert time.monotonic() < deadline, f"no line of the journal in {LIMIT_S} s"
            time.sleep(0.005)
        time.sleep(self.draw.choice([0, self.draw.random() * 0.05, self.draw.random() * 0.5]))
        return self.process.poll() is None

    def disturb(self, who):
        """Whether it was done: a worker may be gone already."""
        if who == "worker":
            ranks, deadline = [], time.monotonic() + 20
            while not ranks and self.process.poll() is None and time.monotonic() < deadline:
                ranks = [pid for pid, is_rank in processes(self.study).items() if is_rank]
            kill(self.draw.sample(ranks, min(len(ranks), 1)))
            self.killed[who] += bool(ranks)
            return bool(ranks)
        kill([self.process.pid] + (list(processes(self.study)) if who == "all" else []))
        self.killed[who] += 1
        self.process.communicate(timeout=60)
        self.start()
        return True

    def finish(self):
        """Undisturbed to its end; what was done to it shortly before may still end it once."""
        for _ in range(3):
            result = self.program.finish(self.process, limit_s=LIMIT_S)
            if result.code == DONE:
                return result
            assert result.code == RANK_LOST, result
            self.start()
        raise AssertionError(f"it does not come to its end: {result}")


def outcomes(program_, where, study):
    rows = json.loads(program_("sweep", "trials", study, "--format", "json", cwd=where).expect(DONE).out)
    return {row["trial"]: (row["state"], row["value"], row["rounds"], row["params"]) for row in rows}


def assert_nothing_ran_twice(study):
    ended, reported = set(), set()
    for line in journal(study):
        if line["event"] == "ask":
            assert line["trial"] not in ended, f"trial {line['trial']} had ended, and was run again"
        if line["event"] in ("complete", "fail") or line.get("verdict") == "prune":
            assert line["trial"] not in ended, f"trial {line['trial']} ended twice"
            ended.add(line["trial"])
        if line["event"] == "report":
            assert (line["trial"], line["round"]) not in reported, f"round {line['round']} of trial {line['trial']} is there twice"
            reported.add((line["trial"], line["round"]))


def ends_as_if_nothing_had_happened(program_, folder, where):
    draw = random.Random(7)
    plan = ["worker", "coordinator", "all"] * MOMENTS
    per_study = max(3, len(plan) // (1 if DATA is None else 2))
    expected, total, number = outcomes(program_, where, where / "whole"), collections.Counter(), 0
    most = max(2, 2 * lines(where / "whole") // (per_study + 2))
    while plan:
        sweep, number = Sweep(program_, where, folder / f"study-{number}", draw), number + 1
        sweep.start()
        for _ in range(min(per_study, len(plan))):
            if not sweep.wait_for_a_moment(most):
                break
            if sweep.disturb(plan[0]):
                plan.pop(0)
        sweep.finish()
        total += sweep.killed
        found = outcomes(program_, where, sweep.study)
        assert found == expected, f"study {number}: {[(n, expected.get(n), found.get(n)) for n in expected.keys() | found.keys() if expected.get(n) != found.get(n)]}"
        assert_same_bytes(where / "whole/best/model.h5", sweep.study / "best/model.h5")
        assert_nothing_ran_twice(sweep.study)
        program_("sweep", "replay", sweep.study, cwd=where).expect(DONE, "the same")
        assert not processes(sweep.study), f"processes are left: {processes(sweep.study)}"
    print(f"        {number} studies of {len(expected)} trials, killed: {dict(total)}", flush=True)


if __name__ == "__main__":
    if DATA is not None and not (DATA / "fashion-mnist").is_dir():
        print(f"{DATA}/fashion-mnist is not there")
        sys.exit(1 if os.environ.get("CI") == "true" else 77)
    program.main([ends_as_if_nothing_had_happened], prepare)
