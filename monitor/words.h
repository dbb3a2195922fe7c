/** States as bytes: words of 64 bits, lowest byte first. A reader checks each of them; what it takes is bounded by what is there. */
#ifndef MONITOR_WORDS_H
#define MONITOR_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/text.h"

typedef struct monitor_words { const unsigned char *at; size_t left; } monitor_words;
void monitor_put_word(fw_text *out, uint64_t v);
bool monitor_take_word(monitor_words *in, uint64_t *v);      /* false: nothing is left */

/** Words in few bytes, when most are small or zero: 7 bits a byte, the lowest first; behind a zero how many more follow it. Added to out. For memory, not for files:
 *  stretch takes what shrink made. */
void monitor_words_shrink(fw_text *out, monitor_words *in);
void monitor_words_stretch(fw_text *out, const char *bytes, size_t len);

#endif
