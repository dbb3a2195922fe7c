"""The durable bus: two publishers and a reader that commits its positions to a file, all killed with SIGKILL at random moments. What is committed in the end
is the truth: each message once, in order, each label counted; and with a spool that is too small on purpose, produced = delivered + dropped exactly.

Usage: test_bus.py BIN_FOLDER [--messages N] [--rows N] [--kills N] [--seed S]
messages: of each publisher; kills: of the reader, and half as many of the publishers."""

import argparse
import contextlib
import json
import pathlib
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time

LABELS, MAX_STREAMS, PUBLISHERS = 10, 16, 2
ACCOUNT = struct.Struct(f"<16s4Q{LABELS}Q")
LIMIT_S = 300


def labels_of(rows):
    """How often each label is among rows 0 to rows - 1: the label of row r is r * r mod 10."""
    counts = [0] * LABELS
    for residue in range(LABELS):
        counts[residue * residue % LABELS] += rows // LABELS + (residue < rows % LABELS)
    return counts


class Peers:
    """The publishers and the reader; started again after each kill."""

    def __init__(self, program, folder, options, rows, cap=None):
        self.program, self.folder, self.options, self.rows, self.cap = program, folder, options, rows, cap
        self.endpoints = [f"ipc://{folder}/{i}" for i in range(PUBLISHERS)]
        self.processes, self.ended = {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.kill()
            process.communicate()

    def command(self, name):
        if name == "reader":
            return ["read", self.folder / "state", "test@reader", *self.endpoints]
        cap = [] if self.cap is None else [self.cap]
        return ["publish", self.endpoints[name], self.folder / f"spool{name}", self.options.messages, self.rows, self.options.pause, *cap]

    def start(self, name):
        command = [str(word) for word in (self.program, *self.command(name))]
        with (self.folder / f"{name}.err").open("a") as err:
            self.processes[name] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, text=True)

    def look(self):
        """Who has ended by itself; an error is ours."""
        for name, process in list(self.processes.items()):
            code = process.poll()
            if code is None:
                continue
            out, _ = process.communicate()
            del self.processes[name]
            assert code == 0 and name != "reader", f"{name} ended with {code}: {(self.folder / f'{name}.err').read_text()[-2000:]}"
            counts = json.loads(out)
            if counts["spooled"] > 0:                  # the reader was away: the next publisher on the spool has to deliver it
                self.start(name)
            else:
                self.ended[name] = counts

    def kill(self, name):
        """False: it has ended before."""
        self.look()
        process = self.processes.pop(name, None)
        if process is None:
            return False
        process.kill()
        process.communicate()
        return True

    def accounts(self):
        """What is committed, by stream: (position, messages, lost, before, labels)."""
        with contextlib.suppress(FileNotFoundError):
            data = (self.folder / "state").read_bytes()
            n, = struct.unpack_from("<Q", data)
            return [ACCOUNT.unpack_from(data, 8 + i * ACCOUNT.size)[1:] for i in range(n)]
        return []

    def finish(self):
        """Until the publishers have ended and all is committed."""
        deadline = time.monotonic() + LIMIT_S
        while len(self.ended) < PUBLISHERS or any(account[0] < self.options.messages for account in self.accounts()) or len(self.accounts()) < PUBLISHERS:
            self.look()
            assert time.monotonic() < deadline, f"still at {self.accounts()} of {self.options.messages}; ended: {self.ended}"
            time.sleep(0.05)
        self.processes["reader"].send_signal(signal.SIGTERM)
        assert self.processes["reader"].wait(LIMIT_S) in (0, -signal.SIGTERM), (self.folder / "reader.err").read_text()[-2000:]
        self.processes.pop("reader").communicate()


def disturb(peers, draw, kills):
    """Kills and starts again; the publishers until they have ended."""
    done = {"reader": 0, "publisher": 0}
    for name in ["reader", *range(PUBLISHERS)]:
        peers.start(name)
    while done["reader"] < kills and len(peers.ended) < PUBLISHERS:
        time.sleep(draw.uniform(0.01, 0.25))
        name = draw.choice(["reader", "reader", "reader", "reader", *range(PUBLISHERS)])
        if not peers.kill(name):
            continue
        done["reader" if name == "reader" else "publisher"] += 1
        time.sleep(draw.choice([0, 0, draw.uniform(0, 0.2)]))
        peers.start(name)
    return done


def every_message_is_counted_once(program, folder, options, draw):
    with Peers(program, folder, options, options.rows) as peers:
        done = disturb(peers, draw, options.kills)
        peers.finish()
        for counts in peers.ended.values():
            assert counts == {"produced": options.messages, "delivered": options.messages, "spooled": 0, "queue": 0, "full": 0, "disk": 0, "lost": 0}, counts
        for position, messages, lost, before, *labels in peers.accounts():
            assert (position, messages, lost, before) == (options.messages, options.messages, 0, 0), peers.accounts()
            assert labels == labels_of(options.messages * options.rows), labels
    total = PUBLISHERS * options.messages * options.rows
    return f"{total} predictions, reader killed {done['reader']} times, publishers {done['publisher']} times"


def what_a_small_spool_drops_is_counted(program, folder, options, draw):
    """The reader is away most of the time."""
    with Peers(program, folder, options, 10 * options.rows, cap=64 << 10) as peers:      # room for some 60 messages
        done = disturb(peers, draw, 2)
        while len(peers.ended) < PUBLISHERS and any(name in peers.processes for name in range(PUBLISHERS)) and done["reader"] < 2 + options.kills // 4:
            peers.kill("reader")
            done["reader"] += 1
            time.sleep(draw.uniform(0.1, 0.4))
            peers.start("reader")
            time.sleep(draw.uniform(0.05, 0.2))
        peers.finish()
        dropped = 0
        for counts in peers.ended.values():
            assert counts["produced"] == options.messages == counts["delivered"] + counts["full"] and counts["spooled"] == 0, counts
            dropped += counts["full"]
        committed = 0
        for position, messages, lost, before, *labels in peers.accounts():
            assert position == options.messages == messages + lost + before, peers.accounts()
            assert sum(labels) == messages * peers.rows
            committed += messages
        assert dropped > 0, "nothing was dropped: the spool was not too small"
        delivered = sum(counts["delivered"] for counts in peers.ended.values())
        assert committed == delivered, f"the reader has {committed}, the publishers say {delivered}"
    return f"{PUBLISHERS * options.messages} messages: {delivered} delivered, {dropped} dropped, reader killed {done['reader']} times"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--pause", type=int, default=1000, help="us between two messages")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    draw = random.Random(options.seed)
    for test in (every_message_is_counted_once, what_a_small_spool_drops_is_counted):
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            said = test(options.bin / "bus_peer", pathlib.Path(folder), options, draw)
        print(f"ok {test.__name__}: {said} ({time.monotonic() - start:.1f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
