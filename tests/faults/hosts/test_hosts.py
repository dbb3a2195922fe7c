"""Three hosts of two ranks each (namespaces of this machine): the same bits as on one; a host that is cut off is noticed, and the others go on.

Usage: test_hosts.py BIN_FOLDER [TEST...]
Skipped (77) where hosts can't be made: they need root and a kernel that gives namespaces."""

import contextlib
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "system"))
import program  # noqa: E402
from program import DONE  # noqa: E402

ALL = ["h1", "h2", "h3"]
WITHOUT_OURS = ["h2", "h3"]                                         # started from h1; mpirun gives its own host the first ranks when it has any
ROWS, ROUNDS = 1000, 20
SETTINGS = [f"train.epochs={ROUNDS}", f"train.early_stopping.patience={ROUNDS}", "train.checkpoint=1 rounds", "model.dropout=0.1"]
AT_ONCE = 4                                                        # tests side by side, each on hosts of its own
SLOWLY = {"FW_FAULTS": "train.after_checkpoint@delay=150"}         # there is time to cut a host off
NOTICED_WITHIN_S, LOST_DAEMON = 10, 205                            # the latter is Open MPI's
# What makes Open MPI notice a host that is gone: without them it waits for ever.
WATCHFUL = {"OMPI_MCA_odls_base_sigkill_timeout": "0", "OMPI_MCA_oob_tcp_keepalive_time": "3", "OMPI_MCA_oob_tcp_keepalive_intvl": "1",
            "OMPI_MCA_oob_tcp_keepalive_probes": "3"}


def hosts_script(name, *args):
    return subprocess.run(["sh", HERE / name, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


class Hosts:
    def __init__(self, folder):
        self.folder = folder
        self.env = {"OMPI_MCA_plm": "rsh", "OMPI_MCA_plm_rsh_agent": f"{folder}/agent", "TMPDIR": str(folder), **WATCHFUL}

    def link(self, host, state):
        result = hosts_script("link.sh", self.folder, host, state)
        assert result.returncode == 0, result.stdout

    def start(self, *command, cwd, host="h1", env=None):
        line = " ".join(f"'{word}'" for word in map(str, command))
        return subprocess.Popen(["sh", HERE / "on.sh", self.folder, host, line], cwd=cwd, env=program.environment({**self.env, **(env or {})}),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True)

    def ranks(self, host):
        """The ranks on a host, each with its environment."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if not entry.name.isdigit() or not os.readlink(entry / "exe").endswith("/flywheel"):
                    continue
                env = dict(pair.split("=", 1) for pair in (entry / "environ").read_bytes().decode(errors="replace").split("\0") if "=" in pair)
                if env.get("FW_TEST_PLACE") == f"{self.folder}/{host}" and "OMPI_COMM_WORLD_RANK" in env:
                    found[int(entry.name)] = env
        return found


@contextlib.contextmanager
def three_hosts():
    """Hosts that go with this process, however that ends."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fw-hosts-"))
    with program.at_the_end(["sh", HERE / "down.sh", folder], folder):
        result = hosts_script("up.sh", folder, len(ALL))
        print(result.stdout, end="", flush=True)
        if result.returncode != 0:
            sys.exit(result.returncode)
        yield Hosts(folder)


class Example:
    """The example, the model of an undisturbed training on one host, and trainings on several."""

    def __init__(self, program_, folder):
        self.program, self.folder = program_, folder / "example"
        program.callcenter(program_, self.folder, ROWS)
        program_("train", "callcenter.yaml", "-o", "whole", *SETTINGS, cwd=self.folder, ranks=2).expect(DONE)

    def start(self, hosts, name, on, env=None):
        """Under mpirun on the first host, two ranks each on these."""
        return hosts.start("mpirun", "-x", "FW_FAULTS", "--host", ",".join(f"{host}:2" for host in on), "-n", 2 * len(on), self.program.bin / "flywheel", "train",
                           "callcenter.yaml", "-o", name, *SETTINGS, cwd=self.folder, env={"FW_FAULTS": "", **(env or {})})

    def rounds(self, name):
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / name / "progress.jsonl").read_text().count('"event":"round"')
        return 0

    def wait_for_rounds(self, process, name, n):
        while self.rounds(name) < n:
            assert process.poll() is None, f"it ended before round {n}: {process.communicate()}"
            time.sleep(0.01)

    def same_bytes(self, name):
        program.assert_same_bytes(self.folder / "whole/model.h5", self.folder / name / "model.h5")


def settle(what, happened, limit_s=30):
    deadline = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < deadline, f"after {limit_s} s: {what}"
        time.sleep(0.05)


# --- under mpirun

def three_hosts_give_the_bits_of_one(program_, _folder, example):
    process = example.start(OWN.hosts, "spread", ALL, SLOWLY)
    example.wait_for_rounds(process, "spread", 1)
    for host in ALL:
        sizes = [env["OMPI_COMM_WORLD_LOCAL_SIZE"] for env in OWN.hosts.ranks(host).values()]
        assert sizes == ["2", "2"], f"{host}: {sizes}"
    program_.finish(process).expect(DONE, "6 ranks")
    example.same_bytes("spread")


def three_hosts_are_three_nodes(program_, folder, _example):
    process = OWN.hosts.start("mpirun", "--host", "h1:2,h2:2,h3:2", "-n", 6, "-x", "FW_TEST_HOSTS=3", program_.bin / "ranks_group", cwd=folder)
    result = program_.finish(process)
    assert result.code == 0, result


def doctor_sees_three_hosts(program_, folder, _example):
    process = OWN.hosts.start("mpirun", "--host", "h1:2,h2:2,h3:2", "-n", 6, program_.bin / "flywheel", "doctor", "--format", "json", cwd=folder)
    found = json.loads(program_.finish(process).expect(DONE).out)
    checks = {check["check"]: check for check in found["checks"]}
    assert found["hosts"] == 3 and {rank["host"] for rank in found["by_rank"]} == set(ALL)
    for rank in found["by_rank"][2::2]:                               # one clock, in truth
        assert abs(rank["clock.ahead_s"]) <= rank["clock.bound_s"] + 1e-6, rank
    assert checks["clocks"]["verdict"] == "ok" and "on every host" in checks["locks"]["value"], checks
    assert checks["all hosts"]["verdict"] == "ok" and "between hosts only TCP" in checks["transport"]["remedy"], checks
    assert "--hosts h1:" in found["launch"]["supervised"] and not list(folder.glob(".flywheel-doctor*"))


def a_host_cut_off_ends_the_job(program_, _folder, example, lost="h2", on=ALL):
    """Soon, with Open MPI's own exit code; nobody is left on the host when it is back, and the others go on to the same bytes."""
    name = f"cut_{len(on)}"
    process = example.start(OWN.hosts, name, on, SLOWLY)
    example.wait_for_rounds(process, name, 5)
    OWN.hosts.link(lost, "down")
    cut = time.monotonic()
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=2 * NOTICED_WITHIN_S)
        seconds = time.monotonic() - cut
        if process.poll() is None:
            OWN.hosts.link(lost, "up")                               # else what is there keeps our pipes open
        result = program_.finish(process, limit_s=30)
        print(f"        {lost} cut off: noticed after {seconds:.1f} s, exit code {result.code}", flush=True)
        assert result.code == LOST_DAEMON and seconds < NOTICED_WITHIN_S, f"after {seconds} s: {result}"
        assert "lost communication" in result.err and not (example.folder / name / "model.h5").exists(), result
        rest = [host for host in ALL if host != lost]
        program_.finish(example.start(OWN.hosts, name, rest)).expect(DONE, "going on from", f"{2 * len(rest)} ranks")
        example.same_bytes(name)
        files = {path.name: path.read_bytes() for path in (example.folder / name).iterdir()}
    finally:
        OWN.hosts.link(lost, "up")
    settle("ranks are left on the host that was cut off", lambda: not OWN.hosts.ranks(lost))
    assert files == {path.name: path.read_bytes() for path in (example.folder / name).iterdir()}, "the host that was cut off has written"


def the_host_of_rank_0_cut_off(program_, folder, example):
    a_host_cut_off_ends_the_job(program_, folder, example, on=WITHOUT_OURS)


# --- the supervised start

def utc(path, event):
    """When an event of this name stands first in a file of JSON objects: seconds since 1970."""
    for line in path.read_text().splitlines():
        entry = json.loads(line[line.index("{"):])
        if entry["event"] == event:
            return datetime.datetime.fromisoformat(entry["time"].replace("Z", "+00:00")).timestamp()
    raise AssertionError(f"{path}: no {event}: {path.read_text()}")


def a_host_cut_off_is_left_out(program_, _folder, example, lost="h2", on=ALL):
    """The coordinator, on the first host, starts the ranks again on the others. When the host is back it has nobody, and nothing was written by it."""
    name = f"kept_{len(on)}"
    run = example.folder / name
    process = OWN.hosts.start(program_.bin / "flywheel", "train", "callcenter.yaml", "-o", name, *SETTINGS, "--ranks", 2 * len(on), "--hosts", ",".join(f"{h}:2" for h in on),
                          cwd=example.folder, env={**SLOWLY, "OMPI_MCA_mca_base_env_list": "FW_FAULTS"})
    example.wait_for_rounds(process, name, 5)
    OWN.hosts.link(lost, "down")
    cut = time.time()
    try:
        result = program_.finish(process).expect(DONE, f"host {lost} is left out", f"{2 * len(on) - 2} ranks", "going on from")
        noticed, going = utc(run / "gang.journal", "lost") - cut, utc(run / "progress.jsonl", "restart") - cut
        print(f"        {lost} cut off: noticed after {noticed:.1f} s, the next step after {going:.1f} s", flush=True)
        assert noticed < NOTICED_WITHIN_S, result
        example.same_bytes(name)
        files = {path.name: path.read_bytes() for path in run.iterdir()}
    finally:
        OWN.hosts.link(lost, "up")
    settle("ranks are left on the host that was cut off", lambda: not OWN.hosts.ranks(lost))
    assert files == {path.name: path.read_bytes() for path in run.iterdir()}, "the host that was cut off has written"


def the_leader_s_host_cut_off_is_left_out(program_, folder, example):
    """Its lease runs out before anybody else may write."""
    a_host_cut_off_is_left_out(program_, folder, example, on=WITHOUT_OURS)


TESTS = [the_leader_s_host_cut_off_is_left_out, a_host_cut_off_is_left_out, a_host_cut_off_ends_the_job, the_host_of_rank_0_cut_off,
         three_hosts_give_the_bits_of_one, three_hosts_are_three_nodes, doctor_sees_three_hosts]

def on_hosts_of_its_own(test):
    def run(program_, folder, example):
        with three_hosts() as OWN.hosts:
            test(program_, folder, example)

    run.__name__ = test.__name__
    return run


OWN = threading.local()                                            # of each test
with three_hosts():                                                # else there is nothing to be tested
    pass
program.main([on_hosts_of_its_own(test) for test in TESTS if test.__name__ in sys.argv[2:] or not sys.argv[2:]], prepare=Example, at_once=AT_ONCE)
