#include <stdlib.h>
#include <string.h>

#include "common/project/kinds.h"

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* ---- lists of texts ---- */

static bool parse_list(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, fw_strings *out, bool sorted)
{
    if (!fw_expect(f, path, node, FW_TREE_LIST, "a list of texts, e.g. [a, b]")) return false;
    fw_strings list = {.v = fw_fill_alloc(f, node->n, sizeof *list.v)};
    if (list.v == NULL) return false;
    for (size_t i = 0; i < node->n; i++) {
        const fw_node *item = node->child[i];
        if (item->kind != FW_TREE_SCALAR) {
            fw_problem(f->problems, item, false, path, "expected a list of texts, found %s in it", fw_node_kind_name(item));
            return false;
        }
        if (key->words != NULL && fw_parse_word(f, key, path, item) < 0) return false;
        for (size_t j = 0; j < list.n && node->n <= 1000 && !(key->flags & FW_KEY_REPEATS); j++)
            if (strcmp(list.v[j], item->text) == 0) {
                fw_problem(f->problems, item, false, path, "'%.60s' stands twice in the list", item->text);
                return false;
            }
        if ((list.v[list.n++] = fw_fill_text(f, item->text)) == NULL) return false;
    }
    if (sorted) qsort(list.v, list.n, sizeof *list.v, by_text);
    *out = list;
    return true;
}

static void write_list(fw_text *out, const fw_strings *list)
{
    fw_text_add(out, "[");
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0) fw_text_add(out, ", ");
        fw_yaml_text(out, list->v[i]);
    }
    fw_text_add(out, "]");
}

static json_t *text_list_schema(void)
{
    return json_pack("{s:s, s:{s:[s,s,s,s]}}", "type", "array", "items", "type", "string", "number", "boolean", "null");
}

void fw_parse_texts(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    (void)parse_list(f, key, path, node, fw_field(base, key->at), (key->flags & FW_KEY_ANY_ORDER) != 0);
}

bool fw_write_texts(fw_text *out, const fw_key *key, const void *base)
{
    const fw_strings *list = fw_field_const(base, key->at);
    if (list->v == NULL) return false;
    write_list(out, list);
    return true;
}

json_t *fw_schema_texts(const fw_key *key)
{
    if (key->words == NULL) return text_list_schema();
    return json_pack("{s:s, s:o}", "type", "array", "items", fw_schema_word(key));
}

/* ---- lists of sizes ---- */

#define MAX_SIZES 32

void fw_parse_sizes(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_LIST, "a list of whole numbers, e.g. [64, 32]")) return;
    if (node->n > MAX_SIZES) {
        fw_problem(f->problems, node, false, path, "%zu entries: at most %d are possible", node->n, MAX_SIZES);
        return;
    }
    fw_sizes list = {.v = fw_fill_alloc(f, node->n, sizeof *list.v)};
    if (list.v == NULL) return;
    for (size_t i = 0; i < node->n; i++) {
        uint64_t v;
        const fw_node *item = node->child[i];
        bool whole = item->kind == FW_TREE_SCALAR && fw_parse_uint64(&v, item->text, strlen(item->text));
        if (!whole || (double)v < key->low || (double)v > key->high) {
            FW_AUTO(fw_text) range = {0};
            fw_range_text(&range, key);
            fw_problem(f->problems, item, false, path, "entry %zu, '%.60s', is no whole number %s", i + 1,
                       item->kind == FW_TREE_SCALAR ? item->text : "[...]", range.data);
            return;
        }
        list.v[list.n++] = (size_t)v;
    }
    *(fw_sizes *)fw_field(base, key->at) = list;
}

bool fw_write_sizes(fw_text *out, const fw_key *key, const void *base)
{
    const fw_sizes *list = fw_field_const(base, key->at);
    fw_text_add(out, "[");
    for (size_t i = 0; i < list->n; i++) fw_text_format(out, "%s%zu", i == 0 ? "" : ", ", list->v[i]);
    fw_text_add(out, "]");
    return true;
}

json_t *fw_schema_sizes(const fw_key *key)
{
    return json_pack("{s:s, s:i, s:{s:s, s:f, s:f}}", "type", "array", "maxItems", MAX_SIZES, "items", "type", "integer", "minimum", key->low,
                     "maximum", key->high);
}

/* ---- two quantiles ---- */

void fw_parse_clip(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_LIST, "two quantiles, e.g. [0.01, 0.99]")) return;
    double v[2];
    bool ok = node->n == 2;
    for (size_t i = 0; i < 2 && ok; i++) {
        const fw_node *item = node->child[i];
        ok = item->kind == FW_TREE_SCALAR && fw_parse_double(&v[i], item->text, strlen(item->text));
    }
    if (!ok || !(v[0] >= 0 && v[0] < v[1] && v[1] <= 1)) {
        fw_problem(f->problems, node, false, path, "expected two quantiles with 0 <= low < high <= 1, e.g. [0.01, 0.99]");
        return;
    }
    double *clip = fw_field(base, key->at);
    clip[0] = v[0] + 0.0;
    clip[1] = v[1];
    *(bool *)fw_field(base, key->given_at) = true;
}

bool fw_write_clip(fw_text *out, const fw_key *key, const void *base)
{
    if (!*(const bool *)fw_field_const(base, key->given_at)) return false;
    const double *clip = fw_field_const(base, key->at);
    char low[FW_NUMBER_TEXT], high[FW_NUMBER_TEXT];
    fw_format_double(low, clip[0]);
    fw_format_double(high, clip[1]);
    fw_text_format(out, "[%s, %s]", low, high);
    return true;
}

json_t *fw_schema_clip(const fw_key *key)
{
    (void)key;
    return json_pack("{s:s, s:i, s:i, s:{s:s, s:i, s:i}}", "type", "array", "minItems", 2, "maxItems", 2, "items", "type", "number", "minimum", 0,
                     "maximum", 1);
}

/* ---- gates: metric: ">= 0.85" ---- */

static const char *const gate_signs[] = {[FW_AT_LEAST] = ">=", [FW_AT_MOST] = "<=", [FW_ABOVE] = ">", [FW_BELOW] = "<"};

static bool cut_gate(const char *text, fw_gate *gate)
{
    for (size_t i = 0; i < sizeof gate_signs / sizeof gate_signs[0]; i++) {
        size_t n = strlen(gate_signs[i]);
        if (strncmp(text, gate_signs[i], n) != 0) continue;
        const char *number = text + n + strspn(text + n, " ");
        gate->op = (fw_gate_op)i;
        return fw_parse_double(&gate->bound, number, strlen(number));
    }
    return false;
}

void fw_parse_gates(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_MAP, "a map of gates, e.g. {accuracy: \">= 0.85\"}")) return;
    fw_gate *gates = fw_fill_alloc(f, node->n, sizeof *gates);
    if (gates == NULL) return;
    for (size_t i = 0; i < node->n; i++) {
        const fw_node *item = node->child[i];
        if (item->kind != FW_TREE_SCALAR || !cut_gate(item->text, &gates[i])) {
            fw_problem(f->problems, item, false, path, "%s: expected a sign and a number, e.g. \">= 0.85\" (>=, <=, > or <, in quotes)", item->key);
            return;
        }
        if ((gates[i].metric = fw_fill_text(f, item->key)) == NULL) return;
    }
    *(fw_gate **)fw_field(base, key->at) = gates;
    *(size_t *)fw_field(base, key->at2) = node->n;
}

bool fw_write_gates(fw_text *out, const fw_key *key, const void *base)
{
    const fw_gate *gates = *(fw_gate *const *)fw_field_const(base, key->at);
    size_t n = *(const size_t *)fw_field_const(base, key->at2);
    if (n == 0) return false;
    fw_text_add(out, "{");
    for (size_t i = 0; i < n; i++) {
        char bound[FW_NUMBER_TEXT];
        fw_format_double(bound, gates[i].bound);
        if (i > 0) fw_text_add(out, ", ");
        fw_yaml_text(out, gates[i].metric);
        fw_text_format(out, ": \"%s %s\"", gate_signs[gates[i].op], bound);
    }
    fw_text_add(out, "}");
    return true;
}

json_t *fw_schema_gates(const fw_key *key)
{
    (void)key;
    return json_pack("{s:s, s:{s:s, s:s}}", "type", "object", "additionalProperties", "type", "string", "pattern", "^(>=|<=|>|<) *[-+0-9.eE]+$");
}

/* ---- new class: [old classes] ---- */

static int by_into(const void *a, const void *b)
{
    return strcmp(((const fw_merge *)a)->into, ((const fw_merge *)b)->into);
}

void fw_parse_merge(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_MAP, "a map, e.g. {kindle: [kindle_account, kindle_device]}")) return;
    fw_merge *merges = fw_fill_alloc(f, node->n, sizeof *merges);
    if (merges == NULL) return;
    for (size_t i = 0; i < node->n; i++) {
        if (!parse_list(f, key, path, node->child[i], &merges[i].from, true)) return;
        if ((merges[i].into = fw_fill_text(f, node->child[i]->key)) == NULL) return;
    }
    qsort(merges, node->n, sizeof *merges, by_into);
    *(fw_merge **)fw_field(base, key->at) = merges;
    *(size_t *)fw_field(base, key->at2) = node->n;
}

bool fw_write_merge(fw_text *out, const fw_key *key, const void *base)
{
    const fw_merge *merges = *(fw_merge *const *)fw_field_const(base, key->at);
    size_t n = *(const size_t *)fw_field_const(base, key->at2);
    fw_text_add(out, "{");
    for (size_t i = 0; i < n; i++) {
        if (i > 0) fw_text_add(out, ", ");
        fw_yaml_text(out, merges[i].into);
        fw_text_add(out, ": ");
        write_list(out, &merges[i].from);
    }
    fw_text_add(out, "}");
    return true;
}

json_t *fw_schema_merge(const fw_key *key)
{
    (void)key;
    return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", text_list_schema());
}

/* ---- class weights: balanced, or class: weight; at the list, at2 its length, given_at the flag ---- */

static int by_label(const void *a, const void *b)
{
    return strcmp(((const fw_class_weight *)a)->label, ((const fw_class_weight *)b)->label);
}

void fw_parse_weights(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (node->kind == FW_TREE_SCALAR && strcmp(node->text, "balanced") == 0) {
        *(bool *)fw_field(base, key->given_at) = true;
        return;
    }
    if (!fw_expect(f, path, node, FW_TREE_MAP, "balanced, or a map, e.g. {yes: 3, no: 1}")) return;
    fw_class_weight *weights = fw_fill_alloc(f, node->n, sizeof *weights);
    if (weights == NULL) return;
    for (size_t i = 0; i < node->n; i++) {
        const fw_node *item = node->child[i];
        double v;
        if (item->kind != FW_TREE_SCALAR || !fw_parse_double(&v, item->text, strlen(item->text)) || !(v > 0 && v <= 1e6)) {
            fw_problem(f->problems, item, false, path, "%s: expected a weight > 0 and <= 1e6", item->key);
            return;
        }
        weights[i] = (fw_class_weight){fw_fill_text(f, item->key), v};
        if (weights[i].label == NULL) return;
    }
    qsort(weights, node->n, sizeof *weights, by_label);
    *(fw_class_weight **)fw_field(base, key->at) = weights;
    *(size_t *)fw_field(base, key->at2) = node->n;
}

bool fw_write_weights(fw_text *out, const fw_key *key, const void *base)
{
    const fw_class_weight *weights = *(fw_class_weight *const *)fw_field_const(base, key->at);
    size_t n = *(const size_t *)fw_field_const(base, key->at2);
    if (*(const bool *)fw_field_const(base, key->given_at)) {
        fw_text_add(out, "balanced");
        return true;
    }
    if (n == 0) return false;
    fw_text_add(out, "{");
    for (size_t i = 0; i < n; i++) {
        char weight[FW_NUMBER_TEXT];
        fw_format_double(weight, weights[i].weight);
        if (i > 0) fw_text_add(out, ", ");
        fw_yaml_text(out, weights[i].label);
        fw_text_format(out, ": %s", weight);
    }
    fw_text_add(out, "}");
    return true;
}

json_t *fw_schema_weights(const fw_key *key)
{
    (void)key;
    return json_pack("{s:[{s:s}, {s:s, s:{s:s, s:i}}]}", "anyOf", "const", "balanced", "type", "object", "additionalProperties", "type", "number",
                     "exclusiveMinimum", 0);
}

/* ---- missing: a word, or {constant: number} ---- */

void fw_parse_missing(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    fw_missing_policy policy = FW_MISSING_CONSTANT;
    double value = 0;
    if (node->kind == FW_TREE_MAP) {
        const fw_node *constant = fw_node_child(node, "constant");
        if (constant == NULL || node->n != 1 || constant->kind != FW_TREE_SCALAR ||
            !fw_parse_double(&value, constant->text, strlen(constant->text))) {
            fw_problem(f->problems, node, false, path, "expected a word or {constant: number}, e.g. {constant: 0}");
            return;
        }
    } else {
        int i = fw_parse_word(f, key, path, node);
        if (i < 0) return;
        policy = (fw_missing_policy)i;
        if (policy == FW_MISSING_CONSTANT) {
            fw_problem(f->problems, node, false, path, "constant needs its value: {constant: 0}");
            return;
        }
    }
    *(fw_missing_policy *)fw_field(base, key->at) = policy;
    *(double *)fw_field(base, key->at2) = value + 0.0;
    *(bool *)fw_field(base, key->given_at) = true;
}

bool fw_write_missing(fw_text *out, const fw_key *key, const void *base)
{
    if (!*(const bool *)fw_field_const(base, key->given_at)) return false;
    fw_missing_policy policy = *(const fw_missing_policy *)fw_field_const(base, key->at);
    if (policy != FW_MISSING_CONSTANT) {
        fw_text_add(out, key->words[policy]);
        return true;
    }
    char value[FW_NUMBER_TEXT];
    fw_format_double(value, *(const double *)fw_field_const(base, key->at2));
    fw_text_format(out, "{constant: %s}", value);
    return true;
}

json_t *fw_schema_missing(const fw_key *key)
{
    (void)key;
    return json_pack("{s:[{s:[s,s,s,s]}, {s:s, s:[s], s:b, s:{s:{s:s}}}]}", "anyOf", "enum", "mean", "median", "error", "own", "type", "object",
                     "required", "constant", "additionalProperties", 0, "properties", "constant", "type", "number");
}

/* ---- a share, or the tables themselves; at the share, at2 the list ---- */

void fw_parse_share(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (node->kind == FW_TREE_LIST) {
        (void)parse_list(f, key, path, node, fw_field(base, key->at2), false);
        return;
    }
    double v;
    if (fw_parse_in_range(f, key, path, node, &v)) *(double *)fw_field(base, key->at) = v + 0.0;
}

bool fw_write_share(fw_text *out, const fw_key *key, const void *base)
{
    const fw_strings *tables = fw_field_const(base, key->at2);
    if (tables->v != NULL) {
        write_list(out, tables);
        return true;
    }
    char share[FW_NUMBER_TEXT];
    fw_format_double(share, *(const double *)fw_field_const(base, key->at));
    fw_text_add(out, share);
    return true;
}

json_t *fw_schema_share(const fw_key *key)
{
    return json_pack("{s:[o, o]}", "anyOf", fw_schema_number(key), text_list_schema());
}
