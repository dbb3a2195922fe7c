"""Checkpoints that a thread writes beside the training, and the vote on the weights: ranks that die meanwhile, a disk that does not answer, flipped bits.

Usage: test_checkpoints.py BIN_FOLDER"""

import json
import pathlib
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import program  # noqa: E402
from program import DONE, FAILED, RANK_LOST, STOPPED  # noqa: E402

KILLED = (RANK_LOST, 128 + signal.SIGKILL)
TRAIN = ["train", "callcenter.yaml", "train.epochs=6", "train.early_stopping.patience=6", "train.checkpoint=1 rounds"]      # 7 steps a round


class Example:
    def __init__(self, program_, folder):
        self.program, self.folder, self.run = program_, folder / "example", folder / "example/run"
        program.callcenter(program_, self.folder, 2000)
        program_(*TRAIN, "-o", "whole", cwd=self.folder, ranks=2).expect(DONE)

    def train(self, ranks, env, *settings, may_die=False):
        shutil.rmtree(self.run, ignore_errors=True)
        return self.program(*TRAIN, *settings, "-o", "run", cwd=self.folder, ranks=ranks, env=env, may_die=may_die)

    def events(self, name):
        try:
            lines = (self.run / "progress.jsonl").read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [event for event in (json.loads(line) for line in lines if line.endswith("\n")) if event["event"] == name]

    def wait_for(self, process, name):
        while not self.events(name):
            assert process.poll() is None, f"it ended before its first {name}: {process.communicate()}"
            time.sleep(0.002)

    def goes_on(self, *settings, ranks=2, whole="whole"):
        assert not (self.run / "model.h5").exists()
        for file in [path for path in self.run.glob("checkpoint.h5*") if ".tmp." not in path.name]:
            self.program("inspect", file, cwd=self.folder, may_die=True).expect(DONE)
        self.program(*TRAIN, *settings, "-o", "run", cwd=self.folder, ranks=ranks).expect(DONE, "going on from")
        program.assert_same_bytes(self.folder / whole / "model.h5", self.run / "model.h5")


def a_rank_dies_while_the_thread_writes(program_, _folder, example):
    """The thread is held up in the middle of its second checkpoint and the ranks train on, slowly: the first one is on the disk by then."""
    def check(_name, point, rank):
        env = {"FW_FAULTS": f"{point}@rank=0,hit=2,delay=2000;train.step@delay=20;train.step@rank={rank},hit=30,kill"}
        result = example.train(2, env, may_die=True)
        assert result.code in KILLED and result.err.count("a rank was lost") == 1, result
        example.goes_on(ranks=3)

    program.for_each([(f"rank {rank} killed during {point}", point, rank) for point in ("checkpoint.before_seal", "checkpoint.before_rename") for rank in (0, 1)],
                     check)


def a_write_that_fails_late_is_told_and_the_one_before_stands(program_, _folder, example):
    env = {"FW_FAULTS": "checkpoint.before_rename@rank=0,hit=2,delay=100;checkpoint.before_rename@rank=0,hit=2,fail"}
    example.train(2, env).expect(FAILED, "made to fail by FW_FAULTS")
    assert not (example.run / "checkpoint.h5.previous").exists()
    example.goes_on()


def a_stop_waits_for_the_checkpoint_at_hand_and_its_own(program_, _folder, example):
    """The first checkpoint takes long; the signal comes meanwhile: the position of the last one is that of the stop."""
    shutil.rmtree(example.run, ignore_errors=True)
    env = {"FW_FAULTS": "checkpoint.before_write@rank=0,hit=1,delay=1500;train.step@rank=0,hit=12,delay=700"}
    process = program_.start(*TRAIN, "-o", "run", cwd=example.folder, ranks=2, env=env)
    example.wait_for(process, "round")
    process.send_signal(signal.SIGUSR1)
    program_.finish(process).expect(STOPPED, "stopped by a signal after step")
    (stopped,) = example.events("stop")
    assert example.events("checkpoint")[-1]["step"] == stopped["step"], example.events("checkpoint")
    assert len(example.events("checkpoint")) == 2 and (example.run / "checkpoint.h5.previous").exists()
    example.goes_on(ranks=1)


def a_checkpoint_that_never_ends_is_given_up(_program, _folder, example):
    env = {"FW_FAULTS": "checkpoint.before_write@rank=0,hit=1,delay=3000", "FW_CHECKPOINT_SECONDS": "0.2"}
    result = example.train(2, env, may_die=True)
    assert result.code == FAILED and "a checkpoint has been in writing for more than 0.2 s: the file system does not answer" in result.err, result


MAJORITY, TIE = "differ from those of all others", "no majority says who is right"
FLIPS = [      # (name, ranks, ranks a node, where, what is said)
    *((f"rank {bad} of {ranks}", ranks, 1, f"weights.flip@rank={bad},hit=16", f"state of rank {bad} (host ", MAJORITY) for ranks, bad in ((3, 1), (5, 0), (5, 4))),
    ("one of two", 2, 1, "weights.flip@rank=1,hit=16", "state of rank 0 (host ", ", rank 1 (host ", TIE),
    ("a node of two", 5, 2, "weights.flip@rank=3,hit=16", "state of rank 2 (host ", ", the copy of its node's 2 ranks)", MAJORITY),
    ("at rest on the only node", 2, 2, "weights.flip_at_rest@rank=0,hit=3", "changed though no step was made"),
    ("at rest on one of three", 3, 1, "weights.flip_at_rest@rank=2,hit=3", "that rank 2 (host ", "changed though no step was made"),
    ("in the copy that is written", 3, 1, "weights.flip_copy@rank=0,hit=2", "the copy of the state from which checkpoint"),
]


def a_flipped_bit_is_found_and_nothing_wrong_is_written(_program, _folder, example):
    """Silent corruption: who differs is named, with exit code 5; no checkpoint holds it; the next start ends in the same bytes."""
    def check(_name, ranks, a_node, fault, *words):
        result = example.train(ranks, {"FW_FAULTS": fault + ",fail", "FW_TEST_NODE_RANKS": str(a_node)})
        result.expect(RANK_LOST, "silent corruption: ", "start the same command again", *words)
        example.goes_on()

    program.for_each(FLIPS, check)


def a_flipped_bit_in_the_best_weights_is_found(program_, _folder, example):
    """Nothing is better than the first round by so much: its weights are kept to the end, in every later checkpoint."""
    first = "train.early_stopping.min_delta=1000"
    program_(*TRAIN, first, "-o", "first", cwd=example.folder, ranks=2).expect(DONE)
    result = example.train(2, {"FW_FAULTS": "weights.flip_best@rank=0,hit=1,fail"}, first)
    result.expect(RANK_LOST, "silent corruption: the best weights, kept since they were marked")
    example.goes_on(first, whole="first")


def a_supervised_training_goes_back_by_itself(program_, _folder, example):
    """The bit flips in each start anew, at its 16th step: each gets further, nobody acts, and the last one ends."""
    shutil.rmtree(example.run, ignore_errors=True)
    env = {"FW_FAULTS": "weights.flip@rank=1,hit=16,fail", "FW_TEST_NODE_RANKS": "1"}
    result = program_(*TRAIN, "--ranks", "3", "-o", "run", cwd=example.folder, env=env)
    assert result.code == DONE and "silent corruption: " in result.err and "state of rank 1 (host " in result.err, result
    assert example.events("restart"), result
    program.assert_same_bytes(example.folder / "whole/model.h5", example.run / "model.h5")


def every_checkpoint_is_told(program_, _folder, example):
    """Also the one that is written while the model waits to be saved: of the last step."""
    shutil.rmtree(example.run, ignore_errors=True)
    program_(*TRAIN, "-o", "run", cwd=example.folder, ranks=2).expect(DONE)
    told = [event["step"] for event in example.events("checkpoint")]
    assert len(told) >= 2 and told == sorted(set(told)) and told[-1] == example.events("done")[0]["step"], told


program.main([a_rank_dies_while_the_thread_writes, a_write_that_fails_late_is_told_and_the_one_before_stands,
              a_stop_waits_for_the_checkpoint_at_hand_and_its_own, a_checkpoint_that_never_ends_is_given_up,
              a_flipped_bit_is_found_and_nothing_wrong_is_written, a_flipped_bit_in_the_best_weights_is_found,
              a_supervised_training_goes_back_by_itself, every_checkpoint_is_told], prepare=Example)
