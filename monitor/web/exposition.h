/** Metrics as Prometheus reads them: text, version 0.0.4. A family begins with its name, help and kind; samples follow. Pure. */
#ifndef MONITOR_WEB_EXPOSITION_H
#define MONITOR_WEB_EXPOSITION_H

#include <stddef.h>

#include "common/core/text.h"

#define MONITOR_EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/** kind: "counter" (the name ends in _total), "gauge". */
void monitor_exposition_family(fw_text *out, const char *name, const char *kind, const char *help);

typedef struct monitor_exposition_label { const char *name, *value; } monitor_exposition_label;

/** One sample of the family `name`; values of labels are escaped. v may be NaN or infinite. */
void monitor_exposition_sample(fw_text *out, const char *name, const monitor_exposition_label *labels, size_t n, double v);

#define MONITOR_LABELS(...) (const monitor_exposition_label[]){__VA_ARGS__}, sizeof((const monitor_exposition_label[]){__VA_ARGS__}) / sizeof(monitor_exposition_label)

#endif
