"""What was published is seen once by each reader: the Python example, `flywheel watch` and `flywheel-monitor`.

Usage: test_telemetry.py BIN_FOLDER SOURCE_FOLDER
The publisher is BIN_FOLDER/publish_predictions; what its rows hold is known, so each reader is compared with that."""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

BATCHES, ROWS = 300, 128
CLASSES = ["kindle", "orders", 'prime "video"']
LIMIT_S = 120


def expected(row):
    label = row % 3
    return {
        "model": "callcenter",
        "digest": "0123456789abcdef",
        "row": row,
        "id": f"id-{row}",
        "label": CLASSES[label],
        "confidence": 0.5,
        "probabilities": [0.5 if i == label else 0.25 for i in range(3)],
    }


class Stage:
    """The publisher and its readers, all ended when the stage is left."""

    def __init__(self, bin_folder, folder):
        self.bin, self.folder, self.processes = bin_folder, folder, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def start(self, name, command, stdout=None):
        output = self.folder / (name + ".out")
        with output.open("w") as out, (self.folder / (name + ".err")).open("w") as err:
            process = subprocess.Popen(command, stdout=stdout or out, stderr=err, text=True)
        self.processes.append(process)
        return process, output

    def publish(self, readers, *arguments):
        command = [self.bin / "publish_predictions", str(readers), *map(str, arguments)]
        process, _ = self.start("publisher", command, stdout=subprocess.PIPE)
        return process, process.stdout.readline().strip()

    def finish(self, name, process):
        code = process.wait(LIMIT_S)
        talk = (self.folder / (name + ".err")).read_text()
        assert code == 0, f"{name} ended with {code}: {talk}"
        return talk


def wait_for(output, is_there):
    """Until what a reader has printed is enough."""
    deadline = time.monotonic() + LIMIT_S
    while not is_there(output.read_text()):
        assert time.monotonic() < deadline, f"{output.name} is still: {output.read_text()}"
        time.sleep(0.02)


def check_lines(name, output, rows):
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(lines) == len(rows), f"{name}: {len(lines)} lines for {len(rows)} predictions"
    for line, row in zip(lines, rows):
        assert line.pop("time").endswith("Z")
        assert line == expected(row), f"{name}: {line} is not {expected(row)}"


def every_reader_sees_every_prediction_once(bin_folder, source, folder):
    with Stage(bin_folder, folder) as stage:
        publisher, endpoint = stage.publish(5, BATCHES, ROWS)
        python, python_out = stage.start(
            "subscriber", [sys.executable, source / "deploy/examples/subscriber.py", "--connect", endpoint, "--until-end"])
        watch, watch_out = stage.start("watch", [bin_folder / "flywheel", "watch", endpoint, "--until-end"])
        table, table_out = stage.start("monitor", [bin_folder / "flywheel-monitor", "--connect", endpoint, "--until-end", "--window", "1000"])
        jsonl, jsonl_out = stage.start(
            "monitor-jsonl", [bin_folder / "flywheel-monitor", "--connect", endpoint, "--until-end", "--window", "1000", "--format", "jsonl", "--name", "second"])
        head, _ = stage.start("head", ["sh", "-c", '"$0" watch "$1" | head -n 1', bin_folder / "flywheel", endpoint])
        counts = publisher.stdout.read().split()
        stage.finish("publisher", publisher)
        assert counts == f"produced {BATCHES + 1} delivered {BATCHES + 1} spooled 0 dropped 0".split(), counts

        talk = stage.finish("subscriber", python)
        assert f"{BATCHES * ROWS} predictions, 0 messages missing, 0 repeated" in talk, talk
        check_lines("subscriber", python_out, range(BATCHES * ROWS))
        talk = stage.finish("watch", watch)
        assert "lost" not in talk, talk
        check_lines("watch", watch_out, range(BATCHES * ROWS))

        talk = stage.finish("head", head)      # more lines than a pipe holds: it notices that its reader has gone
        assert "cannot write" not in talk, talk

        stage.finish("monitor", table)
        text = table_out.read_text()
        assert f"total callcenter {BATCHES * ROWS} predictions, 0 gaps" in text, text
        assert f" {BATCHES + 1} messages produced, " in text and " 0 dropped" in text, text
        stage.finish("monitor-jsonl", jsonl)
        events = [json.loads(line) for line in jsonl_out.read_text().splitlines()]
        windows = [event for event in events if event["event"] == "window"]
        assert sum(window["predictions"] for window in windows) == BATCHES * ROWS
        assert [window["closed"] for window in windows] == ["full"] * (len(windows) - 1) + ["end"]
        for window in windows:
            assert abs(sum(window["classes"].values()) - 1) < 1e-6 and window["confidence"] == 0.5
        total = next(event for event in events if event["event"] == "total")
        assert total["predictions"] == BATCHES * ROWS and total["gaps"] == 0
        publisher = events[-1]
        assert publisher["event"] == "publisher" and publisher["produced"] == BATCHES + 1 and publisher["adds_up"] and publisher["lost"] == 0, publisher


def readers_that_come_late_get_what_is_spooled(bin_folder, _source, folder):
    with Stage(bin_folder, folder) as stage:
        publisher, endpoint = stage.publish(2, 100, ROWS, folder / "spool")
        watch, watch_out = stage.start("watch", [bin_folder / "flywheel", "watch", endpoint, "--topic", "prediction/", "--until-end"])
        monitor, monitor_out = stage.start("monitor", [bin_folder / "flywheel-monitor", "--connect", endpoint, "--until-end"])
        counts = publisher.stdout.read().split()
        stage.finish("publisher", publisher)
        assert counts == "produced 101 delivered 101 spooled 0 dropped 0".split(), counts
        stage.finish("watch", watch)
        check_lines("watch", watch_out, range(100 * ROWS))
        stage.finish("monitor", monitor)
        assert f"total callcenter {100 * ROWS} predictions, 0 gaps" in monitor_out.read_text(), monitor_out.read_text()


def what_left_a_small_spool_is_accounted_for(bin_folder, _source, folder):
    with Stage(bin_folder, folder) as stage:
        publisher, endpoint = stage.publish(1, 100, ROWS, folder / "small", 64 << 10)
        monitor, monitor_out = stage.start("monitor", [bin_folder / "flywheel-monitor", "--connect", endpoint, "--until-end", "--format", "jsonl"])
        words = publisher.stdout.read().split()
        stage.finish("publisher", publisher)
        counts = dict(zip(words[::2], map(int, words[1::2])))
        assert counts["produced"] == 101 and counts["spooled"] == 0 and counts["dropped"] > 50 and counts["delivered"] > 5, counts
        stage.finish("monitor", monitor)
        events = [json.loads(line) for line in monitor_out.read_text().splitlines()]
        total = next(event for event in events if event["event"] == "total")
        assert total["predictions"] == (counts["delivered"] - 1) * ROWS, (total, counts)
        there = events[-1]
        assert there["before"] == there["dropped"]["full"] == counts["dropped"], (there, counts)


def readers_end_when_they_are_asked_to(bin_folder, _source, folder):
    with Stage(bin_folder, folder) as stage:
        publisher, endpoint = stage.publish(4, 1, 100)
        watch, watch_out = stage.start("watch", [bin_folder / "flywheel", "watch", endpoint, "--count", "42"])
        endless, endless_out = stage.start("endless", [bin_folder / "flywheel", "watch", endpoint])
        short, _ = stage.start("short", [bin_folder / "flywheel", "watch", endpoint, "--seconds", "3600"])
        monitor, monitor_out = stage.start("monitor", [bin_folder / "flywheel-monitor", "--connect", endpoint, "--window", "100"])
        stage.finish("publisher", publisher)
        stage.finish("watch", watch)
        check_lines("watch", watch_out, range(42))
        wait_for(endless_out, lambda text: text.count("\n") == 100)
        wait_for(monitor_out, lambda text: "\nwindow" in text)
        endless.send_signal(signal.SIGINT)
        short.send_signal(signal.SIGTERM)
        monitor.send_signal(signal.SIGTERM)
        stage.finish("endless", endless)
        check_lines("endless", endless_out, range(100))
        stage.finish("short", short)
        stage.finish("monitor", monitor)
        assert "total callcenter 100 predictions, 0 gaps" in monitor_out.read_text()


def wrong_usage_is_refused_with_exit_code_2(bin_folder, _source, folder):
    monitor, watch = bin_folder / "flywheel-monitor", [bin_folder / "flywheel", "watch"]
    table = [
        ([monitor, "--window", "0"], "--window 0"),
        ([monitor, "--window", "many"], "--window many"),
        ([monitor, "--format", "xml"], "table or jsonl"),
        ([monitor, "--colour"], "--colour"),
        ([monitor, "--connect"], "--connect"),
        ([monitor, "--connect", "localhost:5555"], "tcp://HOST:PORT"),
        ([monitor, "a.yaml", "b.yaml"], "b.yaml"),
        ([monitor, folder / "missing.yaml"], "missing.yaml"),
        ([*watch, folder / "missing.yaml"], "missing.yaml"),
        ([*watch, "tcp://localhost"], "port"),
        ([*watch, "--count", "0"], "count"),
    ]
    for command, text in table:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        assert done.returncode in (1, 2) if "missing.yaml" in text else done.returncode == 2, f"{command}: {done.returncode} {done.stderr}"
        assert text in done.stderr, f"{command}: {done.stderr}"
    assert "--connect" in subprocess.run([monitor, "--help"], capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout
    assert "flywheel-monitor" in subprocess.run([monitor, "--version"], capture_output=True, text=True, check=True, timeout=LIMIT_S).stdout


def main():
    bin_folder, source = map(pathlib.Path, sys.argv[1:3])
    tests = [
        every_reader_sees_every_prediction_once,
        readers_that_come_late_get_what_is_spooled,
        what_left_a_small_spool_is_accounted_for,
        readers_end_when_they_are_asked_to,
        wrong_usage_is_refused_with_exit_code_2,
    ]
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(bin_folder, source, pathlib.Path(folder))
        print(f"ok {test.__name__}")


if __name__ == "__main__":
    main()
