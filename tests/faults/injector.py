"""One system call or allocation of `flywheel` that goes wrong (inject/inject.c): what there is to go wrong, and the environment that lets it.

A case is (name, rule, call): a rule for FW_INJECT, and the Call that it hits."""

import collections
import contextlib
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import program  # noqa: E402

Call = collections.namedtuple("Call", "rank number kind name")      # name: a file, or where an allocation is called from


def library(program_):
    path = program_.bin / "libfw_inject.so"
    if not path.exists():
        sys.exit(f"{path} is not there: it is built for x86-64 without sanitizers")
    return path


def environment(program_, rule, log=None):
    """Of a command in which the call of the rule goes wrong."""
    env = {"LD_PRELOAD": str(library(program_)), "FW_INJECT": rule}
    return env if log is None else {**env, "FW_INJECT_LOG": str(log)}


def read_log(log):
    """(calls in order, those that went wrong)"""
    calls, hits = [], []
    with contextlib.suppress(FileNotFoundError):
        for line in pathlib.Path(log).read_text().splitlines():
            rank, number, kind, name, *more = line.split(" ")                   # a name may have "(deleted)" behind it
            calls.append(Call(rank, int(number), kind, name))
            hits += [calls[-1]] if "hit" in more else []
        os.unlink(log)
    return calls, hits


def calls_of(program_, folder, rule, *args, ranks):
    """What one undisturbed command calls that the rule (without nth and do) means, on one rank."""
    log = folder / "calls.log"
    program_(*args, cwd=folder, ranks=ranks, env=environment(program_, f"{rule},nth=0", log)).expect(program.DONE)
    calls, hits = read_log(log)
    assert calls and not hits, f"{rule} means {len(calls)} calls"
    return calls


class Sample:
    """All cases, or some drawn from a seed within so many seconds; what is left out is said."""

    def __init__(self, cases, draw, n):
        self.all, self.cases = len(cases), cases if n is None else sorted(draw.sample(cases, min(n, len(cases))), key=cases.index)

    def __str__(self):
        return f"{len(self.cases)} of {self.all} cases"
