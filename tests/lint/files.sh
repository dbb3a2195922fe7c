# Read by the other scripts: list_files prints the files of the tree below the current folder, one a line, without ./ in front.
# In a clone it is what git tracks or would track; in an unpacked archive it is all but the build folders.
list_files() {
    if git ls-files -co --exclude-standard >/dev/null 2>&1 && [ "$(git rev-parse --show-prefix 2>/dev/null)" = '' ]; then
        git ls-files -co --exclude-standard
    else
        find . -type f ! -path './.git/*' ! -path './build/*' ! -name '*.tmp.*' | sed 's|^\./||'
    fi | sort -u | while IFS= read -r file; do
        if [ -f "$file" ] && [ ! -L "$file" ]; then printf '%s\n' "$file"; fi
    done
}

# Prints "lint: <why>" and the findings when there are any, and remembers it; finish ends with 1 then.
failed=0
report() {      # report WHY FINDINGS
    [ -n "$2" ] || return 0
    failed=1
    echo "lint: $1"
    printf '%s\n' "$2" | sed 's/^/    /'
}
finish() { exit "$failed"; }
