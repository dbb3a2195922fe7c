/** Merging over ranks, for code that knows no MPI. Every operation is exact and free of order: integers, extremes, bytes.
 *  worker/group implements it over MPI; fw_reduce_alone is one process. Collective: all ranks call the same in the same order,
 *  and every rank gets the same result and the same status. */
#ifndef FW_STATS_REDUCE_H
#define FW_STATS_REDUCE_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef struct fw_reduce {
    void *context;
    int rank, size;
    fw_status (*sum_i64)(void *context, int64_t *v, size_t n, fw_error *err);      /* wraps modulo 2^64: exact for limbs */
    fw_status (*max_f64)(void *context, double *v, size_t n, fw_error *err);
    fw_status (*min_f64)(void *context, double *v, size_t n, fw_error *err);
    /** Every rank's bytes, in rank order, at every rank: *out malloc'ed, parts at [offset[r], offset[r+1]), offset (size + 1) the caller's. */
    fw_status (*gather_all)(void *context, const void *bytes, size_t len, char **out, size_t *offset, fw_error *err);
    /** Every rank's bytes to whom they are for: bytes[at[r], at[r+1]) go to rank r, at (size + 1). *out, grown to hold them, gets those for this rank
     *  in rank order, parts at [offset[r], offset[r+1]), offset (size + 1) the caller's. All that one rank sends or gets: below 2 GiB. */
    fw_status (*exchange)(void *context, const void *bytes, const size_t *at, char **out, size_t *capacity, size_t *offset, fw_error *err);
    /** The worst status of all ranks, at every rank: nobody leaves a collective section alone. The text of the lowest failing rank wins. */
    fw_status (*agree)(void *context, fw_status mine, fw_error *err);
} fw_reduce;

extern const fw_reduce fw_reduce_alone;

#endif
