"""flywheel doctor: what it says of this machine on 1, 2 and 3 ranks, of folders that are no place for runs, and that it leaves nothing behind."""

import contextlib
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from program import CHECK_SAYS_NO, DONE, USAGE, environment, session, main

VERDICTS = ["ok", "note", "warn", "fail"]


def doctor(program, folder, *args, code=DONE, **how):
    """What it found, as JSON, with its shape checked; the checks by name."""
    result = program("doctor", "--format", "json", *args, cwd=folder, **how).expect(code)
    found = json.loads(result.out)
    assert list(found) == ["program", "ranks", "hosts", "folder", "verdict", "count", "checks", "launch", "by_rank"], list(found)
    checks = {}
    for check in found["checks"]:
        assert set(check) == {"group", "check", "verdict", "value", "remedy", "figures"}, check
        assert check["verdict"] in VERDICTS and check["value"] and check["check"] not in checks, check
        assert check["figures"] is None or all(isinstance(v, (int, float)) for v in check["figures"].values()), check
        assert check["verdict"] not in ("warn", "fail") or check["remedy"], f"nothing is said to do: {check}"
        checks[check["check"]] = check
    assert found["count"] == {v: sum(c["verdict"] == v for c in found["checks"]) for v in VERDICTS}, found["count"]
    assert found["verdict"] == max((c["verdict"] for c in found["checks"]), key=VERDICTS.index)
    assert len(found["by_rank"]) == found["ranks"]
    nothing_is_left(folder)
    return found, checks


def nothing_is_left(folder):
    left = [path for path in pathlib.Path(folder).rglob(".flywheel-doctor*")]
    assert not left, f"left behind: {left}"


def every_rank_tells_of_itself(program, folder):
    for ranks in (None, 2, 3):
        found, checks = doctor(program, folder, ranks=ranks)
        n = ranks or 1
        assert found["ranks"] == n and found["hosts"] == 1
        assert [r["rank"] for r in found["by_rank"]] == list(range(n)), "in rank order"
        assert len({r["pid"] for r in found["by_rank"]}) == n
        assert all(r["host"] == os.uname().nodename for r in found["by_rank"])
        for name in ("cores", "binding", "kernels", "library", "transport", "messages", "memory", "shared", "folder", "durable", "locks", "clocks", "ZeroMQ", "program file"):
            assert name in checks, f"{name} is not looked at on {n} ranks"
        assert checks["folder"]["verdict"] in ("ok", "note") and checks["durable"]["verdict"] in ("ok", "warn") and checks["locks"]["verdict"] == "ok", checks
        assert "on all ranks" in checks["kernels"]["value"] and checks["library"]["verdict"] == "ok"
        assert found["launch"]["mpirun"].startswith("mpirun -n ") and "srun" in found["launch"]["srun"]
        if n > 1:
            figures = {**checks["messages"]["figures"], **checks["meeting"]["figures"], **checks["progress"]["figures"]}
            assert 0 < figures["latency_s"] < 5 and figures["bytes_per_s"] > 1e3 and figures["barrier_s"] > 0 and 0 <= figures["hidden"] <= 1, figures


def facts_are_those_of_the_kernel(program, folder):
    found, checks = doctor(program, folder)
    me = found["by_rank"][0]
    meminfo = dict(line.split(":") for line in pathlib.Path("/proc/meminfo").read_text().splitlines())
    assert me["memory.total"] == int(meminfo["MemTotal"].split()[0]) * 1024
    assert me["cpus.n"] == len(os.sched_getaffinity(0)) and me["uid"] == os.geteuid()
    space = os.statvfs(folder)
    assert abs(checks["space"]["figures"]["free"] - space.f_bavail * space.f_frsize) < 2 << 30
    one = doctor(program, folder, env={"OMPI_MCA_mpi_yield_when_idle": "0"})[0]["by_rank"][0]
    assert one["mpi.yields"] == 0 and me["mpi.yields"] == 1, "MPI's own word is taken"


def ranks_that_outnumber_cores_are_noted(program, folder):
    ranks = len(os.sched_getaffinity(0)) + 1
    checks = doctor(program, folder, ranks=ranks)[1]
    assert checks["binding"]["verdict"] == "warn" and f"oversubscribed: {ranks} ranks" in checks["binding"]["value"], checks["binding"]


def nodes_in_one_host_have_one_clock(program, folder):
    """Three virtual nodes: each asks rank 0 for the time; the difference is within what is said to be known."""
    found, checks = doctor(program, folder, ranks=3, env={"FW_TEST_NODE_RANKS": "1"})
    assert [r["node"] for r in found["by_rank"]] == [0, 1, 2] and found["hosts"] == 1
    for rank in found["by_rank"][1:]:
        assert rank["clock.bound_s"] > 0 and abs(rank["clock.ahead_s"]) <= rank["clock.bound_s"] + 1e-6, rank
        assert rank["path.answered"] == 1 and rank["path.error"] == 0 and rank["path.same"] == 1 and rank["path.lock_refused"] == 1, "each node looks at the file"
    assert checks["clocks"]["verdict"] == "ok" and checks["locks"]["verdict"] == "ok"


def kernels_that_are_asked_for_are_shown(program, folder):
    checks = doctor(program, folder, ranks=2, env={"FW_KERNELS": "portable"})[1]
    assert checks["kernels"]["verdict"] == "note" and "FW_KERNELS=portable is set on rank 0" in checks["kernels"]["value"], checks["kernels"]
    assert checks["kernels"]["remedy"] == "unset FW_KERNELS", checks["kernels"]


def ranks_with_other_kernels_are_noted(program, folder):
    """Rank 1 alone runs others: the same bits, so no failure."""
    if "avx2" not in pathlib.Path("/proc/cpuinfo").read_text():
        print("        no AVX2 here: left out", flush=True)
        return
    flywheel = str(program.bin / "flywheel")
    result = subprocess.run(["mpirun", "-n", "1", "env", "FW_KERNELS=avx2", flywheel, "doctor", ":", "-n", "1", "env", "FW_KERNELS=portable", flywheel, "doctor"],
                            cwd=folder, env=environment(session()), capture_output=True, text=True, timeout=100)
    said = re.sub(r"\s+", " ", result.stdout)
    assert result.returncode == DONE and re.search(r"avx2 on rank 0 \(\S+\), portable on rank 1 \(\S+\): the same bits", said), result


# --- folders

@contextlib.contextmanager
def mounted(folder, options):
    """A tmpfs with these options; None where it can't be had."""
    folder.mkdir()
    there = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False).returncode == 0
    if not there:
        print("        no disk of its own here: left out", flush=True)
    try:
        yield folder if there else None
    finally:
        if there:
            subprocess.run(["umount", folder], check=True)


def a_folder_that_is_no_place_for_runs_fails(program, folder):
    (folder / "file").write_text("x")
    for name, words in (("none", "No such file or directory"), ("file", "Not a directory")):
        found, checks = doctor(program, folder, "--dir", name, code=CHECK_SAYS_NO)
        assert checks["folder"]["verdict"] == "fail" and words in checks["folder"]["value"] and name in checks["folder"]["value"], checks["folder"]
        assert "durable" not in checks and "locks" not in checks, "what was not tried is not told"
    program("doctor", "--dir", "none", cwd=folder).expect(CHECK_SAYS_NO, "this will not work here: folder")


def a_folder_that_is_read_only_fails(program, folder):
    with mounted(folder / "ro", "ro") as there:
        if there is not None:
            checks = doctor(program, folder, "--dir", "ro", code=CHECK_SAYS_NO)[1]
            assert "nothing can be made in it: Read-only file system" in checks["folder"]["value"] and "reading only" in checks["folder"]["remedy"]


def a_folder_without_room_fails(program, folder):
    with mounted(folder / "full", "size=64k") as there:
        if there is not None:
            (there / "filler").write_bytes(bytes(40 << 10))
            checks = doctor(program, folder, "--dir", "full", code=CHECK_SAYS_NO)[1]
            assert checks["durable"]["verdict"] == "fail" and "write 64 KiB: No space left on device" in checks["durable"]["value"], checks["durable"]
            assert "make room" in checks["durable"]["remedy"] and checks["space"]["verdict"] in ("warn", "fail")
            assert [p.name for p in there.iterdir()] == ["filler"]


def nothing_is_left_when_it_is_killed(program, folder):
    """Its child takes the files away when the program dies while they are there."""
    process = program.start("doctor", cwd=folder, ranks=3, env={"FW_TEST_NODE_RANKS": "1"})
    deadline = time.monotonic() + 30
    while not any(folder.glob(".flywheel-doctor*")):
        assert time.monotonic() < deadline and process.poll() is None, "the file was never there"
        time.sleep(0.001)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    while any(folder.glob(".flywheel-doctor*")):
        assert time.monotonic() < deadline, "the file stays"
        time.sleep(0.01)


# --- with a project

def a_project_is_compared_with_the_machine(program, folder):
    calls = folder / "calls"
    program("init", "--example", "callcenter", calls, "--rows", "2000", cwd=folder).expect(DONE)
    checks = doctor(program, calls, "callcenter.yaml")[1]
    assert checks["dataset"]["verdict"] == "note" and "flywheel ingest callcenter.yaml" in checks["dataset"]["remedy"]
    program("ingest", "callcenter.yaml", cwd=calls).expect(DONE)
    found, checks = doctor(program, calls, "callcenter.yaml", "monitor.bus=tcp://0.0.0.0:5555", ranks=2)
    assert checks["dataset"]["verdict"] == "ok" and checks["dataset"]["figures"]["rows"] > 1000 and checks["memory"]["figures"]["need"] > 1000
    assert "flywheel train callcenter.yaml" in found["launch"]["mpirun"]
    assert checks["telemetry"]["verdict"] == "warn" and "no encryption" in checks["telemetry"]["value"]
    assert doctor(program, calls, "callcenter.yaml", "monitor.bus=tcp://127.0.0.1:5555")[1]["telemetry"]["verdict"] == "ok"
    data = calls / "callcenter.dataset.h5"
    data.write_bytes(data.read_bytes()[:1000])
    checks = doctor(program, calls, "callcenter.yaml", code=CHECK_SAYS_NO)[1]
    assert checks["dataset"]["verdict"] == "fail" and "flywheel ingest" in checks["dataset"]["remedy"]


def wrong_use_is_told(program, folder):
    program("doctor", "none.yaml", cwd=folder).expect(USAGE, "none.yaml")
    program("doctor", "--format", "xml", cwd=folder).expect(USAGE, "table, json")
    program("doctor", "train.epochs=3", cwd=folder).expect(USAGE, "of which project file")
    program("doctor", "--dri", "x", cwd=folder).expect(USAGE, "did you mean --dir")


# --- for people

def on_terminal(program, folder, columns, env):
    """What it writes to a terminal of so many columns; None where there is none."""
    try:
        master, slave = pty.openpty()
    except OSError:
        return None
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    process = subprocess.Popen([program.bin / "flywheel", "doctor"], cwd=folder, env=environment(env), stdin=subprocess.DEVNULL, stdout=slave, stderr=subprocess.PIPE)
    os.close(slave)
    said, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline and select.select([master], [], [], 60)[0]:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        said += piece
    process.communicate(timeout=60)
    os.close(master)
    return said.decode().replace("\r\n", "\n")


def a_person_can_read_it(program, folder):
    for columns, widest in ((80, 80), (120, 110)):
        for env in ({"NO_COLOR": "1", "TERM": "xterm"}, {"TERM": "xterm"}):
            text = on_terminal(program, folder, columns, env)
            if text is None:
                print("        no terminal here: left out", flush=True)
                return
            assert ("\033[" in text) == ("NO_COLOR" not in env), text
            plain = re.sub(r"\033\[[0-9;]*m", "", text)
            body, launch = plain.split("\nstart training here with\n")
            wide = [line for line in body.splitlines() if len(line) > widest]
            assert not wide and max(map(len, body.splitlines())) > widest - 20, f"{columns} columns: {wide}"
            assert re.search(r"\n1 rank on 1 host: 0 failures, .*\d+ ok\n$", launch), launch
            for line in body.splitlines():
                assert line == "" or line[0] != " " or re.match(r"  (ok|note|warn|fail) +\S|  {17,}", line), line


if __name__ == "__main__":
    main([every_rank_tells_of_itself, facts_are_those_of_the_kernel, ranks_that_outnumber_cores_are_noted, nodes_in_one_host_have_one_clock,
          kernels_that_are_asked_for_are_shown, ranks_with_other_kernels_are_noted, a_folder_that_is_no_place_for_runs_fails, a_folder_that_is_read_only_fails,
          a_folder_without_room_fails, nothing_is_left_when_it_is_killed, a_project_is_compared_with_the_machine, wrong_use_is_told, a_person_can_read_it])
