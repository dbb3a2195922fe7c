#include "common/project/project.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/project/fill.h"
#include "common/project/rules.h"

void fw_project_destroy(fw_project **p)
{
    if (p == NULL || *p == NULL) return;
    fw_internal *in = (*p)->internal;
    if (in != NULL) {
        for (size_t i = 0; i < in->n_memory; i++) free(in->memory[i]);
        free(in->memory);
        free(in->file);
        fw_node_destroy(&in->tree);
        free(in);
    }
    free(*p);
    *p = NULL;
}

static fw_status empty_project(fw_project **out, const char *file, fw_error *err)
{
    FW_AUTO(fw_project) *p = calloc(1, sizeof *p);
    fw_internal *in = p != NULL ? p->internal = calloc(1, sizeof *in) : NULL;
    if (in == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: project", file);
    FW_TRY(fw_copy_text(&in->file, file, err));
    *out = p;
    p = NULL;
    return FW_OK;
}

/** The struct from a widened tree, which it takes. Problems that are already known are told with the new ones. */
static fw_status from_tree(fw_project **out, fw_node **tree, const char *file, const char *path, const char *dir, fw_problems *problems,
                           fw_error *err)
{
    FW_AUTO(fw_project) *p = NULL;
    FW_TRY(empty_project(&p, file, err));
    fw_internal *in = p->internal;
    in->tree = *tree;
    *tree = NULL;
    fw_fill f = {.p = p, .problems = problems};
    p->path = fw_fill_text(&f, path);
    p->dir = fw_fill_text(&f, dir);
    fw_project_fill(&f, in->tree);
    if (!f.out_of_memory) fw_project_rules(&f);
    if (f.out_of_memory) return fw_fail(err, FW_ERR_NOMEM, "%s: project", file);
    FW_TRY(fw_problems_status(problems, err));
    *out = p;
    p = NULL;
    return FW_OK;
}

static fw_status root_of(fw_node **out, const char *yaml, size_t len, const char *name, fw_error *err)
{
    FW_AUTO(fw_node) *root = NULL;
    FW_TRY(fw_tree_parse(&root, yaml, len, name, err));
    if (root->kind != FW_TREE_MAP)
        return fw_fail(err, FW_ERR_CONFIG, "%s:%zu:%zu: expected keys such as project: and data:, found %s", name, root->line, root->column,
                       fw_node_kind_name(root));
    FW_TRY(fw_tree_widen(root, err));
    *out = root;
    root = NULL;
    return FW_OK;
}

static fw_status read_text(char **out, size_t *len, const char *path, fw_error *err)
{
    if (!fw_path_exists(path)) return fw_fail(err, FW_ERR_CONFIG, "%s: no such file: name the project file (flywheel init writes one)", path);
    if (fw_path_is_dir(path)) return fw_fail(err, FW_ERR_CONFIG, "%s: is a folder: name the project file in it", path);
    fw_error why;
    fw_status s = fw_read_file(out, len, path, FW_FILE_MAX_BYTES, &why);
    if (s == FW_ERR_NOMEM) return fw_fail(err, s, "%s", why.text);
    if (s == FW_ERR_DATA) return fw_fail(err, FW_ERR_CONFIG, "%s: larger than 1 MiB: this is no project file", path);
    return s < 0 ? fw_fail(err, FW_ERR_CONFIG, "%s", why.text) : FW_OK;
}

fw_status fw_project_load(fw_project **out, const char *path, const char *const *overrides, size_t n, fw_error *err)
{
    FW_FREE char *text = NULL, *dir = NULL;
    size_t len;
    FW_TRY(read_text(&text, &len, path, err));
    FW_TRY(fw_path_dir(&dir, path, err));
    FW_AUTO(fw_node) *root = NULL;
    FW_TRY(root_of(&root, text, len, path, err));
    fw_problems problems = {.file = path};
    fw_status s = fw_tree_override(root, overrides, n, &problems, err);
    if (s >= 0) s = from_tree(out, &root, path, path, dir, &problems, err);
    fw_problems_release(&problems);
    return s;
}

static fw_status parse_tree(fw_project **out, fw_node **root, const char *name, const char *dir, fw_error *err)
{
    fw_problems problems = {.file = name};
    fw_status s = from_tree(out, root, name, name, dir, &problems, err);
    fw_problems_release(&problems);
    return s;
}

fw_status fw_project_parse(fw_project **out, const char *yaml, const char *name, const char *dir, fw_error *err)
{
    FW_AUTO(fw_node) *root = NULL;
    FW_TRY(root_of(&root, yaml, strlen(yaml), name, err));
    return parse_tree(out, &root, name, dir, err);
}

fw_status fw_project_parse_model_part(fw_project **out, const char *yaml, const char *tables, const char *name, const char *dir, fw_error *err)
{
    char data[] = "data", key[] = "tables", *parts[] = {data, key};
    FW_AUTO(fw_node) *root = NULL;
    FW_TRY(root_of(&root, yaml, strlen(yaml), name, err));
    FW_TRY(fw_tree_set(root, parts, 2, tables, FW_FROM_DATA, err));
    return parse_tree(out, &root, name, dir, err);
}

fw_status fw_project_with(fw_project **out, const fw_project *p, const char *const *overrides, size_t n, fw_error *err)
{
    const char *file = ((const fw_internal *)p->internal)->file;
    FW_AUTO(fw_node) *tree = NULL;
    FW_TRY(fw_node_copy(&tree, ((const fw_internal *)p->internal)->tree, err));
    fw_problems problems = {.file = file};
    fw_status s = fw_tree_set_texts(tree, overrides, n, FW_FROM_TRIAL, &problems, err);
    if (s >= 0) s = from_tree(out, &tree, file, p->path, p->dir, &problems, err);
    fw_problems_release(&problems);
    return s;
}

/** Reads the struct anew from the changed tree; *p keeps its place. */
static fw_status renew(fw_project *p, fw_node **tree, fw_error *err)
{
    const char *file = ((fw_internal *)p->internal)->file;
    fw_problems problems = {.file = file};
    FW_AUTO(fw_project) *renewed = NULL;
    fw_status s = from_tree(&renewed, tree, file, p->path, p->dir, &problems, err);
    fw_problems_release(&problems);
    if (s < 0) return s;
    fw_project swap = *p;
    *p = *renewed;
    *renewed = swap;
    return FW_OK;
}

/** Whether a type found says something new: the column is a feature by "*" or by its own entry, and of type auto there. */
static bool is_open(const fw_project *p, const char *column)
{
    const fw_feature_spec *own = NULL, *others = NULL;
    for (size_t i = 0; i < p->features.n; i++) {
        if (strcmp(p->features.v[i].column, column) == 0) own = &p->features.v[i];
        if (strcmp(p->features.v[i].column, "*") == 0) others = &p->features.v[i];
    }
    if (own != NULL) return own->type == FW_FEATURE_AUTO;
    return others != NULL && others->type == FW_FEATURE_AUTO && !fw_text_equal(column, p->problem.target) && !fw_text_equal(column, p->data.id) &&
           !fw_strings_have(&p->data.private_columns, column);
}

/** A column without an entry of its own gets a copy of "*". */
static fw_status set_type(fw_node *features, const char *column, fw_feature_type type, fw_error *err)
{
    fw_node *entry = fw_node_child(features, column);
    if (entry == NULL) {
        FW_AUTO(fw_node) *made = NULL;
        FW_TRY(fw_node_copy(&made, fw_node_child(features, "*"), err));
        fw_node_set_origin(made, FW_FROM_DATA);
        FW_TRY(fw_node_put(features, column, &made, err));
        entry = fw_node_child(features, column);
    }
    FW_AUTO(fw_node) *value = NULL;
    FW_TRY(fw_node_scalar(&value, fw_feature_type_name(type), true, err));
    value->origin = FW_FROM_DATA;
    return fw_node_put(entry, "type", &value, err);
}

/** Settings copied from "*" that mean nothing for the type found are dropped: "*" spoke of the columns that can have them. */
static fw_status drop_meaningless(fw_node *entry, fw_feature_type type, fw_error *err)
{
    bool failed = false;
    fw_feature_spec spec = {.type = type};
    size_t kept = 0;
    for (size_t i = 0; i < entry->n; i++) {
        const fw_key *key = fw_key_below(fw_key_find("features"), entry->child[i]->key);
        bool copied = entry->child[i]->origin == FW_FROM_DATA;
        if (copied && key != NULL && !fw_key_applies(key, NULL, &spec, &failed)) fw_node_destroy(&entry->child[i]);
        else entry->child[kept++] = entry->child[i];
    }
    entry->n = kept;
    return failed ? fw_fail(err, FW_ERR_NOMEM, "project: settings of a column") : FW_OK;
}

fw_status fw_project_set_types(fw_project *p, const char *const *columns, const fw_feature_type *types, size_t n, fw_error *err)
{
    FW_AUTO(fw_node) *tree = NULL;
    FW_TRY(fw_node_copy(&tree, ((fw_internal *)p->internal)->tree, err));
    fw_node *features = fw_node_child(tree, "features");
    if (features == NULL || features->kind != FW_TREE_MAP) {
        FW_AUTO(fw_node) *made = NULL;
        FW_TRY(fw_value_node(&made, fw_key_find("features")->fallback, "default", err));
        FW_TRY(fw_node_put(tree, "features", &made, err));
        FW_TRY(fw_tree_widen(tree, err));
        features = fw_node_child(tree, "features");
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_open(p, columns[i])) continue;
        FW_TRY(set_type(features, columns[i], types[i], err));
        FW_TRY(drop_meaningless(fw_node_child(features, columns[i]), types[i], err));
    }
    return renew(p, &tree, err);
}

/** "features.<column>.type" for a column that has no entry yet. */
static bool is_new_type(const fw_project *p, char *const *parts, size_t n, const char *value, fw_feature_type *type)
{
    if (n != 3 || strcmp(parts[0], "features") != 0 || strcmp(parts[2], "type") != 0 || fw_node_child(fw_given(p, "features"), parts[1]) != NULL)
        return false;
    const fw_key *key = fw_key_find("features.*.type");
    for (int i = 0; key->words[i] != NULL; i++)
        if (strcmp(key->words[i], value) == 0) {
            *type = (fw_feature_type)i;
            return true;
        }
    return false;
}

static fw_status set_parts(fw_project *p, char *const *parts, size_t n, const char *value, fw_error *err)
{
    fw_feature_type type;
    if (is_new_type(p, parts, n, value, &type)) return fw_project_set_types(p, (const char *const[]){parts[1]}, &type, 1, err);
    FW_AUTO(fw_node) *tree = NULL;
    FW_TRY(fw_node_copy(&tree, ((fw_internal *)p->internal)->tree, err));
    FW_TRY(fw_tree_set(tree, parts, n, value, FW_FROM_DATA, err));
    return renew(p, &tree, err);
}

fw_status fw_project_set(fw_project *p, const char *key, const char *value_yaml, fw_error *err)
{
    char *parts[8];
    errno = 0;
    size_t n = fw_key_split(parts, key, ".");
    if (n == 0 && errno == ENOMEM) return fw_fail(err, FW_ERR_NOMEM, "project: the key %.60s", key);
    if (n == 0) return fw_fail(err, FW_ERR_ARG, "project: '%s' is no path of a key", key);
    fw_status s = set_parts(p, parts, n, value_yaml, err);
    while (n > 0) free(parts[--n]);
    return s;
}

fw_status fw_project_dataset_path(char **out, const fw_project *p, fw_error *err)
{
    if (p->data.dataset != NULL) return fw_path_join(out, p->dir, p->data.dataset, err);
    FW_AUTO(fw_text) name = {0};
    fw_text_format(&name, "%s.dataset.h5", p->project);
    FW_TRY(fw_text_check(&name, err));
    return fw_path_join(out, p->dir, name.data, err);
}

const char *fw_feature_type_name(fw_feature_type t)
{
    return fw_key_find("features.*.type")->words[t];
}
