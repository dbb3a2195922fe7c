#include "coordinator/commands/survey_table.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "common/data/input.h"

#define LINE_BYTES (1u << 20)          /* of the first line that are looked at */

fw_status coord_table_delimiter(char *out, const char *word, fw_error *err)
{
    if (strcmp(word, "tab") != 0 && strcmp(word, "\\t") != 0 && (strlen(word) != 1 || strchr("\"\r\n", word[0]) != NULL))
        return fw_fail(err, FW_ERR_CONFIG, "init: --delimiter is \"%s\"; it must be one character, or tab", word);
    *out = strlen(word) == 1 ? word[0] : '\t';
    return FW_OK;
}

/* ---- with a header ------------------------------------------------------------------------------------------------------------------------ */

static fw_status open_as(fw_table **out, const char *path, char delimiter, fw_error *err)
{
    fw_table_spec spec = {.name = "data", .path = (char *)path, .header = true, .delimiter = delimiter, .quote = '"', .trim = true};
    return fw_table_open(out, &spec, "", &fw_reduce_alone, err);
}

/** What the file's ending says, unless another delimiter gives several columns where that gives one or can't be read. */
static fw_status open_guessing(fw_table **out, char *delimiter, const char *path, fw_error *err)
{
    static const char others[] = {';', '\t', '|', ','};
    FW_AUTO(fw_table) *best = NULL;
    fw_error first;
    fw_status s = open_as(&best, path, 0, &first);
    for (size_t i = 0; (s == FW_ERR_DATA || (s >= 0 && fw_table_n_columns(best) == 1)) && i < sizeof others; i++) {
        FW_AUTO(fw_table) *t = NULL;
        fw_error why;
        if (open_as(&t, path, others[i], &why) < 0 || fw_table_n_columns(t) == 1) continue;
        *delimiter = others[i];
        fw_table_destroy(&best);
        best = t;
        t = NULL;
        s = FW_OK;
    }
    if (s < 0) return fw_fail(err, s, "%s", first.text);
    *out = best;
    best = NULL;
    return FW_OK;
}

/* ---- without a header --------------------------------------------------------------------------------------------------------------------- */

/** How often each byte stands outside quotes in the first line. */
static fw_status count_bytes(size_t count[static 256], const char *path, fw_error *err)
{
    FW_AUTO(fw_input) *in = NULL;
    FW_FREE char *line = malloc(LINE_BYTES);
    size_t len;
    if (line == NULL) return fw_fail(err, FW_ERR_NOMEM, "init: the first line");
    FW_TRY(fw_input_open(&in, path, err));
    FW_TRY(fw_input_read(in, 0, line, LINE_BYTES, &len, err));
    bool quoted = false;
    for (size_t i = 0; i < len && (quoted || line[i] != '\n'); i++) {
        if (line[i] == '"') quoted = !quoted;
        else if (!quoted) count[(unsigned char)line[i]]++;
    }
    return FW_OK;
}

static fw_status open_named(fw_table **out, const char *path, char delimiter, size_t n, fw_error *err)
{
    FW_FREE char **names = calloc(n, sizeof *names);
    FW_FREE char *texts = calloc(n, FW_NUMBER_TEXT);
    if (names == NULL || texts == NULL) return fw_fail(err, FW_ERR_NOMEM, "init: names of %zu columns", n);
    for (size_t i = 0; i < n; i++) {
        names[i] = texts + i * FW_NUMBER_TEXT;
        snprintf(names[i], FW_NUMBER_TEXT, "c%zu", i + 1);
    }
    fw_table_spec spec = {.name = "data", .path = (char *)path, .delimiter = delimiter, .quote = '"', .trim = true, .columns = {names, n}};
    return fw_table_open(out, &spec, "", &fw_reduce_alone, err);
}

static fw_status open_without_header(fw_table **out, char *delimiter, const char *path, fw_error *err)
{
    size_t count[256] = {0};
    FW_TRY(count_bytes(count, path, err));
    char used = *delimiter;
    for (const char *c = ",\t;|"; *delimiter == 0 && *c != '\0'; c++)
        if (count[(unsigned char)*c] > (used != 0 ? count[(unsigned char)used] : 0)) used = *c;
    FW_TRY(open_named(out, path, used, used != 0 ? count[(unsigned char)used] + 1 : 1, err));
    *delimiter = used;
    return FW_OK;
}

fw_status coord_table_form_open(fw_table **out, coord_table_form *form, const char *path, fw_error *err)
{
    if (form->no_header) return open_without_header(out, &form->delimiter, path, err);
    if (form->delimiter != 0) return open_as(out, path, form->delimiter, err);
    return open_guessing(out, &form->delimiter, path, err);
}
