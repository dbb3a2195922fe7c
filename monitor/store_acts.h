/** What users do to alerts: written into the store by a connection of its own, whether a monitor has it open or not. A running monitor takes it in at its
 *  next look (monitor_store_touched), and its own puts never undo it. */
#ifndef MONITOR_STORE_ACTS_H
#define MONITOR_STORE_ACTS_H

#include <stdint.h>

#include "common/core/status.h"

typedef enum monitor_act_kind { MONITOR_ACKNOWLEDGE, MONITOR_SILENCE, MONITOR_RESOLVE } monitor_act_kind;

typedef struct monitor_act {
    monitor_act_kind kind;
    int64_t alert;
    int64_t until_us;                  /* SILENCE: not told of before; a moment that has passed ends a silence */
    const char *by;                    /* who */
    int wait_ms;                       /* for others' locks; 0: 5 s */
} monitor_act;

/** FW_ERR_NOTFOUND: no such store or alert. FW_ERR_CHECK: the alert is resolved, or was acknowledged already. FW_ERR_TIMEOUT: others hold a lock for so long. */
fw_status monitor_store_act(const char *path, const monitor_act *act, int64_t now_us, fw_error *err);

#endif
