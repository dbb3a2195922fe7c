"""A page in Chromium, over its debugging protocol: what it shows, what it complains of, and pictures of it. Standard library alone."""

import base64
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

LIMIT_S = 60


def chromium():
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Browser:
    """with Browser(folder) as b: b.open(url); b.evaluate("..."); b.complaints"""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.number, self.complaints = 0, []

    def __enter__(self):
        command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0", "--hide-scrollbars",
                   f"--user-data-dir={self.folder / 'browser'}", "about:blank"]
        self.talk = (self.folder / "browser.err").open("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self.talk, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            self.connect(self.wait_for_port())
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.end()

    def end(self):
        os.killpg(self.process.pid, 9)
        self.process.wait(LIMIT_S)
        self.talk.close()

    def wait_for_port(self):
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            found = re.search(r"ws://127\.0\.0\.1:(\d+)/", (self.folder / "browser.err").read_text())
            if found:
                return int(found[1])
            time.sleep(0.05)
        raise AssertionError("the browser does not start: " + (self.folder / "browser.err").read_text())

    def connect(self, port):
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as s:
            s.sendall(b"GET /json/list HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head, body = b"", b""
            while b"\r\n\r\n" not in head:
                head += s.recv(65536)
            head, body = head.split(b"\r\n\r\n", 1)
            length = int(re.search(rb"Content-Length: ?(\d+)", head, re.I)[1])
            while len(body) < length:
                body += s.recv(65536)
        path = next(t for t in json.loads(body) if t["type"] == "page")["webSocketDebuggerUrl"].split("/", 3)[3]
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT_S)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET /{path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(1)
        assert b" 101 " in answer.split(b"\r\n")[0], answer
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    # ---- frames (RFC 6455) ----

    def take(self, n):
        out = b""
        while len(out) < n:
            part = self.socket.recv(min(n - len(out), 1 << 20))
            assert part, "the browser is gone"
            out += part
        return out

    def receive(self):
        message = b""
        while True:
            first, second = self.take(2)
            length = second & 127
            if length > 125:
                length = int.from_bytes(self.take(2 if length == 126 else 8), "big")
            message += self.take(length)
            if first & 128:
                return json.loads(message)

    def call(self, method, **parameters):
        self.number += 1
        payload = json.dumps({"id": self.number, "method": method, "params": parameters}).encode()
        n = len(payload)
        size = bytes([128 | n]) if n < 126 else bytes([128 | 126]) + n.to_bytes(2, "big") if n < 65536 else bytes([128 | 127]) + n.to_bytes(8, "big")
        self.socket.sendall(b"\x81" + size + b"\0\0\0\0" + payload)      # masked with zeros
        while True:
            m = self.receive()
            if m.get("id") == self.number:
                assert "error" not in m, f"{method}: {m['error']}"
                return m["result"]
            if m.get("method") == "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(m["params"]["exceptionDetails"])[:500])
            if m.get("method") == "Log.entryAdded" and m["params"]["entry"]["level"] in ("error", "warning"):
                self.complaints.append(m["params"]["entry"]["text"])

    # ---- pages ----

    def size(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def evaluate(self, expression):
        result = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_until(self, expression):
        deadline = time.monotonic() + LIMIT_S
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"never true: {expression}; {self.complaints}; {self.evaluate('document.body.innerText')[:2000]}"
            time.sleep(0.05)

    def press(self, key, code):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)

    def picture(self, path):
        height = self.evaluate("document.documentElement.scrollHeight")
        width = self.evaluate("innerWidth")
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip={"x": 0, "y": 0, "width": width, "height": height, "scale": 1})["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))
