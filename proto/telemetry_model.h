/** What a publisher says of its model, and what it has counted: bodies of a TelemetryBatch (telemetry.h) under the topics "model/NAME", "summary/NAME". */
#ifndef FW_PROTO_TELEMETRY_MODEL_H
#define FW_PROTO_TELEMETRY_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/core/text.h"
#include "common/stats/metrics.h"      /* fw_task */
#include "common/stats/reference.h"
#include "common/stats/times.h"

#define FW_TOPIC_MODEL   "model/"
#define FW_TOPIC_SUMMARY "summary/"

#define FW_TELEMETRY_MAX_COUNTS (1u << 20)                /* of one summary */
#define FW_TELEMETRY_MAX_TOTAL  (UINT64_C(1) << 53)       /* rows, and any one count: exact in JSON too */

/** The model that predicts, told at the start and again every 10 s. Its reference's columns are those of the summaries that follow. */
typedef struct fw_telemetry_model {
    const char *name, *digest;                  /* digest: of the model file */
    fw_task task;
    const char *const *classes; size_t n_classes;
    const fw_reference *reference;              /* NULL: the model has none, and no summaries come. Decoded: it belongs to the batch; take it by setting this to NULL */
} fw_telemetry_model;

/** Counts of the rows that were predicted between two moments. Every row of the publisher is in one window; windows are 1, 2, 3, ... of a publisher and model. */
typedef struct fw_telemetry_summary {
    const char *model, *digest;
    uint64_t shape;                             /* fw_summary_shape of the columns */
    uint64_t window, rows;
    int64_t from_us, to_us;                     /* UTC */
    const uint64_t *count; size_t n;            /* all columns one behind the other; whether they fit is fw_summary_add_counts' to say */
    const uint64_t *latency; size_t n_latency;  /* how long the rows took, on the bins of fw_times: FW_TIMES_N, or 0: not told. Whether they add up to rows is the reader's to say */
} fw_telemetry_summary;

/** Append one encoded message to out, for fw_telemetry_wrap. FW_ERR_ARG: over a limit; FW_ERR_DATA: a name that is not UTF-8. On error out is as it was. */
fw_status fw_telemetry_pack_model(fw_text *out, const fw_telemetry_model *m, fw_error *err);
fw_status fw_telemetry_pack_summary(fw_text *out, const fw_telemetry_summary *s, fw_error *err);

#endif
