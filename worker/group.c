#include "worker/group.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "worker/group_board.h"
#include "worker/group_fabric.h"
#include "worker/group_mpi.h"
#include "worker/machine.h"

#define SPINS_BEFORE_YIELD 4000
#define AWAKE_S            0.002      /* of a wait that may be long */

#if defined(__x86_64__)
#define fw_pause() __builtin_ia32_pause()
#else
#define fw_pause() atomic_signal_fence(memory_order_seq_cst)
#endif

/* Under a simulator (tests/bench/simulate) all ranks take turns in one thread: who waits must tell MPI, and there is nobody to watch. It has no files. */
#ifdef FW_SIMULATE
#define SIMULATED true
#define fw_h5_stuck() false
#else
#define SIMULATED false
#include "common/data/h5.h"
#endif

#define MPI_PIECE (1u << 30)          /* MPI counts are int: larger messages go in pieces */

struct worker_group {
    MPI_Comm all, node, peers;    /* peers: see group_mpi.h */
    int rank, size, node_rank, node_size, node_index, nodes, slots;
    char host[MPI_MAX_PROCESSOR_NAME];
    fw_reduce reduce;
    worker_shared *board_memory;
    worker_board *board;
    uint32_t generation;          /* of worker_group_meet */
    uint32_t meetings;            /* of all kinds */
    int spins;
    worker_watcher watcher;
    worker_note_listener listener;
    void *listener_context;
    uint64_t *part_len;           /* size: scratch of gatherings, so that no rank alone lacks memory for it */
    int *part_count, *part_start, *send_count, *send_start;     /* size each */
    size_t *part_offset;          /* size + 1 */
};

#define CLEAR_UNIT 65536u
#define SMALL_MEMORY (16u << 20)       /* nobody asks whether there is room for it */

struct worker_shared { MPI_Win window; void *base; };

/* This process's place on the board; until there is one, a place that nobody looks at. */
static worker_board_slot no_slot;
static worker_board_slot *own_slot = &no_slot;

void worker_tick(void) { worker_slot_sign(own_slot); }

/* A meeting begins: all ranks come to the same ones in the same order. */
static void begin_meeting(worker_group *g)
{
    worker_slot_sign(own_slot);
    atomic_store_explicit(&own_slot->waiting, ++g->meetings, memory_order_relaxed);
}

static int end_meeting(int rc)
{
    atomic_store_explicit(&own_slot->waiting, 0, memory_order_relaxed);
    return rc;
}

/* An MPI call in which ranks wait for each other. */
#define MEETING(g, call) (begin_meeting(g), end_meeting(call))

static fw_status mpi_check(int rc, const char *what, fw_error *err)
{
    if (rc == MPI_SUCCESS) return FW_OK;
    char text[MPI_MAX_ERROR_STRING];
    int len = 0;
    MPI_Error_string(rc, text, &len);
    return fw_fail(err, FW_ERR_MPI, "%s: %.*s", what, len, text);
}

/* ---- exact merges -------------------------------------------------------------------------------------------------------------- */

static fw_status all_reduce(worker_group *g, void *v, size_t n, size_t element, MPI_Datatype type, MPI_Op op, fw_error *err)
{
    char *at = v;
    while (n > 0) {
        int piece = (int)FW_MIN(n, (size_t)MPI_PIECE / element);
        FW_TRY(mpi_check(MEETING(g, MPI_Allreduce(MPI_IN_PLACE, at, piece, type, op, g->all)), "merging over ranks", err));
        at += (size_t)piece * element;
        n -= (size_t)piece;
    }
    return FW_OK;
}

static fw_status reduce_sum_i64(void *context, int64_t *v, size_t n, fw_error *err)
{
    return all_reduce(context, v, n, sizeof *v, MPI_INT64_T, MPI_SUM, err);
}

static fw_status reduce_max_f64(void *context, double *v, size_t n, fw_error *err)
{
    return all_reduce(context, v, n, sizeof *v, MPI_DOUBLE, MPI_MAX, err);
}

static fw_status reduce_min_f64(void *context, double *v, size_t n, fw_error *err)
{
    return all_reduce(context, v, n, sizeof *v, MPI_DOUBLE, MPI_MIN, err);
}

/* Where the ranks' parts of a gathering lie, one behind the other: they must fit one MPI message. The same status at every rank. */
static fw_status lay_out_parts(worker_group *g, size_t len, fw_error *err)
{
    const uint64_t mine = len;
    FW_TRY(mpi_check(MEETING(g, MPI_Allgather(&mine, 1, MPI_UINT64_T, g->part_len, 1, MPI_UINT64_T, g->all)), "gathering lengths", err));
    uint64_t sum = 0;
    for (int r = 0; r < g->size; r++) {
        g->part_offset[r] = (size_t)sum;
        g->part_start[r] = (int)FW_MIN(sum, (uint64_t)INT32_MAX);
        g->part_count[r] = (int)FW_MIN(g->part_len[r], (uint64_t)INT32_MAX);
        sum += g->part_len[r];
    }
    g->part_offset[g->size] = (size_t)sum;
    if (sum <= INT32_MAX) return FW_OK;
    return fw_fail(err, FW_ERR_NOMEM, "gathering %llu bytes at one rank: more than 2 GiB", (unsigned long long)sum);
}

/* What this rank sends to each, and gets of each: part_count, part_start are of what it gets. */
static fw_status lay_out_exchange(worker_group *g, const size_t *at, size_t *offset, fw_error *err)
{
    for (int r = 0; r < g->size; r++) g->send_count[r] = (int)FW_MIN(at[r + 1] - at[r], (size_t)INT32_MAX);
    for (int r = 0; r < g->size; r++) g->send_start[r] = (int)FW_MIN(at[r] - at[0], (size_t)INT32_MAX);
    FW_TRY(mpi_check(MEETING(g, MPI_Alltoall(g->send_count, 1, MPI_INT, g->part_count, 1, MPI_INT, g->all)), "exchanging lengths", err));
    offset[0] = 0;
    for (int r = 0; r < g->size; r++) {
        g->part_start[r] = (int)FW_MIN(offset[r], (size_t)INT32_MAX);
        offset[r + 1] = offset[r] + (size_t)g->part_count[r];
    }
    if (at[g->size] - at[0] <= INT32_MAX && offset[g->size] <= INT32_MAX) return FW_OK;
    return fw_fail(err, FW_ERR_NOMEM, "exchanging %zu and %zu bytes: more than 2 GiB", at[g->size] - at[0], offset[g->size]);
}

static fw_status reduce_exchange(void *context, const void *bytes, const size_t *at, char **out, size_t *capacity, size_t *offset, fw_error *err)
{
    worker_group *g = context;
    fw_status s = lay_out_exchange(g, at, offset, err);
    if (s == FW_OK) s = fw_grow((void **)out, capacity, offset[g->size] + 1, 1, "an exchange", err);
    FW_TRY(g->reduce.agree(g, s, err));
    const char *from = at[g->size] > at[0] ? (const char *)bytes + at[0] : (const char *)bytes;
    return mpi_check(MEETING(g, MPI_Alltoallv(from, g->send_count, g->send_start, MPI_BYTE, *out, g->part_count, g->part_start, MPI_BYTE, g->all)),
                     "exchanging", err);
}

static fw_status reduce_gather_all(void *context, const void *bytes, size_t len, char **out, size_t *offset, fw_error *err)
{
    worker_group *g = context;
    FW_TRY(lay_out_parts(g, len, err));
    const size_t sum = g->part_offset[g->size];
    char *all = malloc(sum + 1);
    fw_status s = g->reduce.agree(g, all == NULL ? fw_fail(err, FW_ERR_NOMEM, "gathering %zu bytes", sum) : FW_OK, err);
    if (s == FW_OK)
        s = mpi_check(MEETING(g, MPI_Allgatherv(bytes, (int)len, MPI_BYTE, all, g->part_count, g->part_start, MPI_BYTE, g->all)), "gathering", err);
    if (s != FW_OK) {
        free(all);
        return s;
    }
    all[sum] = '\0';
    memcpy(offset, g->part_offset, ((size_t)g->size + 1) * sizeof *offset);
    *out = all;
    return FW_OK;
}

static fw_status reduce_agree(void *context, fw_status mine, fw_error *err)
{
    worker_group *g = context;
    int failing = mine < 0 ? g->rank : g->size, first = 0;
    FW_TRY(mpi_check(MEETING(g, MPI_Allreduce(&failing, &first, 1, MPI_INT, MPI_MIN, g->all)), "agreeing", err));
    if (first == g->size) return mine;                         /* nobody failed */
    fw_error told = {.status = mine};
    if (err != NULL && g->rank == first) told = *err;
    told.status = mine;
    FW_TRY(mpi_check(MEETING(g, MPI_Bcast(&told, sizeof told, MPI_BYTE, first, g->all)), "agreeing", err));
    if (err != NULL) *err = told;
    return told.status;
}

/* ---- signals ------------------------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t pending_signal;

static void on_signal(int number) { pending_signal = number; }

static void catch_signal(int number)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------- */

/* Nodes are numbered in the order of their lowest ranks: the number of such ranks up to this node's, counted by a scan over all. */
static fw_status number_nodes(worker_group *g, fw_error *err)
{
    int leads = g->node_rank == 0, last = 0;
    FW_TRY(mpi_check(MPI_Scan(&leads, &last, 1, MPI_INT, MPI_SUM, g->all), "counting nodes", err));
    int node[2] = {last - 1, g->node_size};
    FW_TRY(mpi_check(MPI_Bcast(&node[0], 1, MPI_INT, 0, g->node), "counting nodes", err));
    g->node_index = node[0];
    FW_TRY(mpi_check(MPI_Allreduce(&leads, &g->nodes, 1, MPI_INT, MPI_SUM, g->all), "counting nodes", err));
    return mpi_check(MPI_Allreduce(&node[1], &g->slots, 1, MPI_INT, MPI_MIN, g->all), "counting nodes", err);
}

static fw_status split_peers(worker_group *g, fw_error *err)
{
    FW_TRY(number_nodes(g, err));
    const int slot = g->node_rank < g->slots ? g->node_rank : MPI_UNDEFINED;
    return mpi_check(MPI_Comm_split(g->all, slot, g->node_index, &g->peers), "finding the peers", err);
}

/* Ranks that share memory. FW_TEST_NODE_RANKS=k cuts a host into virtual nodes of k ranks, so that a test reaches the code between nodes. */
fw_status worker_node_comm(MPI_Comm *node, MPI_Comm all, fw_error *err)
{
    const char *virtual = getenv("FW_TEST_NODE_RANKS");
    int k = virtual != NULL ? atoi(virtual) : 0, rank = 0, host_rank = 0;
    MPI_Comm host = MPI_COMM_NULL;
    MPI_Comm_rank(all, &rank);
    FW_TRY(mpi_check(MPI_Comm_split_type(all, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &host), "finding the node's ranks", err));
    MPI_Comm_rank(host, &host_rank);
    fw_status s = mpi_check(MPI_Comm_split(host, k > 0 ? host_rank / k : 0, rank, node), "finding the node's ranks", err);
    MPI_Comm_free(&host);
    return s;
}

static fw_status split_nodes(worker_group *g, fw_error *err)
{
    FW_TRY(worker_node_comm(&g->node, g->all, err));
    MPI_Comm_rank(g->node, &g->node_rank);
    MPI_Comm_size(g->node, &g->node_size);
    return split_peers(g, err);
}

static fw_status start_board(worker_group *g, fw_error *err)
{
    size_t bytes = sizeof(worker_board) + (size_t)g->node_size * sizeof(worker_board_slot);
    fw_status s = worker_shared_create(&g->board_memory, g, bytes, "the board", err);
    if (s != FW_OK && g->rank != 0 && err != NULL) err->text[0] = '\0';      /* all fail together, and one speaks */
    if (s != FW_OK) return s;
    g->board = worker_shared_base(g->board_memory);
    own_slot = &g->board->slot[g->node_rank];
    own_slot->rank = g->rank;
    atomic_store(&own_slot->pid, (int32_t)getpid());
    worker_group_note(g, "start", 0, 0);
    FW_TRY(worker_group_barrier(g, err));
    if (SIMULATED) return FW_OK;                       /* no rank dies there */
    g->watcher = (worker_watcher){.board = g->board, .node_rank = g->node_rank, .node_size = g->node_size, .alone = g->nodes == 1, .host = g->host};
    return worker_watcher_start(&g->watcher, err);
}

fw_status worker_mpi_start(int *argc, char ***argv, fw_error *err)
{
    int provided = 0;
    catch_signal(SIGUSR1);
    worker_fabric_skip_absent();
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS || (!SIMULATED && provided < MPI_THREAD_FUNNELED))
        return fw_fail(err, FW_ERR_MPI, "MPI did not start with MPI_THREAD_FUNNELED");
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    return FW_OK;
}

int worker_mpi_size(void)
{
    int size = 1;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    return size;
}

/* MPI_Finalize ends the HDF5 library too. */
static void finalize(void)
{
    if (!fw_h5_stuck()) MPI_Finalize();
}

void worker_mpi_end(void) { finalize(); }

fw_status worker_group_start(worker_group **out, int *argc, char ***argv, fw_error *err)
{
    FW_TRY(worker_mpi_start(argc, argv, err));
    return worker_group_of_all(out, err);
}

fw_status worker_group_of_all(worker_group **out, fw_error *err)
{
    MPI_Comm all = MPI_COMM_NULL;
    FW_TRY(mpi_check(MPI_Comm_dup(MPI_COMM_WORLD, &all), "making the group", err));
    return worker_group_create(out, all, err);
}

fw_status worker_group_create(worker_group **out, MPI_Comm comm, fw_error *err)
{
    worker_group *g = calloc(1, sizeof *g);
    if (g == NULL) return fw_fail(err, FW_ERR_NOMEM, "group");
    g->all = comm;
    MPI_Comm_rank(g->all, &g->rank);
    MPI_Comm_size(g->all, &g->size);
    FW_TRY(fw_alloc_zeroed((void **)&g->part_len, (size_t)g->size, sizeof *g->part_len, "group", err));
    FW_TRY(fw_alloc_zeroed((void **)&g->part_count, (size_t)g->size, sizeof *g->part_count, "group", err));
    FW_TRY(fw_alloc_zeroed((void **)&g->send_count, (size_t)g->size, sizeof *g->send_count, "group", err));
    FW_TRY(fw_alloc_zeroed((void **)&g->send_start, (size_t)g->size, sizeof *g->send_start, "group", err));
    FW_TRY(fw_alloc_zeroed((void **)&g->part_start, (size_t)g->size, sizeof *g->part_start, "group", err));
    FW_TRY(fw_alloc_zeroed((void **)&g->part_offset, (size_t)g->size + 1, sizeof *g->part_offset, "group", err));
    int len = 0;
    MPI_Get_processor_name(g->host, &len);
    g->reduce = (fw_reduce){g, g->rank, g->size, reduce_sum_i64, reduce_max_f64, reduce_min_f64, reduce_gather_all, reduce_exchange, reduce_agree};
    FW_TRY(split_nodes(g, err));
    cpu_set_t cpus;
    int cores = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    bool bound = cores < g->node_size && online >= g->node_size;      /* each rank has cores of its own */
    g->spins = cores >= g->node_size || bound ? SPINS_BEFORE_YIELD : 0;
    FW_TRY(start_board(g, err));
    *out = g;
    return FW_OK;
}

void worker_group_stop(worker_group **group, bool lost)
{
    worker_group *g = *group;
    if (g == NULL) return;
    if (!lost) {
        MPI_Barrier(g->all);                           /* nobody watches a rank that has begun to leave */
        worker_watcher_stop(&g->watcher);
        atomic_store(&g->board->slot[g->node_rank].pid, -1);
        own_slot = &no_slot;
        worker_shared_release(&g->board_memory);
        if (g->peers != MPI_COMM_NULL) MPI_Comm_free(&g->peers);
        MPI_Comm_free(&g->node);
        MPI_Comm_free(&g->all);
        finalize();
    }
    free(g->part_len);
    free(g->part_count);
    free(g->send_count);
    free(g->send_start);
    free(g->part_start);
    free(g->part_offset);
    free(g);
    *group = NULL;
}

int worker_group_rank(const worker_group *g) { return g->rank; }
int worker_group_size(const worker_group *g) { return g->size; }
int worker_group_node_rank(const worker_group *g) { return g->node_rank; }
int worker_group_node_size(const worker_group *g) { return g->node_size; }
int worker_group_nodes(const worker_group *g) { return g->nodes; }
int worker_group_node(const worker_group *g) { return g->node_index; }
int worker_group_slots(const worker_group *g) { return g->slots; }
const char *worker_group_host(const worker_group *g) { return g->host; }
const fw_reduce *worker_group_reduce(const worker_group *g) { return &g->reduce; }
MPI_Comm worker_group_comm(const worker_group *g) { return g->all; }
MPI_Comm worker_group_peers(const worker_group *g) { return g->peers; }

/* ---- bytes --------------------------------------------------------------------------------------------------------------------- */

fw_status worker_group_broadcast(worker_group *g, void **bytes, size_t *len, fw_error *err)
{
    uint64_t n = *len;
    FW_TRY(mpi_check(MEETING(g, MPI_Bcast(&n, 1, MPI_UINT64_T, 0, g->all)), "broadcasting", err));
    char *all = g->rank == 0 ? *bytes : malloc(n + 1);
    bool lacking = g->rank != 0 && all == NULL;
    fw_status s = g->reduce.agree(g, lacking ? fw_fail(err, FW_ERR_NOMEM, "broadcast of %llu bytes", (unsigned long long)n) : FW_OK, err);
    for (size_t at = 0; s == FW_OK && at < n; at += MPI_PIECE)
        s = mpi_check(MEETING(g, MPI_Bcast(all + at, (int)FW_MIN(n - at, (size_t)MPI_PIECE), MPI_BYTE, 0, g->all)), "broadcasting", err);
    if (g->rank == 0) return s;
    if (s != FW_OK) {
        free(all);
        return s;
    }
    *bytes = all;
    *len = n;
    return FW_OK;
}

fw_status worker_group_gather(worker_group *g, const void *bytes, size_t len, char **out, size_t *offset, fw_error *err)
{
    FW_TRY(lay_out_parts(g, len, err));
    const size_t sum = g->part_offset[g->size];
    char *all = g->rank == 0 ? malloc(sum + 1) : NULL;
    fw_status s = g->reduce.agree(g, g->rank == 0 && all == NULL ? fw_fail(err, FW_ERR_NOMEM, "gathering %zu bytes", sum) : FW_OK, err);
    if (s == FW_OK) s = mpi_check(MEETING(g, MPI_Gatherv(bytes, (int)len, MPI_BYTE, all, g->part_count, g->part_start, MPI_BYTE, 0, g->all)), "gathering", err);
    if (s != FW_OK) {
        free(all);
        return s;
    }
    if (all != NULL) {
        all[sum] = '\0';
        memcpy(offset, g->part_offset, ((size_t)g->size + 1) * sizeof *offset);
    }
    *out = all;
    return FW_OK;
}

fw_status worker_group_barrier(worker_group *g, fw_error *err)
{
    return mpi_check(MEETING(g, MPI_Barrier(g->all)), "barrier", err);
}

/* A broadcast that who waits polls: often for two milliseconds, then every millisecond. */
fw_status worker_bcast_asleep(void *bytes, size_t len, MPI_Comm comm, fw_error *err)
{
    MPI_Request request = MPI_REQUEST_NULL;
    int done = 0;
    if (SIMULATED) return mpi_check(MPI_Bcast(bytes, (int)len, MPI_BYTE, 0, comm), "waiting for rank 0", err);
    FW_TRY(mpi_check(MPI_Ibcast(bytes, (int)len, MPI_BYTE, 0, comm, &request), "waiting for rank 0", err));
    const fw_mono doze = fw_mono_after(fw_mono_now(), AWAKE_S);
    for (;;) {
        FW_TRY(mpi_check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "waiting for rank 0", err));
        if (done) return FW_OK;
        if (fw_mono_passed(doze)) fw_sleep_ms(1);
        else sched_yield();
    }
}

fw_status worker_group_await_leader(worker_group *g, fw_error *err)
{
    int nothing = 0;
    begin_meeting(g);
    const fw_status s = g->size > 1 ? worker_bcast_asleep(&nothing, sizeof nothing, g->all, err) : FW_OK;
    end_meeting(0);
    return s;
}

/* ---- shared memory ------------------------------------------------------------------------------------------------------------- */

/* Memory is given before it is there, and who then touches it is ended by the kernel. */
static fw_status check_memory(const worker_group *g, size_t bytes, const char *what, fw_error *err)
{
    const uint64_t room = bytes > SMALL_MEMORY ? machine_memory_room("") : UINT64_MAX;
    if (bytes < room) return FW_OK;
    return fw_fail(err, FW_ERR_NOMEM, "%s: %zu bytes, and %s has %llu left; use a smaller model or fewer rows, or a host with more memory", what, bytes,
                   g->host, (unsigned long long)room);
}

/* Where Open MPI puts memory that ranks share. It is asked for beforehand: when there is no room, Open MPI 4.1 fails on one rank and leaves the others
 * waiting. A file system that cannot be asked is taken to have room. */
static fw_status check_room(const worker_group *g, size_t bytes, const char *what, fw_error *err)
{
    if (g->node_rank == 0) FW_TRY(check_memory(g, bytes, what, err));
    const char *dir = getenv("OMPI_MCA_osc_sm_backing_directory");
    struct statvfs fs;
    if (dir == NULL) dir = "/dev/shm";
    if (g->node_size == 1 || g->node_rank != 0 || statvfs(dir, &fs) != 0) return FW_OK;
    const uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (bytes < room) return FW_OK;
    return fw_fail(
        err, FW_ERR_NOMEM,
        "%s: %zu bytes of memory shared by the ranks of %s do not fit into %s, which has %llu left; make it larger, or use fewer ranks a node", what,
        bytes, g->host, dir, (unsigned long long)room);
}

fw_status worker_shared_reserve(worker_shared **out, worker_group *g, size_t bytes, const char *what, fw_error *err)
{
    worker_shared *s = calloc(1, sizeof *s);
    void *mine = NULL;
    MPI_Aint mine_bytes = g->node_rank == 0 ? (MPI_Aint)(bytes + FW_ALIGN) : 0;
    fw_status status = g->reduce.agree(g, s == NULL ? fw_fail(err, FW_ERR_NOMEM, "%s", what) : check_room(g, bytes, what, err), err);
    if (status != FW_OK) {
        free(s);
        return status;
    }
    status = mpi_check(MPI_Win_allocate_shared(mine_bytes, 1, MPI_INFO_NULL, g->node, &mine, &s->window), what, err);
    status = g->reduce.agree(g, status, err);
    if (status != FW_OK) {
        free(s);
        return fw_wrap(err, status, "%s: %zu bytes of memory shared by the ranks of a node (is /dev/shm large enough?)", what, bytes);
    }
    MPI_Aint size = 0;
    int unit = 0;
    MPI_Win_shared_query(s->window, 0, &size, &unit, &s->base);
    s->base = (void *)(((uintptr_t)s->base + FW_ALIGN - 1) & ~(uintptr_t)(FW_ALIGN - 1));
    *out = s;
    return FW_OK;
}

/* Each rank clears its part: half of the time that a large window takes is the first touch of its pages. */
static void clear_part(const worker_group *g, char *base, size_t bytes)
{
    const size_t pages = bytes / CLEAR_UNIT + 1, rank = (size_t)g->node_rank, size = (size_t)g->node_size;
    const size_t from = FW_MIN(pages * rank / size * CLEAR_UNIT, bytes), to = FW_MIN(pages * (rank + 1) / size * CLEAR_UNIT, bytes);
    memset(base + from, 0, to - from);
}

fw_status worker_shared_create(worker_shared **out, worker_group *g, size_t bytes, const char *what, fw_error *err)
{
    FW_TRY(worker_shared_reserve(out, g, bytes, what, err));
    clear_part(g, (*out)->base, bytes);
    return mpi_check(MPI_Barrier(g->node), what, err);
}

void worker_shared_release(worker_shared **s)
{
    if (*s == NULL) return;
    MPI_Win_free(&(*s)->window);
    free(*s);
    *s = NULL;
}

void *worker_shared_base(const worker_shared *s) { return s->base; }

void worker_group_meet(worker_group *g, double *waited_s)
{
    if (g->node_size == 1) return;
    if (SIMULATED) {
        fw_mono begin = fw_mono_now();
        MPI_Barrier(g->node);
        if (waited_s != NULL) *waited_s += fw_mono_seconds(begin, fw_mono_now());
        return;
    }
    worker_board *b = g->board;
    uint32_t now = g->generation++;
    begin_meeting(g);
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) + 1 == (uint32_t)g->node_size) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&b->generation, now + 1, memory_order_release);
        end_meeting(0);
        return;
    }
    fw_mono start = fw_mono_now();
    for (int spin = 0; atomic_load_explicit(&b->generation, memory_order_acquire) == now; spin++) {
        if (spin < g->spins)
            fw_pause();
        else
            sched_yield();                             /* a dead rank: the watcher ends the process */
    }
    end_meeting(0);
    if (waited_s != NULL) *waited_s += fw_mono_seconds(start, fw_mono_now());
}

/* ---- notes and signals --------------------------------------------------------------------------------------------------------- */

void worker_group_note(worker_group *g, const char *phase, uint64_t round, uint64_t step)
{
    worker_board_slot *s = &g->board->slot[g->node_rank];
    if (phase != NULL) worker_slot_set_phase(s, phase);
    atomic_store_explicit(&s->round, round, memory_order_relaxed);
    atomic_store_explicit(&s->step, step, memory_order_relaxed);
    worker_slot_sign(s);
    if (g->listener != NULL) g->listener(g->listener_context, phase, round, step);
}

void worker_group_listen(worker_group *g, worker_note_listener listener, void *context)
{
    g->listener = listener;
    g->listener_context = context;
}

const worker_board_slot *worker_group_slot(const worker_group *g) { return &g->board->slot[g->node_rank]; }

void worker_group_note_checkpoint(worker_group *g, const char *path)
{
    if (g->node_rank == 0) snprintf(g->board->checkpoint, sizeof g->board->checkpoint, "%s", path);
}

void worker_signals_install(void)
{
    catch_signal(SIGTERM);
    catch_signal(SIGINT);
}

int worker_signal_pending(void) { return pending_signal; }
