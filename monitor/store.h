/** The monitor's memory: an SQLite file with what was seen, the windows, drift, quality, alerts, and the positions in the streams.
 *  Puts collect in memory; monitor_store_commit writes all of them in one transaction, so a position is there together with what was computed
 *  from it, or neither is. A process that is killed at any moment leaves a store as it was after its last commit.
 *  One owner at a time (a lock on FILE.lock), one thread. Others read by connections of their own (store_reader.h).
 *  On a full disk, or behind somebody's lock, nothing is lost at once: what was put stays in memory, within a limit, and goes with a later commit. */
#ifndef MONITOR_STORE_H
#define MONITOR_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "monitor/store_rows.h"

#define MONITOR_STORE_VERSION   3                       /* of the schema; `PRAGMA user_version` */
#define MONITOR_STORE_MAX_FIELD ((size_t)64 << 20)      /* bytes of one text or blob */
#define MONITOR_STORE_MAX_WAIT  ((size_t)64 << 20)      /* bytes that wait in memory for a disk with room */
#define MONITOR_STORE_KEEP_S    (90 * 86400.0)
#define MONITOR_STORE_MAX_BYTES ((uint64_t)1 << 30)

typedef struct monitor_store monitor_store;

typedef struct monitor_store_opts {
    const char *path;
    double keep_s;                 /* 0: MONITOR_STORE_KEEP_S */
    uint64_t max_bytes;            /* 0: MONITOR_STORE_MAX_BYTES */
    size_t max_wait_bytes;         /* 0: MONITOR_STORE_MAX_WAIT */
    bool put_aside;                /* a damaged store is renamed to <path>.corrupt and a new one begun; never without this */
} monitor_store_opts;

/** Opens the store, or makes it (mode 0600; its folder must be there), checks it whole, and brings an older schema up to date.
 *  FW_ERR_FORMAT: damaged, or no store of ours. FW_ERR_VERSION: of a newer program. FW_ERR_CONFIG: another monitor has it, or it is another
 *  program's. FW_ERR_IO.
 *  Cost: reads the whole file once (about 4 s for 1 GiB that is cached). */
fw_status   monitor_store_open(monitor_store **out, const monitor_store_opts *opts, fw_error *err);
/** Without a last commit: what was put since the one before is gone. */
void        monitor_store_close(monitor_store **s);
#define     monitor_store_destroy monitor_store_close
const char *monitor_store_aside(const monitor_store *s);      /* where a damaged store was put at open; NULL: there was none */

/** monitor_store_put_<noun>(s, row, err): the row is there, or replaced, after the next commit. Copies. FW_ERR_ARG: a field is too long, or a key is
 *  missing; FW_ERR_DATA: not UTF-8, or not JSON; FW_ERR_NOMEM. What users did to an alert (acknowledged_us, silenced_until_us, resolved_us) is
 *  never undone by a put of its row.
 *  monitor_store_remove_<noun>: the keys of the row count; without effect when it is not there. */
#define X(noun, TABLE)                                                                                            \
    fw_status monitor_store_put_##noun(monitor_store *s, const monitor_##noun##_row *row, fw_error *err);         \
    fw_status monitor_store_remove_##noun(monitor_store *s, const monitor_##noun##_row *row, fw_error *err);
MONITOR_TABLE_LIST(X)
#undef X

/** The number of a version of a model: that which it has in the store, else a new one, for which a row is to be put. */
fw_status monitor_store_model(int64_t *out, monitor_store *s, const char *name, const char *digest, fw_error *err);

/** The number that comes after those of all alerts that were ever stored. */
fw_status monitor_store_next_alert(int64_t *out, monitor_store *s, fw_error *err);

/** Everything put since the last one that succeeded, in one transaction, durable when it returns FW_OK. Only then may positions be acknowledged.
 *  FW_ERR_IO (no room, ...), FW_ERR_TIMEOUT (somebody holds a lock): the file is as it was; all stays in memory and goes with a later
 *  call. After a failure the disk is tried again once a second at most; calls in between fail at once with the same error. */
fw_status monitor_store_commit(monitor_store *s, fw_error *err);

/** How it stands. Over the limit of what may wait, the oldest rows of history (windows, drift, performance, KPI, waiting rows, events) are dropped. */
typedef struct monitor_store_health {
    bool writing;                  /* the last commit succeeded */
    const char *why;               /* "" when writing */
    size_t waiting_rows, waiting_bytes;
    uint64_t commits, failures, dropped_rows;
} monitor_store_health;
monitor_store_health monitor_store_check(const monitor_store *s);

/** Deletes what is older than keep_s, and the oldest windows while the file is larger than max_bytes, and gives freed pages back to the disk: a piece
 *  of the work, some 50 ms at most; *more: call again soon. Models and publishers go when they were not heard of for keep_s. Call once a minute, and when
 *  much was written.
 *  FW_ERR_NOTFOUND: the file was removed or replaced under the monitor. */
fw_status monitor_store_tidy(monitor_store *s, int64_t now_us, bool *more, fw_error *err);

/** Whether another connection has written since the last call: users' acts on alerts are to be read again. */
fw_status monitor_store_touched(monitor_store *s, bool *touched, fw_error *err);

#endif
