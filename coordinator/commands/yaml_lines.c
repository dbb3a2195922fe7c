#include "coordinator/commands/yaml_lines.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/dict.h"
#include "common/core/size.h"
#include "common/core/text.h"

#define MAX_DEPTH 32

/* Keys in order of arrival: the code of a key is the index of its value. */
struct coord_yaml_lines {
    fw_dict *keys;
    char **values;
    size_t n, capacity;
};

void coord_yaml_lines_destroy(coord_yaml_lines **l)
{
    if (*l == NULL) return;
    for (size_t i = 0; i < (*l)->n; i++) free((*l)->values[i]);
    free((*l)->values);
    fw_dict_destroy(&(*l)->keys);
    free(*l);
    *l = NULL;
}

/* Where a line's key ends: the colon behind a plain or a quoted name, followed by a blank or the line's end; len when there is none. */
static size_t key_length(const char *s, size_t len)
{
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] == '\\' && quoted) i++;
        else if (s[i] == '"') quoted = !quoted;
        else if (s[i] == ':' && !quoted && (i + 1 == len || s[i + 1] == ' ')) return i;
    }
    return len;
}

static fw_status add_value(coord_yaml_lines *l, const char *key, size_t key_len, const char *value, size_t value_len, fw_error *err)
{
    int32_t code = 0;
    if (fw_dict_find(l->keys, key, key_len) >= 0) return FW_OK;      /* a key stands once in canonical text */
    FW_TRY(fw_grow((void **)&l->values, &l->capacity, l->n + 1, sizeof *l->values, "project lines", err));
    char *copy = strndup(value, value_len);
    if (copy == NULL) return fw_fail(err, FW_ERR_NOMEM, "project lines");
    l->values[l->n++] = copy;
    return fw_dict_add(&code, l->keys, key, key_len, err);
}

/* One line at the end of `path`, whose parts end at ends[0], ends[1], ... A line without a value is a heading for deeper ones. */
static fw_status add_line(coord_yaml_lines *l, fw_text *path, size_t ends[static MAX_DEPTH], const char *line, size_t len, fw_error *err)
{
    size_t indent = 0;
    while (indent < len && line[indent] == ' ') indent++;
    const size_t depth = FW_MIN(indent / 2, (size_t)MAX_DEPTH - 1), key = key_length(line + indent, len - indent);
    if (indent == len) return FW_OK;
    const size_t above = depth > 0 ? ends[depth - 1] : 0;
    path->len = FW_MIN(path->len, above);
    if (path->len > 0) fw_text_add(path, ".");
    fw_text_add_bytes(path, line + indent, key);
    for (size_t d = depth; d < MAX_DEPTH; d++) ends[d] = path->len;
    FW_TRY(fw_text_check(path, err));
    if (path->len == 0) return FW_OK;
    size_t value = indent + key + 1;
    while (value < len && line[value] == ' ') value++;
    return value < len ? add_value(l, path->data, path->len, line + value, len - value, err) : FW_OK;
}

fw_status coord_yaml_lines_create(coord_yaml_lines **out, const char *yaml, fw_error *err)
{
    FW_AUTO(coord_yaml_lines) *l = calloc(1, sizeof *l);
    FW_AUTO(fw_text) path = {0};
    size_t ends[MAX_DEPTH] = {0};
    if (l == NULL) return fw_fail(err, FW_ERR_NOMEM, "project lines");
    FW_TRY(fw_dict_create(&l->keys, err));
    while (*yaml != '\0') {
        const size_t len = strcspn(yaml, "\n");
        FW_TRY(add_line(l, &path, ends, yaml, len, err));
        yaml += len + (yaml[len] == '\n');
    }
    *out = l;
    l = NULL;
    return FW_OK;
}

size_t      coord_yaml_lines_n(const coord_yaml_lines *l) { return l->n; }
const char *coord_yaml_lines_key(const coord_yaml_lines *l, size_t i) { return fw_dict_text(l->keys, (int32_t)i, NULL); }
const char *coord_yaml_lines_value(const coord_yaml_lines *l, size_t i) { return l->values[i]; }

const char *coord_yaml_lines_find(const coord_yaml_lines *l, const char *key)
{
    const int32_t code = fw_dict_find(l->keys, key, strlen(key));
    return code >= 0 ? l->values[code] : NULL;
}
