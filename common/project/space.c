/** tune.space: parameters of a search, each a key of the project file with a range or choices, and conditions between them.
 *  All of it is checked here, against the type and range of the keys themselves: what is left has a value for every point. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/address.h"
#include "common/project/kinds.h"
#include "common/project/space_parts.h"

/* ---- one value, tried on its key ---- */

char *fw_space_try(fw_space_reader *r, const fw_address *a, const char *path, const fw_node *node)
{
    fw_fill *f = r->f;
    if (fw_node_is_null(node)) return fw_fill_text(f, "null");
    fw_internal nothing = {0};
    fw_project project = {.internal = &nothing};
    fw_feature_spec feature = {0};
    fw_table_spec table = {0};
    void *base = a->element == NULL ? (void *)&project : strncmp(a->key->path, "features.", 9) == 0 ? (void *)&feature : (void *)&table;
    fw_node item = *node, *only = &item, map = {.kind = FW_TREE_MAP, .origin = node->origin, .line = node->line, .column = node->column, .child = &only, .n = 1};
    item.key = a->name;
    max_align_t scratch[16] = {0};                             /* of a key that has no field */
    fw_key key = *a->key;
    if (key.at == 0 && key.flags & FW_KEY_LATER) {
        base = scratch;
        key.at2 = sizeof(max_align_t) * 8;
    }
    const size_t before = f->problems->n + f->problems->dropped;
    fw_key_kinds[key.form].parse(f, &key, path, a->name != NULL ? &map : node, base);
    if (f->problems->n + f->problems->dropped > before || f->out_of_memory) return NULL;
    FW_AUTO(fw_text) text = {0};
    if (a->name != NULL || base == (void *)scratch || !fw_key_kinds[key.form].write(&text, &key, base)) {
        fw_text_clear(&text);
        fw_yaml_node(&text, node);
    }
    if (text.failed) f->out_of_memory = true;
    return text.failed ? NULL : fw_fill_text(f, text.data);
}

/* ---- ranges ---- */

double fw_space_grid(double low, double step, double k)
{
    static const double power[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    for (size_t d = 0; d < sizeof power / sizeof *power; d++) {
        const double l = round(low * power[d]), s = round(step * power[d]), v = l + k * s;
        if (fabs(l) + fabs(v) > 9007199254740992.0) break;
        if (l / power[d] == low && s / power[d] == step) return v / power[d];
    }
    return low + k * step;
}

/** A node of the range as a number, tried on the key; whole ones are checked as such by it. */
static bool bound(fw_space_reader *r, const fw_space_entry *e, const fw_node *node, double *out)
{
    if (!fw_expect(r->f, e->path, node, FW_TREE_SCALAR, "a number")) return false;
    if (fw_space_try(r, &e->at, e->path, node) == NULL) return false;
    if (fw_parse_double(out, node->text, strlen(node->text))) return true;
    fw_problem(r->f->problems, node, false, e->path, "expected a number, found '%.60s'", node->text);      /* null */
    return false;
}

static bool read_log(fw_space_reader *r, const fw_space_entry *e, bool *out)
{
    const fw_node *node = fw_node_child(e->node, "log");
    if (node == NULL || fw_node_is_null(node)) return true;
    if (!fw_expect(r->f, e->path, node, FW_TREE_SCALAR, "true or false")) return false;
    *out = strcmp(node->text, "true") == 0;
    if (*out || strcmp(node->text, "false") == 0) return true;
    fw_problem(r->f->problems, node, false, e->path, "log: expected true or false, found '%.60s'", node->text);
    return false;
}

static void check_steps(fw_space_reader *r, const fw_space_entry *e, const fw_node *node)
{
    const fw_space_param *p = e->param;
    const double q = (p->high - p->low) / p->step, k = round(q);
    if (k >= 9007199254740992.0) {
        fw_problem(r->f->problems, node, false, e->path, "step %.60s makes more than 2^53 values", node->text);
        return;
    }
    if (fabs(q - k) <= 1e-9 * fmax(1, k)) return;
    FW_AUTO(fw_text) last = {0};
    fw_yaml_number(&last, fw_space_grid(p->low, p->step, floor(q)));
    fw_problem(r->f->problems, node, false, e->path, "step %.60s does not lead from low to high: the last value is %s; make that the high", node->text, last.data);
}

static void read_step(fw_space_reader *r, const fw_space_entry *e)
{
    const fw_node *node = fw_node_child(e->node, "step");
    fw_space_param *p = e->param;
    p->step = p->whole ? 1 : 0;
    if (node == NULL || fw_node_is_null(node)) return;
    double v = 0;
    if (!fw_expect(r->f, e->path, node, FW_TREE_SCALAR, "a number")) return;
    if (!fw_parse_double(&v, node->text, strlen(node->text)) || !(v > 0) || (p->whole && v != floor(v)))
        fw_problem(r->f->problems, node, false, e->path, "step: expected a %snumber > 0, found '%.60s'", p->whole ? "whole " : "", node->text);
    else if (p->log) fw_problem(r->f->problems, node, true, e->path, "log and step exclude each other: steps are even, a logarithm is not; remove one of them");
    else {
        p->step = v;
        check_steps(r, e, node);
    }
}

static void read_range(fw_space_reader *r, const fw_space_entry *e)
{
    const fw_key *key = e->at.key;
    const fw_node *low = fw_node_child(e->node, "low"), *high = fw_node_child(e->node, "high");
    fw_space_param *p = e->param;
    p->whole = key->form == FW_KEY_INTEGER;
    const bool number = p->whole || key->form == FW_KEY_NUMBER || (key->form == FW_KEY_WEIGHTS && e->at.name != NULL);
    if (!number) {
        fw_problem(r->f->problems, e->node, true, e->path, "is no number but %s %s: give choices: [...]",
                   strchr("aeiou", fw_key_kinds[key->form].name[0]) != NULL ? "an" : "a", fw_key_kinds[key->form].name);
        return;
    }
    if (low == NULL || high == NULL) {
        fw_problem(r->f->problems, e->node, true, e->path, "%s is missing: expected {low, high} or {choices}", low == NULL ? "low" : "high");
        return;
    }
    const bool low_ok = bound(r, e, low, &p->low), high_ok = bound(r, e, high, &p->high), log_ok = read_log(r, e, &p->log);      /* all are told */
    if (!low_ok || !high_ok || !log_ok) return;
    if (p->low > p->high) fw_problem(r->f->problems, low, false, e->path, "low %.60s is above high %.60s", low->text, high->text);
    else if (p->log && p->low <= 0) fw_problem(r->f->problems, low, false, e->path, "low %.60s has no logarithm: must be > 0, or leave log out", low->text);
    else read_step(r, e);
}

/* ---- choices ---- */

static void read_choices(fw_space_reader *r, const fw_space_entry *e, const fw_node *node)
{
    static const char *const parts[] = {"low", "high", "log", "step"};
    for (size_t i = 0; i < 4; i++)
        if (fw_node_child(e->node, parts[i]) != NULL)
            fw_problem(r->f->problems, fw_node_child(e->node, parts[i]), true, e->path, "choices and %s exclude each other: remove one of them", parts[i]);
    if (!fw_expect(r->f, e->path, node, FW_TREE_LIST, "a list of choices")) return;
    if (node->n == 0) fw_problem(r->f->problems, node, false, e->path, "choices are empty: there must be at least one");
    if (node->n > FW_SPACE_MAX_CHOICES) fw_problem(r->f->problems, node, false, e->path, "%zu choices: at most %d are possible", node->n, FW_SPACE_MAX_CHOICES);
    fw_strings list = {.v = fw_fill_alloc(r->f, node->n, sizeof *list.v)};
    if (list.v == NULL || node->n > FW_SPACE_MAX_CHOICES) return;
    for (size_t i = 0; i < node->n; i++) {
        char *value = fw_space_try(r, &e->at, e->path, node->child[i]);
        if (value != NULL && fw_strings_have(&list, value)) fw_problem(r->f->problems, node->child[i], false, e->path, "%.60s stands twice in the choices", value);
        else if (value != NULL) list.v[list.n++] = value;
    }
    e->param->choices = list;
}

/* ---- which keys can be searched ---- */

/** NULL: this key can. */
static const char *unsearchable(const fw_address *a)
{
    const char *path = a->key->path;
    if (strncmp(path, "tune.", 5) == 0) return "belongs to the search itself";
    if (strncmp(path, "data.", 5) == 0 || a->key->flags & FW_KEY_IN_DATA || strcmp(path, "features.*.type") == 0)
        return "shapes the dataset: each value would need one of its own; a search goes over what is done with one dataset";
    if (a->key->flags & FW_KEY_LATER) return "is used by no command of this version";
    if (!(a->key->flags & FW_KEY_IN_MODEL) || strchr(path, '.') == NULL || strncmp(path, "problem.", 8) == 0) return "does not shape the model: every value would give the same";
    return NULL;
}

/** Whether the path can stand in front of "=value". */
static bool writable(fw_space_reader *r, const fw_space_entry *e)
{
    const char *path = e->at.path;
    if (strlen(path) > 160 || strchr(path, '=') != NULL)
        fw_problem(r->f->problems, e->node, true, e->path, "can't be searched: its path has %s", strchr(path, '=') != NULL ? "an '='" : "more than 160 bytes");
    return strlen(path) <= 160 && strchr(path, '=') == NULL;
}

static void check_parts(fw_space_reader *r, const fw_space_entry *e)
{
    static const char *const parts[] = {"low", "high", "log", "step", "choices", "when"};
    for (size_t i = 0; i < e->node->n; i++) {
        const fw_node *part = e->node->child[i];
        bool known = false;
        for (size_t k = 0; k < 6; k++) known = known || strcmp(parts[k], part->key) == 0;
        const char *near = fw_did_you_mean(part->key, parts, 6);
        if (!known)
            fw_problem(r->f->problems, part, true, e->path, "unknown key '%.60s'%s%s%s", part->key, near != NULL ? ", did you mean '" : "; possible here: low, high, log, step, choices, when",
                       near != NULL ? near : "", near != NULL ? "'?" : "");
    }
}

static void read_entry(fw_space_reader *r, fw_space_entry *e, const char *path)
{
    fw_error why;
    e->path = path;
    const fw_status s = fw_address_find(&e->at, e->node->key, &why);
    if (s == FW_ERR_NOMEM) r->f->out_of_memory = true;
    if (s < 0) {
        fw_problem(r->f->problems, e->node, true, "tune.space", "%s", why.text);
        return;
    }
    e->param->key = fw_fill_text(r->f, e->at.path);
    e->param->column = e->at.element != NULL ? fw_fill_text(r->f, e->at.element) : NULL;
    FW_FREE char *place = fw_node_place(r->f->problems->file, e->node, true);
    if (place == NULL) r->f->out_of_memory = true;
    else e->param->place = fw_fill_text(r->f, place);
    const char *reason = unsearchable(&e->at);
    if (reason != NULL) fw_problem(r->f->problems, e->node, true, path, "%s", reason);
    if (reason != NULL || !writable(r, e)) return;
    if (!fw_expect(r->f, path, e->node, FW_TREE_MAP, "{low, high} or {choices}")) return;
    check_parts(r, e);
    const fw_node *choices = fw_node_child(e->node, "choices");
    if (choices != NULL) read_choices(r, e, choices);
    else read_range(r, e);
    e->usable = true;
}

/* ---- all of it ---- */

static void read_entries(fw_space_reader *r, const fw_node *node)
{
    for (size_t i = 0; i < node->n; i++) {
        fw_space_entry *e = &r->entry[i];
        FW_AUTO(fw_text) path = {0};
        fw_text_format(&path, "tune.space.%s", node->child[i]->key);
        char *kept = path.failed ? NULL : fw_fill_text(r->f, path.data);
        e->node = node->child[i];
        e->param = &r->param[i];
        if (kept == NULL) r->f->out_of_memory = true;
        else read_entry(r, e, kept);
        for (size_t j = 0; j < i && e->usable; j++)
            if (r->entry[j].usable && strcmp(r->param[j].key, r->param[i].key) == 0)
                fw_problem(r->f->problems, e->node, true, kept, "is searched twice, also in line %zu", r->entry[j].node->key_line);
    }
    for (size_t i = 0; i < node->n; i++) fw_space_read_when(r, i);
    fw_space_check_circles(r);
}

void fw_parse_space(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_MAP, "a map of keys, e.g. {train.learning_rate: {low: 1.0e-4, high: 0.1, log: true}}")) return;
    if (node->n == 0) fw_problem(f->problems, node, false, path, "is empty: name a key to search, e.g. train.learning_rate: {low: 1.0e-4, high: 0.1, log: true}");
    if (node->n > FW_SPACE_MAX_PARAMS) fw_problem(f->problems, node, false, path, "%zu parameters: at most %d are possible", node->n, FW_SPACE_MAX_PARAMS);
    if (node->n == 0 || node->n > FW_SPACE_MAX_PARAMS) return;
    fw_space_reader r = {.f = f, .n = node->n, .param = fw_fill_alloc(f, node->n, sizeof *r.param)};
    r.entry = calloc(node->n, sizeof *r.entry);
    if (r.param == NULL || r.entry == NULL) f->out_of_memory = true;
    else read_entries(&r, node);
    for (size_t i = 0; i < node->n && r.entry != NULL; i++) fw_address_release(&r.entry[i].at);
    free(r.entry);
    *(fw_space_param **)fw_field(base, key->at) = r.param;
    *(size_t *)fw_field(base, key->at2) = r.param != NULL ? node->n : 0;
}

static void write_list(fw_text *out, const fw_strings *values)
{
    fw_text_add(out, "[");
    for (size_t i = 0; i < values->n; i++) fw_text_format(out, "%s%s", i > 0 ? ", " : "", values->v[i]);
    fw_text_add(out, "]");
}

static void write_number(fw_text *out, const char *name, double v, bool whole)
{
    fw_text_add(out, name);
    if (whole) fw_text_format(out, "%.0f", v);
    else fw_yaml_number(out, v);
}

static void write_range(fw_text *out, const fw_space_param *p)
{
    write_number(out, "low: ", p->low, p->whole);
    write_number(out, ", high: ", p->high, p->whole);
    if (p->step > (p->whole ? 1 : 0)) write_number(out, ", step: ", p->step, p->whole);
    if (p->log) fw_text_add(out, ", log: true");
}

static void write_param(fw_text *out, const fw_space_param *p)
{
    fw_yaml_text(out, p->key);
    fw_text_add(out, p->choices.n > 0 ? ": {choices: " : ": {");
    if (p->choices.n > 0) write_list(out, &p->choices);
    else write_range(out, p);
    for (size_t i = 0; i < p->n_when; i++) {
        fw_text_add(out, i == 0 ? ", when: {" : ", ");
        fw_yaml_text(out, p->when[i].key);
        fw_text_add(out, ": ");
        write_list(out, &p->when[i].values);
    }
    fw_text_add(out, p->n_when > 0 ? "}}" : "}");
}

bool fw_write_space(fw_text *out, const fw_key *key, const void *base)
{
    const fw_space_param *params = *(fw_space_param *const *)fw_field_const(base, key->at);
    const size_t n = *(const size_t *)fw_field_const(base, key->at2);
    if (n == 0) return false;
    for (size_t i = 0; i < n; i++) {
        fw_text_add(out, i == 0 ? "{" : ", ");
        write_param(out, &params[i]);
    }
    fw_text_add(out, "}");
    return true;
}

json_t *fw_schema_space(const fw_key *key)
{
    (void)key;
    json_t *values = json_pack("{s:s, s:i, s:i}", "type", "array", "minItems", 1, "maxItems", FW_SPACE_MAX_CHOICES);
    json_t *parts = json_pack("{s:{s:s}, s:{s:s}, s:{s:s, s:i}, s:{s:s}, s:o, s:{s:s}}", "low", "type", "number", "high", "type", "number", "step", "type",
                              "number", "exclusiveMinimum", 0, "log", "type", "boolean", "choices", values, "when", "type", "object");
    return json_pack("{s:s, s:i, s:{s:s, s:b, s:o, s:[{s:[s, s]}, {s:[s]}]}}", "type", "object", "maxProperties", FW_SPACE_MAX_PARAMS, "additionalProperties",
                     "type", "object", "additionalProperties", 0, "properties", parts, "anyOf", "required", "low", "high", "required", "choices");
}
