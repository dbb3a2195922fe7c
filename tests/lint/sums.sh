#!/bin/sh
# Same bits for any number of ranks:   sh sums.sh TREE
# MPI_SUM never meets a floating-point type (the order of such a sum depends on the ranks), and no flag lets the
# compiler reorder arithmetic or fit the code to the machine that builds it.
set -u
. "$(dirname "$0")/files.sh"
cd "${1:?usage: sums.sh TREE}" || exit 2

# Comments and texts blanked, then one statement or brace a record: a call may span lines.
findings=$(list_files | grep -E '\.[ch]$' | while IFS= read -r file; do
    grep -q MPI_SUM "$file" || continue
    sed -E 's|"([^"\\]\|\\.)*"|""|g; s|//.*||' "$file" | tr '\n' ' ' | sed -E 's|/\*([^*]\|\*+[^*/])*\*+/| |g' | tr ';{}' '\n\n\n' |
        grep MPI_SUM | grep -E 'MPI_(FLOAT|DOUBLE|LONG_DOUBLE|FLOAT_INT|DOUBLE_INT|C_FLOAT|C_DOUBLE|REAL)' | sed -E "s|[[:space:]]+| |g; s|^|$file:|"
done)
report 'MPI_SUM over floating-point numbers: sum integers, or an exact sum (common/stats)' "$findings"

flags='-(ffast-math|Ofast|funsafe-math-optimizations|fassociative-math|freciprocal-math|ffinite-math-only|march=native|mtune=native|mcpu=native)'
findings=$(list_files | grep -vE '^tests/lint/|\.md$|^LICENSE$' | grep -E '(^|/)CMakeLists\.txt$|\.cmake$|CMakePresets\.json$|\.(sh|c|h|in|mk)$|(^|/)(Makefile|Dockerfile)$|^\.ci/' |
    while IFS= read -r file; do
        case $file in
        *.c | *.h) grep -nE '^[[:space:]]*#[[:space:]]*pragma.*(fast-math|Ofast|unsafe-math|FP_CONTRACT[[:space:]]+ON)|optimize[[:space:]]*\(.*fast' "$file" ;;
        *) sed -E 's/(^|[[:space:]])#.*//' "$file" | grep -nE -e "$flags" ;;
        esac | sed "s|^|$file:|"
    done)
report 'flags that change what arithmetic means, or tie the program to one machine' "$findings"
finish
