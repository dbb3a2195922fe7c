/** A key of the project file by its path, looked up in the table: train.epochs, features."sepal.length".scale, train.class_weights.spam. */
#ifndef FW_PROJECT_ADDRESS_H
#define FW_PROJECT_ADDRESS_H

#include "common/project/keys.h"

typedef struct fw_address {
    const fw_key *key;                 /* a key with a value: of a section or an element the one that a bare value stands for */
    char *element;                     /* the name below a MAP; NULL: none */
    char *name;                        /* the name below a key whose value is a map; NULL: the whole value */
    char *path;                        /* one spelling for each: a name that holds dots in double quotes */
} fw_address;

/** *out is the caller's, to end with fw_address_release. FW_ERR_NOTFOUND: no such key, with a suggestion. */
fw_status fw_address_find(fw_address *out, const char *path, fw_error *err);
void      fw_address_release(fw_address *a);

#endif
