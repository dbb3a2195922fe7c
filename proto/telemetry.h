/** Telemetry: bytes on the bus <-> checked structs. telemetry.proto is the contract on the wire; its generated types stay in here.
 *  Encoding is in two steps, so that under MPI any rank can do the costly one: fw_telemetry_pack_rows on the rank that predicted,
 *  fw_telemetry_wrap on the one that publishes, which counts what it has sent of each topic.
 *  Does not send: what `out` holds after wrap, progress or end is the payload for fw_outbox_put under the same topic. The bus numbers it. */
#ifndef FW_PROTO_TELEMETRY_H
#define FW_PROTO_TELEMETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/core/text.h"
#include "proto/telemetry_model.h"
#include "proto/telemetry_outcomes.h"

#define FW_TELEMETRY_MAX_BYTES   (16u << 20)    /* one batch */
#define FW_TELEMETRY_MAX_ROWS    1000000u
#define FW_TELEMETRY_MAX_CLASSES 100000u
#define FW_TELEMETRY_MAX_TEXT    4096u          /* bytes of any one string */
#define FW_TELEMETRY_MAX_VALUES  1000u          /* validation metrics of one progress event, features of one alert */

/* Topics are one of these and a name that is not empty: "prediction/adult". */
#define FW_TOPIC_PREDICTION "prediction/"
#define FW_TOPIC_PROGRESS   "progress/"
#define FW_TOPIC_ALERT      "alert/"

/** A raw cell of a feature. */
typedef enum fw_raw_kind { FW_RAW_MISSING, FW_RAW_NUMBER, FW_RAW_TEXT, FW_RAW_UNSEEN } fw_raw_kind;
typedef struct fw_raw { fw_raw_kind kind; double number; const char *text; } fw_raw;

/** Rows to be told, as columns of n. Classification: label, and confidence or probability. Regression: value. */
typedef struct fw_told_rows {
    size_t n;
    const uint64_t *row;                            /* numbers in the input, from 0 */
    const char *const *id;                          /* NULL: there is no id column. One that is NULL is "" */
    const uint32_t *label;                          /* < n_classes */
    const float *confidence;                        /* of the label; NULL: probability has it */
    const float *probability;                       /* (n, n_classes), or NULL */
    const double *value;
    const fw_raw *feature; size_t n_features;       /* (n, n_features), of the model's first columns; 0: not told */
} fw_told_rows;

/** One row that was told. Classification: label < n_classes, confidence; probabilities of all classes, or none (n_probabilities 0). Regression: value. */
typedef struct fw_prediction {
    uint64_t row;
    const char *id;                             /* "": there is no id column */
    uint32_t label;
    float confidence;
    const float *probabilities; size_t n_probabilities;
    double value;
    const fw_raw *features; size_t n_features;
} fw_prediction;

typedef struct fw_named_number { const char *name; double value; } fw_named_number;

typedef struct fw_progress {
    const char *project, *run, *event;          /* event: start, round, checkpoint, resume, stop, done */
    uint64_t round, step, rows;
    double rows_per_s, train_loss;
    const fw_named_number *validation; size_t n_validation;
    uint32_t ranks;
} fw_progress;

/** An event of an alert: the members are those of message Alert (the same event again has the same id). Texts may be NULL when they are encoded, and are not when they were decoded. */
typedef struct fw_alert {
    uint64_t number;
    const char *id, *event, *kind, *model, *digest, *subject, *text, *advice;
    int64_t event_us, since_us, raised_us;
    double level, threshold, certainty;         /* finite; certainty 0: not known */
    const char *const *features; size_t n_features;
} fw_alert;

/** Appends one encoded Predictions message to out: 1 to FW_TELEMETRY_MAX_ROWS rows, at most FW_TELEMETRY_MAX_BYTES. Local, no state.
 *  FW_ERR_ARG: over a limit, or a label without a class; FW_ERR_DATA: an id or name that is not UTF-8; FW_ERR_NUMERIC: not finite.
 *  On error out is as it was. Cost, two classes and no ids: 4 ns a row. */
fw_status fw_telemetry_pack_rows(fw_text *out, const char *model, const char *digest, const char *const *classes, size_t n_classes, const fw_told_rows *rows, fw_error *err);

/** What a publisher has sent of each topic. One for each run. */
typedef struct fw_telemetry fw_telemetry;
fw_status fw_telemetry_create(fw_telemetry **out, fw_error *err);
void      fw_telemetry_destroy(fw_telemetry **t);

/** Replace what out holds by the next TelemetryBatch of the topic. A failed call counts nothing.
 *  wrap: `packed` is what pack_rows gave for n_rows rows, pack_model, pack_summary, pack_outcomes or pack_kpi (n_rows 0), as the topic says. end: the last of the topic, with the counts of batches and rows before it.
 *  progress: validation metrics that are not finite are left out (absent is how the stream says "not defined"). */
fw_status fw_telemetry_wrap(fw_telemetry *t, fw_text *out, const char *topic, const void *packed, size_t len, uint64_t n_rows, fw_error *err);
fw_status fw_telemetry_progress(fw_telemetry *t, fw_text *out, const char *topic, const fw_progress *progress, fw_error *err);
fw_status fw_telemetry_alert(fw_telemetry *t, fw_text *out, const char *topic, const fw_alert *alert, fw_error *err);
fw_status fw_telemetry_end(fw_telemetry *t, fw_text *out, const char *topic, fw_error *err);

typedef enum fw_telemetry_kind {
    FW_TELEMETRY_PREDICTIONS, FW_TELEMETRY_PROGRESS, FW_TELEMETRY_END, FW_TELEMETRY_ALERT, FW_TELEMETRY_MODEL, FW_TELEMETRY_SUMMARY,
    FW_TELEMETRY_OUTCOMES, FW_TELEMETRY_KPI
} fw_telemetry_kind;

typedef struct fw_telemetry_predictions {
    const char *model, *digest;
    const char *const *classes; size_t n_classes;
    const fw_prediction *rows; size_t n_rows;   /* at least one */
} fw_telemetry_predictions;

/** A checked batch. Strings are never NULL. Everything in it belongs to it. */
typedef struct fw_telemetry_batch {
    int64_t time_us;
    fw_telemetry_kind kind;                     /* which of those below is set */
    fw_telemetry_predictions predictions;
    fw_progress progress;
    fw_alert alert;
    fw_telemetry_model model;
    fw_telemetry_summary summary;
    fw_telemetry_outcomes outcomes;
    fw_telemetry_kpi kpi;
    struct { uint64_t batches, rows; } end;
} fw_telemetry_batch;

/** Bytes from anywhere. FW_ERR_FORMAT: not a batch, or it breaks one of the limits above, or its kind is not the topic's
 *  (topic NULL: not asked). An end may be under every kind of topic. */
fw_status fw_telemetry_decode(fw_telemetry_batch **out, const char *topic, const void *bytes, size_t len, fw_error *err);
void      fw_telemetry_batch_destroy(fw_telemetry_batch **b);

/** When a batch was made, from its first bytes alone: UTC, microseconds since 1970. False: it does not begin with its time, as those made here do. */
bool fw_telemetry_time(int64_t *time_us, const void *bytes, size_t len);

/** Whether the text is a topic as above, in UTF-8 of at most FW_TELEMETRY_MAX_TEXT bytes. */
bool fw_telemetry_topic_valid(const char *topic);

#endif
