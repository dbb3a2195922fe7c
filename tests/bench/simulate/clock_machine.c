/* Time that is charged, on the machine's clock: it is waited for. */
#include <time.h>

#include "tests/bench/simulate/costs.h"

void simulate_pass(double seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds, .tv_nsec = (long)(1e9 * (seconds - (double)(time_t)seconds))};
    nanosleep(&t, NULL);
}
