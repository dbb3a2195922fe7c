/** Text: a growing buffer, checked numbers, UTF-8, and "did you mean". */
#ifndef FW_CORE_TEXT_H
#define FW_CORE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

/** A growing text, always NUL-terminated once something was added. Zero-initialise; fw_text_destroy ends it.
 *  After a failed allocation `failed` stays set and later calls do nothing: check it once at the end. */
typedef struct fw_text { char *data; size_t len, capacity; bool failed; } fw_text;

void fw_text_destroy(fw_text *t);      /* works with FW_AUTO(fw_text) t = {0}; */
void fw_text_add(fw_text *t, const char *s);
void fw_text_add_bytes(fw_text *t, const char *s, size_t len);
void fw_text_format(fw_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fw_text_clear(fw_text *t);
/** For who writes bytes itself: where up to len of them go, or NULL when the text has failed; then how many they were. */
char *fw_text_room(fw_text *t, size_t len);
void fw_text_wrote(fw_text *t, size_t len);
fw_status fw_text_check(const fw_text *t, fw_error *err);   /* FW_ERR_NOMEM if an addition failed */
char *fw_text_take(fw_text *t);        /* the caller frees; t is empty again; NULL if failed */

/** Strict parsing of the whole text; surrounding blanks are refused. */
bool fw_parse_double(double *out, const char *s, size_t len);    /* decimal or exponent; refuses hex, nan, inf */
bool fw_parse_int64(int64_t *out, const char *s, size_t len);
bool fw_parse_uint64(uint64_t *out, const char *s, size_t len);

/** Shortest decimal text that reads back as the same value. */
#define FW_NUMBER_TEXT 32
void fw_format_double(char out[static FW_NUMBER_TEXT], double v);
void fw_format_float(char out[static FW_NUMBER_TEXT], float v);

/** Length of the valid UTF-8 prefix (== len when all is valid). NUL bytes count as invalid. */
size_t fw_utf8_valid(const char *s, size_t len);

/** The nearest of n words within a small edit distance, or NULL. */
const char *fw_did_you_mean(const char *word, const char *const *words, size_t n);

bool fw_text_equal(const char *a, const char *b);   /* NULL-safe strcmp == 0 */

#endif
