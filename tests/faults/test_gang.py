"""train --ranks: a coordinator outside MPI keeps the ranks at work. Whatever is killed, stopped or refused, it goes on by itself or says why not, ends in
the bytes of the undisturbed run, and leaves no process behind.

Usage: test_gang.py BIN_FOLDER [SEED]"""

import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import program  # noqa: E402
from gang_runs import GangRun, gang_processes, launcher_of, ranks_of  # noqa: E402
from program import DONE, RANK_LOST, STOPPED, USAGE  # noqa: E402

SEED = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 1000000
EPOCHS = 6
SETTINGS = [f"train.epochs={EPOCHS}", "train.global_batch_size=16", "model.dropout=0.1", f"train.early_stopping.patience={EPOCHS}", "train.checkpoint=0.1 s"]
BACK_WITHIN_S = 20                 # generous: a busy machine; what it takes is printed by the long variant

ROWS, STEPS = 2000, 500            # of a whole training there are some more steps
# Each step sleeps a little: there is time to hurt the training on a fast machine, and a busy one does little work for it.
SLOWLY = "train.step@delay=3"
AT_ONCE = 4                        # tests side by side: most of their time they wait for a rule to strike


def drawn(name, *limits):
    return random.Random(f"{SEED} {name}").randrange(*limits)


class Example:
    def __init__(self, program_, folder):
        self.program, self.folder, self.runs, self.numbers = program_, folder / "example", folder, itertools.count(1)
        program.callcenter(program_, self.folder, ROWS)
        program_("train", "callcenter.yaml", "-o", "whole", *SETTINGS, cwd=self.folder, ranks=3).expect(DONE)
        self.model = self.folder / "whole/model.h5"

    def run(self, *settings, options=("--ranks", "3"), faults=SLOWLY):
        return GangRun(self.program, self.folder, "callcenter.yaml", self.runs / f"run{next(self.numbers)}", *SETTINGS, *settings, options=options,
                       env={"FW_FAULTS": faults})

    def assert_whole(self, run):
        program.assert_same_bytes(self.model, run.folder / "model.h5")
        assert run.events("done"), run.events
        assert not (run.folder / "gang.json").exists() and not (run.folder / "gang.page").exists()
        program.assert_nothing_half_written(run.folder, None)

    def script(self, name, text):
        path = self.folder / name
        path.write_text("#!/bin/bash\n" + text)
        path.chmod(0o755)
        return path


def assert_waited(result, words, seconds):
    """As long as the rule says, and not much longer."""
    waited = float(re.search(re.escape(words) + r" ([0-9.]+)", result.err).group(1).rstrip("."))
    assert seconds <= waited < seconds + 10, f"{waited} s: {result}"


def hurt(example, who, number=signal.SIGKILL, rank=0):
    """A training in which one process was killed or stopped after some steps."""
    run = example.run().start()
    generation, _ = run.wait_for_steps(steps=drawn(f"{who} {number}", 20, STEPS * 3 // 4))
    assert run.kill(who, number, rank)
    hurt_at = time.monotonic()
    if who != "coordinator":
        _, when = run.wait_for_steps(after=generation)
        assert when - hurt_at < BACK_WITHIN_S, f"{when - hurt_at} s"
    return run


def undisturbed_it_is_the_same_as_under_mpirun(_program, _folder, example):
    run = example.run().start()
    run.wait_for_steps()
    maps = pathlib.Path(f"/proc/{ranks_of(run.folder)[1]}/maps").read_text()
    memory = {pathlib.Path(*pathlib.Path(word).parts[:4]) for word in maps.split() if word.startswith("/dev/shm/flywheel-")}      # with the session below it
    run.finish().expect(DONE, "trained callcenter", "on 3 ranks")
    assert len(memory) == 1 and not any(path.exists() for path in memory), memory
    example.assert_whole(run)
    assert [e["event"] for e in map(json.loads, (run.folder / "progress.jsonl").read_text().splitlines()) if e["event"] not in ("checkpoint", "round")] == \
        ["start", "step", "done"]


def a_rank_is_killed(_program, _folder, example):
    lost = drawn("killed", 3)
    run = hurt(example, "rank", rank=lost)
    result = run.finish().expect(DONE, f"rank {lost} (host ", "killed by signal 9; starting again from", "(generation 2)")
    assert "mpirun noticed" not in result.err and "mpirun noticed" in run.log(), result
    (event,) = run.events("restart")
    assert event["generation"] == 2 and 0 < event["seconds"] < BACK_WITHIN_S and event["reason"].startswith(f"rank {lost} "), event
    example.assert_whole(run)


def a_leader_killed_while_it_writes_leaves_no_half_checkpoint(_program, _folder, example):
    """Once: the launch script lets the first gang alone have the fault."""
    once = example.script("writing.sh", 'if mkdir "$0.was" 2>/dev/null; then export FW_FAULTS="train.step@delay=3;checkpoint.before_rename@rank=0,hit=2,kill"; fi\n'
                          'exec mpirun -n "$@"\n')
    run = example.run(options=("--ranks", "2", "--launch", f"{once} {{ranks}}")).start()
    run.finish().expect(DONE, "rank 0 (host ", "killed by signal 9; starting again from")
    example.assert_whole(run)


def the_launcher_is_killed(_program, _folder, example):
    run = hurt(example, "launcher")
    run.finish().expect(DONE, "the launcher (pid ", "was killed by signal 9; starting again from")
    example.assert_whole(run)


def a_rank_is_stopped(_program, _folder, example):
    lost = drawn("stopped", 3)
    run = hurt(example, "rank", signal.SIGSTOP, rank=lost)
    result = run.finish().expect(DONE, f"rank {lost} (host ", "no heartbeat for ")
    assert_waited(result, "no heartbeat for", 8)
    example.assert_whole(run)


def the_coordinator_is_killed_and_started_again(_program, _folder, example):
    """Its ranks do not outlive it; the same command goes on."""
    run = hurt(example, "coordinator")
    run.process.wait()
    run.assert_nothing_left()
    assert not (run.folder / "model.h5").exists()
    run.start()
    run.finish().expect(DONE)
    assert run.events("resume") or len(run.events("start")) == 1, run.events("start")
    example.assert_whole(run)


def what_outlived_its_coordinator_is_ended(_program, _folder, example):
    """A launcher that goes its own way leaves ranks that think they have time; the next coordinator ends them first."""
    detached = example.script("detached.sh", 'setsid sh -c \'exec mpirun -n "$@"\' x "$@" <&0 &\nwait\n')
    run = example.run(options=("--ranks", "2", "--launch", f"{detached} {{ranks}}")).start()
    run.wait_for_steps(steps=20)
    before = gang_processes(run.folder)
    run.kill("coordinator")
    run.process.wait()
    run.start()
    run.wait_for_steps(after=2, steps=1)
    assert not set(before) & set(gang_processes(run.folder)), f"{before} and {gang_processes(run.folder)}"
    run.finish().expect(DONE, "that an earlier coordinator of")
    example.assert_whole(run)


def a_coordinator_that_was_stopped_for_a_while_blames_nobody(_program, _folder, example):
    run = example.run().start()
    run.wait_for_steps(steps=20)
    run.process.send_signal(signal.SIGSTOP)
    time.sleep(4)
    run.process.send_signal(signal.SIGCONT)
    result = run.finish().expect(DONE)
    assert "lost" not in result.err and not run.events("restart"), result
    example.assert_whole(run)


def ranks_end_when_nobody_listens(_program, _folder, example):
    """Their lease runs out after 15 s. The coordinator, awake again, starts others."""
    run = example.run("train.epochs=300", "train.early_stopping.patience=300").start()
    run.wait_for_steps(steps=20)
    run.process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    while ranks_of(run.folder):
        assert time.monotonic() - stopped < 25, ranks_of(run.folder)
        time.sleep(0.05)
    assert time.monotonic() - stopped > 10
    assert "nothing was heard from the coordinator" in run.log()
    run.process.send_signal(signal.SIGCONT)
    run.wait_for_steps(after=1)
    run.process.send_signal(signal.SIGINT)
    run.finish().expect(STOPPED)


def signals_stop_it_with_a_checkpoint(_program, _folder, example):
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        run = example.run().start()
        run.wait_for_steps(steps=drawn(number, 20, 200))
        run.process.send_signal(number)
        run.finish().expect(STOPPED, "stopped by a signal after step", "run the same command again")
        assert len(run.events("stop")) == 1 and not (run.folder / "model.h5").exists()
        run.start().finish().expect(DONE, "going on from")
        example.assert_whole(run)


def a_second_signal_ends_it_at_once(_program, _folder, example):
    run = example.run().start()
    run.wait_for_steps(steps=200)
    run.kill("rank", signal.SIGSTOP, rank=1)
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    asked = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    run.finish().expect(RANK_LOST, "ended by a second signal; the checkpoint is")
    assert time.monotonic() - asked < 5
    run.start().finish().expect(DONE)
    example.assert_whole(run)


def a_signal_before_the_ranks_are_there_ends_it(_program, _folder, example):
    never = example.script("never.sh", "sleep 100\n")
    run = example.run(options=("--ranks", "2", "--launch", f"{never} {{ranks}}")).start()
    while launcher_of(run.folder) is None:
        time.sleep(0.01)
    run.process.send_signal(signal.SIGTERM)
    run.finish().expect(STOPPED, "the checkpoint is none yet")


def a_step_that_always_breaks_is_reported(_program, _folder, example):
    run = example.run("train.checkpoint=1000 rounds").start(env={"FW_FAULTS": "train.step@rank=1,hit=20,kill"})
    result = run.finish().expect(RANK_LOST, "rank 1 (host ", "killed by signal 9", "3 times one behind the other, so it is not tried again", "gang.log")
    assert result.err.count("starting again from the beginning") == 2, result
    run.start().finish().expect(DONE)
    example.assert_whole(run)


def restarts_are_limited(_program, _folder, example):
    run = example.run(options=("--ranks", "3", "--max-restarts", "0")).start()
    run.wait_for_steps(steps=20)
    run.kill("rank", rank=2)
    run.finish().expect(RANK_LOST, "rank 2 (host ", "more than --max-restarts 0 allows; the checkpoint is")
    run.start().finish().expect(DONE)
    example.assert_whole(run)


def a_step_that_never_ends_is_a_loss(_program, _folder, example):
    """Once: the launch script lets the first gang alone have the fault."""
    once = example.script("once.sh", 'if mkdir "$0.was" 2>/dev/null; then export FW_FAULTS="train.step@rank=1,hit=200,delay=600000"; fi\nexec mpirun -n "$@"\n')
    run = example.run(options=("--ranks", "3", "--launch", f"{once} {{ranks}}")).start()
    result = run.finish().expect(DONE, "the ranks were lost in round", "no step was made for ")
    assert_waited(result, "no step was made for", 10)
    assert len(run.events("restart")) == 1
    example.assert_whole(run)


def a_host_that_falls_silent_is_left_out(_program, _folder, example):
    """Two hosts on this one: every rank of the second is stopped. Two ranks go on, in the same bytes."""
    hosts = example.script("hosts.sh", """\
hosts=$1; shift
line=()
for host in ${hosts//,/ }; do line+=(: -n ${host#*:} env FW_TEST_GANG_HOST=${host%:*} "$@"); done
exec mpirun "${line[@]:1}"
# {ranks} is the sum of the slots
""")
    run = example.run(options=("--hosts", "a:2,b:1", "--launch", f"{hosts} {{hosts}} --ranks {{ranks}}"))
    hosts.write_text(hosts.read_text().replace("shift\n", "shift 3\n", 1))
    run.start()
    generation, _ = run.wait_for_steps(steps=50)
    run.kill("rank", signal.SIGSTOP, rank=2)
    run.wait_for_steps(after=generation)
    assert sorted(ranks_of(run.folder)) == [0, 1], ranks_of(run.folder)
    run.finish().expect(DONE, "rank 2 (host b, pid", "host b is left out", "has 2 of 3 ranks")
    example.assert_whole(run)


def who_has_no_token_is_dropped_and_counted(program_, _folder, example):
    run = example.run(faults="train.step@delay=15").start()             # until the stranger has come
    run.wait_for_steps(steps=20)
    card = json.loads((run.folder / "gang.json").read_text())
    assert (run.folder / "gang.json").stat().st_mode & 0o777 == 0o600
    card["token"] = "0" * len(card["token"])
    card["page"] = str(example.folder / "other.page")
    forged = example.folder / "forged.json"
    forged.write_text(json.dumps(card))
    stranger = program_.start("worker", "--gang", forged, "--generation", str(card["generation"]), cwd=example.folder,
                              env={"OMPI_MCA_ess_singleton_isolated": "1", "OMPI_MCA_orte_create_session_dirs": "0", "OMPI_MCA_osc_sm_backing_directory": "/dev/shm"})
    result = run.finish().expect(DONE, "were not of this gang's ranks and were dropped")
    assert "lost" not in result.err, result
    stranger.kill()
    stranger.communicate()


REFUSED = [
    ("no such launcher", ["--ranks", "2", "--launch", "no-such-launcher -n {ranks}"], "the launcher no-such-launcher can't be executed"),
    ("too many ranks", ["--ranks", "40", "--launch", "mpirun --nooversubscribe -n {ranks}"], "not enough slots"),
    ("a launcher that fails", ["--ranks", "2", "--launch", "sh -c 'echo the queue is closed; exit 7' {ranks}"], "the queue is closed"),
    ("no ranks in the template", ["--ranks", "2", "--launch", "mpirun -n 2"], "it has no {ranks}"),
    ("more ranks than slots", ["--ranks", "5", "--hosts", "a:2,b:2"], "the hosts hold 4"),
    ("a host twice", ["--hosts", "a:2,a:2"], "named twice"),
    ("no number of ranks", ["--launch", "mpirun -n {ranks}"], "how many ranks"),
    ("half a rank", ["--ranks", "1.5"], "whole number"),
    ("no rank", ["--ranks", "0"], "--ranks"),
    ("a range test", ["--ranks", "2", "--find-learning-rate"], "--find-learning-rate"),
]


def what_cannot_be_started_is_said_at_once(program_, _folder, example):
    def check(_name, options, words):
        started = time.monotonic()
        run = example.run(options=options).start(env={"OMPI_MCA_rmaps_base_oversubscribe": "0"})
        run.finish().expect(USAGE, words)
        assert time.monotonic() - started < 20

    program.for_each(REFUSED, check)


def under_mpirun_it_is_refused(program_, _folder, example):
    program_("train", "callcenter.yaml", "--ranks", "2", cwd=example.folder, ranks=2).expect(USAGE, "start it without mpirun")


def without_a_name_it_finds_its_run_again(_program, _folder, example):
    """No -o, and killed before the first checkpoint: the folder is found by the fence in it."""
    runs = example.folder / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    args = ["train", "callcenter.yaml", *SETTINGS, "train.checkpoint=1000 rounds", "--ranks", "2"]
    process = example.program.start(*args, cwd=example.folder)
    while not (runs / "latest/gang.page").exists():
        time.sleep(0.01)
    run = GangRun(example.program, example.folder, "callcenter.yaml", (runs / "latest").resolve())
    run.process = process
    run.wait_for_steps(steps=5)
    run.kill("coordinator")
    process.communicate()
    example.program(*args, cwd=example.folder).expect(DONE)
    assert len([path for path in runs.iterdir() if not path.is_symlink()]) == 1
    program.assert_same_bytes(example.model, run.folder / "model.h5")


print(f"seed {SEED}", flush=True)
if os.environ.get("FW_ONLY"):
    program.main([globals()[name] for name in os.environ["FW_ONLY"].split(",")], prepare=Example, at_once=AT_ONCE)
else:
    # the longest first
    program.main([ranks_end_when_nobody_listens, a_step_that_never_ends_is_a_loss, a_rank_is_stopped, a_host_that_falls_silent_is_left_out,
                  signals_stop_it_with_a_checkpoint, what_outlived_its_coordinator_is_ended, a_coordinator_that_was_stopped_for_a_while_blames_nobody,
                  a_step_that_always_breaks_is_reported, the_coordinator_is_killed_and_started_again, who_has_no_token_is_dropped_and_counted,
                  a_second_signal_ends_it_at_once, undisturbed_it_is_the_same_as_under_mpirun, a_rank_is_killed,
                  a_leader_killed_while_it_writes_leaves_no_half_checkpoint, the_launcher_is_killed,
                  restarts_are_limited, without_a_name_it_finds_its_run_again, a_signal_before_the_ranks_are_there_ends_it,
                  what_cannot_be_started_is_said_at_once, under_mpirun_it_is_refused], prepare=Example, at_once=AT_ONCE)
