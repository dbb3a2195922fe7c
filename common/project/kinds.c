#include "common/project/kinds.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what the forms share ---- */

bool fw_expect(fw_fill *f, const char *path, const fw_node *node, fw_tree_kind kind, const char *what)
{
    if (node->kind == kind && !fw_node_is_empty(node)) return true;
    if (fw_node_is_empty(node)) fw_problem(f->problems, node, false, path, "nothing stands behind the colon: expected %s, or remove the key", what);
    else if (node->kind == FW_TREE_SCALAR) fw_problem(f->problems, node, false, path, "expected %s, found '%.60s'", what, node->text);
    else fw_problem(f->problems, node, false, path, "expected %s, found %s", what, fw_node_kind_name(node));
    return false;
}

static bool any_range(const fw_key *key)
{
    return key->low >= key->high;
}

void fw_range_text(fw_text *out, const fw_key *key)
{
    if (any_range(key)) return;
    char low[FW_NUMBER_TEXT], high[FW_NUMBER_TEXT];
    fw_format_double(low, key->low);
    fw_format_double(high, key->high);
    fw_text_format(out, "%s %s and %s %s", key->flags & FW_KEY_LOW_OPEN ? ">" : ">=", low, key->flags & FW_KEY_HIGH_OPEN ? "<" : "<=", high);
}

static bool in_range(const fw_key *key, double v)
{
    if (any_range(key)) return true;
    if (v < key->low || v > key->high) return false;
    return !(key->flags & FW_KEY_LOW_OPEN && v <= key->low) && !(key->flags & FW_KEY_HIGH_OPEN && v >= key->high);
}

static void out_of_range(fw_fill *f, const fw_key *key, const char *path, const fw_node *node)
{
    FW_AUTO(fw_text) range = {0};
    fw_range_text(&range, key);
    fw_problem(f->problems, node, false, path, "%.60s is out of range: must be %s", node->text, range.data);
}

bool fw_parse_in_range(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, double *out)
{
    if (!fw_expect(f, path, node, FW_TREE_SCALAR, "a number")) return false;
    double v;
    if (!fw_parse_double(&v, node->text, strlen(node->text)) || !isfinite(v)) {
        fw_problem(f->problems, node, false, path, "expected a number, found '%.60s'", node->text);
        return false;
    }
    if (!in_range(key, v)) {
        out_of_range(f, key, path, node);
        return false;
    }
    *out = v;
    return true;
}

int fw_parse_word(fw_fill *f, const fw_key *key, const char *path, const fw_node *node)
{
    if (!fw_expect(f, path, node, FW_TREE_SCALAR, "a word")) return -1;
    size_t n = 0;
    for (; key->words[n] != NULL; n++)
        if (strcmp(node->text, key->words[n]) == 0) return (int)n;
    FW_AUTO(fw_text) list = {0};
    for (size_t i = 0; i < n; i++) fw_text_format(&list, "%s%s", i == 0 ? "" : ", ", key->words[i]);
    const char *near = fw_did_you_mean(node->text, key->words, n);
    fw_problem(f->problems, node, false, path, "'%.60s' is none of %s%s%s%s", node->text, list.data, near != NULL ? ": did you mean '" : "",
               near != NULL ? near : "", near != NULL ? "'?" : "");
    return -1;
}

static json_t *schema_of_type(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

/* ---- text ---- */

static void parse_text(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_SCALAR, "a text")) return;
    if (node->text[0] == '\0') {
        fw_problem(f->problems, node, false, path, "is an empty text: give a value or remove the key");
        return;
    }
    *(char **)fw_field(base, key->at) = fw_fill_text(f, node->text);
}

static bool write_text(fw_text *out, const fw_key *key, const void *base)
{
    const char *v = *(char *const *)fw_field_const(base, key->at);
    if (v == NULL) return false;
    fw_yaml_text(out, v);
    return true;
}

/** Texts may look like numbers to an editor: `id: 5`. */
static json_t *schema_text(const fw_key *key)
{
    (void)key;
    return json_pack("{s:[s,s,s]}", "type", "string", "number", "boolean");
}

/* ---- word ---- */

static void parse_word(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    int i = fw_parse_word(f, key, path, node);
    if (i < 0) return;
    *(int *)fw_field(base, key->at) = i;
    if (key->given_at != 0) *(bool *)fw_field(base, key->given_at) = true;
}

static bool write_word(fw_text *out, const fw_key *key, const void *base)
{
    if (key->given_at != 0 && !*(const bool *)fw_field_const(base, key->given_at)) return false;
    fw_yaml_text(out, key->words[*(const int *)fw_field_const(base, key->at)]);
    return true;
}

json_t *fw_schema_word(const fw_key *key)
{
    json_t *words = json_array();
    for (size_t i = 0; key->words[i] != NULL; i++) json_array_append_new(words, json_string(key->words[i]));
    return json_pack("{s:o}", "enum", words);
}

static void parse_word_text(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    int i = fw_parse_word(f, key, path, node);
    if (i >= 0) *(char **)fw_field(base, key->at) = fw_fill_text(f, key->words[i]);
}

/** Clustering is known to the file, and not yet to the rest. */
static void parse_task(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    int i = fw_parse_word(f, key, path, node);
    if (i < 0) return;
    fw_project *p = base;
    ((fw_internal *)p->internal)->clustering = i == 2;
    p->problem.task = i == 1 ? FW_TASK_REGRESSION : FW_TASK_CLASSIFICATION;
}

static bool write_task(fw_text *out, const fw_key *key, const void *base)
{
    const fw_project *p = base;
    bool clustering = ((const fw_internal *)p->internal)->clustering;
    fw_text_add(out, key->words[clustering ? 2 : p->problem.task == FW_TASK_REGRESSION ? 1 : 0]);
    return true;
}

/* ---- one character ---- */

static void parse_char(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_SCALAR, "one character, or tab")) return;
    const char *s = node->text;
    char *out = fw_field(base, key->at);
    if (strcmp(s, "tab") == 0 || strcmp(s, "\\t") == 0) *out = '\t';
    else if (strcmp(s, "none") == 0 && key->fallback != NULL) *out = '\0';
    else if (s[0] != '\0' && s[1] == '\0' && (s[0] == '\t' || (strchr(" !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", s[0]) != NULL))) *out = s[0];
    else
        fw_problem(f->problems, node, false, path, "expected one sign such as \";\", or tab%s, found '%.20s'",
                   key->fallback != NULL ? ", or none" : "", s);
}

static bool write_char(fw_text *out, const fw_key *key, const void *base)
{
    char c = *(const char *)fw_field_const(base, key->at);
    if (c == '\0' && key->fallback == NULL) return false;
    if (c == '\0') fw_text_add(out, "none");
    else if (c == '\t') fw_text_add(out, "tab");
    else fw_yaml_text(out, (char[]){c, '\0'});
    return true;
}

static json_t *schema_char(const fw_key *key)
{
    (void)key;
    return schema_of_type("string");
}

/* ---- truth, numbers ---- */

static void parse_bool(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_SCALAR, "true or false")) return;
    bool yes = strcmp(node->text, "true") == 0;
    if (!yes && strcmp(node->text, "false") != 0) {
        fw_problem(f->problems, node, false, path, "expected true or false, found '%.60s'", node->text);
        return;
    }
    *(bool *)fw_field(base, key->at) = yes;
}

static bool write_bool(fw_text *out, const fw_key *key, const void *base)
{
    fw_text_add(out, *(const bool *)fw_field_const(base, key->at) ? "true" : "false");
    return true;
}

static json_t *schema_bool(const fw_key *key)
{
    (void)key;
    return schema_of_type("boolean");
}

static void parse_number(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    double v;
    if (fw_parse_in_range(f, key, path, node, &v)) *(double *)fw_field(base, key->at) = v + 0.0;      /* -0 is 0 */
}

static bool write_number(fw_text *out, const fw_key *key, const void *base)
{
    fw_yaml_number(out, *(const double *)fw_field_const(base, key->at));
    return true;
}

static void add_range(json_t *schema, const fw_key *key)
{
    if (any_range(key)) return;
    json_object_set_new(schema, key->flags & FW_KEY_LOW_OPEN ? "exclusiveMinimum" : "minimum", json_real(key->low));
    json_object_set_new(schema, key->flags & FW_KEY_HIGH_OPEN ? "exclusiveMaximum" : "maximum", json_real(key->high));
}

json_t *fw_schema_number(const fw_key *key)
{
    json_t *s = schema_of_type("number");
    add_range(s, key);
    return s;
}

static void parse_integer(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_SCALAR, "a whole number")) return;
    int64_t v;
    if (!fw_parse_int64(&v, node->text, strlen(node->text)))
        fw_problem(f->problems, node, false, path, "expected a whole number, found '%.60s'", node->text);
    else if (v < 0 || !in_range(key, (double)v) || (!any_range(key) && (uint64_t)v > (uint64_t)key->high)) out_of_range(f, key, path, node);
    else *(uint64_t *)fw_field(base, key->at) = (uint64_t)v;
}

static bool write_integer(fw_text *out, const fw_key *key, const void *base)
{
    fw_text_format(out, "%llu", (unsigned long long)*(const uint64_t *)fw_field_const(base, key->at));
    return true;
}

static json_t *schema_integer(const fw_key *key)
{
    json_t *s = schema_of_type("integer");
    add_range(s, key);
    return s;
}

/* ---- durations ---- */

typedef struct unit { const char *name; double seconds; } unit;
static const unit units[] = {{"ms", 0.001}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};

/** "<number> <unit>": the number and the unit behind optional blanks. */
static bool cut_quantity(const char *text, double *number, const char **name)
{
    size_t n = strspn(text, "0123456789.eE+-");
    *name = text + n + strspn(text + n, " ");
    return n > 0 && fw_parse_double(number, text, n) && isfinite(*number);
}

static bool duration_of(double *seconds, const char *text)
{
    double v;
    const char *name;
    if (!cut_quantity(text, &v, &name) || !(v > 0)) return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(name, units[i].name) == 0) {
            *seconds = v * units[i].seconds;
            return true;
        }
    return false;
}

static bool duration(fw_fill *f, const char *path, const fw_node *node, const char *what, double *seconds)
{
    if (!fw_expect(f, path, node, FW_TREE_SCALAR, what)) return false;
    if (duration_of(seconds, node->text)) return true;
    fw_problem(f->problems, node, false, path, "expected %s, found '%.60s'", what, node->text);
    return false;
}

static void parse_duration(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    double v;
    if (duration(f, path, node, "a time with its unit: ms, s, min, h or d, e.g. \"60 s\"", &v)) *(double *)fw_field(base, key->at) = v;
}

static bool write_duration(fw_text *out, const fw_key *key, const void *base)
{
    char text[FW_NUMBER_TEXT];
    fw_format_double(text, *(const double *)fw_field_const(base, key->at));
    fw_text_format(out, "%s s", text);
    return true;
}

static json_t *schema_duration(const fw_key *key)
{
    (void)key;
    return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9.eE+-]+ *(ms|s|min|h|d)$");
}

/** A time, or a number of rounds. */
static void parse_every(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    double *seconds = fw_field(base, key->at), v;
    uint64_t *rounds = fw_field(base, key->at2);
    const char *name;
    if (node->kind == FW_TREE_SCALAR && cut_quantity(node->text, &v, &name) && (strcmp(name, "rounds") == 0 || strcmp(name, "round") == 0)) {
        if (v < 1 || v > 1e9 || v != floor(v)) {
            fw_problem(f->problems, node, false, path, "'%.60s': a whole number of rounds >= 1 is needed", node->text);
            return;
        }
        *rounds = (uint64_t)v;
        *seconds = 0;
    } else if (duration(f, path, node, "a time with its unit or a number of rounds, e.g. \"60 s\", \"5 min\" or \"5 rounds\"", &v)) {
        *seconds = v;
        *rounds = 0;
    }
}

static bool write_every(fw_text *out, const fw_key *key, const void *base)
{
    uint64_t rounds = *(const uint64_t *)fw_field_const(base, key->at2);
    if (rounds == 0) return write_duration(out, key, base);
    fw_text_format(out, "%llu rounds", (unsigned long long)rounds);
    return true;
}

static json_t *schema_every(const fw_key *key)
{
    (void)key;
    return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[0-9.eE+-]+ *(ms|s|min|h|d|rounds?)$");
}

/* ---- windows: rows, or a time ---- */

#define WINDOW_NEEDS "a number of rows up to 1000000000, or a time between 1 s and 7 d with its unit, e.g. 1000 or \"60 s\""

bool fw_window_parse(uint64_t *rows, double *seconds, const char *text)
{
    uint64_t n;
    double s;
    if (fw_parse_uint64(&n, text, strlen(text))) {
        if (n < 1 || n > FW_WINDOW_MAX_ROWS) return false;
        *rows = n;
        *seconds = 0;
        return true;
    }
    if (!duration_of(&s, text) || s < FW_WINDOW_MIN_S || s > FW_WINDOW_MAX_S) return false;
    *rows = 0;
    *seconds = s;
    return true;
}

static void parse_window(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_SCALAR, WINDOW_NEEDS)) return;
    if (!fw_window_parse(fw_field(base, key->at), fw_field(base, key->at2), node->text))
        fw_problem(f->problems, node, false, path, "expected " WINDOW_NEEDS ", found '%.60s'", node->text);
}

static bool write_window(fw_text *out, const fw_key *key, const void *base)
{
    char text[FW_NUMBER_TEXT];
    const double seconds = *(const double *)fw_field_const(base, key->at2);
    if (!(seconds > 0)) return write_integer(out, key, base);
    fw_format_double(text, seconds);
    fw_text_format(out, "%s s", text);
    return true;
}

static json_t *schema_window(const fw_key *key)
{
    return json_pack("{s:[o, o]}", "anyOf", schema_integer(key), schema_duration(key));
}

/* ---- sections of later versions that are kept as they are ---- */

static void parse_any(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    (void)key;
    (void)base;
    (void)fw_expect(f, path, node, FW_TREE_MAP, "a map");
}

static bool write_none(fw_text *out, const fw_key *key, const void *base)
{
    (void)out;
    (void)key;
    (void)base;
    return false;
}

static json_t *schema_any(const fw_key *key)
{
    (void)key;
    return schema_of_type("object");
}

const fw_key_kind fw_key_kinds[FW_N_KEY_FORMS] = {
    [FW_KEY_SECTION] = {.name = "section"},
    [FW_KEY_MAP] = {.name = "map"},
    [FW_KEY_TEXT] = {"text", parse_text, write_text, schema_text},
    [FW_KEY_WORD] = {"word", parse_word, write_word, fw_schema_word},
    [FW_KEY_WORD_TEXT] = {"word", parse_word_text, write_text, fw_schema_word},
    [FW_KEY_TASK] = {"word", parse_task, write_task, fw_schema_word},
    [FW_KEY_CHAR] = {"character", parse_char, write_char, schema_char},
    [FW_KEY_BOOL] = {"true or false", parse_bool, write_bool, schema_bool},
    [FW_KEY_NUMBER] = {"number", parse_number, write_number, fw_schema_number},
    [FW_KEY_INTEGER] = {"whole number", parse_integer, write_integer, schema_integer},
    [FW_KEY_DURATION] = {"time", parse_duration, write_duration, schema_duration},
    [FW_KEY_TEXTS] = {"list of texts", fw_parse_texts, fw_write_texts, fw_schema_texts},
    [FW_KEY_SIZES] = {"list of whole numbers", fw_parse_sizes, fw_write_sizes, fw_schema_sizes},
    [FW_KEY_CLIP] = {"two quantiles", fw_parse_clip, fw_write_clip, fw_schema_clip},
    [FW_KEY_GATES] = {"metric: bound", fw_parse_gates, fw_write_gates, fw_schema_gates},
    [FW_KEY_MERGE] = {"class: [classes]", fw_parse_merge, fw_write_merge, fw_schema_merge},
    [FW_KEY_WEIGHTS] = {"balanced, or class: weight", fw_parse_weights, fw_write_weights, fw_schema_weights},
    [FW_KEY_MISSING] = {"word, or {constant: number}", fw_parse_missing, fw_write_missing, fw_schema_missing},
    [FW_KEY_EVERY] = {"time, or rounds", parse_every, write_every, schema_every},
    [FW_KEY_WINDOW] = {"rows, or time", parse_window, write_window, schema_window},
    [FW_KEY_SHARE] = {"number, or tables", fw_parse_share, fw_write_share, fw_schema_share},
    [FW_KEY_SPACE] = {"key: {low, high, step, log, when} or {choices, when}", fw_parse_space, fw_write_space, fw_schema_space},
    [FW_KEY_ANY] = {"map", parse_any, write_none, schema_any},
};
