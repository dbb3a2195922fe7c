/* Where the quoting of a CSV text goes wrong, for the error of a file whose quotes do not pair. */
#include <stdlib.h>

#include "common/core/size.h"
#include "common/data/csv.h"

#define PIECE_BYTES (256u << 10)

typedef enum place { FIELD_START, UNQUOTED, QUOTED, BEHIND_QUOTE } place;      /* BEHIND_QUOTE: it closed the field or is the first of two */

typedef struct walk {
    fw_csv_dialect dialect;
    place place;
    uint64_t line, opened;         /* the line in hand; where the quoted field began */
} walk;

static bool is_blank(char c, fw_csv_dialect dialect)
{
    return c == '\r' || (dialect.trim && (c == ' ' || c == '\t'));
}

/** One byte on. false: here no quote, or no text, may stand. */
static bool step(walk *w, char c)
{
    bool quote = c == w->dialect.quote, end = c == w->dialect.delimiter || c == '\n';
    switch (w->place) {
    case FIELD_START:
        if (quote) w->opened = w->line;
        if (!end && (quote || !is_blank(c, w->dialect))) w->place = quote ? QUOTED : UNQUOTED;
        break;
    case UNQUOTED:
        if (quote) return false;
        if (end) w->place = FIELD_START;
        break;
    case QUOTED:
        if (quote) w->place = BEHIND_QUOTE;
        break;
    case BEHIND_QUOTE:
        if (quote) w->place = QUOTED;
        else if (end) w->place = FIELD_START;
        else if (!is_blank(c, w->dialect)) return false;
        break;
    }
    w->line += c == '\n';
    return true;
}

static fw_status say(const fw_csv *csv, const walk *w, fw_error *err)
{
    const char *name = csv->table->name;
    if (w->place == UNQUOTED)
        return fw_fail(err, FW_ERR_DATA, "%s:%llu: a quote inside an unquoted field, and the quotes of the file do not pair; enclose the field in quotes and "
                       "double the quotes in it, or set quote: none", name, (unsigned long long)w->line);
    if (w->place == BEHIND_QUOTE)
        return fw_fail(err, FW_ERR_DATA, "%s:%llu: an unclosed quote: the field that it opens meets the next quote in line %llu, and text behind it; close it, "
                       "or set quote: none", name, (unsigned long long)w->opened, (unsigned long long)w->line);
    return fw_fail(err, FW_ERR_DATA, "%s:%llu: an unclosed quote: the field that it opens reaches to the end of the file; close it, or set quote: none", name,
                   (unsigned long long)(w->place == QUOTED ? w->opened : w->line));
}

fw_status fw_csv_explain_quotes(fw_csv *csv, fw_error *err)
{
    FW_FREE char *piece = malloc(PIECE_BYTES);
    if (piece == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to read", csv->table->name);
    walk w = {.dialect = csv->dialect, .line = 1};
    uint64_t at = 0;
    for (size_t n = 1; n > 0; at += n) {
        FW_TRY(fw_input_read(csv->input, at, piece, PIECE_BYTES, &n, err));
        for (size_t i = at == 0 && n >= 3 && piece[0] == '\xef' ? 3 : 0; i < n; i++)
            if (!step(&w, piece[i])) return say(csv, &w, err);
    }
    return say(csv, &w, err);
}
