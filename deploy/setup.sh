#!/bin/sh
# Sees to it that what flywheel is built from is there:   sh deploy/setup.sh [--tests]
#
# Installs only what is missing, by apt-get, on Debian and Ubuntu as root or with sudo that asks for no password.
# Elsewhere it says what is missing and how Spack or environment modules give it, and exits 1.
# When nothing is missing it needs neither root nor network. --tests: also what the tests and the benchmarks need.
set -u

tests=no
for argument in "$@"; do
    case $argument in
    --tests) tests=yes ;;
    -h | --help)
        sed -n '2,6s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        echo "setup: unknown argument \"$argument\"; usage: sh deploy/setup.sh [--tests]" >&2
        exit 2
        ;;
    esac
done

# --- what is needed: want NAME DEBIAN-PACKAGE SPACK-SPEC MODULE CHECK...
#     A check asks for the thing itself, not for a package, so that software from modules, Spack or /usr/local counts.

has_command() { command -v "$1" >/dev/null 2>&1; }
has_library() { has_command pkg-config && pkg-config --exists "$1"; }
has_cmake() { has_command cmake && version=$(cmake --version | sed -n '1s/[^0-9]*//p') && at_least "${version%%-*}" 3 21; }
at_least() { [ "${1%%.*}" -gt "$2" ] || { [ "${1%%.*}" -eq "$2" ] && rest=${1#*.} && [ "${rest%%.*}" -ge "$3" ]; }; }
has_parallel_hdf5() { has_library hdf5-openmpi || has_library hdf5-mpi || has_command h5pcc; }
has_python_module() { "$python" -c "import $1" >/dev/null 2>&1; }
choose_python() {      # the python3 in front may be one without the modules that the system's has
    for python in python3 /usr/bin/python3; do
        "$python" -c 'import numpy, h5py, zmq, google.protobuf, sklearn' >/dev/null 2>&1 && return
    done
}

want() {
    name=$1 package=$2 spec=$3 module=$4
    shift 4
    "$@" >/dev/null 2>&1 && return
    missing="$missing$name
"
    packages="$packages $package"
    case " $specs " in *" $spec "*) ;; *) specs="$specs $spec" ;; esac
    case " $modules " in *" $module "*) ;; *) modules="$modules $module" ;; esac
}

openblas_package() {      # the threaded build by name where the distribution has it
    if has_command apt-cache && apt-cache show libopenblas-pthread-dev >/dev/null 2>&1; then
        echo libopenblas-pthread-dev
    else
        echo libopenblas-dev
    fi
}

look() {
    missing='' packages='' specs='' modules=''
    want 'a C compiler (cc)'              build-essential         gcc        gcc      has_command cc
    want 'CMake 3.21 or newer'            cmake                   cmake      cmake    has_cmake
    want 'Ninja'                          ninja-build             ninja      ninja    has_command ninja
    want 'pkg-config'                     pkg-config              pkgconf    pkgconf  has_command pkg-config
    want 'MPI (mpicc)'                    libopenmpi-dev          openmpi    openmpi  has_command mpicc
    want 'MPI (mpirun)'                   openmpi-bin             openmpi    openmpi  has_command mpirun
    want 'HDF5 built with MPI'            libhdf5-openmpi-dev     hdf5+mpi   hdf5     has_parallel_hdf5
    want 'ZeroMQ (libzmq)'                libzmq3-dev             libzmq     libzmq   has_library libzmq
    want 'protobuf-c'                     libprotobuf-c-dev       protobuf-c protobuf-c has_library libprotobuf-c
    want 'the protobuf-c compiler'        protobuf-c-compiler     protobuf-c protobuf-c has_command protoc-c
    want 'the protobuf compiler (protoc)' protobuf-compiler       protobuf   protobuf has_command protoc
    want 'OpenBLAS (for the tests)'       "$(openblas_package)"   openblas   openblas has_library openblas
    want 'libyaml'                        libyaml-dev             libyaml    libyaml  has_library yaml-0.1
    want 'jansson'                        libjansson-dev          jansson    jansson  has_library jansson
    want 'zlib'                           zlib1g-dev              zlib       zlib     has_library zlib
    want 'zstd'                           libzstd-dev             zstd       zstd     has_library libzstd
    want 'xxHash 0.8 or newer'            libxxhash-dev           xxhash     xxhash   has_library 'libxxhash >= 0.8'
    want 'libcurl'                        libcurl4-openssl-dev    curl       curl     has_library libcurl
    want 'SQLite 3.37 or newer'           libsqlite3-dev          sqlite     sqlite   has_library 'sqlite3 >= 3.37'
    want 'libmicrohttpd'                  libmicrohttpd-dev       libmicrohttpd libmicrohttpd has_library 'libmicrohttpd >= 0.9.71'
    want 'cmocka'                         libcmocka-dev           cmocka     cmocka   has_library cmocka
    [ "$tests" = yes ] || return 0
    choose_python
    want 'Python 3'                       python3                 python     python   has_command python3
    want 'Python module numpy'            python3-numpy           py-numpy   py-numpy has_python_module numpy
    want 'Python module h5py'             python3-h5py            py-h5py    py-h5py  has_python_module h5py
    want 'Python module zmq'              python3-zmq             py-pyzmq   py-pyzmq has_python_module zmq
    want 'Python module google.protobuf'  python3-protobuf        py-protobuf py-protobuf has_python_module google.protobuf
    want 'Python module sklearn'          python3-sklearn         py-scikit-learn py-scikit-learn has_python_module sklearn
    want 'clang'                          clang                   llvm       llvm     has_command clang
}

# What can be done without: Chart.js (the monitor's page then shows tables), and packages of tests that say that they are skipped, and why. For root alone,
# since most of these tests are root's.
wanted_if_easy() {
    [ -e /usr/share/javascript/chart.js/chart.min.js ] || echo libjs-chart.js
    [ "$tests" = yes ] || return 0
    PATH=$PATH:/usr/sbin:/sbin      # daemons are there
    has_command slurmctld && has_command slurmd && has_command sbatch && has_command munged ||
        echo slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge
    has_command ip || echo iproute2
    has_command nsenter || echo util-linux
    has_python_module optuna || echo python3-optuna
    has_command prometheus && has_command promtool || echo prometheus
    has_command chromium || echo chromium
}

list_missing() { printf '%s' "$missing" | sed 's/^/  - /'; }

how_else() {
    echo "On Debian or Ubuntu, by somebody with root:"
    echo "  apt-get install --no-install-recommends$packages"
    echo "With Spack (no root needed):"
    echo "  spack install$specs"
    echo "  spack load$specs"
    echo "With environment modules (names differ from site to site: module spider NAME finds them):"
    echo "  module load$modules"
}

# --- what is taken along when it is easy

apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1; }
update() { apt update || { echo "--- once more" >>"$log"; apt update; }; }

take_along() {
    [ "$(id -u)" -eq 0 ] && has_command apt-get || return 0
    easy=$(wanted_if_easy)
    [ -n "$easy" ] || return 0
    log=$(mktemp "${TMPDIR:-/tmp}/flywheel-setup.XXXXXX") || return 0
    echo "setup: installing, if it can be had:" $easy
    # shellcheck disable=SC2086   # a list of words
    apt install --no-install-recommends $easy || { update && apt install --no-install-recommends $easy; } ||
        echo "setup: it can't be had here; the tests that need it say that they are skipped, the monitor's page shows tables" >&2
    rm -f "$log"
}

# --- how what is missing can be had on this machine

as_root=
look
if [ -z "$missing" ]; then
    take_along
    echo "setup: everything flywheel needs is here"
    exit 0
fi

can_install=no
if has_command apt-get; then
    if [ "$(id -u)" -eq 0 ]; then
        can_install=yes
    elif has_command sudo && sudo -n true 2>/dev/null; then
        can_install=yes
        as_root='sudo -n'
    fi
fi
if [ "$can_install" = no ]; then
    {
        echo "setup: missing on this machine:"
        list_missing
        how_else
    } >&2
    exit 1
fi

echo "setup: installing$packages"
log=$(mktemp "${TMPDIR:-/tmp}/flywheel-setup.XXXXXX") || exit 1
update || echo "setup: apt-get update failed twice; going on with the lists that are here" >&2
# shellcheck disable=SC2086   # a list of words
if ! apt install --no-install-recommends $packages; then
    echo "setup: apt-get install failed; its last lines:" >&2
    tail -n 40 "$log" >&2
    echo "setup: the whole log is $log" >&2
    exit 1
fi

look
if [ -n "$missing" ]; then
    {
        echo "setup: apt-get installed its packages, and this is still not found:"
        list_missing
        how_else
        echo "The log of apt-get is $log"
    } >&2
    exit 1
fi
rm -f "$log"
take_along
echo "setup: done"
