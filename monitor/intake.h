/** Bytes from the bus -> batches, judged, and led to the window of their model. Tells a sink what was closed. That each comes once and in order is
 *  the inbox's work (common/bus/inbox.h). Limits: 1,000 models, 256 MiB of class names and counts, of each publisher its share (shares.h); what is beyond is
 *  counted as refused. */
#ifndef MONITOR_INTAKE_H
#define MONITOR_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "common/bus/inbox.h"
#include "common/core/clock.h"
#include "common/core/status.h"
#include "common/core/text.h"
#include "monitor/windows.h"
#include "proto/telemetry.h"

#define MONITOR_MAX_MODELS  1000u
#define MONITOR_MAX_STREAMS 1000u

typedef struct monitor_position { fw_stream stream; uint64_t last, lost; } monitor_position;      /* lost: of the numbers up to last */

/** What is known of one model since the start. gaps: messages of its publishers that were lost. */
typedef struct monitor_model {
    char *topic, *name, *digest;
    char **classes; size_t n_classes;
    uint64_t predictions, gaps;
} monitor_model;

/** Messages that belong to no model. */
typedef struct monitor_counts {
    uint64_t malformed;            /* not a batch, or it breaks a limit */
    uint64_t refused;              /* batches of a model for which there is no room */
    uint64_t gaps;                 /* messages lost of a publisher that told of no model */
    uint64_t ends;                 /* publishers that said they have ended */
} monitor_counts;

typedef struct monitor_sink {
    void *context;
    void (*window)(void *context, const monitor_model *m, const monitor_summary *s);
    void (*total)(void *context, const monitor_model *m);
} monitor_sink;

/** Who takes what is no prediction: a decoded batch and its bytes. What is refused has its reason in *why. predicted (may be NULL): n predictions of the model's open
 *  window, made at a moment, before it closes. lost (may be NULL): messages of a publisher of this version of a model. */
typedef struct monitor_others {
    void *context;
    fw_status (*predicted)(void *context, const monitor_model *m, uint64_t window, const fw_prediction *rows, size_t n, int64_t made_us, fw_error *err);
    void (*lost)(void *context, const char *name, const char *digest, uint64_t messages);
    fw_status (*take)(void *context, fw_telemetry_batch *b, const void *bytes, size_t len, fw_mono now, fw_error *why, fw_error *err);
} monitor_others;

typedef struct monitor_intake monitor_intake;

fw_status monitor_intake_create(monitor_intake **out, const monitor_window_opts *window, const monitor_sink *sink, fw_error *err);
void      monitor_intake_destroy(monitor_intake **in);
/** The address of who gives what is taken next, for its share; good until then. "", as at first: nobody's. */
void      monitor_intake_from(monitor_intake *in, const char *address);
void      monitor_intake_pass_on(monitor_intake *in, const monitor_others *others);      /* without it such batches are passed over */

/** One message of a publisher's stream; one that was taken before is passed over. A bad one is counted, not an error; its reason is then in *why, which
 *  may be NULL. */
fw_status monitor_intake_take(monitor_intake *in, const fw_stream *from, uint64_t sequence, const char *topic, const void *bytes, size_t len, fw_mono now,
                              fw_error *why, fw_error *err);
/** One message of no stream, e.g. outcomes; its giver keeps it from coming twice. A bad one as above. */
fw_status monitor_intake_give(monitor_intake *in, const char *topic, const void *bytes, size_t len, fw_mono now, fw_error *why, fw_error *err);
/** Messages first to last of the stream can't be had: told by the windows of each model of which it told. */
fw_status monitor_intake_lost(monitor_intake *in, const fw_stream *from, uint64_t first, uint64_t last, fw_error *err);
/** Where it stands in each stream: what is committed with its counts, and given to the inbox at the next start. */
fw_status monitor_intake_set_position(monitor_intake *in, const fw_stream *stream, uint64_t last, fw_error *err);
uint64_t  monitor_intake_lost_of(const monitor_intake *in, const fw_stream *stream);
size_t    monitor_intake_positions(const monitor_intake *in, const monitor_position **out);
/** Closes the windows whose time has come. */
void      monitor_intake_tick(monitor_intake *in, fw_mono now);
/** Closes all windows and gives the total of each model that has not been given since its last batch. */
void      monitor_intake_finish(monitor_intake *in);

/** All that it counts, as JSON, and back into a new one: totals, open windows, positions. FW_ERR_FORMAT: not what was saved. */
fw_status monitor_intake_save(const monitor_intake *in, fw_text *out, fw_error *err);
fw_status monitor_intake_load(monitor_intake *in, const char *json, size_t len, fw_mono now, fw_error *err);

monitor_counts monitor_intake_count(const monitor_intake *in);

#endif
