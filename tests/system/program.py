"""The program as a user runs it, for the tests of this folder and of tests/faults: commands with exit code and talk, in a folder of their own.

A test is a function (program, folder); main() runs each in a fresh folder below $TMPDIR, which goes with it."""

import atexit
import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

LIMIT_S = 240                      # of one command: no wait without an end
SIGNAL_CODES = 128                 # from here on an exit code tells of a signal: a crash

DONE, FAILED, USAGE, CHECK_SAYS_NO, BAD_DATA, RANK_LOST, STOPPED = 0, 1, 2, 3, 4, 5, 75


def environment(more):
    """What mpirun needs on a small machine; tests/run.sh sets the same."""
    env = {name: value for name, value in os.environ.items() if name != "FW_FAULTS" and not name.startswith("FLYWHEEL_")}
    env.update(OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_mpi_yield_when_idle="1")
    if os.geteuid() == 0:
        env.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    env.update(more or {})
    return env


own = threading.local()


def session():
    """A folder for the sessions of this thread's mpirun: two that begin at once in the same one can fail in making it."""
    if not hasattr(own, "session"):
        own.session = tempfile.mkdtemp(prefix="fw-s-")
        atexit.register(shutil.rmtree, own.session, ignore_errors=True)
    return {"OMPI_MCA_orte_tmpdir_base": own.session}


class Result:
    def __init__(self, command, code, out, err, seconds):
        self.command, self.code, self.out, self.err, self.seconds = command, code, out, err, seconds

    def __str__(self):
        return f"{' '.join(map(str, self.command))}\n-- exit code {self.code} after {self.seconds:.1f} s\n-- out\n{self.out}\n-- err\n{self.err}"

    def expect(self, code, *words):
        """This exit code and these words, said; a failure speaks once, a success of no error."""
        errors = self.err.count("flywheel: error:")
        assert self.code == code, f"exit code {self.code}, expected {code}: {self}"
        for word in words:
            assert word in self.err + self.out, f"it does not say {word!r}: {self}"
        assert errors == (0 if code in (DONE, STOPPED) else 1), f"{errors} errors are said: {self}"
        assert not re.search(r"runtime error|Sanitizer|Assertion", self.err), f"it is not sound: {self}"
        return self


class Program:
    def __init__(self, bin_folder):
        self.bin = pathlib.Path(bin_folder)

    def command(self, args, ranks):
        program = [self.bin / "flywheel", *args]
        return program if ranks is None else ["mpirun", "-n", str(ranks), *program]

    def start(self, *args, cwd, ranks=None, env=None, file_limit=None, user=None):
        """Begins a command; ranks None: without mpirun. file_limit: bytes that a file may have. user: another than root's, for root."""

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

        more = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        command = self.command(args, ranks)
        return subprocess.Popen(
            command, cwd=cwd, env=environment({**(session() if command[0] == "mpirun" and user is None else {}), **(env or {})}), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", preexec_fn=limit if file_limit else None, start_new_session=True, **more)

    def finish(self, process, started=None, limit_s=LIMIT_S):
        started = started or time.monotonic()
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.terminate()                        # mpirun passes it on
            try:
                out, err = process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, err = process.communicate()
            raise AssertionError(f"still there after {limit_s} s: {Result(process.args, None, out, err, limit_s)}") from None
        return Result(process.args, process.returncode, out, err, time.monotonic() - started)

    def __call__(self, *args, may_die=False, limit_s=LIMIT_S, **how):
        """Runs a command to its end. A crash is a failure of the test, unless it is what the test is about."""
        started = time.monotonic()
        result = self.finish(self.start(*args, **how), started, limit_s)
        assert may_die or 0 <= result.code < SIGNAL_CODES, f"it crashed: {result}"
        if not may_die:
            assert_nothing_half_written(how["cwd"], result)
        return result


def assert_nothing_half_written(folder, result):
    left = [path for path in pathlib.Path(folder).rglob("*.tmp.*")]
    assert not left, f"left behind: {left}: {result}"


def same_bytes(*paths):
    first = pathlib.Path(paths[0]).read_bytes()
    return all(pathlib.Path(path).read_bytes() == first for path in paths[1:])


def assert_same_bytes(*paths):
    for path in paths[1:]:
        assert same_bytes(paths[0], path), f"{path} differs from {paths[0]}"


# --- a small project: two classes, told apart by x and by the colour

SMALL_PROJECT = """\
project: small
problem: {task: classification, target: kind}
data:
  tables: {rows: rows.csv}
  id: id
features: {x: number, colour: category}
model: {learner: linear}
train: {epochs: 2, global_batch_size: 16}
"""
SMALL_HEADER = "id,x,colour,kind"


def small_rows(n=60, seed=1):
    draw = random.Random(seed)
    rows = []
    for i in range(n):
        kind = "ab"[i % 2]
        rows.append(f"{i},{draw.gauss(1 if kind == 'a' else -1, 1):.4f},{draw.choice(['red', 'green', 'blue'])},{kind}")
    return rows


def write_small(folder, rows=None, project=SMALL_PROJECT):
    (folder / "p.yaml").write_text(project)
    (folder / "rows.csv").write_text("\n".join([SMALL_HEADER, *(rows if rows is not None else small_rows())]) + "\n")


def trained_small(program, folder, *overrides):
    """The small project with its dataset, and a model in the folder run."""
    write_small(folder)
    program("ingest", "p.yaml", cwd=folder).expect(DONE)
    program("train", "p.yaml", "-o", "run", *overrides, cwd=folder).expect(DONE)


# --- the example of the call centre

def callcenter(program, folder, rows):
    """callcenter.yaml, calls.csv and the dataset."""
    program("init", "--example", "callcenter", folder, "--rows", str(rows), cwd=folder.parent).expect(DONE)
    program("ingest", "callcenter.yaml", cwd=folder).expect(DONE)


# --- running

def for_each(cases, check, at_once=1):
    """check(*case) for every case, each named by its first member; all failures are told. at_once: so many side by side."""
    def failure(case):
        try:
            check(*case)
        except AssertionError as error:
            return [f"[{case[0]}] {error}"]
        return []

    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        failures = sum(pool.map(failure, cases), [])
    assert not failures, f"{len(failures)} of {len(cases)} cases\n" + "\n".join(failures)


@contextlib.contextmanager
def at_the_end(command, folder=None):
    """Runs a command, and removes a folder, when the block is left, or when this process ends in whatever way: a child waits for that."""
    here, there = os.pipe()
    keeper = subprocess.Popen(
        ["sh", "-c", 'cat >/dev/null; folder=$1; shift; "$@" && [ -z "$folder" ] || rm -rf "$folder"', "keeper", str(folder or ""), *map(str, command)],
        stdin=here, start_new_session=True)
    os.close(here)
    try:
        yield
    finally:
        os.close(there)
        keeper.wait(timeout=60)


def run(test, program, *shared):
    """One test in a fresh folder; whether it passed."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fw-"))
    started = time.monotonic()
    passed, told = True, ""
    try:
        test(program, folder, *shared)
    except Exception:
        passed, told = False, "\n" + traceback.format_exc()
    print(f"{'ok     ' if passed else 'FAILED '} {test.__name__} ({time.monotonic() - started:.1f} s){told}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return passed


def main(tests, prepare=None, at_once=1):
    """Runs the tests and says which failed. prepare: (program, folder) -> what each test gets as its third argument, in a folder that outlives them.
    at_once: so many side by side, in threads; what waits lets the others work."""
    program, shared = Program(pathlib.Path(sys.argv[1]).resolve()), []
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fw-"))
    try:
        if prepare is not None:
            shared = [prepare(program, folder)]
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            passed = list(pool.map(lambda test: run(test, program, *shared), tests))
        failed = [test.__name__ for test, well in zip(tests, passed) if not well]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if failed:
        sys.exit(f"{len(failed)} of {len(tests)} failed: {', '.join(failed)}")
