#!/bin/sh
# Arrows point down only:   sh arrows.sh TREE
# Who may include whom, and where each foreign header may enter.
set -u
. "$(dirname "$0")/files.sh"
cd "${1:?usage: arrows.sh TREE}" || exit 2

includes=$(list_files | grep -E '^(common|proto|worker|coordinator|monitor)/.*\.[ch]$' | while IFS= read -r file; do
    sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*([<"])([^>"]+)[>"].*/\1 \2/p' "$file" | sed "s|^|$file |"
done)

# Each line: FILE, < or ", HEADER.  A folder may include itself, and what its row names.
findings=$(printf '%s\n' "$includes" | awk '
    function row(folder, names) { below[folder] = " " names " " }
    function folder_of(path) { sub(/\/[^\/]*$/, "", path); return path }
    function may(folder, target) {
        return folder == target || index(below[folder], " " target " ") > 0
    }
    BEGIN {
        core = "common/core"
        stats = core " common/stats"
        project = stats " common/project"
        data = project " common/data"
        features = data " common/features"
        model = features " common/model"
        common = model " common/bus"
        row("common/core", ""); row("common/stats", core); row("common/project", stats); row("common/data", project)
        row("common/features", data); row("common/model", features); row("common/bus", core)
        row("proto", common)
        row("worker/kernels", model)
        row("worker/learners", model " worker/kernels")
        row("worker", common " proto worker/kernels worker/learners")
        row("coordinator/report", common)
        row("coordinator/doctor", common " proto")
        row("coordinator/journal", core)
        row("coordinator/gang", common " proto coordinator/journal")
        row("coordinator/study", common " proto coordinator/gang coordinator/journal")
        row("coordinator/study/samplers", common " proto coordinator/journal coordinator/study")
        row("coordinator/study/pruners", common " proto coordinator/journal coordinator/study")
        row("coordinator/commands", common " proto coordinator/report coordinator/doctor coordinator/gang coordinator/study")
        row("coordinator", common " proto coordinator/report coordinator/gang coordinator/study coordinator/commands")
        row("coordinator/main", common " proto coordinator coordinator/report coordinator/gang coordinator/study coordinator/commands")
        row("monitor/detectors", common)
        row("monitor", common " proto monitor/detectors")
        row("monitor/web", common " proto monitor")
        row("monitor/main", common " proto monitor monitor/web")
        # foreign headers: a pattern of the header, a pattern of the files that may include it
        where["^mpi\\.h$"] = "^(worker/group[a-z_]*\\.[ch]|worker/sums[a-z_]*\\.c|common/data/h5\\.[ch]|coordinator/main/flywheel\\.c)$"
        where["^zmq\\.h$"] = "^common/bus/"
        where["^(cblas|lapacke|openblas_config)\\.h$"] = "^$"      # of no program: its kernels are its own
        where["^yaml\\.h$"] = "^common/project/"
        where["^(hdf5|hdf5_hl|H5[A-Za-z]*)\\.h$"] = "^common/(data|model)/"
        where["\\.pb-c\\.h$"] = "^proto/"
        where["^protobuf-c/"] = "^proto/"
        where["^sqlite3\\.h$"] = "^monitor/store[a-z_]*\\.[ch]$"
        where["^microhttpd\\.h$"] = "^monitor/web/server[a-z_]*\\.[ch]$"
        where["^curl/"] = "^monitor/webhook\\.c$"
        where["^xxhash\\.h$"] = "^common/core/"
    }
    NF == 3 {
        file = $1; header = $3
        for (pattern in where)
            if (header ~ pattern && file !~ where[pattern]) print file ": <" header "> may not enter here"
        if ($2 != "\"" || header ~ /\.pb-c\.h$/) next
        if (header !~ /^(common|proto|worker|coordinator|monitor)\//) {
            print file ": \"" header "\" is not named from the root of the tree"
            next
        }
        from = folder_of(file); to = folder_of(header)
        if (file == "coordinator/main/flywheel.c" && header == "worker/worker.h") next
        # a learner is given its rows and its sums by the loop above it, which it does not know
        if (from == "worker/learners" && header ~ /^worker\/(group|sums|task)\.h$/) next
        if (!(from in below)) print file ": the folder " from " has no row in tests/lint/arrows.sh"
        else if (!may(from, to)) print file ": \"" header "\" points upward or sideways"
    }' | sort)
report 'includes that the layers forbid (DESIGN: arrows point down only)' "$findings"

# What is included from the tree is there.
findings=$(printf '%s\n' "$includes" | awk 'NF == 3 && $2 == "\"" && $3 ~ /\// && $3 !~ /\.pb-c\.h$/ { print $3, $1 }' | sort -u | while read -r header file; do
    [ -f "$header" ] || echo "$file: \"$header\" is not in the tree"
done)
report 'includes of headers that do not exist' "$findings"
finish
