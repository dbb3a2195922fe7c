#include "coordinator/commands/rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/commands/thing.h"

fw_status coord_rows_format_of(coord_rows_format *out, const coord_call *call, fw_error *err)
{
    static const char *const words[] = {"table", "json", "jsonl", "csv"};
    int which = 0;
    FW_TRY(coord_option_choice(&which, call, "format", words, 4, err));
    *out = (coord_rows_format)which;
    return FW_OK;
}

/* Lists as their text, members of an object one level up: what a table can show. */
static json_t *flat(const json_t *row)
{
    json_t *out = json_object(), *v = NULL, *inner = NULL;
    const char *name = NULL, *inner_name = NULL;
    json_object_foreach((json_t *)row, name, v) {
        if (json_is_object(v)) {
            json_object_foreach(v, inner_name, inner) json_object_set(out, inner_name, inner);
        } else {
            json_object_set(out, name, v);
        }
    }
    json_object_foreach(out, name, v) {
        if (!json_is_array(v)) continue;
        FW_FREE char *text = json_dumps(v, JSON_REAL_PRECISION(17));
        json_object_set_new(out, name, json_string(text != NULL ? text : ""));
    }
    return out;
}

static json_t *flat_rows(const json_t *rows)
{
    json_t *out = json_array(), *row = NULL;
    size_t i = 0;
    json_array_foreach((json_t *)rows, i, row) json_array_append_new(out, flat(row));
    return out;
}

static void add_csv_text(fw_text *out, const char *s)
{
    if (strpbrk(s, ",\"\r\n") == NULL) {
        fw_text_add(out, s);
        return;
    }
    fw_text_add(out, "\"");
    for (; *s != '\0'; s++) fw_text_add_bytes(out, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    fw_text_add(out, "\"");
}

static void add_csv_cell(fw_text *out, const json_t *v)
{
    FW_AUTO(fw_text) number = {0};
    if (v == NULL || json_is_null(v)) return;
    if (json_is_string(v)) {
        add_csv_text(out, json_string_value(v));
        return;
    }
    coord_description_value(&number, v, 17);
    fw_text_add(out, number.data != NULL ? number.data : "");
}

static void add_csv(fw_text *out, const json_t *rows)
{
    json_t *columns = coord_description_columns(rows), *v = NULL, *row = NULL;
    const char *name = NULL;
    bool first = true;
    size_t i = 0;
    json_object_foreach(columns, name, v) {
        if (!first) fw_text_add(out, ",");
        add_csv_text(out, name);
        first = false;
    }
    fw_text_add(out, "\r\n");
    json_array_foreach((json_t *)rows, i, row) {
        first = true;
        json_object_foreach(columns, name, v) {
            if (!first) fw_text_add(out, ",");
            add_csv_cell(out, json_object_get(row, name));
            first = false;
        }
        fw_text_add(out, "\r\n");
    }
    json_decref(columns);
}

static fw_status print_json(FILE *out, const json_t *rows, bool lines, fw_error *err)
{
    if (!lines) return coord_description_print_json(out, rows, err);
    for (size_t i = 0; i < json_array_size(rows); i++) FW_TRY(coord_description_print_json(out, json_array_get(rows, i), err));
    return FW_OK;
}

fw_status coord_rows_print(FILE *out, const json_t *rows, coord_rows_format format, int digits, fw_error *err)
{
    FW_AUTO(fw_text) text = {0};
    if (format == COORD_ROWS_JSON || format == COORD_ROWS_JSONL) return print_json(out, rows, format == COORD_ROWS_JSONL, err);
    json_t *plain = flat_rows(rows);
    if (format == COORD_ROWS_CSV) add_csv(&text, plain);
    else coord_description_table(&text, plain, digits);
    json_decref(plain);
    FW_TRY(fw_text_check(&text, err));
    if (text.data != NULL && (fputs(text.data, out) < 0 || fflush(out) != 0)) return fw_fail_errno(err, FW_ERR_IO, "standard output can't be written");
    return FW_OK;
}
