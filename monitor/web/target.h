/** The address of a request taken apart: "/api/windows?model=adult&limit=10". Pure. A path stays as it was written: those that are served are in a table. */
#ifndef MONITOR_WEB_TARGET_H
#define MONITOR_WEB_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

#define MONITOR_TARGET_BYTES  2048u
#define MONITOR_TARGET_PARAMS 16u

typedef struct monitor_param { const char *name, *value; } monitor_param;

typedef struct monitor_target {
    char text[MONITOR_TARGET_BYTES + 1];         /* path and decoded parameters */
    const char *path;
    monitor_param param[MONITOR_TARGET_PARAMS]; size_t n;
} monitor_target;

/** FW_ERR_ARG: too long; more than 16 parameters; one without a name, or twice; a wrong %XX; a value that is not UTF-8 or holds a control character. */
fw_status monitor_target_parse(monitor_target *out, const char *target, size_t len, fw_error *err);

const char *monitor_target_get(const monitor_target *t, const char *name);      /* NULL: it is not there */
/** A whole number from low to high; fallback when it is not there. FW_ERR_ARG: it is none. */
fw_status   monitor_target_number(int64_t *out, const monitor_target *t, const char *name, int64_t low, int64_t high, int64_t fallback, fw_error *err);
/** Whether the path is the pattern's, in which one * may stand for a whole number from 1 on, without a sign or a zero before it.
 *  *number: that one; else it stays. */
bool        monitor_target_matches(int64_t *number, const monitor_target *t, const char *pattern);
/** FW_ERR_ARG: a parameter that is not among the names (NULL ends them). */
fw_status   monitor_target_only(const monitor_target *t, const char *const *names, fw_error *err);

#endif
