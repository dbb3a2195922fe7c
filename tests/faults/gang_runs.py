"""A training with --ranks as the tests of gangs see it from outside: its processes, the page with the step, its events, and what it leaves behind."""

import json
import os
import pathlib
import signal
import struct
import time

MARK = b"FW_GANG="


def gang_processes(folder):
    """pid -> rank (None: the launcher, or what it put between) of the gang whose card lies in the folder."""
    card, found = str((folder / "gang.json").resolve()).encode(), {}
    for path in pathlib.Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            variables = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if card not in words or not any(v.startswith(MARK) for v in variables):
            continue
        rank = next((int(v.split(b"=")[1]) for v in variables if v.startswith(b"OMPI_COMM_WORLD_RANK=")), None)
        found[int(path.name)] = rank
    return found


def ranks_of(folder):
    return {rank: pid for pid, rank in gang_processes(folder).items() if rank is not None}


def launcher_of(folder):
    return next((pid for pid, rank in gang_processes(folder).items() if rank is None), None)


class Page:
    """generation, round, step, steps made by this generation."""

    def __init__(self, folder):
        self.path = folder / "gang.page"

    def read(self):
        try:
            with open(self.path, "rb") as file:
                return struct.unpack("<QQQQ", file.read(32))
        except (OSError, struct.error):
            return 0, 0, 0, 0


class GangRun:
    """One training in a run folder of its own, started, hurt and started again."""

    def __init__(self, program, cwd, project, folder, *settings, options=("--ranks", "3"), env=None):
        self.program, self.cwd, self.folder = program, cwd, pathlib.Path(folder)
        self.args = ["train", project, "-o", str(folder), *settings, *options]
        self.page, self.process, self.env = Page(self.folder), None, env

    def start(self, env=None):
        self.process = self.program.start(*self.args, cwd=self.cwd, env=env or self.env)
        return self

    def wait_for_steps(self, after=0, steps=1, limit_s=60):
        """Until a generation above `after` has made so many steps: (generation, when). None: the training ended before."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            generation, _, _, made = self.page.read()
            if generation > after and made >= steps:
                return generation, time.monotonic()
            if self.process.poll() is not None:
                return None
            time.sleep(0.002)
        raise AssertionError(f"no step after generation {after} in {limit_s} s: {self.page.read()}, {self.log()}")

    def kill(self, who, number=signal.SIGKILL, rank=0):
        """One process of the training; whether it was there."""
        pid = self.process.pid if who == "coordinator" else launcher_of(self.folder) if who == "launcher" else ranks_of(self.folder).get(rank)
        if pid is None:
            return False
        os.kill(pid, number)
        return True

    def finish(self, limit_s=120):
        result = self.program.finish(self.process, limit_s=limit_s)
        self.assert_nothing_left()
        return result

    def assert_nothing_left(self):
        deadline = time.monotonic() + 5
        while gang_processes(self.folder) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not gang_processes(self.folder), f"processes are left: {gang_processes(self.folder)}"

    def events(self, name):
        try:
            lines = (self.folder / "progress.jsonl").read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [event for event in (json.loads(line) for line in lines if line.endswith("\n")) if event["event"] == name]

    def log(self):
        try:
            return (self.folder / "gang.log").read_text()[-2000:]
        except FileNotFoundError:
            return ""
