/* One record of a CSV text becomes fields. */
#include <stdio.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "common/data/csv.h"

#define LABEL_BYTES 128     /* a longer column name is cut in messages */

static bool is_blank(char c, fw_csv_dialect dialect)
{
    return (c == ' ' || c == '\t') && c != dialect.delimiter;
}

bool fw_csv_is_empty(const fw_csv *csv, const char *s, size_t len)
{
    while (len > 0 && s[len - 1] == '\r') len--;
    while (csv->dialect.trim && len > 0 && is_blank(s[len - 1], csv->dialect)) len--;
    return len == 0;
}

void fw_csv_split(fw_field *fields, size_t room, fw_csv_scan *scan, size_t first, size_t *stop, size_t *n)
{
    size_t at, found = 0, from = first;
    bool last = false;
    fw_csv_scan_record(scan);
    while (!last) {
        if (!fw_csv_scan_next(&at, scan)) at = scan->len;
        last = at == scan->len || scan->s[at] == '\n';
        if (found < room) fields[found] = (fw_field){scan->s + from, at - from};
        found++;
        from = at + 1;
    }
    if (found <= room) {                                   /* CR LF: the CR belongs to the line's end */
        fw_field *f = &fields[found - 1];
        while (f->len > 0 && f->s[f->len - 1] == '\r') f->len--;
    }
    *stop = at;
    *n = found;
}

static fw_field trimmed(const fw_csv *csv, fw_field f)
{
    while (f.len > 0 && is_blank(*f.s, csv->dialect)) f.s++, f.len--;
    while (f.len > 0 && is_blank(f.s[f.len - 1], csv->dialect)) f.len--;
    return f;
}

void fw_csv_trim(const fw_csv *csv, fw_field *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) fields[i] = trimmed(csv, fields[i]);
}

/** "column age", or "column 3" while the names are not known. */
static const char *column_label(char out[static LABEL_BYTES], const fw_csv *csv, size_t i)
{
    if (csv->table->names != NULL && i < csv->table->n_columns) snprintf(out, LABEL_BYTES, "column %s", csv->table->names[i]);
    else snprintf(out, LABEL_BYTES, "column %zu", i + 1);
    return out;
}

static fw_status misquoted(const fw_csv *csv, size_t i, const char *what, fw_error *err)
{
    char label[LABEL_BYTES];
    return fw_fail(err, FW_ERR_DATA, "%s (%s); enclose the field in quotes and double the quotes in it, or set quote: none", what,
                   column_label(label, csv, i));
}

/** Undoes the doubling of quotes. false: a quote stands alone. */
static bool undouble(char *to, size_t *made, fw_field from, char quote)
{
    size_t n = 0;
    for (size_t i = 0; i < from.len; i++) {
        if (from.s[i] == quote && (++i == from.len || from.s[i] != quote)) return false;
        to[n++] = from.s[i];
    }
    *made = n;
    return true;
}

static fw_status unquote(fw_csv *csv, fw_field *f, size_t i, fw_error *err)
{
    char quote = csv->dialect.quote;
    if (f->s[0] != quote) return misquoted(csv, i, "a quote inside an unquoted field", err);
    if (f->len < 2 || f->s[f->len - 1] != quote) return misquoted(csv, i, "text behind a closing quote", err);
    fw_field content = {f->s + 1, f->len - 2};
    if (memchr(content.s, quote, content.len) != NULL) {
        char *to = csv->scratch + csv->scratch_len;
        size_t made;
        if (!undouble(to, &made, content, quote)) return misquoted(csv, i, "text behind a closing quote", err);
        csv->scratch_len += made;
        content = (fw_field){to, made};
    }
    *f = content;
    return FW_OK;
}

static fw_status clean_field(fw_csv *csv, size_t i, bool may_quote, fw_error *err)
{
    fw_field *f = &csv->fields[i];
    if (csv->dialect.trim) *f = trimmed(csv, *f);
    if (f->len > FW_FIELD_MAX_BYTES) {
        char label[LABEL_BYTES];
        return fw_fail(err, FW_ERR_DATA, "a field of %zu bytes (%s), at most %u; is a quote not closed?", f->len, column_label(label, csv, i), FW_FIELD_MAX_BYTES);
    }
    return may_quote && f->len > 0 && memchr(f->s, csv->dialect.quote, f->len) != NULL ? unquote(csv, f, i, err) : FW_OK;
}

fw_status fw_csv_clean(fw_csv *csv, size_t n, bool may_quote, fw_error *err)
{
    csv->scratch_len = 0;
    if (may_quote) {                                       /* grown before fields point into it */
        size_t need = (size_t)(csv->fields[n - 1].s + csv->fields[n - 1].len - csv->fields[0].s);
        FW_TRY(fw_grow((void **)&csv->scratch, &csv->scratch_capacity, need, 1, "a CSV record", err));
    }
    for (size_t i = 0; i < n; i++) FW_TRY(clean_field(csv, i, may_quote, err));
    return FW_OK;
}

fw_status fw_csv_check_text(const fw_csv *csv, size_t n, fw_error *err)
{
    char label[LABEL_BYTES];
    for (size_t i = 0; i < n; i++) {
        fw_field f = csv->fields[i];
        if (fw_csv_all_ascii(f.s, f.len)) continue;
        if (memchr(f.s, '\0', f.len) != NULL) return fw_fail(err, FW_ERR_DATA, "NUL byte (%s); is this a text file?", column_label(label, csv, i));
        if (fw_utf8_valid(f.s, f.len) != f.len)
            return fw_fail(err, FW_ERR_DATA, "not valid UTF-8 (%s); convert the file, e.g. with iconv -f latin1 -t utf-8", column_label(label, csv, i));
    }
    return FW_OK;
}
