#include "common/core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define WORD_MAX 64      /* longer words are never near to another */

/* Room for `more` bytes and a NUL. */
static bool reserve(fw_text *t, size_t more)
{
    if (t->failed) return false;
    size_t need;
    if (__builtin_add_overflow(t->len, more, &need) || __builtin_add_overflow(need, (size_t)1, &need) ||
        fw_grow((void **)&t->data, &t->capacity, need, 1, "text", NULL) < 0)
        t->failed = true;
    return !t->failed;
}

void fw_text_destroy(fw_text *t)
{
    free(t->data);
    *t = (fw_text){0};
}

void fw_text_add(fw_text *t, const char *s)
{
    fw_text_add_bytes(t, s, strlen(s));
}

void fw_text_add_bytes(fw_text *t, const char *s, size_t len)
{
    if (!reserve(t, len)) return;
    if (len > 0) memcpy(t->data + t->len, s, len);
    t->len += len;
    t->data[t->len] = '\0';
}

char *fw_text_room(fw_text *t, size_t len) { return reserve(t, len) ? t->data + t->len : NULL; }

void fw_text_wrote(fw_text *t, size_t len)
{
    t->len += len;
    t->data[t->len] = '\0';
}

void fw_text_format(fw_text *t, const char *format, ...)
{
    if (!reserve(t, 64)) return;
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = t->capacity - t->len;
    int    n = vsnprintf(t->data + t->len, room, format, args);
    if (n < 0) t->failed = true;
    else if ((size_t)n >= room && reserve(t, (size_t)n)) vsnprintf(t->data + t->len, t->capacity - t->len, format, again);
    if (!t->failed) t->len += (size_t)n;
    else t->data[t->len] = '\0';
    va_end(again);
    va_end(args);
}

void fw_text_clear(fw_text *t)
{
    t->len = 0;
    if (t->data != NULL) t->data[0] = '\0';
}

fw_status fw_text_check(const fw_text *t, fw_error *err)
{
    return t->failed ? fw_fail(err, FW_ERR_NOMEM, "a text of %zu bytes cannot grow", t->len) : FW_OK;
}

char *fw_text_take(fw_text *t)
{
    if (!t->failed) fw_text_add_bytes(t, "", 0);      /* an empty text is a text too */
    char *s = t->failed ? NULL : t->data;
    if (t->failed) free(t->data);
    *t = (fw_text){0};
    return s;
}

/* Length of the valid sequence at s, 0 when there is none.  RFC 3629, section 4. */
static size_t utf8_sequence(const unsigned char *s, size_t len)
{
    unsigned char c = s[0], low = 0x80, high = 0xBF;      /* bounds of the second byte */
    if (c >= 0x01 && c <= 0x7F) return 1;
    size_t n = c >= 0xC2 && c <= 0xDF ? 2 : c >= 0xE0 && c <= 0xEF ? 3 : c >= 0xF0 && c <= 0xF4 ? 4 : 0;
    if (n == 0 || n > len) return 0;
    if (c == 0xE0) low = 0xA0;       /* overlong */
    if (c == 0xED) high = 0x9F;      /* surrogates */
    if (c == 0xF0) low = 0x90;       /* overlong */
    if (c == 0xF4) high = 0x8F;      /* above U+10FFFF */
    if (s[1] < low || s[1] > high) return 0;
    for (size_t i = 2; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    return n;
}

size_t fw_utf8_valid(const char *s, size_t len)
{
    size_t i = 0;
    while (i < len) {
        size_t n = utf8_sequence((const unsigned char *)s + i, len - i);
        if (n == 0) break;
        i += n;
    }
    return i;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/** Edit distance with swaps of neighbours ("optimal string alignment"), letters compared without case.
 *  Both words at most WORD_MAX long.  Source: Damerau (1964), Levenshtein (1966). */
static size_t distance(const char *a, size_t na, const char *b, size_t nb)
{
    size_t rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= nb; j++) rows[0][j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t *now = rows[i % 3], *before = rows[(i - 1) % 3], *two_before = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t differs = lower(a[i - 1]) != lower(b[j - 1]);
            now[j] = FW_MIN(FW_MIN(before[j], now[j - 1]) + 1, before[j - 1] + differs);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
                now[j] = FW_MIN(now[j], two_before[j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

const char *fw_did_you_mean(const char *word, const char *const *words, size_t n)
{
    size_t len = strlen(word);
    if (len == 0 || len > WORD_MAX) return NULL;
    size_t      best = len <= 4 ? 1 : len <= 6 ? 2 : 3;      /* the farthest that still helps */
    const char *nearest = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = strlen(words[i]);
        if (other == 0 || other > WORD_MAX) continue;
        size_t d = distance(word, len, words[i], other);
        if (d > best || d >= len || (nearest != NULL && d == best)) continue;
        best = d;
        nearest = words[i];
    }
    return nearest;
}

bool fw_text_equal(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}
