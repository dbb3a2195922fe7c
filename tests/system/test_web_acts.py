"""What is written over the monitor's HTTP port: acts on alerts, outcomes and KPI events; each refusal with its code; and that what was accepted counts once, though the
monitor is killed between its answer and its taking it in.

Usage: test_web_acts.py BIN_FOLDER"""

import base64
import calendar
import contextlib
import json
import pathlib
import re
import resource
import sqlite3
import sys
import tempfile
import threading
import time
import types

from served_store import LIMIT_S, Served
from test_telemetry import Stage

TOKEN = "0123456789abcdef0123456789abcdef"
KEY = {"Authorization": f"Bearer {TOKEN}"}
JSON = {**KEY, "Content-Type": "application/json"}
MODEL, CLASSES, ROWS, WINDOW = "callcenter", ["kindle", "orders", 'prime "video"'], 5000, 1000      # of publish_predictions
YESTERDAY = time.strftime("%Y-%m-%dT10:00:00Z", time.gmtime(time.time() - 86400))      # KPI windows that are older than the store keeps go
OF_ADULT = '{"model":"adult","outcomes":[{"id":"a","outcome":"<=50K"}]}'


def token_file(folder):
    path = folder / "token"
    path.write_text(TOKEN + "\n")
    path.chmod(0o600)
    return path


def post(s, path, body, code, headers=JSON):
    status, h, answer = s.request("POST", path, headers, body if isinstance(body, (str, bytes)) else json.dumps(body))
    assert status == code, f"POST {path} {str(body)[:200]}: {status}, expected {code}: {answer[:300]}"
    assert "ETag" not in h and h["Cache-Control"] == "no-store" and h["Connection"] == "close"
    return json.loads(answer), h


def alert(s, number):
    return {a["alert"]: a for a in json.loads(s.get("/api/alerts", headers=KEY))["alerts"]}[number]


def acts(s):
    a, _ = post(s, "/api/alerts/1/acknowledge", "", 200)
    assert a == alert(s, 1) and a["state"] == "acknowledged" and a["acknowledged"]
    assert "already" in post(s, "/api/alerts/1/acknowledge", {}, 409)[0]["error"]
    a, _ = post(s, "/api/alerts/1/silence", {"until": "2 h"}, 200)
    assert a["state"] == "silenced" and 7190 < seconds_from_now(a["silenced_until"]) < 7210
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 86400))
    assert post(s, "/api/alerts/1/silence", {"until": moment}, 200)[0]["silenced_until"][:19] == moment[:19]
    a, _ = post(s, "/api/alerts/1/silence", {"until": "0s"}, 200)
    assert a["state"] == "acknowledged"
    for until in ({}, {"until": ""}, {"until": 5}, {"until": "soon"}, {"until": "400d"}, {"until": "9999-01-01"}, {"until": "1969-01-01"}, {"for": "2 h"}):
        assert re.search("until|unknown", post(s, "/api/alerts/1/silence", until, 400)[0]["error"]), until
    a, _ = post(s, "/api/alerts/1/resolve", "", 200)
    assert a["state"] == "resolved" and a["resolved"]
    post(s, "/api/alerts/1/resolve", "", 409)
    post(s, "/api/alerts/1/acknowledge", "", 409)
    assert "no alert 999" in post(s, "/api/alerts/999/resolve", "", 404)[0]["error"]
    post(s, "/api/alerts/2/acknowledge", {"why": 1}, 400)
    with contextlib.closing(sqlite3.connect(s.store)) as db:
        assert ("acknowledged", "page") in db.execute('SELECT event, "by" FROM alert_events WHERE alert = 1').fetchall()


def seconds_from_now(moment):
    return calendar.timegm(time.strptime(moment[:19], "%Y-%m-%dT%H:%M:%S")) - time.time()


def who_may(s):
    """The token in Authorization: Bearer alone; a browser's password reads, and writes nothing. No other page."""
    basic = "Basic " + base64.b64encode(f"me:{TOKEN}".encode()).decode()
    s.get("/api/alerts", headers={"Authorization": basic})
    for value in (None, basic, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", f"bearer {TOKEN}", TOKEN, "Digest x"):
        for path in ("/api/alerts/2/resolve", "/api/outcomes", "/api/nothing", "/api/models"):
            _, h = post(s, path, "{}", 401, {"Content-Type": "application/json", **({"Authorization": value} if value else {})})
            assert h["WWW-Authenticate"].startswith("Bearer"), h      # not Basic: no browser is to ask for a password here
    host = f"{s.host}:{s.port}"
    for origin, code in ((f"http://{host}", 200), (f"https://{host}", 200), ("null", 403), ("http://evil.example", 403), (f"http://{host}.evil.example", 403), (f"http://{s.host}", 403), ("", 403)):
        post(s, "/api/alerts/2/silence", {"until": "0s"}, code, {**JSON, "Origin": origin})
    assert alert(s, 2)["state"] == "acknowledged"


def what_may(s):
    for kind, code in (("application/json", 200), ("application/json; charset=utf-8", 200), ("Application/JSON", 200), ("text/plain", 415), ("application/x-www-form-urlencoded", 415),
                       ("multipart/form-data; boundary=x", 415), ("application/jsonx", 415), (None, 415)):
        post(s, "/api/alerts/2/silence", '{"until":"0s"}', code, {**KEY, **({"Content-Type": kind} if kind else {})})
    for path, code, allow in (("/api/alerts", 405, "GET, HEAD"), ("/api/models", 405, "GET, HEAD"), ("/", 405, "GET, HEAD")):
        assert post(s, path, "{}", code)[1]["Allow"] == allow
    for method in ("GET", "HEAD", "DELETE"):
        for path, allow in (("/api/outcomes", "POST"), ("/api/alerts/2/resolve", "POST"), ("/api/kpi", "GET, HEAD, POST")):
            status, h, _ = s.request(method, path, KEY)
            assert (status, h.get("Allow")) == ((200, None) if path == "/api/kpi" and method != "DELETE" else (405, allow)), (method, path, status)
    for path in ("/api/alerts/0/resolve", "/api/alerts/-1/resolve", "/api/alerts/1a/resolve", "/api/alerts//resolve", "/api/alerts/9223372036854775808/resolve", "/api/alerts/2/erase",
                 "/api/alerts/2", "/api/outcomes/", "/api/alerts/*/resolve"):
        post(s, path, "{}", 404)
    post(s, "/api/alerts/2/resolve?now=1", "{}", 400)
    post(s, "/api/alerts/2/silence", b" " * ((1 << 20) + 1), 413)
    assert alert(s, 2)["state"] == "acknowledged"


def bad_bodies(s):
    for body, words in ((b"garbage", "no JSON"), (b"\x00" * 100, "no JSON"), (b"[" * 1000000, "no JSON"), (b'{"a":' * 100000, "no JSON"), (b'{"model":"adult","outcomes":[{"id":"a","outcome":NaN}]}', "no JSON"),
                        (b'{"model":"adult","outcomes":[{"id":"a","outcome":Infinity}]}', "no JSON"), (b'{"model":"adult","outcomes":[{"id":"a","outcome":1e999}]}', "no JSON"),
                        (b'{"model":"adult","outcomes":[]}', "at least one"), (b'{"model":"adult","outcomes":[{"id":"\xff","outcome":"a"}]}', "no JSON"), (b'{"model":"adult"}{}', "no JSON"),
                        (json.dumps({"model": "adult", "outcomes": [{"id": "x" * 5000, "outcome": "a"}]}), "id"), (json.dumps({"model": "a" * 5000, "outcomes": [{"id": "x", "outcome": "a"}]}), "")):
        assert words in post(s, "/api/outcomes", body, 404 if words == "" else 400)[0]["error"], body[:80]
    assert "no model" in post(s, "/api/outcomes", OF_ADULT.replace("adult", "nobody"), 404)[0]["error"]
    for body in (b"", b"{}", b'{"project":"p","name":"k","events":[{"id":"a","value":NaN}]}', b'{"project":"p","name":"k","events":[{"id":"a","value":"1"}]}',
                 json.dumps({"project": "p" * 5000, "name": "k", "events": [{"id": "a", "value": 1}]})):
        post(s, "/api/kpi", body, 400)


def raw_head(s, length, more=""):
    return (f"POST /api/outcomes HTTP/1.1\r\nHost: {s.host}:{s.port}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n").encode()


def waiting(s):
    with contextlib.closing(sqlite3.connect(s.store)) as db:
        return db.execute("SELECT count(*) FROM posted").fetchone()[0]


def bodies_on_the_wire(s):
    """Cut, in pieces, announced, and one behind another: what is not whole is nothing."""
    before, body = waiting(s), OF_ADULT.encode()
    with s.connect() as c:
        c.sendall(raw_head(s, len(body)) + body[:-1])
    for _ in range(8):                     # more than may be under way together: the room of one that has gone is free again
        with s.connect() as c:
            c.sendall(raw_head(s, 16 << 20) + body)
    deadline = time.monotonic() + LIMIT_S
    while s.request("POST", "/api/outcomes", JSON, body)[0] == 503:      # until their end is noticed
        assert time.monotonic() < deadline, "bodies that were cut keep their room"
        time.sleep(0.05)
    for piece in (1, 7):
        with s.connect() as c:
            c.sendall(raw_head(s, len(body)))
            for i in range(0, len(body), piece):
                c.sendall(body[i:i + piece])
            assert c.recv(4096).startswith(b"HTTP/1.1 202 ")
    with s.connect() as c:
        c.sendall(raw_head(s, len(body), "Expect: 100-continue\r\n"))
        assert c.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        c.sendall(body)
        assert c.recv(4096).startswith(b"HTTP/1.1 202 ")
    answer = s.raw(raw_head(s, len(body), "Expect: 100-continue\r\n").replace(TOKEN.encode(), b"x" * 32))
    assert answer.startswith(b"HTTP/1.1 401 "), answer
    answer = s.raw(raw_head(s, len(body)) + body + raw_head(s, len(body)) + body)
    assert len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1, "a connection serves one request"
    assert s.raw(raw_head(s, (16 << 20) + 1)).startswith(b"HTTP/1.1 413 ")
    chunked = raw_head(s, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    assert s.raw(chunked).startswith(b"HTTP/1.1 411 ")
    assert waiting(s) == before + 5


def slow_bodies_are_cut(s):
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(s.connect()) for _ in range(20)]
        for c in slow:
            c.sendall(raw_head(s, 1000))
        begin = time.monotonic()
        while time.monotonic() - begin < 10.6:
            for c in slow:
                with contextlib.suppress(OSError):
                    c.send(b" ")
            one = time.monotonic()
            s.get("/health")
            assert time.monotonic() - one < 1, "others wait"
            time.sleep(0.5)
        for c in slow:
            with contextlib.suppress(ConnectionResetError):
                assert c.recv(4096) == b""
    assert b'reason="body_too_slow"} 20\n' in s.get("/metrics", headers=KEY)


def at_once(n, call):
    failures, gate = [], threading.Barrier(n)

    def run(i):
        try:
            gate.wait()
            call(i)
        except BaseException as e:      # noqa: B036, told by the main thread
            failures.append(repr(e))

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures


def two_posts_at_once(s):
    codes, before = [], waiting(s)
    s.tell("alert")
    at_once(8, lambda _: codes.append(s.request("POST", "/api/alerts/4/resolve", JSON, "{}")[0]))
    assert sorted(codes) == [200] + [409] * 7, codes
    at_once(8, lambda i: post(s, "/api/outcomes", OF_ADULT.replace('"a"', f'"{i}"'), 202))
    assert waiting(s) == before + 8


def a_locked_or_full_store(s):
    with contextlib.closing(sqlite3.connect(s.store, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        for path, body in (("/api/alerts/2/silence", {"until": "0s"}), ("/api/outcomes", OF_ADULT)):
            begin = time.monotonic()
            answer, h = post(s, path, body, 503)
            assert h["Retry-After"] == "1" and "lock" in answer["error"] and time.monotonic() - begin < 3, answer
        db.execute("COMMIT")
    post(s, "/api/outcomes", OF_ADULT, 202)
    large, n = json.dumps({"model": "adult", "outcomes": [{"id": f"{i}{'x' * 4000}", "outcome": "a"} for i in range(4000)]}), 0
    while (status := s.request("POST", "/api/outcomes", JSON, large)[0]) == 202:
        n += 1
    assert status == 503 and n == 4, (status, n)
    post(s, "/api/alerts/2/silence", {"until": "0s"}, 200)


def figures(s):
    text = s.get("/metrics", headers=KEY).decode()
    value = {m[0]: float(m[1]) for m in re.findall(r"^(flywheel_posts\S*) (\S+)$", text, re.M)}
    assert value['flywheel_posts_total{kind="act"}'] >= 5 and value['flywheel_posts_total{kind="outcome"}'] >= 16000, value
    for reason in ("malformed", "token", "not_allowed", "unknown", "method", "state", "size", "type", "busy"):
        assert value[f'flywheel_posts_refused_total{{reason="{reason}"}}'] > 0, (reason, value)
    assert value['flywheel_posts_refused_total{reason="other"}'] == 0


def read_only(s):
    for path in ("/api/alerts/1/resolve", "/api/outcomes", "/api/kpi"):
        assert "--token" in post(s, path, "{}", 403)[0]["error"]
    post(s, "/api/alerts/1/resolve", "{}", 403, {})
    post(s, "/api/alerts/1/resolve", "{}", 421, {"Host": "evil.example"})
    assert s.json("/health")["writable"] is False and s.json("/api/alerts?open=1")["alerts"]


# ---- the monitor itself, killed ----

class Life:
    """A monitor with a page, on a store; its publisher has said all it will say."""

    def __init__(self, stage, folder, endpoint):
        self.stage, self.folder, self.endpoint, self.n, self.store = stage, folder, endpoint, 0, folder / "m.store"
        self.begin()

    def begin(self):
        self.n += 1
        self.process, _ = self.stage.start(f"monitor{self.n}", list(map(str, (
            self.stage.bin / "flywheel-monitor", "--connect", self.endpoint, "--store", self.store, "--name", "m", "--window", WINDOW, "--dashboard", "127.0.0.1:0", "--token", token_file(self.folder)))))
        deadline = time.monotonic() + LIMIT_S
        while not (found := re.search(r"http://([\d.]+):(\d+)", (self.folder / f"monitor{self.n}.err").read_text())):
            assert time.monotonic() < deadline and self.process.poll() is None, (self.folder / f"monitor{self.n}.err").read_text()
            time.sleep(0.01)
        self.page = types.SimpleNamespace(host=found[1], port=int(found[2]), request=lambda *a: Served.request(self.page, *a))

    def kill(self):
        self.process.kill()
        self.process.wait()
        kept = self.rows("SELECT count(*) FROM posted")[0][0]
        self.begin()
        return kept

    def rows(self, query):
        with contextlib.suppress(sqlite3.OperationalError), contextlib.closing(sqlite3.connect(self.store)) as db:
            return db.execute(query).fetchall()
        return []

    def until(self, what, query, rows):
        deadline = time.monotonic() + LIMIT_S
        while self.rows(query) != rows:
            assert time.monotonic() < deadline, f"{what}: {self.rows(query)}, expected {rows}"
            time.sleep(0.02)


def outcome_of(r):
    return {"id": f"id-{r}", "outcome": CLASSES[r % 3 if r % 4 else (r + 1) % 3], "time": "2026-03-01T10:00:00Z"}


def counted_once(bin_folder, folder):
    """10,000 outcomes, of which half come twice, in posts that the monitor is killed behind: before it looked, or in the middle of it."""
    with Stage(pathlib.Path(bin_folder), folder) as stage:
        _, endpoint = stage.publish(1, 10, ROWS // 10)
        life = Life(stage, folder, endpoint)
        life.until("the predictions", "SELECT sum(rows) FROM windows", [(ROWS,)])
        order = [outcome_of(r) for r in range(ROWS)]
        parts = [order[:2500], order[1000:4000], order[3000:] + order[:1000], order[2500:4000]]
        assert sum(map(len, parts)) == 2 * ROWS
        kept = 0
        for k, part in enumerate(parts):
            answer, _ = post(life.page, "/api/outcomes", {"model": MODEL, "outcomes": part}, 202)
            assert answer == {"accepted": len(part)}
            events = [{"id": f"e{i}", "value": i % 2, "time": YESTERDAY} for i in range(40 * k, 40 * k + 80)]
            post(life.page, "/api/kpi", {"project": "p", "name": "sales", "events": events}, 202)
            time.sleep(0.12 * k)
            kept += life.kill()
        assert kept > 0, "what was posted was taken in at once each time: nothing was shown"
        life.until("the outcomes", "SELECT window, realised, labelled FROM performance WHERE metric = 'accuracy' ORDER BY window", [(w, 0.75, 1.0) for w in range(1, ROWS // WINDOW + 1)])
        life.until("what waits", "SELECT count(*) FROM posted", [(0,)])
        life.until("the ids", "SELECT count(*) FROM waiting_outcomes o JOIN waiting_predictions p USING (model, id)", [(ROWS,)])
        life.until("the KPI", "SELECT count(*), sum(value) FROM kpi", [(1, 0.5)])
        life.until("its events", "SELECT count(*) FROM waiting_outcomes WHERE model = 0", [(200,)])
        post(life.page, "/api/outcomes", {"model": MODEL, "outcomes": [{"id": "id-1", "outcome": "no such class"}]}, 202)
        _, hard = resource.prlimit(life.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(life.process.pid, resource.RLIMIT_FSIZE, (4096, hard))      # as a disk without room
        answer, h = post(life.page, "/api/outcomes", {"model": MODEL, "outcomes": order[:1]}, 503)
        assert h["Retry-After"] == "1" and answer["error"], answer
        resource.prlimit(life.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        post(life.page, "/api/outcomes", {"model": MODEL, "outcomes": order[:1]}, 202)
        life.until("the last", "SELECT count(*) FROM posted", [(0,)])
        life.process.terminate()
        assert life.process.wait(LIMIT_S) == 0
        assert "no such class" in (folder / f"monitor{life.n}.err").read_text(), (folder / f"monitor{life.n}.err").read_text()
        print(f"test_web_acts: {kept} messages waited when the monitor was killed")


def main(bin_folder):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for i in range(3):
            (folder / str(i)).mkdir()
        with Served(bin_folder, folder / "0", token_file(folder / "0")) as s:
            for step in (acts, who_may, what_may, bad_bodies, bodies_on_the_wire, two_posts_at_once, slow_bodies_are_cut, a_locked_or_full_store, figures):
                step(s)
                print(f"test_web_acts: {step.__name__}")
            s.end()
        with Served(bin_folder, folder / "1") as s:
            read_only(s)
        counted_once(bin_folder, folder / "2")
    print("test_web_acts: all that was asked for")


if __name__ == "__main__":
    main(*sys.argv[1:])
