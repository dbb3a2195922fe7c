/** Puts what the intake counts into a store, and a new intake back to where the last one of the store was: windows that closed, the totals of models,
 *  and with them, in the same transaction, the open windows and the numbers of the batches that are in them. */
#ifndef MONITOR_RECORDER_H
#define MONITOR_RECORDER_H

#include <stdbool.h>

#include "common/core/status.h"
#include "monitor/intake.h"
#include "monitor/store.h"

typedef struct monitor_recorder monitor_recorder;

/** The store and the next sink must outlive it. */
fw_status    monitor_recorder_create(monitor_recorder **out, monitor_store *store, const monitor_sink *next, fw_error *err);
void         monitor_recorder_destroy(monitor_recorder **r);
/** What the intake is to tell: it is noted, then told to the next sink. */
monitor_sink monitor_recorder_sink(monitor_recorder *r);

/** Models whose windows somebody else puts into the store: theirs are only told to the next sink. */
void         monitor_recorder_leave(monitor_recorder *r, bool (*is_left)(const void *context, const monitor_model *m), const void *context);

/** Into an intake that has not taken anything yet. path: the file of the store. FW_ERR_FORMAT: what was kept is damaged. */
fw_status    monitor_recorder_restore(monitor_intake *in, const char *path, fw_mono now, fw_error *err);

/** Commits, and tidies once a minute. A store that can't write is told once, and when it can again; that is no error: the watching goes on in
 *  memory. FW_ERR_NOMEM. */
fw_status    monitor_recorder_commit(monitor_recorder *r, const monitor_intake *in, fw_error *err);

#endif
