/** What ranks do together: agree, gather, broadcast, merge, share memory, meet. */
#include "worker/group.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/random.h"
#include "common/core/size.h"
#include "tests/ranks/checks.h"
#include "worker/group_mpi.h"

static int rank, size;
static const fw_reduce *reduce;

static fw_status agree(fw_status mine, fw_error *err) { return reduce->agree(reduce->context, mine, err); }

/* Every set of failing ranks (of the first five): the lowest one's status and text, at all. */
static void the_lowest_failing_rank_speaks_for_all(void)
{
    const unsigned sets = 1u << (size < 5 ? size : 5);
    for (unsigned set = 0; set < sets; set++) {
        fw_error err = {0};
        int lowest = 0;
        while (lowest < size && !(set >> lowest & 1)) lowest++;
        const fw_status mine =
            rank < 5 && (set >> rank & 1) ? fw_fail(&err, rank % 2 ? FW_ERR_IO : FW_ERR_DATA, "rank %d of set %u", rank, set) : FW_OK;
        const fw_status got = agree(mine, &err);
        char text[64];
        snprintf(text, sizeof text, "rank %d of set %u", lowest, set);
        CHECK(got == (set == 0 ? FW_OK : lowest % 2 ? FW_ERR_IO : FW_ERR_DATA), "set %u: %s", set, fw_status_name(got));
        CHECK(strcmp(err.text, set == 0 ? "" : text) == 0, "set %u: \"%s\"", set, err.text);
        if (set != 0) CHECK(err.status == got, "set %u: the error says %s", set, fw_status_name(err.status));
    }
}

static void agreeing_works_without_an_error_to_fill(void)
{
    CHECK(agree(rank == size - 1 ? FW_ERR_CHECK : FW_OK, NULL) == FW_ERR_CHECK, "no status");
    fw_error err = {0};
    const fw_status s = agree(rank == size - 1 ? FW_ERR_CHECK : FW_OK, rank == 0 && size > 1 ? NULL : &err);
    CHECK(s == FW_ERR_CHECK, "%s", fw_status_name(s));
}

static void what_is_no_failure_stays_each_ranks_own(void)
{
    const fw_status mine = rank % 2 ? FW_END : FW_OK;
    CHECK(agree(mine, NULL) == mine, "changed");
}

/* Parts of all lengths, none at all too. */
static size_t part_of(char *out, int r, int round)
{
    const size_t len = round == 0 ? 0 : fw_random(15, FW_RANDOM_TEST, (uint32_t)round, (uint64_t)r, 0).word[0] % (round == 1 ? 3 : 5000);
    for (size_t i = 0; i < len; i++) out[i] = (char)fw_random(16, FW_RANDOM_TEST, (uint32_t)round, (uint64_t)r, (uint32_t)i).word[0];
    return len;
}

static void check_parts(const char *all, const size_t *offset, int round)
{
    static char part[5000];
    CHECK(offset[0] == 0, "parts begin at %zu", offset[0]);
    for (int r = 0; r < size; r++) {
        const size_t len = part_of(part, r, round);
        CHECK(offset[r + 1] - offset[r] == len && memcmp(all + offset[r], part, len) == 0, "round %d: rank %d's part", round, r);
    }
}

static void parts_are_gathered_in_the_order_of_ranks(worker_group *g)
{
    static char mine[5000];
    for (int round = 0; round < 6; round++) {
        size_t offset[64] = {9};
        char *all = NULL;
        const size_t len = part_of(mine, rank, round);
        CHECK(reduce->gather_all(reduce->context, mine, len, &all, offset, NULL) == FW_OK, "gather_all");
        if (all != NULL) check_parts(all, offset, round);
        free(all);
        all = NULL;
        CHECK(worker_group_gather(g, mine, len, &all, rank == 0 ? offset : NULL, NULL) == FW_OK, "gather");
        CHECK((all != NULL) == (rank == 0), "the parts are at rank %d", rank);
        if (rank == 0 && all != NULL) check_parts(all, offset, round);
        free(all);
    }
}

/* Rank r sends to rank k what part_of says of rank r + k. */
static void parts_are_exchanged(worker_group *g)
{
    (void)g;
    static char part[5000];
    size_t at[64] = {0}, offset[64] = {9}, capacity = 0;
    char *send = malloc(64 * sizeof part), *got = NULL;
    for (int round = 0; send != NULL && round < 6; round++) {
        for (int k = 0; k < size; k++) {
            const size_t len = part_of(part, rank + k, round);
            memcpy(send + at[k], part, len);
            at[k + 1] = at[k] + len;
        }
        CHECK(reduce->exchange(reduce->context, send, at, &got, &capacity, offset, NULL) == FW_OK, "exchange");
        for (int r = 0; r < size; r++) {
            const size_t len = part_of(part, r + rank, round);
            CHECK(offset[r + 1] - offset[r] == len && memcmp(got + offset[r], part, len) == 0, "round %d: what rank %d sent", round, r);
        }
    }
    free(send);
    free(got);
}

static void broadcast_gives_all_the_first_ranks_bytes(worker_group *g)
{
    static const size_t lengths[] = {0, 1, 7, 4096, 3000001};
    for (size_t k = 0; k < sizeof lengths / sizeof lengths[0]; k++) {
        size_t len = rank == 0 ? lengths[k] : 12345;
        char *own = rank == 0 && lengths[k] > 0 ? malloc(lengths[k]) : NULL;             /* nothing has no pointer */
        for (size_t i = 0; own != NULL && i < len; i++) own[i] = (char)(i * 7 + k);
        void *bytes = own;
        CHECK(worker_group_broadcast(g, &bytes, &len, NULL) == FW_OK, "broadcast");
        CHECK(len == lengths[k] && (bytes != NULL) == (rank != 0 || len > 0), "%zu bytes", len);
        CHECK(rank != 0 || bytes == own, "the first rank's pointer changed");
        size_t wrong = 0;
        for (size_t i = 0; bytes != NULL && i < len; i++) wrong += ((char *)bytes)[i] != (char)(i * 7 + k);
        CHECK(wrong == 0, "%zu bytes are wrong", wrong);
        free(bytes);
    }
}

static void merges_are_exact(void)
{
    enum { N = 1000 };
    static int64_t sum[N];
    static double most[N], least[N];
    for (int i = 0; i < N; i++) {
        sum[i] = ((int64_t)1 << 62) + rank * 1000003 + i;                                /* wraps for more than one rank: exact modulo 2^64 */
        most[i] = least[i] = (double)((rank * 7 + i * 3) % 11) - 5.0;
    }
    CHECK(reduce->sum_i64(reduce->context, sum, N, NULL) == FW_OK, "sum");
    CHECK(reduce->max_f64(reduce->context, most, N, NULL) == FW_OK, "max");
    CHECK(reduce->min_f64(reduce->context, least, N, NULL) == FW_OK, "min");
    for (int i = 0; i < N; i++) {
        uint64_t s = 0;
        double hi = -100.0, lo = 100.0;
        for (int r = 0; r < size; r++) {
            const double v = (double)((r * 7 + i * 3) % 11) - 5.0;
            s += ((uint64_t)1 << 62) + (uint64_t)(r * 1000003 + i);
            hi = v > hi ? v : hi;
            lo = v < lo ? v : lo;
        }
        CHECK((uint64_t)sum[i] == s && most[i] == hi && least[i] == lo, "element %d", i);
    }
    CHECK(reduce->rank == rank && reduce->size == size, "the merge's own numbers");
}

/* FW_TEST_HOSTS: over how many hosts the ranks are spread evenly, one behind the other. */
static int ranks_a_node(void)
{
    const char *virtual = getenv("FW_TEST_NODE_RANKS"), *hosts = getenv("FW_TEST_HOSTS");
    return virtual != NULL ? atoi(virtual) : hosts != NULL ? size / atoi(hosts) : size;
}

static void nodes_partition_the_ranks(worker_group *g)
{
    const int k = ranks_a_node();
    CHECK(worker_group_nodes(g) == (size + k - 1) / k, "%d nodes of %d ranks", worker_group_nodes(g), k);
    CHECK(worker_group_node_rank(g) == rank % k, "rank %d is %d of its node", rank, worker_group_node_rank(g));
    CHECK(worker_group_node_size(g) == (rank / k * k + k <= size ? k : size % k), "%d on the node", worker_group_node_size(g));
    CHECK(worker_group_host(g)[0] != '\0', "no host");
}

static void peers_are_one_a_node(worker_group *g)
{
    const MPI_Comm peers = worker_group_peers(g);
    const int slots = worker_group_slots(g), nodes = worker_group_nodes(g);
    const int k = ranks_a_node();
    CHECK(slots == (size % k == 0 ? FW_MIN(k, size) : size % k), "%d slots", slots);
    CHECK(worker_group_node(g) == rank / k, "rank %d is on node %d", rank, worker_group_node(g));
    CHECK((peers == MPI_COMM_NULL) == (worker_group_node_rank(g) >= slots), "rank %d of the node has peers or has not", worker_group_node_rank(g));
    if (peers == MPI_COMM_NULL) return;
    int at = -1, n = 0, most = 0, mine = worker_group_node_rank(g);
    MPI_Comm_rank(peers, &at);
    MPI_Comm_size(peers, &n);
    CHECK(at == worker_group_node(g) && n == nodes, "peer %d of %d", at, n);
    CHECK(MPI_Allreduce(&mine, &most, 1, MPI_INT, MPI_MAX, peers) == MPI_SUCCESS && most == mine, "peers of different node ranks");
}

/* Written by one, read by all of the node after a meeting, many times; a rank that ran ahead would see the next round's number. */
static void memory_is_shared_and_meetings_hold(worker_group *g)
{
    enum { ROUNDS = 2000, CELLS = 100 };
    worker_shared *s = NULL;
    double waited = 0.0;
    fw_error err = {0};
    CHECK(worker_shared_create(&s, g, CELLS * sizeof(uint64_t), "a test", &err) == FW_OK, "%s", err.text);
    if (s == NULL) return;
    volatile uint64_t *cell = worker_shared_base(s);
    CHECK((uintptr_t)cell % 64 == 0, "not aligned");
    for (int i = 0; i < CELLS; i++) CHECK(cell[i] == 0, "cell %d is not zero", i);
    worker_group_meet(g, NULL);
    const uint64_t here = (uint64_t)worker_group_node_size(g), me = (uint64_t)worker_group_node_rank(g), node = (uint64_t)worker_group_node(g) * 1000;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        cell[me] = round * 10 + me + node;
        worker_group_meet(g, &waited);
        for (uint64_t r = 0; r < here && r < CELLS; r++)
            CHECK(cell[r] == round * 10 + r + node, "round %llu: rank %llu's cell", (unsigned long long)round, (unsigned long long)r);
        worker_group_meet(g, &waited);
    }
    CHECK(waited >= 0.0 && (here == 1) == (waited == 0.0), "waited %g s", waited);
    worker_shared_release(&s);
    CHECK(s == NULL, "released");
}

static void too_much_memory_is_refused_everywhere(worker_group *g)
{
    worker_shared *s = NULL;
    fw_error err = {0};
    if (size == 1) return;                     /* plain memory: how much of it is too much is the system's affair, and a sanitizer's */
    const fw_status status = worker_shared_create(&s, g, (size_t)1 << 50, "a petabyte", &err);
    CHECK(status < 0 && s == NULL, "a petabyte was given");
    CHECK(strstr(err.text, "a petabyte") != NULL, "\"%s\"", err.text);
    CHECK(worker_group_barrier(g, NULL) == FW_OK, "the group is broken");
}

int main(int argc, char **argv)
{
    worker_group *g = NULL;
    if (!checks_start(&g, &argc, &argv)) return 1;
    rank = worker_group_rank(g);
    size = worker_group_size(g);
    reduce = worker_group_reduce(g);
    the_lowest_failing_rank_speaks_for_all();
    agreeing_works_without_an_error_to_fill();
    what_is_no_failure_stays_each_ranks_own();
    parts_are_exchanged(g);
    parts_are_gathered_in_the_order_of_ranks(g);
    broadcast_gives_all_the_first_ranks_bytes(g);
    merges_are_exact();
    nodes_partition_the_ranks(g);
    peers_are_one_a_node(g);
    memory_is_shared_and_meetings_hold(g);
    too_much_memory_is_refused_everywhere(g);
    return checks_end(g);
}
