/** The table of keys for others: a JSON Schema for editors, and the reference for people. */
#include <string.h>

#include "common/core/size.h"
#include "common/project/kinds.h"

/* ---- JSON Schema ---- */

static json_t *schema_of(const fw_key *key);

/** The object with the keys below parent (NULL: the whole file). */
static json_t *object_below(const fw_key *parent)
{
    json_t *properties = json_object(), *required = json_array();
    for (size_t i = 0; i < fw_n_keys; i++) {
        const fw_key *key = &fw_keys[i];
        if (!fw_key_is_child(key, parent)) continue;
        json_object_set_new(properties, fw_key_name(key), schema_of(key));
        if (key->flags & FW_KEY_REQUIRED) json_array_append_new(required, json_string(fw_key_name(key)));
    }
    json_t *object = json_pack("{s:s, s:b, s:o}", "type", "object", "additionalProperties", 0, "properties", properties);
    if (json_array_size(required) > 0) json_object_set_new(object, "required", required);
    else json_decref(required);
    return object;
}

/** A map, or the bare value that stands for one of its keys. */
static json_t *with_brief(const fw_key *key, json_t *object)
{
    if (key->brief == NULL) return object;
    return json_pack("{s:[o, o]}", "anyOf", object, schema_of(fw_key_below(key, key->brief)));
}

static json_t *form_schema(const fw_key *key)
{
    if (key->form == FW_KEY_SECTION) return with_brief(key, object_below(key));
    if (key->form != FW_KEY_MAP) return fw_key_kinds[key->form].schema(key);
    json_t *map = json_pack("{s:s, s:o}", "type", "object", "additionalProperties", with_brief(key, object_below(key)));
    if (key->fallback == NULL) return map;
    return json_pack("{s:[o, {s:s}]}", "anyOf", map, "const", "*");
}

static json_t *schema_of(const fw_key *key)
{
    json_t *schema = form_schema(key);
    FW_AUTO(fw_text) help = {0};
    fw_text_format(&help, "%s%s%s%s", key->help, key->when != NULL ? " (for " : "", key->when != NULL ? key->when : "", key->when != NULL ? ")" : "");
    if (key->flags & FW_KEY_LATER) fw_text_add(&help, " (not used by this version)");
    json_object_set_new(schema, "description", json_string(help.data != NULL ? help.data : ""));
    if (key->fallback != NULL && key->form != FW_KEY_MAP) {
        json_t *value = json_loads(key->fallback, JSON_DECODE_ANY, NULL);
        json_object_set_new(schema, "default", value != NULL ? value : json_string(key->fallback));
    }
    return schema;
}

fw_status fw_project_schema_json(FILE *out, fw_error *err)
{
    json_t *schema = json_pack("{s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title", "flywheel project file");
    json_t *object = object_below(NULL);
    int failed = schema == NULL || object == NULL || json_object_update(schema, object) < 0 || json_dumpf(schema, out, JSON_INDENT(2)) < 0 ||
                 fputc('\n', out) == EOF;
    json_decref(object);
    json_decref(schema);
    return failed ? fw_fail(err, FW_ERR_IO, "writing the JSON schema failed") : FW_OK;
}

/* ---- the reference ---- */

static void type_text(fw_text *out, const fw_key *key)
{
    if (key->words != NULL && key->form != FW_KEY_MISSING) {
        for (size_t i = 0; key->words[i] != NULL; i++) fw_text_format(out, "%s%s", i == 0 ? "" : " | ", key->words[i]);
        return;
    }
    fw_text_add(out, fw_key_kinds[key->form].name);
    if (key->low < key->high) fw_text_add(out, " ");
    fw_range_text(out, key);
}

static void print_key(FILE *out, const fw_key *key)
{
    if (key->form == FW_KEY_SECTION || key->form == FW_KEY_MAP) {
        fprintf(out, "%s%s: %s%s\n", strchr(key->path, '.') == NULL ? "\n" : "", key->path, key->help,
                key->flags & FW_KEY_LATER ? " (not used by this version)" : "");
        return;
    }
    FW_AUTO(fw_text) type = {0};
    type_text(&type, key);
    fprintf(out, "  %-32s %s\n", key->path, key->help);
    fprintf(out, "  %-32s %s", "", type.data != NULL ? type.data : "");
    if (key->flags & FW_KEY_REQUIRED) fprintf(out, "; required");
    if (key->fallback != NULL) fprintf(out, "; default %s", key->fallback);
    if (key->when != NULL) fprintf(out, "; for %s", key->when);
    if (key->flags & FW_KEY_LATER) fprintf(out, "; not used by this version");
    fprintf(out, "\n");
}

static bool is_within(const char *path, const char *section)
{
    size_t n = strlen(section);
    return strncmp(path, section, n) == 0 && (path[n] == '\0' || path[n] == '.');
}

fw_status fw_project_print_keys(FILE *out, const char *section, fw_error *err)
{
    const char *names[64] = {0};
    size_t n = 0, shown = 0;
    for (size_t i = 0; i < fw_n_keys; i++) {
        if (fw_key_is_child(&fw_keys[i], NULL) && n < 64) names[n++] = fw_keys[i].path;
        if (section != NULL && !is_within(fw_keys[i].path, section)) continue;
        print_key(out, &fw_keys[i]);
        shown++;
    }
    if (shown == 0) {
        const char *near = fw_did_you_mean(section, names, n);
        return fw_fail(err, FW_ERR_CONFIG, "'%s' is no section or key of the project file%s%s%s", section, near != NULL ? ", did you mean '" : "",
                       near != NULL ? near : "", near != NULL ? "'?" : "");
    }
    return ferror(out) ? fw_fail(err, FW_ERR_IO, "writing the reference of keys failed") : FW_OK;
}
