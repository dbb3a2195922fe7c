/** What was put and is not in the file yet: at most one change for each key, in the order of their first arrival. For monitor/store*.c alone. */
#ifndef MONITOR_STORE_WAITING_H
#define MONITOR_STORE_WAITING_H

#include <stdbool.h>
#include <stddef.h>

#include "common/core/dict.h"
#include "common/core/status.h"
#include "monitor/store_rows.h"

typedef struct monitor_change {
    monitor_table_id table;
    bool remove;
    char *packed;                  /* monitor_row_pack; of a removal the key alone */
    size_t len;
} monitor_change;

typedef struct monitor_waiting {
    monitor_change *change; size_t n, capacity;
    fw_dict *keys;                 /* table and key -> its place in change */
    size_t bytes, history_bytes, max_bytes;
} monitor_waiting;

fw_status monitor_waiting_init(monitor_waiting *w, size_t max_bytes, fw_error *err);
void      monitor_waiting_release(monitor_waiting *w);
/** Takes a change in, in the place of an earlier one of the same key. *dropped: rows of history that had to go, because too much waits. */
fw_status monitor_waiting_add(monitor_waiting *w, monitor_table_id table, const void *row, bool remove, size_t *dropped, fw_error *err);
fw_status monitor_waiting_clear(monitor_waiting *w, fw_error *err);

#endif
