#!/bin/sh
# What the linker made of the hardening flags:   sh hardening.sh PROGRAM...
# Position independent, all symbols bound at start, relocations read-only, no executable stack, no segment both writable
# and executable, and the checked forms of the C library's functions.
set -u
. "$(dirname "$0")/files.sh"

for program in "$@"; do
    if [ ! -x "$program" ]; then
        report "$program" 'is not built'
        continue
    fi
    header=$(readelf -hW "$program") && dynamic=$(readelf -dW "$program") && segments=$(readelf -lW "$program") || exit 2
    symbols=$(readelf --dyn-syms -W "$program") || exit 2
    findings=$(
        printf '%s\n' "$header" | grep -qE 'Type:[[:space:]]+DYN' || echo 'not position independent (-pie)'
        printf '%s\n' "$dynamic" | grep -qE 'BIND_NOW|FLAGS_1.*NOW' || echo 'symbols are bound late (-z now)'
        printf '%s\n' "$segments" | grep -q GNU_RELRO || echo 'relocations stay writable (-z relro)'
        printf '%s\n' "$segments" | grep GNU_STACK | grep -q 'RW ' || echo 'the stack is executable, or says nothing (-z noexecstack)'
        printf '%s\n' "$segments" | grep -E '(LOAD|GNU_STACK).* RWE ' | sed 's/^/writable and executable: /'
        printf '%s\n' "$dynamic" | grep -E '\((RPATH|TEXTREL)\)' | sed 's/^/unwanted: /'
        printf '%s\n' "$symbols" | grep -q '_chk' || echo 'no checked function of the C library (-D_FORTIFY_SOURCE)'
        printf '%s\n' "$symbols" | grep -q '__stack_chk_fail' || echo 'no stack protector (-fstack-protector-strong)'
    )
    report "$program" "$findings"
done
finish
