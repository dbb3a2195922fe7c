"""The monitor's page over HTTP: what it gives, and every bad input that it refuses, by http.client and by raw sockets.

Usage: test_web.py BIN_FOLDER [IDLE_CONNECTIONS]"""

import base64
import contextlib
import json
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time

from served_store import LIMIT_S, Served

HOST = b"Host: localhost\r\n"
SECURITY = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}
PANELS = {"models": "models", "windows?model=adult": "windows", "drift?model=adult": "drift", "performance?model=adult": "performance", "kpi": "kpi", "alerts": "alerts",
          "publishers": "publishers", "trainings": "trainings", "studies": "studies"}

# RELIABILITY: what HTTP libraries take wrongly. The request after it must never be answered.
NEXT = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
BAD_HEADS = {
    "two lengths": (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nContent-Length: 38\r\n\r\nhello" + NEXT, 400),
    "length and chunked": (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    "unknown coding": (b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n" + NEXT, 501),
    "huge chunk": (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n" + NEXT, 411),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: localhost\n\n", 400),
    "folded field": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n c\r\n\r\n", 400),
    "NUL": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\0c\r\n\r\n", 400),
    "blank before colon": (b"GET / HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "40 KiB of a field": (b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 40960 + b"\r\n\r\n", 431),
    "2,000 fields": (b"GET / HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 2000 + b"\r\n", 431),
    "40 KiB of address": (b"GET /" + b"a" * 40960 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "a body": (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello" + NEXT, 413),
    "a body in chunks": (b"POST /api/outcomes HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + NEXT, 411),
    "a body of 2^63": (b"POST /api/alerts HTTP/1.1\r\n" + HOST + b"Content-Length: 9223372036854775808\r\n\r\n", 413),
    "expectation": (b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n\r\n", 417),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
    "another proxy's request": (b"GET http://localhost/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "noise": (bytes(range(128, 256)) * 4, 400),
}

BAD_QUERIES = ["windows", "windows?model=", "windows?model=nobody", "windows?model=adult&model=adult", "windows?model=adult&limit=0", "windows?model=adult&limit=1001",
               "windows?model=adult&limit=-1", "windows?model=adult&limit=1e3", "windows?model=adult&limit=99999999999999999999", "windows?model=adult&since=x",
               "windows?modle=adult", "windows?model=%zz", "windows?model=%00", "windows?model=%ff", "windows?model=adult&version=ffff", "histogram?model=adult",
               "alerts?open=2", "models?model=adult", "drift?model=adult'%20OR%201=1--", "kpi?" + "&".join(f"a{i}=1" for i in range(17))]


def panels(s):
    for path, name in PANELS.items():
        body = s.json("/api/" + path)
        assert body[name], f"/api/{path} is empty"
        assert isinstance(body["next"], int)
    p = {x["stream"][:2]: x for x in s.json("/api/publishers")["publishers"]}["62"]
    assert (p["produced"], p["delivered"], p["spooled"], p["dropped"]) == (5100, 4000, 100, 1000) and p["produced"] == p["delivered"] + p["spooled"] + p["dropped"]
    assert p["reasons"] == {"spool_full": 990, "too_large": 10}
    assert p["refused"] == {"frame": 2, "stream": 0, "batch": 3, "model": 1, "account": 5}
    assert [m["name"] for m in s.json("/api/models")["models"]] == ["adult", "prices", "adult"]
    h = s.json("/api/histogram?model=adult&feature=age")
    assert sum(h["reference"]["counts"]) == sum(h["current"]["counts"]) == 1000 and h["window"] == 120
    assert s.json("/api/histogram?model=adult&feature=nothing")["reference"] is None
    quoted = s.json("/api/drift?model=adult&feature=marital%20%22status%22")["drift"]
    assert len(quoted) == 480 and quoted[0]["window"] == 1 and quoted[-1]["window"] == 120
    assert {r["window"] for r in s.json("/api/drift?model=adult")["drift"]} == {120}
    assert len(s.json("/api/trainings")["trainings"][0]["rounds"]) == 40
    assert len(s.json("/api/studies")["studies"][0]["trials"]) == 30
    assert s.json("/api/windows?model=adult&version=a0a0")["windows"] == []
    assert [a["alert"] for a in s.json("/api/alerts?open=1")["alerts"]] == [2, 1]


def pages_follow_one_another(s):
    """Each row once, in order, whatever the limit is, when one goes on at `next`."""
    for path, name, key, limit, n in (("windows?model=adult", "windows", lambda r: r["number"], 37, 120), ("drift?model=adult", "drift", lambda r: (r["window"], r["feature"], r["test"]), 100, 2880),
                                      ("performance?model=adult", "performance", lambda r: (r["window"], r["metric"]), 7, 240)):
        seen, since = [], 1
        while True:
            page = s.json(f"/api/{path}&limit={limit}&since={since}")
            assert len(page[name]) <= limit
            if not page[name]:
                break
            seen += [key(r) for r in page[name]]
            since = page["next"]
        assert len(seen) == n == len(set(seen)) and seen == sorted(seen), f"{name}: {len(seen)} rows, {len(set(seen))} of them different"
    newest = s.json("/api/windows?model=adult&limit=5")["windows"]
    assert [w["number"] for w in newest] == [116, 117, 118, 119, 120]


def headers(s):
    for path in ("/", "/page.css", "/page.js", "/api/models", "/metrics", "/health", "/nothing"):
        status, h, body = s.request("GET", path)
        assert {k: h[k] for k in SECURITY} == SECURITY, h
        assert "default-src 'none'" in h["Content-Security-Policy"] and "unsafe" not in h["Content-Security-Policy"]
        assert h["Connection"] == "close" and int(h["Content-Length"]) == len(body)
        status2, h2, body2 = s.request("HEAD", path)
        assert status2 == status and body2 == b"" and h2["Content-Type"] == h["Content-Type"]
    for path in ("/", "/api/windows?model=adult"):
        _, h, _ = s.request("GET", path)
        status, h2, body = s.request("GET", path, {"If-None-Match": h["ETag"]})
        assert (status, body, h2["ETag"]) == (304, b"", h["ETag"])
        assert s.request("GET", path, {"If-None-Match": '"another"'})[0] == 200
    html = s.get("/").decode()
    assert "style=" not in html and "<script>" not in html and "http" not in html.replace("/api", ""), "something inline or from elsewhere"


def bad_heads(s):
    for name, (data, code) in BAD_HEADS.items():
        answer = s.raw(data)
        assert answer.startswith(f"HTTP/1.1 {code} ".encode()), f"{name}: {answer[:200]}"
        assert len(re.findall(rb"HTTP/1\.1 \d", answer)) == 1, f"{name}: two answers: {answer}"
        assert b"Connection: close" in answer and json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"], name
    assert s.raw(NEXT + NEXT).count(b"HTTP/1.1 200") == 1, "a connection serves one request"
    assert re.match(rb"HTTP/1\.[01] 200", s.raw(b"GET /health HTTP/1.0\r\n\r\n"))


def paths_lead_nowhere(s):
    for path in ("/../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/page.js/", "/page.js%00.html", "/./page.js", "/api", "/api/", "/API/models",
                 "/page.css/../m.store", "/m.store", "/\\..\\..\\etc\\passwd", "/page/page.html", "/.git/config", "/;/page.js"):
        status, _, body = s.request("GET", path)
        assert status in (400, 404) and b"root:" not in body, f"{path}: {status} {body[:100]}"


def bad_queries(s):
    for query in BAD_QUERIES:
        status, _, body = s.request("GET", "/api/" + query)
        assert status in (400, 404) and json.loads(body)["error"], f"{query}: {status} {body[:200]}"
    assert "did you mean 'model'" in s.json("/api/windows?modle=adult", 400)["error"]


def methods(s):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "FOO", "get"):
        answer = s.raw(method.encode() + b" /api/alerts HTTP/1.1\r\n" + HOST + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 405 ") and b"Allow: GET, HEAD" in answer, f"{method}: {answer[:200]}"
    assert s.request("POST", "/api/alerts", body=b"x=1")[0] == 405


def foreign_names(s):
    for host, code in (("localhost", 200), (f"127.0.0.1:{s.port}", 200), ("[::1]:80", 200), ("evil.example", 421), ("127.0.0.1.evil.example", 421)):
        s.get("/api/models", code, {"Host": host})


def news(s):
    with s.connect() as c:
        c.sendall(b"GET /events HTTP/1.1\r\n" + HOST + b"\r\n")
        text = b""

        def read_until(word):
            nonlocal text
            while word not in text:
                part = c.recv(65536)
                assert part, f"the stream ended: {text}"
                text += part

        read_until(b"event: hello")
        assert b"text/event-stream" in text
        time.sleep(1.5)                # the first look, which tells nothing
        for line, word in (("window", b"event: windows"), ("alert", b"event: alerts")):
            begin = time.monotonic()
            s.tell(line)
            read_until(word)
            assert time.monotonic() - begin < 5, f"{line} is told too late"
        assert b"event: publishers" not in text


def listeners_are_bounded(s):
    with contextlib.ExitStack() as stack:
        kept = []
        for _ in range(64):
            c = stack.enter_context(s.connect())
            c.sendall(b"GET /events HTTP/1.1\r\n" + HOST + b"\r\n")
            assert c.recv(12) == b"HTTP/1.1 200"
            kept.append(c)
        assert s.raw(b"GET /events HTTP/1.1\r\n" + HOST + b"\r\n").startswith(b"HTTP/1.1 503 ")
        s.json("/health")
    deadline = time.monotonic() + 30       # who has gone is noticed by the next sign of life
    while b"flywheel_http_listeners 0\n" not in s.get("/metrics"):
        assert time.monotonic() < deadline
        time.sleep(0.2)


def slow_heads_are_cut(s):
    """One byte a second: cut after 5 s, and nobody else waits."""
    begin = time.monotonic()
    with contextlib.ExitStack() as stack:
        dribblers = [stack.enter_context(s.connect()) for _ in range(100)]
        for byte in b"GET /health HTTP/1.1\r\n":
            for c in dribblers:
                with contextlib.suppress(OSError):
                    c.send(bytes([byte]))
            one = time.monotonic()
            s.json("/health")
            assert time.monotonic() - one < 1, "others wait"
            if time.monotonic() - begin > 5.6:
                break
            time.sleep(0.5)
        for c in dribblers:
            c.settimeout(2)
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                answer = c.recv(4096)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 408 "), answer
    assert s.get("/metrics").count(b'reason="head_too_slow"} 100\n') == 1


def slow_readers_are_cut(s):
    s.tell("large 10000")
    with socket.socket() as c:
        c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        c.connect((s.host, s.port))
        c.settimeout(LIMIT_S)
        c.sendall(b"GET /api/drift?model=adult&limit=10000 HTTP/1.1\r\n" + HOST + b"\r\n")
        begin, total = time.monotonic(), 0
        while time.monotonic() - begin < 20:
            try:
                part = c.recv(512)
            except ConnectionResetError:
                break
            if not part:
                break
            total += len(part)
            s.json("/health")
            time.sleep(0.2)
        assert time.monotonic() - begin < 15, f"it is still fed after {total} bytes"
    assert b'reason="reader_too_slow"} 1\n' in s.get("/metrics")


def idle_connections(s, n):
    """More than there is room for: the oldest go, and whoever asks is answered."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    n = min(n, hard - 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (n + 200, hard))
    slowest = 0
    with contextlib.ExitStack() as stack:
        for i in range(n):
            stack.enter_context(s.connect())
            if i % 500 == 499:
                begin = time.monotonic()
                s.json("/api/models")
                slowest = max(slowest, time.monotonic() - begin)
        rss = int(pathlib.Path(f"/proc/{s.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        fds = len(list(pathlib.Path(f"/proc/{s.process.pid}/fd").iterdir()))
    assert slowest < 2 and fds < 700, f"slowest {slowest:.3f} s, {fds} descriptors"
    print(f"test_web: {n} idle connections: slowest answer {1000 * slowest:.1f} ms, {rss >> 20} MiB, {fds} descriptors")


def ends_at_once_with_listeners(s):
    with s.connect() as c:
        c.sendall(b"GET /events HTTP/1.1\r\n" + HOST + b"\r\n")
        assert c.recv(12) == b"HTTP/1.1 200"
        begin = time.monotonic()
        s.end()
        assert time.monotonic() - begin < 3
        while c.recv(65536):
            pass


def tokens(bin_folder, folder):
    token = "0123456789abcdef0123456789abcdef"
    path = folder / "token"
    path.write_text(token + "\n")
    path.chmod(0o600)
    with Served(bin_folder, folder, path) as s:
        basic = base64.b64encode(f"me:{token}".encode()).decode()
        for value, code in ((None, 401), (f"Bearer {token}", 200), (f"Basic {basic}", 200), (f"Bearer {token}x", 401), (f"Bearer {token[:-1]}", 401), ("Bearer ", 401),
                            ("Basic !!!", 401), ("Basic " + base64.b64encode(b"no colon").decode(), 401), ("Digest x", 401)):
            for path_ in ("/", "/api/models", "/metrics", "/events-that-are-not"):
                expected = 404 if code == 200 and "not" in path_ else code
                s.get(path_, expected, {"Authorization": value} if value else {})
        assert b"adult" not in s.get("/health")
        s.get("/api/models", 200, {"Authorization": f"Bearer {token}", "Host": "monitor.example"})
        assert "WWW-Authenticate" in s.request("GET", "/")[1]


def refused_starts(bin_folder, folder):
    (folder / "open").write_text("0123456789abcdef0123456789abcdef\n")
    (folder / "open").chmod(0o644)
    (folder / "short").write_text("short\n")
    (folder / "short").chmod(0o600)
    for arguments, words in ((["--dashboard", "0.0.0.0:0"], "others can reach"), (["--dashboard", "[::]:0"], "others can reach"), (["--dashboard", "nonsense"], "address and a port"),
                             (["--dashboard", "127.0.0.1:99999"], "address and a port"), (["--dashboard", "example.com:80"], "in numbers"),
                             (["--dashboard", "127.0.0.1:0", "--token", folder / "open"], "chmod 600"), (["--dashboard", "127.0.0.1:0", "--token", folder / "short"], "16 to 512"),
                             (["--dashboard", "127.0.0.1:0", "--token", folder / "none"], "No such file")):
        done = subprocess.run([pathlib.Path(bin_folder) / "flywheel-monitor", "--connect", f"ipc://{folder}/bus", *arguments], capture_output=True, text=True, timeout=LIMIT_S)
        assert done.returncode == 2 and words in done.stderr, f"{arguments}: {done.returncode} {done.stderr}"


def damaged_store(bin_folder, folder):
    """A store that is gone, or damaged, is said; when a good one is there again, it is shown."""
    with Served(bin_folder, folder) as s:
        s.json("/api/models")
        for name in ("m.store", "m.store-wal", "m.store-shm"):
            if (folder / name).exists():
                (folder / name).rename(folder / ("kept." + name))
        assert "no such file" in s.json("/api/models", 503)["error"]
        s.store.write_bytes(b"SQLite format 3\0" + bytes(5000))
        assert s.json("/api/models", 503)["error"]
        assert s.json("/health")["store"] is False and b"flywheel_store_up 0" in s.get("/metrics")
        s.store.write_bytes(os.urandom(20000))
        assert s.json("/api/models", 503)["error"]
        assert s.get("/").startswith(b"<!doctype html>")
        s.store.unlink()
        for kept in folder.glob("kept.*"):
            kept.rename(folder / kept.name.removeprefix("kept."))
        assert s.json("/api/models")["models"]


def main(bin_folder, idle=2000):
    steps = [panels, pages_follow_one_another, headers, bad_heads, paths_lead_nowhere, bad_queries, methods, foreign_names, news, slow_heads_are_cut, slow_readers_are_cut]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for i in range(5):
            (folder / str(i)).mkdir()
        with Served(bin_folder, folder / "0") as s:
            for step in steps[:-2]:
                step(s)
                print(f"test_web: {step.__name__}")
        with Served(bin_folder, folder / "1") as s, Served(bin_folder, folder / "2") as t:
            failures = []

            def run(step, *arguments):
                try:
                    step(*arguments)
                    print(f"test_web: {step.__name__}")
                except BaseException as e:      # noqa: B036, told by the main thread
                    failures.append(f"{step.__name__}: {type(e).__name__} {e}")

            threads = [threading.Thread(target=run, args=a) for a in ((slow_heads_are_cut, s), (slow_readers_are_cut, t))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not failures, failures
            idle_connections(s, int(idle))
            listeners_are_bounded(s)
            ends_at_once_with_listeners(s)
        tokens(bin_folder, folder / "3")
        refused_starts(bin_folder, folder)
        damaged_store(bin_folder, folder / "4")
    print("test_web: all that was asked for")


if __name__ == "__main__":
    main(*sys.argv[1:])
