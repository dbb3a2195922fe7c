/** What SQL alone can't bring up to date in a store of an older schema. For monitor/store_schema.c alone. */
#ifndef MONITOR_STORE_UPGRADE_H
#define MONITOR_STORE_UPGRADE_H

#include <sqlite3.h>

#include "common/core/status.h"

/** Version 2 to 3: the rows of `drift`, one a figure, into `figures`, one a window. Within the caller's transaction. About 1 us a figure. */
fw_status monitor_upgrade_drift(sqlite3 *db, const char *path, fw_error *err);

#endif
