/** A dictionary: distinct byte strings <-> codes 0, 1, 2, ... in order of arrival. Sort it to be free of that order. */
#ifndef FW_CORE_DICT_H
#define FW_CORE_DICT_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef struct fw_dict fw_dict;

fw_status   fw_dict_create(fw_dict **out, fw_error *err);
void        fw_dict_destroy(fw_dict **d);
size_t      fw_dict_size(const fw_dict *d);
/** The code of a string, added when it is new. */
fw_status   fw_dict_add(int32_t *code, fw_dict *d, const char *s, size_t len, fw_error *err);
int32_t     fw_dict_find(const fw_dict *d, const char *s, size_t len);      /* -1: not there */
const char *fw_dict_text(const fw_dict *d, int32_t code, size_t *len);      /* NUL-terminated; len may be NULL */
/** Bytewise ascending order. new_code (size entries, may be NULL) gets old code -> new code. */
fw_status   fw_dict_sort(fw_dict *d, int32_t *new_code, fw_error *err);
fw_status   fw_dict_copy(fw_dict **out, const fw_dict *d, fw_error *err);

#endif
