/** What the files of monitor_outcomes share. */
#ifndef MONITOR_OUTCOMES_PARTS_H
#define MONITOR_OUTCOMES_PARTS_H

#include "common/core/dict.h"
#include "monitor/joins.h"
#include "monitor/outcomes_windows.h"

struct monitor_outcomes {
    monitor_outcomes_opts opts;            /* with defaults; classes: see dict */
    monitor_shelf shelf;
    size_t n_scores;
    fw_dict *classes;                      /* names -> codes, as they were given */
    monitor_joins *joins;
    monitor_windows_held held;
    monitor_outcomes_counts counts, kept;  /* kept: as they were at the last flush */
};

/** A checked outcome: a class, or a number. */
typedef struct monitor_outcome { uint32_t truth; double actual; int64_t at_us; } monitor_outcome;
/** FW_ERR_DATA: no class of the model, no number. */
fw_status monitor_outcome_parse(monitor_outcome *out, const monitor_outcomes *o, const char *id, const char *text, int64_t at_us, fw_error *err);
/** As it was told: the class, or the number, which is written into the buffer. */
const char *monitor_outcome_text(char number[static FW_NUMBER_TEXT], const monitor_outcomes *o, const monitor_join *e);
void      monitor_outcome_set(monitor_join *e, const monitor_outcome *v);

/** A new entry; the oldest makes room. */
fw_status monitor_outcomes_add(monitor_join **out, monitor_outcomes *o, const char *id, size_t n_scores, int64_t seen_us, fw_error *err);
/** NULL in *out: the window is older than all that are held. */
fw_status monitor_outcomes_hold(monitor_held **out, monitor_outcomes *o, uint64_t window, fw_error *err);

/** On the shelf, or (keep false) from it. */
fw_status monitor_outcomes_keep_prediction(const monitor_outcomes *o, const monitor_join *e, double confidence, bool keep, fw_error *err);
fw_status monitor_outcomes_keep_outcome(const monitor_outcomes *o, const monitor_join *e, bool keep, fw_error *err);
/** Window 0: the counts. A checksum is added to the bytes; none: the state goes. */
fw_status monitor_outcomes_keep_state(const monitor_outcomes *o, uint64_t window, fw_text *bytes, fw_error *err);

#endif
