"""Verdicts of Optuna's median and percentile pruners on random losses of trials that run side by side, for test_pruners.c.

    oracle_pruners.py all FILE

Exit code 77: Optuna is not installed. Lines: "pruner NAME PERCENTILE MIN_ROUNDS STARTUP_TRIALS", "TRIAL ROUND LOSS go_on|prune", "end TRIAL LOSS" (nan: it failed).
"""
import math
import random
import sys
import warnings

try:
    import optuna
except ImportError as e:
    print(f"oracle_pruners.py: {e}", file=sys.stderr)
    sys.exit(77)

warnings.filterwarnings("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)
CASES = [("median", 50, 1, 5), ("median", 50, 4, 1), ("percentile", 25, 1, 5), ("percentile", 80, 3, 8), ("percentile", 2.5, 2, 1)]
TRIALS, ROUNDS, SLOTS = 60, 10, 4


def pruner_of(name, percentile, min_rounds, startup):
    kind = optuna.pruners
    if name == "median":
        return kind.MedianPruner(n_startup_trials=startup, n_warmup_steps=min_rounds)
    return kind.PercentilePruner(percentile, n_startup_trials=startup, n_warmup_steps=min_rounds)


def loss_of(trial, step, dice):
    if dice.random() < 0.03:
        return math.nan
    return trial.number % 7 + 5.0 / step + dice.choice([0.0, 0.5, dice.random() * 4])


def run(case, seed, out):
    dice = random.Random(seed)
    study = optuna.create_study(pruner=pruner_of(*case), sampler=optuna.samplers.RandomSampler(seed=seed))
    print("pruner", *case, file=out)
    slots, started = [], 0
    while started < TRIALS or slots:
        while started < TRIALS and len(slots) < SLOTS:
            slots.append([study.ask(), 0])
            started += 1
        slot = dice.choice(slots)
        trial, slot[1] = slot[0], slot[1] + 1
        value = loss_of(trial, slot[1], dice)
        if slot[1] == ROUNDS:
            failed = math.isnan(value)
            study.tell(trial, None if failed else value, state=optuna.trial.TrialState.FAIL if failed else None)
            print("end", trial.number, repr(value), file=out)
            slots.remove(slot)
            continue
        trial.report(value, slot[1])
        prune = trial.should_prune()
        print(trial.number, slot[1], repr(value), "prune" if prune else "go_on", file=out)
        if prune:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            slots.remove(slot)


with open(sys.argv[2], "w", encoding="utf-8") as file:
    for number, settings in enumerate(CASES):
        run(settings, number, file)
