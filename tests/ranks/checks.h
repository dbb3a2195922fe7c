/** Checks in a test that runs on ranks: a failure is said and counted, never jumped out of, so that no rank leaves the others in a collective. */
#ifndef FW_TESTS_RANKS_CHECKS_H
#define FW_TESTS_RANKS_CHECKS_H

#include <stdbool.h>
#include <stdio.h>

#include "worker/group.h"

static int64_t failed_checks;

#define CHECK(holds, ...)                                                                     \
    do {                                                                                      \
        if (!(holds) && failed_checks++ < 10) {                                               \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #holds);                       \
            fprintf(stderr, __VA_ARGS__);                                                     \
            fputc('\n', stderr);                                                              \
        }                                                                                     \
    } while (0)

/** Collective: begins MPI. False when that cannot be, and it is said why. */
static inline bool checks_start(worker_group **g, int *argc, char ***argv)
{
    fw_error err = {0};
    if (worker_group_start(g, argc, argv, &err) == FW_OK) return true;
    fprintf(stderr, "%s\n", err.text);
    return false;
}

/** Collective: the exit code, the same at every rank. Ends MPI. */
static inline int checks_end(worker_group *g)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    int64_t all = failed_checks;
    if (reduce->sum_i64(reduce->context, &all, 1, NULL) != FW_OK) all++;
    if (worker_group_rank(g) == 0)
        printf("%lld checks failed on %d ranks of %d nodes\n", (long long)all, worker_group_size(g), worker_group_nodes(g));
    worker_group_stop(&g, false);
    return all == 0 ? 0 : 1;
}

#endif
