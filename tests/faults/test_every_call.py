"""Every call that makes, writes, syncs, renames or closes a file fails once, or the process is killed there, in training and in ingest: the right
error or a recovery, never a bad file, and the next attempt ends in the undisturbed bytes.

Usage: test_every_call.py BIN_FOLDER [all | N] [SEED]
N: so many cases of each command, drawn from the seed that is printed (default 12)."""

import random
import shutil
import signal
import sys
import time

import injector
from injector import program
from program import DONE, FAILED, RANK_LOST, USAGE

HOW_MANY = sys.argv[2] if len(sys.argv) > 2 else "12"
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 1000000
ROWS = 600
KILLED = (RANK_LOST, 128 + signal.SIGKILL)
TRAIN = ["train", "callcenter.yaml", "train.epochs=3", "train.early_stopping.patience=3", "train.checkpoint=1 rounds"]
WAYS = {"write": ["EIO", "ENOSPC", "short", "kill"], "open": ["EIO", "ENOSPC", "kill"], "reserve": ["ENOSPC", "kill"]}      # others: EIO, kill
# A failure of these takes nothing from what was done: it may go by unsaid.
NO_LOSS = ("close", "unlink")

draw = random.Random(SEED)


def cases_of(calls):
    cases = [(f"{call.kind} {call.number} of {call.name} on rank {call.rank}: {way}",
              f"rank={call.rank},call=io,path=faulty,nth={call.number},do={way}", way)
             for call in calls for way in WAYS.get(call.kind, ["EIO", "kill"])]
    sample = injector.Sample(cases, draw, None if HOW_MANY == "all" else int(HOW_MANY))
    print(f"        {sample}", flush=True)
    return sample.cases


class Example:
    def __init__(self, program_, folder):
        self.program, self.folder, self.faulty = program_, folder / "example", folder / "example/faulty"
        program.callcenter(program_, self.folder, ROWS)
        program_(*TRAIN, "-o", "whole", cwd=self.folder, ranks=2).expect(DONE)

    def inspect(self, name):
        self.program("inspect", self.faulty / name, cwd=self.folder, may_die=True).expect(DONE)

    def disturbed(self, rule, way, *args):
        """The command with one call that goes wrong, and what may come of it. (A thread writes checkpoints beside the training: the N-th call need not
        be the one that was counted, and the last ones may not come.)"""
        log = self.folder / "hits.log"
        result = self.program(*args, cwd=self.folder, ranks=2, env=injector.environment(self.program, rule, log), may_die=True)
        _calls, hits = injector.read_log(log)
        assert len(hits) == 1 or (not hits and result.code == DONE), f"{len(hits)} calls went wrong: {result}"
        if not hits:
            return result
        if way == "kill":
            assert result.code in KILLED and result.err.count("a rank was lost") == 1, result
        elif result.code == DONE:
            assert way == "short" or hits[0].kind in NO_LOSS, f"{hits[0].kind} failed and nobody says so: {result}"
        else:
            result.expect(FAILED, "faulty", *(["No space left on device"] if way == "ENOSPC" and hits[0].kind in WAYS else []))
        if way != "kill" and hits[0].kind != "unlink":
            program.assert_nothing_half_written(self.folder, result)
        return result


def training_goes_on_in_the_same_bytes(program_, _folder, example):
    run = example.faulty
    calls = injector.calls_of(program_, example.folder, "rank=0,call=io,path=faulty", *TRAIN, "-o", "faulty", ranks=2)

    def check(_name, rule, way):
        shutil.rmtree(run, ignore_errors=True)
        result = example.disturbed(rule, way, *TRAIN, "-o", "faulty")
        for name in ("checkpoint.h5", "checkpoint.h5.previous", "model.h5"):
            if (run / name).exists():
                example.inspect(name)
        if result.code != DONE:
            again = program_(*TRAIN, "-o", "faulty", cwd=example.folder)
            assert again.code == DONE or (again.code == USAGE and "a finished run is there" in again.err), again
        assert program.same_bytes(example.folder / "whole/model.h5", run / "model.h5"), f"another model: {result}"

    shutil.rmtree(run)
    program.for_each(cases_of(calls), check)
    shutil.rmtree(run)


def ingest_leaves_no_dataset_or_the_whole_one(program_, _folder, example):
    command = ["ingest", "callcenter.yaml", "-o", "faulty/d.h5"]
    example.faulty.mkdir(exist_ok=True)
    calls = [call for rank in "01" for call in injector.calls_of(program_, example.folder, f"rank={rank},call=io,path=faulty", *command, ranks=2)]

    def check(_name, rule, way):
        shutil.rmtree(example.faulty, ignore_errors=True)
        example.faulty.mkdir()
        result = example.disturbed(rule, way, *command)
        if (example.faulty / "d.h5").exists():
            example.inspect("d.h5")
        program_(*command, cwd=example.folder).expect(DONE)
        assert program.same_bytes(example.folder / "callcenter.dataset.h5", example.faulty / "d.h5"), f"another dataset: {result}"

    program.for_each(cases_of(calls), check)


print(f"seed {SEED}", flush=True)
program.main([training_goes_on_in_the_same_bytes, ingest_leaves_no_dataset_or_the_whole_one], prepare=Example)
