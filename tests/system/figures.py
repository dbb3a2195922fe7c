"""The store of flywheel-monitor as its readers see it: what it packs (monitor/figures.h) as a table `drift` of one row a figure, beside its own tables."""

import math
import sqlite3
import struct

MAGIC, HAS_EVIDENCE, HAS_P, EFFECT = 0x31666746, 1, 2, 4


class Bytes:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        (value,) = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return value

    def name(self):
        end = self.data.index(b"\0", self.at)
        name, self.at = self.data[self.at:end].decode(), end + 1
        return name


def unpack(data):
    """(feature, test, statistic, threshold, effect, evidence, p) of each figure; None: not known."""
    b = Bytes(data)
    assert b.take("I") == MAGIC, "not the figures of a window"
    tests = [(b.take("d"), b.name()) for _ in range(b.take("B"))]
    while b.at < len(data):
        feature, n, evidence = b.name(), b.take("I"), None
        for _ in range(n):
            (threshold, test), flags, statistic = tests[b.take("B")], b.take("B"), b.take("d")
            evidence = b.take("d") if flags & HAS_EVIDENCE else evidence
            p = b.take("d") if flags & HAS_P else None
            yield feature, test, known(statistic), known(threshold), flags // EFFECT, known(evidence), p


def known(value):
    return None if value is None or math.isnan(value) else value


def connect(store):
    """A connection to read it by; of two sets of bins that have the same figure, that which was made last."""
    db = sqlite3.connect(store)
    db.execute("CREATE TEMP TABLE drift (model, window, feature, test, statistic, threshold, effect, evidence, p, PRIMARY KEY (model, window, feature, test))")
    for model, window, data in db.execute("SELECT model, window, bytes FROM figures ORDER BY at_us").fetchall():
        db.executemany("INSERT OR REPLACE INTO drift VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", ((model, window, *figure) for figure in unpack(data)))
    return db
