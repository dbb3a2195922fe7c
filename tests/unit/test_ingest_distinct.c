/* Distinct values by hash (worker/ingest_distinct.h), against a plain count, and the same over ranks in any order. */
#include "worker/ingest_distinct.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/core/hash.h"
#include "tests/unit/thread_ranks.h"

enum { RANKS = 3, SETS = 4, FEW = 1000 };

/* Value i of a set has one of n_values hashes. */
static uint64_t hash_of(uint64_t set, uint64_t i, uint64_t n_values)
{
    const uint64_t value = (i * 2654435761u + set) % n_values;
    return fw_hash64(&value, sizeof value, set);
}

static const uint64_t n_values[SETS] = {1, WORKER_DISTINCT_MOST, WORKER_DISTINCT_MOST + 1, 20 * WORKER_DISTINCT_MOST};

static uint64_t n_rows(size_t set) { return 2 * n_values[set] + 10; }

static fw_status add_rows(worker_distinct *d, size_t set, uint64_t first, uint64_t step, uint64_t behind)
{
    for (uint64_t i = first; i < behind; i += step) {
        const uint64_t hash = hash_of(set, i, n_values[set]);
        fw_status s = worker_distinct_add(d, &hash, 1, NULL);
        if (s != FW_OK) return s;
    }
    return FW_OK;
}

typedef struct counts { uint64_t v[RANKS][SETS]; fw_status status[RANKS]; } counts;

static void count_on_rank(const fw_reduce *reduce, void *context)
{
    counts *c = context;
    worker_distinct sets[SETS] = {0}, *list[SETS];
    fw_status s = FW_OK;
    const uint64_t rank = (uint64_t)reduce->rank, size = (uint64_t)reduce->size;
    for (size_t k = 0; k < SETS; k++) {
        list[k] = &sets[k];
        const bool uneven = k == SETS - 1 && size > 1;        /* the first rank has nearly all: its limit is lower than the others' */
        if (s == FW_OK && uneven && rank > 0) s = add_rows(&sets[k], k, n_rows(k) - FEW + rank - 1, size - 1, n_rows(k));
        else if (s == FW_OK) s = add_rows(&sets[k], k, uneven ? 0 : rank, uneven ? 1 : size, n_rows(k) - (uneven ? FEW : 0));
    }
    if (s == FW_OK) s = worker_distinct_count(c->v[reduce->rank], list, SETS, reduce, NULL);
    c->status[reduce->rank] = s;
    for (size_t k = 0; k < SETS; k++) worker_distinct_clear(&sets[k]);
}

static void count(counts *c, int ranks)
{
    *c = (counts){0};
    thread_ranks_run(ranks, count_on_rank, c);
    for (int r = 0; r < ranks; r++) assert_int_equal(c->status[r], FW_OK);
}

static void few_are_counted_and_many_estimated(void **state)
{
    (void)state;
    counts c;
    count(&c, 1);
    assert_int_equal(c.v[0][0], 1);
    assert_int_equal(c.v[0][1], WORKER_DISTINCT_MOST);
    for (size_t k = 2; k < SETS; k++) {
        assert_true(c.v[0][k] > n_values[k] * 95 / 100);          /* 5 standard errors */
        assert_true(c.v[0][k] < n_values[k] * 105 / 100);
    }
}

static void any_number_of_ranks_counts_the_same(void **state)
{
    (void)state;
    counts one, many;
    count(&one, 1);
    for (int ranks = 2; ranks <= RANKS; ranks++) {
        count(&many, ranks);
        for (int r = 0; r < ranks; r++)
            for (size_t k = 0; k < SETS; k++) assert_int_equal(many.v[r][k], one.v[0][k]);
    }
}

static void repeats_are_those_that_were_there(void **state)
{
    (void)state;
    const uint64_t hash[] = {5, 7, 5, 0, UINT64_MAX, 0, 5};
    uint64_t repeats = 99, *scratch = NULL;
    size_t capacity = 0;
    assert_int_equal(worker_count_repeats(&repeats, hash, 7, &scratch, &capacity, NULL), FW_OK);
    assert_int_equal(repeats, 3);
    assert_int_equal(worker_count_repeats(&repeats, hash, 0, &scratch, &capacity, NULL), FW_OK);
    assert_int_equal(repeats, 0);
    free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_are_counted_and_many_estimated),
        cmocka_unit_test(any_number_of_ranks_counts_the_same),
        cmocka_unit_test(repeats_are_those_that_were_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
