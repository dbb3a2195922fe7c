#include "worker/group_probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "worker/group_mpi.h"

#define LARGE        ((size_t)1 << 20)      /* bytes */
#define HUGE_BYTES   ((size_t)4 << 20)
#define MEASURE_S    0.05                  /* aimed at, of one figure */
#define BATCH        16
#define MOST_BATCHES 200
#define CLOCK_PINGS  24
#define OVERLAPS     5
#define TAG          7

typedef struct bench {
    worker_group *g;
    MPI_Comm all;
    int rank, size;
    char *send, *receive;                  /* HUGE_BYTES each */
    worker_shared *window;                 /* LARGE bytes a rank of the node, and one more for the sum */
} bench;

static fw_status check(int rc, const char *what, fw_error *err)
{
    return rc == MPI_SUCCESS ? FW_OK : fw_fail(err, FW_ERR_MPI, "probe: %s failed (MPI error %d)", what, rc);
}

/* ---- how long one call takes ------------------------------------------------------------------------------------------------------------ */

typedef int bench_step(bench *b);

static int pass_on(bench *b, size_t bytes)
{
    const int next = (b->rank + 1) % b->size, before = (b->rank + b->size - 1) % b->size;
    return MPI_Sendrecv(b->send, (int)bytes, MPI_BYTE, next, TAG, b->receive, (int)bytes, MPI_BYTE, before, TAG, b->all, MPI_STATUS_IGNORE);
}

static int pass_small(bench *b) { return pass_on(b, 8); }
static int pass_large(bench *b) { return pass_on(b, LARGE); }
static int barrier(bench *b) { return MPI_Barrier(b->all); }

static int meet(bench *b)
{
    worker_group_meet(b->g, NULL);
    return MPI_SUCCESS;
}

/* The ranks of a node lie one behind the other in the window, the sum behind them; each rank adds up its share of the elements. */
static int sum_in_window(bench *b)
{
    const size_t n = LARGE / sizeof(int64_t), ranks = (size_t)worker_group_node_size(b->g), mine = (size_t)worker_group_node_rank(b->g);
    int64_t *base = worker_shared_base(b->window), *sum = base + ranks * n;
    worker_group_meet(b->g, NULL);
    for (size_t i = mine * n / ranks; i < (mine + 1) * n / ranks; i++) {
        int64_t s = 0;
        for (size_t r = 0; r < ranks; r++) s += base[r * n + i];
        sum[i] = s;
    }
    worker_group_meet(b->g, NULL);
    return MPI_SUCCESS;
}

static fw_status repeat(bench *b, bench_step *step, double *seconds, fw_error *err)
{
    FW_TRY(worker_group_barrier(b->g, err));
    const fw_mono start = fw_mono_now();
    for (int i = 0; i < BATCH; i++) FW_TRY(check(step(b), "a message", err));
    *seconds = fw_mono_seconds(start, fw_mono_now()) / BATCH;
    return FW_OK;
}

/* Seconds of one step in the best batch of the slowest rank. Batches are short and rank 0 looks at its clock after each: where other programs take the
 * cores, a step may take a thousand times what it took just before. Collective. */
static fw_status measure(bench *b, bench_step *step, double *seconds, fw_error *err)
{
    const fw_mono end = fw_mono_after(fw_mono_now(), MEASURE_S);
    const fw_reduce *reduce = worker_group_reduce(b->g);
    double best = INFINITY;
    for (int batch = 0, more = 1; more && batch < MOST_BATCHES; batch++) {
        double once = 0.0;
        FW_TRY(repeat(b, step, &once, err));
        best = FW_MIN(best, once);
        more = !fw_mono_passed(end);
        FW_TRY(check(MPI_Bcast(&more, 1, MPI_INT, 0, b->all), "a broadcast", err));
    }
    *seconds = best;
    return reduce->max_f64(reduce->context, seconds, 1, err);
}

/* ---- progress without a call ------------------------------------------------------------------------------------------------------------ */

static void compute_for(double seconds)
{
    for (const fw_mono end = fw_mono_after(fw_mono_now(), seconds); !fw_mono_passed(end);) {}
}

/* Seconds that a large message still takes after `pause` seconds in which nobody called MPI. */
static fw_status wait_after(bench *b, double pause, double *seconds, fw_error *err)
{
    const int next = (b->rank + 1) % b->size, before = (b->rank + b->size - 1) % b->size;
    MPI_Request request[2];
    FW_TRY(worker_group_barrier(b->g, err));
    FW_TRY(check(MPI_Irecv(b->receive, (int)HUGE_BYTES, MPI_BYTE, before, TAG, b->all, &request[0]), "a message", err));
    FW_TRY(check(MPI_Isend(b->send, (int)HUGE_BYTES, MPI_BYTE, next, TAG, b->all, &request[1]), "a message", err));
    compute_for(pause);
    const fw_mono start = fw_mono_now();
    FW_TRY(check(MPI_Waitall(2, request, MPI_STATUSES_IGNORE), "a message", err));
    *seconds = fw_mono_seconds(start, fw_mono_now());
    return FW_OK;
}

/* The best of some tries: a machine that is busy elsewhere hides nothing. */
static fw_status measure_hidden(bench *b, double *hidden, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(b->g);
    double whole = INFINITY, rest = INFINITY;
    for (int i = 0; i < OVERLAPS; i++) {
        double s = 0.0;
        FW_TRY(wait_after(b, 0.0, &s, err));
        FW_TRY(reduce->max_f64(reduce->context, &s, 1, err));
        whole = FW_MIN(whole, s);
    }
    for (int i = 0; i < OVERLAPS; i++) {
        double s = 0.0;
        FW_TRY(wait_after(b, FW_MIN(2.0 * whole, 0.1), &s, err));
        FW_TRY(reduce->max_f64(reduce->context, &s, 1, err));
        rest = FW_MIN(rest, s);
    }
    *hidden = whole > 0.0 ? FW_MAX(0.0, 1.0 - rest / whole) : 0.0;
    return FW_OK;
}

/* ---- clocks ----------------------------------------------------------------------------------------------------------------------------- */

static int64_t wall_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double worker_clock_ahead(int64_t asked_ns, double trip_s, int64_t told_ns) { return 1e-9 * (double)(asked_ns - told_ns) + trip_s / 2.0; }

/* The node's first rank asks rank 0 for the time, again and again: the answer of the shortest round trip is wrong by at most half of it. */
static fw_status ask_time(bench *b, worker_mpi_figures *out, fw_error *err)
{
    double best = INFINITY;
    for (int i = 0; i < CLOCK_PINGS; i++) {
        const fw_mono start = fw_mono_now();
        const int64_t asked = wall_clock_ns();
        int64_t told = 0;
        FW_TRY(check(MPI_Send(&asked, 1, MPI_INT64_T, 0, TAG, b->all), "asking for the time", err));
        FW_TRY(check(MPI_Recv(&told, 1, MPI_INT64_T, 0, TAG, b->all, MPI_STATUS_IGNORE), "asking for the time", err));
        const double trip = fw_mono_seconds(start, fw_mono_now());
        if (trip >= best) continue;
        best = trip;
        out->clock_ahead_s = worker_clock_ahead(asked, trip, told);
        out->clock_bound_s = trip / 2.0;
    }
    return FW_OK;
}

static fw_status tell_time(bench *b, int who, fw_error *err)
{
    for (int i = 0; i < CLOCK_PINGS; i++) {
        int64_t asked = 0;
        FW_TRY(check(MPI_Recv(&asked, 1, MPI_INT64_T, who, TAG, b->all, MPI_STATUS_IGNORE), "telling the time", err));
        const int64_t now = wall_clock_ns();
        FW_TRY(check(MPI_Send(&now, 1, MPI_INT64_T, who, TAG, b->all), "telling the time", err));
    }
    return FW_OK;
}

/* leader (size): each rank's; at every rank. */
static fw_status compare_clocks(bench *b, const int *leader, worker_mpi_figures *out, fw_error *err)
{
    out->clock_ahead_s = out->clock_bound_s = b->rank == 0 ? 0.0 : NAN;
    for (int r = 1; r < b->size; r++) {
        if (leader[r] != r) continue;
        if (b->rank == 0) FW_TRY(tell_time(b, r, err));
        if (b->rank == r) FW_TRY(ask_time(b, out, err));
    }
    return FW_OK;
}

/* ---- what the library says of itself ---------------------------------------------------------------------------------------------------- */

/* The words "<kind>_<component>_..." among the library's variables: of components that were not opened there are none left. */
static void add_component(char *list, size_t size, const char *variable, const char *kind)
{
    const size_t n = strlen(kind), len = strlen(list);
    if (strncmp(variable, kind, n) != 0 || variable[n] != '_') return;
    const size_t word = strcspn(variable + n + 1, "_");
    if (word == 0 || variable[n + 1 + word] == '\0' || strncmp(variable + n + 1, "base_", 5) == 0) return;
    for (const char *at = list; *at != '\0'; at += strcspn(at, " "), at += *at == ' ')
        if (strcspn(at, " ") == word && strncmp(at, variable + n + 1, word) == 0) return;
    snprintf(list + len, size - len, "%s%.*s", len > 0 ? " " : "", (int)word, variable + n + 1);
}

static void read_flag(int *out, int index)
{
    MPI_T_cvar_handle handle;
    int count = 0, value[8] = {0};
    if (MPI_T_cvar_handle_alloc(index, NULL, &handle, &count) != MPI_SUCCESS) return;
    if (count == 1 && MPI_T_cvar_read(handle, value) == MPI_SUCCESS) *out = value[0] != 0;
    MPI_T_cvar_handle_free(&handle);
}

static void ask_library(worker_mpi_figures *out)
{
    char version[MPI_MAX_LIBRARY_VERSION_STRING] = {0};
    int len = 0, provided = 0, n = 0;
    MPI_Get_library_version(version, &len);
    snprintf(out->library, sizeof out->library, "%.*s", (int)FW_MIN(strcspn(version, ",\n"), sizeof out->library - 1), version);
    MPI_Query_thread(&out->thread_level);
    out->yields = -1;
    if (MPI_T_init_thread(MPI_THREAD_SINGLE, &provided) != MPI_SUCCESS) return;
    if (MPI_T_cvar_get_num(&n) != MPI_SUCCESS) n = 0;
    for (int i = 0; i < n; i++) {
        char name[256], text[8];
        int name_len = sizeof name, text_len = sizeof text, verbosity = 0, bind = 0, scope = 0;
        MPI_Datatype type;
        MPI_T_enum values;
        if (MPI_T_cvar_get_info(i, name, &name_len, &verbosity, &type, &values, text, &text_len, &bind, &scope) != MPI_SUCCESS) continue;
        add_component(out->pml, sizeof out->pml, name, "pml");
        add_component(out->btl, sizeof out->btl, name, "btl");
        add_component(out->mtl, sizeof out->mtl, name, "mtl");
        if (strcmp(name, "mpi_yield_when_idle") == 0) read_flag(&out->yields, i);
    }
    MPI_T_finalize();
}

/* ---- all of it -------------------------------------------------------------------------------------------------------------------------- */

static fw_status measure_all(bench *b, worker_mpi_figures *out, fw_error *err)
{
    double piece_s = 0.0;
    FW_TRY(measure(b, pass_small, &out->latency_s, err));
    FW_TRY(measure(b, pass_large, &piece_s, err));
    out->bandwidth = (double)LARGE / piece_s;
    FW_TRY(measure(b, barrier, &out->barrier_s, err));
    FW_TRY(measure(b, meet, &out->meet_s, err));
    FW_TRY(measure(b, sum_in_window, &out->window_sum_s, err));
    return measure_hidden(b, &out->hidden, err);
}

static fw_status prepare(bench *b, int **leader, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(b->g);
    fw_status s = fw_alloc_zeroed((void **)&b->send, HUGE_BYTES, 1, "probe", err);
    if (s == FW_OK) s = fw_alloc_zeroed((void **)&b->receive, HUGE_BYTES, 1, "probe", err);
    if (s == FW_OK) s = fw_alloc_zeroed((void **)leader, (size_t)b->size, sizeof **leader, "probe", err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    return worker_shared_create(&b->window, b->g, ((size_t)worker_group_node_size(b->g) + 1) * LARGE, "probe", err);
}

/* A node's first rank writes its number where the others of the node see it; then all tell all. */
static fw_status find_leaders(bench *b, int *leader, fw_error *err)
{
    int *first = worker_shared_base(b->window);
    if (worker_group_node_rank(b->g) == 0) *first = b->rank;
    worker_group_meet(b->g, NULL);
    const int mine = *first;
    worker_group_meet(b->g, NULL);
    return check(MPI_Allgather(&mine, 1, MPI_INT, leader, 1, MPI_INT, b->all), "finding the nodes' first ranks", err);
}

fw_status worker_group_probe(worker_group *g, worker_mpi_figures *out, fw_error *err)
{
    bench b = {.g = g, .all = worker_group_comm(g), .rank = worker_group_rank(g), .size = worker_group_size(g)};
    FW_FREE int *leader = NULL;
    *out = (worker_mpi_figures){.latency_s = NAN, .bandwidth = NAN, .hidden = NAN, .barrier_s = NAN, .meet_s = NAN, .window_sum_s = NAN};
    ask_library(out);
    fw_status s = prepare(&b, &leader, err);
    if (s == FW_OK) s = find_leaders(&b, leader, err);
    if (s == FW_OK) {
        out->leader = leader[b.rank];
        s = compare_clocks(&b, leader, out, err);
    }
    if (s == FW_OK && b.size > 1) s = measure_all(&b, out, err);
    if (s == FW_OK) worker_shared_release(&b.window);
    free(b.send);
    free(b.receive);
    return s;
}
