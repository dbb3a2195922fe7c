#include "common/stats/stake.h"

#include "common/stats/dmath.h"

#define START_SUM   2.10974280123689197      /* sum_{n >= 2} 1 / (n ln^2 n) */
#define FIRST_STAKE 0.9                      /* what is kept back is for the time after a first alarm */

double fw_stake_of_start(double n)
{
    double log_next = fw_log_double(n + 1);
    return 1 / (START_SUM * (n + 1) * log_next * log_next);
}

double fw_stake_of_life(double restarts)
{
    return restarts < 1 ? FIRST_STAKE : (1 - FIRST_STAKE) / (restarts * (restarts + 1));
}
