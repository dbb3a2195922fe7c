/** Struct -> text: one walk over table and values, and the texts made on it. */
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/rules.h"

/* ---- the walk ---- */

typedef struct walk { const fw_project *p; const fw_visitor *v; } walk;

/** While the type of a feature is open, only what was said is worth a word; text settings are not for pictures. */
static bool unsaid(const fw_key *key, const void *element, const char *value)
{
    if (element == NULL || key->fallback == NULL || strcmp(value, key->fallback) != 0) return false;
    if (strncmp(key->path, "features.", 9) == 0) return key->when != NULL && ((const fw_feature_spec *)element)->type <= FW_FEATURE_IGNORE;
    return ((const fw_table_spec *)element)->images != NULL;
}

static void visit_leaf(const walk *w, const fw_key *key, const char *path, const fw_node *node, const void *element)
{
    FW_AUTO(fw_text) value = {0};
    if (key->at == 0) {
        if (node == NULL || fw_node_is_null(node)) return;
        fw_yaml_node(&value, node);
    } else if (!fw_key_applies(key, w->p, element) || !fw_key_kinds[key->form].write(&value, key, element != NULL ? element : (const void *)w->p)) {
        return;
    }
    if (!value.failed && !unsaid(key, element, value.data)) w->v->leaf(w->v->context, key, path, value.data, node);
}

static void visit_below(const walk *w, const fw_key *parent, const char *path, const fw_node *node, const void *element);

static void visit_elements(const walk *w, const fw_key *key, const fw_node *node)
{
    const char *element = *(const char *const *)((const char *)w->p + key->at);
    size_t n = *(const size_t *)((const char *)w->p + key->at2);
    for (size_t i = 0; i < n; i++, element += key->element_bytes) {
        const char *name = fw_element_name(element);
        FW_AUTO(fw_text) path = {0};
        fw_text_format(&path, "%s.%s", key->path, name);
        if (fw_text_check(&path, NULL) < 0) return;
        w->v->enter(w->v->context, key, name, true);
        visit_below(w, key, path.data, fw_node_child(node, name), element);
        w->v->leave(w->v->context);
    }
}

static void visit_below(const walk *w, const fw_key *parent, const char *path, const fw_node *node, const void *element)
{
    for (size_t i = 0; i < fw_n_keys; i++) {
        const fw_key *key = &fw_keys[i];
        if (!fw_key_is_child(key, parent)) continue;
        const fw_node *child = fw_node_child(node, fw_key_name(key));
        FW_AUTO(fw_text) below = {0};
        fw_text_format(&below, "%s%s%s", path, path[0] == '\0' ? "" : ".", fw_key_name(key));
        if (fw_text_check(&below, NULL) < 0) return;
        if (key->form != FW_KEY_SECTION && key->form != FW_KEY_MAP) {
            visit_leaf(w, key, below.data, child, element);
            continue;
        }
        w->v->enter(w->v->context, key, fw_key_name(key), false);
        if (key->form == FW_KEY_MAP) visit_elements(w, key, child);
        else visit_below(w, key, below.data, child, element);
        w->v->leave(w->v->context);
    }
}

void fw_project_visit(const fw_project *p, const fw_visitor *v)
{
    walk w = {p, v};
    visit_below(&w, NULL, "", ((const fw_internal *)p->internal)->tree, NULL);
}

const char *fw_element_name(const void *element)
{
    return *(char *const *)element;
}

/* ---- YAML ---- */

/** Headers wait until something stands below them; an element is one line in flow style. */
typedef struct writer {
    fw_text *out;
    unsigned only;             /* flags a key must have, or 0 */
    const char *waiting[8];
    bool is_element[8];
    size_t depth, written;     /* headers; of these already in the text */
    size_t in_element;         /* values so far */
} writer;

static void enter(void *context, const fw_key *key, const char *name, bool element)
{
    (void)key;
    writer *w = context;
    w->waiting[w->depth] = name;
    w->is_element[w->depth++] = element;
    w->in_element = 0;
}

static void leave(void *context)
{
    writer *w = context;
    w->depth--;
    if (w->written <= w->depth) return;
    w->written = w->depth;
    if (w->is_element[w->depth]) fw_text_add(w->out, "}\n");
}

static void headers(writer *w)
{
    for (; w->written < w->depth; w->written++) {
        fw_text_format(w->out, "%*s", (int)(2 * w->written), "");
        fw_yaml_text(w->out, w->waiting[w->written]);
        fw_text_add(w->out, w->is_element[w->written] ? ": {" : ":\n");
    }
}

static void leaf(void *context, const fw_key *key, const char *path, const char *value, const fw_node *node)
{
    (void)path;
    (void)node;
    writer *w = context;
    if (w->only != 0 && !(key->flags & w->only)) return;
    headers(w);
    bool element = w->depth > 0 && w->is_element[w->depth - 1];
    if (element) fw_text_add(w->out, w->in_element++ > 0 ? ", " : "");
    else fw_text_format(w->out, "%*s", (int)(2 * w->depth), "");
    fw_text_format(w->out, "%s: %s%s", fw_key_name(key), value, element ? "" : "\n");
}

static void write_part(fw_text *out, const fw_project *p, unsigned only)
{
    writer w = {.out = out, .only = only};
    fw_project_visit(p, &(fw_visitor){&w, enter, leaf, leave});
}

static fw_status take(char **yaml, fw_text *out, fw_error *err)
{
    FW_TRY(fw_text_check(out, err));
    *yaml = fw_text_take(out);
    return FW_OK;
}

fw_status fw_project_resolved(char **yaml, const fw_project *p, fw_error *err)
{
    FW_AUTO(fw_text) out = {0};
    write_part(&out, p, 0);
    return take(yaml, &out, err);
}

/** Types that were declared decide how ingest reads a column; auto, ignore and what ingest itself found don't. */
static void declared_types(fw_text *out, const fw_project *p)
{
    const fw_node *features = fw_given(p, "features");
    bool any = false;
    for (size_t i = 0; i < p->features.n; i++) {
        const fw_feature_spec *s = &p->features.v[i];
        const fw_node *type = fw_node_child(fw_node_child(features, s->column), "type");
        if (s->type <= FW_FEATURE_IGNORE || type == NULL || type->origin == FW_FROM_DATA) continue;
        if (!any) fw_text_add(out, "features:\n");
        any = true;
        fw_text_add(out, "  ");
        fw_yaml_text(out, s->column);
        fw_text_format(out, ": {type: %s}\n", fw_feature_type_name(s->type));
    }
}

fw_status fw_project_data_part(char **yaml, const fw_project *p, fw_error *err)
{
    FW_TRY(fw_project_available(p, err));
    FW_AUTO(fw_text) out = {0};
    write_part(&out, p, FW_KEY_IN_DATA);
    declared_types(&out, p);
    return take(yaml, &out, err);
}

fw_status fw_project_model_part(char **yaml, const fw_project *p, fw_error *err)
{
    FW_TRY(fw_project_available(p, err));
    FW_AUTO(fw_text) out = {0};
    write_part(&out, p, FW_KEY_IN_MODEL);
    return take(yaml, &out, err);
}

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
    case FW_FROM_DEFAULT: fw_text_add(&out, "default"); break;
    }
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
    fw_project_visit(p, &(fw_visitor){&l, list_enter, list_leaf, list_leave});
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
    if (l.failed) return fw_fail(err, FW_ERR_NOMEM, "project: list of keys");
    return ferror(out) ? fw_fail(err, FW_ERR_IO, "writing the list of keys failed") : FW_OK;
}

/* ---- sections that a command does not use ---- */

static const struct { const char *command, *sections; } uses[] = {
    {"ingest", "project problem data features"},
    {"train", "project problem data features model train monitor"},
    {"evaluate", "project problem data features model train evaluate"},
    {"score", "project problem data features model monitor"},
};

static bool has_word(const char *words, const char *word)
{
    size_t n = strlen(word);
    for (const char *w = words; (w = strstr(w, word)) != NULL; w += n)
        if ((w == words || w[-1] == ' ') && (w[n] == '\0' || w[n] == ' ')) return true;
    return false;
}

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

char *fw_project_unused_sections(const fw_project *p, const char *command)
{
    const char *sections = NULL;
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
        if (strcmp(uses[i].command, command) == 0) sections = uses[i].sections;
    FW_AUTO(fw_text) out = {0};
    for (size_t i = 0; i < fw_n_keys; i++) {
        const fw_key *key = &fw_keys[i];
        const fw_node *node = fw_key_is_child(key, NULL) ? fw_given(p, key->path) : NULL;
        if (node == NULL) continue;
        if ((sections != NULL && !has_word(sections, key->path)) || !used_now(key, node)) {
            add_name(&out, key->path, NULL);
            continue;
        }
        for (size_t j = 0; j < node->n && key->form == FW_KEY_SECTION; j++) {
            const fw_key *below = fw_key_below(key, node->child[j]->key);
            if (below != NULL && !used_now(below, node->child[j])) add_name(&out, key->path, node->child[j]->key);
        }
    }
    return fw_text_take(&out);
}
