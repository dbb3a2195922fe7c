/** Times as text: ISO 8601 / RFC 3339 dates and date-times to microseconds since 1970-01-01 UTC. */
#ifndef FW_CORE_TIME_TEXT_H
#define FW_CORE_TIME_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** "2026-03-01", "2026-03-01T10:20", "2026-03-01 10:20:30.123456+02:00". Years 0000 to 9999; 'T' or one blank; seconds and fraction may be
 *  left out; the zone is Z, +hh:mm, +hhmm, +hh or nothing, which is UTC. Digits of the fraction beyond the sixth must be 0. The whole text. */
bool fw_parse_time(int64_t *us, const char *s, size_t len);

#endif
