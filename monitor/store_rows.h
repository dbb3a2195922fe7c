/** What the store holds: one struct a table, the contract between those who watch and those who show. The columns have the members' names.
 *  Times: microseconds since 1970, UTC; 0: never. Real numbers: NaN is "not known" (NULL in the file). Texts: UTF-8, NULL is allowed where said.
 *  JSON: one object or list as text, NULL: none. Texts and bytes of a row that was read are good until the next one is. */
#ifndef MONITOR_STORE_ROWS_H
#define MONITOR_STORE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef struct monitor_bytes { const void *data; size_t len; } monitor_bytes;

/** A version of a model. Its number is given by monitor_store_model and never used again. */
typedef struct monitor_model_row {
    int64_t model;                      /* key */
    const char *name, *digest;
    const char *task;                   /* "classification", "regression"; NULL: not known yet */
    const char *classes;                /* JSON: list of texts */
    monitor_bytes reference;            /* as it was announced; empty: not announced */
    int64_t first_us, last_us, predictions;      /* first_us: of the first put, which stays */
} monitor_model_row;

/** One stream of a publisher: how far it was taken in, and its own account. */
typedef struct monitor_publisher_row {
    monitor_bytes stream;               /* key: 16 bytes */
    const char *name, *address;         /* may be NULL */
    int64_t position;                   /* the last sequence that was taken in */
    int64_t produced, delivered, spooled, dropped;
    const char *reasons;                /* JSON: {reason: dropped, ..., "refused": {reason: messages that were not taken}} */
    int64_t missing, duplicates, malformed;   /* what was seen here: missing of the whole stream, the others since this monitor began */
    int64_t first_us, heard_us;         /* first_us: of the first put, which stays */
    int64_t ended;                      /* 1: it said that it has ended */
} monitor_publisher_row;

typedef struct monitor_window_row {
    int64_t model, number;              /* key; numbers ascend: 1, 2, 3, ... of the model, or those of fw_utc_window */
    int64_t from_us, to_us, rows;
    int64_t revised;                    /* how often late events amended it after it was closed */
    const char *closed;                 /* why it was closed: "full", "time", "idle", "end" */
    const char *body;                   /* JSON: counts, shares, latency */
} monitor_window_row;

/** The figures of drift of a window on one set of bins, packed. Who wants them as rows: store_drift.h. */
typedef struct monitor_figures_row {
    int64_t model, window, bins;        /* key; bins: a number of the set's own */
    int64_t at_us;                      /* when they were made */
    monitor_bytes bytes;                /* figures.h */
} monitor_figures_row;

/** One of them. */
typedef struct monitor_drift_row {
    int64_t model, window;
    const char *feature, *test;
    double statistic, threshold;
    int64_t effect;                     /* 0: below its threshold, 1: a warning, 2: an alert, as far as the size goes */
    double evidence;                    /* log10 of the e-value */
    double p;
} monitor_drift_row;

typedef struct monitor_performance_row {
    int64_t model, window;              /* key, with metric */
    const char *metric;
    double realised, low, high;         /* with its interval, from the outcomes that came */
    double estimated;                   /* without outcomes */
    double reference;                   /* on the test split, when the model was made */
    double labelled;                    /* share of the window's predictions whose outcome is known */
} monitor_performance_row;

/** A prediction that waits for its outcome, and an outcome that waits for its prediction. */
typedef struct monitor_waiting_prediction_row {
    int64_t model;                      /* key, with id */
    const char *id;
    int64_t window, made_us, label;
    double confidence, value;
    monitor_bytes probabilities;
} monitor_waiting_prediction_row;
typedef struct monitor_waiting_outcome_row {
    int64_t model;                      /* key, with id */
    const char *id;
    const char *outcome;                /* a class, or a number as text */
    int64_t at_us;
} monitor_waiting_outcome_row;

typedef struct monitor_kpi_row {
    const char *name;                   /* key, with model and at_us */
    int64_t model;                      /* 0: of none */
    int64_t at_us;
    double value, baseline, target;
} monitor_kpi_row;

/** One alert, from its raising to its end; a cause that comes back later is another one (alerts.h). */
typedef struct monitor_alert_row {
    int64_t alert;                      /* key: 1, 2, 3, ... */
    const char *kind;                   /* "drift", "missing", ... */
    int64_t model;                      /* 0: of none */
    const char *name, *digest;          /* of the model; NULL: of none */
    const char *subject;                /* feature, metric, publisher: with kind and model the cause; "" when there is none */
    int64_t since_us, raised_us, last_us;     /* the change began; the alert was raised; it was last seen above its threshold */
    int64_t acknowledged_us, silenced_until_us, resolved_us;
    double level, peak, threshold;      /* now, the highest, what raises it */
    double certainty;                   /* 0 to 1 */
    int64_t loud, quiet;                /* looks above since it was raised; looks below in a row */
    int64_t told;                       /* 1: that it is there was told; 0 again from a silence on */
    const char *features;               /* JSON: list of texts */
    const char *text;                   /* what changed, by how much, since when, how sure */
    const char *advice;                 /* what to do */
} monitor_alert_row;

typedef struct monitor_event_row {
    int64_t alert, at_us;               /* key, with event */
    const char *event;                  /* "raised", "acknowledged", "silenced", "resolved" */
    const char *by;                     /* "monitor", or who asked */
    int64_t delivery;                   /* 0: nobody is told, 1: to be told, 2: told, 3: given up */
    const char *note;                   /* why it was given up; NULL */
} monitor_event_row;

/** What a part of the monitor wants to find again: a detector, an accumulator. The key is the part's own, e.g. "drift/<digest>". */
typedef struct monitor_state_row {
    const char *key;
    int64_t at_us;
    monitor_bytes bytes;
} monitor_state_row;

/** A message that was posted (store_posted.h) and waits until the monitor takes it in; the commit that keeps what came of it removes it. */
typedef struct monitor_posted_row {
    int64_t posted;                     /* key: 1, 2, 3, ...; never used again */
    int64_t at_us;
    const char *topic;
    monitor_bytes bytes;                /* a TelemetryBatch */
} monitor_posted_row;

/** X(noun, TABLE): monitor_<noun>_row is a row of MONITOR_<TABLE>. */
#define MONITOR_TABLE_LIST(X)                                                                                                                  \
    X(model, MODELS) X(publisher, PUBLISHERS) X(window, WINDOWS) X(figures, FIGURES) X(performance, PERFORMANCE)                                   \
    X(waiting_prediction, WAITING_PREDICTIONS) X(waiting_outcome, WAITING_OUTCOMES) X(kpi, KPI) X(alert, ALERTS) X(event, ALERT_EVENTS)       \
    X(state, STATES) X(posted, POSTED)
typedef enum monitor_table_id {
#define X(noun, TABLE) MONITOR_##TABLE,
    MONITOR_TABLE_LIST(X)
#undef X
    MONITOR_N_TABLES
} monitor_table_id;

#endif
