#!/bin/sh
# Each check refuses what it is there for, and accepts a clean tree:   sh selftest.sh
set -u
lint=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d "${TMPDIR:-/tmp}/fw-lint.XXXXXX") || exit 2
trap 'rm -rf "$scratch"' EXIT
failed=0

fresh_tree() {      # a small clean one
    rm -rf "$scratch/tree"
    for folder in . proto common common/core common/stats common/data worker coordinator monitor deploy tests; do
        mkdir -p "$scratch/tree/$folder"
        echo words >"$scratch/tree/$folder/README.md"
    done
    mkdir -p "$scratch/tree/coordinator/main"
    printf '#ifndef H\n#endif\n' | tee "$scratch/tree/common/core/a.h" "$scratch/tree/worker/worker.h" >"$scratch/tree/monitor/m.h"
    printf '#include "common/core/a.h"\n#include "worker/worker.h"\n' >"$scratch/tree/coordinator/main/flywheel.c"
    printf '/* MPI_SUM never meets MPI_DOUBLE */\nMPI_Reduce(a, b, n, MPI_INT64_T, MPI_SUM, 0, c);\nMPI_Bcast(x, 1, MPI_DOUBLE, 0, c);\n' >"$scratch/tree/worker/group.c"
}

accepts() {      # accepts SCRIPT
    sh "$lint/$1" "$scratch/tree" >"$scratch/out" 2>&1 && return
    echo "selftest: $1 refuses a clean tree:"
    cat "$scratch/out"
    failed=1
}

refuses() {      # refuses SCRIPT FILE TEXT: the file with this text makes the script fail and name the file
    fresh_tree
    mkdir -p "$(dirname "$scratch/tree/$2")"
    printf "$3" >"$scratch/tree/$2"
    if sh "$lint/$1" "$scratch/tree" >"$scratch/out" 2>&1; then
        echo "selftest: $1 accepts $2:"
        printf "$3\n"
        failed=1
    elif ! grep -q "${2%%/*}" "$scratch/out"; then
        echo "selftest: $1 fails on $2 without naming it:"
        cat "$scratch/out"
        failed=1
    fi
}

fresh_tree
for script in arrows.sh sums.sh tree.sh words.sh faults.sh; do accepts $script; done

refuses faults.sh common/core/x.c 'FW_TRY(fw_fault("noun.moment", err));\n'
refuses arrows.sh common/core/x.c '#include "common/stats/s.h"\n'
refuses arrows.sh common/stats/x.c '#include "worker/worker.h"\n'
refuses arrows.sh worker/x.c '  #  include "monitor/m.h"\n'
refuses arrows.sh coordinator/x.c '#include "worker/worker.h"\n'
refuses arrows.sh monitor/x.c '#include "worker/worker.h"\n'
refuses arrows.sh worker/x.c '#include <mpi.h>\n'
refuses arrows.sh worker/x.c '#include <zmq.h>\n'
refuses arrows.sh worker/x.c '#include <cblas.h>\n'
refuses arrows.sh worker/x.c '#include <hdf5.h>\n'
refuses arrows.sh worker/x.c '#include <yaml.h>\n'
refuses arrows.sh monitor/x.c '#include <sqlite3.h>\n'
refuses arrows.sh monitor/x.c '#include <curl/curl.h>\n'
refuses arrows.sh worker/x.c '#include "proto/command.pb-c.h"\n'
refuses arrows.sh worker/x.c '#include "worker.h"\n'
refuses arrows.sh worker/x.c '#include "common/core/missing.h"\n'
refuses arrows.sh worker/learners/x.c '#include "worker/worker.h"\n'
refuses arrows.sh worker/newroom/x.c '#include "common/core/a.h"\n'
refuses sums.sh worker/x.c 'MPI_Allreduce(a, b, n, MPI_DOUBLE, MPI_SUM, c);\n'
refuses sums.sh worker/x.c 'MPI_Allreduce(MPI_IN_PLACE, b, n,\n    MPI_FLOAT,\n    MPI_SUM, c);\n'
refuses sums.sh CMakeLists.txt 'add_compile_options(-O2 -ffast-math)\n'
refuses sums.sh worker/CMakeLists.txt 'target_compile_options(x PRIVATE -march=native)\n'
refuses sums.sh worker/x.c '#pragma GCC optimize ("Ofast")\n'
refuses tree.sh notes.txt 'hello\n'
refuses tree.sh scripts/x.sh 'hello\n'
refuses tree.sh worker/x.c "$(yes '\n' | head -n 701 | tr -d '\n')"
refuses words.sh common/core/x.c '/* see /''work/notes */\n'
refuses words.sh common/core/x.c '/* TO''DO: the rest */\n'

fresh_tree
mkdir -p "$scratch/tree/worker/kernels"
echo 'int x;' >"$scratch/tree/worker/kernels/k.c"
if sh "$lint/tree.sh" "$scratch/tree" >"$scratch/out"; then
    echo 'selftest: tree.sh accepts a folder without a README.md'
    failed=1
fi

if sh "$lint/hardening.sh" "$scratch/none" >/dev/null; then
    echo 'selftest: hardening.sh accepts a program that is not there'
    failed=1
fi
if command -v cc >/dev/null 2>&1; then
    echo 'int main(void) { return 0; }' >"$scratch/soft.c"
    cc -no-pie -Wl,-z,norelro,-z,lazy,-z,execstack -fno-stack-protector -o "$scratch/soft" "$scratch/soft.c" 2>/dev/null
    findings=$(sh "$lint/hardening.sh" "$scratch/soft" | grep -c '^    ')
    if [ "$findings" -lt 6 ]; then
        echo "selftest: hardening.sh finds $findings of the 6 weaknesses of a soft program"
        failed=1
    fi
fi
exit "$failed"
