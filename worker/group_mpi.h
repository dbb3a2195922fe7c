/** Communicators, for parallel HDF5 and for the sums between nodes alone. */
#ifndef WORKER_GROUP_MPI_H
#define WORKER_GROUP_MPI_H

#include <mpi.h>

#include "worker/group.h"

MPI_Comm worker_group_comm(const worker_group *g);
/** The ranks of the same node rank on every node, in the order of nodes; MPI_COMM_NULL where node rank >= worker_group_slots. */
MPI_Comm worker_group_peers(const worker_group *g);

#endif
