"""Law 2: stopped or killed at random moments and started again on another number of ranks, training ends in the bytes of the uninterrupted run.

Usage: test_resume.py BIN_FOLDER [TIMES [SEED]]
TIMES: how often each way of stopping is tried (default 1)."""

import json
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import program  # noqa: E402
from program import DONE, RANK_LOST, STOPPED  # noqa: E402

TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 1
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 1000000
ROWS, EPOCHS = 1000, 12
# Small batches, so that a round has many steps (50) to be stopped within; the best round is kept, so that its weights are in the checkpoints too.
SETTINGS = [f"train.epochs={EPOCHS}", "train.global_batch_size=16", "model.dropout=0.1", f"train.early_stopping.patience={EPOCHS}", "train.checkpoint=0.1 s"]
# Each step of a run that is to be stopped sleeps a little: there is time for it on a fast machine, and a busy one does little work for it.
SLOWLY = {"FW_FAULTS": "train.step@delay=4"}
OTHER_RANKS = [(2, 3), (3, 1), (2, 1), (5, 2), (1, 3)]
LOST_WITHIN_S = 10

draw = random.Random(SEED)


def events(run, name):
    try:
        lines = (run / "progress.jsonl").read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    return [event for event in (json.loads(line) for line in lines if line.endswith("\n")) if event["event"] == name]


def wait_for_rounds(process, run, n):
    """Until n rounds are done: the moment is drawn from rounds, so that it lies within the run on a busy machine too."""
    while len(events(run, "round")) < n:
        assert process.poll() is None, f"it ended before round {n}: {process.communicate()}"
        time.sleep(0.002)


def wait_for_checkpoint(process, run):
    """Until the ranks know of one: it is written beside them."""
    while not events(run, "checkpoint"):
        assert process.poll() is None, f"it ended without a checkpoint: {process.communicate()}"
        time.sleep(0.002)
    time.sleep(draw.uniform(0, 0.02))


def ranks_of(process):
    """The processes that mpirun started, in the order of their ranks."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ranks = {}
    for pid in children:
        variables = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        ranks.update({int(v.split(b"=")[1]): int(pid) for v in variables if v.startswith(b"OMPI_COMM_WORLD_RANK=")})
    return [ranks[i] for i in sorted(ranks)]


class Runs:
    """The example, the model that an uninterrupted run of some settings gives, and runs that are interrupted."""

    def __init__(self, program_, folder):
        self.program, self.folder, self.n, self.run = program_, folder / "example", 0, None
        self.models = {}
        program.callcenter(program_, self.folder, ROWS)
        self.set()

    def set(self, *settings):
        self.settings = [*SETTINGS, *settings]
        if settings not in self.models:
            name = f"whole{len(self.models)}"
            self.program("train", "callcenter.yaml", "-o", name, *self.settings, cwd=self.folder, ranks=2).expect(DONE)
            self.models[settings] = self.folder / name / "model.h5"
        self.model = self.models[settings]

    def start(self, ranks, rounds=None, env=SLOWLY):
        self.n += 1
        self.run = self.folder / f"run{self.n}"
        process = self.program.start("train", "callcenter.yaml", "-o", self.run.name, *self.settings, cwd=self.folder, ranks=ranks, env=env)
        wait_for_rounds(process, self.run, rounds if rounds is not None else draw.randrange(1, EPOCHS * 2 // 3))
        if rounds is None:
            wait_for_checkpoint(process, self.run)
        return process

    def go_on(self, ranks):
        assert not (self.run / "model.h5").exists()
        result = self.program("train", "callcenter.yaml", "-o", self.run.name, *self.settings, cwd=self.folder, ranks=ranks)
        result.expect(DONE, "going on from")
        resumed = events(self.run, "resume")
        assert resumed and resumed[-1]["step"] > 0, resumed
        program.assert_same_bytes(self.model, self.run / "model.h5")
        rounds = [event["round"] for event in events(self.run, "round")]
        assert set(rounds) == set(range(1, EPOCHS + 1)), rounds


def a_signal_stops_with_a_checkpoint(program_, _folder, runs):
    for i in range(TIMES):
        before, after = OTHER_RANKS[i % len(OTHER_RANKS)]
        process = runs.start(before)
        process.send_signal(signal.SIGUSR1)
        program_.finish(process).expect(STOPPED, "stopped by a signal after step", "run the same command again")
        assert len(events(runs.run, "stop")) == 1
        program.assert_nothing_half_written(runs.folder, None)
        runs.go_on(after)


def one_rank_alone_obeys_each_signal(program_, _folder, runs):
    for number in (signal.SIGINT, signal.SIGTERM):
        process = runs.start(None)
        process.send_signal(number)
        program_.finish(process).expect(STOPPED, "stopped by a signal after step")
        runs.go_on(2)


def a_killed_rank_ends_the_job_and_nothing_is_lost(program_, _folder, runs):
    """Within 10 s, with one block that names the rank, the host, the phase, the step and the checkpoint."""
    for i in range(TIMES):
        before, after = OTHER_RANKS[i % len(OTHER_RANKS)]
        before = max(before, 2)
        process = runs.start(before)
        lost = draw.randrange(before)
        os.kill(ranks_of(process)[lost], signal.SIGKILL)
        killed = time.monotonic()
        result = program_.finish(process)
        assert time.monotonic() - killed < LOST_WITHIN_S, f"{time.monotonic() - killed} s: {result}"
        assert result.code in (RANK_LOST, 128 + signal.SIGKILL), result          # mpirun tells of the kill itself
        block = result.err[result.err.index("a rank was lost"):]
        assert result.err.count("a rank was lost") == 1, result
        for words in (f"rank        {lost} (pid ", "host        ", "phase       ", "last step   ", f"checkpoint  {runs.run.name}/checkpoint.h5", "same command again"):
            assert words in block, f"no {words!r}: {result}"
        assert int(block.split("last step   ")[1].split()[0]) > 0, result
        runs.go_on(after)


def the_whole_job_killed(program_, _folder, runs):
    """mpirun and every rank at once, as when a node goes dark; a second time while going on."""
    for i in range(TIMES):
        before, after = OTHER_RANKS[i % len(OTHER_RANKS)]
        process = runs.start(before, rounds=2 + i)
        wait_for_checkpoint(process, runs.run)
        for pid in (*ranks_of(process), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.communicate()
        process = program_.start("train", "callcenter.yaml", "-o", runs.run.name, *runs.settings, cwd=runs.folder, ranks=2, env=SLOWLY)
        wait_for_rounds(process, runs.run, EPOCHS * 3 // 4)
        for pid in (*ranks_of(process), process.pid):
            os.kill(pid, signal.SIGKILL)
        process.communicate()
        runs.go_on(after)


def the_best_round_survives_a_stop_within_the_next(program_, _folder, runs):
    """Nothing is better than the first round by so much: its weights are the model, though the run is stopped right behind it."""
    runs.set("train.early_stopping.min_delta=1000")
    for _ in range(5):
        process = runs.start(2, rounds=1, env={"FW_FAULTS": "train.step@delay=10"})
        process.send_signal(signal.SIGUSR1)
        program_.finish(process).expect(STOPPED)
        (stopped,) = events(runs.run, "stop")
        runs.go_on(3)
        if stopped["round"] == 1:
            return
    raise AssertionError("it was never stopped within the second round")


def a_resumed_run_is_found_without_its_name(program_, _folder, runs):
    """Without -o the newest unfinished run of the same settings and data goes on; a finished one is left alone."""
    runs.set()
    process = program_.start("train", "callcenter.yaml", *runs.settings, cwd=runs.folder, ranks=2, env=SLOWLY)
    while not (runs.folder / "runs/latest").exists():
        time.sleep(0.01)
    runs.run = (runs.folder / "runs/latest").resolve()
    wait_for_rounds(process, runs.run, 2)
    process.send_signal(signal.SIGUSR1)
    program_.finish(process).expect(STOPPED)
    program_("train", "callcenter.yaml", *runs.settings, cwd=runs.folder, ranks=3).expect(DONE, "going on from")
    program.assert_same_bytes(runs.model, runs.run / "model.h5")
    program_("train", "callcenter.yaml", *runs.settings, "train.epochs=1", cwd=runs.folder).expect(DONE)
    assert len([path for path in (runs.folder / "runs").iterdir() if not path.is_symlink()]) == 2
    program.assert_same_bytes(runs.model, runs.run / "model.h5")


print(f"seed {SEED}", flush=True)
program.main([a_signal_stops_with_a_checkpoint, one_rank_alone_obeys_each_signal, a_killed_rank_ends_the_job_and_nothing_is_lost, the_whole_job_killed,
              the_best_round_survives_a_stop_within_the_next, a_resumed_run_is_found_without_its_name], prepare=Runs)
