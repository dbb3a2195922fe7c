/** Evidence that the mean of a stream is above a limit: an e-value that may be looked at after every row, for ever. Plain data; all zero: nothing was seen.
 *
 *  While the mean is not above the limit, P(e >= 1/a at any row, ever) <= a (Ville 1939). A wager is on one of two kinds of stream:
 *  Losses   y >= 0, a loss as a share of its limit: E(y | the rows before) <= 1 while nothing is wrong. A bet pays 1 + s (y - 1), 0 < s < 1, which is never negative and has
 *           mean <= 1 whatever the law of y: exact at any number of rows, also where losses have no upper end.
 *           Source  I. Waudby-Smith, A. Ramdas, J. R. Stat. Soc. B 86 (2024) 1, sec. 4.
 *  Normal   z, normal with mean <= 0 and variance <= 1 while nothing is wrong: a bet pays exp(l z - l^2 / 2). What is above 4 counts as 4, which only makes it poorer.
 *           As exact as z is normal: for figures of many rows each.
 *
 *  A change may come at any row. A bet's rise R <- max(R, 1) payoff (Page, Biometrika 41, 1954) costs nothing; its capital M <- (M + what is put in) payoff. Put in is
 *  w_1 at the first row, and w_n when the rise has passed e^3 for the n-th time after it stood below 1; sum w_n <= 1 (stake.h). Rows before decide it, so E M <= 1 holds.
 *  A start at every row would have to share the one over all rows of a quiet life (11 nats after 1,000 starts); rises are rare in it, and what is missed is the e^3.
 *  e = (what is at stake in this life) x the mean M of 8 bets. Against the best bet, known before, that costs about 5 nats in all.
 *  Numerics  plain products, capital at most 1e15, so that evidence that is over fades; the bits depend on the order of the rows. Cost 8 products a row (normal: 8 exponentials). */
#ifndef FW_STATS_WAGER_H
#define FW_STATS_WAGER_H

#include <stdbool.h>
#include <stddef.h>

#define FW_WAGER_BETS    8
#define FW_WAGER_NUMBERS (4 * FW_WAGER_BETS + 1)

typedef struct fw_wager {
    double capital[FW_WAGER_BETS], rise[FW_WAGER_BETS];
    double starts[FW_WAGER_BETS], ready[FW_WAGER_BETS];      /* ready: 1 when the rise has stood below 1 since the last start, else 0 */
    double restarts;
} fw_wager;

void   fw_wager_loss(fw_wager *w, double y);         /* y >= 0 */
void   fw_wager_normal(fw_wager *w, double z);       /* not NaN */
double fw_wager_log(const fw_wager *w);              /* ln e; -inf before the first row */

/** Begins anew after an alarm that is over, with less at stake, so that the whole life stays within the budget. */
void   fw_wager_restart(fw_wager *w);

/** The state as FW_WAGER_NUMBERS doubles. restore: false, and w unchanged, when they can't be one. */
void   fw_wager_save(const fw_wager *w, double *out);
bool   fw_wager_restore(fw_wager *w, const double *in);

#endif
