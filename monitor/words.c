#include "monitor/words.h"

void monitor_put_word(fw_text *out, uint64_t v)
{
    char bytes[8];
    for (unsigned i = 0; i < 8; i++) bytes[i] = (char)(v >> (8 * i));
    fw_text_add_bytes(out, bytes, sizeof bytes);
}

bool monitor_take_word(monitor_words *in, uint64_t *v)
{
    if (in->left < 8) return false;
    *v = 0;
    for (unsigned i = 0; i < 8; i++) *v |= (uint64_t)in->at[i] << (8 * i);
    in->at += 8;
    in->left -= 8;
    return true;
}

enum { MOST_BYTES = 10 };      /* of a word */

static void put_small(fw_text *out, uint64_t v)
{
    char bytes[MOST_BYTES];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7) bytes[n++] = (char)(unsigned char)(0x80 | (v & 0x7f));
    bytes[n++] = (char)v;
    fw_text_add_bytes(out, bytes, n);
}

static uint64_t take_small(const char **at)
{
    uint64_t v = 0;
    unsigned char byte = 0x80;
    for (unsigned shift = 0; (byte & 0x80) != 0; shift += 7) {
        byte = (unsigned char)*(*at)++;
        v |= (uint64_t)(byte & 0x7f) << shift;
    }
    return v;
}

void monitor_words_shrink(fw_text *out, monitor_words *in)
{
    uint64_t v = 0, zeros = 0;
    while (monitor_take_word(in, &v)) {
        if (v == 0 && zeros++ > 0) continue;
        if (v != 0 && zeros > 0) {
            put_small(out, zeros - 1);
            zeros = 0;
        }
        put_small(out, v);
    }
    if (zeros > 0) put_small(out, zeros - 1);
}

void monitor_words_stretch(fw_text *out, const char *bytes, size_t len)
{
    for (const char *at = bytes; at < bytes + len;) {
        const uint64_t v = take_small(&at);
        monitor_put_word(out, v);
        if (v != 0) continue;
        for (uint64_t more = take_small(&at); more > 0; more--) monitor_put_word(out, 0);
    }
}
