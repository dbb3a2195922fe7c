#!/usr/bin/env python3
"""Weak scaling of the training step by SimGrid SMPI: the program's own group, sums, learner and kernels on simulated nodes; one leaf of 64 rows a rank.

    cmake --preset release -DFW_SIMULATE=ON && cmake --build --preset release --target simulate
    python3 tests/bench/simulate/run.py [--module build/release/bin/simulate.so] [--ranks 16,64,256,1024]
    python3 tests/bench/simulate/run.py --alone build/release/bin/step_alone

First this machine's costs of a leaf, an optimizer step and a sum are measured on one rank. Then 1 and 64 simulated ranks train the same batches with the real
arithmetic: their models must have the same digest. Then the seconds of a step, with the measured costs charged and the arithmetic left out.

--alone: no simulator, the same program under this machine's mpirun: that it measures and charges, and that 1 and 2 ranks have the same digest."""
import argparse
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
PLATFORM = """<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="c" prefix="n" suffix="" radical="0-%d" speed="1Gf" core="%d" bw="%gBps" lat="%gs" sharing_policy="SPLITDUPLEX"
           loopback_bw="10GBps" loopback_lat="100ns"/>
</platform>
"""
# The default model's factors are those of TCP over Ethernet; a detached send is remembered for ever by SimGrid 3.32, which makes long runs slow.
CONFIG = ["smpi/simulate-computation:no", "network/latency-factor:1", "network/bandwidth-factor:0.95", "smpi/coll-selector:ompi",
          "smpi/send-is-detached-thresh:0", "maxmin/precision:1e-2"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--module", default=os.path.join(ROOT, "build", "release", "bin", "simulate.so"))
    p.add_argument("--alone", metavar="PROGRAM", help="the program without the simulator")
    p.add_argument("--ranks", default="16,64,256,1024")
    p.add_argument("--cores", type=int, default=16, help="of a node, a rank each")
    p.add_argument("--link", type=float, default=25e9, help="bytes a second of a node's link, each way")
    p.add_argument("--latency", type=float, default=2e-6, help="seconds between two nodes")
    p.add_argument("--memory", type=float, default=200e9, help="bytes a second of a node's memory, all cores together")
    p.add_argument("--steps", type=int, default=1)
    p.add_argument("--costs", help="the JSON line of an earlier measurement")
    p.add_argument("--timeout", type=float, default=900.0, help="seconds a simulation may take")
    return p.parse_args()


def under_simgrid(a, folder, ranks):
    nodes = (ranks + a.cores - 1) // a.cores
    platform, hosts = os.path.join(folder, "platform.xml"), os.path.join(folder, "hosts")
    with open(platform, "w") as f:
        f.write(PLATFORM % (max(nodes, 2) - 1, a.cores, a.link, a.latency / 2))
    with open(hosts, "w") as f:
        f.writelines("n%d\n" % (r // a.cores) for r in range(ranks))
    command = ["smpirun", "-no-privatize", "-np", str(ranks), "-platform", platform, "-hostfile", hosts] + ["--cfg=" + c for c in CONFIG]
    return command + ["--log=root.thres:warning", a.module]


def run_program(a, folder, ranks, words):
    command = ["mpirun", "--oversubscribe", "-n", str(ranks), a.alone] if a.alone else under_simgrid(a, folder, ranks)
    command += [str(w) for w in words]
    r = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=a.timeout)
    lines = [x for x in r.stdout.splitlines() if x.startswith("{")]
    if r.returncode != 0 or not lines:
        sys.exit("failed (%d): %s\n%s" % (r.returncode, " ".join(command), (r.stdout + r.stderr)[-2000:]))
    return json.loads(lines[-1])


def main():
    a = arguments()
    with tempfile.TemporaryDirectory() as folder:
        costs = json.loads(a.costs) if a.costs else run_program(a, folder, 1, ["measure", 2 if a.alone else 100])
        print(json.dumps({"costs": costs}), flush=True)

        def run(ranks, batch, arithmetic, steps):
            return run_program(a, folder, ranks, ["run", steps, batch, int(arithmetic), costs["leaf_s"], costs["update_s"], costs["take_s"],
                                                  costs["core_bytes_s"], a.memory])

        most = 2 if a.alone else 64
        one, many = run(1, 64 * most, True, 2), run(most, 64 * most, True, 2)
        print(json.dumps({"digest_1_rank": one["digest"], f"digest_{most}_ranks": many["digest"], "same": one["digest"] == many["digest"]}), flush=True)
        if one["digest"] != many["digest"]:
            sys.exit("the model depends on the number of ranks")
        if a.alone:
            return
        alone, node = run(1, 64, False, a.steps)["step_s"], run(a.cores, 64 * a.cores, False, a.steps)["step_s"]
        print(json.dumps({"step_s_1_rank": round(alone, 6), "step_s_1_node": round(node, 6), "ranks_a_node": a.cores}), flush=True)
        for ranks in map(int, a.ranks.split(",")):
            r = run(ranks, 64 * ranks, False, a.steps)
            print(json.dumps({"ranks": ranks, "nodes": r["nodes"], "step_s": round(r["step_s"], 6), "waiting_and_sums_s": round(r["wait_s"], 6),
                              "efficiency_to_1_rank": round(alone / r["step_s"], 3), "efficiency_to_1_node": round(node / r["step_s"], 3)}), flush=True)


if __name__ == "__main__":
    main()
