/** fw_reduce over a communicator, as plainly as MPI allows: for tests. */
#ifndef FW_TESTS_MPI_REDUCE_H
#define FW_TESTS_MPI_REDUCE_H

#include <mpi.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats/reduce.h"

static inline MPI_Comm mpi_reduce_comm(void *context) { return *(MPI_Comm *)context; }

static inline fw_status mpi_sum_i64(void *context, int64_t *v, size_t n, fw_error *err)
{
    (void)err;
    MPI_Allreduce(MPI_IN_PLACE, v, (int)n, MPI_INT64_T, MPI_SUM, mpi_reduce_comm(context));
    return FW_OK;
}

static inline fw_status mpi_max_f64(void *context, double *v, size_t n, fw_error *err)
{
    (void)err;
    MPI_Allreduce(MPI_IN_PLACE, v, (int)n, MPI_DOUBLE, MPI_MAX, mpi_reduce_comm(context));
    return FW_OK;
}

static inline fw_status mpi_min_f64(void *context, double *v, size_t n, fw_error *err)
{
    (void)err;
    MPI_Allreduce(MPI_IN_PLACE, v, (int)n, MPI_DOUBLE, MPI_MIN, mpi_reduce_comm(context));
    return FW_OK;
}

static inline fw_status mpi_gather_all(void *context, const void *bytes, size_t len, char **out, size_t *offset, fw_error *err)
{
    (void)err;
    MPI_Comm comm = mpi_reduce_comm(context);
    int size, mine = (int)len;
    MPI_Comm_size(comm, &size);
    int *count = calloc((size_t)size * 2, sizeof *count), *at = count + size;
    MPI_Allgather(&mine, 1, MPI_INT, count, 1, MPI_INT, comm);
    offset[0] = 0;
    for (int r = 0; r < size; r++) {
        at[r] = (int)offset[r];
        offset[r + 1] = offset[r] + (size_t)count[r];
    }
    *out = malloc(offset[size] + 1);
    MPI_Allgatherv(bytes, mine, MPI_BYTE, *out, count, at, MPI_BYTE, comm);
    free(count);
    return FW_OK;
}

static inline fw_status mpi_exchange(void *context, const void *bytes, const size_t *at, char **out, size_t *capacity, size_t *offset, fw_error *err)
{
    (void)err;
    MPI_Comm comm = mpi_reduce_comm(context);
    int size;
    MPI_Comm_size(comm, &size);
    int *send = calloc((size_t)size * 4, sizeof *send), *send_at = send + size, *got = send + 2 * size, *got_at = send + 3 * size;
    for (int r = 0; r < size; r++) {
        send[r] = (int)(at[r + 1] - at[r]);
        send_at[r] = (int)at[r];
    }
    MPI_Alltoall(send, 1, MPI_INT, got, 1, MPI_INT, comm);
    offset[0] = 0;
    for (int r = 0; r < size; r++) {
        got_at[r] = (int)offset[r];
        offset[r + 1] = offset[r] + (size_t)got[r];
    }
    if (offset[size] >= *capacity) *out = realloc(*out, *capacity = offset[size] + 1);
    MPI_Alltoallv(bytes, send, send_at, MPI_BYTE, *out, got, got_at, MPI_BYTE, comm);
    free(send);
    return FW_OK;
}

static inline fw_status mpi_agree(void *context, fw_status mine, fw_error *err)
{
    MPI_Comm comm = mpi_reduce_comm(context);
    int rank, size, first;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    int me = mine < 0 ? rank : size;
    MPI_Allreduce(&me, &first, 1, MPI_INT, MPI_MIN, comm);
    if (first == size) return mine;
    fw_error shown = {.status = mine};
    if (err != NULL && rank == first) shown = *err;
    MPI_Bcast(&shown, sizeof shown, MPI_BYTE, first, comm);
    if (err != NULL) *err = shown;
    return shown.status;
}

/* comm outlives it. */
static inline fw_reduce mpi_reduce_make(MPI_Comm *comm)
{
    fw_reduce r = {
        .context = comm, .sum_i64 = mpi_sum_i64, .max_f64 = mpi_max_f64, .min_f64 = mpi_min_f64, .gather_all = mpi_gather_all,
        .exchange = mpi_exchange, .agree = mpi_agree};
    MPI_Comm_rank(*comm, &r.rank);
    MPI_Comm_size(*comm, &r.size);
    return r;
}

#endif
