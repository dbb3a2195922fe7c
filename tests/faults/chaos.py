"""Trainings that are disturbed at random and must end in the bits of the undisturbed one.

Usage: chaos.py BIN_FOLDER [--seed S] [--runs N] [--run I] [--data FOLDER] [--seconds T]
--run I repeats one run of a seed. --data: ../shared/data beside the tree, for adult and fashion-mnist too. --seconds: no run begins after so many.

A run is a project, settings, a number of ranks and a way to start them (mpirun, or `flywheel train --ranks N` that starts them itself), all drawn
from (seed, number of the run). One to three attempts are disturbed, then the same command is given again, undisturbed, until it is done. After each
attempt: it ended in time, with an exit code that fits what was done to it, every file that has its final name opens, no process is left. In the end
the model has the bytes of a training that nobody disturbed."""

import argparse
import collections
import contextlib
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import injector
from injector import program
from program import DONE, FAILED, RANK_LOST, STOPPED, USAGE

LIMIT_S = 240                      # of an attempt
GONE_WITHIN_S = 20                 # orphans of a killed launcher end by themselves
MOST_ATTEMPTS = 4                  # undisturbed ones: the second must do, unless a loss is still being noticed
KILLED = (RANK_LOST, 128 + signal.SIGKILL, -signal.SIGKILL)
PROJECTS = pathlib.Path(__file__).resolve().parent.parent / "system/datasets"

Project = collections.namedtuple("Project", "name file settings")
SMALL = [Project("callcenter", "callcenter.yaml", ["train.epochs=30", "train.global_batch_size=32", "train.early_stopping.patience=30"]),
         Project("callcenter-sgd", "callcenter.yaml", ["train.epochs=60", "train.optimizer=sgd", "model.hidden=[16]", "model.dropout=0.2"])]
LARGE = [Project("adult", PROJECTS / "adult.yaml", ["train.epochs=4"]), Project("fashion-mnist", PROJECTS / "fashion-mnist.yaml", ["train.epochs=2"])]


class Trainings:
    """The projects with their datasets, and what an undisturbed training of each gives."""

    def __init__(self, program_, folder, data):
        self.program, self.folder, self.models = program_, folder, {}
        program.callcenter(program_, folder / "example", 3000)
        self.projects = SMALL + [p for p in LARGE if data and (data / p.name).is_dir()]

    def command(self, project, name):
        dataset = [] if project in SMALL else [f"data.dataset={self.folder}/{project.name}.h5"]
        return ["train", str(project.file), *dataset, *project.settings, "train.checkpoint=0.05 s", "-o", name]

    def undisturbed(self, project):
        if project.name not in self.models:
            where = self.folder / "example"
            if project not in SMALL:
                self.program("ingest", project.file, f"data.dataset={self.folder}/{project.name}.h5", cwd=where, ranks=2).expect(DONE)
            self.program(*self.command(project, f"whole-{project.name}"), cwd=where, ranks=2).expect(DONE)
            self.models[project.name] = where / f"whole-{project.name}/model.h5"
        return self.models[project.name]


def processes_of(mark):
    """Those with the run's folder among their arguments: launchers, coordinators and ranks."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if any(mark.encode() in word for word in arguments) and b"Z" not in (entry / "stat").read_bytes().rsplit(b")", 1)[1][:3]:
                found.append((int(entry.name), os.path.basename(os.fsdecode(arguments[0]))))
    return found


class Attempt:
    """One command, started; what is done to it is said in `told`."""

    def __init__(self, run, draw, env=None, file_limit=None):
        self.run, self.draw, self.begun = run, draw, run.lines()
        self.process = run.trainings.program.start(*run.command, *(["--ranks", str(run.ranks)] if run.supervised else []), cwd=run.folder,
                                                   ranks=None if run.supervised or file_limit else run.ranks, env=env, file_limit=file_limit)
        self.started = time.monotonic()

    def alive(self):
        return self.process.poll() is None

    def wait_for_a_moment(self):
        """Some rounds on, or within the start, or within the end: from what progress.jsonl has, and a little more."""
        lines = self.draw.randrange(0, 12)
        while self.alive() and self.run.lines() < self.begun + lines and time.monotonic() < self.started + LIMIT_S / 2:
            time.sleep(0.002)
        time.sleep(self.draw.choice([0, self.draw.random() * 0.05, self.draw.random() * 0.5]))

    def ranks(self):
        return [pid for pid, name in processes_of(self.run.mark) if name == "flywheel" and pid != self.process.pid]

    def launchers(self):
        return [pid for pid, name in processes_of(self.run.mark) if name in ("mpirun", "orterun")]

    def signal(self, pids, number):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


# --- disturbances: (run, draw) -> what was done, exit codes that fit, result. DONE always fits: it may have come too late.

def undisturbed(run, draw):
    return "nothing", (DONE,), Attempt(run, draw)


def killed(what):
    def disturb(run, draw):
        attempt = Attempt(run, draw)
        attempt.wait_for_a_moment()
        pids = {"a rank": attempt.ranks, "the launcher": attempt.launchers, "everything": lambda: [pid for pid, _ in processes_of(run.mark)],
                "the coordinator": lambda: [attempt.process.pid]}[what]()
        if what == "a rank" and pids:
            pids = [draw.choice(pids)]
        attempt.signal(pids, signal.SIGKILL)
        return f"SIGKILL to {what}", (*KILLED, FAILED), attempt
    return disturb


def stopped_for_a_while(run, draw):
    attempt = Attempt(run, draw)
    attempt.wait_for_a_moment()
    pids, seconds = attempt.ranks(), draw.random() * 2
    pids = [draw.choice(pids)] if pids else []
    attempt.signal(pids, signal.SIGSTOP)
    time.sleep(seconds)
    attempt.signal(pids, signal.SIGCONT)
    return f"SIGSTOP of a rank for {seconds:.1f} s", (), attempt


def asked_to_stop(run, draw):
    """The signal goes to the ranks' launcher by its own rules: mpirun passes SIGUSR1 on."""
    attempt = Attempt(run, draw)
    attempt.wait_for_a_moment()
    number = signal.SIGTERM if run.supervised else signal.SIGUSR1
    early = run.lines() == attempt.begun       # before anybody listens a signal ends the process
    attempt.signal([attempt.process.pid], number)
    return f"{number.name}{', early' if early else ''}", (STOPPED, *((-number, 128 + number, *KILLED, FAILED) if early else ())), attempt


def file_limit(run, draw):
    """On one rank without mpirun, whose own files it would meet."""
    limit = max(1, int(run.trainings.undisturbed(run.project).stat().st_size * draw.uniform(0.05, 4)))      # a checkpoint has the weights up to 4 times
    return f"files of at most {limit} bytes", (FAILED,), Attempt(run, draw, file_limit=limit)


def injected(kind):
    def disturb(run, draw):
        rank = draw.randrange(run.ranks)
        if kind == "alloc":
            rule = f"rank={rank},call=alloc,nth={draw.randrange(1, 4000)}"
        else:
            way = draw.choice(["EIO", "ENOSPC", "short", "kill"])
            rule = f"rank=0,call={draw.choice(['io', 'write', 'fsync', 'rename', 'open', 'link', 'close'])},path={run.mark},nth={draw.randrange(1, 60)},do={way}"
        return rule, (FAILED, *KILLED), Attempt(run, draw, env=injector.environment(run.trainings.program, rule))
    return disturb


def damaged_checkpoint(run, draw):
    """The newest, while the one before it is there: then that is gone on from."""
    newest, before = run.path / "checkpoint.h5", run.path / "checkpoint.h5.previous"
    if not before.exists() or not newest.exists() or (run.path / "model.h5").exists():
        return undisturbed(run, draw)
    content = bytearray(newest.read_bytes())
    if draw.random() < 0.5:
        content = content[:draw.randrange(len(content))]
    else:
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    newest.write_bytes(content)
    run.damaged = True
    return "the newest checkpoint damaged, then nothing", (DONE,), Attempt(run, draw)


UNSUPERVISED = [killed("a rank"), killed("the launcher"), killed("everything"), stopped_for_a_while, asked_to_stop, file_limit, injected("io"),
                injected("io"), injected("alloc"), damaged_checkpoint]
SUPERVISED = [killed("a rank"), killed("the launcher"), killed("the coordinator"), killed("everything"), stopped_for_a_while, asked_to_stop, injected("io")]


class Run:
    def __init__(self, trainings, seed, number):
        self.trainings, self.number, self.draw = trainings, number, random.Random(f"{seed}.{number}")
        self.project = self.draw.choice(trainings.projects)
        self.ranks, self.supervised = self.draw.choice([1, 2, 2, 3]), self.draw.random() < 0.5
        self.folder, self.mark = trainings.folder / "example", f"chaos-{os.getpid()}-{number}-"
        self.path, self.damaged = self.folder / self.mark, False
        self.command = trainings.command(self.project, self.mark)

    def lines(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.path / "progress.jsonl").read_bytes().count(b"\n")
        return 0

    def check_files(self, result):
        for name in ("checkpoint.h5", "checkpoint.h5.previous", "model.h5"):
            if (self.path / name).exists() and not (self.damaged and name.startswith("checkpoint")):
                seen = self.trainings.program("inspect", self.path / name, cwd=self.folder, may_die=True)
                assert seen.code == DONE, f"a bad file: {seen}\n-- left by {result}"

    def wait_until_all_are_gone(self, result):
        deadline = time.monotonic() + GONE_WITHIN_S
        while (left := processes_of(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not left, f"processes are left: {left}: {result}"

    def attempt(self, disturb):
        what, codes, attempt = disturb(self, self.draw)
        result = self.trainings.program.finish(attempt.process, attempt.started, LIMIT_S)
        print(f"        {what} -> {result.code} ({result.seconds:.1f} s)", flush=True)
        if result.code == USAGE and "a finished run is there" in result.err:      # the disturbance before came when all was done
            return True
        assert result.code in (DONE, *codes), f"after {what}, {codes} would fit: {result}"
        if result.code == FAILED:
            assert "flywheel: error:" in result.err, f"it failed and does not say why: {result}"
        self.wait_until_all_are_gone(result)
        self.check_files(result)
        return result.code == DONE

    def __call__(self):
        model = self.trainings.undisturbed(self.project)
        print(f"run {self.number}: {self.project.name}, {self.ranks} ranks, {'--ranks' if self.supervised else 'mpirun'}", flush=True)
        disturbances = [self.draw.choice(SUPERVISED if self.supervised else UNSUPERVISED) for _ in range(self.draw.randrange(1, 4))]
        for disturb in disturbances + [undisturbed] * MOST_ATTEMPTS:
            if self.attempt(disturb):
                program.assert_same_bytes(model, self.path / "model.h5")
                shutil.rmtree(self.path)
                return
        raise AssertionError(f"not done after {MOST_ATTEMPTS} undisturbed attempts")

    def end_what_is_left(self):
        for pid, _name in processes_of(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1000000)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--run", type=int)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    a = parser.parse_args()
    print(f"seed {a.seed}", flush=True)
    folder, failed, done, end = pathlib.Path(tempfile.mkdtemp(prefix="fw-")), [], 0, time.monotonic() + a.seconds
    try:
        trainings = Trainings(program.Program(pathlib.Path(a.bin).resolve()), folder, a.data)
        for number in [a.run] if a.run is not None else range(a.runs):
            if time.monotonic() > end:
                break
            run = Run(trainings, a.seed, number)
            try:
                run()
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                failed.append(number)
                data = f" --data {a.data}" if a.data else ""
                print(f"FAILED  {error}\nagain:  python3 {sys.argv[0]} {a.bin} --seed {a.seed} --run {number}{data}", flush=True)
            finally:
                run.end_what_is_left()
            done += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{done - len(failed)} of {done} runs ended in the undisturbed bits (seed {a.seed})", flush=True)
    return 1 if failed else 0


sys.exit(main())
