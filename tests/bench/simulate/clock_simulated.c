/* Time that is charged, on the simulator's clock. */
#include <smpi/smpi.h>

#include "tests/bench/simulate/costs.h"

void simulate_pass(double seconds) { smpi_execute_flops(seconds * 1e9); }       /* the platform's cores do 1e9 a second */
