#!/usr/bin/env python3
"""asha against no pruner at equal epochs, and against one_epoch_top_k: best validation loss of a finished trial, and the epochs until it is as good.

    python3 tests/bench/bench_pruners.py [--set adult] [--set fashion-mnist] [--seeds 5] [--trials 24] [--rounds 9]

Each seed draws one sequence of random points, which all pruners get; `none` trains --trials of them to the end, and the others as many as the same epochs
allow: asha by its expected epochs a trial, one_epoch_top_k half of the epochs on first epochs. In lockstep on one slot, so that the figures don't depend on
the machine. Epochs are counted in the journal. `saved` is the share of none's epochs that was left when a finished trial was as good as none's best."""
import argparse
import json
import os
import statistics
import subprocess
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
ETA = 3
SPACE = """
    train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}
    train.weight_decay: {low: 1.0e-4, high: 1.0, log: true}
    train.global_batch_size: {low: 64, high: 1024, log: true}
    model.hidden: {choices: [[32], [64, 32], [128, 64], [256, 128]]}
    model.dropout: {low: 0, high: 0.5}
"""
SETS = {
    "adult": """problem: {{task: classification, target: income, positive: ">50K"}}
data:
  tables: {{train: {data}/adult/adult-train.csv, test: {data}/adult/adult-test.csv}}
  missing: ["?"]
  labels: {{merge: {{"<=50K": ["<=50K", "<=50K."], ">50K": [">50K", ">50K."]}}}}
  split: {{by: given, train: [train], test: [test], validation: 0.1, stratify: true}}
features: {{"*": auto, fnlwgt: ignore}}
""",
    "fashion-mnist": """problem: {{task: classification, target: label}}
data:
  tables:
    train: {{images: {data}/fashion-mnist/train-images-idx3-ubyte.gz, labels: {data}/fashion-mnist/train-labels-idx1-ubyte.gz}}
    test: {{images: {data}/fashion-mnist/t10k-images-idx3-ubyte.gz, labels: {data}/fashion-mnist/t10k-labels-idx1-ubyte.gz}}
  split: {{by: given, train: [train], test: [test], validation: 0.1, stratify: true}}
""",
}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--flywheel", default=os.path.join(ROOT, "build", "release", "bin", "flywheel"))
    p.add_argument("--data", default=os.path.join(ROOT, "..", "shared", "data"))
    p.add_argument("--set", action="append", choices=sorted(SETS))
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--trials", type=int, default=24, help="of none; they set the epochs of all")
    p.add_argument("--rounds", type=int, default=9, help="epochs of a whole trial")
    return p.parse_args()


def call(flywheel, *words, folder):
    env = dict(os.environ, OPENBLAS_NUM_THREADS="1", OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OMPI_MCA_rmaps_base_oversubscribe"):
        env.pop(name, None)
    done = subprocess.run([flywheel, *words], cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"flywheel {' '.join(words)}: exit {done.returncode}\n{done.stderr}")


def epochs_a_trial(rounds):
    """Of asha, when one of ETA goes on at each rung 1, ETA, ETA^2, ..."""
    total, rung, share = 1.0, 1, 1.0
    while rung < rounds:
        share /= ETA
        total += share * (min(rung * ETA, rounds) - rung)
        rung *= ETA
    return total


def arms(trials, rounds):
    epochs = trials * rounds
    first = epochs // 2
    return {
        "none": ["tune.pruner=none", f"tune.trials={trials}"],
        "one_epoch_top_k": [f"tune.pruner={{name: one_epoch_top_k, keep: {max(1, (epochs - first) // (rounds - 1))}}}", f"tune.trials={first}"],
        "asha": [f"tune.pruner={{name: asha, reduction_factor: {ETA}}}", f"tune.trials={round(epochs / epochs_a_trial(rounds))}"],
    }


def course(journal):
    """(epochs spent, best loss of a finished trial) at each trial that finished; and the epochs of all."""
    epochs, best, steps = 0, float("inf"), []
    with open(journal, encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line[17:])
            epochs += entry["event"] == "report"
            if entry["event"] == "complete" and entry["value"] is not None and entry["value"] < best:
                best = entry["value"]
                steps.append((epochs, best))
    return steps, epochs


def study(options, folder, name, seed, words):
    output = f"{name}-{seed}"
    call(options.flywheel, "sweep", "p.yaml", "--lockstep", "-o", output, f"tune.seed={seed}", *words, folder=folder)
    return course(os.path.join(folder, output, "journal"))


def at(steps, epochs):
    """Best loss after so many epochs."""
    return min((loss for spent, loss in steps if spent <= epochs), default=float("inf"))


def reach(steps, loss):
    """Epochs until a loss is had; None: never."""
    return next((spent for spent, best in steps if best <= loss), None)


def compare(options, name, folder):
    words = arms(options.trials, options.rounds)
    found = {arm: [] for arm in words}
    for seed in range(1, options.seeds + 1):
        reference, budget = None, options.trials * options.rounds
        for arm in words:
            steps, epochs = study(options, folder, arm, seed, words[arm])
            reference = steps[-1][1] if arm == "none" else reference
            when = reach(steps, reference)
            found[arm].append((at(steps, budget), 0.0 if when is None else 1 - when / budget))
            print(f"{name}  seed {seed}  {arm:16s}  {epochs:5d} epochs  best loss at {budget}: {at(steps, budget):.5f}  as good as none's best after "
                  f"{'never' if when is None else when}", flush=True)
    for arm, values in found.items():
        wins = sum(v[0] < n[0] for v, n in zip(values, found["none"]))
        print(f"{name}  {arm:16s}  best loss: median {statistics.median(v[0] for v in values):.5f}, better than none's in {wins} of {len(values)};  "
              f"saved: median {100 * statistics.median(v[1] for v in values):.0f} % of the epochs", flush=True)


def main():
    options = arguments()
    options.flywheel = os.path.abspath(options.flywheel)
    for name in options.set or sorted(SETS):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "p.yaml"), "w", encoding="utf-8") as out:
                out.write(f"project: {name}\n" + SETS[name].format(data=os.path.abspath(options.data)))
                out.write(f"train: {{epochs: {options.rounds}, optimizer: adamw}}\ntune:\n  sampler: random\n  objective: log_loss\n  space:{SPACE}")
            call(options.flywheel, "ingest", "p.yaml", folder=folder)
            compare(options, name, folder)


if __name__ == "__main__":
    main()
