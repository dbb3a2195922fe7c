"""A training as its files tell it: progress.jsonl, exact resumption after every step, what is left of an earlier start, what a terminal shows."""

import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import time

from program import DONE, SMALL_PROJECT, STOPPED, USAGE, assert_same_bytes, environment, main, write_small

ALWAYS = {"time", "event", "round", "step", "rows", "ranks"}
OF_A_ROUND = ALWAYS | {"rows_per_s", "train_loss", "validation", "seconds"}
STEPS, ROWS = 3, 48                # of a round of the small project: 48 training rows in batches of 16
EACH_STEP = "train.checkpoint.every=0.000001 s"
EACH_ROUND = "train.checkpoint.every=1 rounds"
ROUNDS = 3
SETTINGS = [f"train.epochs={ROUNDS}", "train.early_stopping.patience=5", "train.schedule.kind=cosine", "train.learning_rate=0.05"]


def events(folder):
    return [json.loads(line) for line in (folder / "progress.jsonl").read_text().splitlines()]


def ingested(program, folder):
    write_small(folder)
    program("ingest", "p.yaml", cwd=folder).expect(DONE)


def killed_behind(program, folder, out, step):
    """A training that is killed when the checkpoint after this step, its only one, is on the disk. Its thread writes beside the training, so that the place
    is held: the process stops in front of the step, is asked for a checkpoint meanwhile, and goes on."""
    place = f"train.step@hit={step - 1}" if step > 1 else "fs.after_rename@hit=1"      # of resolved.yaml, before the training begins
    faults = {"FW_FAULTS": f"{place},stop;train.after_checkpoint@hit=1,kill"}
    process = program.start("train", "p.yaml", "-o", out, *SETTINGS, cwd=folder, env=faults)
    deadline = time.monotonic() + 60
    while os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        assert time.monotonic() < deadline, f"it never came to {place}"
        time.sleep(0.001)
    process.send_signal(signal.SIGUSR1)
    process.send_signal(signal.SIGCONT)
    ended = program.finish(process)
    assert ended.code == -signal.SIGKILL, ended
    assert not (folder / out / "model.h5").exists(), ended


def events_have_their_fields_and_count_rows_of_the_whole_run(program, folder):
    ingested(program, folder)
    killed_behind(program, folder, "run", STEPS + 1)
    program("train", "p.yaml", "-o", "run", *SETTINGS, EACH_ROUND, cwd=folder, ranks=2).expect(DONE)
    seen = events(folder / "run")
    for event in seen:
        assert set(event) == (OF_A_ROUND if event["event"] == "round" else ALWAYS), event
    assert [e["event"] for e in seen if e["event"] not in ("checkpoint", "step")] == ["start", "round", "resume", "round", "round", "done"], seen
    kinds = [e["event"] for e in seen]
    assert all(kinds[kinds.index(beginning) + 1] == "step" for beginning in ("start", "resume")), seen
    assert [e["rows"] for e in seen if e["event"] == "round"] == [ROWS, 2 * ROWS, 3 * ROWS], seen
    (resume,) = [e for e in seen if e["event"] == "resume"]
    assert (resume["round"], resume["step"], resume["rows"], resume["ranks"]) == (1, STEPS + 1, ROWS + 16, 2), resume
    assert all(set(e["seconds"]) == {"load", "forward", "backward", "sum", "optimizer", "wait"} for e in seen if "seconds" in e)


def resumed_after_any_step_nothing_differs(program, folder):
    """Killed behind a checkpoint after each step in turn: the model and the last checkpoint (losses, learning rates, metrics of all rounds) are the same bytes."""
    ingested(program, folder)
    program("train", "p.yaml", "-o", "whole", *SETTINGS, EACH_ROUND, cwd=folder).expect(DONE)
    for step in range(1, STEPS * ROUNDS + 1):
        out = f"part{step}"
        killed_behind(program, folder, out, step)
        program("train", "p.yaml", "-o", out, *SETTINGS, EACH_ROUND, cwd=folder, ranks=None if step % 3 else 3).expect(DONE, "going on from")
        (resume,) = [event for event in events(folder / out) if event["event"] == "resume"]
        assert resume["step"] == step, resume
        for name in ("model.h5", "checkpoint.h5"):
            assert_same_bytes(folder / "whole" / name, folder / out / name)


def a_round_longer_than_a_write_has_its_checkpoint(program, folder):
    """Every round's checkpoint is at its end when the one before is on the disk by then; one that falls due at each step waits for the one at hand."""
    ingested(program, folder)
    longer = {"FW_FAULTS": ";".join(f"train.step@hit={STEPS * r},delay=2000" for r in range(1, ROUNDS + 1))}
    for out, every in (("rounds", EACH_ROUND), ("steps", EACH_STEP)):
        program("train", "p.yaml", "-o", out, *SETTINGS, every, cwd=folder, env=longer).expect(DONE)
    at = {out: [e["step"] for e in events(folder / out) if e["event"] == "checkpoint"] for out in ("rounds", "steps")}
    assert at["rounds"] == [STEPS * r for r in range(1, ROUNDS + 1)], at
    assert len(at["steps"]) >= 3 and at["steps"] == sorted(set(at["steps"])), at
    assert_same_bytes(folder / "rounds/model.h5", folder / "steps/model.h5")


def all_rounds_done_and_no_model(program, folder):
    """Killed when the last checkpoint, after the last round, was written: what is left to do is done."""
    ingested(program, folder)
    program("train", "p.yaml", "-o", "whole", *SETTINGS, EACH_ROUND, cwd=folder).expect(DONE)
    kill = {"FW_FAULTS": "train.after_checkpoint@hit=1,kill"}
    last = f"train.checkpoint.every={ROUNDS} rounds"
    killed = program("train", "p.yaml", "-o", "part", *SETTINGS, last, cwd=folder, env=kill, may_die=True)
    assert killed.code == -signal.SIGKILL and not (folder / "part/model.h5").exists(), killed
    program("train", "p.yaml", "-o", "part", *SETTINGS, last, "--profile", cwd=folder, ranks=2).expect(DONE, "going on from")
    (resume,) = [event for event in events(folder / "part") if event["event"] == "resume"]
    assert resume["step"] == STEPS * ROUNDS, resume
    assert_same_bytes(folder / "whole/model.h5", folder / "part/model.h5")


def catches(process, number):
    """Whether the process has a handler for the signal."""
    (line,) = [line for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("SigCgt:")]
    return int(line.split()[1], 16) >> (number - 1) & 1


def a_signal_before_the_first_step_is_remembered(program, folder):
    """SIGUSR1 comes as soon as there is a handler, long before the run has a folder: a checkpoint after one step, exit code 75, and on it goes."""
    ingested(program, folder)
    process = program.start("train", "p.yaml", "-o", "run", *SETTINGS, cwd=folder)
    deadline = time.monotonic() + 30
    while process.poll() is None and not catches(process, signal.SIGUSR1) and time.monotonic() < deadline:
        time.sleep(0.001)
    begun = (folder / "run").exists()
    process.send_signal(signal.SIGUSR1)
    program.finish(process).expect(STOPPED, "after step 1;", "run the same command again")
    assert not begun, "the handler came late"
    assert events(folder / "run")[-1]["event"] == "stop"
    program("train", "p.yaml", "-o", "run", *SETTINGS, cwd=folder).expect(DONE, "going on from")


def a_signal_ends_a_range_test(program, folder):
    ingested(program, folder)
    process = program.start("train", "p.yaml", "--find-learning-rate", cwd=folder)
    while process.poll() is None and not catches(process, signal.SIGUSR1):
        time.sleep(0.001)
    process.send_signal(signal.SIGUSR1)
    program.finish(process).expect(STOPPED, "range test")


def without_validation_nothing_is_said_of_it(program, folder):
    write_small(folder, project=SMALL_PROJECT.replace("id: id", "id: id\n  split: {train: 0.8, validation: 0, test: 0.2}"))
    program("ingest", "p.yaml", cwd=folder).expect(DONE)
    program("train", "p.yaml", "-o", "run", "train.epochs=6", cwd=folder).expect(DONE, "on the train split")
    program("evaluate", "p.yaml", "run", "-o", "judged", cwd=folder).expect(DONE)
    for report in "run/report.html", "judged/report.html":
        learned = re.search(r"How it learned</h2>.*?</section>", (folder / report).read_text(), re.S).group()
        assert "validation log loss" not in learned.lower() and "no validation was made" in learned and "training loss" in learned, learned


def weights_are_of_classes_that_are_there(program, folder):
    ingested(program, folder)
    program("train", "p.yaml", "-o", "run", "train.class_weights={a: 2, bb: 1}", cwd=folder, ranks=2).expect(USAGE, "class_weights", 'no class "bb"', 'did you mean "b"')


def a_range_test_leaves_nothing(program, folder):
    ingested(program, folder)
    before = sorted(folder.rglob("*"))
    program("train", "p.yaml", "--find-learning-rate", "model.learner=mlp", "model.dropout=0.5", cwd=folder, ranks=2).expect(DONE, "suggestion")
    assert sorted(folder.rglob("*")) == before


def the_line_on_a_terminal(program, folder):
    """A terminal has one line that is written over, cut at its edge; elsewhere there is no carriage return."""
    ingested(program, folder)
    command = [program.bin / "flywheel", "train", "p.yaml", "-o", "run", "train.epochs=5"]
    try:
        main_end, terminal = pty.openpty()
    except OSError as why:                                         # a chroot without /dev/pts
        print(f"        left out: {why}")
        return
    os.set_blocking(main_end, False)
    subprocess.run(command, cwd=folder, env=environment(None), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=terminal, check=True)
    shown = os.read(main_end, 1 << 20).decode()
    os.close(terminal)
    os.close(main_end)
    lines = [part for part in re.split(r"\r\x1b\[K|\r\n", shown) if part.startswith("round ")]
    assert lines and all(len(line) < 80 for line in lines), shown
    assert re.match(r"round 5/5 done  loss [0-9.]+  validation log_loss [0-9.]+  [0-9.]+ ?[kM]? rows/s  0 s left$", lines[-1]), lines
    elsewhere = program("train", "p.yaml", "-o", "run2", cwd=folder).expect(DONE)
    assert "\r" not in elsewhere.err + elsewhere.out


if __name__ == "__main__":
    main([events_have_their_fields_and_count_rows_of_the_whole_run, resumed_after_any_step_nothing_differs,
          a_round_longer_than_a_write_has_its_checkpoint, all_rounds_done_and_no_model,
          a_signal_before_the_first_step_is_remembered, a_signal_ends_a_range_test,
          without_validation_nothing_is_said_of_it, weights_are_of_classes_that_are_there, a_range_test_leaves_nothing, the_line_on_a_terminal])
