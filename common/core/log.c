#include "common/core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct { int rank, level; } speaker = {.rank = 0, .level = 1};     /* set once, before threads start */

void fw_log_init(int rank, int level)
{
    speaker.rank = rank;
    speaker.level = level;
}

static void write_all(const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, bytes, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return;      /* nobody is left to tell */
        bytes += n;
        len -= (size_t)n;
    }
}

static void say(const char *prefix, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Longer lines are cut: the line must fit one write. */
static void say(const char *prefix, const char *format, va_list args)
{
    int    why = errno;
    char   line[8192];
    size_t room = sizeof line - 1;      /* for the end of line */
    int    n = speaker.rank > 0 ? snprintf(line, room, "%srank %d: ", prefix, speaker.rank) : snprintf(line, room, "%s", prefix);
    size_t len = n < 0 ? 0 : (size_t)n;
    n = vsnprintf(line + len, room - len, format, args);
    if (n > 0) len += (size_t)n < room - len ? (size_t)n : room - len - 1;
    line[len++] = '\n';
    write_all(line, len);
    errno = why;
}

void fw_log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say("flywheel: error: ", format, args);
    va_end(args);
}

void fw_log_warn(const char *format, ...)
{
    if (speaker.rank != 0 || speaker.level < 1) return;
    va_list args;
    va_start(args, format);
    say("flywheel: warning: ", format, args);
    va_end(args);
}

void fw_log_info(const char *format, ...)
{
    if (speaker.rank != 0 || speaker.level < 1) return;
    va_list args;
    va_start(args, format);
    say("", format, args);
    va_end(args);
}

void fw_log_debug(const char *format, ...)
{
    if (speaker.rank != 0 || speaker.level < 2) return;
    va_list args;
    va_start(args, format);
    say("flywheel: debug: ", format, args);
    va_end(args);
}

bool fw_log_colour(int fd)
{
    const char *no = getenv("NO_COLOR");
    /* mpirun gives its ranks a pseudo-terminal whatever its own output is */
    const bool launched = getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMIX_RANK") != NULL;
    return (no == NULL || no[0] == '\0') && !launched && isatty(fd) == 1;
}
