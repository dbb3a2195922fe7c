#include "coordinator/commands/thing.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"

#define LISTED_MAX 30      /* longer lists on one line are cut to half of that */
#define GAP "  "

static const struct { const char *kind, *name; } things[] = {
    [COORD_MODEL] = {"model", "model"}, [COORD_DATASET] = {"dataset", "dataset"}, [COORD_CHECKPOINT] = {"checkpt", "checkpoint"}};
#define N_THINGS (sizeof things / sizeof things[0])

const char *coord_thing_name(coord_thing t) { return things[t].name; }

/* ---- finding ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status file_of(char **path, const char *given, fw_error *err)
{
    static const char *const names[] = {"model.h5", "checkpoint.h5"};
    if (!fw_path_exists(given)) return fw_fail(err, FW_ERR_CONFIG, "%s: there is no such file or folder", given);
    if (!fw_path_is_dir(given)) return fw_copy_text(path, given, err);
    for (size_t i = 0; i < 2; i++) {
        FW_FREE char *file = NULL;
        FW_TRY(fw_path_join(&file, given, names[i], err));
        if (!fw_path_exists(file)) continue;
        *path = file;
        file = NULL;
        return FW_OK;
    }
    return fw_fail(err, FW_ERR_CONFIG, "%s: there is neither model.h5 nor checkpoint.h5 in it; name a file or a run folder", given);
}

fw_status coord_thing_find(coord_thing *what, char **path, const char *given, fw_error *err)
{
    FW_FREE char *file = NULL;
    FW_TRY(file_of(&file, given, err));
    char head[16] = {0};
    FILE *in = fopen(file, "rb");
    if (in == NULL) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be opened", file);
    const size_t got = fread(head, 1, sizeof head, in);
    fclose(in);
    for (size_t i = 0; i < N_THINGS && got == sizeof head && memcmp(head, "FLYWHEEL", 8) == 0; i++) {
        if (strncmp(head + 8, things[i].kind, 8) != 0) continue;
        *what = (coord_thing)i;
        *path = file;
        file = NULL;
        return FW_OK;
    }
    return fw_fail(err, FW_ERR_FORMAT, "%s is no flywheel model, dataset or checkpoint: its head does not say so", file);
}

/* ---- showing ---------------------------------------------------------------------------------------------------------------------------- */

static bool is_scalar(const json_t *v) { return !json_is_object(v) && !json_is_array(v); }

static bool is_simple(const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!is_scalar(json_array_get(v, i))) return false;
    return !json_is_object(v);
}

static void add_plain(fw_text *out, const char *s)
{
    for (; *s != '\0'; s++) fw_text_add_bytes(out, (unsigned char)*s < 0x20 || *s == 0x7f ? "?" : s, 1);
}

static void add_real(fw_text *out, double v, int digits)
{
    char shortest[FW_NUMBER_TEXT];
    fw_format_double(shortest, v);
    if (digits >= 17) fw_text_add(out, shortest);
    else fw_text_format(out, "%.*g", digits, v);
}

void coord_description_value(fw_text *out, const json_t *v, int digits)
{
    switch (json_typeof(v)) {
    case JSON_STRING: add_plain(out, json_string_value(v)); break;
    case JSON_INTEGER: fw_text_format(out, "%" JSON_INTEGER_FORMAT, json_integer_value(v)); break;
    case JSON_REAL: add_real(out, json_real_value(v), digits); break;
    case JSON_TRUE: fw_text_add(out, "yes"); break;
    case JSON_FALSE: fw_text_add(out, "no"); break;
    case JSON_NULL: fw_text_add(out, "-"); break;
    case JSON_ARRAY: fw_text_format(out, "%zu values", json_array_size(v)); break;
    case JSON_OBJECT: fw_text_format(out, "%zu values", json_object_size(v)); break;
    }
}

static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void add_padded(fw_text *out, const char *s, size_t width, bool right)
{
    const size_t n = characters(s);
    if (!right) fw_text_add(out, s);
    for (size_t i = n; i < width; i++) fw_text_add(out, " ");
    if (right) fw_text_add(out, s);
}

/* The text of one cell; '' where the row has no such member. */
static void add_cell(fw_text *out, const json_t *row, const char *column, int digits)
{
    const json_t *v = json_object_get(row, column);
    if (v != NULL) coord_description_value(out, v, digits);
}

/* Width of a column with its heading; *numeric: every value in it is a number, and it is set to the right. */
static size_t column_width(const json_t *rows, const char *column, int digits, bool *numeric)
{
    size_t width = characters(column);
    *numeric = true;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *v = json_object_get(json_array_get(rows, i), column);
        FW_AUTO(fw_text) cell = {0};
        add_cell(&cell, json_array_get(rows, i), column, digits);
        width = FW_MAX(width, cell.data != NULL ? characters(cell.data) : 0);
        if (v != NULL && !json_is_null(v) && !json_is_number(v)) *numeric = false;
    }
    return width;
}

json_t *coord_description_columns(const json_t *rows)
{
    json_t *columns = json_object();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *name = NULL;
        json_t *v = NULL;
        json_object_foreach(json_array_get(rows, i), name, v)
            if (json_object_get(columns, name) == NULL) json_object_set_new(columns, name, json_null());
    }
    return columns;
}

void coord_description_table(fw_text *out, const json_t *rows, int digits)
{
    json_t *columns = coord_description_columns(rows), *v = NULL;
    const char *name = NULL;
    const size_t n = json_array_size(rows);
    fw_text *lines = calloc(n + 1, sizeof *lines);
    if (lines == NULL) out->failed = true;
    json_object_foreach(columns, name, v) {
        bool numeric = false;
        const size_t width = column_width(rows, name, digits, &numeric);
        for (size_t i = 0; lines != NULL && i <= n; i++) {
            FW_AUTO(fw_text) cell = {0};
            if (i == 0) fw_text_add(&cell, name);
            else add_cell(&cell, json_array_get(rows, i - 1), name, digits);
            fw_text_add(&lines[i], GAP);
            add_padded(&lines[i], cell.data != NULL ? cell.data : "", width, numeric);
        }
    }
    for (size_t i = 0; lines != NULL && i <= n; i++) {
        while (lines[i].len > 0 && lines[i].data[lines[i].len - 1] == ' ') lines[i].len--;
        fw_text_add_bytes(out, lines[i].data != NULL ? lines[i].data : "", lines[i].len);
        fw_text_add(out, "\n");
        fw_text_destroy(&lines[i]);
    }
    free(lines);
    json_decref(columns);
}

static void add_list(fw_text *out, const json_t *list, int digits)
{
    const size_t n = json_array_size(list), shown = n > LISTED_MAX ? LISTED_MAX / 2 : n;
    for (size_t i = 0; i < shown; i++) {
        if (i > 0) fw_text_add(out, ", ");
        coord_description_value(out, json_array_get(list, i), digits);
    }
    if (n == 0) fw_text_add(out, "none");
    if (shown < n) fw_text_format(out, " and %zu more (--format json lists them)", n - shown);
}

static void add_object(fw_text *out, const json_t *o, const char *indent, int digits)
{
    const char *name = NULL;
    json_t *v = NULL;
    size_t width = 0;
    json_object_foreach((json_t *)o, name, v) if (is_simple(v)) width = FW_MAX(width, characters(name));
    json_object_foreach((json_t *)o, name, v) {
        if (!is_simple(v)) continue;
        fw_text_add(out, indent);
        add_padded(out, name, width, false);
        fw_text_add(out, GAP);
        if (json_is_array(v)) add_list(out, v, digits);
        else coord_description_value(out, v, digits);
        fw_text_add(out, "\n");
    }
    json_object_foreach((json_t *)o, name, v) {
        if (is_simple(v)) continue;
        fw_text_format(out, "\n%s\n", name);
        if (json_is_array(v)) coord_description_table(out, v, digits);
        else add_object(out, v, GAP, digits);
    }
}

static fw_status put(FILE *out, const char *text, fw_error *err)
{
    if (fputs(text, out) < 0 || fflush(out) != 0) return fw_fail_errno(err, FW_ERR_IO, "standard output can't be written");
    return FW_OK;
}

fw_status coord_description_print(FILE *out, const json_t *description, int digits, fw_error *err)
{
    FW_AUTO(fw_text) text = {0};
    add_object(&text, description, "", digits);
    FW_TRY(fw_text_check(&text, err));
    return put(out, text.data != NULL ? text.data : "", err);
}

fw_status coord_description_print_json(FILE *out, const json_t *description, fw_error *err)
{
    FW_FREE char *text = json_dumps(description, JSON_COMPACT | JSON_REAL_PRECISION(17));
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "the description as JSON");
    FW_TRY(put(out, text, err));
    return put(out, "\n", err);
}
