/** Which network hardware this node has, asked before MPI starts. Open MPI 4.1 initialises the libraries of every fabric it was built for to find out:
 *  without the hardware PSM2, PSM and libfabric cost 0.2 s and 14,000 system calls a rank (libfabric reads all kernel symbols). */
#ifndef WORKER_GROUP_FABRIC_H
#define WORKER_GROUP_FABRIC_H

#include <stdbool.h>

/** Local. Whether there is InfiniBand, Omni-Path, EFA, RoCE (/sys/class/infiniband), Slingshot (/sys/class/cxi) or Aries (/dev/kgni0). root: "" */
bool worker_fabric_present(const char *root);

/** Local, before MPI starts: without such hardware those libraries are left alone (OMPI_MCA_mtl), unless somebody chose a PML or an MTL. Open MPI would
 *  find nothing for them and take the same transports (shared memory and TCP), so nodes with and without hardware still agree. */
void worker_fabric_skip_absent(void);

#endif
