/** Shared by the forms of values: kinds.c (one value) and kinds_lists.c (lists and maps). */
#ifndef FW_PROJECT_KINDS_H
#define FW_PROJECT_KINDS_H

#include "common/project/keys.h"

/** The field of a key in its struct. */
static inline void *fw_field(void *base, size_t at) { return (char *)base + at; }
static inline const void *fw_field_const(const void *base, size_t at) { return (const char *)base + at; }

/** Reports and returns false when node is not of this kind. what: "a list of texts, e.g. [a, b]". */
bool fw_expect(fw_fill *f, const char *path, const fw_node *node, fw_tree_kind kind, const char *what);
/** A finite number within the key's range. */
bool fw_parse_in_range(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, double *out);
/** The index of the word, or -1 and a problem. */
int  fw_parse_word(fw_fill *f, const fw_key *key, const char *path, const fw_node *node);
void fw_range_text(fw_text *out, const fw_key *key);       /* ">= 0 and < 1"; nothing when any number will do */

#define FW_KIND_DECLARE(name)                                                                                     \
    void    fw_parse_##name(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, void *base);    \
    bool    fw_write_##name(fw_text *out, const fw_key *key, const void *base);                                  \
    json_t *fw_schema_##name(const fw_key *key);
FW_KIND_DECLARE(texts)
FW_KIND_DECLARE(sizes)
FW_KIND_DECLARE(clip)
FW_KIND_DECLARE(gates)
FW_KIND_DECLARE(merge)
FW_KIND_DECLARE(weights)
FW_KIND_DECLARE(missing)
FW_KIND_DECLARE(share)
FW_KIND_DECLARE(space)

json_t *fw_schema_number(const fw_key *key);
json_t *fw_schema_word(const fw_key *key);

#endif
