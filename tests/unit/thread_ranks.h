/** Ranks as threads of one process: an fw_reduce for tests of code that merges over ranks, without MPI. */
#ifndef FW_TESTS_THREAD_RANKS_H
#define FW_TESTS_THREAD_RANKS_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats/reduce.h"

enum { FW_MAX_THREAD_RANKS = 8 };

typedef struct thread_ranks {
    pthread_barrier_t barrier;
    int size;
    const void *at[FW_MAX_THREAD_RANKS];
    size_t len[FW_MAX_THREAD_RANKS];
    fw_status status[FW_MAX_THREAD_RANKS];
    fw_error error[FW_MAX_THREAD_RANKS];
} thread_ranks;

typedef struct thread_rank {
    thread_ranks *all;
    fw_reduce reduce;
    void *context;                     /* the test's */
    void (*body)(const fw_reduce *reduce, void *context);
    pthread_t thread;
} thread_rank;

static inline thread_ranks *thread_ranks_meet(thread_rank *me, const void *mine)
{
    me->all->at[me->reduce.rank] = mine;
    pthread_barrier_wait(&me->all->barrier);
    return me->all;
}

static inline void thread_ranks_part(thread_rank *me, void *v, void *result, size_t bytes)
{
    pthread_barrier_wait(&me->all->barrier);
    memcpy(v, result, bytes);
    free(result);
    pthread_barrier_wait(&me->all->barrier);
}

static inline fw_status thread_sum_i64(void *context, int64_t *v, size_t n, fw_error *err)
{
    (void)err;
    thread_ranks *all = thread_ranks_meet(context, v);
    uint64_t *sum = calloc(n + 1, sizeof *sum);
    for (int r = 0; r < all->size; r++)
        for (size_t i = 0; i < n; i++) sum[i] += (uint64_t)((const int64_t *)all->at[r])[i];
    thread_ranks_part(context, v, sum, n * sizeof *v);
    return FW_OK;
}

static inline void thread_extreme(void *context, double *v, size_t n, double sign)
{
    thread_ranks *all = thread_ranks_meet(context, v);
    double *best = calloc(n + 1, sizeof *best);
    for (int r = 0; r < all->size; r++)
        for (size_t i = 0; i < n; i++) {
            double x = ((const double *)all->at[r])[i];
            if (r == 0 || sign * x > sign * best[i]) best[i] = x;
        }
    thread_ranks_part(context, v, best, n * sizeof *v);
}

static inline fw_status thread_max_f64(void *context, double *v, size_t n, fw_error *err)
{
    (void)err;
    thread_extreme(context, v, n, 1.0);
    return FW_OK;
}

static inline fw_status thread_min_f64(void *context, double *v, size_t n, fw_error *err)
{
    (void)err;
    thread_extreme(context, v, n, -1.0);
    return FW_OK;
}

static inline fw_status thread_gather_all(void *context, const void *bytes, size_t len, char **out, size_t *offset, fw_error *err)
{
    (void)err;
    thread_rank *me = context;
    me->all->len[me->reduce.rank] = len;
    thread_ranks *all = thread_ranks_meet(me, bytes);
    offset[0] = 0;
    for (int r = 0; r < all->size; r++) offset[r + 1] = offset[r] + all->len[r];
    *out = malloc(offset[all->size] + 1);
    for (int r = 0; r < all->size; r++)
        if (all->len[r] > 0) memcpy(*out + offset[r], all->at[r], all->len[r]);
    pthread_barrier_wait(&all->barrier);
    return FW_OK;
}

static inline fw_status thread_exchange(void *context, const void *bytes, const size_t *at, char **out, size_t *capacity, size_t *offset, fw_error *err)
{
    (void)err;
    thread_rank *me = context;
    struct { const char *bytes; const size_t *at; } mine = {bytes, at};
    thread_ranks *all = thread_ranks_meet(me, &mine);
    const int rank = me->reduce.rank;
    offset[0] = 0;
    for (int r = 0; r < all->size; r++) {
        const size_t *theirs = ((typeof(mine) *)all->at[r])->at;
        offset[r + 1] = offset[r] + theirs[rank + 1] - theirs[rank];
    }
    if (offset[all->size] >= *capacity) *out = realloc(*out, *capacity = offset[all->size] + 1);
    for (int r = 0; r < all->size; r++) {
        const typeof(mine) *from = all->at[r];
        if (offset[r + 1] > offset[r]) memcpy(*out + offset[r], from->bytes + from->at[rank], offset[r + 1] - offset[r]);
    }
    pthread_barrier_wait(&all->barrier);
    return FW_OK;
}

static inline fw_status thread_agree(void *context, fw_status mine, fw_error *err)
{
    thread_rank *me = context;
    me->all->status[me->reduce.rank] = mine;
    if (err != NULL) me->all->error[me->reduce.rank] = *err;
    thread_ranks *all = thread_ranks_meet(me, NULL);
    fw_status worst = FW_OK;
    int first = -1;
    for (int r = all->size - 1; r >= 0; r--) {
        if (all->status[r] < worst) worst = all->status[r];
        if (all->status[r] < 0) first = r;
    }
    if (first >= 0 && err != NULL) *err = all->error[first];
    pthread_barrier_wait(&all->barrier);
    return worst;
}

static inline void *thread_main(void *argument)
{
    thread_rank *me = argument;
    me->body(&me->reduce, me->context);
    return NULL;
}

/** Runs body on `size` ranks at once and waits for them; assertions belong behind it, not into body. */
static inline void thread_ranks_run(int size, void (*body)(const fw_reduce *reduce, void *context), void *context)
{
    thread_ranks *all = calloc(1, sizeof *all);
    thread_rank *rank = calloc((size_t)size, sizeof *rank);
    all->size = size;
    pthread_barrier_init(&all->barrier, NULL, (unsigned)size);
    for (int r = 0; r < size; r++) {
        rank[r] = (thread_rank){.all = all, .context = context, .body = body};
        rank[r].reduce = (fw_reduce){.context = &rank[r],          .rank = r,
                                     .size = size,                 .sum_i64 = thread_sum_i64,
                                     .max_f64 = thread_max_f64,    .min_f64 = thread_min_f64,
                                     .gather_all = thread_gather_all, .exchange = thread_exchange,
                                     .agree = thread_agree};
        pthread_create(&rank[r].thread, NULL, thread_main, &rank[r]);
    }
    for (int r = 0; r < size; r++) pthread_join(rank[r].thread, NULL);
    pthread_barrier_destroy(&all->barrier);
    free(rank);
    free(all);
}

#endif
