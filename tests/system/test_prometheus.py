"""/metrics as Prometheus sees it: names and kinds by its rules, all that deploy/ asks for is given, labels are escaped; promtool and a real Prometheus agree
where there is one.

Usage: test_prometheus.py BIN_FOLDER SOURCE_FOLDER"""

import json
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from served_store import LIMIT_S, Served

SKIPPED = 77
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (NaN|[+-]Inf|-?[0-9][0-9.e+-]*)$')
DESIGN = {"flywheel_predictions_total": {"model", "version"}, "flywheel_telemetry_events_total": {"publisher", "outcome"}, "flywheel_drift_statistic": {"model", "feature", "test"},
          "flywheel_alerts_total": {"model", "kind"}, "flywheel_build_info": {"version"}}
OURS = re.compile(r"\b((?:flywheel|process)_[a-z0-9_]+)")


def families(text):
    """name -> (kind, [(labels, value)]); every line is judged."""
    out, current, seen = {}, None, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ", 3)[2]
            assert current not in out and line.split(" ", 3)[3].endswith("."), line
            out[current] = [None, []]
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name == current and kind in ("counter", "gauge"), line
            assert (kind == "counter") == name.endswith("_total"), line
            out[name][0] = kind
        else:
            m = SAMPLE.match(line)
            assert m and m[1] == current, line
            labels = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', m[2] or ""))
            assert (m[1], m[2]) not in seen, f"twice: {line}"
            seen.add((m[1], m[2]))
            out[current][1].append((labels, float(m[3].replace("Inf", "inf"))))
    return out


def check_metrics(s):
    status, headers, body = s.request("GET", "/metrics")
    assert status == 200 and headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    f = families(body.decode())
    for name, labels in DESIGN.items():
        assert f[name][1], f"{name} has no sample"
        for sample, _ in f[name][1]:
            assert set(sample) == labels, f"{name}: {sample}"
    events = {(l["publisher"], l["outcome"]): v for l, v in f["flywheel_telemetry_events_total"][1]}
    spooled = {l["publisher"]: v for l, v in f["flywheel_telemetry_spooled_events"][1]}
    assert len(spooled) == 3, f"publishers of one name are told apart: {spooled}"
    for p in spooled:
        assert events[p, "produced"] == events[p, "delivered"] + spooled[p] + events[p, "dropped"], p
    dropped = {}
    for l, v in f["flywheel_telemetry_dropped_total"][1]:
        dropped[l["publisher"]] = dropped.get(l["publisher"], 0) + v
    assert all(events[p, "dropped"] == v for p, v in dropped.items()) and dropped
    assert {l["reason"]: v for l, v in f["flywheel_telemetry_refused_total"][1]} == {"frame": 2, "stream": 0, "batch": 3, "model": 1, "account": 5}
    assert {l["reason"]: v for l, v in f["flywheel_window_misplaced_predictions_total"][1]} == {"late": 40, "clock": 3}
    assert any(l["feature"] == r'marital \"status\"' for l, _ in f["flywheel_drift_statistic"][1])
    assert {l["version"]: v for l, v in f["flywheel_predictions_total"][1]}["b1c2d3e4f5a6"] == 120000
    assert sum(v for _, v in f["flywheel_alerts_total"][1]) == 3 and sum(v for _, v in f["flywheel_alerts_open"][1]) == 2
    assert len(body) <= 65536, f"{len(body)} bytes"
    return f


def check_deploy(source, given):
    """What the dashboard and the rules ask for is what /metrics gives."""
    dashboard = json.loads((source / "deploy/grafana/flywheel.json").read_text())
    queries = [t["expr"] for p in dashboard["panels"] for t in p.get("targets", [])] + [v["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    assert len(queries) > 10
    rules = re.findall(r"^\s*expr: (.*(?:\n {10,}.*)*)", (source / "deploy/prometheus/alerts.yml").read_text(), re.M)
    assert len(rules) > 4
    for query in queries + rules:
        names = OURS.findall(query)
        assert names or query.startswith("up"), f"no metric of ours in {query}"
        for name in names:
            assert name in given, f"{name} in '{query}' is not one that /metrics gives"


def check_promtool(s, source):
    tool = shutil.which("promtool")
    if tool is None:
        print("test_prometheus: promtool is not here")
        return
    done = subprocess.run([tool, "check", "metrics"], input=s.get("/metrics"), capture_output=True, timeout=LIMIT_S)
    assert done.returncode == 0 and not done.stderr + done.stdout, done
    for what, name in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
        done = subprocess.run([tool, "check", what, source / "deploy/prometheus" / name], capture_output=True, text=True, timeout=LIMIT_S)
        assert done.returncode == 0, done


def scrape(s, folder, source):
    """A real Prometheus with the rules of deploy/: it takes every sample, and the drift rule is pending or firing."""
    port = socket.create_server(("127.0.0.1", 0))
    number = port.getsockname()[1]
    port.close()
    shutil.copy(source / "deploy/prometheus/alerts.yml", folder)
    config = (source / "deploy/prometheus/prometheus.yml").read_text()
    config = re.sub(r"_interval: \w+", "_interval: 1s", config).replace("127.0.0.1:8090", s.address)
    (folder / "prometheus.yml").write_text(config)
    with (folder / "prometheus.err").open("w") as err:
        process = subprocess.Popen(["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{number}"],
                                   stdout=err, stderr=err)

    def ask(path, **parameters):
        with urllib.request.urlopen(f"http://127.0.0.1:{number}/api/v1/{path}?{urllib.parse.urlencode(parameters)}", timeout=LIMIT_S) as answer:
            return json.load(answer)["data"]

    def wait_for(what, is_there):
        deadline, last = time.monotonic() + 60, None
        while time.monotonic() < deadline:
            try:
                last = ask(**what)
                if is_there(last):
                    return last
            except OSError as e:
                last = e
            time.sleep(0.2)
        raise AssertionError(f"{what}: {last}\n{(folder / 'prometheus.err').read_text()[-3000:]}")

    try:
        wait_for({"path": "query", "query": 'up{job="flywheel"}'}, lambda d: d["result"] and d["result"][0]["value"][1] == "1")
        n = wait_for({"path": "query", "query": 'count(flywheel_drift_statistic{model="adult"})'}, lambda d: d["result"])["result"][0]["value"][1]
        assert n == "24", n
        rules = wait_for({"path": "rules"}, lambda d: all(r["health"] == "ok" for g in d["groups"] for r in g["rules"]))
        states = {r["name"]: r["state"] for g in rules["groups"] for r in g["rules"]}
        wait_for({"path": "rules"}, lambda d: {r["name"]: r["state"] for g in d["groups"] for r in g["rules"]}["FlywheelAlertOpen"] in ("pending", "firing"))
        print(f"test_prometheus: a real Prometheus scrapes it; {len(states)} rules are evaluated")
    finally:
        process.terminate()
        process.wait(LIMIT_S)


def main(bin_folder, source_folder):
    source = pathlib.Path(source_folder)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with Served(bin_folder, folder) as s:
            check_deploy(source, check_metrics(s))
            check_promtool(s, source)
            begin = time.monotonic()
            for _ in range(20):
                s.get("/metrics")
            print(f"test_prometheus: a scrape takes {1000 * (time.monotonic() - begin) / 20:.1f} ms")
            if shutil.which("prometheus") is None:
                print("test_prometheus: skipped the scrape, Prometheus is not here")
                return SKIPPED
            scrape(s, folder, source)
    print("test_prometheus: all that was asked for")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
