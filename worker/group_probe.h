/** What the ranks measure of their MPI together: for `flywheel doctor`. Beside worker/group*.c and sums*.c the only place that knows MPI. */
#ifndef WORKER_GROUP_PROBE_H
#define WORKER_GROUP_PROBE_H

#include "worker/group.h"

/** Seconds are the slowest rank's; NaN: there are too few ranks for it. */
typedef struct worker_mpi_figures {
    char library[160];                     /* "Open MPI v4.1.4" */
    char pml[96], btl[160], mtl[96];       /* the components that were opened: "vader self tcp"; "" when the library does not say */
    int thread_level;                      /* 0 single, 1 funneled, 2 serialized, 3 multiple */
    int yields;                            /* mpi_yield_when_idle; -1: the library does not say */
    int leader;                            /* the first rank of this rank's node */
    double latency_s;                      /* of 8 bytes passed to the next rank of the ring */
    double bandwidth;                      /* bytes/s each rank sends and receives, 1 MiB pieces in the ring */
    double hidden;                         /* share of a 4 MiB message's time that goes on while nobody is in MPI: 0..1 */
    double barrier_s;                      /* MPI_Barrier of all */
    double meet_s;                         /* worker_group_meet of a node */
    double window_sum_s;                   /* 1 MiB of int64 of each rank of a node added up in shared memory, each rank a share */
    double clock_ahead_s, clock_bound_s;   /* a node's first rank: its clock minus that of rank 0, and how wrong that can be; others: NaN */
} worker_mpi_figures;

/** Seconds by which a clock is ahead of another, which told its time in the middle of a round trip that began at asked_ns; half of the trip is the most
 *  it can be wrong. Wall clocks in nanoseconds since 1970. */
double worker_clock_ahead(int64_t asked_ns, double trip_s, int64_t told_ns);

/** Collective. Takes about half a second. */
fw_status worker_group_probe(worker_group *g, worker_mpi_figures *out, fw_error *err);

#endif
