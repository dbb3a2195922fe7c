/** What the files of monitor_watch share. */
#ifndef MONITOR_WATCH_PARTS_H
#define MONITOR_WATCH_PARTS_H

#include "monitor/models.h"
#include "monitor/watch_models.h"

/** One window of a model: open, or closed and held for rows that come late. */
typedef struct monitor_pane {
    uint64_t number, rows, revised, gaps;
    int64_t from_us, to_us;            /* of its rows, by the publishers' clocks */
    int64_t length_us;                 /* 0: a window of rows */
    monitor_reason reason;             /* MONITOR_OPEN: it is */
    bool amended;                      /* rows came since it was closed, and it was not told of again yet */
    bool changed, saved;               /* since it was saved; there is a state of it */
    uint64_t *count;                   /* (fw_summary_total) */
    fw_times times;                    /* of the rows whose publishers tell how long they took */
    double *log_e;                     /* (columns x MONITOR_N_QUESTIONS) the evidence when it was closed */
} monitor_pane;

/** One model with one set of bins. */
typedef struct watched {
    const monitor_known *known;
    monitor_drift *drift;              /* NULL: the model has no reference, and nothing is watched */
    fw_summary *shown;                 /* the counts that are looked at or told of */
    int64_t model;                     /* number in the store; without one: of the first with this name and digest */
    monitor_pane *pane; size_t n, capacity;      /* by their numbers */
    uint64_t number;                   /* of the window of rows that is open, or opens next */
    uint64_t gone;                     /* the highest number that is not held any more; 0: none */
    uint64_t all_rows;                 /* since it was first told of */
    uint64_t gaps;                     /* messages of its publishers that were lost since a window was closed */
    uint64_t *late, late_rows;         /* of windows that were closed: evidence for the next look */
    uint64_t lost_rows, jumped_rows;   /* too late to amend; of moments that can't be */
    bool misplaced;                    /* one of them has changed since it was put */
    struct { uint64_t *count, number, rows; bool waits; } newest;      /* the closed window that the page shows, NULL until the first; waits: it was not put yet */
    bool row_waits;                    /* the model's row, since a window was closed */
    monitor_drift_row *figure;         /* (columns x MONITOR_N_DETECTORS) scratch; NULL until the first window */
    int64_t newest_us;                 /* moment that a publisher told of */
    fw_mono last, told;                /* a summary came; the model was told of, and kept */
    bool changed, restored;            /* since it was saved; its numbers go on where the store's end */
} watched;

struct monitor_watch {
    monitor_watch_opts opts;
    int64_t length_us;                 /* 0: windows of rows */
    monitor_watch_hearer hearer;       /* its function NULL: nobody hears */
    monitor_models *models;
    const char *from;                  /* address of who gives what is taken */
    watched *of; size_t n, capacity;   /* as in models */
};

/** One model more, of the newest of models. bytes: as it was told; NULL: it is in the store already. */
fw_status monitor_watch_add(monitor_watch *w, const monitor_known *known, const void *bytes, size_t len, fw_error *err);
/** The number of a window of rows that opens: it is kept for it, over all sets of bins of the version. */
uint64_t  monitor_watch_next_number(const monitor_watch *w, int64_t model);

/* ---- watch_windows.c ---- */
void      monitor_panes_release(watched *t);
/** Makes room for a window, which is not there yet; its counts are 0. */
fw_status monitor_pane_make(monitor_pane **out, watched *t, uint64_t number, int64_t length_us, fw_error *err);
/** A moment as it counts: one before 1970, or more than an hour ahead of this clock, is now. */
int64_t   monitor_watch_moment(const monitor_watch *w, int64_t at_us, int64_t now_us);
fw_status monitor_watch_count(monitor_watch *w, watched *t, const fw_telemetry_summary *s, fw_mono now, fw_error *err);
/** Closes what is due, and tells of what was amended. end: all. */
fw_status monitor_watch_close(monitor_watch *w, watched *t, fw_mono now, bool end, fw_error *err);

/* ---- watch_state.c ---- */
#define MONITOR_TOLD_KEY "told/"
/** PREFIX MODEL / BINS: the model's number, the hash of its bins. */
void      monitor_watch_key(char *out, size_t len, const char *prefix, const watched *t);
/** Its state goes, if it has one. */
fw_status monitor_watch_forget(const monitor_watch *w, const watched *t, const monitor_pane *p, fw_error *err);

/* ---- watch_rows.c ---- */
fw_status monitor_watch_put_model(const monitor_watch *w, const watched *t, const void *bytes, size_t len, fw_error *err);
/** How many rows are not in the window of their time, of the version. */
fw_status monitor_watch_put_misplaced(const monitor_watch *w, const watched *t, fw_error *err);
/** The row of a closed window whose counts are shown, and its figures of drift. anew: the figures are not those of the last look. */
fw_status monitor_watch_put_window(const monitor_watch *w, watched *t, const monitor_pane *p, bool anew, fw_error *err);
/** What is the same for all windows that were closed since the last time: the model's row, and the counts of the newest. Once a commit. */
fw_status monitor_watch_put_newest(const monitor_watch *w, watched *t, fw_error *err);
/** Looks for alerts, behind a look at drift. */
fw_status monitor_watch_look(const monitor_watch *w, const watched *t, fw_error *err);

#endif
