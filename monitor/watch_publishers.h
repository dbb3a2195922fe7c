/** What is known of the publishers -> rows of the store, and looks for alerts: one that is not heard of any more, messages that can't be had.
 *  The cause of an alert is the address: who is heard there again, under whatever name, resolves it. One that has ended in order is not missed.
 *  Without a store nothing is kept, without a desk nobody is told. One owner. */
#ifndef MONITOR_WATCH_PUBLISHERS_H
#define MONITOR_WATCH_PUBLISHERS_H

#include "monitor/alert_desk.h"
#include "monitor/feed.h"
#include "monitor/intake.h"
#include "monitor/store.h"

typedef struct monitor_publishers monitor_publishers;
/** All of them outlive it; store and desk may be NULL. */
fw_status monitor_publishers_create(monitor_publishers **out, const monitor_feed *feed, monitor_store *store, monitor_alert_desk *desk, fw_error *err);
void      monitor_publishers_destroy(monitor_publishers **p);
/** Who knows what was lost of a stream, also before this monitor began; the feed knows of its own time alone. It outlives it too. */
void      monitor_publishers_ask(monitor_publishers *p, const monitor_intake *in);

/** An event of the feed; messages are passed over. */
fw_status monitor_publishers_take(monitor_publishers *p, const fw_inbox_event *e, fw_error *err);
/** A message of it was not taken. FW_ERR_FORMAT: it breaks the contract of proto/telemetry.h ("batch"); else what it says of a model can't be ("model").
 *  Returns how many of it there were. */
uint64_t  monitor_publishers_refuse(monitor_publishers *p, const fw_inbox_publisher *b, fw_status why);
/** Looks at all of them every five seconds. */
fw_status monitor_publishers_tick(monitor_publishers *p, fw_mono now, fw_error *err);
/** Puts those that have changed into the store, for its next commit. */
fw_status monitor_publishers_save(monitor_publishers *p, fw_error *err);

/** The monitor's own publisher, of alerts: its account is a row as those of the others are. NULL: none. It outlives them, or is closed here. */
void      monitor_publishers_own(monitor_publishers *p, monitor_alert_bus *bus);
/** Closes it (alert_bus.h) and puts its last account. */
fw_status monitor_publishers_close_own(monitor_publishers *p, monitor_alert_bus **bus, int linger_ms, fw_error *err);

#endif
