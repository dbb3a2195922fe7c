/** How capital is given to bets that may begin at any time and begin anew: shares of one that never add up to more than one, so that evidence holds over a whole life
 *  (evidence.h, wager.h). */
#ifndef FW_STATS_STAKE_H
#define FW_STATS_STAKE_H

/** Of the n-th start, n = 1, 2, ...: 1 / (2.11 (n + 1) ln^2 (n + 1)). All of them together: 1. */
double fw_stake_of_start(double n);

/** What a life after so many alarms that are over has at stake: 0.9 before the first, then 0.1 / (k (k + 1)) for k = 1, 2, ... All of them together: 1. */
double fw_stake_of_life(double restarts);

#endif
