/** Keys on the bus: CURVE key pairs in files, as ZeroMQ's certificates are written (ZPL), so that pyzmq and CZMQ read and make them too.
 *  A folder holds NAME.secret (mode 0600, both keys), NAME.public (the public one), and the list of those who are let in (allowed.h).
 *  Two names have a meaning: who publishes is "publisher", whoever reads is "reader". A key is never in an argument or in the environment. */
#ifndef FW_BUS_KEYS_H
#define FW_BUS_KEYS_H

#include <stdbool.h>

#include "common/bus/bus.h"

#define FW_KEYS_PUBLISHER "publisher"
#define FW_KEYS_READER    "reader"
#define FW_KEYS_NAME      64              /* bytes of a name at most: letters, digits, and . _ - @ */

/** Whether it can be the name of a key: 1 to FW_KEYS_NAME of those characters, the first a letter or a digit. */
bool      fw_keys_name_is_good(const char *name);
/** Whether it is a key as text: 40 characters of Z85. */
bool      fw_keys_text_is_good(const char *key);

/** Makes FOLDER (0700) if it is not there, and a new pair in it. FW_ERR_CONFIG: one of the two files is there already; nothing is replaced.
 *  A kill leaves either no pair, or NAME.secret without NAME.public, which fw_keys_restore_public makes again. */
fw_status fw_keys_create(fw_bus_keys *out, const char *folder, const char *name, fw_error *err);
fw_status fw_keys_restore_public(const char *folder, const char *name, fw_error *err);

/** FOLDER/NAME.secret. FW_ERR_NOTFOUND: it is not there. FW_ERR_CONFIG: others may read it, it is another user's, it is no regular file, a link
 *  out of its folder, or holds no pair of keys that belong together. */
fw_status fw_keys_read_secret(fw_bus_keys *out, const char *folder, const char *name, fw_error *err);
/** A file with a public key alone. FW_ERR_NOTFOUND; FW_ERR_CONFIG: others may write it, there is a secret key in it, or no key. */
fw_status fw_keys_read_public(char out[static FW_BUS_KEY_TEXT], const char *path, fw_error *err);

/** The names of all pairs in a folder, sorted; each *.public and *.secret counts once. To end with fw_keys_free_names. */
fw_status fw_keys_list(char ***names, size_t *n, const char *folder, fw_error *err);
void      fw_keys_free_names(char **names, size_t n);

/** "FOLDER/NAME.secret", "FOLDER/NAME.public": malloc'ed. */
fw_status fw_keys_path(char **out, const char *folder, const char *name, const char *ending, fw_error *err);
/** A text file on which others may not write, whole. FW_ERR_NOTFOUND, FW_ERR_CONFIG. */
fw_status fw_keys_read_text(char **out, size_t *len, const char *path, size_t max_bytes, fw_error *err);

void      fw_keys_forget(fw_bus_keys *keys);      /* overwrites them */

#endif
