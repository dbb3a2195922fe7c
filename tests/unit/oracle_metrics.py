"""Cases for test_metrics.c and test_fairness.c with the values scikit-learn gives.

    oracle_metrics.py metrics|fairness FILE

Exit code 77: scikit-learn is not installed. The file is text, one token after the other, as the readers in the tests expect.
"""
import sys
import warnings

try:
    import numpy as np
    from sklearn import metrics as sk
except ImportError as e:
    print(f"oracle_metrics.py: {e}", file=sys.stderr)
    sys.exit(77)

warnings.filterwarnings("ignore")
GRID = 1 << 20      # probabilities are multiples of 2^-20, exact as float32, and their sum is exactly 1


def on_grid(p):
    """Rows of p rounded to the grid, each summing to exactly 1."""
    k = np.floor(p * GRID).astype(np.int64)
    rows = np.arange(len(k))
    k[rows, k.argmax(axis=1)] += GRID - k.sum(axis=1)
    return (k / GRID).astype(np.float32)


def predictions(rng, n, classes, sharpness=1.0, levels=None):
    """Truth and probabilities that know something of it; levels: few distinct scores, so many ties."""
    y = rng.integers(0, classes, n)
    z = rng.normal(size=(n, classes))
    z[np.arange(n), y] += 1.0
    p = np.exp(sharpness * z)
    p /= p.sum(axis=1, keepdims=True)
    if levels:
        p = np.round(p * levels) / levels + 1e-3
        p /= p.sum(axis=1, keepdims=True)
    return y, on_grid(p)


def classification_values(y, p, positive):
    classes = p.shape[1]
    p = p.astype(np.float64)
    guess = p.argmax(axis=1)
    labels = np.arange(classes)
    occurring = np.union1d(y, guess)
    values = {}
    values["accuracy"] = sk.accuracy_score(y, guess)
    values["balanced_accuracy"] = sk.balanced_accuracy_score(y, guess)
    scores = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
    for name, score in scores.items():
        each = score(y, guess, labels=labels, average=None, zero_division=0)
        for c in labels:
            values[f"{name}:c{c}"] = each[c]
        values[f"macro_{name}"] = score(y, guess, labels=occurring, average="macro", zero_division=0)
        values[f"weighted_{name}"] = score(y, guess, labels=occurring, average="weighted", zero_division=0)
        values[name] = each[positive] if classes == 2 else values[f"macro_{name}"]
    # scikit-learn's own limit has changed between versions: ours is applied first, then theirs does nothing
    values["log_loss"] = sk.log_loss(y, np.clip(p, 1e-15, 1 - 1e-15), labels=labels) if classes > 1 else 0.0
    auc, ap = [], []
    for c in labels:
        both = 0 < (y == c).sum() < len(y)
        values[f"auc:c{c}"] = sk.roc_auc_score(y == c, p[:, c]) if both else None
        if both:
            auc.append(values[f"auc:c{c}"])
            ap.append(sk.average_precision_score(y == c, p[:, c]))
    values["auc"] = values[f"auc:c{positive}"] if classes == 2 else np.mean(auc) if auc else None
    values["average_precision"] = None if not auc else ap[positive] if classes == 2 else np.mean(ap)
    if classes > 2 and len(auc) == classes:
        assert abs(values["auc"] - sk.roc_auc_score(y, p, multi_class="ovr", average="macro")) < 1e-12
    confidence = p.max(axis=1)
    bins = np.digitize(confidence, np.arange(1, 10) / 10, right=True)
    values["ece"] = sum(abs((guess == y)[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))
    return values, sk.confusion_matrix(y, guess, labels=labels)


def write_values(out, values):
    print("expect", len(values), file=out)
    for name, v in values.items():
        print(name, "none" if v is None else repr(float(v)), file=out)


def classification(out, name, y, p, positive_first=False):
    values, confusion = classification_values(y, p, 0 if positive_first else 1)
    print("case", name, "classification", len(y), p.shape[1], int(positive_first), 1e-12, file=out)
    for label, row in zip(y, p):
        print(label, *(repr(float(v)) for v in row), file=out)
    write_values(out, values)
    print("confusion", *confusion.ravel(), file=out)


def regression(out, name, truth, value, tolerance=1e-12):
    truth, value = np.asarray(truth, float), np.asarray(value, float)
    print("case", name, "regression", len(truth), 0, 0, tolerance, file=out)
    for t, v in zip(truth, value):
        print(repr(float(v)), repr(float(t)), file=out)
    r2 = sk.r2_score(truth, value) if len(truth) > 1 else float(truth[0] == value[0])    # one row: scikit-learn has no value, constant truth applies
    write_values(out, {"rmse": np.sqrt(sk.mean_squared_error(truth, value)), "mae": sk.mean_absolute_error(truth, value), "r2": r2})


def metric_cases(out):
    rng = np.random.default_rng(20240607)
    for classes in (2, 3, 10):
        classification(out, f"plain_{classes}", *predictions(rng, 2000, classes))
        classification(out, f"sharp_{classes}", *predictions(rng, 500, classes, sharpness=20))
        classification(out, f"many_ties_{classes}", *predictions(rng, 1000, classes, levels=5))
    classification(out, "positive_is_class_0", *predictions(rng, 700, 2), positive_first=True)
    y, p = predictions(rng, 300, 5)
    classification(out, "class_absent_from_truth", np.where(y == 3, 1, y), p)
    y, p = predictions(rng, 300, 5)
    p[:, 4] = 0
    classification(out, "class_neither_true_nor_predicted", np.where(y == 4, 0, y), on_grid(p / p.sum(axis=1, keepdims=True)))
    y, p = predictions(rng, 50, 2)
    classification(out, "one_class_only", np.ones_like(y), p)
    y, p = predictions(rng, 40, 3)
    classification(out, "one_class_only_of_three", np.full_like(y, 2), p)
    y = rng.integers(0, 3, 60)
    classification(out, "perfect_and_certain", y, np.eye(3, dtype=np.float32)[y])
    classification(out, "wrong_and_certain", y, np.eye(3, dtype=np.float32)[(y + 1) % 3])
    classification(out, "all_scores_equal", rng.integers(0, 2, 80), np.full((80, 2), 0.5, np.float32))
    classification(out, "one_row", np.array([1]), np.array([[0.25, 0.75]], np.float32))
    classification(out, "rare_class", (rng.random(3000) < 0.004).astype(int), predictions(rng, 3000, 2)[1])

    truth = rng.normal(size=1500)
    regression(out, "noise", truth, truth + 0.3 * rng.normal(size=1500))
    regression(out, "worse_than_the_mean", truth, -3 * truth)
    regression(out, "exact", truth, truth)
    regression(out, "constant_truth", np.full(20, 4.0), np.linspace(3, 5, 20))
    regression(out, "constant_truth_met", np.full(20, 4.0), np.full(20, 4.0))
    regression(out, "one_row_regression", [2.0], [2.5])
    # NumPy's mean of values near 1e9 is rounded to about 1e-7, which enters the spread with its square over 1: 1e-10 leaves room
    regression(out, "far_from_zero", 1e9 + truth, 1e9 + truth + 0.1 * rng.normal(size=1500), 1e-10)
    regression(out, "wide_range", truth * 10.0 ** rng.integers(-8, 8, 1500), truth)
    print("end", file=out)


def fairness_case(out, name, rng, n, classes, groups, positive, min_count, shares=None, bias=0.0):
    y, p = predictions(rng, n, classes)
    g = rng.choice(groups + 1, n, p=shares)            # the last is missing
    p = p.astype(np.float64)
    p[:, positive] += bias * (g == 0)
    p = on_grid(p / p.sum(axis=1, keepdims=True))
    truth, selected = y == positive, p.argmax(axis=1) == positive
    print("case", name, n, classes, groups, positive, min_count, file=out)
    for i in range(n):
        print(y[i], g[i] if g[i] < groups else -1, *(repr(float(v)) for v in p[i]), file=out)
    large, rates = [], []
    for k in range(groups + 1):
        t, s = truth[g == k], selected[g == k]
        rate = s.mean() if len(s) else 0
        tpr = sk.recall_score(t, s, zero_division=0) if t.any() else None
        fpr = sk.recall_score(~t, s, pos_label=True, zero_division=0) if (~t).any() else None
        print("group", len(s), t.sum(), s.sum(), (t & s).sum(), (~t & s).sum(), repr(float(rate)), repr(float(tpr or 0)), repr(float(fpr or 0)),
              int(len(s) < max(min_count, 1)), file=out)
        if len(s) >= max(min_count, 1):
            large.append(rate)
            rates.append((tpr, fpr))
    comparable = len(large) >= 2
    dpd = max(large) - min(large) if comparable else 0
    di = min(large) / max(large) if comparable and max(large) > 0 else 1
    spreads = [max(v) - min(v) for v in ([r[i] for r in rates if r[i] is not None] for i in (0, 1)) if v]
    print("expect", repr(float(dpd)), repr(float(di)), repr(float(max(spreads) if comparable and spreads else 0)), int(comparable), file=out)


def fairness_cases(out):
    rng = np.random.default_rng(7)
    fairness_case(out, "two_groups", rng, 1000, 2, 2, 1, 30, [0.6, 0.4, 0])
    fairness_case(out, "missing_is_a_group", rng, 1000, 2, 2, 1, 30, [0.5, 0.3, 0.2], bias=0.4)
    fairness_case(out, "biased_many_classes", rng, 1500, 4, 3, 2, 30, [0.4, 0.3, 0.2, 0.1], bias=0.5)
    fairness_case(out, "small_group_left_out", rng, 400, 2, 3, 0, 30, [0.6, 0.38, 0.02, 0])
    fairness_case(out, "nothing_to_compare", rng, 100, 2, 2, 1, 90, [0.7, 0.3, 0])
    fairness_case(out, "empty_group", rng, 200, 3, 3, 1, 0, [0.5, 0, 0.5, 0])
    fairness_case(out, "one_row_groups", rng, 3, 2, 2, 1, 0, [0.4, 0.3, 0.3])
    print("end", file=out)


if __name__ == "__main__":
    with open(sys.argv[2], "w") as f:
        {"metrics": metric_cases, "fairness": fairness_cases}[sys.argv[1]](f)
