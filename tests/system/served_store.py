"""The page of a filled store (show_store), and raw HTTP to it. For the tests of the page."""

import http.client
import json
import pathlib
import socket
import subprocess

LIMIT_S = 30


class Served:
    """with Served(bin_folder, folder) as s: s.get("/health"). The port is any that is free."""

    def __init__(self, bin_folder, folder, token_file=None):
        self.store = pathlib.Path(folder) / "m.store"
        command = [pathlib.Path(bin_folder) / "show_store", self.store, "127.0.0.1:0"] + ([token_file] if token_file else [])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.process.stderr.read()
        self.host, self.port = self.address.rsplit(":", 1)[0], int(self.address.rsplit(":", 1)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(LIMIT_S)

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n", "show_store is gone"

    def end(self):
        """Its input ends, so it ends: with 0."""
        self.process.stdin.close()
        code = self.process.wait(LIMIT_S)
        talk = self.process.stderr.read()
        assert code == 0, f"exit code {code}: {talk}"
        return talk

    def request(self, method, path, headers=None, body=None):
        c = http.client.HTTPConnection(self.host, self.port, timeout=LIMIT_S)
        try:
            c.request(method, path, body=body, headers=headers or {})
            answer = c.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            c.close()

    def get(self, path, code=200, headers=None):
        status, _, body = self.request("GET", path, headers)
        assert status == code, f"GET {path}: {status}, expected {code}: {body[:500]}"
        return body

    def json(self, path, code=200):
        return json.loads(self.get(path, code))

    def connect(self):
        return socket.create_connection((self.host, self.port), LIMIT_S)

    def raw(self, data):
        """Everything that comes back until the connection is closed."""
        with self.connect() as s:
            s.sendall(data)
            out = b""
            while True:
                try:
                    part = s.recv(65536)
                except ConnectionResetError:
                    return out
                if not part:
                    return out
                out += part
