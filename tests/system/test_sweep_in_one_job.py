"""A sweep inside one mpirun: rank 0 coordinates, the others are cut into groups. The same trials, to the bit, as in one process; a killed rank ends the job, and
--resume goes on; with --enable-recovery it costs its own group alone.

Usage: test_sweep_in_one_job.py BIN_FOLDER"""

import json
import signal

import program
from program import DONE, RANK_LOST, USAGE

PROJECT = program.SMALL_PROJECT.replace("learner: linear", "learner: mlp, hidden: [4]").replace("epochs: 2", "epochs: 4") + """\
tune:
  sampler: random
  pruner: asha
  trials: 8
  seed: 3
  parallel: 2
  objective: {metric: log_loss, direction: minimize}
  space:
    train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}
    model.hidden: {choices: [[2], [8], [4, 4]]}
"""
KILLED = (RANK_LOST, 128 + signal.SIGKILL)             # mpirun tells of the kill itself
RECOVERY = {"OMPI_MCA_orte_enable_recovery": "1"}


def prepare(program_, folder):
    """The project with its dataset, and the study of one process that all others must equal."""
    program.write_small(folder, program.small_rows(400), PROJECT)
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    program_("sweep", "p.yaml", "--lockstep", "-o", "alone", cwd=folder).expect(DONE)
    return folder


def sweep(program_, folder, name, *more, ranks=5, each=2, **how):
    return program_("sweep", folder / "p.yaml", "--lockstep", "--ranks-per-trial", str(each), "-o", folder / name, *more, ranks=ranks, cwd=folder, **how)


def trials(program_, folder, name):
    result = program_("sweep", "trials", folder / name, "--format", "json", cwd=folder).expect(DONE)
    return [{key: trial[key] for key in ("trial", "state", "value", "rounds", "params")} for trial in json.loads(result.out)]


def assert_same_study(program_, folder, name):
    assert trials(program_, folder, name) == trials(program_, folder, "alone"), f"{name}: other trials"
    program.assert_same_bytes(folder / "alone/best/model.h5", folder / name / "best/model.h5")


def groups_give_the_trials_of_one_process(program_, _, folder):
    for name, ranks, each in (("two", 5, 2), ("one", 3, 2), ("left over", 6, 2), ("single", 3, 1)):
        result = sweep(program_, folder, name, ranks=ranks, each=each).expect(DONE)
        assert ("left over" in result.err) == (name == "left over"), result
        assert_same_study(program_, folder, name)


def more_ranks_for_a_trial_than_there_are_is_refused(program_, _, folder):
    sweep(program_, folder, "none", ranks=3, each=3).expect(USAGE, "3 ranks a trial and one that coordinates do not fit into a job of 3")
    assert not (folder / "none").exists(), "it began all the same"


def a_killed_rank_ends_the_job_and_resume_goes_on(program_, _, folder):
    result = sweep(program_, folder, "killed", env={"FW_FAULTS": "train.step@rank=3,hit=30,kill"}, may_die=True)
    assert result.code in KILLED, result
    sweep(program_, folder, "killed", "--resume").expect(DONE)
    assert_same_study(program_, folder, "killed")


def with_recovery_the_other_group_does_all(program_, _, folder):
    for rank in (1, 4):                                # the leader of a group, and not
        name = f"recovered{rank}"
        result = sweep(program_, folder, name, env={"FW_FAULTS": f"train.step@rank={rank},hit=30,kill", **RECOVERY}, may_die=True)
        assert result.code == DONE, result
        assert_same_study(program_, folder, name)


if __name__ == "__main__":
    program.main([groups_give_the_trials_of_one_process, more_ranks_for_a_trial_than_there_are_is_refused, a_killed_rank_ends_the_job_and_resume_goes_on,
                  with_recovery_the_other_group_does_all], prepare)
