"""Kills at random moments of trainings with --ranks 3: ranks, the launcher, the coordinator. No person acts but to start a killed coordinator's command again.

Usage: test_gang_kills.py BIN_FOLDER KILLS [SEED [DATASET...]]      datasets: callcenter, adult, fashion-mnist (default: the last two, in turn)

Each training is killed at until it is done; each model is compared with that of the undisturbed run. Printed: every kill, and at the end the median and worst
seconds from the kill to the next step by who was killed, and how many kills ended in the same bytes."""

import pathlib
import random
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "system"))
import program  # noqa: E402
import test_datasets  # noqa: E402
from gang_runs import GangRun, ranks_of  # noqa: E402
from program import DONE  # noqa: E402

KILLS = int(sys.argv[2])
SEED = int(sys.argv[3]) if len(sys.argv) > 3 else time.time_ns() % 1000000
DATASETS = sys.argv[4:] or ["adult", "fashion-mnist"]
RANKS = 3
NEXT_KILL_S = (0.4, 2.0)           # the next one comes so long after the first step behind the last
CHECKPOINT = "train.checkpoint=0.3 s"
SETTINGS = {"callcenter": ["train.epochs=40", "train.global_batch_size=16", "train.early_stopping.patience=40"],
            "adult": ["train.epochs=20"], "fashion-mnist": ["train.epochs=6"]}

draw = random.Random(SEED)


class Training:
    """One data set, its undisturbed model, and runs that are killed at."""

    def __init__(self, program_, folder, name):
        self.program, self.folder, self.name, self.n = program_, folder / name, name, 0
        if name == "callcenter":
            program.callcenter(program_, self.folder, 6000)
            self.project, self.settings = "callcenter.yaml", SETTINGS[name]
        else:
            self.folder.mkdir()
            file, _ = test_datasets.SAME_BITS[name]
            self.project = test_datasets.PROJECTS / file
            self.settings = [test_datasets.ingest(program_, self.folder, file), *SETTINGS[name]]
        program_("train", self.project, "-o", "whole", *self.settings, cwd=self.folder, ranks=RANKS).expect(DONE)

    def run(self, kills, times):
        """At most `kills` of them; how many there were."""
        self.n += 1
        run = GangRun(self.program, self.folder, self.project, self.folder / f"run{self.n}", *self.settings, CHECKPOINT, options=("--ranks", str(RANKS))).start()
        done, there = 0, run.wait_for_steps()
        while there is not None and done < kills:
            time.sleep(draw.uniform(*NEXT_KILL_S))
            who, rank = draw.choice(["rank", "launcher", "coordinator"]), draw.randrange(RANKS)
            if who == "rank" and rank not in ranks_of(run.folder) or run.process.poll() is not None or not run.kill(who, rank=rank):
                break                                                      # it was about to end
            killed = time.monotonic()
            if who == "coordinator":
                run.process.wait()
                run.start()
            there = run.wait_for_steps(after=there[0])
            done += 1
            seconds = there[1] - killed if there is not None else None     # None: it ended without another step
            times.append((who, seconds))
            print(f"{self.name} run {self.n}: {who}{f' {rank}' if who == 'rank' else ''}, {f'{seconds:.2f} s' if seconds else 'no step was left'}", flush=True)
        result = run.finish(limit_s=600)
        if result.code != DONE and "a finished run is there" in result.err:
            result.code = DONE                                             # the last coordinator was killed behind its last act
        assert result.code == DONE, result
        program.assert_same_bytes(self.folder / "whole/model.h5", run.folder / "model.h5")
        return done


def every_kill_ends_in_the_same_bytes(program_, folder):
    trainings, times, kills, same = [Training(program_, folder, name) for name in DATASETS], [], 0, 0
    wrong = []
    while kills < KILLS:
        training = trainings[(same + len(wrong)) % len(trainings)]
        before = len(times)
        try:
            kills += training.run(KILLS - kills, times)
            same += 1
        except AssertionError as error:
            kills += max(1, len(times) - before)
            wrong.append(str(error))
    for who in ("rank", "launcher", "coordinator"):
        seconds = [s for w, s in times if w == who and s is not None]
        if seconds:
            print(f"{who:12} {len(seconds):4} kills   median {statistics.median(seconds):.2f} s   worst {max(seconds):.2f} s", flush=True)
    print(f"{kills} kills in {same + len(wrong)} trainings, {same} trainings ended in the bytes of the undisturbed run", flush=True)
    assert not wrong, "\n".join(wrong)


if __name__ == "__main__":
    if any(name != "callcenter" for name in DATASETS):
        test_datasets.leave_without_tables()
    print(f"seed {SEED}", flush=True)
    program.main([every_kill_ends_in_the_same_bytes])
