#!/bin/sh
# Every place where the code can be made to fail is made to:   sh faults.sh TREE
# The name of each fw_fault("noun.moment", ...) stands in the tables of tests/faults/test_fault_points.py.
set -u
. "$(dirname "$0")/files.sh"
cd "${1:?usage: faults.sh TREE}" || exit 2

tables=tests/faults/test_fault_points.py
findings=$(list_files | grep -E '^(common|proto|worker|coordinator|monitor)/.*\.c$' | xargs grep -noE 'fw_fault\("[^"]+"' /dev/null |
    while IFS= read -r found; do
        grep -qF "\"${found##*\(\"}" "$tables" 2>/dev/null || echo "$found, ...)"
    done)
report "places that no test makes fail: add them to $tables" "$findings"
finish
