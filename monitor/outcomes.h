/** Live quality of one version of a model: predictions and the outcomes that come for them later are joined by their id, each in the window of its prediction,
 *  whichever comes first. A pure state: no clock, no file; what it wants kept goes to a shelf, from which it is restored.
 *
 *  An outcome again            with the same value it is a double; with another one the one of the later time holds (a correction: the window is amended), and of
 *                              two with one time, or an earlier one, the first stays (a conflict).
 *  A prediction again          the first stays (repeated).
 *  Nobody's                    an outcome waits for its prediction as a prediction for its outcome, for horizon_s, and while there is room; then it is let go, and counted.
 *  Of a window that is gone    the newest max_windows are held, as far as max_bytes go; what belongs to an older one is counted as late. Few of them are open (max_open);
 *                              the others are packed, and opened again when an outcome comes for them.
 *
 *  A pair stays, and keeps both its rows on the shelf, until it is as old as the horizon: else a double could not be told from a new outcome. Not thread-safe. */
#ifndef MONITOR_OUTCOMES_H
#define MONITOR_OUTCOMES_H

#include "monitor/realised.h"
#include "monitor/store_rows.h"
#include "proto/telemetry.h"

#define MONITOR_OUTCOMES_IDS       1000000u      /* that wait or are joined; about 150 bytes each */
#define MONITOR_OUTCOMES_WINDOWS   10000u        /* as far as they fit into MONITOR_OUTCOMES_BYTES: those whose outcomes are in take 0.3 to 6 KiB */
#define MONITOR_OUTCOMES_OPEN      100u          /* windows whose outcomes are coming in */
#define MONITOR_OUTCOMES_BYTES     ((size_t)24 << 20)
#define MONITOR_OUTCOMES_HORIZON_S (30 * 86400.0)
#define MONITOR_OUTCOMES_LEAST     30u           /* outcomes in a window that is judged */

typedef struct monitor_outcomes_opts {
    int64_t model;                     /* number of its version in the store */
    monitor_shape shape;
    const char *const *classes;        /* (shape.n_classes), copied */
    size_t max_ids, max_windows, max_open, max_bytes;      /* 0: as above */
    double horizon_s;                  /* 0: as above */
    uint64_t least_labelled;           /* a closed window is due to be judged when so many outcomes are in; 0: as above */
    double least_share;                /* and this share of its predictions has one; 0: a half */
} monitor_outcomes_opts;

/** How a window stands. */
typedef struct monitor_quality_window {
    int64_t model; uint64_t window;
    uint64_t rows, labelled;           /* predictions with an id; those whose outcome is in */
    double lag_s;                      /* mean time from prediction to outcome; NaN: none is in */
    uint64_t revised;                  /* how often its outcomes have changed since it was closed */
    bool closed, due;                  /* due: enough outcomes are in for the first time; told once */
    fw_qualities realised, estimated;
} monitor_quality_window;

/** Where things are kept: rows by id, and states by key (no bytes: it goes). Texts are to be copied; an error is returned by the call that led to it. Any may be NULL. */
typedef struct monitor_shelf {
    void *context;
    fw_status (*keep_prediction)(void *context, const monitor_waiting_prediction_row *row, bool keep, fw_error *err);      /* keep false: it goes */
    fw_status (*keep_outcome)(void *context, const monitor_waiting_outcome_row *row, bool keep, fw_error *err);
    fw_status (*keep_state)(void *context, const char *key, monitor_bytes bytes, fw_error *err);
    fw_status (*tell)(void *context, const monitor_quality_window *w, fw_error *err);
    fw_status (*joined)(void *context, const monitor_judged *row, fw_error *err);      /* a pair, once: not when it is restored, told again or corrected */
} monitor_shelf;

typedef struct monitor_outcomes_counts {
    uint64_t predictions, outcomes;    /* that came, those below among them */
    uint64_t joined;
    uint64_t doubled, corrected, conflicts, repeated;
    uint64_t refused;                  /* no class of the model, no number */
    uint64_t late;                     /* their window is not held any more */
    uint64_t unlabelled, unknown;      /* let go: predictions without an outcome, outcomes without a prediction */
} monitor_outcomes_counts;

typedef struct monitor_outcomes monitor_outcomes;

/** FW_ERR_ARG: a shape that can't be; two classes of one name. */
fw_status monitor_outcomes_create(monitor_outcomes **out, const monitor_outcomes_opts *opts, const monitor_shelf *shelf, fw_error *err);
void      monitor_outcomes_destroy(monitor_outcomes **o);

/** Checked predictions and outcomes, as they come from a batch. One without an id is passed over. A window's numbers are 1, 2, 3, ... of the model. */
fw_status monitor_outcomes_predict(monitor_outcomes *o, const fw_prediction *p, uint64_t window, int64_t made_us, fw_error *err);
/** at_us: when it was observed. One that can't be is counted, not an error; its reason is then in *why, which may be NULL. */
fw_status monitor_outcomes_take(monitor_outcomes *o, const char *id, const char *outcome, int64_t at_us, int64_t now_us, fw_error *why, fw_error *err);
/** Takes what waits for a prediction in `from`, of another version of the same model, as if it had been told here too. */
fw_status monitor_outcomes_inherit(monitor_outcomes *o, const monitor_outcomes *from, int64_t now_us, fw_error *err);
/** The window is full; estimated: what it would be without outcomes, NULL: not known. */
fw_status monitor_outcomes_close(monitor_outcomes *o, uint64_t window, const fw_qualities *estimated, fw_error *err);
/** Lets go what is older than the horizon. Once a minute. */
fw_status monitor_outcomes_tick(monitor_outcomes *o, int64_t now_us, fw_error *err);
/** Tells each window that has changed since the last time, and keeps its state: before every commit. */
fw_status monitor_outcomes_flush(monitor_outcomes *o, fw_error *err);

monitor_outcomes_counts monitor_outcomes_count(const monitor_outcomes *o);
size_t                  monitor_outcomes_waiting(const monitor_outcomes *o);      /* ids that are held */

/** What was kept, into one that was just created: states first, then predictions, then outcomes. States of other keys are passed over.
 *  FW_ERR_DATA: damaged, or of another model; that one is then left out. */
fw_status monitor_outcomes_restore_state(monitor_outcomes *o, const char *key, monitor_bytes bytes, fw_error *err);
fw_status monitor_outcomes_restore_prediction(monitor_outcomes *o, const monitor_waiting_prediction_row *row, int64_t now_us, fw_error *err);
fw_status monitor_outcomes_restore_outcome(monitor_outcomes *o, const monitor_waiting_outcome_row *row, int64_t now_us, fw_error *err);

#endif
