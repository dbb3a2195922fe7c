#!/bin/sh
# The shape of the house:   sh tree.sh TREE
# Nothing new at the top level, a README.md in each folder, no file above 700 lines.
set -u
. "$(dirname "$0")/files.sh"
cd "${1:?usage: tree.sh TREE}" || exit 2

files=$(list_files)

findings=$(printf '%s\n' "$files" | cut -d/ -f1 | sort -u |
    grep -vE '^(\..*|CMakeLists\.txt|CMakePresets\.json|README\.md|LICENSE|CONTRIBUTING\.md|CHANGELOG\.md|proto|common|worker|coordinator|monitor|deploy|tests)$')
report 'at the top level, and not in the design' "$findings"

# A folder is one that holds sources, or one of the rooms of tests/ and deploy/. `main` holds one file and is told of a level above.
findings=$( {
    printf '%s\n' "$files" | grep -E '^(proto|common|worker|coordinator|monitor)/' | sed -E 's|/[^/]*$||'
    printf '%s\n' "$files" | sed -nE 's;^((tests|deploy)/[^/]+)/.*;\1;p'
    printf '%s\n' . proto common worker coordinator monitor deploy tests
} | grep -v '/main$' | sort -u | while IFS= read -r folder; do
    [ -f "$folder/README.md" ] || echo "$folder/README.md"
done)
report 'folders without a README.md' "$findings"

findings=$(printf '%s\n' "$files" | grep -E '\.[ch]$' | while IFS= read -r file; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 700 ] || echo "$file: $lines lines"
done)
report 'files above 700 lines: which second noun is inside?' "$findings"
finish
