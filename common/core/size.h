/** Sizes that can't overflow in silence, and memory for arrays. */
#ifndef FW_CORE_SIZE_H
#define FW_CORE_SIZE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/core/status.h"

#define FW_ALIGN 64   /* bytes: one cache line, one AVX-512 register */

#define FW_MIN(a, b) ((a) < (b) ? (a) : (b))
#define FW_MAX(a, b) ((a) > (b) ? (a) : (b))

/** *out = a * b; FW_ERR_NOMEM when it does not fit ("what" names the thing in the text). */
fw_status fw_size_mul(size_t *out, size_t a, size_t b, const char *what, fw_error *err);
fw_status fw_size_add(size_t *out, size_t a, size_t b, const char *what, fw_error *err);

/** Zeroed array of n elements of the given size, FW_ALIGN-aligned; free() ends it. n == 0 gives a valid pointer. */
fw_status fw_alloc_zeroed(void **out, size_t n, size_t element_bytes, const char *what, fw_error *err);

/** Grows a malloc'ed array to hold at least `need` elements, doubling; *capacity is updated. */
fw_status fw_grow(void **array, size_t *capacity, size_t need, size_t element_bytes, const char *what, fw_error *err);

/** A copy of text that free() ends. */
fw_status fw_copy_text(char **out, const char *text, fw_error *err);

/** For FW_AUTO-like cleanup of plain memory: FW_FREE char *s = NULL; */
void fw_free_pointer(void *pointer_to_pointer);
#define FW_FREE __attribute__((cleanup(fw_free_pointer)))

#endif
