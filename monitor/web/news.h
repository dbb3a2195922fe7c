/** News for those who listen (server-sent events): each has a buffer of its own, of MONITOR_NEWS_BYTES; who does not read is lost and let go.
 *  A thread looks into the store once a second and tells what is new: "windows", "drift", "alerts", "publishers", "progress", each with what changed.
 *  Thread-safe. */
#ifndef MONITOR_WEB_NEWS_H
#define MONITOR_WEB_NEWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/core/status.h"

#define MONITOR_NEWS_BYTES 65536u

typedef struct monitor_news monitor_news;
typedef struct monitor_listener monitor_listener;

/** store NULL: there is none; then only signs of life come. */
fw_status monitor_news_start(monitor_news **out, const char *store, size_t max_listeners, fw_error *err);
/** The end for all listeners: their reads say so. Before monitor_news_destroy. */
void      monitor_news_close(monitor_news *n);
void      monitor_news_destroy(monitor_news **n);      /* no listener may be left */

/** wake(context, lost) is called, with the news' lock held, when there is something to read again; lost: it was too slow. FW_ERR_LOST: there are too many. */
fw_status monitor_news_listen(monitor_listener **out, monitor_news *n, void (*wake)(void *context, bool lost), void *context, fw_error *err);
void      monitor_news_leave(monitor_news *n, monitor_listener **l);
/** Up to `room` bytes; 0: nothing now, and sleep(context) was called under the lock. -1: it is over. */
ssize_t   monitor_news_read(monitor_news *n, monitor_listener *l, char *out, size_t room, void (*sleep)(void *context));

/** To everybody. data: one line. */
void      monitor_news_tell(monitor_news *n, const char *event, const char *data);
void      monitor_news_count(monitor_news *n, size_t *listeners, uint64_t *lost);

#endif
