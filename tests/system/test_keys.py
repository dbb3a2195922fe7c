"""Keys on the bus: who is allowed hears everything, whoever else nothing; and without keys nothing leaves this host.

Usage: test_keys.py BIN_FOLDER"""

import json
import os
import pathlib
import re
import shutil
import socket
import stat
import subprocess
import sys
import time

import zmq
import zmq.auth

import program
from program import DONE, FAILED, SMALL_HEADER, USAGE, main, small_rows, trained_small

ROOT = pathlib.Path(__file__).resolve().parents[2]
README, SUBSCRIBER = ROOT / "README.md", ROOT / "deploy/examples/subscriber.py"
ROWS = 500
SILENCE_S = 3                      # so long after the last message a wrong key has still seen nothing
LIMIT_S = 60


def keys(program_, folder, *words, code=DONE, said=()):
    return program_("keys", *words, cwd=folder).expect(code, *said)


def publisher_and_reader(program_, folder, role="store"):
    """FOLDER/keys of one who publishes and reads on this host."""
    keys(program_, folder, "new", "publisher")
    keys(program_, folder, "new", "reader")
    keys(program_, folder, "allow", "keys/reader.public", "--role", role)


def reader_folder(program_, folder, name, publisher):
    """A reader of its own elsewhere, with somebody's public key for the publisher's."""
    keys(program_, folder, "new", "reader", "-o", name)
    shutil.copy(publisher, folder / name / "publisher.public")
    return folder / name


# --- the command

def pairs_are_made_shown_and_allowed(program_, folder):
    made = keys(program_, folder, "new", "publisher")
    public = made.out.strip()
    assert len(public) == 40 and stat.S_IMODE(os.stat(folder / "keys/publisher.secret").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder / "keys").st_mode) == 0o700
    secret = zmq.auth.load_certificate(folder / "keys/publisher.secret")[1].decode()
    keys(program_, folder, "new", "reader", "-o", "other")
    keys(program_, folder, "allow", "other/reader.public", "--role", "read", "--name", "analyst", said=["analyst may subscribe"])
    keys(program_, folder, "allow", "other/reader.public", "--role", "store", "--name", "monitor", said=["fetch again", "before: read"])
    listed = keys(program_, folder, "list").out.splitlines()
    assert listed[0].split() == ["name", "public", "key", "file", "role"] and len(listed) == 3, listed
    assert listed[1].split() == ["publisher", public, "secret", "-"] and listed[2].split()[0::2] == ["monitor", "-"], listed
    shown = keys(program_, folder, "show", "publisher").out
    assert public in shown and "let in      no" in shown
    for result in (made, keys(program_, folder, "list"), keys(program_, folder, "show", "publisher")):
        assert secret not in result.out + result.err, "a secret key is shown"
    keys(program_, folder, "remove", "monitor", said=["1 key removed"])
    assert len(keys(program_, folder, "list").out.splitlines()) == 2


def wrong_use_of_the_command_is_told(program_, folder):
    publisher_and_reader(program_, folder)
    (folder / "no.public").write_text("public-key = \"short\"\n")
    (folder / "a b.public").write_text((folder / "keys/reader.public").read_text())
    (folder / "bad").mkdir()
    (folder / "bad/allowed").write_text("read nothing\n")
    (folder / "open").mkdir()
    shutil.copy(folder / "keys/reader.secret", folder / "open/reader.secret")
    (folder / "open/reader.secret").chmod(0o644)
    (folder / "file").write_text("")
    program.for_each([
        (["frob"], USAGE, ["what is \"frob\"", "new, list, show, allow or remove"]),
        (["alow"], USAGE, ["did you mean allow"]),
        ([], USAGE, ["something is missing"]),
        (["new"], USAGE, ["usage: flywheel keys new NAME"]),
        (["new", "a", "b"], USAGE, ["what is \"b\""]),
        (["new", "../x"], USAGE, ["'../x' can't be the name of a key"]),
        (["new", "publisher"], USAGE, ["publisher.public is there already"]),
        (["new", "x", "--role", "read"], USAGE, ["--role goes with `keys allow`"]),
        (["new", "x", "-o", "file"], FAILED, ["file"]),
        (["new", "x", "-o", "no/such/folder"], FAILED, ["no/such/folder"]),
        (["list", "x"], USAGE, ["what is \"x\""]),
        (["list", "-o", "nowhere"], FAILED, ["nowhere is not there", "flywheel keys new"]),
        (["list", "-o", "bad"], USAGE, ["allowed:1: a line is three words"]),
        (["list", "-o", "open"], USAGE, ["mode 0644 lets others at a secret key", "chmod 600"]),
        (["show", "nobody"], FAILED, ["keys/nobody.public is not there"]),
        (["show", "../x"], USAGE, ["can't be the name"]),
        (["allow", "keys/reader.public"], USAGE, ["--role is missing"]),
        (["allow", "keys/reader.public", "--role", "admin"], USAGE, ["'admin' is no role"]),
        (["allow", "keys/reader.secret", "--role", "read"], USAGE, ["holds a secret key"]),
        (["allow", "no.public", "--role", "read"], USAGE, ["no.public:1: that is no key"]),
        (["allow", "file", "--role", "read"], USAGE, ["that is no file of keys"]),
        (["allow", "nothing.public", "--role", "read"], FAILED, ["nothing.public is not there"]),
        (["allow", "a b.public", "--role", "read"], USAGE, ["'a b' can't be a name", "--name"]),
        (["allow", "keys/reader.public", "--role", "read", "-o", "nowhere"], USAGE, ["no such folder of keys"]),
        (["allow", "keys/reader.public", "--role", "read", "-o", "bad"], USAGE, ["allowed:1"]),
        (["remove", "nobody"], FAILED, ["nobody is called 'nobody'"]),
    ], lambda words, code, said: keys(program_, folder, *words, code=code, said=said))


def files_of_pyzmq_are_taken(program_, folder):
    public, _ = zmq.auth.create_certificates(folder, "analyst")
    publisher_and_reader(program_, folder)
    keys(program_, folder, "allow", public, "--role", "read", said=["analyst may subscribe"])
    assert zmq.auth.load_certificate(public)[0].decode() in (folder / "keys/allowed").read_text()


# --- who hears

class Readers:
    """Programs that read while something is published; ended when the block is left."""

    def __init__(self, folder):
        self.folder, self.processes = folder, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            process.kill()
            process.wait()

    def start(self, name, *command):
        with (self.folder / f"{name}.out").open("w") as out, (self.folder / f"{name}.err").open("w") as err:
            self.processes[name] = subprocess.Popen(command, cwd=self.folder, stdout=out, stderr=err)

    def out(self, name):
        return (self.folder / f"{name}.out").read_text()

    def err(self, name):
        return (self.folder / f"{name}.err").read_text()

    def finish(self, name):
        code = self.processes[name].wait(LIMIT_S)
        return code, self.out(name), self.err(name)


def wait_for(what, is_there):
    deadline = time.monotonic() + LIMIT_S
    while not is_there():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def write_table(folder):
    (folder / "new.csv").write_text("\n".join([SMALL_HEADER, *small_rows(ROWS)]) + "\n")


def the_right_key_hears_every_row_and_a_wrong_one_nothing(program_, folder):
    trained_small(program_, folder)
    write_table(folder)
    publisher_and_reader(program_, folder)
    public = folder / "keys/publisher.public"
    stranger = reader_folder(program_, folder, "stranger", public)
    misled = reader_folder(program_, folder, "misled", folder / "stranger/reader.public")
    keys(program_, folder, "allow", misled / "reader.public", "--role", "read", "--name", "misled")
    bus = f"ipc://{folder}/bus"
    example = [sys.executable, SUBSCRIBER, "--connect", bus, "--until-end"]
    wrong = ["python-stranger", "python-misled", "python-plain", "watch-stranger", "watch-plain", "monitor-stranger"]
    with Readers(folder) as readers:
        readers.start("python-stranger", *example, "--keys", stranger)
        readers.start("python-misled", *example, "--keys", misled)
        readers.start("python-plain", *example)
        readers.start("watch-stranger", program_.bin / "flywheel", "watch", bus, "--keys", stranger)
        readers.start("watch-plain", program_.bin / "flywheel", "watch", bus)
        readers.start("monitor-stranger", program_.bin / "flywheel-monitor", "--connect", bus, "--keys", stranger)
        readers.start("python", *example, "--keys", folder / "keys")
        readers.start("watch", program_.bin / "flywheel", "watch", bus, "--keys", folder / "keys", "--until-end")
        readers.start("monitor", program_.bin / "flywheel-monitor", "--connect", bus, "--keys", folder / "keys", "--until-end", "--format", "jsonl")
        scored = program_.start("score", "run", "new.csv", "-o", "o.csv", "--bus", bus, "--keys", "keys", "--wait-subscribers", "4", "--wait-seconds", "8", cwd=folder)
        wait_for("the strangers are not told", lambda: "does not let this key in" in readers.err("watch-stranger") and "does not let" in readers.err("monitor-stranger"))
        readers.start("late", program_.bin / "flywheel", "watch", bus, "--keys", folder / "keys", "--until-end")
        program_.finish(scored).expect(DONE, f"published {ROWS} predictions")
        said = time.monotonic()
        for name in ("python", "watch", "late"):
            code, out, err = readers.finish(name)
            assert code == DONE and [json.loads(line)["row"] for line in out.splitlines()] == list(range(ROWS)), (name, err)
        code, out, err = readers.finish("monitor")
        assert code == DONE and [e["predictions"] for e in map(json.loads, out.splitlines()) if e["event"] == "total"] == [ROWS], (out, err)
        code, _, err = readers.finish("python-stranger")
        assert code == 1 and "our key is not allowed there" in err, err
        time.sleep(max(0.0, SILENCE_S - (time.monotonic() - said)))
        for name in wrong:
            assert '"row"' not in readers.out(name) and "callcenter" not in readers.out(name), f"{name} heard {readers.out(name)}"
        for name in ("python-stranger", "python-misled", "python-plain", "watch-stranger", "watch-plain"):
            assert readers.out(name) == "", f"{name} heard {readers.out(name)}"


def the_python_of_the_readme_hears(program_, folder):
    (snippet,) = [text for text in re.findall(r"```python\n(.*?)```", README.read_text(), re.S) if "load_certificate" in text]
    trained_small(program_, folder)
    write_table(folder)
    publisher_and_reader(program_, folder)
    bus = f"ipc://{folder}/bus"
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.subscribe("prediction/")
        subscriber.rcvtimeo = 1000 * LIMIT_S
        exec(snippet, {"zmq": zmq, "folder": folder / "keys", "socket": subscriber})
        subscriber.connect(bus)
        program_("score", "run", "new.csv", "-o", "o.csv", "--bus", bus, "--keys", "keys", "--wait-subscribers", "1", cwd=folder).expect(DONE)
        assert subscriber.recv_multipart()[0] == b"prediction/small"


def a_key_that_is_allowed_while_it_is_published_is_let_in(program_, folder):
    trained_small(program_, folder)
    write_table(folder)
    keys(program_, folder, "new", "publisher")
    stranger = reader_folder(program_, folder, "stranger", folder / "keys/publisher.public")
    bus = f"ipc://{folder}/bus"
    with Readers(folder) as readers:
        readers.start("watch", program_.bin / "flywheel", "watch", bus, "--keys", stranger, "--until-end")
        scored = program_.start("score", "run", "new.csv", "-o", "o.csv", "--bus", bus, "--keys", "keys", "--wait-subscribers", "1", "--wait-seconds", str(LIMIT_S), cwd=folder)
        wait_for("the stranger is not told", lambda: "does not let this key in" in readers.err("watch"))
        keys(program_, stranger, "allow", "reader.public", "--role", "read", "-o", "../keys")
        result = program_.finish(scored).expect(DONE)
        assert "a client from ipc was refused: unknown_key" in result.err, result
        code, out, _ = readers.finish("watch")
        assert code == DONE and len(out.splitlines()) == ROWS


def trainings_and_sweeps_publish_to_those_with_keys(program_, folder):
    program.write_small(folder)
    publisher_and_reader(program_, folder, "read")
    project = folder / "p.yaml"
    project.write_text(project.read_text() + f"monitor: {{bus: 'ipc://{folder}/bus', keys: keys}}\ntune: {{trials: 2, space: {{train.learning_rate: {{low: 0.01, high: 0.1}}}}}}\n")
    program_("ingest", "p.yaml", cwd=folder).expect(DONE)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    with Readers(folder) as readers:
        readers.start("watch", program_.bin / "flywheel", "watch", "p.yaml")                 # monitor.keys, beside the project file
        readers.start("plain", program_.bin / "flywheel", "watch", "p.yaml", "--insecure")
        program_("train", "../p.yaml", "-o", "run", cwd=elsewhere, env={"FW_FAULTS": "train.step@delay=300"}).expect(DONE)
        wait_for("no event of the training", lambda: '"event":"done"' in readers.out("watch"))
        program_("sweep", "../p.yaml", "-o", "study", cwd=elsewhere, env={"FW_FAULTS": "train.step@delay=100"}).expect(DONE)
        wait_for("no event of the sweep", lambda: '"event":"COMPLETE"' in readers.out("watch"))
        assert readers.out("plain") == "" and "--insecure: monitor.keys (keys) is not used" in readers.err("plain")
    seen = (elsewhere / "run/resolved.yaml").read_text()
    assert "keys: keys" in seen and "secret" not in seen


# --- who does not get so far

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def without_keys_nothing_leaves_this_host(program_, folder):
    trained_small(program_, folder)
    write_table(folder)
    before = sorted(path.name for path in folder.iterdir())
    (folder / "empty").mkdir()
    (folder / "loose").mkdir()
    keys(program_, folder, "new", "publisher", "-o", "loose")
    (folder / "loose/publisher.secret").chmod(0o640)
    score = ["score", "run", "new.csv", "-o", "o.csv", "--bus"]
    train = ["train", "p.yaml", "-o", "again"]
    sweep = ["sweep", "p.yaml", "-o", "study", "tune.space.train.learning_rate={low: 0.01, high: 0.1}"]
    away, here = "tcp://*:5555", f"ipc://{folder}/bus"
    told = "without keys"

    def refused(_, command, *words):
        result = program_(*command, cwd=folder).expect(USAGE, *words)
        made = {path.name for path in folder.iterdir()} - set(before) - {"empty", "loose"}
        assert not made, f"something was made: {made}: {result}"

    cases = [(f"{name} {i}", command, *words) for name, publishes, at in (
        ("score", score, lambda bus: [bus]), ("train", train, lambda bus: [f"monitor.bus={bus}"]), ("sweep", sweep, lambda bus: [f"monitor.bus={bus}"]))
        for i, (command, words) in enumerate([
            (publishes + at(away), [away, told, "--keys FOLDER", "--insecure"]),
            (publishes + at("tcp://0.0.0.0:5555"), ["tcp://0.0.0.0:5555", told]),
            (publishes + at("tcp://[::]:5555"), ["tcp://[::]:5555", told]),
            (publishes + at(here) + ["--keys", "nowhere"], ["nowhere: there is no such folder of keys", "flywheel keys new publisher -o nowhere"]),
            (publishes + at(here) + ["--keys", "empty"], ["empty/publisher.secret is not there", "flywheel keys new publisher -o empty"]),
            (publishes + at(here) + ["--keys", "loose"], ["mode 0640 lets others at a secret key", "chmod 600"]),
            (publishes + at(here) + ["--keys", "loose", "--insecure"], ["--keys and --insecure exclude each other"]),
            (publishes + at(here) + ["--keys", ""], ["--keys names no folder"]),
        ])]
    cases += [("watch", ["watch", "tcp://192.0.2.1:5555"], "is another host", told), ("watch keys", ["watch", here, "--keys", "empty"], "publisher.public is not there", "copy it")]
    program.for_each(cases, refused)
    monitor = program_.bin / "flywheel-monitor"
    for words, text in (
        (["--connect", "tcp://192.0.2.1:5555"], "is another host"),
        (["--connect", here, "--connect", "tcp://192.0.2.1:5555"], "is another host"),
        (["--connect", here, "--keys", "empty"], "publisher.public is not there"),
        (["--connect", here, "--keys", "loose", "--insecure"], "exclude each other"),
        (["--connect", here, "--keys", ""], "--keys names no folder"),
        (["--keys"], "needs a value"),
    ):
        done = subprocess.run([monitor, *words], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S)
        assert done.returncode == USAGE and text in done.stderr, f"{words}: {done}"


def insecure_is_what_it_says(program_, folder):
    trained_small(program_, folder)
    write_table(folder)
    port = free_port()
    with Readers(folder) as readers:
        readers.start("watch", program_.bin / "flywheel", "watch", f"tcp://127.0.0.1:{port}", "--until-end")
        program_("score", "run", "new.csv", "-o", "o.csv", "--bus", f"tcp://*:{port}", "--insecure", "--wait-subscribers", "1", cwd=folder).expect(DONE)
        code, out, _ = readers.finish("watch")
        assert code == DONE and len(out.splitlines()) == ROWS


if __name__ == "__main__":
    main([pairs_are_made_shown_and_allowed, wrong_use_of_the_command_is_told, files_of_pyzmq_are_taken, the_right_key_hears_every_row_and_a_wrong_one_nothing,
          the_python_of_the_readme_hears, a_key_that_is_allowed_while_it_is_published_is_let_in, trainings_and_sweeps_publish_to_those_with_keys, without_keys_nothing_leaves_this_host,
          insecure_is_what_it_says])
