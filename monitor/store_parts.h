/** What the files of the store share. For monitor/store*.c alone. */
#ifndef MONITOR_STORE_PARTS_H
#define MONITOR_STORE_PARTS_H

#include <sqlite3.h>
#include <stdbool.h>

#include "common/core/clock.h"
#include "common/core/dict.h"
#include "monitor/store.h"
#include "monitor/store_waiting.h"

struct monitor_store {
    monitor_store_opts opts;               /* with defaults; path is ours */
    char *path, *aside;
    int lock;                              /* descriptor of <path>.lock */
    sqlite3 *db;
    sqlite3_stmt *upsert[MONITOR_N_TABLES], *removal[MONITOR_N_TABLES];
    monitor_waiting waiting;
    fw_dict *models; int64_t *model_number; size_t n_models, models_capacity;      /* name NUL digest -> its number */
    int64_t next_model;
    fw_mono retry;                         /* after a failure: not before */
    fw_error why;
    monitor_store_health health;
    int64_t data_version;
};

/** Takes the owner's lock. FW_ERR_CONFIG: another process has it. */
fw_status monitor_store_lock(int *out, const char *path, fw_error *err);
/** An open, checked database with our schema and manners. */
fw_status monitor_store_connect(sqlite3 **out, const char *path, fw_error *err);
/** Renames a damaged store and its companions to <path>.corrupt, or .corrupt.2, ...: a name that is free. *out malloc'ed. */
fw_status monitor_store_move_aside(char **out, const char *path, fw_error *err);

#endif
