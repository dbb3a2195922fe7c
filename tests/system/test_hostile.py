"""Publishers that send what none should, each beside an honest one, at a real flywheel-monitor: it goes on, counts what it did not take under the sender's name
and reason, stays within its memory, and the honest one loses nothing.

Usage: test_hostile.py BIN_FOLDER"""

import contextlib
import json
import math
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import program  # noqa: E402
from peer import ANSWER, DATA, GONE, SAYS, Peer, telemetry  # noqa: E402
from test_drift import Monitor, stored, until  # noqa: E402
from test_telemetry import Stage  # noqa: E402

t = telemetry()
NOW_US = 1_700_000_000_000_000
ROWS = 10                          # predictions in a batch of the honest one
MEMORY_MIB = 128                   # what all of them, or a flood, may cost
TOPIC = "prediction/hostile"
MOST = 2 ** 53                     # of a number on the bus
ANY = -1                           # of a count that grows
PLACES = 1000                      # of models


def batch(time_us=NOW_US, **body):
    return t.TelemetryBatch(time_us=time_us, **body).SerializeToString()


def predictions(model="hostile", digest="d1", n=1, classes=("a", "b"), time_us=NOW_US, **columns):
    told = {"rows": n, "labels": [0] * n, "confidences": [0.5] * n, **columns}
    return batch(time_us, predictions=t.Predictions(model=model, digest=digest, classes=classes, **told))


def regression(value):
    return batch(predictions=t.Predictions(model="hostile", digest="r", rows=1, values=[value]))


def model(digest="m1", counts=(50, 50, 0, 0)):
    x = t.Column(name="x", kind=t.Column.NUMBER, cuts=[0.0], centres=[-1.0, 1.0], counts=counts)
    y = t.Column(name="prediction", kind=t.Column.SCORE, cuts=[0.0], centres=[-1.0, 1.0], counts=[50, 50, 0, 0])
    return batch(model=t.Model(name="hostile", digest=digest, task=t.REGRESSION, columns=[x, y], features=1, split="test"))


def summary(digest="m1", rows=4, counts=(2, 2, 0, 0), latency=(), shape=77):
    return batch(summary=t.Summary(model="hostile", digest=digest, shape=shape, window=1, from_us=1, to_us=2, rows=rows, counts=counts, latency=latency))


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


# --- the cases: (name, what is counted, what is told, what is done)

def puts(*messages):
    return lambda peer: [peer.put(topic, payload) for topic, payload in messages]


def sends(*frames):
    """Each a list of frames; made when the peer is there."""
    return lambda peer: [peer.raw(*make(peer)) for make in frames]


def status(**lies):
    return lambda peer: (b"bus/status", peer.header(SAYS, 0), peer.status(**lies))


def framed(kind, number, topic=TOPIC.encode(), payload=b"x"):
    return lambda peer: (topic, peer.header(kind, number), payload)


def plain(*frames):
    return lambda peer: frames


def bad_batches(name, said, *messages):
    return name, {"batch": len(messages)}, said, puts(*[(m if isinstance(m, tuple) else (TOPIC, m)) for m in messages])


BEFORE_1970, YEAR_10000 = -1, 253402300800000000
KPI = "kpi/p"
CASES = [
    ("garbage-frames", {"frame": 8}, None, sends(
        plain(b"garbage"), plain(b"a", b"b"), plain(b"a", b"b", b"c"), plain(b"a", b"b", b"c", b"d"), plain(TOPIC.encode(), b"FWB2" + bytes(28), b""),
        plain(TOPIC.encode(), b"FWB1" + bytes(27), b""), plain(b"", bytes(32), b""), plain(b"x" * 100000, b"", b""))),
    ("headers-that-cannot-be", {"frame": 7}, None, sends(
        framed(77, 1), framed(DATA, 0), framed(DATA, MOST + 1), framed(DATA, 2 ** 64 - 1), framed(GONE, 1, b"bus/gone", struct.pack("<Q", 5)),
        framed(DATA | ANSWER, 1), framed(GONE, 1, b"bus/gone", b"short"))),
    ("topics-that-cannot-be", {"frame": 3}, None, sends(framed(DATA, 1, b"prediction/a\0b"), framed(DATA, 1, b""), framed(DATA, 1, b"t" * 4097))),
    ("status-that-cannot-be", {"frame": 8}, None, sends(
        lambda peer: (b"bus/status", peer.header(SAYS, 0), peer.status()[:-1]), status(name=b"x" * 64), status(name=b"two words"), status(name=b""),
        status(port=70000), status(state=9), status(first=7), status(produced=MOST + 2))),
    bad_batches("protobuf-truncated", "bytes that are not a TelemetryBatch", predictions(n=3)[:-3], predictions(ids=["x" * 100])[:60], b"\x52"),
    bad_batches("protobuf-overlong", "bytes that are not a TelemetryBatch", b"\x18" + b"\xff" * 10 + b"\x01", b"\xff" * 100, b"\x0b" * 1000),
    bad_batches("claims-2-to-the-40-rows", "not a TelemetryBatch", b"\x52" + varint(2 ** 40) + b"xx", b"\x52\x0a\x22" + varint(2 ** 40) + b"xx",
                b"\x52" + varint(2 ** 64 - 1), b"\x52" + varint(2 * 1000001) + b"\x6a\x00" * 1000001, batch(predictions=t.Predictions(model="hostile", rows=2 ** 40, values=[0.5]))),
    bad_batches("summary-of-2-to-the-54-rows", "may be above 2^53", ("summary/hostile", summary(rows=2 ** 54))),
    bad_batches("bin-above-its-rows", "counts more than the window", ("summary/hostile", summary(rows=3, counts=(4, 0, 0, 0)))),
    bad_batches("times-on-other-bins", "counts of times", *[("summary/hostile", summary(latency=[4] + [0] * n)) for n in (0, 208, 210, 100000)]),
    bad_batches("texts", "telemetry: ", predictions(model="m" * 5000), predictions(ids=["i" * 5000]), predictions(model=""), b"\x52\x03\x0a\x01\xff"),
    bad_batches("wrong-kind", "not of the kind that the topic", ("summary/hostile", predictions()), ("outcome/hostile", predictions()), (TOPIC, model())),
    bad_batches("unknown-topic", "the topic is not", ("elsewhere/hostile", predictions()), ("prediction/", predictions()), ("x", predictions())),
    bad_batches("no-body", "without a body", b"", b"\x18\x01"),
    bad_batches("labels", "telemetry: ", predictions(labels=[2]), predictions(labels=[2 ** 32 - 1])),
    bad_batches("nan-and-infinite", "finite", predictions(confidences=[math.nan]), predictions(confidences=[math.inf]), predictions(probabilities=[math.nan, 0.5]),
                regression(math.nan), regression(-math.inf), (KPI, batch(kpi=t.Kpi(project="p", name="k", rows=[t.KpiEvent(id="1", value=math.nan)]))),
                ("progress/p", batch(progress=t.Progress(project="p", event="round", train_loss=math.nan))),
                ("progress/p", batch(progress=t.Progress(project="p", event="round", validation={"accuracy": math.inf}))),
                ("alert/m", batch(alert=t.Alert(number=1, event="raised", kind="drift", level=math.nan)))),
    bad_batches("times-that-cannot-be", "1970 to 9999", predictions(time_us=BEFORE_1970), predictions(time_us=YEAR_10000), predictions(time_us=2 ** 63 - 1),
                ("outcome/hostile", batch(outcomes=t.Outcomes(model="hostile", rows=[t.Outcome(id="1", outcome="a", time_us=BEFORE_1970)]))),
                ("outcome/hostile", batch(YEAR_10000, outcomes=t.Outcomes(model="hostile", rows=[t.Outcome(id="1", outcome="a")]))),
                (KPI, batch(kpi=t.Kpi(project="p", name="k", rows=[t.KpiEvent(id="1", value=1, time_us=2 ** 62)]))),
                (KPI, batch(BEFORE_1970, kpi=t.Kpi(project="p", name="k", rows=[t.KpiEvent(id="1", value=1)]))),
                ("progress/p", batch(-2 ** 63, progress=t.Progress(project="p", event="round"))),
                ("alert/m", batch(alert=t.Alert(number=1, event="raised", kind="drift", since_us=BEFORE_1970)))),
    bad_batches("outcomes-without-an-id", "an outcome without an id", ("outcome/hostile", batch(outcomes=t.Outcomes(model="hostile", rows=[t.Outcome(outcome="a")])))),
    ("other-classes", {"batch": 1}, "whose classes are not those it began with", puts((TOPIC, predictions(digest="c")), (TOPIC, predictions(digest="c", classes=["a", "z"])))),
    ("summary-of-an-unknown-model", {"model": 2}, "nothing was told yet", puts(("summary/hostile", summary("nobody")), ("summary/hostile", summary("nobody")))),
    ("summary-under-a-wrong-digest", {"model": 1}, "nothing was told yet", puts(("model/hostile", model("m1")), ("summary/hostile", summary("m2")))),
    ("a-model-in-two-ways", {"model": 1}, "is told of in two ways", puts(("model/hostile", model("m3")), ("model/hostile", model("m3", (60, 40, 0, 0))))),
    ("lies-about-its-counts", {"account": ANY}, "is not what it delivered, has in its spool and dropped", lambda peer: peer.lies.update(produced=10 ** 6)),
    ("lies-about-its-numbers", {}, None, lambda peer: peer.lies.update(highest=MOST, produced=MOST, spooled=MOST, delivered=0)),
]


class Scene:
    """The monitor on a store with an honest publisher and the others."""

    def __init__(self, program_, folder, stage, *peers):
        self.folder, self.store, self.peers, self.batches = folder, folder / "m.store", peers, 0
        self.honest = Peer("honest")
        self.start(stage, "monitor")

    def start(self, stage, name):
        words = [word for peer in (self.honest, *self.peers) for word in ("--connect", peer.endpoint)]
        self.monitor = Monitor(stage, name, *words, "--store", self.store, "--window", "7")
        for peer in (self.honest, *self.peers):
            peer.wait_for_reader()
        until("all publishers", lambda: all(f"publisher {peer.name} at" in self.monitor.err() for peer in (self.honest, *self.peers)
                                            if peer.stream != self.honest.stream or peer is self.honest))

    def again(self, stage):
        """Another monitor on the store."""
        self.monitor.kill()
        self.start(stage, "again")

    def speak(self, batches=1):
        """The honest one; another model of the same name, under another digest, is not its."""
        for _ in range(batches):
            self.honest.put("prediction/hostile", predictions(digest="honest", n=ROWS))
            self.batches += 1

    def of(self, peer, what):
        rows = stored(self.store, f"SELECT {what} FROM publishers WHERE address = '{peer.endpoint}'")
        return rows[0][0] if rows else None

    def refused(self, peer):
        reasons = json.loads(self.of(peer, "reasons") or "{}")
        return {name: ANY if name == "account" else n for name, n in reasons.get("refused", {}).items() if n}

    def may_grow(self, before):
        """By so many MiB; with the address sanitizer what was freed is set aside, and says nothing."""
        grown = self.memory_mib() - before
        assert grown < MEMORY_MIB or "libasan" in pathlib.Path(f"/proc/{self.monitor.process.pid}/maps").read_text(), grown
        return grown

    def memory_mib(self):
        pages = int(pathlib.Path(f"/proc/{self.monitor.process.pid}/statm").read_text().split()[1])
        return pages * 4096 >> 20

    def end(self):
        """The honest one's counts are the truth."""
        self.speak()
        until("all of the honest one", lambda: self.of(self.honest, "position") == self.of(self.honest, "produced") == self.batches)
        self.monitor.end()
        assert (self.of(self.honest, "produced"), self.of(self.honest, "missing"), self.of(self.honest, "duplicates"), self.refused(self.honest)) == (self.batches, 0, 0, {})
        totals = {(m["model"], m["digest"]): m["predictions"] for m in self.monitor.said("total")}
        assert totals["hostile", "honest"] == self.batches * ROWS, (totals, self.batches)
        self.honest.kill()
        return totals


def each_is_counted_under_its_name_and_the_honest_one_loses_nothing(program_, folder):
    with Stage(program_.bin, folder) as stage, contextlib.ExitStack() as stack:
        peers = [stack.enter_context(Peer(name)) for name, *_ in CASES]
        scene = Scene(program_, folder, stage, *peers)
        before = scene.memory_mib()
        for peer, (_, _, _, act) in zip(peers, CASES):
            act(peer)
            scene.speak()
        for peer, (name, counted, said, _) in zip(peers, CASES):
            with contextlib.suppress(AssertionError):
                until(name, lambda p=peer, c=counted, w=said: scene.refused(p) == c and (w is None or any(w in line and p.name in line for line in scene.monitor.err().splitlines())))
                continue
            raise AssertionError(f"{name}: counted {scene.refused(peer)} instead of {counted}, said {[line for line in scene.monitor.err().splitlines() if name in line]}")
        scene.may_grow(before)
        totals = scene.end()
        assert set(totals) == {("hostile", "honest"), ("hostile", "c")} and totals["hostile", "c"] == 1, totals


def two_with_one_stream_are_told_apart(program_, folder):
    """The one that comes second is refused: the first one's numbers count."""
    with Stage(program_.bin, folder) as stage, Peer("twin", stream=b"honest".ljust(16, b"\1")) as twin:
        scene = Scene(program_, folder, stage, twin)
        for _ in range(5):
            twin.put("prediction/hostile", predictions(digest="honest", n=ROWS))
            scene.speak()
        until("the twin", lambda: f"at {twin.endpoint}: its stream is that of another publisher" in scene.monitor.err() and scene.refused(twin).get("stream", 0) >= 5)
        assert set(scene.end()) == {("hostile", "honest")}


def old_batches_are_left_out(program_, folder):
    with Stage(program_.bin, folder) as stage, Peer("replays") as peer:
        scene = Scene(program_, folder, stage, peer)
        for _ in range(3):
            peer.put(TOPIC, predictions(digest="r", n=ROWS))
        until("its batches", lambda: scene.of(peer, "position") == 3)
        for number in (1, 2, 3, 3, 1):
            peer.again(number)
        peer.again(2, predictions(digest="r", n=1000))
        until("its repetitions", lambda: scene.of(peer, "duplicates") == 6)
        assert scene.end()["hostile", "r"] == 3 * ROWS


def a_flood_costs_neither_memory_nor_the_honest_one(program_, folder):
    """Garbage as fast as it goes, and one message over the limit of 16 MiB, for which the connection is cut: what came meanwhile is fetched."""
    with Stage(program_.bin, folder) as stage, Peer("floods") as peer:
        scene = Scene(program_, folder, stage, peer)
        before = scene.memory_mib()
        junk = bytes(1000)
        for i in range(20000):
            peer.raw(b"junk", junk, junk)
            if i % 1000 == 0:
                scene.speak()
        peer.put(TOPIC, predictions(digest="f", n=ROWS))
        until("what comes behind the flood", lambda: scene.of(peer, "position") == 1)
        assert scene.refused(peer).get("frame", 0) > 1000, scene.refused(peer)
        peer.raw(TOPIC.encode(), peer.header(DATA, 2), bytes((16 << 20) + 1))
        peer.put(TOPIC, predictions(digest="f", n=ROWS))
        until("what comes behind the cut", lambda: scene.of(peer, "position") == 2)
        print(f"20,000 messages of 2 KB and one of 16 MiB: {scene.may_grow(before)} MiB more")
        assert scene.end()["hostile", "f"] == 2 * ROWS


def models_without_end_are_refused_and_another_has_room_for_its_own(program_, folder):
    """Of predictions and of references. None holds more than it leaves to others, and what it holds is still its own when the monitor was started again."""
    with Stage(program_.bin, folder) as stage, Peer("names") as peer, Peer("late") as late:
        scene = Scene(program_, folder, stage, peer, late)
        share = PLACES // 2 - 1        # beside the honest one's model
        scene.speak()
        until("the honest one's model", lambda: scene.of(scene.honest, "position") == 1)
        for i in range(1200):
            peer.put(f"prediction/m{i}", predictions(model=f"m{i}"))
        until("the refusals", lambda: scene.refused(peer) == {"model": 1200 - share})
        assert "one too many" in scene.monitor.err() and f"publisher names at {peer.endpoint}" in scene.monitor.err()
        assert scene.monitor.err().count("a message was refused") == 10
        for i in range(PLACES // 2 + 1):
            peer.put("model/hostile", model(f"d{i}"))
        until("the refused references", lambda: scene.refused(peer) == {"model": 1200 - share + 1})
        scene.again(stage)
        late.put("prediction/late", predictions(model="late"))
        late.put("model/hostile", model("late"))
        peer.put("prediction/more", predictions(model="more"))
        peer.put("model/hostile", model("more"))
        until("both", lambda: scene.of(late, "position") == 2 and scene.refused(peer) == {"model": 2})
        assert scene.refused(late) == {} and stored(scene.store, "SELECT count(*) FROM models WHERE digest = 'late'") == [(1,)]
        assert len(scene.end()) == share + 2


def summaries_that_lie_count_for_nothing(program_, folder):
    """About the very bins of a model that was told of: the hash of these is in the store."""
    with Stage(program_.bin, folder) as stage, Peer("sums") as peer:
        scene = Scene(program_, folder, stage, peer)
        peer.put("model/hostile", model())
        until("the model", lambda: stored(scene.store, "SELECT 1 FROM states WHERE key LIKE 'told/%'"))
        shape = int(stored(scene.store, "SELECT key FROM states WHERE key LIKE 'told/%'")[0][0].split("/")[2], 16)
        right = (2, 2, 0, 0)
        for rows, counts, other in ((4, right + right, 0), (5, right + right, 0), (4, right, 0), (4, right + (2, 1, 0, 0), 0), (4, right + right, 1), (4, right * 3, 0)):
            peer.put("summary/hostile", summary("m1", rows, counts, shape=shape ^ other))
        until("the lies", lambda: scene.refused(peer) == {"model": 5})
        scene.end()
        assert stored(scene.store, "SELECT predictions FROM models WHERE digest = 'm1'") == [(4,)]
        assert stored(scene.store, "SELECT sum(rows) FROM windows JOIN models USING (model) WHERE digest = 'm1'") == [(4,)]


if __name__ == "__main__":
    program.main([each_is_counted_under_its_name_and_the_honest_one_loses_nothing, two_with_one_stream_are_told_apart, old_batches_are_left_out,
                  a_flood_costs_neither_memory_nor_the_honest_one,
                  models_without_end_are_refused_and_another_has_room_for_its_own, summaries_that_lie_count_for_nothing], at_once=2)
