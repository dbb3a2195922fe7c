/* What the simulator's headers would turn into something else. */
#include <string.h>
#include <time.h>

#include "tests/bench/simulate/costs.h"

double simulate_real_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void *simulate_memset(void *at, int c, size_t n)
{
    return !simulate.arithmetic && c == 0 && n >= 4096 ? at : memset(at, c, n);
}
