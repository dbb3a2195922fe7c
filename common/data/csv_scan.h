/** Finding the bytes that structure a CSV text, 64 at a time: delimiters and newlines outside quotes, quotes, newlines.
 *
 *  A byte is inside quotes when the number of quotes before it is odd. For well-formed RFC 4180 text (a quote in a field is written
 *  twice) that is exactly "within a quoted field", and it can be counted from any point on, which is what lets ranks share a file.
 *  Source of the bit method: Langdale, Lemire, "Parsing gigabytes of JSON per second", VLDB J. 28 (2019), sec. 3.1. */
#ifndef FW_DATA_CSV_SCAN_H
#define FW_DATA_CSV_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** quote == '\0': none. */
typedef struct fw_csv_dialect { char delimiter, quote; bool trim; } fw_csv_dialect;

/** Bit i of each: byte i of 64 is that character. */
typedef struct fw_csv_marks { uint64_t ends, quotes; } fw_csv_marks;      /* ends: delimiter or newline, inside quotes or not */
fw_csv_marks fw_csv_mark(const char *s, size_t len, fw_csv_dialect dialect);  /* len <= 64; bits from len on are 0 */

/** Walks over the ends of fields. */
typedef struct fw_csv_scan {
    const char *s;
    size_t len, base;              /* base: where the marked 64 bytes begin; the next to mark once they are used up: base + 64 */
    uint64_t ends;                 /* outside quotes, not yet given */
    uint64_t inside;               /* all ones: the next block begins inside quotes */
    uint64_t quotes;               /* of the marked block */
    uint64_t seen;                 /* not 0: quotes in a block marked since fw_csv_scan_record, or in the one then in hand */
    fw_csv_dialect dialect;
} fw_csv_scan;

void fw_csv_scan_start(fw_csv_scan *scan, const char *s, size_t len, bool inside, fw_csv_dialect dialect);
bool fw_csv_scan_more(fw_csv_scan *scan);      /* marks the next block that has an end; false: none is left */

/** A record begins behind the last end given. */
static inline void fw_csv_scan_record(fw_csv_scan *scan)
{
    scan->seen = scan->quotes;
}

/** The next delimiter or newline outside quotes. false: none is left. */
static inline bool fw_csv_scan_next(size_t *at, fw_csv_scan *scan)
{
    if (scan->ends == 0 && !fw_csv_scan_more(scan)) return false;
    *at = scan->base + (size_t)__builtin_ctzll(scan->ends);
    scan->ends &= scan->ends - 1;
    return true;
}

/** The first newline outside quotes; false: none, and *inside is the state at the end. */
bool fw_csv_find_newline(size_t *at, const char *s, size_t len, bool *inside, fw_csv_dialect dialect);

/** Adds the newlines (all of them) and quotes of a text. */
typedef struct fw_csv_counts { uint64_t newlines, quotes; } fw_csv_counts;
void fw_csv_count(fw_csv_counts *counts, const char *s, size_t len, char quote);

/** All bytes from 1 to 127: nothing to check. */
bool fw_csv_all_ascii(const char *s, size_t len);

#endif
