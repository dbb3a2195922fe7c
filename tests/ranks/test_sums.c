/** Exact sums over ranks: the leaves of a step dealt to the ranks in many ways give the bits of a plain sum in 128-bit integers, which knows no ranks.
 *  What that sum needs of the state, the exponents, is followed here by its own few lines from the header's description. */
#include "worker/sums.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/random.h"
#include "tests/ranks/checks.h"
#include "worker/kernels/fixed.h"

enum { N = 5000, LEAVES = 13, LEAF_BITS = 4, BLOCKS = (N + WORKER_SUMS_BLOCK - 1) / WORKER_SUMS_BLOCK };

#define FACTOR (1.0 / 1000.0)

static int rank, size;

/* One value of a leaf's gradient: a mix of sizes, of signs and zeros. `level`: how large the step's gradients are. */
static float value(uint64_t step, int leaf, size_t i, int level)
{
    const fw_philox r = fw_random(11, FW_RANDOM_TEST, (uint32_t)step, (uint64_t)leaf, (uint32_t)i);
    if (r.word[0] % 10 == 0) return 0.0f;
    if (i / WORKER_SUMS_BLOCK == 2 && leaf % 3 != 0) return 0.0f;                    /* most leaves leave this block alone */
    if (i / WORKER_SUMS_BLOCK == 3 && step < 2) return 0.0f;                         /* and all of them this one, at first */
    const float unit = 1.0f + (float)(r.word[1] >> 9) * 0x1p-23f;
    return ldexpf(r.word[2] & 1 ? -unit : unit, level - (int)(r.word[3] % 30));
}

/* ---- dealing: which rank computes a leaf -------------------------------------------------------------------------------------------------- */

enum { CONTIGUOUS, ROUND_ROBIN, ALL_TO_FIRST, ALL_TO_LAST, BACKWARDS, ONE_EACH_REST_TO_LAST, RANDOM, DEALS };

static int owner(int deal, int leaf, uint64_t step)
{
    switch (deal) {
    case CONTIGUOUS: return leaf * size / LEAVES;
    case ROUND_ROBIN: return leaf % size;
    case ALL_TO_FIRST: return 0;
    case ALL_TO_LAST: return size - 1;
    case BACKWARDS: return size - 1 - leaf * size / LEAVES;
    case ONE_EACH_REST_TO_LAST: return leaf < size - 1 ? leaf : size - 1;
    default: return (int)(fw_random(12, FW_RANDOM_TEST, (uint32_t)step, (uint64_t)leaf, 0).word[0] % (uint32_t)size);
    }
}

/* A leaf in runs that end anywhere, as layers do. */
static bool add_leaf(worker_sums *s, uint64_t step, int leaf, int level)
{
    static float g[N];
    bool finite = true;
    for (size_t i = 0; i < N; i++) g[i] = value(step, leaf, i, level);
    for (size_t at = 0, run = 0; at < N; at += run) {
        run = 1 + fw_random(13, FW_RANDOM_TEST, (uint32_t)step, at, 0).word[0] % 1700;
        if (run > N - at) run = N - at;
        const bool all_zero = at / WORKER_SUMS_BLOCK == 2 && (at + run - 1) / WORKER_SUMS_BLOCK == 2 && leaf % 3 != 0;
        if (!all_zero) finite = worker_sums_add(s, at, g + at, run) && finite;         /* else: a block that this rank may not touch at all */
    }
    return finite;
}

static void deal_and_add(worker_sums *s, uint64_t step, int deal, int level)
{
    size_t mine = 0;
    for (int leaf = 0; leaf < LEAVES; leaf++) mine += owner(deal, leaf, step) == rank;
    worker_sums_begin(s, FACTOR, mine);
    for (int k = 0; k < LEAVES; k++) {
        const int leaf = deal == BACKWARDS ? LEAVES - 1 - k : k;
        if (owner(deal, leaf, step) == rank) CHECK(add_leaf(s, step, leaf, level), "step %d, leaf %d: said to be not finite", (int)step, leaf);
    }
}

/* ---- the reference -------------------------------------------------------------------------------------------------------------------------- */

static float largest_of_block(uint64_t step, size_t block, int level)
{
    float most = 0.0f;
    for (int leaf = 0; leaf < LEAVES; leaf++)
        for (size_t i = block * WORKER_SUMS_BLOCK; i < (block + 1) * WORKER_SUMS_BLOCK && i < N; i++)
            most = fmaxf(most, fabsf(value(step, leaf, i, level)));
    return most;
}

/* The smallest e >= -60 with x < 2^e. */
static int exponent_above(float x)
{
    int e = -60;
    while (e < 128 && !(x < ldexpf(1.0f, e))) e++;
    return e;
}

typedef struct followed { int exponent[BLOCKS]; uint64_t redone; } followed;

/* Up at once to 8 above what is needed, down by one a step when more than 8 above that. Nothing but zeros tells nothing: the largest of all at first. */
static void move(followed *f, const float *largest)
{
    int top = -60;
    for (size_t b = 0; b < BLOCKS; b++) {
        const int need = exponent_above(largest[b]) + 8 < 128 ? exponent_above(largest[b]) + 8 : 128;
        if (largest[b] > 0.0f && f->exponent[b] < need) f->exponent[b] = need;
        else if (largest[b] > 0.0f && f->exponent[b] > need + 8) f->exponent[b]--;
        if (f->exponent[b] > top) top = f->exponent[b];
    }
    for (size_t b = 0; b < BLOCKS; b++)
        if (f->exponent[b] == -60) f->exponent[b] = top;
}

/* What a step makes of the exponents before it ends: one redo at most, since the second time they fit. */
static void follow(followed *f, const float *largest)
{
    bool redo = false;
    for (size_t b = 0; b < BLOCKS; b++) redo = redo || exponent_above(largest[b]) > f->exponent[b];
    f->redone += redo;
    if (redo) move(f, largest);
}

static float expected_at(uint64_t step, size_t i, int level, int exponent, double factor, double *exactly)
{
    __int128 total = 0;
    const long double scale = ldexpl(1.0L, WORKER_FIXED_BITS - LEAF_BITS - exponent);
    long double plain = 0.0L;
    for (int leaf = 0; leaf < LEAVES; leaf++) {
        const long double v = (long double)value(step, leaf, i, level);
        total += (__int128)llrintl(v * scale);
        plain += v;
    }
    *exactly = (double)(plain * (long double)factor);
    return (float)((double)(int64_t)total * ldexp(factor, exponent + LEAF_BITS - WORKER_FIXED_BITS));
}

static void compare(worker_sums *s, const followed *f, uint64_t step, int deal, int level)
{
    static float got[N];
    const double factor = FACTOR;
    for (size_t at = 0, run = 0; at < N; at += run) {                                  /* taken in other runs than it was added in */
        run = 1 + fw_random(14, FW_RANDOM_TEST, (uint32_t)deal, at, 0).word[0] % 2100;
        if (run > N - at) run = N - at;
        worker_sums_take(s, got + at, at, run);
    }
    for (size_t i = 0; i < N; i++) {
        double exactly = 0.0;
        const int e = f->exponent[i / WORKER_SUMS_BLOCK];
        const float expected = expected_at(step, i, level, e, factor, &exactly);
        CHECK(memcmp(&got[i], &expected, sizeof expected) == 0 || (got[i] == 0.0f && expected == 0.0f), "step %d, deal %d, parameter %zu: %a, not %a",
              (int)step, deal, i, (double)got[i], (double)expected);
        /* each leaf is rounded once to the unit, the result once to a float */
        const double unit = ldexp(factor, e + LEAF_BITS - WORKER_FIXED_BITS);
        CHECK(fabs((double)got[i] - exactly) <= 0.5 * LEAVES * unit + fabs(exactly) * 0x1p-24 + 0x1p-149, "step %d, parameter %zu: %a is far from %a",
              (int)step, i, (double)got[i], exactly);
    }
}

/* ---- the tests -------------------------------------------------------------------------------------------------------------------------------- */

static void meet(worker_sums *s, uint32_t *flags, bool *redo)
{
    fw_error err = {0};
    CHECK(worker_sums_meet(s, flags, redo, NULL, &err) == FW_OK, "%s", err.text);
}

static void same_exponents(worker_group *g, worker_sums *s, const followed *f)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    char *all = NULL;
    size_t offset[64];
    const int64_t *mine = worker_sums_exponents(s);
    for (size_t b = 0; b < BLOCKS; b++)
        CHECK(mine[b] == f->exponent[b], "block %zu has exponent %lld, not %d", b, (long long)mine[b], f->exponent[b]);
    CHECK(reduce->gather_all(reduce->context, mine, BLOCKS * sizeof *mine, &all, offset, NULL) == FW_OK, "gather");
    for (int r = 0; all != NULL && r < size; r++) CHECK(memcmp(all + offset[r], mine, BLOCKS * sizeof *mine) == 0, "rank %d has other exponents", r);
    free(all);
}

/* Levels that stay, creep, jump up (redo), fall, and come back before their exponents have followed. Block 3 is zero in the first steps. */
static void totals_do_not_depend_on_who_adds_what(worker_group *g)
{
    static const int levels[] = {0, 0, 3, -4, 30, 29, -40, -40, 16, 60};
    for (int deal = 0; deal < DEALS; deal++) {
        worker_sums *s = NULL;
        fw_error err = {0};
        followed f = {.redone = 0};
        CHECK(worker_sums_create(&s, g, N, LEAVES, &err) == FW_OK, "%s", err.text);
        if (s == NULL) return;
        CHECK(worker_sums_n_blocks(s) == BLOCKS, "%zu blocks", worker_sums_n_blocks(s));
        for (size_t b = 0; b < BLOCKS; b++) f.exponent[b] = -60;
        for (uint64_t step = 0; step < sizeof levels / sizeof levels[0]; step++) {
            float largest[BLOCKS];
            bool redo = true;
            int tries = 0;
            for (size_t b = 0; b < BLOCKS; b++) largest[b] = largest_of_block(step, b, levels[step]);
            follow(&f, largest);
            for (uint32_t flags = 0; redo && tries < 5; tries++) {
                deal_and_add(s, step, deal, levels[step]);
                meet(s, &flags, &redo);
                CHECK(flags == 0, "flags %u out of nothing", flags);
            }
            CHECK(!redo, "step %d is redone for ever", (int)step);
            CHECK(worker_sums_redone(s) == f.redone, "%llu steps redone, not %llu", (unsigned long long)worker_sums_redone(s),
                  (unsigned long long)f.redone);
            same_exponents(g, s, &f);
            compare(s, &f, step, deal, levels[step]);
            worker_sums_done(s, NULL);
            move(&f, largest);
            same_exponents(g, s, &f);
        }
        CHECK(f.redone == 3, "%llu steps redone: at the start and at the two jumps", (unsigned long long)f.redone);
        worker_sums_release(&s);
    }
}

/* The shares of a node's ranks cover the parameters once, in whole blocks. */
static void shares_cover_the_parameters_once(worker_group *g)
{
    static const size_t sizes[] = {1, 1023, 1024, 1025, N, 3 * 1024};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        worker_sums *s = NULL;
        CHECK(worker_sums_create(&s, g, sizes[k], 1, NULL) == FW_OK, "create");
        if (s == NULL) return;
        const fw_reduce *reduce = worker_group_reduce(g);
        size_t share[2] = {0, 0}, offset[64], next = 0, covered = 0;
        char *all = NULL;
        worker_sums_share(s, &share[0], &share[1]);
        CHECK(share[1] == 0 || share[0] % WORKER_SUMS_BLOCK == 0, "a share begins at %zu", share[0]);
        CHECK(reduce->gather_all(reduce->context, share, sizeof share, &all, offset, NULL) == FW_OK, "gather");
        for (int r = 0; all != NULL && r < size; r++) {
            memcpy(share, all + offset[r], sizeof share);
            if (share[1] == 0) continue;
            if (share[0] == 0) next = 0;                       /* the next node begins */
            CHECK(share[0] == next, "rank %d's share begins at %zu, not %zu", r, share[0], next);
            next = share[0] + share[1];
            covered += share[1];
        }
        CHECK(covered == sizes[k] * (size_t)worker_group_nodes(g), "%zu of %zu parameters are updated", covered, sizes[k]);
        free(all);
        worker_sums_release(&s);
    }
}

static void flags_of_any_rank_reach_all(worker_group *g)
{
    worker_sums *s = NULL;
    CHECK(worker_sums_create(&s, g, 100, 1, NULL) == FW_OK, "create");
    if (s == NULL) return;
    for (int speaker = 0; speaker < size; speaker++) {
        uint32_t flags = 99;
        bool redo = true;
        float one[100];
        for (size_t i = 0; i < 100; i++) one[i] = 1.0f;
        while (redo) {
            worker_sums_begin(s, FACTOR, 1);
            if (rank == 0) worker_sums_add(s, 0, one, 100);
            if (rank == speaker) worker_sums_flag(s, WORKER_FLAG_STOP);
            if (rank == size - 1) worker_sums_flag(s, WORKER_FLAG_CHECKPOINT);
            meet(s, &flags, &redo);
        }
        CHECK(flags == (WORKER_FLAG_STOP | WORKER_FLAG_CHECKPOINT), "rank %d spoke: flags %u", speaker, flags);
        worker_sums_done(s, NULL);
    }
    worker_sums_release(&s);
}

/* A number that is not finite, at any rank, ends the step for all, without a redo; the next step is as if nothing had been. */
static void what_is_not_finite_is_an_event_of_all(worker_group *g)
{
    static const float bad[] = {INFINITY, -INFINITY, NAN};
    worker_sums *s = NULL;
    CHECK(worker_sums_create(&s, g, 3000, 8, NULL) == FW_OK, "create");
    if (s == NULL) return;
    for (int speaker = 0; speaker < size; speaker++)
        for (size_t k = 0; k < 3; k++) {
            uint32_t flags = 0;
            bool redo = true;
            float v[3] = {1.0f, bad[k], 2.0f};
            worker_sums_begin(s, FACTOR, 1);
            const bool finite = worker_sums_add(s, 2046, rank == speaker ? v : (float[]){1, 2, 3}, 3);
            CHECK(finite == (rank != speaker), "rank %d says finite: %d", rank, finite);
            meet(s, &flags, &redo);
            CHECK((flags & WORKER_FLAG_NOT_FINITE) != 0 && !redo, "flags %u, redo %d", flags, redo);
            for (redo = true; redo;) {
                worker_sums_begin(s, 1.0, 1);
                worker_sums_add(s, 0, (float[]){0.5f}, 1);
                meet(s, &flags, &redo);
                CHECK(flags == 0, "flags %u are left", flags);
            }
            float got = 0.0f;
            worker_sums_take(s, &got, 0, 1);
            CHECK(got == 0.5f * (float)size, "%g of %d ranks", (double)got, size);
            worker_sums_done(s, NULL);
        }
    worker_sums_release(&s);
}

/* The largest float there is, and nearly: one redo, not one for ever. */
static void the_largest_gradients_are_summed(worker_group *g)
{
    static const float large[] = {FLT_MAX, 0x1p127f, 0x1.8p126f};
    for (size_t k = 0; k < 3; k++) {
        worker_sums *s = NULL;
        uint32_t flags = 0;
        bool redo = true;
        int tries = 0;
        CHECK(worker_sums_create(&s, g, 10, 8, NULL) == FW_OK, "create");
        if (s == NULL) return;
        for (; redo && tries < 5; tries++) {
            worker_sums_begin(s, 0x1p-10, 1);
            if (rank == size - 1) worker_sums_add(s, 3, &large[k], 1);
            meet(s, &flags, &redo);
        }
        CHECK(tries == 2 && flags == 0, "%d tries, flags %u", tries, flags);
        float got[2] = {1.0f, 1.0f};
        worker_sums_take(s, got, 2, 2);
        CHECK(got[0] == 0.0f && got[1] == large[k] * 0x1p-10f, "%a, not %a", (double)got[1], (double)(large[k] * 0x1p-10f));
        worker_sums_done(s, NULL);
        worker_sums_release(&s);
    }
}

int main(int argc, char **argv)
{
    worker_group *g = NULL;
    if (!checks_start(&g, &argc, &argv)) return 1;
    rank = worker_group_rank(g);
    size = worker_group_size(g);
    totals_do_not_depend_on_who_adds_what(g);
    shares_cover_the_parameters_once(g);
    flags_of_any_rank_reach_all(g);
    what_is_not_finite_is_an_event_of_all(g);
    the_largest_gradients_are_summed(g);
    return checks_end(g);
}
