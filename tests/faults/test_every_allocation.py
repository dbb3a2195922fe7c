"""Allocations of the program's own code, and of jansson on its behalf, fail one at a time in ingest, training and score: one error that says that
there is no memory, or success with the right bytes; no crash, no wait without an end, nothing half-written, and the next attempt succeeds. (jansson
does not tell why it fails, and writes other text when it can't sort the keys of an object: that what was written does not read back is right too.)

Usage: test_every_allocation.py BIN_FOLDER [all | N] [SEED]
N: so many cases of each command, drawn from the seed that is printed (default 6). A case is a place in the code (the caller's address) on one rank,
at its first, last or a drawn call of it."""

import random
import shutil
import sys
import time

import injector
from injector import program
from program import DONE, FAILED

HOW_MANY = sys.argv[2] if len(sys.argv) > 2 else "6"
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 1000000
ROWS = 600
TRAIN = ["train", "callcenter.yaml", "train.epochs=2", "train.early_stopping.patience=2", "train.checkpoint=1 rounds"]
LIBRARIES = ["", "libjansson"]     # whose calls: the program's own, jansson's

draw = random.Random(SEED)


def cases_of(program_, folder, *args):
    """First, last and one drawn call of each place, on each rank."""
    cases = []
    for rank in "01":
        for library in LIBRARIES:
            shutil.rmtree(folder / "faulty", ignore_errors=True)
            (folder / "faulty").mkdir()
            rule = f"rank={rank},call=alloc,path={library}"
            places = {}
            for call in injector.calls_of(program_, folder, rule, *args, ranks=2):
                places.setdefault(call.name, []).append(call.number)
            for place, numbers in places.items():
                cases += [(f"{library or 'flywheel'}+{place} on rank {rank}, allocation {n}", f"{rule},nth={n}", library)
                          for n in sorted({numbers[0], draw.choice(numbers), numbers[-1]})]
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
        def try_one(_name, rule, library):
            shutil.rmtree(self.faulty, ignore_errors=True)
            self.faulty.mkdir()
            log = self.folder / "hits.log"
            result = self.program(*command, cwd=self.folder, ranks=2, env=injector.environment(self.program, rule, log))
            _calls, hits = injector.read_log(log)
            if result.code != DONE:
                assert hits, f"it fails though no allocation did: {result}"
                result.expect(FAILED)
                assert library or "memory" in result.err, f"it does not say that memory is lacking: {result}"
                if check is not None:
                    check()
                self.program(*command, cwd=self.folder).expect(DONE)
            assert program.same_bytes(self.folder / good, self.faulty / result_name), f"other bytes: {result}"

        program.for_each(cases_of(self.program, self.folder, *command), try_one)

    def inspect_checkpoints(self):
        for path in self.faulty.glob("*.h5*"):
            self.program("inspect", path, cwd=self.folder).expect(DONE)


def ingest_ends_or_says_so(_program, _folder, example):
    example.each(["ingest", "callcenter.yaml", "-o", "faulty/d.h5"], "d.h5", "callcenter.dataset.h5")


def training_ends_or_says_so(_program, _folder, example):
    example.each([*TRAIN, "-o", "faulty"], "model.h5", "whole/model.h5", example.inspect_checkpoints)


def score_ends_or_says_so(_program, _folder, example):
    example.each(["score", "whole", "calls.csv", "-o", "faulty/out.csv"], "out.csv", "whole.csv")


print(f"seed {SEED}", flush=True)
program.main([ingest_ends_or_says_so, training_ends_or_says_so, score_ends_or_says_so], prepare=Example)
