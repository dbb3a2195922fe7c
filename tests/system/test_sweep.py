"""Sweeps as a user runs them: in one process, under mpirun, on gangs; stopped and resumed; what they refuse.

Usage: test_sweep.py BIN_FOLDER"""

import json
import pathlib
import re
import signal
import subprocess
import time

import program
from program import BAD_DATA, DONE, STOPPED, USAGE, assert_same_bytes

SPACE = """\
tune:
  trials: 9
  sampler: tpe
  pruner: {name: asha, min_rounds: 1, max_rounds: 6}
  parallel: 3
  objective: macro_f1
  space:
    train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}
    model.hidden: {choices: [[16], [32, 16]]}
    train.global_batch_size: {low: 32, high: 128, step: 32}
"""
ANY_BUS = "monitor.bus=tcp://127.0.0.1:*"


def prepare(program_, folder):
    """The call centre with a space to search; the sweep that nobody disturbs, in one process."""
    example = folder / "example"
    program.callcenter(program_, example, 2000)
    file = example / "callcenter.yaml"
    (example / "p.yaml").write_text(file.read_text() + SPACE)
    program_("sweep", "p.yaml", "--lockstep", "-o", "whole", ANY_BUS, cwd=example).expect(DONE, "9 trials", "best     trial")
    return example


def sweep(program_, example, output, *words, ranks=None, **how):
    return program_("sweep", "p.yaml", "-o", output, ANY_BUS, *words, cwd=example, ranks=ranks, **how)


def trials(program_, example, study):
    """number -> state, value, rounds of every trial."""
    rows = json.loads(program_("sweep", "trials", str(study), "--format", "json", cwd=example).expect(DONE).out)
    return {row["trial"]: (row["state"], row["value"], row["rounds"]) for row in rows}


def assert_same_study(program_, example, study):
    assert trials(program_, example, study) == trials(program_, example, "whole"), f"{study}: other trials than in the sweep that nobody disturbed"
    assert_same_bytes(example / "whole/best/model.h5", example / study / "best/model.h5") if (example / study).is_dir() else assert_same_bytes(
        example / "whole/best/model.h5", study / "best/model.h5")
    program_("sweep", "replay", str(study), cwd=example).expect(DONE, "the same")


def best_is_an_ordinary_run(program_, folder, example):
    best = example / "whole/best"
    for name in ("model.h5", "resolved.yaml", "metrics.json", "report.html", "progress.jsonl"):
        assert (best / name).is_file(), f"{name} is missing"
    program_("train", best / "resolved.yaml", "-o", folder / "again", cwd=folder).expect(DONE)
    assert_same_bytes(best / "model.h5", folder / "again/model.h5")
    program_("evaluate", best / "resolved.yaml", best, cwd=folder, may_die=False)
    kept = [path.name for path in (example / "whole/trials").iterdir()]
    assert len(kept) == 1, f"only the best trial keeps its folder: {kept}"
    assert (example / "whole/report.html").is_file()


def same_in_every_form(program_, folder, example):
    sweep(program_, example, folder / "gangs", "--lockstep", "--groups", "2").expect(DONE, "2 groups")
    assert_same_study(program_, example, folder / "gangs")
    sweep(program_, example, folder / "large", "--lockstep", "--groups", "1", "--ranks-per-trial", "3").expect(DONE)
    assert_same_study(program_, example, folder / "large")
    sweep(program_, example, folder / "job", "--lockstep", ranks=4).expect(DONE, "3 groups")
    assert_same_study(program_, example, folder / "job")


def without_lockstep_all_trials_end(program_, folder, example):
    sweep(program_, example, folder / "free", "--groups", "3").expect(DONE, "9 trials")
    found = trials(program_, example, folder / "free")
    assert len(found) == 9 and all(state in ("COMPLETE", "PRUNED") for state, _, _ in found.values()), found
    program_("sweep", "replay", folder / "free", cwd=example).expect(DONE, "the same")


def is_not_overwritten_and_goes_on(program_, folder, example):
    study = folder / "study"
    sweep(program_, example, study, "--resume").expect(USAGE, "there is no study")
    sweep(program_, example, study, "--lockstep", "--trials", "5").expect(DONE, "5 trials")
    first = trials(program_, example, study)
    sweep(program_, example, study, "--lockstep").expect(USAGE, "--resume", "--force")
    sweep(program_, example, study, "--lockstep", "--resume", "--trials", "9").expect(DONE, "9 trials")
    later = trials(program_, example, study)
    assert len(later) == 9 and all(later[n] == first[n] for n in first if first[n][0] == "COMPLETE"), (first, later)
    sweep(program_, example, study, "--lockstep", "--resume", "--trials", "9", "train.seed=5").expect(USAGE, "another", "seed")
    sweep(program_, example, study, "--lockstep", "--force", "--trials", "3").expect(DONE, "3 trials")


def a_signal_saves_and_ends_with_75(program_, folder, example):
    for number in (signal.SIGTERM, signal.SIGUSR1):
        study = folder / f"signal-{number}"
        words = ["sweep", "p.yaml", "-o", str(study), ANY_BUS, "--lockstep", "--groups", "2"]
        process = program_.start(*words, cwd=example, env={"FW_FAULTS": "train.step@delay=2"})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and (not (study / "journal").exists() or (study / "journal").read_text().count("report") < 4):
            time.sleep(0.005)
        process.send_signal(number)
        result = program_.finish(process)
        assert result.code in (STOPPED, DONE), result
        if result.code == STOPPED:
            result.expect(STOPPED, "--resume")
        program_(*words, "--resume", cwd=example).expect(DONE)
        assert_same_study(program_, example, study)


def a_timeout_saves_and_ends_with_75(program_, folder, example):
    study = folder / "timeout"
    result = sweep(program_, example, study, "--lockstep", "--groups", "2", "--timeout", "0.05 s")
    result.expect(STOPPED, "timeout", "--resume")
    assert sum(state in ("COMPLETE", "PRUNED") for state, _, _ in trials(program_, example, study).values()) < 9
    sweep(program_, example, study, "--lockstep", "--groups", "1", "--resume").expect(DONE)
    assert_same_study(program_, example, study)


def folds_and_seeds_give_a_mean_and_its_error(program_, folder, example):
    words = ["tune.objective.folds=3", "tune.objective.seeds=2", "tune.trials=3", "tune.pruner=none", "train.epochs=3", "--lockstep"]
    sweep(program_, example, folder / "one", *words).expect(DONE, "+-")
    sweep(program_, example, folder / "two", *words, "--groups", "2").expect(DONE, "+-")
    assert trials(program_, example, folder / "one") == trials(program_, example, folder / "two")
    assert_same_bytes(folder / "one/best/model.h5", folder / "two/best/model.h5")
    program_("train", folder / "one/best/resolved.yaml", "-o", folder / "again", cwd=folder).expect(DONE)
    assert_same_bytes(folder / "one/best/model.h5", folder / "again/model.h5")


WILD = """\
tune:
  sampler: grid
  space:
    train.learning_rate: {choices: [0.01, 1000]}
    model.hidden: {choices: [[8], [16]]}
"""


def a_trial_that_fails_stops_nothing(program_, folder, example):
    (example / "wild.yaml").write_text((example / "callcenter.yaml").read_text() + WILD)
    words = ["sweep", "wild.yaml", ANY_BUS, "--lockstep", "train.optimizer=sgd", "train.momentum=0.99", "train.epochs=6"]
    program_(*words, "-o", folder / "some", cwd=example).expect(DONE, "2 COMPLETE, 2 FAIL")
    rows = json.loads(program_("sweep", "trials", folder / "some", "--format", "json", cwd=example).out)
    assert all("not finite" in row["reason"] for row in rows if row["state"] == "FAIL"), rows
    assert [path.name for path in (folder / "some/trials").iterdir()] == [str(max((row for row in rows if row["state"] == "COMPLETE"), key=lambda row: -row["value"])["trial"])]
    program_(*words, "-o", folder / "few", "tune.max_failed_trials=1", cwd=example).expect(USAGE, "max_failed_trials")


def ranks_of_idle_groups_join_the_others(program_, folder, example):
    words = ["--lockstep", "--groups", "3", "tune.pruner=none", "tune.trials=4", "train.early_stopping.patience=0", "tune.sampler=random"]
    slow = {"FW_FAULTS": "train.step@delay=30"}
    plain = sweep(program_, example, folder / "plain", *words, "train.epochs=4").expect(DONE)
    grown = sweep(program_, example, folder / "grown", *words, "train.epochs=4", "--elastic", env=slow).expect(DONE)
    assert re.search(r"elastic: group \d+ has nothing left to do", grown.err) and re.search(r"elastic: group \d+ goes on with trial \d+ .* on [23] ranks", grown.err), grown
    assert trials(program_, example, folder / "plain") == trials(program_, example, folder / "grown"), (plain, grown)
    assert_same_bytes(folder / "plain/best/model.h5", folder / "grown/best/model.h5")


def events_of_trials_are_published(program_, folder, example):
    endpoint = f"ipc://{folder}/bus"
    watch = program_.start("watch", endpoint, cwd=folder)
    program_("sweep", "p.yaml", "-o", folder / "seen", f"monitor.bus={endpoint}", "tune.trials=3", cwd=example, env={"FW_FAULTS": "train.step@delay=5"}).expect(DONE)
    watch.terminate()
    out = watch.communicate(timeout=30)[0]
    events = [json.loads(line) for line in out.splitlines()]
    kinds = {event.get("event") for event in events}
    assert {"begin", "round"} <= kinds and kinds & {"COMPLETE", "PRUNED"}, kinds


def what_makes_no_sense_is_refused(program_, folder, example):
    def refused(name, words, *said, **how):
        sweep(program_, example, folder / "refused", *words, **how).expect(USAGE, *said)
        assert not (folder / "refused").exists(), f"{name}: something was made"

    program.for_each([
        ("both", ["--resume", "--force"], "give one of them"),
        ("elastic", ["--elastic"], "--elastic", "--groups"),
        ("launch", ["--launch", "mpirun -n {ranks}"], "--launch", "--groups"),
        ("half a group", ["--groups", "1.5"], "whole number"),
        ("no groups", ["--groups", "0"], "--groups"),
        ("no ranks", ["--groups", "2", "--ranks-per-trial", "0"], "--ranks-per-trial"),
        ("template", ["--groups", "2", "--launch", "mpirun"], "{ranks}"),
        ("hosts", ["--groups", "2", "--ranks-per-trial", "2", "--hosts", "a:3"], "the hosts hold 3"),
        ("trials", ["--trials", "none"], "tune.trials"),
        ("timeout", ["--timeout", "soon"], "tune.timeout"),
    ], refused)
    program_("sweep", "callcenter.yaml", "-o", folder / "refused", cwd=example).expect(USAGE, "tune.space")
    sweep(program_, example, folder / "refused", "--ranks-per-trial", "3", ranks=3).expect(USAGE, "rank")


if __name__ == "__main__":
    program.main([best_is_an_ordinary_run, same_in_every_form, without_lockstep_all_trials_end, is_not_overwritten_and_goes_on, a_signal_saves_and_ends_with_75,
                  a_timeout_saves_and_ends_with_75, folds_and_seeds_give_a_mean_and_its_error, a_trial_that_fails_stops_nothing,
                  ranks_of_idle_groups_join_the_others, events_of_trials_are_published, what_makes_no_sense_is_refused], prepare)
