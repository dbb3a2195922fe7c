#!/usr/bin/env python3
"""Reads flywheel's predictions from the bus, with nothing but telemetry.proto and pyzmq.

Prints one JSON object a line for each prediction, each progress event and each
event of an alert on standard output, and at the end one line of counts on standard error:

    subscriber.py --connect tcp://127.0.0.1:5555 --until-end
    subscriber.py --count 100 | jq -r .label
    subscriber.py --connect tcp://node7:5555 --keys keys
    subscriber.py --connect tcp://node7:5556 --keys keys      # alerts, where flywheel-monitor --publish has them

What a subscriber has to know:

* A message has three frames: the topic ("prediction/<model>",
  "progress/<project>", "alert/<model>", ...), a header of 32 bytes, and one TelemetryBatch, described
  in telemetry.proto. Predictions come by columns: rows_of gives them row by row.
* The header is, little-endian: the magic "FWB1", 4 bytes of which the lowest
  is the kind (0: a message; others are between flywheel's own programs), 16
  bytes that name the publisher's stream, and the number of the message in it,
  8 bytes. Numbers are 1, 2, 3, ... over all topics, so this program subscribes
  to all and chooses itself. A number that is skipped is a message that was
  lost; a number that was seen before is a repetition.
* This program reads what is live: what was published before it came, or while
  it was away, it does not ask for. `flywheel watch` and `flywheel-monitor` do
  (common/bus/frames.h has how).
* An event of an alert comes at least once: twice when the monitor was killed
  between telling and noting it, then with the same id, which this program
  leaves out.

* With keys (CURVE) a subscriber knows the publisher's public key and has a pair
  of its own, whose public key the publisher allows. `flywheel keys` makes the
  files; zmq.auth.load_certificate reads them. Who is refused is told so once,
  and ZeroMQ does not try again: this program then ends with exit code 1.

Needs: protoc (Debian: protobuf-compiler), python3-protobuf, python3-zmq.
"""

import argparse
import collections
import datetime
import importlib
import json
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile

import zmq
import zmq.auth
from google.protobuf.message import DecodeError
from zmq.utils.monitor import recv_monitor_message

DEFAULT_PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto" / "telemetry.proto"
QUEUE_MESSAGES = 100_000      # what may wait here while we are busy; a full queue costs messages
MAX_MESSAGE_BYTES = 16 << 20  # larger ones are refused
HEADER = struct.Struct("<4sI16sQ")
MESSAGE = 0                   # the kind that is for us


def compile_proto(proto):
    """Turns telemetry.proto into a Python module, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["protoc", f"--proto_path={proto.parent}", f"--python_out={folder}", proto.name]
        subprocess.run(command, check=True)
        sys.path.insert(0, folder)
        try:
            return importlib.import_module(proto.stem + "_pb2")
        finally:
            sys.path.remove(folder)


def use_keys(socket, folder):
    """Encrypted, and with the holder of publisher.public alone."""
    publisher, _ = zmq.auth.load_certificate(folder / "publisher.public")
    public, secret = zmq.auth.load_certificate(folder / "reader.secret")
    socket.curve_serverkey = publisher
    socket.curve_publickey = public
    socket.curve_secretkey = secret


def open_socket(endpoint, keys):
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.set(zmq.RCVHWM, QUEUE_MESSAGES)
    socket.set(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
    socket.set(zmq.HEARTBEAT_IVL, 1000)      # ms: a cut line is noticed ...
    socket.set(zmq.HEARTBEAT_TIMEOUT, 3000)  # ... and opened again
    socket.set(zmq.LINGER, 0)
    socket.set_string(zmq.SUBSCRIBE, "")
    if keys:
        use_keys(socket, keys)
    refusals = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)
    socket.connect(endpoint)
    return socket, refusals


def receive(socket, refusals):
    """The frames of the next message; ends the program when the publisher does not want us."""
    poller = zmq.Poller()
    poller.register(socket, zmq.POLLIN)
    poller.register(refusals, zmq.POLLIN)
    while socket not in (ready := dict(poller.poll())):
        if refusals in ready:
            event = recv_monitor_message(refusals)
            allowed = event["event"] != zmq.EVENT_HANDSHAKE_FAILED_AUTH
            why = "it speaks with keys where we have none, or the other way round" if allowed else "our key is not allowed there"
            sys.exit(f"{event['endpoint'].decode()} refuses us: {why}")
    return socket.recv_multipart()


class Numbering:
    """The last number of each publisher's stream."""

    def __init__(self):
        self.last = {}
        self.missing = 0
        self.repeated = 0

    def is_new(self, stream, number):
        last = self.last.get(stream, number - 1)
        if number <= last:
            self.repeated += 1
            return False
        self.missing += number - last - 1
        self.last[stream] = number
        return True


def utc(time_us):
    epoch = datetime.datetime(1970, 1, 1)
    return (epoch + datetime.timedelta(microseconds=time_us)).isoformat() + "Z"


def shortest(number):
    """A float32 of the message as the shortest decimal that is meant by it."""
    return float(f"{number:.9g}")


Row = collections.namedtuple("Row", "number id label confidence probabilities value features")


def rows_of(body):
    """The columns of a Predictions message, row by row."""
    classes, features = len(body.classes), len(body.features) // max(body.rows, 1)
    for i, number in enumerate(body.numbers or range(body.first, body.first + body.rows)):
        label = body.labels[i] if body.labels else 0
        probabilities = body.probabilities[i * classes:(i + 1) * classes]
        confidence = body.confidences[i] if body.confidences else probabilities[label] if probabilities else 0.0
        yield Row(number, body.ids[i] if body.ids else "", label, confidence, probabilities, body.values[i] if body.values else 0.0,
                  body.features[i * features:(i + 1) * features])


def predictions_of(batch):
    """One dictionary a row."""
    body = batch.predictions
    for row in rows_of(body):
        line = {"time": utc(batch.time_us), "model": body.model, "digest": body.digest, "row": row.number}
        if row.id:
            line["id"] = row.id
        if body.classes:
            line["label"] = body.classes[row.label]
            line["confidence"] = shortest(row.confidence)
            line["probabilities"] = [shortest(p) for p in row.probabilities]
        else:
            line["value"] = row.value
        yield line


def progress_of(batch):
    body = batch.progress
    return {
        "time": utc(batch.time_us),
        "project": body.project,
        "run": body.run,
        "event": body.event,
        "round": body.round,
        "step": body.step,
        "rows": body.rows,
        "rows_per_s": body.rows_per_s,
        "train_loss": body.train_loss,
        "validation": dict(body.validation),
        "ranks": body.ranks,
    }


def alert_of(batch):
    body = batch.alert
    return {
        "time": utc(body.event_us or batch.time_us),
        "id": body.id,
        "alert": body.number,
        "event": body.event,
        "kind": body.kind,
        "model": body.model,
        "digest": body.digest,
        "subject": body.subject,
        "since": utc(body.since_us),
        "raised": utc(body.raised_us),
        "level": body.level,
        "threshold": body.threshold,
        "certainty": body.certainty,
        "features": list(body.features),
        "text": body.text,
        "advice": body.advice,
    }


def follow(socket, refusals, telemetry, options, counts, numbering):
    """Prints what comes, until it is enough."""
    told = set()                           # ids of events of alerts: rare, so that all can be kept
    while True:
        try:
            topic, header, payload = receive(socket, refusals)
            magic, bits, stream, number = HEADER.unpack(header)
            if magic != b"FWB1":
                raise ValueError("another magic")
        except (ValueError, struct.error):     # not three frames, or not our header
            counts["malformed"] += 1
            continue
        if bits & 0xFF != MESSAGE or not numbering.is_new(stream, number) or not topic.startswith(options.topic.encode()):
            continue
        try:
            batch = telemetry.TelemetryBatch.FromString(payload)
        except DecodeError:
            counts["malformed"] += 1
            continue
        kind = batch.WhichOneof("body")
        if kind == "predictions":
            for line in predictions_of(batch):
                print(json.dumps(line))
                counts["predictions"] += 1
                if options.count and counts["predictions"] >= options.count:
                    return
        elif kind == "progress":
            print(json.dumps(progress_of(batch)))
        elif kind == "alert" and batch.alert.id not in told:
            told.add(batch.alert.id)
            print(json.dumps(alert_of(batch)), flush=True)
        elif kind == "end" and options.until_end:
            return


def parse_options():
    parser = argparse.ArgumentParser(description="Print flywheel's predictions, one JSON object a line.")
    parser.add_argument("--connect", metavar="ENDPOINT", default="tcp://127.0.0.1:5555", help="the publisher (default: %(default)s)")
    parser.add_argument("--topic", metavar="PREFIX", default="", help="only topics that begin so, e.g. prediction/adult")
    parser.add_argument("--count", metavar="N", type=int, default=0, help="end after N predictions")
    parser.add_argument("--until-end", action="store_true", help="end when a publisher says that it has ended")
    parser.add_argument("--keys", metavar="FOLDER", type=pathlib.Path, help="with reader.secret and publisher.public (default: no encryption)")
    parser.add_argument("--proto", metavar="FILE", type=pathlib.Path, default=DEFAULT_PROTO, help="telemetry.proto (default: %(default)s)")
    return parser.parse_args()


def stop(_number, _frame):
    raise KeyboardInterrupt


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, stop)
    telemetry = compile_proto(options.proto)
    socket, refusals = open_socket(options.connect, options.keys)
    counts = {"predictions": 0, "malformed": 0}
    numbering = Numbering()
    try:
        follow(socket, refusals, telemetry, options, counts, numbering)
    except KeyboardInterrupt:
        pass
    sys.stdout.flush()
    batches = f"{numbering.missing} messages missing, {numbering.repeated} repeated, {counts['malformed']} malformed"
    print(f"{counts['predictions']} predictions, {batches}", file=sys.stderr)
    refusals.close()
    socket.close()


if __name__ == "__main__":
    main()
