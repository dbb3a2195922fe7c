"""deploy/slurm/train.sbatch in a Slurm of this machine's own: whatever happens to a job, it ends by itself in the bytes of an undisturbed training.

Usage: test_slurm.py BIN_FOLDER TREE DISTURBANCE...
The disturbances happen to jobs of their own, at the same time: time_limit, rank_killed, gang_rank_killed, sweep_rank_killed, node_lost, first_node_lost,
controller_killed, no_progress, wrong_project.
Skipped (77) where there is no Slurm, or no root."""

import concurrent.futures
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import program  # noqa: E402
from program import DONE, USAGE  # noqa: E402

SKIPPED = 77
JOB_LIMIT_S = 240
SEED = time.time_ns() % 1000000
ROUNDS = 45
SETTINGS = [f"train.epochs={ROUNDS}", f"train.early_stopping.patience={ROUNDS}", "train.checkpoint=1 rounds", "model.dropout=0.1"]
SEARCH = ["tune.trials=6", "tune.parallel=2", "tune.sampler=random", "tune.pruner=none", "tune.objective=accuracy", "train.epochs=4",
          "tune.space={train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}}"]
draw = random.Random(SEED)


def slurm_script(name, *args):
    return subprocess.run(["sh", HERE / name, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.env = {"SLURM_CONF": f"{folder}/slurm.conf"}

    def __call__(self, *command, env=None):
        return subprocess.run(list(map(str, command)), env=program.environment({**self.env, **(env or {})}), capture_output=True, text=True, check=False)

    def lose(self, node):
        result = slurm_script("down.sh", self.folder, node)
        assert result.returncode == 0, result.stdout

    def ranks(self, job):
        """Those of its processes that Slurm started as ranks."""
        return [pid for pid in self.processes(job) if b"PMIX_RANK=" in pathlib.Path(f"/proc/{pid}/environ").read_bytes()]

    def processes(self, job):
        """All of a job that run the program."""
        wanted, found = {f"SLURM_JOB_ID={job}".encode(), f"SLURM_CONF={self.folder}/slurm.conf".encode()}, []
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and os.readlink(entry / "exe").endswith("/flywheel") and wanted <= set((entry / "environ").read_bytes().split(b"\0")):
                    found.append(int(entry.name))
        return found


@contextlib.contextmanager
def cluster():
    """A Slurm that goes with this process, however that ends."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fw-slurm-"))
    with program.at_the_end(["sh", HERE / "down.sh", folder], folder):
        result = slurm_script("up.sh", folder, 2 * len(DISTURBANCES) + 1)
        print(result.stdout, end="", flush=True)
        if result.returncode != 0:
            sys.exit(result.returncode)
        yield Cluster(folder)


class Job:
    """A training under the batch script. delay_ms: how long each checkpoint is made to take, so that there is time to disturb it."""

    def __init__(self, slurm, folder, name, delay_ms, *options, settings=SETTINGS, faults="", script=None):
        self.slurm, self.name, self.run, self.log = slurm, name, folder / name, folder / f"{name}.log"
        env = {"FLYWHEEL": str(BIN / "flywheel"), "FW_FAULTS": faults or f"train.after_checkpoint@delay={delay_ms}"}
        sent = slurm("sbatch", "--parsable", f"--chdir={folder}", f"--output={self.log}", "--nodes=2", "--ntasks-per-node=1", "--exclusive", "--time=10", *options,
                     script or TREE / "deploy/slurm/train.sbatch", "callcenter.yaml", "-o", name, *settings, env=env)
        assert sent.returncode == 0, sent
        self.id = sent.stdout.strip()

    def __str__(self):
        return f"{self.name}, job {self.id}\n-- log\n{self.log.read_text() if self.log.exists() else 'none'}"

    def state(self):
        """What Slurm says of it, {} while the controller is away."""
        shown = self.slurm("scontrol", "show", "job", "-o", self.id)
        return dict(re.findall(r"(\S+?)=(\S*)", shown.stdout)) if shown.returncode == 0 else {}

    def wait(self, what, happened):
        deadline = time.monotonic() + JOB_LIMIT_S
        while not (result := happened()):
            assert time.monotonic() < deadline, f"after {JOB_LIMIT_S} s: no {what}: {self}\n{self.state()}"
            time.sleep(0.1)
        return result

    def rounds(self):
        with contextlib.suppress(FileNotFoundError):
            return (self.run / "progress.jsonl").read_text().count('"event":"round"')
        return 0

    def wait_for_rounds(self, n):
        self.wait(f"round {n}", lambda: self.rounds() >= n)
        assert not (self.run / "model.h5").exists(), f"it was over too soon: {self}"

    def end(self):
        """The state in which it ended, and how often it was queued again."""
        ends = ("COMPLETED", "FAILED", "TIMEOUT", "NODE_FAIL", "CANCELLED", "OUT_OF_MEMORY")
        state = self.wait("end", lambda: (now := self.state()).get("JobState") in ends and now)
        return state["JobState"], int(state["Restarts"])

    def ends_in_the_same_bytes(self, restarts, *words):
        state, times = self.end()
        assert state == "COMPLETED" and times in restarts, f"{state} after {times} restarts, expected {restarts}: {self}"
        program.assert_same_bytes(self.run.parent / "whole/model.h5", self.run / "model.h5")
        log = self.log.read_text()
        for word in [*words, "train.sbatch: done"] + (["going on from"] if times else []):
            assert word in log, f"it does not say {word!r}: {self}"
        assert not list(self.run.parent.glob(f".flywheel-job-{self.id}")), f"its state is left behind: {self}"


# --- what may happen to a job

def time_limit(slurm, folder):
    """Slurm looks every 30 s which jobs come near their limit: it asks this one to stop within the first 30 s of each start. Each of its 855 steps is
    held up, so that it lasts a minute on the fastest machine."""
    job = Job(slurm, folder, "time_limit", 0, "--time=1", "--signal=B:USR1@30", faults="train.step@delay=70")
    job.ends_in_the_same_bytes(range(1, 20), "asked to stop", "queued again")


def rank_killed(slurm, folder):
    job = Job(slurm, folder, "rank_killed", 300)
    job.wait_for_rounds(draw.randrange(3, ROUNDS // 2))
    os.kill(draw.choice(slurm.processes(job.id)), signal.SIGKILL)
    job.ends_in_the_same_bytes([1], "a rank was lost", "queued again")


def gang_rank_killed(slurm, folder):
    """The coordinator on the batch node starts the ranks by srun, and again when one is lost: the job is not queued again."""
    script = folder / "gang.sbatch"
    script.write_text('#!/bin/bash\nexec "$FLYWHEEL" train --ranks 2 --launch "srun --mpi=pmix --kill-on-bad-exit=1 -n {ranks}" "$@"\n')
    job = Job(slurm, folder, "gang_rank_killed", 300, script=script)
    job.wait_for_rounds(draw.randrange(3, ROUNDS // 2))
    os.kill(draw.choice(slurm.ranks(job.id)), signal.SIGKILL)
    state, restarts = job.end()
    assert (state, restarts) == ("COMPLETED", 0), f"{state} after {restarts} restarts: {job}"
    assert "starting again" in job.log.read_text() or "going on from" in job.log.read_text(), job
    program.assert_same_bytes(folder / "whole/model.h5", job.run / "model.h5")


def sweep_rank_killed(slurm, folder):
    """Groups of a sweep are steps of one job, side by side: one that loses its rank comes back, the study ends as if nothing had happened."""
    script = folder / "sweep.sbatch"
    launch = "srun --exact --mpi=pmix --kill-on-bad-exit=1 -N 1 -n {ranks}"
    script.write_text(f'#!/bin/bash\nexec "$FLYWHEEL" sweep --lockstep --groups 2 --ranks-per-trial 1 --launch "{launch}" "$@"\n')
    job = Job(slurm, folder, "sweep_rank_killed", 0, settings=SEARCH, faults="train.step@delay=5", script=script)
    journal = job.run / "journal"
    job.wait("trial that has ended", lambda: journal.exists() and b'"complete"' in journal.read_bytes())
    ranks = job.wait("two groups at work", lambda: len(ranks := slurm.ranks(job.id)) == 2 and ranks)
    os.kill(draw.choice(ranks), signal.SIGKILL)
    state, restarts = job.end()
    assert (state, restarts) == ("COMPLETED", 0), f"{state} after {restarts} restarts: {job}"
    assert "starting again" in job.log.read_text(), job
    program.assert_same_bytes(folder / "searched/best/model.h5", job.run / "best/model.h5")


def node_lost(slurm, folder, which=-1):
    """slurmd, slurmstepd and the ranks of a node are gone at once; Slurm notices, and starts the job on others."""
    job = Job(slurm, folder, "node_lost" if which else "first_node_lost", 300)
    job.wait_for_rounds(draw.randrange(3, ROUNDS // 2))
    nodes = slurm("scontrol", "show", "hostnames", job.state()["NodeList"]).stdout.split()
    slurm.lose(nodes[which])
    job.ends_in_the_same_bytes([1])


def first_node_lost(slurm, folder):
    """With it the batch script."""
    node_lost(slurm, folder, 0)


def controller_killed(slurm, folder):
    job = Job(slurm, folder, "controller_killed", 300)
    job.wait_for_rounds(draw.randrange(3, ROUNDS // 2))
    os.kill(int((slurm.folder / "slurmctld.pid").read_text()), signal.SIGKILL)
    before = job.rounds()
    job.wait("round without the controller", lambda: job.rounds() >= before + 2)
    started = slurm("slurmctld")
    assert started.returncode == 0, started
    job.ends_in_the_same_bytes([0])


def no_progress(slurm, folder):
    """A step that crashes each time: queued again as often as allowed, and no more."""
    job = Job(slurm, folder, "no_progress", 0, "--export=ALL,FLYWHEEL_STALLS=1", faults="checkpoint.before_write@rank=0,kill")
    state, restarts = job.end()
    assert (state, restarts) == ("FAILED", 1), f"{state} after {restarts} restarts: {job}"
    assert "2 ends in a row without a checkpoint behind step 0: not queued again" in job.log.read_text(), job
    assert not list(folder.glob(f".flywheel-job-{job.id}")), job


def wrong_project(slurm, folder):
    job = Job(slurm, folder, "wrong_project", 0, settings=["train.epoch=3"])
    state, restarts = job.end()
    assert (state, restarts) == ("FAILED", 0), f"{state} after {restarts} restarts: {job}"
    assert job.state()["ExitCode"] == f"{USAGE}:0" and "did you mean 'epochs'" in job.log.read_text(), f"{job.state()}: {job}"


# --- all of them at once

def jobs_end_by_themselves(program_, _folder, slurm):
    folder = slurm.folder / "example"
    program.callcenter(program_, folder, 6000)
    program_("train", "callcenter.yaml", "-o", "whole", *SETTINGS, cwd=folder, ranks=2).expect(DONE)
    if sweep_rank_killed in DISTURBANCES:
        program_("sweep", "callcenter.yaml", "--lockstep", "-o", "searched", *SEARCH, cwd=folder).expect(DONE)
    print(f"        seed {SEED}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(len(DISTURBANCES)) as pool:
        started = time.monotonic()
        running = {pool.submit(disturbance, slurm, folder): disturbance.__name__ for disturbance in DISTURBANCES}
        for done in concurrent.futures.as_completed(running):
            print(f"        {running[done]}: {'failed' if done.exception() else 'ended'} after {time.monotonic() - started:.0f} s", flush=True)
        failures = [f"[{name}] {done.exception()}" for done, name in running.items() if done.exception()]
    assert not failures, "\n".join(failures)


BIN, TREE = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
KNOWN = {f.__name__: f for f in (time_limit, rank_killed, gang_rank_killed, sweep_rank_killed, node_lost, first_node_lost, controller_killed, no_progress, wrong_project)}
DISTURBANCES = [KNOWN[name] for name in sys.argv[3:]]
with cluster() as the_slurm:
    program.main([jobs_end_by_themselves], prepare=lambda _program, _folder: the_slurm)
