"""A publisher made by hand with pyzmq: the frames of common/bus/frames.h byte by byte, so that it can also lie, repeat itself and send what no publisher sends.

A thread of its own says each half second what there is (as the counts add up, or as `lies` says) and answers those who ask again."""

import importlib
import itertools
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
import time

import zmq
import zmq.auth

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = struct.Struct("<4sI16sQ")
STATUS = struct.Struct("<9QIIII64s")
REQUEST = struct.Struct("<4sI16s5QII64s")
DATA, SAYS, GONE, ANSWER = 0, 1, 2, 0x100
OPEN, CLOSING, CLOSED = range(3)
LIMIT_S = 60


def telemetry():
    """telemetry.proto as a Python module."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", f"--proto_path={ROOT / 'proto'}", f"--python_out={folder}", "telemetry.proto"], check=True)
        sys.path.insert(0, folder)
        try:
            return importlib.import_module("telemetry_pb2")
        finally:
            sys.path.remove(folder)


class Peer:
    def __init__(self, name, stream=None, keys=None, endpoint="tcp://127.0.0.1:*"):
        self.name, self.lies, self.lock = name, {}, threading.Lock()
        self.stream = stream or name.encode().ljust(16, b"\1")[:16]
        self.messages, self.acknowledged, self.state, self.over = [], 0, OPEN, False      # messages: (topic, payload), numbered from 1 on
        self.context = zmq.Context()
        self.live, self.replay = self.context.socket(zmq.XPUB), self.context.socket(zmq.ROUTER)
        self.readers = 0
        for socket in (self.live, self.replay):
            socket.linger = 0
            if keys:
                socket.curve_server = True
                socket.curve_secretkey = zmq.auth.load_certificate(keys / "publisher.secret")[1]
        self.live.bind(endpoint)
        self.replay.bind("tcp://127.0.0.1:*")
        self.endpoint = self.live.last_endpoint.decode().rstrip("\0")
        self.port = int(self.replay.last_endpoint.decode().rstrip("\0").rsplit(":", 1)[1])
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        """At once, as if its process had ended."""
        if self.over:
            return
        self.over = True
        self.thread.join()
        for socket in (self.live, self.replay):
            socket.close()
        self.context.term()

    # --- what it says

    def header(self, kind, number, stream=None):
        return HEADER.pack(b"FWB1", kind, stream or self.stream, number)

    def status(self, **lies):
        n, done = len(self.messages), min(self.acknowledged, len(self.messages))
        said = {"first": 1, "highest": n, "produced": n, "delivered": done, "spooled": n - done, "queue": 0, "full": 0, "disk": 0, "lost": 0,
                "port": self.port, "state": self.state, "name": self.name.encode(), **self.lies, **lies}
        *numbers, port, state, name = said.values()
        return STATUS.pack(*numbers, port, state, 0, 0, name)

    def raw(self, *frames):
        with self.lock:
            self.live.send_multipart(frames)

    def say(self):
        self.raw(b"bus/status", self.header(SAYS, 0), self.status())

    def put(self, topic, payload):
        """The next message of its stream."""
        with self.lock:
            self.messages.append((topic.encode(), payload))
            self.live.send_multipart([topic.encode(), self.header(DATA, len(self.messages)), payload])

    def lose(self, n):
        """The next n of its stream can't be had: nobody is sent them, and who asks is told so."""
        with self.lock:
            self.messages += [None] * n

    def again(self, number, payload=None):
        """A message that was sent before, or another one under its number."""
        topic, before = self.messages[number - 1]
        self.raw(topic, self.header(DATA, number), payload or before)

    # --- its thread

    def work(self):
        poller = zmq.Poller()
        poller.register(self.replay, zmq.POLLIN)
        poller.register(self.live, zmq.POLLIN)
        due = 0.0
        while not self.over:
            ready = dict(poller.poll(20))
            with self.lock:
                if self.live in ready:
                    self.readers += 1 if self.live.recv()[:1] == b"\1" else -1
                    due = 0.0
                if self.replay in ready:
                    self.answer(*self.replay.recv_multipart())
            if time.monotonic() >= due:
                due = time.monotonic() + 0.5
                self.say()

    def answer(self, reader, question):
        _, _, _, _, self.acknowledged, _, wanted, until, most, _, _ = REQUEST.unpack(question)
        if wanted == 0:
            return
        last = min(until, len(self.messages), wanted + most - 1)
        for there, numbers in itertools.groupby(range(wanted, last + 1), lambda number: self.messages[number - 1] is not None):
            if not there:
                first, *_, end = [*numbers] * 2
                self.replay.send_multipart([reader, b"bus/gone", self.header(GONE | ANSWER, first), struct.pack("<Q", end)])
            for number in numbers:
                topic, payload = self.messages[number - 1]
                self.replay.send_multipart([reader, topic, self.header(DATA | ANSWER, number), payload])
        self.replay.send_multipart([reader, b"bus/status", self.header(SAYS | ANSWER, last + 1), self.status()])

    def wait_for_reader(self):
        deadline = time.monotonic() + LIMIT_S
        while self.readers == 0:
            assert time.monotonic() < deadline, f"nobody came to {self.name} at {self.endpoint}"
            time.sleep(0.01)
