#include "common/project/tree.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/core/size.h"

typedef struct reader { yaml_parser_t yaml; const char *name; } reader;

static fw_status refuse(const reader *r, yaml_mark_t at, fw_error *err, const char *why)
{
    return fw_fail(err, FW_ERR_CONFIG, "%s:%zu:%zu: %s", r->name, at.line + 1, at.column + 1, why);
}

static fw_status next_event(reader *r, yaml_event_t *event, fw_error *err)
{
    if (yaml_parser_parse(&r->yaml, event)) return FW_OK;
    if (r->yaml.error == YAML_MEMORY_ERROR) return fw_fail(err, FW_ERR_NOMEM, "%s: parsing YAML", r->name);
    yaml_mark_t at = r->yaml.problem_mark;
    const char *problem = r->yaml.problem != NULL ? r->yaml.problem : "unreadable";
    bool tab = strstr(problem, "cannot start any token") != NULL || strstr(problem, "found a tab") != NULL;
    return fw_fail(err, FW_ERR_CONFIG, "%s:%zu:%zu: not valid YAML: %s%s%s%s", r->name, at.line + 1, at.column + 1, problem,
                   r->yaml.context != NULL ? ", " : "", r->yaml.context != NULL ? r->yaml.context : "",
                   tab ? " (tabs can't indent; texts that begin with a sign such as @ % ` need quotes)" : "");
}

static fw_status new_node(fw_node **out, fw_tree_kind kind, yaml_mark_t at, fw_error *err)
{
    fw_node *node = calloc(1, sizeof *node);
    if (node == NULL) return fw_fail(err, FW_ERR_NOMEM, "project file: a node");
    node->kind = kind;
    node->line = at.line + 1;
    node->column = at.column + 1;
    *out = node;
    return FW_OK;
}

static void forget_order(fw_node *map)
{
    free(map->by_key);
    map->by_key = NULL;
}

static fw_status append(fw_node *parent, fw_node **child, fw_error *err)
{
    void *array = parent->child;
    fw_status s = fw_grow(&array, &parent->capacity, parent->n + 1, sizeof *parent->child, "project file", err);
    parent->child = array;
    if (s < 0) return s;
    parent->child[parent->n++] = *child;
    *child = NULL;
    forget_order(parent);
    return FW_OK;
}

static int by_key_then_place(const void *a, const void *b)
{
    const fw_node *x = *(fw_node *const *)a, *y = *(fw_node *const *)b;
    int order = strcmp(x->key, y->key);
    if (order != 0) return order;
    if (x->key_line != y->key_line) return x->key_line < y->key_line ? -1 : 1;
    return (x->key_column > y->key_column) - (x->key_column < y->key_column);
}

/** Sorts the keys of a map that is complete, and refuses one that stands twice. */
static fw_status order_keys(const reader *r, fw_node *map, fw_error *err)
{
    size_t bytes;
    FW_TRY(fw_size_mul(&bytes, map->n + 1, sizeof(fw_node *), "project file", err));
    fw_node **sorted = map->by_key = malloc(bytes);
    if (sorted == NULL) return fw_fail(err, FW_ERR_NOMEM, "project file: %zu keys", map->n);
    if (map->n > 0) memcpy(sorted, map->child, map->n * sizeof(fw_node *));
    qsort(sorted, map->n, sizeof *sorted, by_key_then_place);
    for (size_t i = 1; i < map->n; i++)
        if (strcmp(sorted[i]->key, sorted[i - 1]->key) == 0)
            return fw_fail(err, FW_ERR_CONFIG, "%s:%zu:%zu: key '%s' stands twice, first in line %zu: remove one", r->name, sorted[i]->key_line,
                           sorted[i]->key_column, sorted[i]->key, sorted[i - 1]->key_line);
    return FW_OK;
}

static fw_status check_properties(const reader *r, const yaml_event_t *event, const yaml_char_t *anchor, const yaml_char_t *tag, fw_error *err)
{
    if (anchor != NULL) return refuse(r, event->start_mark, err, "anchors (&) are not supported: write the value where it is used");
    if (tag != NULL) return refuse(r, event->start_mark, err, "tags (!) are not supported: the key decides the type");
    return FW_OK;
}

static fw_status scalar_text(char **out, const reader *r, const yaml_event_t *event, fw_error *err)
{
    const char *value = (const char *)event->data.scalar.value;
    if (memchr(value, '\0', event->data.scalar.length) != NULL) return refuse(r, event->start_mark, err, "a text holds a NUL character: remove it");
    return fw_copy_text(out, value, err);
}

static fw_status read_node(fw_node **out, reader *r, yaml_event_t *event, int depth, fw_error *err);

static fw_status read_list(fw_node *list, reader *r, int depth, fw_error *err)
{
    for (;;) {
        yaml_event_t event;
        FW_TRY(next_event(r, &event, err));
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            yaml_event_delete(&event);
            return FW_OK;
        }
        FW_AUTO(fw_node) *item = NULL;
        fw_status s = read_node(&item, r, &event, depth + 1, err);
        yaml_event_delete(&event);
        if (s < 0) return s;
        FW_TRY(append(list, &item, err));
    }
}

static fw_status read_key(char **key, const reader *r, const yaml_event_t *event, fw_error *err)
{
    if (event->type == YAML_ALIAS_EVENT)
        return refuse(r, event->start_mark, err, "aliases (*name) are not supported: put the text in quotes or write the value again");
    if (event->type != YAML_SCALAR_EVENT) return refuse(r, event->start_mark, err, "a key must be a text");
    FW_TRY(check_properties(r, event, event->data.scalar.anchor, event->data.scalar.tag, err));
    if (event->data.scalar.length > FW_TREE_MAX_KEY) return refuse(r, event->start_mark, err, "a key is longer than 256 bytes");
    return scalar_text(key, r, event, err);
}

static fw_status read_map(fw_node *map, reader *r, int depth, fw_error *err)
{
    for (;;) {
        yaml_event_t event;
        FW_TRY(next_event(r, &event, err));
        if (event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return order_keys(r, map, err);
        }
        FW_FREE char *key = NULL;
        yaml_mark_t key_at = event.start_mark;
        fw_status s = read_key(&key, r, &event, err);
        yaml_event_delete(&event);
        if (s < 0) return s;
        FW_TRY(next_event(r, &event, err));
        FW_AUTO(fw_node) *value = NULL;
        s = read_node(&value, r, &event, depth + 1, err);
        yaml_event_delete(&event);
        if (s < 0) return s;
        value->key = key;
        key = NULL;
        value->key_line = key_at.line + 1;
        value->key_column = key_at.column + 1;
        FW_TRY(append(map, &value, err));
    }
}

static fw_status read_node(fw_node **out, reader *r, yaml_event_t *event, int depth, fw_error *err)
{
    if (depth > FW_TREE_MAX_DEPTH) return refuse(r, event->start_mark, err, "nested deeper than 16 levels");
    FW_AUTO(fw_node) *node = NULL;
    if (event->type == YAML_SCALAR_EVENT) {
        FW_TRY(check_properties(r, event, event->data.scalar.anchor, event->data.scalar.tag, err));
        FW_TRY(new_node(&node, FW_TREE_SCALAR, event->start_mark, err));
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        FW_TRY(scalar_text(&node->text, r, event, err));
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        FW_TRY(check_properties(r, event, event->data.sequence_start.anchor, event->data.sequence_start.tag, err));
        FW_TRY(new_node(&node, FW_TREE_LIST, event->start_mark, err));
        FW_TRY(read_list(node, r, depth, err));
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        FW_TRY(check_properties(r, event, event->data.mapping_start.anchor, event->data.mapping_start.tag, err));
        FW_TRY(new_node(&node, FW_TREE_MAP, event->start_mark, err));
        FW_TRY(read_map(node, r, depth, err));
    } else {
        return refuse(r, event->start_mark, err, "aliases (*name) are not supported: put the text in quotes or write the value again");
    }
    *out = node;
    node = NULL;
    return FW_OK;
}

/** STREAM-START [DOCUMENT-START node DOCUMENT-END] STREAM-END, and nothing else. */
static fw_status read_document(fw_node **out, reader *r, fw_error *err)
{
    FW_AUTO(fw_node) *root = NULL;
    for (;;) {
        yaml_event_t event;
        FW_TRY(next_event(r, &event, err));
        fw_status s = FW_OK;
        bool end = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT) {
            if (root != NULL) s = refuse(r, event.start_mark, err, "a second YAML document begins here: one file is one project");
        } else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_END_EVENT && !end) {
            s = read_node(&root, r, &event, 1, err);
        }
        yaml_event_delete(&event);
        if (s < 0) return s;
        if (end) break;
    }
    if (root == NULL)
        return fw_fail(err, FW_ERR_CONFIG, "%s: the file is empty: it needs at least project, problem and data (flywheel init writes one)", r->name);
    *out = root;
    root = NULL;
    return FW_OK;
}

static fw_status check_bytes(const char *text, size_t len, const char *name, fw_error *err)
{
    if (len > FW_TREE_MAX_BYTES) return fw_fail(err, FW_ERR_CONFIG, "%s: %zu bytes: at most 16 MiB are possible", name, len);
    size_t good = fw_utf8_valid(text, len);
    if (good == len) return FW_OK;
    size_t line = 1, column = 1;
    for (size_t i = 0; i < good; i++) {
        column = text[i] == '\n' ? 1 : column + 1;
        if (text[i] == '\n') line++;
    }
    return fw_fail(err, FW_ERR_CONFIG, "%s:%zu:%zu: byte 0x%02x %s: save the file as UTF-8 text", name, line, column, (unsigned char)text[good],
                   text[good] == '\0' ? "(NUL) is no text" : "is not UTF-8");
}

fw_status fw_tree_parse(fw_node **out, const char *text, size_t len, const char *name, fw_error *err)
{
    FW_TRY(check_bytes(text, len, name, err));
    reader r = {.name = name};
    if (!yaml_parser_initialize(&r.yaml)) return fw_fail(err, FW_ERR_NOMEM, "%s: parsing YAML", name);
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, len);
    fw_status s = read_document(out, &r, err);
    yaml_parser_delete(&r.yaml);
    return s;
}

void fw_node_destroy(fw_node **node)
{
    if (node == NULL || *node == NULL) return;
    for (size_t i = 0; i < (*node)->n; i++) fw_node_destroy(&(*node)->child[i]);
    free((*node)->child);
    free((*node)->by_key);
    free((*node)->key);
    free((*node)->text);
    free(*node);
    *node = NULL;
}

fw_status fw_node_copy(fw_node **out, const fw_node *node, fw_error *err)
{
    FW_AUTO(fw_node) *copy = calloc(1, sizeof *copy);
    if (copy == NULL) return fw_fail(err, FW_ERR_NOMEM, "project file: a node");
    *copy = *node;
    copy->key = copy->text = NULL;
    copy->child = copy->by_key = NULL;
    copy->n = copy->capacity = 0;
    if (node->key != NULL) FW_TRY(fw_copy_text(&copy->key, node->key, err));
    if (node->text != NULL) FW_TRY(fw_copy_text(&copy->text, node->text, err));
    for (size_t i = 0; i < node->n; i++) {
        FW_AUTO(fw_node) *child = NULL;
        FW_TRY(fw_node_copy(&child, node->child[i], err));
        FW_TRY(append(copy, &child, err));
    }
    *out = copy;
    copy = NULL;
    return FW_OK;
}

fw_status fw_node_scalar(fw_node **out, const char *text, bool plain, fw_error *err)
{
    FW_AUTO(fw_node) *node = NULL;
    FW_TRY(new_node(&node, FW_TREE_SCALAR, (yaml_mark_t){0}, err));
    FW_TRY(fw_copy_text(&node->text, text, err));
    node->plain = plain;
    *out = node;
    node = NULL;
    return FW_OK;
}

fw_status fw_node_map(fw_node **out, fw_error *err)
{
    return new_node(out, FW_TREE_MAP, (yaml_mark_t){0}, err);
}

fw_status fw_node_put(fw_node *map, const char *key, fw_node **child, fw_error *err)
{
    char *name = NULL;
    FW_TRY(fw_copy_text(&name, key, err));
    free((*child)->key);
    (*child)->key = name;
    for (size_t i = 0; i < map->n; i++) {
        if (strcmp(map->child[i]->key, key) != 0) continue;
        forget_order(map);
        fw_node_destroy(&map->child[i]);
        map->child[i] = *child;
        *child = NULL;
        return FW_OK;
    }
    return append(map, child, err);
}

fw_status fw_node_rename(fw_node *map, fw_node *child, const char *key, const char *alias, fw_error *err)
{
    char *name = NULL;
    FW_TRY(fw_copy_text(&name, key, err));
    forget_order(map);
    free(child->key);
    child->key = name;
    child->alias = alias;
    return FW_OK;
}

fw_status fw_node_wrap(fw_node *node, const char *key, fw_error *err)
{
    FW_AUTO(fw_node) *inner = calloc(1, sizeof *inner);
    if (inner == NULL) return fw_fail(err, FW_ERR_NOMEM, "project file: a node");
    FW_TRY(fw_copy_text(&inner->key, key, err));
    fw_node outer = {.kind = FW_TREE_MAP, .origin = node->origin, .line = node->line, .column = node->column, .key = node->key,
                     .key_line = node->key_line, .key_column = node->key_column};
    char *name = inner->key;
    fw_node *place = inner;
    FW_TRY(append(&outer, &inner, err));
    *place = *node;
    place->key = name;
    place->key_line = node->line;
    place->key_column = node->column;
    *node = outer;
    return FW_OK;
}

void fw_node_set_origin(fw_node *node, fw_origin origin)
{
    node->origin = origin;
    for (size_t i = 0; i < node->n; i++) fw_node_set_origin(node->child[i], origin);
}

static int key_to_node(const void *key, const void *node)
{
    return strcmp(key, (*(fw_node *const *)node)->key);
}

fw_node *fw_node_child(const fw_node *map, const char *key)
{
    if (map == NULL || map->kind != FW_TREE_MAP) return NULL;
    if (map->by_key != NULL) {
        fw_node *const *found = bsearch(key, map->by_key, map->n, sizeof *map->by_key, key_to_node);
        return found != NULL ? *found : NULL;
    }
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->child[i]->key, key) == 0) return map->child[i];
    return NULL;
}

bool fw_node_is_null(const fw_node *node)
{
    return node->kind == FW_TREE_SCALAR && node->plain && (strcmp(node->text, "null") == 0 || strcmp(node->text, "~") == 0);
}

bool fw_node_is_empty(const fw_node *node)
{
    return node->kind == FW_TREE_SCALAR && node->plain && node->text[0] == '\0';
}

const char *fw_node_kind_name(const fw_node *node)
{
    if (node->kind == FW_TREE_LIST) return "a list";
    return node->kind == FW_TREE_MAP ? "a map" : "a text";
}
