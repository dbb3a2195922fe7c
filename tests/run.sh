#!/bin/sh
# Set-up, build and tests:   sh tests/run.sh [WHAT [SECONDS]]
#
#   (nothing)    release build, warnings are errors; all tests but those labelled long and bench
#   asan         the same under AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer
#   tsan         the unit tests under ThreadSanitizer
#   long, bench  release build; what takes long, what measures (one at a time)
#   fuzz SECONDS clang's libFuzzer with sanitizers: each fuzzer searches for so long, as many at once as there are processors
#   LABEL        release build; the tests with this label: unit, ranks, system, faults, lint, ...
#
# Runs as root and as a plain user. FW_JOBS: how many jobs at once (default: the processors; of tests, which wait much, as many again). FW_WERROR=OFF: warnings are no errors.
set -u
cd "$(dirname "$0")/.." || exit 1

what=${1:-all}
preset=release
case $what in
-h | --help)
    sed -n '2,11s/^# \{0,1\}//p' tests/run.sh
    exit 0
    ;;
asan | tsan) preset=$what ;;
fuzz) [ $# -lt 2 ] || preset=fuzz ;;
-*)
    echo "run.sh: unknown argument \"$what\"; see sh tests/run.sh --help" >&2
    exit 2
    ;;
esac

sh deploy/setup.sh --tests || exit 1

jobs=${FW_JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}
cmake --preset "$preset" -DFW_WERROR="${FW_WERROR:-ON}" || exit 1
cmake --build --preset "$preset" -j "$jobs" || exit 1

if [ "$preset" = fuzz ]; then
    exec python3 tests/fuzz/run.py build/fuzz "$2"
fi

# --- what the tests find around them

# A short folder of their own: the names of sockets have room for about 100 bytes.
scratch=$(mktemp -d /tmp/fw.XXXXXX) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
chmod 711 "$scratch"          # some tests let another user work in a folder below
export TMPDIR="$scratch"

# The first Python that has the modules is the one that the tests find.
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import numpy, h5py, zmq, google.protobuf, sklearn' >/dev/null 2>&1; then
        mkdir "$scratch/bin" && ln -s "$("$python" -c 'import sys; print(sys.executable)')" "$scratch/bin/python3" && PATH=$scratch/bin:$PATH
        break
    fi
done

export OMPI_MCA_rmaps_base_oversubscribe=1      # more ranks than processors
export OMPI_MCA_mpi_yield_when_idle=1           # and those that wait let the others work
if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1
unset FW_FAULTS

export ASAN_OPTIONS="fast_unwind_on_malloc=0:detect_leaks=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}"
export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"
export TSAN_OPTIONS="suppressions=$PWD/tests/tsan.supp:halt_on_error=1${TSAN_OPTIONS:+:$TSAN_OPTIONS}"

# --- the tests

at_once=$((2 * jobs))        # PROCESSORS of a test counts halves: 2 for one that keeps a processor busy, 1 for one that is short or waits
case $what in
all | asan) set -- -LE '^(long|bench)$' ;;
tsan) set -- -L '^unit$' -LE '^(long|bench)$' ;;
long | bench) set -- -L "^$what\$" && at_once=1 ;;
*) set -- -L "^$what\$" -LE '^(long|bench)$' ;;
esac
ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$at_once" "$@"
