/** Where every value comes from, and which sections a command leaves alone. */
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/rules.h"

/* ---- key, value, origin ---- */

typedef struct line { char *path, *value, *from; } line;
typedef struct listing { const char *file; line *v; size_t n, capacity; bool failed; } listing;

static void list_enter(void *context, const fw_key *key, const char *name, bool element)
{
    (void)context;
    (void)key;
    (void)name;
    (void)element;
}

static void list_leave(void *context)
{
    (void)context;
}

static char *origin_text(const char *file, const fw_node *node)
{
    FW_AUTO(fw_text) out = {0};
    fw_origin origin = node != NULL && !fw_node_is_null(node) ? node->origin : FW_FROM_DEFAULT;
    switch (origin) {
    case FW_FROM_FILE: fw_text_format(&out, "%s:%zu", file, node->line); break;
    case FW_FROM_ENVIRONMENT: fw_text_add(&out, "environment"); break;
    case FW_FROM_COMMAND_LINE: fw_text_add(&out, "command line"); break;
    case FW_FROM_DATA: fw_text_add(&out, "found in the data"); break;
    case FW_FROM_TRIAL: fw_text_add(&out, "trial"); break;
    case FW_FROM_DEFAULT: fw_text_add(&out, "default"); break;
    }
    if (node != NULL && node->alias != NULL) fw_text_format(&out, " as %s", node->alias);
    return fw_text_take(&out);
}

static void list_leaf(void *context, const fw_key *key, const char *path, const char *value, const fw_node *node)
{
    (void)key;
    listing *l = context;
    void *array = l->v;
    fw_error err;
    if (l->failed || fw_grow(&array, &l->capacity, l->n + 1, sizeof *l->v, "keys", &err) < 0) {
        l->failed = true;
        return;
    }
    l->v = array;
    line *at = &l->v[l->n++];
    *at = (line){strdup(path), strdup(value), origin_text(l->file, node)};
    l->failed = at->path == NULL || at->value == NULL || at->from == NULL;
}

fw_status fw_project_print_defaults(FILE *out, const fw_project *p, fw_error *err)
{
    listing l = {.file = ((const fw_internal *)p->internal)->file};
    if (!fw_project_visit(p, &(fw_visitor){&l, list_enter, list_leaf, list_leave})) l.failed = true;
    size_t key_width = 3, value_width = 5;
    for (size_t i = 0; i < l.n && !l.failed; i++) {
        key_width = FW_MAX(key_width, FW_MIN(strlen(l.v[i].path), (size_t)48));
        value_width = FW_MAX(value_width, FW_MIN(strlen(l.v[i].value), (size_t)40));
    }
    if (!l.failed) fprintf(out, "%-*s  %-*s  %s\n", (int)key_width, "key", (int)value_width, "value", "from");
    for (size_t i = 0; i < l.n; i++) {
        if (!l.failed) fprintf(out, "%-*s  %-*s  %s\n", (int)key_width, l.v[i].path, (int)value_width, l.v[i].value, l.v[i].from);
        free(l.v[i].path);
        free(l.v[i].value);
        free(l.v[i].from);
    }
    free(l.v);
    return l.failed ? fw_fail(err, FW_ERR_NOMEM, "project: list of keys") : FW_OK;
}

static void alias_leaf(void *context, const fw_key *key, const char *path, const char *value, const fw_node *node)
{
    (void)value;
    fw_text *out = context;
    if (node == NULL || node->alias == NULL) return;
    int section = (int)(strlen(path) - strlen(fw_key_name(key)));
    fw_text_format(out, "%s%.*s%s is %s", out->len > 0 ? ", " : "", section, path, node->alias, fw_key_name(key));
}

char *fw_project_aliases(const fw_project *p)
{
    FW_AUTO(fw_text) out = {0};
    (void)fw_project_visit(p, &(fw_visitor){&out, list_enter, alias_leaf, list_leave});
    return out.len > 0 ? fw_text_take(&out) : NULL;
}

char *fw_node_place(const char *file, const fw_node *node, bool at_key)
{
    FW_AUTO(fw_text) out = {0};
    if (node == NULL || node->origin == FW_FROM_DEFAULT || node->origin == FW_FROM_DATA) fw_text_add(&out, file);
    else if (node->origin == FW_FROM_TRIAL) fw_text_add(&out, "trial");
    else if (node->origin != FW_FROM_FILE) fw_text_add(&out, node->origin == FW_FROM_ENVIRONMENT ? "environment" : "command line");
    else fw_text_format(&out, "%s:%zu:%zu", file, at_key ? node->key_line : node->line, at_key ? node->key_column : node->column);
    return fw_text_take(&out);
}

char *fw_project_place(const fw_project *p, const char *key)
{
    return fw_node_place(((const fw_internal *)p->internal)->file, fw_given_near(p, key), false);
}

/* ---- sections that no command of this version uses ---- */

/** Whether a key, or any key below it that is given, is used by this version. */
static bool used_now(const fw_key *key, const fw_node *node)
{
    if (key->form != FW_KEY_SECTION) return !(key->flags & FW_KEY_LATER);
    for (size_t i = 0; i < node->n; i++) {
        const fw_key *below = fw_key_below(key, node->child[i]->key);
        if (below != NULL && used_now(below, node->child[i])) return true;
    }
    return false;
}

static void add_name(fw_text *out, const char *name, const char *below)
{
    fw_text_format(out, "%s%s%s%s", out->len > 0 ? ", " : "", name, below != NULL ? "." : "", below != NULL ? below : "");
}

char *fw_project_unused_sections(const fw_project *p)
{
    FW_AUTO(fw_text) out = {0};
    for (size_t i = 0; i < fw_n_keys; i++) {
        const fw_key *key = &fw_keys[i];
        const fw_node *node = fw_key_is_child(key, NULL) ? fw_given(p, key->path) : NULL;
        if (node == NULL) continue;
        if (!used_now(key, node)) {
            add_name(&out, key->path, NULL);
            continue;
        }
        for (size_t j = 0; j < node->n && key->form == FW_KEY_SECTION; j++) {
            const fw_key *below = fw_key_below(key, node->child[j]->key);
            if (below != NULL && !used_now(below, node->child[j])) add_name(&out, key->path, node->child[j]->key);
        }
    }
    return out.len > 0 ? fw_text_take(&out) : NULL;
}
