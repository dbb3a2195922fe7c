"""Every bit of the first 4 KiB and random others of a checkpoint, a model and a dataset are flipped, and the files are cut at random lengths: each
time the reader finds it, and never crashes (damage/damage.c). And the commands: training does not go on from a damaged checkpoint in silence.

Usage: test_flipped_bits.py BIN_FOLDER [N] [SEED]
N: so many random bits and lengths (default 1000)."""

import pathlib
import random
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import program  # noqa: E402
from program import BAD_DATA, DONE, FAILED  # noqa: E402

N = sys.argv[2] if len(sys.argv) > 2 else "1000"
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 1000000
ROWS = 600
TRAIN = ["train", "callcenter.yaml", "train.epochs=8", "train.early_stopping.patience=8", "train.checkpoint=1 rounds"]

draw = random.Random(SEED)


class Example:
    def __init__(self, program_, folder):
        self.program, self.folder = program_, folder / "example"
        program.callcenter(program_, self.folder, ROWS)
        program_(*TRAIN, "-o", "whole", cwd=self.folder).expect(DONE)


def damage(program_, folder, kind, path):
    command = [program_.bin / "fw_damage", kind, path, folder / "copy.h5", str(SEED), N]
    result = subprocess.run(command, env=program.environment(None), capture_output=True, text=True, timeout=program.LIMIT_S, check=False)
    assert result.returncode == 0, f"{result.returncode}: {result.stdout[-2000:]} {result.stderr[-2000:]}"
    print("        " + result.stdout.strip().replace("\n", "\n        "), flush=True)


def damage_to_a_checkpoint_is_found(program_, folder, example):
    damage(program_, folder, "checkpoint", example.folder / "whole/checkpoint.h5")


def damage_to_a_model_is_found(program_, folder, example):
    damage(program_, folder, "model", example.folder / "whole/model.h5")


def damage_to_a_dataset_is_found(program_, folder, example):
    damage(program_, folder, "dataset", example.folder / "callcenter.dataset.h5")


def flip(path):
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def commands_refuse_a_damaged_model(program_, _folder, example):
    model = example.folder / "whole/model.h5"
    whole = model.read_bytes()
    flip(model)
    program_("score", "whole", "calls.csv", "-o", "out.csv", cwd=example.folder).expect(BAD_DATA, "model.h5")
    model.write_bytes(whole)


def training_falls_back_to_the_checkpoint_before(program_, _folder, example):
    """The newest is damaged: the one before it is taken, which is said; both damaged: the training is refused."""
    run = example.folder / "cut"
    fault = {"FW_FAULTS": "checkpoint.after_rename@hit=2,fail"}
    program_(*TRAIN, "-o", "cut", cwd=example.folder, env=fault).expect(FAILED)
    before = (run / "checkpoint.h5.previous").read_bytes()
    flip(run / "checkpoint.h5")
    flip(run / "checkpoint.h5.previous")
    result = program_(*TRAIN, "-o", "cut", cwd=example.folder)
    assert result.code not in (DONE, FAILED) and "checkpoint" in result.err, result
    (run / "checkpoint.h5.previous").write_bytes(before)
    program_(*TRAIN, "-o", "cut", cwd=example.folder).expect(DONE, "checkpoint.h5.previous")
    program.assert_same_bytes(example.folder / "whole/model.h5", run / "model.h5")


print(f"seed {SEED}", flush=True)
program.main([damage_to_a_checkpoint_is_found, damage_to_a_model_is_found, damage_to_a_dataset_is_found, commands_refuse_a_damaged_model,
              training_falls_back_to_the_checkpoint_before], prepare=Example)
