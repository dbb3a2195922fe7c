/** Tree -> struct, by the table: unknown keys, values, defaults. */
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/fill.h"

void *fw_fill_alloc(fw_fill *f, size_t n, size_t bytes)
{
    fw_internal *in = f->p->internal;
    void *array = in->memory, *block = NULL;
    fw_error err;
    bool ok = fw_grow(&array, &in->capacity, in->n_memory + 1, sizeof *in->memory, "project file", &err) >= 0;
    in->memory = array;
    if (ok) block = calloc(n == 0 ? 1 : n, bytes);
    if (block == NULL) f->out_of_memory = true;
    else in->memory[in->n_memory++] = block;
    return block;
}

char *fw_fill_text(fw_fill *f, const char *s)
{
    size_t bytes = strlen(s) + 1;
    char *copy = fw_fill_alloc(f, bytes, 1);
    if (copy != NULL) memcpy(copy, s, bytes);
    return copy;
}

fw_status fw_value_node(fw_node **out, const char *text, const char *name, fw_error *err)
{
    if (text[0] == '[' || text[0] == '{' || text[0] == '"' || text[0] == '\'') return fw_tree_parse(out, text, strlen(text), name, err);
    size_t len = strlen(text);
    if (fw_utf8_valid(text, len) != len) return fw_fail(err, FW_ERR_CONFIG, "%s: the value is not UTF-8", name);
    return fw_node_scalar(out, text, true, err);
}

/* ---- short forms: a bare value where a map may stand ---- */

static fw_status widen(fw_node *node, const fw_key *key, fw_error *err);

static fw_status widen_children(fw_node *map, const fw_key *parent, fw_error *err)
{
    for (size_t i = 0; i < map->n; i++) {
        const fw_key *key = fw_key_below(parent, map->child[i]->key), *meant = key == NULL ? fw_key_aliased(parent, map->child[i]->key) : NULL;
        if (meant != NULL && fw_node_child(map, fw_key_name(meant)) == NULL)      /* else it is told as one name too many */
            FW_TRY(fw_node_rename(map, map->child[i], fw_key_name(key = meant), meant->alias, err));
        if (key != NULL) FW_TRY(widen(map->child[i], key, err));
    }
    return FW_OK;
}

static fw_status widen_elements(fw_node *node, const fw_key *key, fw_error *err)
{
    if (node->kind == FW_TREE_SCALAR && strcmp(node->text, "*") == 0) {      /* features: "*" */
        FW_TRY(fw_node_wrap(node, "*", err));
        free(node->child[0]->text);
        node->child[0]->text = NULL;
        FW_TRY(fw_copy_text(&node->child[0]->text, "auto", err));
    }
    if (node->kind != FW_TREE_MAP) return FW_OK;
    for (size_t i = 0; i < node->n; i++) {
        fw_node *element = node->child[i];
        if (element->kind == FW_TREE_SCALAR && !fw_node_is_empty(element)) FW_TRY(fw_node_wrap(element, key->brief, err));
        if (element->kind == FW_TREE_MAP) FW_TRY(widen_children(element, key, err));
    }
    return FW_OK;
}

static fw_status widen(fw_node *node, const fw_key *key, fw_error *err)
{
    if (key->form == FW_KEY_MAP) return widen_elements(node, key, err);
    if (key->form != FW_KEY_SECTION) return FW_OK;
    if (fw_node_is_empty(node) || fw_node_is_null(node)) {      /* all of it commented out */
        free(node->text);
        node->text = NULL;
        node->kind = FW_TREE_MAP;
    }
    if (node->kind != FW_TREE_MAP && key->brief != NULL) FW_TRY(fw_node_wrap(node, key->brief, err));
    return node->kind == FW_TREE_MAP ? widen_children(node, key, err) : FW_OK;
}

fw_status fw_tree_widen(fw_node *root, fw_error *err)
{
    return root->kind == FW_TREE_MAP ? widen_children(root, NULL, err) : FW_OK;
}

/** Without memory for a path nothing is left out in silence. */
static bool text_failed(fw_fill *f, const fw_text *t)
{
    if (t->failed) f->out_of_memory = true;
    return t->failed;
}

/* ---- unknown keys ---- */

/** Where else a key of this name lives: "train.epochs" for "epochs"; NULL when nowhere or in several places. */
static const char *elsewhere(const char *name)
{
    const char *found = NULL;
    for (size_t i = 0; i < fw_n_keys; i++) {
        if (strcmp(fw_key_name(&fw_keys[i]), name) != 0) continue;
        if (found != NULL) return NULL;
        found = fw_keys[i].path;
    }
    return found;
}

static void unknown_key(fw_fill *f, const fw_key *parent, const char *path, const fw_node *node)
{
    const char *names[64] = {0};
    size_t n = 0;
    FW_AUTO(fw_text) list = {0};
    for (size_t i = 0; i < fw_n_keys && n < 64; i++)
        if (fw_key_is_child(&fw_keys[i], parent)) {
            names[n] = fw_key_name(&fw_keys[i]);
            fw_text_format(&list, "%s%s", n == 0 ? "" : ", ", names[n]);
            n++;
        }
    const fw_key *meant = fw_key_aliased(parent, node->key);
    const char *near = fw_did_you_mean(node->key, names, n);
    const char *other = near == NULL ? elsewhere(node->key) : NULL;
    if (meant != NULL) fw_problem(f->problems, node, true, path, "is another name of '%s', which stands here too: keep one of them", fw_key_name(meant));
    else if (near != NULL) fw_problem(f->problems, node, true, path, "unknown key, did you mean '%s'?", near);
    else if (other != NULL) fw_problem(f->problems, node, true, path, "unknown key here, did you mean '%s'?", other);
    else fw_problem(f->problems, node, true, path, "unknown key; possible here: %s", list.data);
}

/* ---- values ---- */

static void fill_fallback(fw_fill *f, const fw_key *key, const char *path, void *base)
{
    FW_AUTO(fw_node) *node = NULL;
    fw_error err;
    if (fw_value_node(&node, key->fallback, "default", &err) < 0) {
        f->out_of_memory = true;
        return;
    }
    fw_node_set_origin(node, FW_FROM_DEFAULT);
    fw_key_kinds[key->form].parse(f, key, path, node, base);
}

/** A later key has no field: its value is checked in scratch memory and stays in the tree. */
static void fill_value(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    max_align_t scratch[16] = {0};
    fw_key place = *key;
    if (key->at == 0) {
        base = scratch;
        place.at2 = sizeof(max_align_t) * 8;
    } else if (key->fallback != NULL) {
        fill_fallback(f, key, path, base);
    }
    if (node != NULL && !fw_node_is_null(node)) fw_key_kinds[key->form].parse(f, &place, path, node, base);
}

static void fill_keys(fw_fill *f, const fw_key *parent, const char *path, const fw_node *node, void *base);

static int by_name(const void *a, const void *b)
{
    return strcmp(fw_element_name(a), fw_element_name(b));
}

static void fill_elements(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (!fw_expect(f, path, node, FW_TREE_MAP, "a map")) return;
    char *elements = fw_fill_alloc(f, node->n, key->element_bytes);
    if (elements == NULL) return;
    for (size_t i = 0; i < node->n; i++) {
        char *element = elements + i * key->element_bytes;
        FW_AUTO(fw_text) below = {0};
        fw_text_format(&below, "%s.%s", path, node->child[i]->key);
        if ((*(char **)element = fw_fill_text(f, node->child[i]->key)) == NULL || text_failed(f, &below)) return;
        if (fw_expect(f, below.data, node->child[i], FW_TREE_MAP, "a value or a map")) fill_keys(f, key, below.data, node->child[i], element);
    }
    if (key->flags & FW_KEY_ANY_ORDER) qsort(elements, node->n, key->element_bytes, by_name);
    *(char **)((char *)base + key->at) = elements;
    *(size_t *)((char *)base + key->at2) = node->n;
}

static void fill_map(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base)
{
    if (node != NULL && !fw_node_is_null(node) && !fw_node_is_empty(node)) {
        fill_elements(f, key, path, node, base);
        return;
    }
    if (key->fallback == NULL) return;
    FW_AUTO(fw_node) *fallback = NULL;
    fw_error err;
    if (fw_value_node(&fallback, key->fallback, "default", &err) < 0 || widen(fallback, key, &err) < 0) f->out_of_memory = true;
    else fill_elements(f, key, path, fallback, base);
}

static void fill_key(fw_fill *f, const fw_key *key, const char *path, const fw_node *parent_node, void *base)
{
    const fw_node *node = fw_node_child(parent_node, fw_key_name(key));
    const bool given = node != NULL && !fw_node_is_null(node) && !(key->form == FW_KEY_MAP && fw_node_is_empty(node));
    if (key->flags & FW_KEY_REQUIRED && key->form != FW_KEY_SECTION && !given)
        fw_problem(f->problems, parent_node == NULL || parent_node->key == NULL ? NULL : parent_node, true, path, "is missing: %s", key->help);
    if (key->form == FW_KEY_SECTION) {
        bool ok = node == NULL || fw_expect(f, path, node, FW_TREE_MAP, key->brief != NULL ? "a value or a map" : "a map of keys");
        fill_keys(f, key, path, ok ? node : NULL, base);
    } else if (key->form == FW_KEY_MAP) {
        fill_map(f, key, path, node, base);
    } else {
        fill_value(f, key, path, node, base);
    }
}

static void fill_keys(fw_fill *f, const fw_key *parent, const char *path, const fw_node *node, void *base)
{
    FW_AUTO(fw_text) below = {0};
    for (size_t i = 0; node != NULL && i < node->n; i++) {
        if (fw_key_below(parent, node->child[i]->key) != NULL) continue;
        fw_text_clear(&below);
        fw_text_format(&below, "%s%s%s", path, path[0] == '\0' ? "" : ".", node->child[i]->key);
        if (!text_failed(f, &below)) unknown_key(f, parent, below.data, node->child[i]);
    }
    for (size_t i = 0; i < fw_n_keys; i++) {
        if (!fw_key_is_child(&fw_keys[i], parent)) continue;
        fw_text_clear(&below);
        fw_text_format(&below, "%s%s%s", path, path[0] == '\0' ? "" : ".", fw_key_name(&fw_keys[i]));
        if (!text_failed(f, &below)) fill_key(f, &fw_keys[i], below.data, node, base);
    }
}

void fw_project_fill(fw_fill *f, const fw_node *root)
{
    fill_keys(f, NULL, "", root, f->p);
}
