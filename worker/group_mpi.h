/** The communicator, for parallel HDF5 alone. */
#ifndef WORKER_GROUP_MPI_H
#define WORKER_GROUP_MPI_H

#include <mpi.h>

#include "worker/group.h"

MPI_Comm worker_group_comm(const worker_group *g);

#endif
