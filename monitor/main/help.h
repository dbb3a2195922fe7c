/** The help of flywheel-monitor. */
#ifndef MONITOR_MAIN_HELP_H
#define MONITOR_MAIN_HELP_H

#include <stdio.h>

#define MONITOR_DEFAULT_ENDPOINT "tcp://127.0.0.1:5555"

void monitor_print_help(FILE *out);

#endif
