#include "common/data/cells.h"

#include <string.h>
#include <strings.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "common/core/time_text.h"
#include "common/data/decimal.h"
#include "common/data/numbers.h"

#define FIRST_ROWS 64

void fw_missing_texts_init(fw_missing_texts *m, const char *const *text, size_t n)
{
    *m = (fw_missing_texts){.text = text, .n = n};
    for (size_t i = 0; i < n; i++) {
        if (text[i][0] == '\0') m->empty = true;
        else m->first[(unsigned char)text[i][0]] = true;
        m->like_number = m->like_number || (text[i][0] != '\0' && strchr("0123456789-.", text[i][0]) != NULL);
    }
}

bool fw_is_missing(const fw_missing_texts *m, fw_field f)
{
    if (f.len == 0) return m->empty;
    if (!m->first[(unsigned char)f.s[0]]) return false;
    for (size_t i = 0; i < m->n; i++)
        if (strlen(m->text[i]) == f.len && memcmp(m->text[i], f.s, f.len) == 0) return true;
    return false;
}

bool fw_is_not_finite(fw_field f)
{
    static const char *const words[] = {"nan", "inf", "infinity"};
    if (f.len > 0 && (*f.s == '-' || *f.s == '+')) f.s++, f.len--;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (f.len == strlen(words[i]) && strncasecmp(f.s, words[i], f.len) == 0) return true;
    return false;
}

void fw_show_field(char out[static FW_FIELD_SHOWN], fw_field f)
{
    size_t most = FW_FIELD_SHOWN - 6;                            /* quotes, dots, NUL */
    size_t n = fw_utf8_valid(f.s, FW_MIN(f.len, most)), at = 0;
    out[at++] = '"';
    for (size_t i = 0; i < n; i++) out[at++] = (unsigned char)f.s[i] < ' ' || f.s[i] == 127 ? ' ' : f.s[i];
    if (n < f.len) {
        memcpy(out + at, "...", 3);
        at += 3;
    }
    out[at++] = '"';
    out[at] = '\0';
}

static fw_status check_column(const fw_table *t, const fw_table_reading *how, size_t i, fw_error *err)
{
    fw_column *c = &how->schema->columns[i];
    int at = how->column_of[i];
    if (c->type == FW_CATEGORY && c->dict == NULL) {
        if (how->codes == FW_TABLE_FIXED) return fw_fail(err, FW_ERR_ARG, "%s: column %s has no dictionary to read with", t->name, c->name);
        FW_TRY(fw_dict_create(&c->dict, err));
    }
    if (at < -1 || at >= (int)t->n_columns) return fw_fail(err, FW_ERR_ARG, "%s: column %s is said to be number %d of %zu", t->name, c->name, at, t->n_columns);
    if (at == -1) return FW_OK;
    bool pictures = at == t->image_column;
    if (pictures != (c->type == FW_IMAGE))
        return fw_fail(err, FW_ERR_DATA, "%s: column %s holds %s and can't be of type %s", t->name, c->name, pictures ? "pictures" : "texts",
                       fw_column_type_name(c->type));
    if (pictures && (c->height != t->image_shape[0] || c->width != t->image_shape[1] || c->channels != t->image_shape[2]))
        return fw_fail(err, FW_ERR_DATA, "%s: pictures of %u x %u x %u, expected %u x %u x %u (column %s)", t->name, t->image_shape[0], t->image_shape[1],
                       t->image_shape[2], c->height, c->width, c->channels, c->name);
    return FW_OK;
}

fw_status fw_cell_rules_init(fw_cell_rules *rules, const fw_table *t, const fw_table_reading *how, fw_block *block, fw_error *err)
{
    if (block->schema != how->schema) return fw_fail(err, FW_ERR_ARG, "%s: the block is of another schema than the reading", t->name);
    for (size_t i = 0; i < how->schema->n_columns; i++) FW_TRY(check_column(t, how, i, err));
    *rules = (fw_cell_rules){.how = how, .block = block};
    fw_missing_texts_init(&rules->missing, how->missing, how->n_missing);
    return FW_OK;
}

/** Why a text is no number; only called when it is none. */
static fw_status no_number(fw_field f, const char *column, fw_error *err)
{
    char shown[FW_FIELD_SHOWN];
    fw_show_field(shown, f);
    if (fw_is_not_finite(f))
        return fw_fail(err, FW_ERR_DATA, "%s is not finite (column %s); mend the source, or list the text under data.missing", shown, column);
    bool digits = f.len > 0;
    for (size_t i = 0; i < f.len; i++) digits = digits && strchr("0123456789+-.eE", f.s[i]) != NULL && f.s[i] != '\0';
    if (digits && memchr(f.s, 'e', f.len) != memchr(f.s, 'E', f.len))
        return fw_fail(err, FW_ERR_DATA, "%s is not a number, or above 1.8e308 (column %s); mend the source, or list the text under data.missing", shown, column);
    return fw_fail(err, FW_ERR_DATA, "%s is not a number (column %s); declare the column as category, or list the text under data.missing", shown, column);
}

static fw_status put_number(fw_cells *cells, size_t row, fw_field f, const char *column, fw_error *err)
{
    if (!fw_parse_double(&cells->number[row], f.s, f.len)) return no_number(f, column, err);
    if (cells->decimal != NULL) cells->decimal[row] = fw_decimal_of(f.s, f.len, cells->number[row]);
    return FW_OK;
}

static fw_status put_time(fw_cells *cells, size_t row, fw_field f, const char *column, fw_error *err)
{
    char shown[FW_FIELD_SHOWN];
    if (fw_parse_time(&cells->time_us[row], f.s, f.len)) return FW_OK;
    fw_show_field(shown, f);
    return fw_fail(err, FW_ERR_DATA,
                   "%s is not a time (column %s); write it as 2026-03-01 or 2026-03-01T10:20:30Z, declare the column as category, or list the text under "
                   "data.missing", shown, column);
}

static fw_status put_category(fw_cells *cells, size_t row, fw_field f, fw_dict *dict, fw_table_codes codes, fw_error *err)
{
    if (codes == FW_TABLE_GROW) return fw_dict_add(&cells->code[row], dict, f.s, f.len, err);
    int32_t code = fw_dict_find(dict, f.s, f.len);
    cells->code[row] = code < 0 ? FW_CODE_UNSEEN : code;
    return FW_OK;
}

/** Numbers and times can be wrong; the other types can't. So these go first, and a bad row leaves no category behind. */
static bool can_be_wrong(fw_column_type type)
{
    return type == FW_NUMBER || type == FW_TIME;
}

static fw_status put(fw_cell_rules *rules, size_t column, size_t row, fw_field f, fw_error *err)
{
    const fw_column *c = &rules->how->schema->columns[column];
    fw_cells *cells = &rules->block->cells[column];
    if (c->type != FW_IMAGE && fw_is_missing(&rules->missing, f)) return fw_block_set_missing(rules->block, column, row, err);
    cells->missing[row] = 0;
    switch (c->type) {
    case FW_NUMBER: return put_number(cells, row, f, c->name, err);
    case FW_TIME: return put_time(cells, row, f, c->name, err);
    case FW_CATEGORY: return put_category(cells, row, f, c->dict, rules->how->codes, err);
    case FW_TEXT: return fw_block_set_text(rules->block, column, row, f.s, f.len, err);
    case FW_IMAGE: memcpy(cells->pixels + row * f.len, f.s, f.len); break;
    }
    return FW_OK;
}

/* Capacity for n more rows. */
static fw_status make_room(fw_block *block, size_t n, fw_error *err)
{
    if (n <= block->capacity - block->n_rows) return FW_OK;
    return fw_block_reserve(block, FW_MAX(FW_MAX((size_t)FIRST_ROWS, 2 * block->capacity), block->n_rows + n), err);
}

/* A column of numbers: plain ones in runs, the others one by one. */
static fw_status put_numbers(fw_cell_rules *rules, size_t column, const fw_field *fields, size_t n_fields, size_t n, fw_error *err)
{
    size_t row = rules->block->n_rows;
    fw_cells *cells = &rules->block->cells[column];
    for (size_t i = 0; i < n; i++) {
        if (!rules->missing.like_number) {
            size_t plain = fw_numbers_read(cells->number + row + i, cells->decimal != NULL ? cells->decimal + row + i : NULL, fields + i * n_fields, n_fields, n - i);
            memset(cells->missing + row + i, 0, plain);
            if ((i += plain) == n) break;
        }
        FW_TRY(put(rules, column, row + i, fields[i * n_fields], err));
    }
    return FW_OK;
}

static fw_status put_column(fw_cell_rules *rules, size_t column, const fw_field *fields, size_t n_fields, size_t n, fw_error *err)
{
    size_t row = rules->block->n_rows;
    int at = rules->how->column_of[column];
    if (at >= 0 && rules->how->schema->columns[column].type == FW_NUMBER) return put_numbers(rules, column, fields + at, n_fields, n, err);
    for (size_t i = 0; i < n; i++) {
        if (at < 0) FW_TRY(fw_block_set_missing(rules->block, column, row + i, err));
        else FW_TRY(put(rules, column, row + i, fields[i * n_fields + (size_t)at], err));
    }
    return FW_OK;
}

fw_status fw_cells_append_rows(fw_cell_rules *rules, const fw_field *fields, size_t n_fields, uint64_t first_record, size_t n, fw_error *err)
{
    const fw_schema *schema = rules->how->schema;
    fw_block *block = rules->block;
    FW_TRY(make_room(block, n, err));
    for (int wrong = 1; wrong >= 0; wrong--)
        for (size_t i = 0; i < schema->n_columns; i++)
            if (can_be_wrong(schema->columns[i].type) == (wrong == 1)) FW_TRY(put_column(rules, i, fields, n_fields, n, err));
    for (size_t i = 0; i < n; i++) block->row[block->n_rows + i] = first_record + i;
    block->n_rows += n;
    return FW_OK;
}

fw_status fw_cells_append(fw_cell_rules *rules, const fw_field *fields, uint64_t record, fw_error *err)
{
    const fw_schema *schema = rules->how->schema;
    fw_block *block = rules->block;
    size_t row = block->n_rows;
    FW_TRY(make_room(block, 1, err));
    for (int wrong = 1; wrong >= 0; wrong--)
        for (size_t i = 0; i < schema->n_columns; i++) {
            if (can_be_wrong(schema->columns[i].type) != (wrong == 1)) continue;
            int at = rules->how->column_of[i];
            if (at < 0) FW_TRY(fw_block_set_missing(block, i, row, err));
            else FW_TRY(put(rules, i, row, fields[at], err));
        }
    block->row[row] = record;
    block->n_rows++;
    return FW_OK;
}
