/* The places where a step computes, wrapped by the linker: each charges the simulated clock, and computes unless that is switched off. The memory of a node
 * is shared by its ranks: traffic beyond the caches is charged at the lesser of a core's rate and a core's share of the node's. */
#include "tests/bench/simulate/costs.h"

#include <mpi.h>
#include <string.h>

#include "common/core/size.h"
#include "worker/kernels/fixed.h"
#include "worker/kernels/update.h"
#include "worker/learners/leaves.h"
#include "worker/sums.h"

simulate_costs simulate = {.arithmetic = true, .measure = true};
simulate_charged simulate_charges;

static double pending[65536];     /* seconds of a rank that are charged at its next meeting, so that a block costs no event of its own */

static double *mine(void)
{
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return &pending[rank % 65536];
}

static void charge(double seconds)
{
    if (!simulate.measure && seconds > 0.0) simulate_pass(seconds);
}

static void charge_owed(void)
{
    double *owed = mine(), seconds = *owed;
    *owed = 0.0;
    charge(seconds);
}

static double traffic_s(double bytes)
{
    return bytes / FW_MIN(simulate.core_bytes_s, simulate.node_bytes_s / simulate.node_ranks);
}

void __real_worker_leaves_load(worker_leaves *l, size_t slot, const uint64_t *row, size_t n);
void __wrap_worker_leaves_load(worker_leaves *l, size_t slot, const uint64_t *row, size_t n);
void __wrap_worker_leaves_load(worker_leaves *l, size_t slot, const uint64_t *row, size_t n)
{
    const double start = simulate_real_seconds();
    if (simulate.arithmetic) __real_worker_leaves_load(l, slot, row, n);
    if (simulate.measure) simulate.leaf_s += simulate_real_seconds() - start;
}

void __real_worker_leaves_run(worker_leaves *l, const float *params, size_t n_slots, uint32_t epoch, worker_leaves_result *result, worker_seconds *seconds);
void __wrap_worker_leaves_run(worker_leaves *l, const float *params, size_t n_slots, uint32_t epoch, worker_leaves_result *result, worker_seconds *seconds);
void __wrap_worker_leaves_run(worker_leaves *l, const float *params, size_t n_slots, uint32_t epoch, worker_leaves_result *result, worker_seconds *seconds)
{
    const double start = simulate_real_seconds(), part = 2.0 * sizeof(float) * (double)simulate.n_params;       /* written: read first, then written back */
    *result = (worker_leaves_result){.bad_layer = -1};
    if (simulate.arithmetic) __real_worker_leaves_run(l, params, n_slots, epoch, result, seconds);
    if (simulate.measure) simulate.leaf_s += simulate_real_seconds() - start;
    else charge((double)n_slots * simulate.leaf_s + traffic_s(part) - part / simulate.core_bytes_s);
    simulate_charges.leaves += n_slots;
}

/* Its time is part of a leaf's, which is charged above. Every rank has a leaf: without arithmetic it brings zeros for all blocks. */
void __real_worker_leaves_gradient(worker_leaves *l, worker_sums *sums, worker_leaves_result *result, worker_seconds *seconds);
void __wrap_worker_leaves_gradient(worker_leaves *l, worker_sums *sums, worker_leaves_result *result, worker_seconds *seconds);
void __wrap_worker_leaves_gradient(worker_leaves *l, worker_sums *sums, worker_leaves_result *result, worker_seconds *seconds)
{
    static const float zero = 0.0f;
    const double start = simulate_real_seconds();
    if (simulate.arithmetic) __real_worker_leaves_gradient(l, sums, result, seconds);
    else
        for (size_t at = 0; at < simulate.n_params; at += WORKER_SUMS_BLOCK) worker_sums_add(sums, at, &zero, 1);
    if (simulate.measure) simulate.leaf_s += simulate_real_seconds() - start;
}

void __real_worker_sums_take(const worker_sums *s, float *g, size_t at, size_t n);
void __wrap_worker_sums_take(const worker_sums *s, float *g, size_t at, size_t n);
void __wrap_worker_sums_take(const worker_sums *s, float *g, size_t at, size_t n)
{
    const double start = simulate_real_seconds();
    __real_worker_sums_take(s, g, at, n);              /* charged by what it calls */
    if (simulate.measure) simulate.take_s += simulate_real_seconds() - start;
    simulate_charges.takes += n;
}

/* Seconds to add up the parts' numbers at [at, at + n): arithmetic or memory, whichever takes longer. */
static double adding_s(const worker_fixed_part *part, size_t n_parts, size_t n)
{
    double bytes = 0.0;
    for (size_t p = 0; p < n_parts; p++) bytes += (double)n * (part[p].sum != NULL ? sizeof(int64_t) : sizeof(float));
    return FW_MAX((double)n_parts * (double)n * simulate.take_s, n_parts > 1 ? traffic_s(bytes) : 0.0);
}

void __real_worker_fixed_collect(float *g, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, float scale, double factor);
void __wrap_worker_fixed_collect(float *g, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, float scale, double factor);
void __wrap_worker_fixed_collect(float *g, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, float scale, double factor)
{
    if (simulate.arithmetic) __real_worker_fixed_collect(g, part, n_parts, at, n, scale, factor);
    *mine() += adding_s(part, n_parts, n);
}

void __real_worker_fixed_total(int64_t *total, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, float scale);
void __wrap_worker_fixed_total(int64_t *total, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, float scale);
void __wrap_worker_fixed_total(int64_t *total, const worker_fixed_part *part, size_t n_parts, size_t at, size_t n, float scale)
{
    if (simulate.arithmetic) __real_worker_fixed_total(total, part, n_parts, at, n, scale);
    *mine() += adding_s(part, n_parts, n);
    simulate_charges.totals += n;
}

/* What was added up is what is sent. */
int __real_MPI_Reduce_scatter(const void *send, void *receive, const int *counts, MPI_Datatype type, MPI_Op op, MPI_Comm comm);
int __wrap_MPI_Reduce_scatter(const void *send, void *receive, const int *counts, MPI_Datatype type, MPI_Op op, MPI_Comm comm);
int __wrap_MPI_Reduce_scatter(const void *send, void *receive, const int *counts, MPI_Datatype type, MPI_Op op, MPI_Comm comm)
{
    charge_owed();
    return __real_MPI_Reduce_scatter(send, receive, counts, type, op, comm);
}

void __real_worker_update_adam(float *w, float *g, float *m, float *v, size_t n, const worker_update *u);
void __wrap_worker_update_adam(float *w, float *g, float *m, float *v, size_t n, const worker_update *u);
void __wrap_worker_update_adam(float *w, float *g, float *m, float *v, size_t n, const worker_update *u)
{
    const double start = simulate_real_seconds();
    if (simulate.arithmetic) __real_worker_update_adam(w, g, m, v, n, u);
    if (simulate.measure) simulate.update_s += simulate_real_seconds() - start;
    else *mine() += (double)n * simulate.update_s;
    simulate_charges.updates += n;
}

void __real_worker_group_meet(worker_group *g, double *waited_s);
void __wrap_worker_group_meet(worker_group *g, double *waited_s);
void __wrap_worker_group_meet(worker_group *g, double *waited_s)
{
    charge_owed();
    __real_worker_group_meet(g, waited_s);
}
