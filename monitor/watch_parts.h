/** What the files of monitor_watch share. */
#ifndef MONITOR_WATCH_PARTS_H
#define MONITOR_WATCH_PARTS_H

#include "monitor/models.h"
#include "monitor/watch_models.h"

/** One model with one set of bins. */
typedef struct watched {
    const monitor_known *known;
    monitor_drift *drift;              /* NULL: the model has no reference, and nothing is watched */
    fw_summary *open;                  /* the counts of the open window */
    int64_t model;                     /* number in the store; without one: of the first with this name and digest */
    uint64_t number, rows, all_rows;   /* of the open window; in it; since it was first told of */
    int64_t from_us, to_us;            /* of the open one, by the publishers' clocks */
    uint64_t gaps;                     /* messages of its publishers that were lost while it was open */
    fw_mono opened, last;
    bool changed;                      /* since it was saved */
} watched;

struct monitor_watch {
    monitor_watch_opts opts;
    monitor_watch_hearer hearer;       /* its function NULL: nobody hears */
    monitor_models *models;
    watched *of; size_t n, capacity;   /* as in models */
};

/** Keys of its states: PREFIX, the model's number, the hash of its bins. */
#define MONITOR_TOLD_KEY "told/"
void      monitor_watch_key(char *out, size_t len, const char *prefix, const watched *t);

/** One model more, of the newest of models. bytes: as it was told; NULL: it is in the store already. */
fw_status monitor_watch_add(monitor_watch *w, const monitor_known *known, const void *bytes, size_t len, fw_error *err);

/** Of the window that was just looked at: its row and those of its drift; the model's row; the looks for alerts. */
fw_status monitor_watch_put_model(const monitor_watch *w, const watched *t, const void *bytes, size_t len, fw_error *err);
fw_status monitor_watch_put_window(const monitor_watch *w, const watched *t, monitor_reason reason, fw_error *err);
fw_status monitor_watch_look(const monitor_watch *w, const watched *t, fw_error *err);

#endif
