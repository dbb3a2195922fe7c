/** The inside of a CSV source, shared by csv.c (chunks), csv_record.c (fields) and csv_index.c (header, cuts). Private to common/data.
 *
 *  The unpacked bytes:   [BOM] [header] data ......................... [empty lines]
 *                        0              ^begin                         ^end
 *  cut every chunk_bytes from offset 0 on. cuts[i] is the state in front of byte i * chunk_bytes; a record belongs to the chunk that its
 *  first byte lies in. */
#ifndef FW_DATA_CSV_H
#define FW_DATA_CSV_H

#include "common/data/csv_scan.h"
#include "common/data/source.h"

typedef struct fw_csv_cut { uint64_t newlines; bool inside; } fw_csv_cut;      /* newlines before it; inside quotes */

typedef struct fw_csv {
    const fw_table *table;         /* not owned: name, names */
    fw_input *input;               /* not owned */
    fw_csv_dialect dialect;
    uint64_t chunk_bytes;
    uint64_t begin, end;           /* of the data: behind the header, before the empty lines at the end */
    uint64_t begin_newlines;       /* newlines before begin */
    fw_csv_cut *cuts;              /* n_chunks + 1; the last one: at end */

    char *memory;                  /* of the window, with FW_FIELD_READABLE bytes before it and behind it */
    char *bytes;                   /* the window: [at, at + len) of the input */
    uint64_t at;
    size_t len, capacity;
    bool input_ended;              /* the window reaches the end of the input */

    fw_field *fields;              /* of the record in hand, or of the records that go on together, each n_columns */
    size_t fields_capacity;
    char *scratch;                 /* fields whose doubled quotes were undone */
    size_t scratch_len, scratch_capacity;
} fw_csv;

/** Brings [from, to) into the window (less at the end of the input) and drops what lies before `from`. */
fw_status fw_csv_load(fw_csv *csv, uint64_t from, uint64_t to, fw_error *err);

/** Finds where the record that `from` lies in ends: its newline, or the end of the input. The window holds `from` and grows.
 *  *inside: the state at `from`, on return that at *end. FW_ERR_DATA above FW_RECORD_MAX_BYTES. */
fw_status fw_csv_record_end(uint64_t *end, fw_csv *csv, uint64_t from, bool *inside, fw_error *err);

/** Splits the record at [first, ...) of the scanned text into raw fields; *stop: its newline or the end of the text; *n: how many there are,
 *  of which `fields` holds the first `room`. */
void fw_csv_split(fw_field *fields, size_t room, fw_csv_scan *scan, size_t first, size_t *stop, size_t *n);

/** Blanks (of a dialect that trims) around the raw fields do not count; for fields without quotes. */
void fw_csv_trim(const fw_csv *csv, fw_field *fields, size_t n);

/** Trims and unquotes n raw fields in place. FW_ERR_DATA: why it is a bad row. They point into the window or the scratch, until the next call. */
fw_status fw_csv_clean(fw_csv *csv, size_t n, bool may_quote, fw_error *err);

/** FW_ERR_DATA if one of n raw fields holds a NUL byte or is not UTF-8. */
fw_status fw_csv_check_text(const fw_csv *csv, size_t n, fw_error *err);

/** Nothing, or with trim only blanks, before the line's end. */
bool fw_csv_is_empty(const fw_csv *csv, const char *s, size_t len);

/** Collective. Reads the header, then finds the cuts, each rank a share of them. Fills begin, end, cuts, and the table's names and chunks. */
fw_status fw_csv_index(fw_csv *csv, fw_table *t, const fw_table_spec *spec, fw_error *err);

/** Where the quoting of a file whose quotes do not pair goes wrong: always FW_ERR_DATA (or why it can't be read). Reads from the start. */
fw_status fw_csv_explain_quotes(fw_csv *csv, fw_error *err);

#endif
