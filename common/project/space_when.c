/** tune.space: conditions (`when`), on choices of other parameters or on values of keys that are not searched. */
#include <stdlib.h>
#include <string.h>

#include "common/project/kinds.h"
#include "common/project/space_parts.h"

/** The entry that searches this key; NULL: none. */
static const fw_space_entry *searched(const fw_space_reader *r, const char *path)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->entry[i].usable && strcmp(r->param[i].key, path) == 0) return &r->entry[i];
    return NULL;
}

static void no_choice(fw_space_reader *r, const fw_space_entry *e, const fw_space_entry *parent, const fw_node *node, const char *value)
{
    const fw_strings *list = &parent->param->choices;
    FW_AUTO(fw_text) all = {0};
    for (size_t i = 0; i < list->n && i < 20; i++) fw_text_format(&all, "%s%s", i == 0 ? "" : ", ", list->v[i]);
    const char *near = fw_did_you_mean(value, (const char *const *)list->v, list->n);
    fw_problem(r->f->problems, node, false, e->path, "when: %.60s is no choice of %s (%s%s)%s%s%s", value, parent->param->key, all.data != NULL ? all.data : "",
               list->n > 20 ? ", ..." : "", near != NULL ? ", did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

/** One value of a condition, checked on the key, and against the choices of the parameter when it is one. */
static void add_value(fw_space_reader *r, const fw_space_entry *e, const fw_address *at, const fw_space_entry *parent, const fw_node *node, fw_strings *out)
{
    char *value = fw_space_try(r, at, e->path, node);
    if (value == NULL) return;
    if (parent != NULL && !fw_strings_have(&parent->param->choices, value)) no_choice(r, e, parent, node, value);
    else if (fw_strings_have(out, value)) fw_problem(r->f->problems, node, false, e->path, "when: %.60s stands twice", value);
    else out->v[out->n++] = value;
}

/** Whether a list is one value of the key, and not a list of values: [64, 32] of model.hidden is one, [[64, 32], [8]] are two. */
static bool is_one_value(const fw_key *key, const fw_node *node)
{
    if (node->kind != FW_TREE_LIST) return true;
    const bool list = key->form == FW_KEY_SIZES || key->form == FW_KEY_TEXTS || key->form == FW_KEY_CLIP;
    return list && (node->n == 0 || node->child[0]->kind != FW_TREE_LIST);
}

static void read_condition(fw_space_reader *r, const fw_space_entry *e, const fw_node *node, fw_space_when *out)
{
    fw_address at = {0};
    fw_error why;
    const fw_status s = fw_address_find(&at, node->key, &why);
    if (s == FW_ERR_NOMEM) r->f->out_of_memory = true;
    if (s < 0) {
        fw_problem(r->f->problems, node, true, e->path, "when: %s", why.text);
        return;
    }
    const fw_space_entry *parent = searched(r, at.path);
    const bool one = is_one_value(at.key, node);
    const size_t n = one ? 1 : node->n;
    out->key = fw_fill_text(r->f, at.path);
    out->values.v = fw_fill_alloc(r->f, n, sizeof *out->values.v);
    if (parent == e) fw_problem(r->f->problems, node, true, e->path, "when: depends on itself");
    else if (parent != NULL && fw_node_child(parent->node, "choices") == NULL)
        fw_problem(r->f->problems, node, true, e->path, "when: %s has a range and no choices: a condition needs choices", at.path);
    else if (n == 0) fw_problem(r->f->problems, node, false, e->path, "when: no value is named for %s", at.path);
    else if (n > FW_SPACE_MAX_CHOICES) fw_problem(r->f->problems, node, false, e->path, "when: %zu values: at most %d are possible", n, FW_SPACE_MAX_CHOICES);
    else if (out->values.v != NULL && (parent == NULL || parent->param->choices.n > 0))
        for (size_t i = 0; i < n; i++) add_value(r, e, &at, parent, one ? node : node->child[i], &out->values);
    fw_address_release(&at);
}

void fw_space_read_when(fw_space_reader *r, size_t i)
{
    const fw_space_entry *e = &r->entry[i];
    const fw_node *node = e->usable ? fw_node_child(e->node, "when") : NULL;
    if (node == NULL || fw_node_is_null(node)) return;
    if (!fw_expect(r->f, e->path, node, FW_TREE_MAP, "conditions, e.g. when: {model.learner: mlp}")) return;
    if (node->n == 0) fw_problem(r->f->problems, node, false, e->path, "when: no condition is named, e.g. {model.learner: mlp}");
    fw_space_when *when = fw_fill_alloc(r->f, node->n, sizeof *when);
    if (when == NULL) return;
    for (size_t k = 0; k < node->n; k++) read_condition(r, e, node->child[k], &when[k]);
    for (size_t k = 0; k < node->n; k++)
        for (size_t j = 0; j < k; j++)
            if (fw_text_equal(when[k].key, when[j].key) && when[k].key != NULL)
                fw_problem(r->f->problems, node->child[k], true, e->path, "when: %s stands twice: give a list of its values", when[k].key);
    e->param->when = when;
    e->param->n_when = node->n;
}

/* ---- circles ---- */

typedef enum colour { WHITE, ON_THE_WAY, DONE } colour;

static bool circle(fw_space_reader *r, colour *seen, size_t i, fw_text *way)
{
    const size_t start = way->len;
    fw_text_format(way, "%s%s", start > 0 ? " needs " : "", r->param[i].key);
    if (seen[i] == ON_THE_WAY) return true;
    seen[i] = ON_THE_WAY;
    for (size_t k = 0; k < r->param[i].n_when; k++) {
        const char *key = r->param[i].when[k].key;
        const fw_space_entry *parent = key != NULL ? searched(r, key) : NULL;
        if (parent == NULL || parent->param == &r->param[i]) continue;
        const size_t at = (size_t)(parent->param - r->param);
        if (seen[at] != DONE && circle(r, seen, at, way)) return true;
    }
    seen[i] = DONE;
    if (!way->failed) way->data[way->len = start] = '\0';
    return false;
}

void fw_space_check_circles(fw_space_reader *r)
{
    colour *seen = fw_fill_alloc(r->f, r->n, sizeof *seen);
    for (size_t i = 0; i < r->n && seen != NULL; i++) {
        FW_AUTO(fw_text) way = {0};
        if (!r->entry[i].usable || seen[i] != WHITE || !circle(r, seen, i, &way)) continue;
        fw_problem(r->f->problems, fw_node_child(r->entry[i].node, "when"), true, r->entry[i].path, "when: conditions run in a circle: %s", way.data != NULL ? way.data : "");
        return;
    }
}
