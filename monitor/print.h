/** How the monitor shows windows and totals: one aligned line, or one JSON object a line. Text from a peer is shown without its control characters. */
#ifndef MONITOR_PRINT_H
#define MONITOR_PRINT_H

#include <stdbool.h>
#include <stdio.h>

#include "monitor/intake.h"

typedef struct monitor_printer {
    FILE *out;
    bool jsonl;
    bool headed;                   /* the line of column names is out */
    bool failed;                   /* no memory for an object, or the stream failed */
} monitor_printer;

/** The printer must outlive the sink. */
monitor_sink monitor_print_sink(monitor_printer *p);
/** Where its messages are: produced = delivered + spooled + dropped, as it says itself, and what came here. */
void         monitor_print_publisher(monitor_printer *p, const fw_inbox_publisher *b);
/** An event of an alert. context: a monitor_printer; it is monitor_deliver_opts.show. */
void         monitor_print_alert(void *context, const fw_alert *alert);
/** What belongs to no model; nothing is printed when all is zero. garbage: messages that the inbox did not take. */
void         monitor_print_rest(monitor_printer *p, const monitor_counts *c, uint64_t garbage);

#endif
