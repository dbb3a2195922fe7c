"""Streams and where Page-Hinkley, ADWIN and DDM signal on them, for test_detectors.c.

    oracle_streams.py all FILE

With River (pip install river; FW_PYTHON names a Python that has it) its detectors answer; else the plain definitions below, which agree with River.
The file: per case its name, n and n pairs (value, signal: 0 quiet, 1 warning, 2 drift).
"""
import math
import random
import sys


class PageHinkley:
    def __init__(self):
        self.n, self.mean, self.up, self.down, self.lowest, self.highest = 0, 0.0, 0.0, 0.0, math.inf, -1.0

    def signal(self, x):
        self.n += 1
        self.mean += (x - self.mean) / self.n
        self.up = 0.9999 * self.up + x - self.mean - 0.005
        self.down = 0.9999 * self.down + x - self.mean + 0.005
        self.lowest, self.highest = min(self.lowest, self.up), max(self.highest, self.down)
        return 2 if self.n >= 30 and max(self.up - self.lowest, self.highest - self.down) > 50 else 0


class DDM:
    def __init__(self):
        self.n, self.p, self.best = 0, 0.0, None

    def signal(self, x):
        self.n += 1
        self.p += (x - self.p) / self.n
        s = math.sqrt(self.p * (1 - self.p) / self.n)
        if self.n <= 30:
            return 0
        if self.best is None or self.p + s <= sum(self.best):
            self.best = self.p, s
        off = self.p + s - self.best[0]
        return 2 if off > 3 * self.best[1] else 1 if off > 2 * self.best[1] else 0


class Adwin:
    """The window as a list of buckets of values themselves, the oldest first."""

    def __init__(self):
        self.buckets, self.n = [], 0

    def compress(self):
        size = 1
        while True:
            same = [i for i, b in enumerate(self.buckets) if len(b) == size]
            if len(same) <= 5:
                return
            i = same[0]
            self.buckets[i:i + 2] = [self.buckets[i] + self.buckets[i + 1]]
            size *= 2

    def cut(self):
        values = [x for b in self.buckets for x in b]
        w = len(values)
        mean = sum(values) / w
        variance = sum((x - mean) ** 2 for x in values) / w
        d = math.log(2 * math.log(w) / 0.002)
        n0, s0, total = 0, 0.0, sum(values)
        for b in self.buckets[:-1]:
            n0, s0 = n0 + len(b), s0 + sum(b)
            n1 = w - n0
            if min(n0, n1) >= 5:
                m = 1 / (n0 - 4) + 1 / (n1 - 4)
                if abs(s0 / n0 - (total - s0) / n1) > math.sqrt(2 * m * variance * d) + 2 / 3 * d * m:
                    return True
        return False

    def signal(self, x):
        self.n += 1
        self.buckets.append([x])
        self.compress()
        found = False
        while self.n % 32 == 0 and sum(map(len, self.buckets)) > 10 and self.cut():
            del self.buckets[0]
            found = True
        return 2 if found else 0


class River:
    def __init__(self, detector):
        self.detector = detector

    def signal(self, x):
        self.detector.update(x)
        return 2 if self.detector.drift_detected else int(getattr(self.detector, "warning_detected", False))


def makers():
    try:
        from river import drift
        print("oracle_streams.py: River answers", file=sys.stderr)
        return {name: lambda kind=kind: River(kind()) for name, kind in (("page_hinkley", drift.PageHinkley), ("adwin", drift.ADWIN), ("ddm", drift.binary.DDM))}, True
    except ImportError:
        return {"page_hinkley": PageHinkley, "adwin": Adwin, "ddm": DDM}, False


def run(make, values, resets_itself):
    detector, signals = make(), []
    for x in values:
        signals.append(detector.signal(x))
        if signals[-1] == 2 and not resets_itself:
            detector = make()
    return signals


def main():
    rng = random.Random(17)
    make, resets_itself = makers()
    numbers = {
        "quiet": [rng.gauss(0, 1) for _ in range(4000)],
        "jump": [rng.gauss(2 if 1500 <= i < 3000 else 0, 1) for i in range(4000)],
        "slope": [rng.gauss(i / 800, 0.5) for i in range(4000)],
        "far": [rng.gauss(1e6 + (500 if i > 2000 else 0), 100) for i in range(4000)],
        "constant": [0.25] * 500,
    }
    errors = {
        "errors_rise": [float(rng.random() < (0.1 if i < 2000 else 0.3)) for i in range(4000)],
        "errors_rise_and_fall": [float(rng.random() < (0.05, 0.6, 0.02)[i // 1000]) for i in range(3000)],
        "errors_quiet": [float(rng.random() < 0.2) for _ in range(4000)],
        "right_then_wrong": [0.0] * 500 + [1.0] * 500,
    }
    with open(sys.argv[2], "w") as out:
        for detector, streams in (("page_hinkley", {**numbers, **errors}), ("adwin", {**numbers, **errors}), ("ddm", errors)):
            for name, values in streams.items():
                print(detector, name, len(values), file=out)
                for x, signal in zip(values, run(make[detector], values, resets_itself)):
                    print(float(x).hex(), signal, file=out)


if __name__ == "__main__":
    main()
