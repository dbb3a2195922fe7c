/** The one table of keys of the project file. Parsing, defaults, --print-defaults, the resolved text, the JSON schema and the reference are all
 *  derived from it. A new key is one line in keys.c and a field of fw_project; a new form of value is one entry in kinds.c. */
#ifndef FW_PROJECT_KEYS_H
#define FW_PROJECT_KEYS_H

#include <jansson.h>

#include "common/core/text.h"
#include "common/project/project.h"
#include "common/project/tree.h"

typedef enum fw_key_form {
    FW_KEY_SECTION,      /* a map with the keys listed below it */
    FW_KEY_MAP,          /* a map from names to sections: "features.*" */
    FW_KEY_TEXT, FW_KEY_WORD, FW_KEY_WORD_TEXT /* word, kept as text */, FW_KEY_TASK, FW_KEY_CHAR, FW_KEY_BOOL, FW_KEY_NUMBER, FW_KEY_INTEGER,
    FW_KEY_DURATION, FW_KEY_TEXTS, FW_KEY_SIZES, FW_KEY_CLIP, FW_KEY_GATES, FW_KEY_MERGE, FW_KEY_WEIGHTS, FW_KEY_MISSING, FW_KEY_EVERY,
    FW_KEY_WINDOW, FW_KEY_SHARE, FW_KEY_SPACE, FW_KEY_ANY, FW_N_KEY_FORMS
} fw_key_form;

enum {
    FW_KEY_REQUIRED = 1,
    FW_KEY_LATER = 2,        /* parsed and checked, used by no command of this version */
    FW_KEY_ANY_ORDER = 4,    /* the order of a list says nothing: kept sorted */
    FW_KEY_LOW_OPEN = 8,     /* low itself is out of range */
    FW_KEY_HIGH_OPEN = 16,
    FW_KEY_IN_DATA = 32,     /* part of what shapes the dataset */
    FW_KEY_IN_MODEL = 64,    /* part of what shapes the model, given the dataset */
    FW_KEY_REPEATS = 128,    /* a list may have the same text twice */
    FW_KEY_IN_USE = 256      /* kept in the model beside that: how its predictions are told of */
};

typedef struct fw_key {
    const char *path;              /* "train.epochs", "features.*.clip" */
    fw_key_form form;
    unsigned flags;
    size_t at, at2, given_at;      /* offsets in fw_project, or in the element below a MAP; 0: none. at2: the count, the second value;
                                    * given_at: a bool, true when there is a value */
    size_t element_bytes;          /* MAP */
    double low, high;              /* numbers; both 0: any */
    const char *const *words;      /* NULL-terminated; in the order of the enum */
    const char *fallback;          /* the default, as canonical YAML; NULL: none */
    const char *brief;             /* SECTION, MAP element: the key that a bare value stands for */
    const char *when;              /* "train.optimizer sgd": the key means something only then; NULL: always */
    const char *alias;             /* another name that is taken for it: Ray's max_t for max_rounds; NULL: none */
    const char *help;
} fw_key;

extern const fw_key fw_keys[];
extern const size_t fw_n_keys;

/** The row of a path in which names below maps are "*"; NULL: none. */
const fw_key *fw_key_find(const char *path);
/** The row of `name` directly below the row `parent` (NULL: top level); below a MAP any name gives "parent.*". */
const fw_key *fw_key_below(const fw_key *parent, const char *name);
/** The row directly below parent that has `name` as its alias; NULL: none. */
const fw_key *fw_key_aliased(const fw_key *parent, const char *name);
/** Whether a row is a direct child of parent; key: in the table, parent: a row or a copy of one. */
bool          fw_key_is_child(const fw_key *key, const fw_key *parent);
const char   *fw_key_name(const fw_key *key);      /* the last part of its path */
/** Cuts "features.sepal.length.type" into {"features", "sepal.length", "type"}; double quotes protect dots. separator "." or "__" (environment:
 *  names of keys in any case). Parts are malloc'ed into out (at most 8); returns their number, 0 when the text can't be cut. */
size_t        fw_key_split(char *out[8], const char *path, const char *separator);      /* errno ENOMEM with 0: no memory */

/* ---- errors, collected ---- */
typedef struct fw_problems {
    const char *file;
    struct { size_t order; char *text; } *v;
    size_t n, capacity, dropped;
} fw_problems;
/** "file:line:column: path: ..."; at the key of node when at_key, at its value else; node NULL: the file alone. */
void      fw_problem(fw_problems *all, const fw_node *node, bool at_key, const char *path, const char *format, ...) __attribute__((format(printf, 5, 6)));
/** "p.yaml:7:11", "command line", ...: the key of node when at_key, its value else; node NULL: the file. malloc'ed, NULL: no memory. */
char     *fw_node_place(const char *file, const fw_node *node, bool at_key);
fw_status fw_problems_status(const fw_problems *all, fw_error *err);      /* FW_ERR_CONFIG with all of them, in file order; FW_OK when none */
void      fw_problems_release(fw_problems *all);

/* ---- values ---- */
/** What common/project keeps behind fw_project.internal: the tree, and all memory that the struct points to. */
typedef struct fw_internal {
    fw_node *tree;
    char *file;                        /* as it stands in errors */
    void **memory;
    size_t n_memory, capacity;
    bool clustering;
} fw_internal;

typedef struct fw_fill { fw_project *p; fw_problems *problems; bool out_of_memory; } fw_fill;

void *fw_fill_alloc(fw_fill *f, size_t n, size_t bytes);     /* zeroed, lives as long as the project; NULL: f->out_of_memory is set */
char *fw_fill_text(fw_fill *f, const char *s);

/** One form of value. parse puts a node into base, or reports a problem; write adds it as flow YAML, false when there is no value. */
typedef struct fw_key_kind {
    const char *name;                  /* in the reference */
    void    (*parse)(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base);
    bool    (*write)(fw_text *out, const fw_key *key, const void *base);
    json_t *(*schema)(const fw_key *key);
} fw_key_kind;
extern const fw_key_kind fw_key_kinds[FW_N_KEY_FORMS];       /* SECTION and MAP have no functions */

/** Whether a key means something, given the other values (its `when`). element: the struct that holds a sibling below "*", or NULL. */
bool fw_key_applies(const fw_key *key, const fw_project *p, const void *element, bool *failed);      /* *failed: no memory to tell; else untouched */
/** Rules between keys, after all values are in. */
void fw_project_rules(fw_fill *f);

/** Walks keys and values in the order of the table. Sections and the elements of maps are entered and left; a leaf has its value as YAML and the
 *  node that it came from (NULL: a default). Keys that mean nothing here, or have no value, are passed over. */
typedef struct fw_visitor {
    void *context;
    void (*enter)(void *context, const fw_key *key, const char *name, bool element);
    void (*leaf)(void *context, const fw_key *key, const char *path, const char *value, const fw_node *node);
    void (*leave)(void *context);
} fw_visitor;
bool fw_project_visit(const fw_project *p, const fw_visitor *v);      /* false: no memory, something was left out */

/** The name of an element of a MAP: its first member. */
const char *fw_element_name(const void *element);

#endif
