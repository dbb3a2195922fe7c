/** YAML as a tree of scalars, lists and maps, each with the place where it stands. libyaml is seen here alone.
 *  A safe part of YAML: one document, no anchors, aliases or tags, no key twice, at most FW_FILE_MAX_BYTES in a file
 *  and FW_TREE_MAX_DEPTH levels.
 *  Scalars stay text: what a text means is the business of the table of keys. */
#ifndef FW_PROJECT_TREE_H
#define FW_PROJECT_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/core/status.h"
#include "common/core/text.h"

#define FW_FILE_MAX_BYTES ((size_t)1 << 20)      /* a project file */
#define FW_TREE_MAX_BYTES ((size_t)16 << 20)     /* any text, also a resolved one, in which defaults are written out */
#define FW_TREE_MAX_DEPTH 16
#define FW_TREE_MAX_KEY   256      /* bytes of a name; longer ones can't be written back as YAML keys */

typedef enum fw_tree_kind { FW_TREE_SCALAR, FW_TREE_LIST, FW_TREE_MAP } fw_tree_kind;
typedef enum fw_origin { FW_FROM_FILE, FW_FROM_ENVIRONMENT, FW_FROM_COMMAND_LINE, FW_FROM_DATA, FW_FROM_TRIAL, FW_FROM_DEFAULT } fw_origin;

typedef struct fw_node {
    fw_tree_kind kind;
    fw_origin origin;
    size_t line, column;               /* of the value, from 1 */
    char *key;                         /* in a map; NULL elsewhere */
    const char *alias;                 /* the other name under which it stands in the file (fw_key.alias); NULL: its own */
    size_t key_line, key_column;
    char *text;                        /* scalar */
    bool plain;                        /* scalar without quotes */
    struct fw_node **child;
    size_t n, capacity;
    struct fw_node **by_key;           /* the children of a map in order of their keys; NULL after a change */
} fw_node;

/** name stands in the errors: "name:line:column: why". FW_ERR_CONFIG. */
fw_status fw_tree_parse(fw_node **out, const char *text, size_t len, const char *name, fw_error *err);
void      fw_node_destroy(fw_node **node);
fw_status fw_node_copy(fw_node **out, const fw_node *node, fw_error *err);

fw_status fw_node_scalar(fw_node **out, const char *text, bool plain, fw_error *err);
fw_status fw_node_map(fw_node **out, fw_error *err);
/** Puts child under key, in place of what was there. Takes *child (nulled) on success. */
fw_status fw_node_put(fw_node *map, const char *key, fw_node **child, fw_error *err);
/** A child that stands under an alias gets its real name. alias: static. */
fw_status fw_node_rename(fw_node *map, fw_node *child, const char *key, const char *alias, fw_error *err);
/** In place: a node becomes a map that holds what the node was under `key`. */
fw_status fw_node_wrap(fw_node *node, const char *key, fw_error *err);
void      fw_node_set_origin(fw_node *node, fw_origin origin);

fw_node  *fw_node_child(const fw_node *map, const char *key);      /* NULL: none, or not a map */
bool      fw_node_is_null(const fw_node *node);                    /* plain null or ~ */
bool      fw_node_is_empty(const fw_node *node);                   /* nothing written behind the colon */
const char *fw_node_kind_name(const fw_node *node);                /* "a text", "a list", "a map" */

/** YAML in flow style; texts quoted where needed. Reads back as the same. */
void fw_yaml_text(fw_text *out, const char *s);
/** Shortest text that reads back as the same double; "1.0e-08", since "1e-08" is a text to readers of YAML 1.1. */
void fw_yaml_number(fw_text *out, double v);
void fw_yaml_node(fw_text *out, const fw_node *node);

#endif
