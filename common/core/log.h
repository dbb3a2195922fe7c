/** Talk on stderr: one whole line per write(2), so that ranks do not mix. Only rank 0 speaks unless a line is marked as an error. */
#ifndef FW_CORE_LOG_H
#define FW_CORE_LOG_H

#include <stdbool.h>

void fw_log_init(int rank, int level);    /* level: 0 errors, 1 info (default), 2 debug */
void fw_log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));   /* "flywheel: error: ..." */
void fw_log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fw_log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void fw_log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** Whether to use colour on this stream: a terminal, and NO_COLOR not set. */
bool fw_log_colour(int fd);

#endif
