/** Time. Deadlines use fw_mono, a type of its own; wall time is UTC and only for people and joins. */
#ifndef FW_CORE_CLOCK_H
#define FW_CORE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fw_mono { int64_t ns; } fw_mono;   /* CLOCK_MONOTONIC */

fw_mono fw_mono_now(void);
fw_mono fw_mono_after(fw_mono t, double seconds);
double  fw_mono_seconds(fw_mono from, fw_mono to);     /* negative when to is before from */
bool    fw_mono_passed(fw_mono deadline);
int     fw_mono_left_ms(fw_mono deadline);              /* 0 when passed; for poll() */
void    fw_sleep_ms(int ms);

#define FW_UTC_LEN 32
/** "2026-03-01T12:34:56.789Z" */
void    fw_utc_now(char out[static FW_UTC_LEN]);
void    fw_utc_format(char out[static FW_UTC_LEN], int64_t unix_us);
int64_t fw_utc_now_us(void);

/** Windows of time begin at the multiples of their length since 1970, UTC. Which one a moment is in: window w holds [w * length_us, (w + 1) * length_us).
 *  unix_us >= 0, length_us > 0. */
uint64_t fw_utc_window(int64_t unix_us, int64_t length_us);

#endif
