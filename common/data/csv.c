/* CSV and TSV tables: RFC 4180, in chunks cut at fixed offsets. */
#include "common/data/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"

#define PIECE_BYTES (64u << 10)
#define PLACE_BYTES 512
#define FIELDS_AT_ONCE 2048        /* 32 KiB of them */
#define ROWS_AT_ONCE 64

/* ---- the window ---- */

static fw_status read_more(fw_csv *csv, uint64_t to, fw_error *err)
{
    size_t want = (size_t)(to - csv->at) - csv->len, got;
    FW_TRY(fw_grow((void **)&csv->memory, &csv->capacity, csv->len + want + 2 * FW_FIELD_READABLE, 1, "a chunk of a table", err));
    csv->bytes = csv->memory + FW_FIELD_READABLE;
    FW_TRY(fw_input_read(csv->input, csv->at + csv->len, csv->bytes + csv->len, want, &got, err));
    csv->len += got;
    csv->input_ended = got < want;
    return FW_OK;
}

fw_status fw_csv_load(fw_csv *csv, uint64_t from, uint64_t to, fw_error *err)
{
    if (from < csv->at || from > csv->at + csv->len) {
        csv->at = from;
        csv->len = 0;
        csv->input_ended = false;
    }
    size_t drop = (size_t)(from - csv->at);
    if (drop > 0) memmove(csv->bytes, csv->bytes + drop, csv->len - drop);
    csv->at = from;
    csv->len -= drop;
    return to > csv->at + csv->len && !csv->input_ended ? read_more(csv, to, err) : FW_OK;
}

fw_status fw_csv_record_end(uint64_t *end, fw_csv *csv, uint64_t from, bool *inside, fw_error *err)
{
    for (uint64_t at = from; at - from <= FW_RECORD_MAX_BYTES; at = csv->at + csv->len) {
        FW_TRY(fw_csv_load(csv, csv->at, FW_MAX(at + PIECE_BYTES, csv->at + csv->len), err));
        size_t first = (size_t)(at - csv->at), newline;
        if (fw_csv_find_newline(&newline, csv->bytes + first, csv->len - first, inside, csv->dialect)) {
            *end = at + newline;
            *inside = false;
            return FW_OK;
        }
        if (csv->input_ended) {
            *end = csv->at + csv->len;
            return FW_OK;
        }
    }
    return fw_fail(err, FW_ERR_DATA, "a record longer than %u bytes; is a quote not closed? Close it, or set quote: none", FW_RECORD_MAX_BYTES);
}

/* ---- a chunk ---- */

/** What of the input a chunk's records cover: [first, stop), stop without the last newline. */
typedef struct span { uint64_t base, first, stop; uint64_t newlines; } span;      /* newlines: before base */

/** The first record that begins in [lo, hi); false: none. The window holds [lo - 1, hi), or from lo on where the data begins. */
static bool first_record(uint64_t *first, const fw_csv *csv, uint64_t lo, uint64_t hi, bool inside)
{
    const char *s = csv->bytes + (lo - csv->at);
    size_t newline;
    *first = lo;
    if (lo == csv->begin || (!inside && s[-1] == '\n')) return true;
    if (!fw_csv_find_newline(&newline, s, (size_t)(hi - lo), &inside, csv->dialect)) return false;
    *first = lo + newline + 1;
    return *first < hi;
}

/** FW_END: no record begins in the chunk. */
static fw_status find_span(span *out, fw_csv *csv, uint64_t chunk, fw_error *err)
{
    uint64_t lo = FW_MAX(chunk * csv->chunk_bytes, csv->begin), hi = FW_MIN((chunk + 1) * csv->chunk_bytes, csv->end);
    if (lo >= hi) return FW_END;
    FW_TRY(fw_csv_load(csv, lo > csv->begin ? lo - 1 : lo, hi, err));
    if (csv->at + csv->len < hi) return fw_fail(err, FW_ERR_IO, "%s: became shorter while it was read; don't write to a table that is in use", csv->table->path);
    *out = (span){.base = lo, .stop = csv->end, .newlines = lo == csv->begin ? csv->begin_newlines : csv->cuts[chunk].newlines};
    if (!first_record(&out->first, csv, lo, hi, csv->cuts[chunk].inside)) return FW_END;
    if (hi == csv->end) return FW_OK;
    bool inside = csv->cuts[chunk + 1].inside;
    uint64_t end = hi - 1;
    if (inside || csv->bytes[end - csv->at] != '\n') {
        fw_status status = fw_csv_record_end(&end, csv, hi, &inside, err);
        if (status < 0) return fw_wrap(err, status, "%s:%llu", csv->table->name, (unsigned long long)csv->cuts[chunk + 1].newlines + 1);
    }
    out->stop = FW_MIN(end, csv->end);
    return FW_OK;
}

static fw_status bad_row(fw_csv *csv, fw_table *t, const span *s, size_t record_at, const fw_sink *sink, fw_error *err)
{
    char place[PLACE_BYTES] = "";
    if (fw_table_wants_place(t, sink)) {
        fw_csv_counts counts = {0};
        const char *base = csv->bytes + (s->base - csv->at);
        fw_csv_count(&counts, base, (size_t)(s->first - s->base) + record_at, '\0');
        snprintf(place, sizeof place, "%s:%llu", t->name, (unsigned long long)(s->newlines + counts.newlines + 1));
    }
    return fw_table_bad_row(t, sink, place, err);
}

/** n raw fields, made ready and given to the sink. */
static fw_status take_record(fw_csv *csv, const fw_table *t, size_t n, bool may_quote, bool check_text, const fw_sink *sink, uint64_t record, fw_error *err)
{
    if (check_text) FW_TRY(fw_csv_check_text(csv, FW_MIN(n, t->n_columns), err));
    FW_TRY(fw_csv_clean(csv, FW_MIN(n, t->n_columns), may_quote, err));
    if (n != t->n_columns) return fw_fail(err, FW_ERR_DATA, "%zu field%s, expected %zu", n, n == 1 ? "" : "s", t->n_columns);
    return sink->take(sink->context, csv->fields, record, err);
}

/** A walk over the records of a span. Those without quotes, with the right number of fields and of plain text wait in csv->fields to go on together. */
typedef struct walk {
    fw_csv *csv;
    fw_table *t;
    const span *s;
    const fw_sink *sink;
    const char *text;
    bool check_text, trim;         /* there are bytes that are no plain text; there are blanks, and they are to go */
    size_t n, most;                /* records that wait */
    size_t place[ROWS_AT_ONCE];    /* of each in text */
    uint64_t n_records;
} walk;

/** The record at text + at, alone: its n raw fields are the first ones in csv->fields. */
static fw_status take_alone(walk *w, size_t at, size_t n, bool may_quote, fw_error *err)
{
    fw_status status = take_record(w->csv, w->t, n, may_quote, w->check_text, w->sink, w->n_records, err);
    if (status == FW_ERR_DATA) status = bad_row(w->csv, w->t, w->s, at, w->sink, err);
    if (status == FW_OK) w->n_records++;
    return status;
}

/** The records that wait, together, or one by one where one of them is bad. */
static fw_status take_waiting(walk *w, fw_error *err)
{
    size_t n = w->n, width = w->t->n_columns;
    w->n = 0;
    if (n == 0) return FW_OK;
    if (w->trim) fw_csv_trim(w->csv, w->csv->fields, n * width);
    fw_status status = w->sink->take_rows(w->sink->context, w->csv->fields, w->n_records, n, err);
    if (status == FW_OK) w->n_records += n;
    if (status != FW_ERR_DATA) return status;
    for (size_t i = 0; i < n; i++) {
        memmove(w->csv->fields, w->csv->fields + i * width, width * sizeof *w->csv->fields);
        FW_TRY(take_alone(w, w->place[i], width, false, err));
    }
    return FW_OK;
}

static fw_status walk_records(walk *w, size_t len, fw_error *err)
{
    fw_csv *csv = w->csv;
    fw_csv_scan scan;
    fw_csv_scan_start(&scan, w->text, len, false, csv->dialect);
    for (size_t at = 0, stop, n; at <= len; at = stop + 1) {
        size_t width = w->t->n_columns;
        fw_field *fields = csv->fields + w->n * width;
        fw_csv_split(fields, width, &scan, at, &stop, &n);
        if (n == 1 && width > 1 && fw_csv_is_empty(csv, w->text + at, stop - at)) continue;
        bool plain = n == width && scan.seen == 0 && stop - at <= FW_FIELD_MAX_BYTES;
        if (w->most > 0 && plain) {
            w->place[w->n] = at;
            if (++w->n == w->most) FW_TRY(take_waiting(w, err));
            continue;
        }
        if (w->n > 0) {
            FW_TRY(take_waiting(w, err));
            memmove(csv->fields, fields, FW_MIN(n, width) * sizeof *fields);
        }
        fw_status status = take_alone(w, at, n, scan.seen != 0, err);
        if (status != FW_OK) return status;
    }
    return take_waiting(w, err);
}

static fw_status read_span(fw_csv *csv, fw_table *t, const span *s, const fw_sink *sink, uint64_t *n_records, fw_error *err)
{
    const char *text = csv->bytes + (s->first - csv->at);
    size_t len = (size_t)(s->stop - s->first);
    walk w = {.csv = csv, .t = t, .s = s, .sink = sink, .text = text, .check_text = !fw_csv_all_ascii(text, len)};
    w.trim = csv->dialect.trim && (memchr(text, ' ', len) != NULL || memchr(text, '\t', len) != NULL);
    if (sink->take_rows != NULL && !w.check_text) w.most = csv->fields_capacity / t->n_columns - 1;
    fw_status status = walk_records(&w, len, err);
    *n_records = w.n_records;
    return status;
}

static fw_status csv_read(fw_table *t, uint64_t chunk, const fw_sink *sink, uint64_t *n_records, fw_error *err)
{
    fw_csv *csv = t->source;
    span s;
    *n_records = 0;
    fw_status status = find_span(&s, csv, chunk, err);
    if (status == FW_END) return FW_OK;
    return status < 0 ? status : read_span(csv, t, &s, sink, n_records, err);
}

/* ---- opening ---- */

static bool ends_with(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

static fw_status find_dialect(fw_csv_dialect *out, const fw_table_spec *spec, fw_error *err)
{
    bool tabs = ends_with(spec->path, ".tsv") || ends_with(spec->path, ".tsv.gz") || ends_with(spec->path, ".tsv.zst");
    fw_csv_dialect d = {.delimiter = spec->delimiter != '\0' ? spec->delimiter : tabs ? '\t' : ',', .quote = spec->quote, .trim = spec->trim};
    if (d.delimiter == d.quote || strchr("\r\n", d.delimiter) != NULL || (d.quote != '\0' && strchr("\r\n \t", d.quote) != NULL))
        return fw_fail(err, FW_ERR_CONFIG, "%s: the delimiter must be one byte, no line end, and not the quote; the quote no blank", spec->path);
    *out = d;
    return FW_OK;
}

static fw_status open_local(fw_csv *csv, fw_table *t, const fw_table_spec *spec, const char *base_dir, fw_error *err)
{
    FW_TRY(find_dialect(&csv->dialect, spec, err));
    FW_TRY(fw_table_add_input(t, base_dir, spec->path, err));
    csv->table = t;
    csv->input = t->inputs[0];
    csv->chunk_bytes = fw_table_chunk_bytes();
    return FW_OK;
}

static fw_status csv_open(fw_table *t, const fw_table_spec *spec, const char *base_dir, fw_error *err)
{
    const fw_reduce *r = &t->reduce;
    fw_csv *csv = t->source = calloc(1, sizeof *csv);
    fw_status status = csv != NULL ? open_local(csv, t, spec, base_dir, err) : fw_fail(err, FW_ERR_NOMEM, "%s: no memory", spec->path);
    FW_TRY(r->agree(r->context, status, err));
    FW_TRY(fw_csv_index(csv, t, spec, err));
    free(csv->fields);                                     /* those of the header; the records have n_columns */
    size_t rows = 1 + FW_MIN(FW_MAX(FIELDS_AT_ONCE / t->n_columns, 1u), ROWS_AT_ONCE);
    csv->fields = calloc(rows, t->n_columns * sizeof *csv->fields);
    csv->fields_capacity = rows * t->n_columns;
    return r->agree(r->context, csv->fields != NULL ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "%s: no memory", t->name), err);
}

static void csv_close(void *source)
{
    fw_csv *csv = source;
    free(csv->cuts);
    free(csv->memory);
    free(csv->fields);
    free(csv->scratch);
    free(csv);
}

static bool csv_takes(const fw_table_spec *spec)
{
    return spec->path != NULL;
}

const fw_source_ops fw_csv_source = {.kind = "csv", .takes = csv_takes, .open = csv_open, .close = csv_close, .read = csv_read};
