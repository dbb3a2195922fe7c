"""Training against numpy in float64: small tables, each optimizer, link and schedule; the weights in model.h5 are those of the formulas.

What numpy needs to know of the engine is written here a second time: Philox (SC'11) keyed by (seed, purpose), the order of an epoch's rows, the first
weights. Order and batches are exact, so only rounding differs.

Tolerance: a mean gradient of these tables errs by less than 1e-6 (products of some 100 terms of size 1 in float32 with 2^-24 each), a weight by 2^-24 of
itself a step. 30 steps of rate <= 0.1, momentum 0.9 adding ten of them up: 30 * 0.1 * 10 * 1e-6 = 3e-5. Adam divides by sqrt(v): its steps are as long
as the rate whatever the gradient, so the error of a gradient of 1e-2 counts a hundredfold: 30 * 0.01 * 100 * 1e-6 = 3e-5. Allowed: 5e-5. A wrong
formula shows at 1e-3: each case but plain SGD is also held against a plain one, which must be farther away.

Usage: test_numpy_oracle.py BIN_FOLDER. Skipped (77) without numpy or h5py, but not under CI=true."""

import json
import os
import sys

try:
    import h5py
    import numpy as np
except ImportError as error:
    print(f"skipped: {error.name} is missing (Debian: python3-numpy python3-h5py)", file=sys.stderr)
    sys.exit(1 if os.environ.get("CI") == "true" else 77)

from program import DONE, main

TOLERANCE, WRONG = 5e-5, 1e-3
ROWS, INPUTS, SEED = 400, 5, 3
EPOCH_ORDER, INIT = 3, 4           # purposes
M32, M64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


# --- randomness

def philox(purpose, epoch, row, place, seed=SEED):
    c = [epoch, row & M32, row >> 32, place]
    k0, k1 = seed & M32, (seed >> 32) ^ (purpose * 0x9E3779B1 & M32)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k0, b & M32, (a >> 32) ^ c[3] ^ k1, a & M32]
        k0, k1 = (k0 + 0x9E3779B9) & M32, (k1 + 0xBB67AE85) & M32
    return c


def unit(words):
    return ((words[0] >> 5) << 26 | words[1] >> 6) / 2.0**53


def epoch_order(epoch, n):
    """A Feistel network over 2^(2 bits) with cycle walking."""
    bits = 4
    while 1 << 2 * bits < n:
        bits += 1
    mask = (1 << bits) - 1
    keys = philox(EPOCH_ORDER, epoch, n, 0) + philox(EPOCH_ORDER, epoch, n, 1)

    def mixed(half, key):
        x = (((half + key) & M64) * 0x9E3779B97F4A7C15) & M64
        x ^= x >> 32
        x = (x * (((key * 0xD6E8FEB86659FD93) & M64) | 1)) & M64
        x ^= x >> 29
        x = (x * 0xBF58476D1CE4E5B9) & M64
        return (x >> 32) & mask

    def at(i):
        while True:
            left, right = i >> bits, i & mask
            for key in keys:
                left, right = right, left ^ mixed(right, key)
            i = left << bits | right
            if i < n:
                return i

    order = [at(i) for i in range(n)]
    assert sorted(order) == list(range(n))
    return order


# --- the formulas

ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
}


def first_weights(sizes, activation):
    weights, at = [], 0
    for i, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
        hidden = i + 2 < len(sizes)
        bound = np.sqrt(6 / n_in) if hidden and activation == "relu" else np.sqrt(6 / (n_in + n_out))
        w = np.array([(2 * unit(philox(INIT, 0, at + j, 0)) - 1) * bound for j in range(n_in * n_out)]).astype(np.float32)
        if len(sizes) == 2:
            w[:] = 0                                   # linear starts at zero
        weights += [w.astype(float).reshape(n_in, n_out), np.zeros(n_out)]
        at += n_in * n_out + n_out
    return weights


def gradient(weights, x, target, row_weight, case):
    """The mean over the rows of the loss's gradient: cross entropy, or half of the squared error."""
    act, slope = ACTIVATIONS.get(case["activation"], (None, None))
    inputs, zs = [x], []
    for i in range(0, len(weights), 2):
        zs.append(inputs[-1] @ weights[i] + weights[i + 1])
        inputs.append(act(zs[-1]) if i + 2 < len(weights) else zs[-1])
    z = zs[-1]
    if case["link"] == "softmax":
        p = np.exp(z - z.max(axis=1, keepdims=True))
        delta = p / p.sum(axis=1, keepdims=True) - np.eye(z.shape[1])[target]
    elif case["link"] == "sigmoid":
        delta = 1 / (1 + np.exp(-z)) - target[:, None]
    else:
        delta = z - target[:, None]
    delta = delta * row_weight[:, None] / len(x)
    result = [None] * len(weights)
    for i in range(len(weights) - 2, -1, -2):
        result[i], result[i + 1] = inputs[i // 2].T @ delta, delta.sum(axis=0)
        if i > 0:
            delta = delta @ weights[i].T * slope(zs[i // 2 - 1])
    return result


def rate_at(case, step, per_round):
    t, rate = case["train"], case["train"]["learning_rate"]
    s = t.get("schedule", {})
    warmup, end = s.get("warmup_epochs", 0) * per_round, t["epochs"] * per_round
    if step < warmup:
        return rate * (step + 1) / warmup
    if s.get("kind") == "step":
        return rate * s["step_factor"] ** (step // per_round // s["step_epochs"])
    if s.get("kind") == "cosine":
        low = rate * s["final_factor"]
        return low + (rate - low) / 2 * (1 + np.cos(np.pi * (step - warmup) / (end - warmup)))
    return rate


def update(weights, grads, m, v, case, rate, count):
    t = case["train"]
    kind, decay = t["optimizer"], t.get("weight_decay", 0)
    for i, (w, g) in enumerate(zip(weights, grads)):
        bias = i % 2 == 1
        if not bias:
            g = g + (t.get("l2", 0) + (decay if kind != "adamw" else 0)) * w
        if kind == "sgd":
            m[i] = t.get("momentum", 0) * m[i] + g
            w = w - rate * m[i]
        else:
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            if kind == "adamw" and not bias:
                w = w * (1 - rate * decay)
            w = w - rate * (m[i] / (1 - 0.9**count)) / (np.sqrt(v[i] / (1 - 0.999**count)) + 1e-8)
        if not bias:
            w = np.sign(w) * np.maximum(np.abs(w) - rate * t.get("l1", 0), 0)
        weights[i] = w


def trained(case, x, target, n_out, row_weight):
    weights = first_weights([x.shape[1], *case.get("hidden", []), n_out], case["activation"])
    m, v = [np.zeros_like(w) for w in weights], [np.zeros_like(w) for w in weights]
    n, batch = len(x), min(case["train"]["global_batch_size"], len(x))
    per_round = -(-n // batch)
    for epoch in range(case["train"]["epochs"]):
        order = np.array(epoch_order(epoch, n))
        for k in range(per_round):
            rows, step = order[k * batch:(k + 1) * batch], epoch * per_round + k
            grads = gradient(weights, x[rows], target[rows], row_weight[rows], case)
            update(weights, grads, m, v, case, rate_at(case, step, per_round), step + 1)
    return weights


# --- the tables and what flywheel makes of them

def write_project(folder, case):
    draw = np.random.default_rng(5)
    x = draw.normal(size=(ROWS, INPUTS)).astype(np.float32)
    noise = draw.normal(size=ROWS)
    if case["link"] == "identity":
        y = [f"{100 + 20 * (a[0] - a[1] * a[2]) + 5 * e:.6f}" for a, e in zip(x, noise)]
    else:
        names = ["a", "b", "c"] if case["link"] == "softmax" else ["no", "yes"]
        edges = [-0.7, 0.8] if case["link"] == "softmax" else [0.6]
        y = [names[int(np.searchsorted(edges, a[0] + 0.5 * a[1] + 0.7 * e))] for a, e in zip(x, noise)]
    lines = [",".join([f"x{j}" for j in range(INPUTS)] + ["y"])]
    lines += [",".join([repr(float(v)) for v in row] + [label]) for row, label in zip(x, y)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    task = "regression" if case["link"] == "identity" else "classification"
    features = {f"x{j}": {"type": "number", "scale": "none"} for j in range(INPUTS)}
    model = {"learner": "mlp", "hidden": case["hidden"], "activation": case["activation"]} if "hidden" in case else {"learner": "linear"}
    (folder / "p.yaml").write_text("\n".join([
        "project: oracle", f"problem: {{task: {task}, target: y}}",
        "data: {tables: {rows: rows.csv}, split: {train: 0.8, validation: 0.1, test: 0.1, by: random, seed: 1}}",
        f"features: {json.dumps(features)}", f"model: {json.dumps(model)}", f"train: {json.dumps(case['train'] | {'seed': SEED})}"]) + "\n")


def training_rows(folder):
    """Features, targets and the classes' names from the dataset file."""
    with h5py.File(folder / "oracle.dataset.h5", "r") as f:
        raw = f["manifest"][()]
        manifest = json.loads(raw if isinstance(raw, (bytes, str)) else raw.tobytes())
        n = manifest["rows"]["train"] if isinstance(manifest["rows"], dict) else manifest["rows"][0]
        names = [c["name"] for c in manifest["schema"]["columns"]]
        kinds = [c["type"] for c in manifest["schema"]["columns"]]
        tables = {"number": "numbers", "category": "codes", "time": "times"}
        column = {name: f[tables[kind]][kinds[:i].count(kind), :n] for i, (name, kind) in enumerate(zip(names, kinds))}
    x = np.stack([column[f"x{j}"] for j in range(INPUTS)], axis=1)
    return x, column["y"]


def model_weights(path):
    with h5py.File(path, "r") as f:
        layers = f["weights"]
        return [layers[f"{i}/{name}"][()].astype(float) for i in range(len(layers)) for name in ("W", "b")]


def farthest(a, b):
    return max(np.abs(p - q).max() for p, q in zip(a, b))


PLAIN = {"link": "softmax", "activation": "", "train": {"epochs": 1, "global_batch_size": 100, "optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.0}}
COSINE = {"kind": "cosine", "warmup_epochs": 1.5, "final_factor": 0.1}
STEP = {"kind": "step", "step_epochs": 2, "step_factor": 0.3}
ADAM = {"optimizer": "adam", "learning_rate": 0.01}
SGD = {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9}
CASES = {
    "softmax_by_plain_sgd_for_one_epoch": PLAIN,
    "softmax_with_momentum_cosine_and_warm_up": {**PLAIN, "train": SGD | {"epochs": 6, "global_batch_size": 100, "schedule": COSINE}},
    "softmax_with_l2_in_whole_batches": {**PLAIN, "train": SGD | {"epochs": 20, "global_batch_size": 1000, "l2": 0.1}},
    "softmax_with_l1": {**PLAIN, "train": SGD | {"epochs": 5, "global_batch_size": 70, "momentum": 0.0, "l1": 0.05}},
    "sigmoid_by_adam": {**PLAIN, "link": "sigmoid", "train": ADAM | {"epochs": 6, "global_batch_size": 70}},
    "sigmoid_with_balanced_classes": {**PLAIN, "link": "sigmoid", "train": SGD | {"epochs": 6, "global_batch_size": 100, "class_weights": "balanced"}},
    "sigmoid_by_adam_with_weight_decay": {**PLAIN, "link": "sigmoid", "train": ADAM | {"epochs": 6, "global_batch_size": 70, "weight_decay": 0.3}},
    "regression_by_adamw": {**PLAIN, "link": "identity", "train": ADAM | {"optimizer": "adamw", "epochs": 6, "global_batch_size": 70, "weight_decay": 0.5}},
    "regression_by_sgd_in_steps": {**PLAIN, "link": "identity", "train": SGD | {"epochs": 5, "global_batch_size": 64, "momentum": 0.5, "schedule": STEP}},
    "mlp_relu": {**PLAIN, "hidden": [8, 6], "activation": "relu", "train": SGD | {"epochs": 5, "global_batch_size": 100, "momentum": 0.5}},
    "mlp_tanh_by_adam": {**PLAIN, "link": "identity", "hidden": [8], "activation": "tanh", "train": ADAM | {"epochs": 6, "global_batch_size": 70}},
}


def check(name, case, ranks=None):
    def run(program, folder):
        write_project(folder, case)
        program("ingest", "p.yaml", cwd=folder).expect(DONE)
        program("train", "p.yaml", "-o", "run", cwd=folder, ranks=ranks).expect(DONE)
        x, y = training_rows(folder)
        row_weight = np.ones(len(x))
        if case["link"] == "identity":
            target, n_out = (y - y.mean()) / y.std(), 1
        else:
            target, n_classes = y.astype(int), 3 if case["link"] == "softmax" else 2
            n_out = n_classes if n_classes > 2 else 1
            if case["train"].get("class_weights") == "balanced":
                row_weight = len(y) / (n_classes * np.bincount(target))[target]
        got, expected = model_weights(folder / "run" / "model.h5"), trained(case, x, target, n_out, row_weight)
        assert [w.shape for w in got] == [w.shape for w in expected], f"{[w.shape for w in got]} instead of {[w.shape for w in expected]}"
        away = farthest(got, expected)
        assert away < TOLERANCE, f"{away:.3g} from numpy's: {got} instead of {expected}"
        if case is not PLAIN:
            plain = {**case, "train": PLAIN["train"]}
            other = farthest(got, trained(plain, x, target, n_out, np.ones(len(x))))
            assert other > WRONG, f"only {other:.3g} from a plain training: this case shows nothing"
        print(f"        {name}: {away:.2g} from numpy's")

    run.__name__ = name
    return run


main([check(name, case, ranks=3 if i % 4 == 1 else None) for i, (name, case) in enumerate(CASES.items())])
