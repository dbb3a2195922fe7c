/* The header of a CSV text, and the state at every cut: found once when the table is opened, by all ranks together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/data/csv.h"

#define PIECE_BYTES ((unsigned)FW_INPUT_LEAF)

/* ---- header ---- */

static fw_status skip_bom(uint64_t *first, fw_csv *csv, fw_error *err)
{
    FW_TRY(fw_csv_load(csv, 0, 3, err));
    if (csv->len >= 2 && (memcmp(csv->bytes, "\xff\xfe", 2) == 0 || memcmp(csv->bytes, "\xfe\xff", 2) == 0))
        return fw_fail(err, FW_ERR_DATA, "%s: the text is UTF-16; convert it to UTF-8, e.g. with iconv -f utf-16 -t utf-8", csv->table->name);
    *first = csv->len >= 3 && memcmp(csv->bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    return FW_OK;
}

/** The first line that is not empty, as [*from, *to); FW_END: there is none. */
static fw_status first_record(uint64_t *from, uint64_t *to, bool *inside, fw_csv *csv, fw_error *err)
{
    for (;;) {
        *inside = false;
        FW_TRY(fw_csv_load(csv, *from, *from + 1, err));
        FW_TRY(fw_csv_record_end(to, csv, *from, inside, err));
        if (!fw_csv_is_empty(csv, csv->bytes + (*from - csv->at), (size_t)(*to - *from))) return FW_OK;
        if (csv->input_ended && *to == csv->at + csv->len) return FW_END;
        csv->begin_newlines++;
        *from = *to + 1;
    }
}

/** Splits [a, b) of the window into csv->fields, which grow to hold all. */
static fw_status header_fields(size_t *n, fw_csv *csv, uint64_t a, uint64_t b, fw_error *err)
{
    fw_csv_scan scan;
    size_t stop, first = (size_t)(a - csv->at);
    for (int pass = 0; pass < 2; pass++) {                 /* the first one counts */
        fw_csv_scan_start(&scan, csv->bytes + first, (size_t)(b - a), false, csv->dialect);
        fw_csv_split(csv->fields, csv->fields_capacity, &scan, 0, &stop, n);
        if (pass == 0) FW_TRY(fw_grow((void **)&csv->fields, &csv->fields_capacity, *n, sizeof *csv->fields, "a CSV header", err));
    }
    FW_TRY(fw_csv_check_text(csv, *n, err));
    return fw_csv_clean(csv, *n, scan.seen != 0, err);
}

/** Names in quotes may have blanks around them inside the quotes: these do not count either. */
static fw_field trimmed(fw_field f)
{
    while (f.len > 0 && strchr(" \t\r\n", *f.s) != NULL) f.s++, f.len--;
    while (f.len > 0 && strchr(" \t\r\n", f.s[f.len - 1]) != NULL) f.len--;
    return f;
}

static fw_status given_names(fw_table *t, const fw_table_spec *spec, fw_error *err)
{
    FW_FREE fw_field *names = calloc(spec->columns.n, sizeof *names);
    if (names == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory for %zu names", t->name, spec->columns.n);
    for (size_t i = 0; i < spec->columns.n; i++) names[i] = trimmed((fw_field){spec->columns.v[i], strlen(spec->columns.v[i])});
    return fw_table_set_names(t, names, spec->columns.n, "columns", err);
}

/** A guess for the error text: the usual delimiter that occurs more often than the one in use; '\0': none. */
static char other_delimiter(const fw_csv *csv, const char *line, size_t len)
{
    size_t count[256] = {0};
    for (size_t i = 0; i < len; i++) count[(unsigned char)line[i]]++;
    char best = csv->dialect.delimiter;
    for (const char *c = ",;\t|"; *c != '\0'; c++)
        if (count[(unsigned char)*c] > count[(unsigned char)best]) best = *c;
    return best == csv->dialect.delimiter ? '\0' : best;
}

static fw_status header_failed(const fw_csv *csv, const char *where, fw_status status, char other, fw_error *err)
{
    const char *other_text = other == '\t' ? "\\t" : (char[]){other, '\0'};
    if (other == '\0') return fw_wrap(err, status, "%s: header", where);
    return fw_wrap(err, status, "%s: header, read with delimiter \"%c\" where \"%s\" occurs more often", where, csv->dialect.delimiter, other_text);
}

static fw_status header_names(fw_csv *csv, fw_table *t, const fw_table_spec *spec, uint64_t a, uint64_t b, fw_error *err)
{
    char where[512];
    size_t n;
    snprintf(where, sizeof where, "%s:%llu", t->name, (unsigned long long)csv->begin_newlines + 1);
    fw_status status = header_fields(&n, csv, a, b, err);
    if (status < 0) return header_failed(csv, where, status, other_delimiter(csv, csv->bytes + (a - csv->at), (size_t)(b - a)), err);
    if (spec->columns.n > 0 && spec->columns.n != n)
        return fw_fail(err, FW_ERR_CONFIG, "%s: the header has %zu columns, %zu are named under columns; name all or none", where, n, spec->columns.n);
    if (spec->columns.n > 0) return given_names(t, spec, err);
    for (size_t i = 0; i < n; i++) csv->fields[i] = trimmed(csv->fields[i]);
    return fw_table_set_names(t, csv->fields, n, where, err);
}

/** lines: the whole text that was taken for the header. */
static fw_status header_only(const fw_table *t, const char *lines, size_t len, fw_error *err)
{
    if (len > 1 && memchr(lines, '\r', len - 1) != NULL)
        return fw_fail(err, FW_ERR_DATA, "%s: one line only; its lines seem to end with CR alone: convert them, e.g. with tr '\\r' '\\n'", t->name);
    return fw_fail(err, FW_ERR_DATA, "%s: a header and no rows; was the file written to its end?", t->name);
}

static fw_status read_header(fw_csv *csv, fw_table *t, const fw_table_spec *spec, fw_error *err)
{
    uint64_t first = 0, from, to;
    bool inside;
    if (!spec->header && spec->columns.n == 0)
        return fw_fail(err, FW_ERR_CONFIG, "%s: without a header the names must be given: add columns: [...] to the table", t->name);
    FW_TRY(skip_bom(&first, csv, err));
    from = first;
    fw_status status = first_record(&from, &to, &inside, csv, err);
    if (status < 0) return status;
    if (status == FW_END) return fw_fail(err, FW_ERR_DATA, "%s: the file is empty; was it written to its end?", t->name);
    if (inside) return fw_csv_explain_quotes(csv, err);
    bool at_end = csv->input_ended && to == csv->at + csv->len;
    if (!spec->header) {
        csv->begin = first;
        csv->begin_newlines = 0;
        return given_names(t, spec, err);
    }
    if (at_end) return header_only(t, csv->bytes + (from - csv->at), (size_t)(to - from), err);
    FW_TRY(header_names(csv, t, spec, from, to, err));
    fw_csv_counts counts = {0};
    fw_csv_count(&counts, csv->bytes + (from - csv->at), (size_t)(to + 1 - from), '\0');
    csv->begin = to + 1;
    csv->begin_newlines += counts.newlines;
    return FW_OK;
}

/* ---- cuts ---- */

/** What one chunk holds, as it crosses ranks: newlines * 2 + (the number of quotes is odd). */
typedef struct tally { uint64_t *v; size_t n, capacity; } tally;

/** The offset behind the last byte that is not of an empty line, counted from s; 0: there is none. */
static size_t solid_bytes(const fw_csv *csv, const char *s, size_t len)
{
    while (len > 0) {
        char c = s[len - 1];
        bool blank = csv->dialect.trim && (c == ' ' || c == '\t') && c != csv->dialect.delimiter;
        if (c != '\n' && c != '\r' && !blank) break;
        len--;
    }
    return len;
}

/** Counts the chunk [from, to) piece by piece; *solid moves behind the last solid byte; *got: bytes the input had of it. */
static fw_status count_chunk(uint64_t *packed, uint64_t *solid, uint64_t *got, fw_csv *csv, char *piece, uint64_t from, uint64_t to, fw_error *err)
{
    fw_csv_counts counts = {0};
    uint64_t at = from;
    size_t n = 1;
    while (at < to && n > 0) {
        FW_TRY(fw_input_read(csv->input, at, piece, (size_t)FW_MIN((uint64_t)PIECE_BYTES, to - at), &n, err));
        if (fw_input_plain(csv->input)) fw_input_note(csv->input, at, piece, n);
        fw_csv_count(&counts, piece, n, csv->dialect.quote);
        size_t last = solid_bytes(csv, piece, n);
        if (last > 0) *solid = at + last;
        at += n;
    }
    *packed = counts.newlines << 1 | (counts.quotes & 1);
    *got = at - from;
    return FW_OK;
}

/** Packed input: all of it, which also finds its size. */
static fw_status count_all(tally *all, fw_csv *csv, char *piece, fw_error *err)
{
    uint64_t from = 0, got = csv->chunk_bytes;
    csv->end = 0;
    while (got == csv->chunk_bytes) {
        FW_TRY(fw_grow((void **)&all->v, &all->capacity, all->n + 1, sizeof *all->v, "the cuts of a table", err));
        FW_TRY(count_chunk(&all->v[all->n], &csv->end, &got, csv, piece, from, from + csv->chunk_bytes, err));
        from += got;
        all->n++;
    }
    return FW_OK;
}

/** Plain input: the end is looked for from behind. */
static fw_status find_end(fw_csv *csv, char *piece, fw_error *err)
{
    uint64_t to = fw_input_file_bytes(csv->input);
    csv->end = 0;
    while (to > 0 && csv->end == 0) {
        uint64_t from = to - FW_MIN((uint64_t)PIECE_BYTES, to);
        size_t n;
        FW_TRY(fw_input_read(csv->input, from, piece, (size_t)(to - from), &n, err));
        size_t last = solid_bytes(csv, piece, n);
        if (last > 0) csv->end = from + last;
        to = from;
    }
    return FW_OK;
}

/** This rank's share: a run of chunks, so that the shares in rank order are the chunks in order. */
static fw_status count_share(tally *share, fw_csv *csv, const fw_table *t, char *piece, fw_error *err)
{
    FW_TRY(find_end(csv, piece, err));
    uint64_t n = (csv->end + csv->chunk_bytes - 1) / csv->chunk_bytes;
    uint64_t size = (uint64_t)t->reduce.size, rank = (uint64_t)t->reduce.rank;
    uint64_t first = n / size * rank + n % size * rank / size, behind = n / size * (rank + 1) + n % size * (rank + 1) / size;
    FW_TRY(fw_grow((void **)&share->v, &share->capacity, (size_t)(behind - first), sizeof *share->v, "the cuts of a table", err));
    for (uint64_t i = first; i < behind; i++) {
        uint64_t solid, got, from = i * csv->chunk_bytes;
        FW_TRY(count_chunk(&share->v[share->n++], &solid, &got, csv, piece, from, FW_MIN(from + csv->chunk_bytes, csv->end), err));
    }
    return FW_OK;
}

static fw_status count_local(tally *mine, fw_csv *csv, const fw_table *t, fw_error *err)
{
    FW_FREE char *piece = malloc(PIECE_BYTES);
    if (piece == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to read", t->name);
    FW_TRY(fw_input_plain(csv->input) ? count_share(mine, csv, t, piece, err) : count_all(mine, csv, piece, err));
    return csv->end > csv->begin ? FW_OK : header_only(t, "", 0, err);
}

/** Collective, plain input: the shares of all ranks become the whole. */
static fw_status gather_shares(tally *mine, const fw_table *t, fw_error *err)
{
    const fw_reduce *r = &t->reduce;
    FW_FREE size_t *offset = calloc((size_t)r->size + 1, sizeof *offset);
    FW_TRY(r->agree(r->context, offset != NULL ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "%s: no memory", t->name), err));
    char *all = NULL;
    FW_TRY(r->gather_all(r->context, mine->v, mine->n * sizeof *mine->v, &all, offset, err));
    free(mine->v);
    *mine = (tally){.v = (uint64_t *)(void *)all, .n = offset[r->size] / sizeof *mine->v};
    return FW_OK;
}

/** Sums over the chunks before each cut. */
static fw_status make_cuts(fw_csv *csv, fw_table *t, const tally *all, fw_error *err)
{
    uint64_t n = (csv->end + csv->chunk_bytes - 1) / csv->chunk_bytes;
    if (fw_input_plain(csv->input) && all->n != n)
        return fw_fail(err, FW_ERR_IO, "%s: the ranks see files of different sizes; put it where every node reads the same file", t->path);
    void *cuts = NULL;
    FW_TRY(fw_alloc_zeroed(&cuts, (size_t)n + 1, sizeof *csv->cuts, "the cuts of a table", err));
    csv->cuts = cuts;
    for (uint64_t i = 0; i < n; i++) {
        csv->cuts[i + 1].newlines = csv->cuts[i].newlines + (all->v[i] >> 1);
        csv->cuts[i + 1].inside = csv->cuts[i].inside ^ (all->v[i] & 1);
    }
    t->n_chunks = n;
    return FW_OK;
}

/** Every rank sees that the quotes do not pair; one looks for the place. */
static fw_status check_quotes(fw_csv *csv, const fw_table *t, fw_error *err)
{
    if (!csv->cuts[t->n_chunks].inside) return FW_OK;
    if (t->reduce.rank == 0) return fw_csv_explain_quotes(csv, err);
    return fw_fail(err, FW_ERR_DATA, "%s: an unclosed quote", t->name);
}

fw_status fw_csv_index(fw_csv *csv, fw_table *t, const fw_table_spec *spec, fw_error *err)
{
    const fw_reduce *r = &t->reduce;
    tally all = {0};
    FW_TRY(r->agree(r->context, read_header(csv, t, spec, err), err));
    fw_status status = r->agree(r->context, count_local(&all, csv, t, err), err);
    if (status == FW_OK && fw_input_plain(csv->input)) status = gather_shares(&all, t, err);
    if (status == FW_OK) {
        status = make_cuts(csv, t, &all, err);
        if (status == FW_OK) status = check_quotes(csv, t, err);
        status = r->agree(r->context, status, err);
    }
    free(all.v);
    return status;
}
