"""Alerts of a monitor's store: told once to a command and a webhook, whatever these do; shown and changed by `flywheel-monitor alerts`.

Usage: test_alerts.py BIN_FOLDER
The monitor is BIN_FOLDER/raise_alerts; the webhook is a server of Python's own, on a port of the loopback that the system chooses."""

import contextlib
import http.server
import json
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import program  # noqa: E402
from program import CHECK_SAYS_NO, DONE, FAILED, USAGE  # noqa: E402

LIMIT_S = 60
QUICK_S = 2.0                      # a turn of the watching, on a busy machine: far below the deadline of any delivery


class Hook:
    """A server that keeps what was posted and answers as it is told to: (status, seconds to wait before it), the last one for ever."""

    def __init__(self, *answers, body=b"", location=None, mute=False):
        self.answers, self.posts, self.others = list(answers), [], []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                text = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                hook.posts.append((self.path, json.loads(text)))
                status, wait_s = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
                hook.leave.wait(wait_s)
                if mute:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                with contextlib.suppress(OSError):
                    self.send_response(status)
                    if location:
                        self.send_header("Location", location)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def do_GET(self):
                hook.others.append(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.leave = threading.Event()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/secret-path?token=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave.set()
        self.server.shutdown()
        self.server.server_close()


class Monitor:
    def __init__(self, program_, folder, url="-", deadline_s=5, tries=3, command=()):
        arguments = [program_.bin / "raise_alerts", folder / "m.store", url, deadline_s, tries, *command]
        self.process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()

    def say(self, line):
        """One turn: how many alerts are open, how many were raised, how long it took."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        found = re.fullmatch(r"open (\d+) raised (\d+) seconds ([0-9.]+)( unstored)?\n", answer)
        assert found, (answer, self.process.stderr.read())
        self.seconds = float(found[3])
        return int(found[1]), int(found[2])

    def end(self):
        out, err = self.process.communicate(timeout=LIMIT_S)
        assert self.process.returncode == 0, err
        return err

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def stored(folder, query):
    with contextlib.closing(sqlite3.connect(folder / "m.store")) as store:
        return store.execute(query).fetchall()


def wait_until(holds, what):
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def an_alert_is_posted_once_and_its_end_too(program_, folder):
    with Hook((200, 0)) as hook, Monitor(program_, folder, hook.url) as monitor:
        assert monitor.say("look age 0.1") == (0, 0)
        for _ in range(5):
            assert monitor.say("look age 0.3") == (1, 1)
        for _ in range(3):
            monitor.say("look age 0.1")
        assert monitor.say("turn") == (0, 1)
        monitor.end()
    events = [body for path, body in hook.posts if path == "/secret-path?token=1"]
    assert [(e["event"], e["alert"], e["subject"]) for e in events] == [("raised", 1, "age"), ("resolved", 1, "age")], events
    assert events[0]["text"].startswith("adult: age has drifted from the reference: PSI 0.3, an alert from 0.25 on; since ")
    assert events[0]["features"] == ["age"] and events[0]["certainty"] == 0.999 and events[0]["resolved"] is None
    assert stored(folder, "SELECT event, delivery FROM alert_events ORDER BY at_us") == [("raised", 2), ("resolved", 2)]


def the_watching_waits_for_no_webhook(program_, folder):
    with Hook((200, 20)) as hook, Monitor(program_, folder, hook.url, deadline_s=3, tries=1) as monitor:
        for i in range(20):
            monitor.say(f"look f{i % 3} 0.3")
            assert monitor.seconds < QUICK_S, monitor.seconds
        monitor.end()
    assert len(hook.posts) == 3, hook.posts
    assert {body["id"] for _, body in hook.posts} and len({body["id"] for _, body in hook.posts}) == 3
    rows = stored(folder, "SELECT delivery, note FROM alert_events")
    assert len(rows) == 3 and all(delivery == 3 and "no answer in time" in note for delivery, note in rows), rows
    assert all("secret" not in note for _, note in rows), rows


def a_webhook_that_fails_is_tried_again_or_given_up(program_, folder):
    cases = [
        ("busy, then well", Hook((503, 0), (429, 0), (204, 0)), 3, 2, None),
        ("refuses for good", Hook((404, 0)), 1, 3, "it refuses with 404"),
        ("is broken", Hook((500, 0)), 3, 3, "it answers 500"),
        ("goes elsewhere", Hook((302, 0), location="/elsewhere"), 1, 3, "go elsewhere"),
        ("answers without end", Hook((200, 0), body=b"x" * 3_000_000), 1, 3, "longer than 65536 bytes"),
        ("hangs up", Hook((200, 0), mute=True), 3, 3, "http://127.0.0.1:"),
    ]

    def check(what, hook, posts, delivery, note):
        own = folder / what.replace(" ", "-")
        own.mkdir()
        with hook, Monitor(program_, own, hook.url) as monitor:
            monitor.say("look age 0.3")
            monitor.end()
        rows = stored(own, "SELECT delivery, note FROM alert_events")
        assert len(hook.posts) == posts and not hook.others, (hook.posts, hook.others, rows)
        assert len(rows) == 1 and rows[0][0] == delivery and (note is None or note in rows[0][1]), rows

    program.for_each(cases, check)


def nobody_there(program_, folder):
    with contextlib.closing(socket.socket()) as listener:        # bound, and nobody listens
        listener.bind(("127.0.0.1", 0))
        with Monitor(program_, folder, f"http://127.0.0.1:{listener.getsockname()[1]}/") as monitor:
            monitor.say("look age 0.3")
            assert monitor.seconds < QUICK_S
            monitor.end()
    assert stored(folder, "SELECT delivery FROM alert_events") == [(3,)]


def killed_it_tells_what_was_not_told_and_nothing_twice(program_, folder):
    with Hook((200, 30)) as slow, Monitor(program_, folder, slow.url, deadline_s=30) as monitor:
        monitor.say("look age 0.3")
        wait_until(lambda: slow.posts, "nothing was posted")
        monitor.kill()                                           # stored, and nobody knows whether it arrived
    with Hook((200, 0)) as hook:
        for _ in range(3):
            with Monitor(program_, folder, hook.url) as monitor:
                assert monitor.say("look age 0.3")[0] == 1
                assert monitor.say("look age 0.3") == (1, 0)     # not raised again
                monitor.end()
    assert [body["id"] for _, body in hook.posts] == [slow.posts[0][1]["id"]]
    assert stored(folder, "SELECT alert, event, delivery FROM alert_events") == [(1, "raised", 2)]


def a_command_gets_the_alert(program_, folder):
    script = folder / "notify"
    script.write_text('#!/bin/sh\ncat >> "$1"; echo >> "$1"\n')
    script.chmod(0o755)
    with Monitor(program_, folder, command=[script, folder / "a file; rm -rf *"]) as monitor:      # no shell reads it
        monitor.say("look age 0.3")
        monitor.end()
    event = json.loads((folder / "a file; rm -rf *").read_text())
    assert event["event"] == "raised" and event["kind"] == "drift" and "histogram" in event["advice"]


def users_see_and_change_alerts(program_, folder):
    store = folder / "m.store"

    def alerts(*words, code=DONE, says=()):
        command = [program_.bin / "flywheel-monitor", "alerts", *words]
        done = subprocess.run([str(w) for w in command], capture_output=True, text=True, timeout=LIMIT_S, check=False)
        result = program.Result(command, done.returncode, done.stdout, done.stderr, 0)
        return result.expect(code, *says).out

    with Hook((200, 0)) as hook:
        with Monitor(program_, folder, hook.url) as monitor:
            for subject in ("age", "sex", "pay"):
                monitor.say(f"look {subject} 0.3")
            listed = [json.loads(line) for line in alerts("list", "--store", store, "--format", "jsonl").splitlines()]
            assert [(a["alert"], a["event"], a["subject"]) for a in listed] == [(3, "raised", "pay"), (2, "raised", "sex"), (1, "raised", "age")]
            alerts("acknowledge", 1, "--store", store, says=["alert 1 acknowledged"])
            alerts("acknowledge", 1, "--store", store, code=CHECK_SAYS_NO, says=["acknowledged already"])
            alerts("silence", 2, "--for", "1h", "--store", store, says=["alert 2 silenced until 20"])
            alerts("resolve", 3, "--store", store, says=["alert 3 resolved"])
            alerts("resolve", 3, "--store", store, code=CHECK_SAYS_NO, says=["resolved already"])
            alerts("resolve", 9, "--store", store, code=FAILED, says=["there is no alert 9"])
            assert monitor.say("turn") == (2, 3)
            for _ in range(3):
                monitor.say("look sex 0.1")                      # its end is told to nobody
            monitor.end()
        told = [(body["alert"], body["event"]) for _, body in hook.posts]
        assert sorted(told) == [(1, "acknowledged"), (1, "raised"), (2, "raised"), (3, "raised"), (3, "resolved")], told
        alerts("list", "--store", store, says=["     1  acknowledged  drift", "age"])
        assert len(alerts("list", "--store", store, "--all").splitlines()) == 4
        alerts("resolve", 1, "--store", store)                   # no monitor is there
        assert alerts("list", "--store", store) == "no open alerts\n"
        with Monitor(program_, folder, hook.url) as monitor:
            assert monitor.say("turn") == (0, 0)
            assert monitor.say("look sex 0.3")[0] <= 1
            time.sleep(0.4)                                      # the cool-down of raise_alerts
            assert monitor.say("look sex 0.3")[0] == 1           # silenced: raised, and nobody is told
            monitor.end()
    assert [(body["alert"], body["event"]) for _, body in hook.posts[5:]] == [(1, "resolved")], hook.posts[5:]
    who = stored(folder, "SELECT DISTINCT \"by\" FROM alert_events WHERE event = 'acknowledged'")
    assert who != [("monitor",)] and len(who) == 1, who


def wrong_words_are_told(program_, folder):
    store = folder / "m.store"
    with Monitor(program_, folder) as monitor:
        monitor.say("turn")
        monitor.end()
    (folder / "text").write_text("not a store\n" * 100)
    cases = [
        ([], USAGE, "list, acknowledge, silence or resolve?"),
        (["list"], USAGE, "--store FILE is missing"),
        (["lsit", "--store", store], USAGE, '"lsit"'),
        (["acknowledge", "--store", store], USAGE, "which?"),
        (["acknowledge", "one", "--store", store], USAGE, '"one"'),
        (["acknowledge", "0", "--store", store], USAGE, '"0"'),
        (["acknowledge", "1", "2", "--store", store], USAGE, "one word too many"),
        (["silence", "1", "--store", store], USAGE, "for how long?"),
        (["silence", "1", "--for", "1", "--store", store], USAGE, "--for 1:"),
        (["silence", "1", "--for", "-1h", "--store", store], USAGE, "--for -1h:"),
        (["silence", "1", "--for", "400d", "--store", store], USAGE, "at most a year"),
        (["resolve", "1", "--for", "1h", "--store", store], USAGE, "--for belongs to silence"),
        (["list", "--format", "xml", "--store", store], USAGE, "--format xml"),
        (["list", "--what"], USAGE, "--what"),
        (["list", "--store"], USAGE, "needs a value"),
        (["list", "--store", folder / "nowhere"], FAILED, "there is no such file"),
        (["list", "--store", folder / "text"], program.BAD_DATA, "not a database"),
        (["acknowledge", "1", "--store", folder / "text"], program.BAD_DATA, "not a database"),
        (["acknowledge", "1", "--store", store], FAILED, "there is no alert 1"),
    ]

    def check(words, code, says):
        command = [str(w) for w in (program_.bin / "flywheel-monitor", "alerts", *words)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        program.Result(command, done.returncode, done.stdout, done.stderr, 0).expect(code, says)

    program.for_each(cases, check)


if __name__ == "__main__":
    program.main([
        an_alert_is_posted_once_and_its_end_too, the_watching_waits_for_no_webhook, a_webhook_that_fails_is_tried_again_or_given_up, nobody_there,
        killed_it_tells_what_was_not_told_and_nothing_twice, a_command_gets_the_alert, users_see_and_change_alerts, wrong_words_are_told])
