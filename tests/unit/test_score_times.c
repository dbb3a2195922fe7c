/** Times of a scoring's parts: quantiles with telemetry and without, each of its own order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/score_times.h"

#define PARTS 1000

static void judged_with_telemetry_and_without(void **state)
{
    (void)state;
    worker_parts p = {0};
    worker_score_result r = {.rows = 7};
    for (size_t i = 0; i < PARTS; i++) {
        const size_t rank = (i * 617 + 5) % PARTS + 1;        /* 1 to 1000, each once */
        const worker_part took = {.seconds = (double)rank, .telemetry = rank > 980 ? (double)rank - 0.5 : 0.25};      /* in the slowest ones nearly all */
        assert_int_equal(worker_parts_note(&p, took, NULL), FW_OK);
    }
    worker_parts_judge(&p, &r);
    assert_int_equal(r.parts, PARTS);
    assert_int_equal(r.rows, 7);
    assert_true(r.part.p50_s == 500 && r.part.p99_s == 990);
    assert_true(r.bare.p50_s == 480 - 0.25 && r.bare.p99_s == 970 - 0.25);      /* twenty are at 0.5 now, below all others */
    assert_true(r.parts_s == 500500 && r.telemetry_s == 980 * 0.25 + 20 * (990.5 - 0.5));
    worker_parts_destroy(&p);
}

static void of_no_part_or_one(void **state)
{
    (void)state;
    worker_parts p = {0};
    worker_score_result r = {0};
    worker_parts_judge(&p, &r);
    assert_true(r.parts == 0 && r.part.p99_s == 0);
    assert_int_equal(worker_parts_note(&p, (worker_part){.seconds = 3, .telemetry = 1}, NULL), FW_OK);
    worker_parts_judge(&p, &r);
    assert_true(r.parts == 1 && r.part.p50_s == 3 && r.part.p99_s == 3 && r.bare.p50_s == 2 && r.bare.p99_s == 2);
    worker_parts_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(judged_with_telemetry_and_without), cmocka_unit_test(of_no_part_or_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
