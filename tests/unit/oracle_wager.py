"""Cases for test_wager.c: e-values as the definition has them, start by start, and the bounds that SciPy gives.

    oracle_wager.py wager|bounds FILE

Exit code 77: NumPy or SciPy is not installed. The file is text, one token after the other.
"""
import sys

try:
    import numpy as np
    from scipy import stats
except ImportError as e:
    print(f"oracle_wager.py: {e}", file=sys.stderr)
    sys.exit(77)

LOSS_SIZES = 2.0 ** np.arange(-8, 0)
NORMAL_SIZES = np.array([1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1, 3 / 2, 2])


def put(out, *values):
    print(*(int(v) if isinstance(v, (int, np.integer)) else float(v).hex() for v in values), file=out)


def payoffs(kind, stream):
    """(rows, bets)"""
    if kind == 0:
        return 1 + LOSS_SIZES * (stream[:, None] - 1)
    return np.exp(NORMAL_SIZES * np.minimum(stream, 4)[:, None] - NORMAL_SIZES**2 / 2)


def starts(payoff):
    """The rows before which one bet puts capital in: the first, and where the largest product up to there, over all beginnings, is e^3 and was below 1 since the last start."""
    found, fell = [0], False
    for row in range(1, len(payoff)):
        rise = max(np.prod(payoff[begin:row]) for begin in range(row))
        fell = fell or rise < 1
        if fell and rise >= np.exp(3):
            found.append(row)
            fell = False
    return found


def log_e(payoff):
    n = np.arange(1, len(payoff) + 1)
    share = 1 / ((n + 1) * np.log(n + 1) ** 2) / 2.10974280123689197
    capital = [sum(share[k] * np.prod(bet[row:]) for k, row in enumerate(starts(bet))) for bet in payoff.T]
    return np.log(0.9 * np.mean(capital))


def wager_cases(out):
    rng = np.random.default_rng(3)
    for case in range(60):
        rows = int(rng.integers(1, 160))
        kind, turn = case % 2, int(rng.integers(0, rows))
        if kind == 0:
            stream = np.where(np.arange(rows) < turn, rng.binomial(1, 0.1, rows), rng.binomial(1, 0.5, rows)) / 0.2 if case % 4 else rng.gamma(0.5, 2, rows)
        else:
            stream = rng.normal(np.where(np.arange(rows) % 40 < 20, -1.5, 1.5), 1)
        put(out, kind, rows, *stream, log_e(payoffs(kind, stream)))
    print("end", file=out)


def bound_cases(out):
    rng = np.random.default_rng(4)
    for n in (1, 2, 7, 40, 300, 1000, 24571, 1000000):
        for hits in {0, n // 2, n - 1, n, *map(int, rng.integers(0, n + 1, 5))}:
            for strength in (0.7, 2.0, 3.7, 7.0, 20.0):
                bound = 1 if hits == n else stats.beta.isf(np.exp(-strength), hits + 1, n - hits)
                put(out, 0, hits, n, strength, bound)
    for degrees in (9, 10, 30, 200, 1e300):
        for strength in (0.7, 2.0, 3.0, 3.7, 4.4, 5.0):
            put(out, 1, 0, 1, strength, degrees, stats.t.isf(np.exp(-strength), degrees))
    print("end", file=out)


with open(sys.argv[2], "w", encoding="ascii") as file:
    {"wager": wager_cases, "bounds": bound_cases}[sys.argv[1]](file)
