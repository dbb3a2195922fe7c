/** What the simulated ranks' computing costs, in seconds of one core, and whether the arithmetic is done at all. One set for all ranks: written before the first
 *  step, read afterwards. */
#ifndef SIMULATE_COSTS_H
#define SIMULATE_COSTS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct simulate_costs {
    bool arithmetic;              /* false: no row is computed, all gradients are 0 */
    bool measure;                 /* true: takes the costs of this machine while it computes; nothing is simulated then */
    double leaf_s;                /* one leaf: gathered, forward, backward, in fixed point in this rank's part */
    double update_s;              /* one parameter: optimizer step */
    double take_s;                /* one integer of a part: added up, made a float */
    double core_bytes_s;          /* memory traffic of one core alone, */
    double node_bytes_s;          /* and of all cores of a node together */
    int    node_ranks;            /* that share it */
    size_t n_params;
} simulate_costs;

extern simulate_costs simulate;

/** Seconds of the machine itself: the C library's clock tells simulated time here. */
double simulate_real_seconds(void);

/** This rank has computed for so long: clock_simulated.c tells the simulator, clock_machine.c waits. */
void simulate_pass(double seconds);

/** In the place of memset in what is simulated. Without arithmetic nothing but zeros is ever written: the pages of large buffers are not touched. */
void *simulate_memset(void *at, int c, size_t n);

/** How often each cost was charged since the start: 0 means that the program no longer calls what is charged for. */
typedef struct simulate_charged { size_t leaves, updates, takes, totals; } simulate_charged;
extern simulate_charged simulate_charges;

#endif
