"""Cases for test_isotonic.c, test_interval.c and test_estimate.c with the values scikit-learn, SciPy and NumPy give.

    oracle_quality.py isotonic|interval|definition|shift FILE

Exit code 77: scikit-learn or SciPy is not installed. The file is text, one token after the other.
"""
import sys

try:
    import numpy as np
    from scipy import stats
    from sklearn import metrics
    from sklearn.isotonic import IsotonicRegression
except ImportError as e:
    print(f"oracle_quality.py: {e}", file=sys.stderr)
    sys.exit(77)

Z = stats.norm.ppf(0.975)


def put(out, *values):
    print(*(int(v) if isinstance(v, (int, np.integer)) else float(v).hex() for v in values), file=out)


def fitted(hits, rows, at):
    used = rows > 0
    fit = IsotonicRegression(out_of_bounds="clip").fit(at[used], hits[used] / rows[used], sample_weight=rows[used])
    return fit.predict(at)


def isotonic_cases(out):
    rng = np.random.default_rng(5)
    for case in range(400):
        n = int(rng.integers(1, 40))
        rows = rng.integers(0, 5 if case % 2 else 500, n)
        rows[rng.integers(0, n)] += 1
        at = np.sort(rng.uniform(0, 1, n))
        hits = rng.binomial(rows, at if case % 3 else rng.uniform(0, 1, n))
        print("case", n, file=out)
        for row in zip(hits, rows, at, fitted(hits, rows, at)):
            put(out, *row)
    print("end", file=out)


def delong(positive, negative):
    """On rows, every pair looked at."""
    psi = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
    return psi.mean(), np.sqrt(psi.mean(1).var(ddof=1) / len(positive) + psi.mean(0).var(ddof=1) / len(negative))


def interval_cases(out):
    rng = np.random.default_rng(6)
    for n in [1, 2, 3, 10, 100, 1000, 123456]:
        for k in sorted({0, 1, n // 3, n - 1, n}):
            ci = stats.binomtest(int(k), n).proportion_ci(0.95, method="wilson")
            print("share", file=out)
            put(out, int(k), n, k / n, ci.low, ci.high)
    for _ in range(60):
        n, places = int(rng.integers(6, 300)), int(rng.integers(2, 40))
        label = np.r_[0, 0, 1, 1, rng.integers(0, 2, n - 4)]
        score = np.clip(rng.normal(label * rng.uniform(0, 2), 1, n) * 4 + places / 2, 0, places - 1).astype(int)
        auc, deviation = delong(score[label == 1], score[label == 0])
        assert abs(auc - metrics.roc_auc_score(label, score)) < 1e-12
        if deviation == 0:
            continue
        print("auc", places, file=out)
        for i in range(places):
            put(out, ((score == i) & (label == 1)).sum(), ((score == i) & (label == 0)).sum())
        put(out, auc, max(auc - Z * deviation, 0), min(auc + Z * deviation, 1))
    for _ in range(40):
        x = rng.exponential(1, int(rng.integers(2, 200)))
        low, high = stats.norm.interval(0.95, x.mean(), x.std(ddof=1) / np.sqrt(len(x)))
        print("mean", file=out)
        put(out, x.mean(), (x * x).mean(), len(x), low, high)
    print("end", file=out)


def nannyml(score, said, p):
    """CBPE on rows: what NannyML's estimate_* functions compute from calibrated probabilities p, predictions, and scores."""
    tp, fp, fn, tn = (said * p).sum(), (said * (1 - p)).sum(), ((1 - said) * p).sum(), ((1 - said) * (1 - p)).sum()
    places = np.unique(score)[::-1]
    yes = np.array([p[score == s].sum() for s in places]).cumsum()
    no = np.array([(1 - p)[score == s].sum() for s in places]).cumsum()
    auc = np.trapezoid(np.r_[0, yes] / yes[-1], np.r_[0, no] / no[-1]) if hasattr(np, "trapezoid") else np.trapz(np.r_[0, yes] / yes[-1], np.r_[0, no] / no[-1])
    clipped = np.clip(score, 1e-15, 1 - 1e-15)
    loss = -(p * np.log(clipped) + (1 - p) * np.log(1 - clipped)).mean()
    return (tp + tn) / len(p), tp / (tp + fp) if said.any() else 0, tp / (tp + fn), 2 * tp / (2 * tp + fp + fn), auc, loss


def definition_cases(out):
    rng = np.random.default_rng(7)
    for _ in range(80):
        n = int(rng.integers(2, 33))
        at = np.sort(rng.uniform(0, 1, n))
        rows = rng.integers(1, 300, n)
        hits = rng.binomial(rows, at ** 1.5)
        if hits.sum() in (0, rows.sum()):
            continue
        count = rng.integers(0, 60, n)
        count[rng.integers(0, n)] += 1
        p, said = fitted(hits, rows, at), (at > 0.5).astype(float)
        row = np.repeat(np.arange(n), count)
        if 0 < p[row].sum() < len(row):
            print("case", n, int((said * count).sum()), file=out)
            for r in zip(hits, rows, at, count):
                put(out, *r)
            put(out, *nannyml(at[row], said[row], p[row]))
    print("end", file=out)


def world(rng, n, shift):
    """Rows by two covariates, and a model that ranks them rightly and is over-confident; the outcome for a row never changes."""
    x = rng.normal(shift, 1 + 0.3 * abs(shift), (n, 2))
    logit = 1.2 * x[:, 0] - 0.8 * x[:, 1] - 0.3
    truth = rng.uniform(0, 1, n) < 1 / (1 + np.exp(-logit))
    return 1 / (1 + np.exp(-1.6 * logit - 0.2)), truth


def shift_cases(out):
    rng = np.random.default_rng(8)
    windows = 40
    for _ in range(3):
        score, truth = world(rng, 20000, 0)
        cuts = np.unique(np.quantile(score, np.arange(1, 32) / 32, method="inverted_cdf"))
        n = len(cuts) + 1
        count = lambda s, weights=None: np.bincount(np.searchsorted(cuts, s, side="left"), weights, n)
        rows = count(score)
        print("reference", n, windows, file=out)
        for row in zip(count(score, truth).astype(int), rows, count(score, score) / rows):
            put(out, *row)
        for w in range(windows):
            s, t = world(rng, 10000, 0.9 * w / windows * (-1) ** w)
            said = s > 0.5
            put(out, said.sum(), *count(s))
            put(out, metrics.accuracy_score(t, said), metrics.precision_score(t, said), metrics.recall_score(t, said), metrics.f1_score(t, said),
                metrics.roc_auc_score(t, s), metrics.log_loss(t, s))
    print("end", file=out)


if __name__ == "__main__":
    kinds = {"isotonic": isotonic_cases, "interval": interval_cases, "definition": definition_cases, "shift": shift_cases}
    with open(sys.argv[2], "w") as f:
        kinds[sys.argv[1]](f)
