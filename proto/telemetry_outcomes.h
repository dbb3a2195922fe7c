/** What happened in truth, told later: bodies of a TelemetryBatch (telemetry.h) under the topics "outcome/MODEL" and "kpi/PROJECT". */
#ifndef FW_PROTO_TELEMETRY_OUTCOMES_H
#define FW_PROTO_TELEMETRY_OUTCOMES_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/core/text.h"

#define FW_TOPIC_OUTCOME "outcome/"
#define FW_TOPIC_KPI     "kpi/"

/** The true class, or number as text, of the prediction with this id. at_us: when it was observed, UTC; 0: not told, then it is the batch's time. */
typedef struct fw_outcome { const char *id, *outcome; int64_t at_us; } fw_outcome;
typedef struct fw_telemetry_outcomes { const char *model; const fw_outcome *rows; size_t n; } fw_telemetry_outcomes;

/** An event of a business figure: its share in it (0 or 1, an amount). id may be ""; the time as above. */
typedef struct fw_kpi_event { const char *id; double value; int64_t at_us; } fw_kpi_event;
typedef struct fw_telemetry_kpi { const char *project, *name; const fw_kpi_event *rows; size_t n; } fw_telemetry_kpi;

/** Append one encoded message to out, for fw_telemetry_wrap: at most FW_TELEMETRY_MAX_ROWS rows and FW_TELEMETRY_MAX_BYTES. FW_ERR_ARG: over a limit, no name, an
 *  outcome without an id, a time before 1970; FW_ERR_DATA: a text that is not UTF-8; FW_ERR_NUMERIC: a value that is not finite. On error out is as it was. */
fw_status fw_telemetry_pack_outcomes(fw_text *out, const fw_telemetry_outcomes *o, fw_error *err);
fw_status fw_telemetry_pack_kpi(fw_text *out, const fw_telemetry_kpi *k, fw_error *err);

#endif
