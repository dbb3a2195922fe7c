/** The models that publishers have told of: each with its reference and the sum of its summaries. What a peer claims is judged, counted, never believed:
 *  a summary counts only on the bins of a model that was told of, under its digest.
 *  Limits: MONITOR_MAX_KNOWN models, MONITOR_KNOWN_BYTES of references, of each publisher its share of them (shares.h); what is beyond is refused. */
#ifndef MONITOR_MODELS_H
#define MONITOR_MODELS_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/stats/reference.h"
#include "proto/telemetry.h"

#define MONITOR_MAX_KNOWN   1000u
#define MONITOR_KNOWN_BYTES ((size_t)256 << 20)

/** One model under one digest, and one set of bins: publishers that may tell of features and those that may not stand apart. */
typedef struct monitor_known {
    char *name, *digest;
    char *from;                        /* address of the publisher that told of it first; "": not known */
    fw_task task;
    char **classes; size_t n_classes;
    fw_reference *reference;           /* NULL: the model has none, and nothing is summed */
    fw_summary *sum;                   /* of all its summaries; NULL as above */
    uint64_t windows, rows;            /* in it */
    int64_t from_us, to_us;            /* the earliest and the latest moment of its windows; 0: none yet */
    int64_t told_us;                   /* when the model was last told of, by the publisher's clock */
} monitor_known;

typedef enum monitor_verdict {
    MONITOR_NEW,                       /* a model not known before */
    MONITOR_AGAIN,                     /* a model told of again, the same */
    MONITOR_SUMMED,                    /* a summary, added */
    MONITOR_DIFFERS,                   /* a model whose task, classes or counts are not those told before under its digest and bins: the first stays */
    MONITOR_UNKNOWN,                   /* a summary of a model, digest or bins that nobody has told of */
    MONITOR_LIES,                      /* a summary whose counts do not add up */
    MONITOR_FULL_UP,                   /* no room for another model */
    MONITOR_OTHER                      /* a batch of another kind */
} monitor_verdict;

typedef struct monitor_models monitor_models;
fw_status monitor_models_create(monitor_models **out, fw_error *err);
void      monitor_models_destroy(monitor_models **m);

/** One decoded batch of the publisher at this address ("": nobody's); a new model's reference is taken out of it. *known (may be NULL): the model it is of, NULL when there is none; valid until the next
 *  call. why (may be NULL): the reason of a verdict that refuses. FW_ERR_NOMEM. */
fw_status monitor_models_take(monitor_verdict *verdict, const monitor_known **known, monitor_models *m, const char *from, fw_telemetry_batch *b, fw_error *why,
                              fw_error *err);
/** As above, a model that was taken before and kept: whatever its publisher's share is. */
fw_status monitor_models_keep(monitor_verdict *verdict, const monitor_known **known, monitor_models *m, const char *from, fw_telemetry_batch *b, fw_error *why,
                              fw_error *err);

size_t               monitor_models_n(const monitor_models *m);
const monitor_known *monitor_models_get(const monitor_models *m, size_t i);      /* in the order in which they were first told of */

#endif
