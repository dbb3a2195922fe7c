/** The list of those who are let in: FOLDER/allowed, a line each, "ROLE KEY NAME"; '#' begins a comment line. Whoever is not in it is refused. */
#ifndef FW_BUS_ALLOWED_H
#define FW_BUS_ALLOWED_H

#include "common/bus/keys.h"

#define FW_ALLOWED_FILE "allowed"
#define FW_ALLOWED_MAX  4096              /* keys */

/** What a client may do. Each may what those before it may. */
typedef enum fw_role {
    FW_ROLE_NONE,
    FW_ROLE_READ,                         /* subscribe */
    FW_ROLE_STORE                         /* fetch again and acknowledge, which lets the publisher forget */
} fw_role;

const char *fw_role_name(fw_role r);      /* "read", "store"; "none" */
/** FW_ERR_CONFIG: it is neither "read" nor "store". */
fw_status   fw_role_parse(fw_role *out, const char *word, fw_error *err);

typedef struct fw_allowed_key { fw_role role; char key[FW_BUS_KEY_TEXT], name[FW_KEYS_NAME + 1]; } fw_allowed_key;
typedef struct fw_allowed { fw_allowed_key *v; size_t n, capacity; } fw_allowed;

/** FW_ERR_NOTFOUND: there is no such file. FW_ERR_CONFIG: others may write it; a line is wrong (file:line), or a key is there twice. */
fw_status fw_allowed_read(fw_allowed **out, const char *path, fw_error *err);
void      fw_allowed_destroy(fw_allowed **a);
const fw_allowed_key *fw_allowed_find(const fw_allowed *a, const char *key);      /* NULL: not allowed */

/** Writes the key's line, atomically; the other lines and the comments stay. *before: the role it had. Several may have one name: so keys are changed
 *  for new ones without a gap. */
fw_status fw_allowed_add(const char *path, const fw_allowed_key *key, fw_role *before, fw_error *err);
/** Removes the lines of all keys of that name. FW_ERR_NOTFOUND: none has it. Who is connected stays until the connection ends. */
fw_status fw_allowed_remove(const char *path, const char *name, size_t *removed, fw_error *err);

#endif
