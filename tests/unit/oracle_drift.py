"""Cases for test_special.c and test_drift.c with the values SciPy gives.

    oracle_drift.py special|columns FILE

Exit code 77: SciPy is not installed, or the tables (../shared/data beside the tree) are not there. The file is text, one token after the other.
"""
import csv
import pathlib
import sys

try:
    import numpy as np
    from scipy import special, stats
    from scipy.spatial.distance import jensenshannon
except ImportError as e:
    print(f"oracle_drift.py: {e}", file=sys.stderr)
    sys.exit(77)

TABLES = pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"
SMALLEST = 1e-30       # below it SciPy's incomplete gamma function is off by more than 1e-12, as 60 digits show


def special_cases(out):
    rng = np.random.default_rng(11)
    x = np.concatenate([10.0 ** rng.uniform(-300, 300, 2000), rng.uniform(0, 30, 4000), 1 + 10.0 ** rng.uniform(-15, 0, 500), 2 - 10.0 ** rng.uniform(-15, 0, 500),
                        np.arange(1, 200) / 2, [0.5, 1, 1.5, 2, 2.5, 10]])
    print("log_gamma", len(x), file=out)      # of complex numbers: the one for reals is off by 2e-12 near 1 and 2
    for v, want in zip(x, special.loggamma(x.astype(complex)).real):
        print(float(v).hex(), 0, float(want).hex(), file=out)
    a = np.concatenate([rng.uniform(0.01, 20, 3000), 10.0 ** rng.uniform(0, 5, 3000)])
    spread = rng.normal(0, 4, len(a))
    x = np.concatenate([np.maximum(a + spread * np.sqrt(a), 1e-3), a * 10.0 ** rng.uniform(-2, 1.5, len(a))])
    a = np.concatenate([a, a])
    want = special.gammaincc(a, x)
    keep = want > SMALLEST
    print("gamma_above", keep.sum(), file=out)
    for row in zip(a[keep], x[keep], want[keep]):
        print(*(float(v).hex() for v in row), file=out)
    x = np.concatenate([rng.uniform(0.01, 3, 2000), rng.uniform(0, 18.5, 1000), [0.82, 0.8199999, 0.8200001, 0.04]])
    print("kolmogorov_above", len(x), file=out)
    for v, want in zip(x, special.kolmogorov(x)):
        print(float(v).hex(), 0, float(want).hex(), file=out)
    print("end", file=out)


def psi(r, c):
    """The definition, in NumPy: half a row in each place that is not empty on both sides."""
    used = r + c > 0
    r, c = (x[used] + 0.5 for x in (r, c))
    r, c = r / r.sum(), c / c.sum()
    return ((c - r) * np.log(c / r)).sum()


def case(out, name, points, r, c, reference=None, current=None):
    """reference, current: the raw values, where the counts are those of the distinct values: SciPy is then asked about these."""
    used = r + c > 0
    table = np.array([r[used], c[used]])
    n, m = r.sum(), c.sum()
    if reference is not None:
        d, w = stats.ks_2samp(reference, current, method="asymp").statistic, stats.wasserstein_distance(reference, current)
    else:
        d = np.abs(np.cumsum(r) / n - np.cumsum(c) / m).max()
        w = stats.wasserstein_distance(points, points, r, c)
    x2 = stats.chi2_contingency(table, correction=False)
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")
    print("case", name.replace(" ", "_"), len(points), file=out)
    for row in zip(points, r, c):
        print(float(row[0]).hex(), int(row[1]), int(row[2]), file=out)
    spread = np.sqrt(np.average((points - np.average(points, weights=r)) ** 2, weights=r))
    values = [psi(r, c), jensenshannon(r, c, base=2), d, stats.kstwobign.sf(d * np.sqrt(n * m / (n + m))), x2[0], x2[1], x2[2], g[0], g[1], g[2], w,
              0 if spread < 1e-15 else spread]       # of a constant: rounding
    print(*(float(v).hex() for v in values), file=out)


def halves(out, name, reference, current):
    """One column of numbers: at its distinct values, and on 32 quantile bins of the reference."""
    points = np.unique(np.concatenate([reference, current]))
    count = lambda x: np.bincount(np.searchsorted(points, x), minlength=len(points))
    case(out, name, points, count(reference), count(current), reference, current)
    cuts = np.unique(np.quantile(reference, np.arange(1, 32) / 32, method="inverted_cdf"))
    binned = lambda x: np.bincount(np.searchsorted(cuts, x, side="left"), minlength=len(cuts) + 1)
    case(out, name + "_binned", np.append(cuts, cuts[-1] + 1), binned(reference), binned(current))


def table(path):
    file = TABLES / path
    if not file.exists():
        print(f"oracle_drift.py: {file} is not there", file=sys.stderr)
        sys.exit(77)
    with open(file) as f:
        rows = [[cell.strip() for cell in row] for row in csv.reader(f) if row]
    return rows[0], list(zip(*rows[1:]))


def columns_cases(out):
    names, columns = table("elec2/electricity.csv")
    for name, column in zip(names, columns):
        if name in ("nswprice", "nswdemand", "vicprice", "vicdemand", "transfer", "period"):
            x = np.array(column, float)
            third = len(x) // 3
            halves(out, "elec2_" + name, x[:third], x[third:])
            halves(out, "elec2_week_" + name, x[:third], x[-336:])
    names, columns = table("adult/adult-train.csv")
    _, tests = table("adult/adult-test.csv")
    for name, train, test in zip(names, columns, tests):
        if name in ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"):
            halves(out, "adult_" + name, np.array(train, float), np.array(test, float))
        elif name != "income":
            labels = sorted(set(train) | set(test))
            count = lambda x: np.array([x.count(label) for label in labels])
            case(out, "adult_" + name, np.arange(len(labels), dtype=float), count(train), count(test))
            case(out, "adult_300_" + name, np.arange(len(labels), dtype=float), count(train), count(test[:300]))
    print("end", file=out)


if __name__ == "__main__":
    with open(sys.argv[2], "w") as f:
        {"special": special_cases, "columns": columns_cases}[sys.argv[1]](f)
