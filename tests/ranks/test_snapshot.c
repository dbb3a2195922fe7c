/** Snapshots: the digest of a state is the same however many ranks share the work, each flipped bit changes it, the copy is the state as it stood; and the
 *  vote finds the node or rank that differs. */
#include <stdlib.h>
#include <string.h>

#include "common/core/random.h"
#include "common/core/size.h"
#include "tests/ranks/checks.h"
#include "worker/snapshot.h"

/* Longer than blocks of 64 KiB, shorter, of one element; a size that is no multiple of a cache line. */
enum { LARGE = 100003, MIDDLE = 16384, SMALL = 1, COUNTS = 50, N = 5, FLOATS = 4 };

typedef struct state { worker_shared *memory; int64_t counts[COUNTS]; fw_array arrays[N]; } state;

static void make(state *s, worker_group *g)
{
    fw_error err = {0};
    CHECK(worker_shared_create(&s->memory, g, 4 * (LARGE + MIDDLE + SMALL) + 8 * MIDDLE + 256, "a state", &err) == FW_OK, "%s", err.text);
    if (s->memory == NULL) abort();
    char *at = worker_shared_base(s->memory);
    s->arrays[0] = (fw_array){"large", FW_F32, LARGE, at + 8 * MIDDLE};
    s->arrays[1] = (fw_array){"doubles", FW_F64, MIDDLE, at};
    s->arrays[2] = (fw_array){"middle", FW_F32, MIDDLE, at + 8 * MIDDLE + 4 * LARGE};
    s->arrays[3] = (fw_array){"small", FW_F32, SMALL, at + 8 * MIDDLE + 4 * (LARGE + MIDDLE)};
    s->arrays[4] = (fw_array){"counts", FW_I64, COUNTS, s->counts};
    if (worker_group_node_rank(g) == 0)
        for (uint32_t a = 0; a < FLOATS; a++)
            for (size_t i = 0; i < worker_array_bytes(&s->arrays[a]); i++)
                ((unsigned char *)s->arrays[a].data)[i] = (unsigned char)fw_random(5, FW_RANDOM_TEST, a, i, 0).word[0];
    for (int64_t i = 0; i < COUNTS; i++) s->counts[i] = i * i - 7;
    worker_group_meet(g, NULL);
}

static fw_digest whole(const state *s, size_t first, size_t n)
{
    fw_digest sum = {0};
    for (size_t i = first; i < first + n; i++) sum = fw_digest_add(sum, worker_array_digest(&s->arrays[i], i));
    return sum;
}

static worker_seal take(worker_group *g, worker_snapshot *snapshot, state *s, bool copy)
{
    worker_seal seal = {0};
    worker_group_meet(g, NULL);
    worker_snapshot_take(snapshot, s->arrays, true, copy, &seal);
    worker_group_meet(g, NULL);
    return seal;
}

static void check_copy(worker_group *g, worker_snapshot *snapshot, state *s)
{
    const worker_seal seal = take(g, snapshot, s, true);
    CHECK(fw_digest_equal(seal.node, whole(s, 0, FLOATS)) && fw_digest_equal(seal.own, whole(s, FLOATS, 1)), "the digest depends on the ranks");
    if (worker_group_rank(g) == 0) {
        size_t n = 0;
        const fw_array *copy = worker_snapshot_arrays(snapshot, &n);
        CHECK(n == N && worker_snapshot_holds(snapshot, &seal), "the copy is not what was sealed");
        for (size_t i = 0; i < n; i++)
            CHECK(copy[i].data != s->arrays[i].data && memcmp(copy[i].data, s->arrays[i].data, worker_array_bytes(&copy[i])) == 0, "array %zu differs", i);
        for (size_t i = 0; i < n; i++) {
            unsigned char *byte = (unsigned char *)copy[i].data + worker_array_bytes(&copy[i]) - 1;
            *byte ^= 0x10;
            CHECK(!worker_snapshot_holds(snapshot, &seal), "a flipped bit in the copy of array %zu is not seen", i);
            *byte ^= 0x10;
        }
        CHECK(worker_snapshot_holds(snapshot, &seal), "flipping back");
    }
    CHECK(worker_group_barrier(g, NULL) == FW_OK, "barrier");
}

/* Ends of arrays and blocks, and a place in between; each is found by one rank of the node alone, whose share it is in. */
static void check_flips(worker_group *g, worker_snapshot *snapshot, state *s)
{
    const worker_seal before = take(g, snapshot, s, false);
    static const struct { size_t array, byte; } places[] = {{0, 0}, {0, 65535}, {0, 65536}, {0, 4 * LARGE - 1}, {1, 77}, {2, 4 * MIDDLE - 1}, {3, 0}, {3, 3}};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        unsigned char *byte = (unsigned char *)s->arrays[places[i].array].data + places[i].byte;
        if (worker_group_node_rank(g) == 0) *byte ^= 1;
        const worker_seal now = take(g, snapshot, s, false);
        CHECK(!fw_digest_equal(now.node, before.node), "a flipped bit in array %zu, byte %zu is not seen", places[i].array, places[i].byte);
        if (worker_group_node_rank(g) == 0) *byte ^= 1;
        int64_t found = !fw_digest_equal(now.share, before.share);
        CHECK(worker_group_reduce(g)->sum_i64(worker_group_reduce(g)->context, &found, 1, NULL) == FW_OK && found == worker_group_nodes(g),
              "%lld ranks found it", (long long)found);
    }
    s->counts[COUNTS - 1] ^= 1;
    CHECK(!fw_digest_equal(take(g, snapshot, s, false).own, before.own), "a flipped bit in the integers is not seen");
    s->counts[COUNTS - 1] ^= 1;
    CHECK(fw_digest_equal(take(g, snapshot, s, false).node, before.node), "flipping back");
}

static void check_vote(worker_group *g, worker_snapshot *snapshot, state *s)
{
    fw_error err = {0};
    char name[40];
    const int last = worker_group_size(g) - 1;
    worker_seal seal = take(g, snapshot, s, false);
    CHECK(worker_vote(g, &seal, worker_snapshot_leader(snapshot), &err) == FW_OK, "%s", err.text);
    if (last == 0) return;
    if (worker_group_rank(g) == last) s->counts[3]++;
    seal = take(g, snapshot, s, false);
    snprintf(name, sizeof name, "sums of rank %d (host ", last);
    CHECK(worker_vote(g, &seal, worker_snapshot_leader(snapshot), &err) == FW_ERR_LOST && strstr(err.text, last > 1 ? name : "no majority") != NULL, "%s",
          err.text);
    if (worker_group_rank(g) == last) s->counts[3]--;
    if (worker_group_nodes(g) == 1) return;
    if (worker_group_rank(g) == 0) ((unsigned char *)s->arrays[1].data)[4] ^= 2;
    seal = take(g, snapshot, s, false);
    CHECK(worker_vote(g, &seal, worker_snapshot_leader(snapshot), &err) == FW_ERR_LOST && strstr(err.text, "state of rank 0 (host ") != NULL, "%s", err.text);
}

int main(int argc, char **argv)
{
    worker_group *g = NULL;
    worker_snapshot *snapshot = NULL;
    fw_error err = {0};
    if (!checks_start(&g, &argc, &argv)) return 1;
    state s = {0};
    make(&s, g);
    CHECK(worker_snapshot_create(&snapshot, g, s.arrays, N, true, &err) == FW_OK, "%s", err.text);
    if (snapshot == NULL) abort();
    check_copy(g, snapshot, &s);
    check_flips(g, snapshot, &s);
    check_copy(g, snapshot, &s);
    check_vote(g, snapshot, &s);
    worker_snapshot_release(&snapshot);
    worker_shared_release(&s.memory);
    return checks_end(g);
}
