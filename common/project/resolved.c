/** Struct -> text: one walk over table and values, and the texts made on it. */
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/rules.h"

/* ---- the walk ---- */

typedef struct walk { const fw_project *p; const fw_visitor *v; bool failed; } walk;      /* failed: no memory, something was left out */

/** A number or time that has no default and was not given is none. While the type of a feature is open, only what was said is worth a word; text settings
 *  are not for pictures. */
static bool unsaid(const fw_key *key, const fw_node *node, const void *element, const char *value)
{
    if (element == NULL && node == NULL && key->fallback == NULL && (key->form == FW_KEY_NUMBER || key->form == FW_KEY_DURATION)) return true;
    if (element == NULL || key->fallback == NULL || strcmp(value, key->fallback) != 0) return false;
    if (strncmp(key->path, "features.", 9) == 0) return key->when != NULL && ((const fw_feature_spec *)element)->type <= FW_FEATURE_IGNORE;
    return ((const fw_table_spec *)element)->images != NULL;
}

static void visit_leaf(walk *w, const fw_key *key, const char *path, const fw_node *node, const void *element)
{
    FW_AUTO(fw_text) value = {0};
    if (key->at == 0) {
        if (node == NULL || fw_node_is_null(node)) return;
        fw_yaml_node(&value, node);
    } else if (!fw_key_applies(key, w->p, element, &w->failed) || !fw_key_kinds[key->form].write(&value, key, element != NULL ? element : (const void *)w->p)) {
        return;
    }
    if (value.failed) w->failed = true;
    else if (!unsaid(key, node, element, value.data)) w->v->leaf(w->v->context, key, path, value.data, node);
}

static void visit_below(walk *w, const fw_key *parent, const char *path, const fw_node *node, const void *element);

static void visit_elements(walk *w, const fw_key *key, const fw_node *node)
{
    const char *element = *(const char *const *)((const char *)w->p + key->at);
    size_t n = *(const size_t *)((const char *)w->p + key->at2);
    for (size_t i = 0; i < n; i++, element += key->element_bytes) {
        const char *name = fw_element_name(element);
        FW_AUTO(fw_text) path = {0};
        fw_text_format(&path, "%s.%s", key->path, name);
        if (path.failed) {
            w->failed = true;
            return;
        }
        w->v->enter(w->v->context, key, name, true);
        visit_below(w, key, path.data, fw_node_child(node, name), element);
        w->v->leave(w->v->context);
    }
}

static void visit_below(walk *w, const fw_key *parent, const char *path, const fw_node *node, const void *element)
{
    for (size_t i = 0; i < fw_n_keys; i++) {
        const fw_key *key = &fw_keys[i];
        if (!fw_key_is_child(key, parent)) continue;
        const fw_node *child = fw_node_child(node, fw_key_name(key));
        FW_AUTO(fw_text) below = {0};
        fw_text_format(&below, "%s%s%s", path, path[0] == '\0' ? "" : ".", fw_key_name(key));
        if (below.failed) {
            w->failed = true;
            return;
        }
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

bool fw_project_visit(const fw_project *p, const fw_visitor *v)
{
    walk w = {.p = p, .v = v};
    visit_below(&w, NULL, "", ((const fw_internal *)p->internal)->tree, NULL);
    return !w.failed;
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
    const char *const *sections;       /* names with a dot behind; what stands in others is left out. NULL: none is */
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

static bool in_sections(const char *const *sections, const char *path)
{
    for (; sections != NULL && *sections != NULL; sections++)
        if (strncmp(path, *sections, strlen(*sections)) == 0) return true;
    return sections == NULL;
}

static void leaf(void *context, const fw_key *key, const char *path, const char *value, const fw_node *node)
{
    (void)node;
    writer *w = context;
    if ((w->only != 0 && !(key->flags & w->only)) || !in_sections(w->sections, path)) return;
    headers(w);
    bool element = w->depth > 0 && w->is_element[w->depth - 1];
    if (element) fw_text_add(w->out, w->in_element++ > 0 ? ", " : "");
    else fw_text_format(w->out, "%*s", (int)(2 * w->depth), "");
    fw_text_format(w->out, "%s: %s%s", fw_key_name(key), value, element ? "" : "\n");
}

static void write_part(fw_text *out, const fw_project *p, unsigned only, const char *const *sections)
{
    writer w = {.out = out, .only = only, .sections = sections};
    if (!fw_project_visit(p, &(fw_visitor){&w, enter, leaf, leave})) out->failed = true;
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
    write_part(&out, p, 0, NULL);
    return take(yaml, &out, err);
}

fw_status fw_project_given(char **yaml, const fw_project *p, fw_error *err)
{
    FW_AUTO(fw_text) out = {0};
    fw_yaml_node(&out, ((const fw_internal *)p->internal)->tree);
    return take(yaml, &out, err);
}

/* Which columns are stored, and as what, follows from features too: listed or not, ignored, of a declared type. What ingest itself found is auto. */

static fw_feature_type declared(const fw_project *p, const fw_feature_spec *s)
{
    const fw_node *type = fw_node_child(fw_node_child(fw_given(p, "features"), s->column), "type");
    return type != NULL && type->origin == FW_FROM_DATA ? FW_FEATURE_AUTO : s->type;
}

static const fw_feature_spec *feature_of(const fw_project *p, const char *column)
{
    for (size_t i = 0; i < p->features.n; i++)
        if (strcmp(p->features.v[i].column, column) == 0) return &p->features.v[i];
    return NULL;
}

static void stored_features(fw_text *out, const fw_project *p)
{
    const fw_feature_spec *others = feature_of(p, "*");
    bool any = false;
    for (size_t i = 0; i < p->features.n; i++) {
        const fw_feature_spec *s = &p->features.v[i];
        fw_feature_type type = declared(p, s);
        bool says = s == others ? type != FW_FEATURE_AUTO : others == NULL || type != declared(p, others) || fw_text_equal(s->column, p->data.id);
        if (!says) continue;
        if (!any) fw_text_add(out, "features:\n");
        any = true;
        fw_text_add(out, "  ");
        fw_yaml_text(out, s->column);
        fw_text_format(out, ": {type: %s}\n", fw_feature_type_name(type));
    }
}

/** Attributes that are stored for their sake alone. */
static void stored_attributes(fw_text *out, const fw_project *p)
{
    bool any = false;
    for (size_t i = 0; i < p->evaluate.fairness_attributes.n; i++) {
        const char *column = p->evaluate.fairness_attributes.v[i];
        const fw_feature_spec *s = feature_of(p, column);
        if (s != NULL ? s->type != FW_FEATURE_IGNORE : p->features_all) continue;
        fw_text_add(out, any ? ", " : "evaluate:\n  fairness:\n    attributes: [");
        fw_yaml_text(out, column);
        any = true;
    }
    if (any) fw_text_add(out, "]\n");
}

fw_status fw_project_data_part(char **yaml, const fw_project *p, fw_error *err)
{
    FW_TRY(fw_project_available(p, err));
    FW_AUTO(fw_text) out = {0};
    write_part(&out, p, FW_KEY_IN_DATA, NULL);
    stored_features(&out, p);
    stored_attributes(&out, p);
    return take(yaml, &out, err);
}

static fw_status available_part(char **yaml, const fw_project *p, unsigned only, fw_error *err)
{
    FW_TRY(fw_project_available(p, err));
    FW_AUTO(fw_text) out = {0};
    write_part(&out, p, only, NULL);
    return take(yaml, &out, err);
}

fw_status fw_project_model_part(char **yaml, const fw_project *p, fw_error *err) { return available_part(yaml, p, FW_KEY_IN_MODEL, err); }
fw_status fw_project_kept_part(char **yaml, const fw_project *p, fw_error *err) { return available_part(yaml, p, FW_KEY_IN_MODEL | FW_KEY_IN_USE, err); }

fw_status fw_project_rows_part(char **yaml, const fw_project *p, fw_error *err)
{
    static const char *const sections[] = {"problem.", "data.", "features.", NULL};
    FW_AUTO(fw_text) out = {0};
    write_part(&out, p, 0, sections);
    return take(yaml, &out, err);
}
