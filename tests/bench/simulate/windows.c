/* Memory that the ranks of a node share. All simulated ranks live in one process, so it is plain memory of which the others learn the place; the simulator's own
 * windows would touch every page, 9 GB on 1,024 ranks. */
#include <mpi.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "common/core/size.h"

typedef struct window { MPI_Aint bytes; void *base; MPI_Comm comm; } window;

int __wrap_MPI_Win_allocate_shared(MPI_Aint bytes, int unit, MPI_Info info, MPI_Comm comm, void *mine, MPI_Win *out);
int __wrap_MPI_Win_allocate_shared(MPI_Aint bytes, int unit, MPI_Info info, MPI_Comm comm, void *mine, MPI_Win *out)
{
    (void)unit, (void)info;
    int rank = 0;
    window first = {.bytes = bytes, .comm = comm}, *w = calloc(1, sizeof *w);
    if (w == NULL) return MPI_ERR_NO_MEM;
    MPI_Comm_rank(comm, &rank);
    if (rank == 0) first.base = mmap(NULL, (size_t)FW_MAX(bytes, 1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    MPI_Bcast(&first, sizeof first, MPI_BYTE, 0, comm);
    *w = first;
    w->comm = comm;
    *(void **)mine = first.base;
    *out = (MPI_Win)(void *)w;
    return first.base != MAP_FAILED ? MPI_SUCCESS : MPI_ERR_NO_MEM;
}

int __wrap_MPI_Win_shared_query(MPI_Win win, int rank, MPI_Aint *bytes, int *unit, void *base);
int __wrap_MPI_Win_shared_query(MPI_Win win, int rank, MPI_Aint *bytes, int *unit, void *base)
{
    const window *w = (const window *)(const void *)win;
    (void)rank;
    *bytes = w->bytes;
    *unit = 1;
    *(void **)base = w->base;
    return MPI_SUCCESS;
}

int __wrap_MPI_Win_free(MPI_Win *win);
int __wrap_MPI_Win_free(MPI_Win *win)
{
    window *w = (window *)(void *)*win;
    int rank = 0;
    MPI_Barrier(w->comm);
    MPI_Comm_rank(w->comm, &rank);
    if (rank == 0) munmap(w->base, (size_t)FW_MAX(w->bytes, 1));
    free(w);
    *win = MPI_WIN_NULL;
    return MPI_SUCCESS;
}
