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
