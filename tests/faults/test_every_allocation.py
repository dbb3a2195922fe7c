"""Allocations of the program's own code fail one at a time. In one process (sweep/sweep.c): every allocation of reading and writing project files,
models, checkpoints, datasets, tables and messages. In whole commands, ingest, training and score on two ranks: first, last and a drawn call of each
place in the code. One error, or success with the right bytes; no crash, no wait without an end, nothing half-written, and the next attempt succeeds.
(Allocations of other libraries are not tried: jansson 2.14 ends the process or leaves things out in silence when it lacks memory.)

Usage: test_every_allocation.py BIN_FOLDER [all | N] [SEED]
N: so many cases of each command, drawn from the seed that is printed (default 6)."""

import pathlib
import random
import shutil
import subprocess
import sys
import time

import injector
from injector import program
from program import DONE, FAILED, USAGE

HOW_MANY = sys.argv[2] if len(sys.argv) > 2 else "6"
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 1000000
ROWS = 600
TRAIN = ["train", "callcenter.yaml", "train.epochs=2", "train.early_stopping.patience=2", "train.checkpoint=1 rounds"]
SEEDS = pathlib.Path(__file__).resolve().parent.parent / "fuzz/corpus"

draw = random.Random(SEED)


def cases_of(program_, folder, *args):
    """First, last and one drawn call of each place, on each rank."""
    cases = []
    for rank in "01":
        shutil.rmtree(folder / "faulty", ignore_errors=True)
        (folder / "faulty").mkdir()
        rule = f"rank={rank},call=alloc"
        places = {}
        for call in injector.calls_of(program_, folder, rule, *args, ranks=2):
            places.setdefault(call.name, []).append(call.number)
        for place, numbers in places.items():
            cases += [(f"flywheel+{place} on rank {rank}, allocation {n}", f"{rule},nth={n}") for n in sorted({numbers[0], draw.choice(numbers), numbers[-1]})]
    sample = injector.Sample(cases, draw, None if HOW_MANY == "all" else int(HOW_MANY))
    print(f"        {sample}", flush=True)
    return sample.cases


class Example:
    def __init__(self, program_, folder):
        self.program, self.folder, self.faulty = program_, folder / "example", folder / "example/faulty"
        program.callcenter(program_, self.folder, ROWS)
        program_(*TRAIN, "-o", "whole", cwd=self.folder, ranks=2).expect(DONE)
        program_("score", "whole", "calls.csv", "-o", "whole.csv", cwd=self.folder).expect(DONE)

    def each(self, command, result_name, good, check=None):
        """command writes faulty/<result_name>, in the end the bytes of `good`."""
        def try_one(_name, rule):
            shutil.rmtree(self.faulty, ignore_errors=True)
            self.faulty.mkdir()
            log = self.folder / "hits.log"
            result = self.program(*command, cwd=self.folder, ranks=2, env=injector.environment(self.program, rule, log))
            _calls, hits = injector.read_log(log)
            if result.code != DONE:
                assert hits, f"it fails though no allocation did: {result}"
                result.expect(FAILED)
                assert "memory" in result.err, f"it does not say that memory is lacking: {result}"
                if check is not None:
                    check()
                again = self.program(*command, cwd=self.folder)
                if again.code == USAGE:              # it failed behind its end, when nothing was left to do
                    assert "a finished run is there" in again.err, again
                else:
                    again.expect(DONE)
            assert program.same_bytes(self.folder / good, self.faulty / result_name), f"other bytes: {result}"

        program.for_each(cases_of(self.program, self.folder, *command), try_one)

    def inspect_checkpoints(self):
        for path in self.faulty.glob("*.h5*"):
            self.program("inspect", path, cwd=self.folder).expect(DONE)


def every_allocation_of_each_reader_and_writer(program_, folder, example):
    operations = {"project": example.folder / "callcenter.yaml", "model": example.folder / "whole/model.h5",
                  "checkpoint": example.folder / "whole/checkpoint.h5", "dataset": example.folder / "callcenter.dataset.h5",
                  "table": example.folder / "calls.csv", "message": SEEDS / "command/answer_round", "telemetry": SEEDS / "telemetry/classification"}
    env = program.environment(injector.environment(program_, "rank=alone,call=alloc,nth=0"))

    def check(name, path):
        result = subprocess.run([program_.bin / "fw_sweep", name, path, folder], env=env, capture_output=True, text=True, timeout=program.LIMIT_S,
                                check=False)
        assert result.returncode == 0, f"{result.returncode}: {result.stdout[-3000:]} {result.stderr[-1000:]}"
        print(f"        {result.stdout.strip()}", flush=True)

    program.for_each(list(operations.items()), check)


def ingest_ends_or_says_so(_program, _folder, example):
    example.each(["ingest", "callcenter.yaml", "-o", "faulty/d.h5"], "d.h5", "callcenter.dataset.h5")


def training_ends_or_says_so(_program, _folder, example):
    example.each([*TRAIN, "-o", "faulty"], "model.h5", "whole/model.h5", example.inspect_checkpoints)


def score_ends_or_says_so(_program, _folder, example):
    example.each(["score", "whole", "calls.csv", "-o", "faulty/out.csv"], "out.csv", "whole.csv")


print(f"seed {SEED}", flush=True)
program.main([every_allocation_of_each_reader_and_writer, ingest_ends_or_says_so, training_ends_or_says_so, score_ends_or_says_so], prepare=Example)
