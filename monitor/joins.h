/** Ids and what is known of each: a prediction, an outcome, or both. A table of bounded size; the oldest are let go first.
 *  Not thread-safe: one owner. An entry takes about 120 bytes, its id, and 4 bytes a score. */
#ifndef MONITOR_JOINS_H
#define MONITOR_JOINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef struct monitor_join {
    struct monitor_join *in_bucket, *older, *newer;
    uint64_t hash;
    int64_t seen_us;               /* when the id came first: what its age is counted from */
    bool predicted, known;         /* there is a prediction; there is an outcome */
    uint32_t said, truth;          /* classes */
    double value, actual;          /* regression */
    int64_t made_us, at_us;        /* of the prediction, of the outcome */
    uint64_t window;
    float *score; size_t n_scores; /* in the entry's own memory; 0: not told */
    char *id;
} monitor_join;

typedef struct monitor_joins monitor_joins;

fw_status     monitor_joins_create(monitor_joins **out, size_t max, fw_error *err);
void          monitor_joins_destroy(monitor_joins **j);

monitor_join *monitor_joins_find(const monitor_joins *j, const char *id);      /* NULL: not there */
/** A new entry, which must not be there yet, with room for n scores; else empty. When the table is full the caller takes the oldest out first. */
fw_status     monitor_joins_add(monitor_join **out, monitor_joins *j, const char *id, size_t n_scores, int64_t seen_us, fw_error *err);
/** The same id's entry with room for scores: it moves, keeps its place in age, and the old pointer is gone. */
fw_status     monitor_joins_widen(monitor_join **entry, monitor_joins *j, size_t n_scores, fw_error *err);
void          monitor_joins_remove(monitor_joins *j, monitor_join *entry);

monitor_join *monitor_joins_oldest(const monitor_joins *j);      /* by arrival; NULL: empty. Then ->newer */
bool          monitor_joins_full(const monitor_joins *j);
size_t        monitor_joins_n(const monitor_joins *j);

#endif
