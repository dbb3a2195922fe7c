/** Communicators, for parallel HDF5, for the sums between nodes, and for a job that is cut into groups. */
#ifndef WORKER_GROUP_MPI_H
#define WORKER_GROUP_MPI_H

#include <mpi.h>

#include "worker/group.h"

MPI_Comm worker_group_comm(const worker_group *g);
/** The ranks of the same node rank on every node, in the order of nodes; MPI_COMM_NULL where node rank >= worker_group_slots. */
MPI_Comm worker_group_peers(const worker_group *g);

/** Collective over comm, which it takes over. */
fw_status worker_group_create(worker_group **out, MPI_Comm comm, fw_error *err);
/** Collective over all: those of them that share memory with this one; the caller's to free. */
fw_status worker_node_comm(MPI_Comm *node, MPI_Comm all, fw_error *err);
/** Collective over comm: rank 0's bytes at all. Who waits for long sleeps, and then finds them up to a millisecond late. */
fw_status worker_bcast_asleep(void *bytes, size_t len, MPI_Comm comm, fw_error *err);

#endif
