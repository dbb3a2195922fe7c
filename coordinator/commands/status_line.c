#include "coordinator/commands/status_line.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/core/log.h"

#define EVERY_S 10.0
#define COLUMNS 80                /* of a terminal that does not tell */

void coord_status_begin(coord_status_line *l) { *l = (coord_status_line){.terminal = isatty(STDERR_FILENO) == 1, .last = fw_mono_now()}; }

bool coord_status_due(const coord_status_line *l) { return l->terminal || fw_mono_seconds(l->last, fw_mono_now()) >= EVERY_S; }

/* A line that is broken at the edge of the terminal could not be written over. */
static int width_of_terminal(void)
{
    struct winsize size = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : COLUMNS - 1;
}

void coord_status_show(coord_status_line *l, const char *text)
{
    if (l->terminal) {
        fprintf(stderr, "\r\033[K%.*s", width_of_terminal(), text);
        fflush(stderr);
        l->open = true;
    } else {
        fw_log_info("%s", text);
    }
    l->last = fw_mono_now();
}

void coord_status_end(coord_status_line *l)
{
    if (!l->open) return;
    fputc('\n', stderr);
    l->open = false;
}

void coord_status_time_left(char *out, size_t len, double seconds)
{
    const long s = (long)seconds;
    if (s >= 3600) snprintf(out, len, "%ld h %02ld min left", s / 3600, s % 3600 / 60);
    else if (s >= 60) snprintf(out, len, "%ld min %02ld s left", s / 60, s % 60);
    else snprintf(out, len, "%.0f s left", seconds);
}
