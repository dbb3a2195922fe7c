#!/bin/sh
# What must not be written down:   sh words.sh TREE
# Folders of one machine, and work that is announced instead of done.
set -u
. "$(dirname "$0")/files.sh"
cd "${1:?usage: words.sh TREE}" || exit 2

files=$(list_files | grep -vE '^tests/lint/|^LICENSE$')

find_in() {      # find_in PATTERN, in the files named on the input; binary files are passed over
    while IFS= read -r file; do
        grep -nIE -e "$1" "$file" | cut -c1-160 | sed "s|^|$file:|"
    done
}

findings=$(printf '%s\n' "$files" | find_in '(^|[^A-Za-z0-9_./-])/(work|farm|root|home/[a-z]+)/|/tmp/(bash_jobs|b-)')
report 'paths of one machine' "$findings"

findings=$(printf '%s\n' "$files" | grep -E '\.(c|h|sh|py|proto|cmake|yaml)$|CMakeLists\.txt$' | find_in '(^|[^A-Za-z0-9_])(TO[D]O|FIX[M]E|X[X]X|HACK)([^A-Za-z0-9_]|$)|not implemented')
report 'work that is announced instead of done' "$findings"
finish
