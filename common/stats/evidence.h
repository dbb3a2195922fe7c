/** Evidence that current rows are not drawn as the reference rows were: an e-value that may be looked at after every window, for ever.
 *
 *  While nothing drifts, P(e >= 1/a at any look, ever) <= a, rows being independent of each other. In three lines:
 *  1. A bet on a place pays f(b) for a row in place b, at a price U with sum_b p_b f_b <= U: prod over rows of f/U is a supermartingale. The reference is a sample,
 *     so its shares p are not known: U is an upper confidence bound (common/stats/bound.h), and a finite reference only makes bets dearer, never wrong.
 *  2. A change may come at any window: capital M of a bet goes M <- (M + w_t) prod f/U at look t, sum w_t <= 1: the exact mixture over all starts, in one number.
 *  3. e = sum over bets of v M, sum v <= 1: an average of e-processes is one (Ville 1939 bounds it; Ramdas, Gruenwald, Vovk, Shafer, Statistical Science 38, 2023).
 *  To that chance comes that of any price being too low, e^-strength each; the caller keeps both within its budget (fw_evidence_bets).
 *
 *  Cost of waiting: with w_t = 1 / (2.11 (t + 1) ln^2 (t + 1)) a change at look 1,000 needs e^11 more than one at the first look, whatever came before: with a
 *  shift of 0.25 sigma (0.03 nats a row) some 400 rows more. Memory: one double a bet, two a place; nothing grows with the rows.
 *  Bets: ordered places: tilts of location and of scale; each place: its share times 1.5, 3, or halved; and one bet on shares as they were of late (not a fixed f: its
 *  price holds for all f at once). State is plain doubles; the rest follows from the reference. Not thread-safe. */
#ifndef FW_STATS_EVIDENCE_H
#define FW_STATS_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef enum fw_evidence_kind {
    FW_EVIDENCE_ORDERED,           /* places with an order: bins of a number or score */
    FW_EVIDENCE_NAMED,             /* categories, classes */
    FW_EVIDENCE_RATE               /* two places, {is not, is}: bets on the second alone */
} fw_evidence_kind;

typedef struct fw_evidence fw_evidence;

/** Prices that are held for n places: strength = ln(all prices of a model / the chance given to them). */
size_t    fw_evidence_bets(fw_evidence_kind kind, size_t n);

/** reference (n) is copied. FW_ERR_ARG: no place, or a rate of other than two places. Cost about 600 logarithms a place. */
fw_status fw_evidence_create(fw_evidence **out, fw_evidence_kind kind, const uint64_t *reference, size_t n, double strength, fw_error *err);
void      fw_evidence_destroy(fw_evidence **e);

/** The rows of one more window, current (n). Without rows nothing changes. Cost 3 exponentials a place; 2n logarithms more while the last bet is open. */
void      fw_evidence_look(fw_evidence *e, const uint64_t *current);
double    fw_evidence_log(const fw_evidence *e);         /* ln e; -inf before the first look */
double    fw_evidence_growth(const fw_evidence *e);      /* what the last look multiplied the capital by, as a logarithm: > 0 speaks for drift */

/** Begins anew after an alarm that is over: at first 0.9 is at stake, the k-th time after that 0.1 / (k (k + 1)), so that the whole
 *  life stays within the budget. */
void      fw_evidence_restart(fw_evidence *e);
void      fw_evidence_reset(fw_evidence *e);              /* as created */

/** The state as fw_evidence_numbers(e) doubles. restore: false, and e unchanged, when they can't be a state of this reference. */
size_t    fw_evidence_numbers(const fw_evidence *e);
void      fw_evidence_save(const fw_evidence *e, double *out);
bool      fw_evidence_restore(fw_evidence *e, const double *in);

/** e-BH: alarm[i] for the hypotheses that are rejected at this level, from n logarithms of e-values under any dependence (scratch: n); returns their number k: the largest
 *  with k of them >= n / (k level). At all looks: k such values make the mean of the n at least 1 / level, and the mean is an e-value: no drift anywhere, no alarm
 *  ever, but for a chance of level.  Source  R. Wang, A. Ramdas, J. R. Stat. Soc. B 84 (2022) 822. */
size_t fw_e_bh(bool *alarm, const double *log_e, size_t n, double level, double *scratch);

#endif
