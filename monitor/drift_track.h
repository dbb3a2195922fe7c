/** One question about one column, over time: its evidence, when the change seems to have begun, the rows since then, and whether there is an alarm.
 *  monitor/drift.c alone uses it. */
#ifndef MONITOR_DRIFT_TRACK_H
#define MONITOR_DRIFT_TRACK_H

#include "common/core/text.h"
#include "common/stats/evidence.h"
#include "monitor/words.h"

typedef struct monitor_track {
    fw_evidence *evidence;
    size_t n;                              /* places */
    double rise;                           /* growth of evidence since it last stood at 0 */
    uint64_t since, rows_since;
    uint64_t *old, *young;                 /* (n): the last rows since then; young takes over when it has enough */
    uint64_t old_rows, young_rows;
    uint64_t calm;                         /* windows in a row without effect, during an alarm */
    bool alarm;
} monitor_track;

fw_status monitor_track_create(monitor_track *t, fw_evidence_kind kind, const uint64_t *reference, size_t n, double strength, fw_error *err);
void      monitor_track_release(monitor_track *t);
void      monitor_track_reset(monitor_track *t);             /* as created */

void      monitor_track_look(monitor_track *t, const uint64_t *current, uint64_t stamp);
/** The two keys after a look: raises or ends the alarm. effect, still: a figure is at its threshold, or at 0.8 of it. */
void      monitor_track_judge(monitor_track *t, bool evident, bool effect, bool still);

void      monitor_track_save(const monitor_track *t, double *scratch, fw_text *out);      /* scratch: fw_evidence_numbers */
bool      monitor_track_restore(monitor_track *t, double *scratch, monitor_words *in);

#endif
