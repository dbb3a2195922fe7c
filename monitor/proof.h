/** The second key of an alert, with the life of its alarm: wagers (common/stats/wager.h), when they are enough, and when they begin anew. Plain data, to be filled with
 *  n, least and digest; the rest 0.
 *  While nothing is wrong, the chance that it is ever evident is at most e^-least. An alarm begins when a look is as bad as its threshold and the proof evident; it is over after 3
 *  looks below 0.8 of the threshold: then the evidence begins anew, with less at stake. */
#ifndef MONITOR_PROOF_H
#define MONITOR_PROOF_H

#include "common/core/text.h"
#include "common/stats/wager.h"
#include "monitor/realised.h"

/** How sure it is that something is so: an e-value's logarithm, and whether that is enough. */
typedef struct monitor_sure { bool evident; double log_e; } monitor_sure;

typedef struct monitor_proof {
    size_t n;                      /* wagers, 1 or 2: one for each side that can be wrong, with a half of the whole each */
    double least;                  /* ln e from which on it is evident */
    uint64_t digest;               /* of what the wagers are on: a state of another one is not taken */
    fw_wager wager[2];
    bool alarm, plain, changed;    /* plain: the owner's to use; changed: since it was saved */
    uint64_t calm;
} monitor_proof;

monitor_sure monitor_proof_sure(const monitor_proof *p);
/** A look's level and threshold, behind monitor_proof_sure. */
void         monitor_proof_judge(monitor_proof *p, double level, double threshold);

/** The state as bytes, added to out; nothing when it has not changed since the last time. block: rows that stand behind it; NULL: none. */
fw_status    monitor_proof_save(monitor_proof *p, const monitor_realised *block, fw_text *out, fw_error *err);
/** Goes on to the same bits. FW_ERR_DATA: damaged, or of another digest; p and block are then as they were created. */
fw_status    monitor_proof_restore(monitor_proof *p, monitor_realised *block, const void *bytes, size_t len, fw_error *err);

#endif
