/** Exact sums of floats over the ranks of a node beside MPI_Allreduce of the same floats, from 4 KiB to 16 MiB:   mpirun -n 2 bench_sums
 *  A sum begins when each rank has made its floats, for MPI_Allreduce in its own memory, for worker/sums in its place there, and ends when every rank can
 *  read the result, in its own memory or in memory that the node shares. Both in turn; medians of the slowest rank. One JSON line a size.
 *  MPI_MAX stands for MPI_SUM, which meets no float in this tree: it moves as much and computes as little. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "worker/sums.h"

enum { TURNS = 201 };

typedef struct fixture {
    worker_group *group;
    worker_sums *sums;
    worker_shared *memory;
    float *value, *mine, *result, *shared;       /* (n) */
    size_t n, turn;
} fixture;

static void must(fw_status s, const fw_error *err)
{
    if (s == FW_OK) return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

static void exact(fixture *f)
{
    fw_error err = {0};
    uint32_t flags = 0;
    size_t first = 0, n = 0;
    for (bool redo = true; redo;) {
        worker_sums_begin(f->sums, 1.0, 1);
        worker_sums_add(f->sums, 0, worker_sums_place(f->sums, 0), f->n);
        must(worker_sums_meet(f->sums, &flags, &redo, NULL, &err), &err);
    }
    worker_sums_share(f->sums, &first, &n);
    worker_sums_take(f->sums, f->shared + first, first, n);
    worker_sums_done(f->sums, NULL);
}

static void mpi(fixture *f) { MPI_Allreduce(f->mine, f->result, (int)f->n, MPI_FLOAT, MPI_MAX, MPI_COMM_WORLD); }

static int by_size(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

static double median_us(double *s, int n)
{
    qsort(s, (size_t)n, sizeof *s, by_size);
    return s[n / 2] * 1e6;
}

static double one(fixture *f, float *made, void (*sum)(fixture *))
{
    double mine = 0.0, slowest = 0.0;
    for (size_t i = 0; i < f->n; i++) made[i] = f->value[i] * (f->turn++ % 2 ? 1.01f : 0.99f);       /* as after a backward pass: new, and in this core's cache */
    MPI_Barrier(MPI_COMM_WORLD);
    fw_mono start = fw_mono_now();
    sum(f);
    mine = fw_mono_seconds(start, fw_mono_now());
    MPI_Allreduce(&mine, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
    return slowest;
}

static void one_size(worker_group *g, size_t n)
{
    static double ours[TURNS], theirs[TURNS];
    fixture f = {.group = g, .n = n};
    fw_error err = {0};
    must(worker_sums_create(&f.sums, g, n, (size_t)worker_group_size(g), &err), &err);
    must(worker_shared_create(&f.memory, g, n * sizeof(float), "results", &err), &err);
    must(fw_alloc_zeroed((void **)&f.value, n, sizeof(float), "floats", &err), &err);
    must(fw_alloc_zeroed((void **)&f.mine, n, sizeof(float), "floats", &err), &err);
    must(fw_alloc_zeroed((void **)&f.result, n, sizeof(float), "results", &err), &err);
    f.shared = worker_shared_base(f.memory);
    for (size_t i = 0; i < n; i++) f.value[i] = (float)((i * 7919 + (size_t)worker_group_rank(g) * 104729) % 1000) / 1000.0f - 0.5f;
    for (int i = 0; i < TURNS; i++) {
        worker_sums_begin(f.sums, 1.0, 1);
        ours[i] = one(&f, worker_sums_place(f.sums, 0), exact);
        theirs[i] = one(&f, f.mine, mpi);
    }
    const double a = median_us(ours, TURNS), b = median_us(theirs, TURNS);
    if (worker_group_rank(g) == 0)
        printf("{\"bench\": \"sums\", \"ranks\": %d, \"bytes\": %zu, \"exact_us\": %.1f, \"mpi_allreduce_us\": %.1f, \"ratio\": %.2f}\n",
               worker_group_size(g), n * sizeof(float), a, b, b / a);
    worker_sums_release(&f.sums);
    worker_shared_release(&f.memory);
    free(f.value);
    free(f.mine);
    free(f.result);
}

int main(int argc, char **argv)
{
    worker_group *g = NULL;
    fw_error err = {0};
    must(worker_group_start(&g, &argc, &argv, &err), &err);
    for (size_t n = 1024; n <= (size_t)4 << 20; n *= 4) one_size(g, n);
    worker_group_stop(&g, false);
    return 0;
}
