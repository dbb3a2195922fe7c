"""Lets each fuzzer search for so many seconds, as many at once as there are processors, and says what came of it.

Usage: run.py BUILD_FOLDER SECONDS [NAME...]
What it finds stays in BUILD_FOLDER/found/<name>: inputs of new coverage in corpus/, those that crash in crashes/ with what was said beside them.
A crash is told by its innermost frame that is no sanitizer's and no C library's: in libhdf5, or ours. Ends 0 when none is ours."""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
NOT_OURS = "libhdf5"
SYSTEM = re.compile(r"\bin (__asan|__interceptor|__sanitizer|__ubsan|__lsan|fuzzer::|raise|abort|__pthread_kill|gsignal|__GI_|__libc|_start|operator |malloc|calloc|realloc|free\b)"
                    r"|/libc\.so|/sysdeps/|/compiler-rt/|\(BuildId[^)]*\)$.*libc\.so")
MOST_CRASHES = 20                  # of one fuzzer, then it has said enough


class Search:
    def __init__(self, build, name, seconds, scratch):
        self.name, self.seconds, self.program = name, seconds, build / "bin" / f"fuzz_{name}"
        self.found = build / "found" / name
        self.corpus, self.crashes = self.found / "corpus", self.found / "crashes"
        for folder in (self.corpus, self.crashes):
            folder.mkdir(parents=True, exist_ok=True)
        self.scratch, self.runs, self.coverage, self.ours, self.theirs = scratch, 0, 0, [], []

    def __call__(self):
        end = time.monotonic() + self.seconds
        while (left := int(end - time.monotonic())) > 0 and len(self.ours) + len(self.theirs) < MOST_CRASHES:
            self.once(left)
        return self

    def once(self, seconds):
        """Until the time is over or something crashes."""
        command = [self.program, self.corpus, HERE / "corpus" / self.name, f"-max_total_time={seconds}", "-print_final_stats=1", "-timeout=20",
                   "-rss_limit_mb=3000", f"-artifact_prefix={self.crashes}/"]
        env = {**os.environ, "TMPDIR": str(self.scratch), "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
               "ASAN_OPTIONS": "fast_unwind_on_malloc=0", "LSAN_OPTIONS": f"suppressions={HERE / 'lsan.supp'}:print_suppressions=0"}
        done = subprocess.run(["nice", "-n", "5", *command], env=env, capture_output=True, text=True, errors="replace", timeout=seconds + 120, check=False)
        self.runs += sum(map(int, re.findall(r"stat::number_of_executed_units: +(\d+)", done.stderr)))
        self.coverage = max([self.coverage, *map(int, re.findall(r"\bcov: (\d+)", done.stderr))])
        if done.returncode != 0:
            self.note(done.stderr)

    def note(self, said):
        artifact = re.search(r"Test unit written to (\S+)", said)
        what = re.search(r"SUMMARY: (.*)", said)
        if artifact:
            pathlib.Path(artifact.group(1) + ".txt").write_text(said)
        frames = [line for line in re.findall(r"^ +#\d+ 0x\w+ (in .*|\(.*)", said, re.MULTILINE) if not SYSTEM.search(line)]
        crash = f"{artifact.group(1) if artifact else '(no input)'}: {what.group(1) if what else said[-500:]}; at {frames[0] if frames else '?'}"
        (self.theirs if frames and NOT_OURS in frames[0] else self.ours).append(crash)


def names_of(build):
    return sorted(path.name[len("fuzz_"):] for path in (build / "bin").glob("fuzz_*"))


def main(build, seconds, *names):
    build = pathlib.Path(build).resolve()
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="fw-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    try:
        searches = [Search(build, name, int(seconds), scratch) for name in names or names_of(build)]
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for s in pool.map(lambda search: search(), searches):
                print(f"{s.name}: done", file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{'fuzzer':<12} {'seconds':>8} {'executions':>12} {'coverage':>9} {'crashes':>8} {'in libhdf5':>11}")
    for s in searches:
        print(f"{s.name:<12} {s.seconds:>8} {s.runs:>12} {s.coverage:>9} {len(s.ours):>8} {len(s.theirs):>11}")
    for s in searches:
        for crash in s.ours + s.theirs:
            print(crash)
    return 1 if any(s.ours for s in searches) else 0


if len(sys.argv) < 3:
    sys.exit(__doc__)
sys.exit(main(*sys.argv[1:]))
