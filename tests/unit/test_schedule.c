/** The learning rate of a step against its formulas, with the C library's cosine in long double.
 *  Tolerance: the series promises 1e-15, the few operations around it add some 2^-53 of the rate. */
#include "worker/learners/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static fw_project project_of(fw_schedule kind, double rate, uint64_t epochs, double warmup)
{
    fw_project p = {0};
    p.train.learning_rate = rate;
    p.train.epochs = epochs;
    p.train.schedule.kind = kind;
    p.train.schedule.warmup_epochs = warmup;
    p.train.schedule.step_factor = 0.1;
    p.train.schedule.step_epochs = 3;
    return p;
}

static void near(double got, long double expected, double rate, uint64_t step)
{
    if (!(fabsl((long double)got - expected) <= 4e-15L * (long double)rate))
        fail_msg("step %llu: %.17g, expected %.17Lg", (unsigned long long)step, got, expected);
}

static void constant_stays(void **state)
{
    (void)state;
    const fw_project p = project_of(FW_SCHEDULE_CONSTANT, 0.125, 4, 0.0);
    for (uint64_t step = 0; step < 400; step++) assert_true(worker_schedule_rate(&p, step, 100) == 0.125);
}

static void step_falls_after_every_few_epochs(void **state)
{
    (void)state;
    const fw_project p = project_of(FW_SCHEDULE_STEP, 0.5, 12, 0.0);
    for (uint64_t step = 0; step < 12 * 7; step++) near(worker_schedule_rate(&p, step, 7), 0.5L * powl(0.1L, (long double)(step / 7 / 3)), 0.5, step);
    fw_project every = p;
    every.train.schedule.step_epochs = 0;                  /* not given: each epoch */
    near(worker_schedule_rate(&every, 14, 7), 0.005L, 0.5, 14);
}

static void cosine_goes_from_the_rate_to_its_share(void **state)
{
    (void)state;
    static const double finals[] = {0.0, 0.01, 1.0}, warmups[] = {0.0, 1.0, 2.5};
    const long double pi = acosl(-1.0L);
    const uint64_t per_round = 37, epochs = 10;
    for (size_t f = 0; f < 3; f++)
        for (size_t k = 0; k < 3; k++) {
            fw_project p = project_of(FW_SCHEDULE_COSINE, 0.3, epochs, warmups[k]);
            p.train.schedule.final_factor = finals[f];
            const long double begin = (long double)warmups[k] * per_round, end = (long double)(epochs * per_round),
                              low = 0.3L * (long double)finals[f];
            double before = INFINITY;
            for (uint64_t step = (uint64_t)ceill(begin); step < epochs * per_round; step++) {
                const double got = worker_schedule_rate(&p, step, per_round);
                near(got, low + (0.3L - low) * 0.5L * (1.0L + cosl(pi * ((long double)step - begin) / (end - begin))), 0.3, step);
                assert_true(got <= before);
                before = got;
            }
            near(worker_schedule_rate(&p, epochs * per_round, per_round), low, 0.3, epochs * per_round);
            near(worker_schedule_rate(&p, epochs * per_round + 5, per_round), low, 0.3, epochs * per_round + 5);
        }
}

static void the_warm_up_rises_in_equal_steps_and_reaches_the_rate(void **state)
{
    (void)state;
    static const fw_schedule kinds[] = {FW_SCHEDULE_CONSTANT, FW_SCHEDULE_STEP, FW_SCHEDULE_COSINE};
    static const double warmups[] = {0.5, 1.0, 2.0, 2.7};
    for (size_t k = 0; k < 3; k++)
        for (size_t w = 0; w < 4; w++) {
            const fw_project p = project_of(kinds[k], 0.2, 5, warmups[w]);
            const double steps = warmups[w] * 20.0;
            double before = 0.0;
            for (uint64_t step = 0; (double)step < steps; step++) {
                const double got = worker_schedule_rate(&p, step, 20);
                assert_true(got > before);
                near(got, 0.2L * ((long double)step + 1.0L) / (long double)steps, 0.2, step);
                before = got;
            }
            assert_true(before <= 0.2 * (1.0 + 1.0 / steps));
        }
}

/* A run that is all warm-up has no cosine left. */
static void a_warm_up_as_long_as_the_run_is_possible(void **state)
{
    (void)state;
    const fw_project p = project_of(FW_SCHEDULE_COSINE, 0.2, 2, 2.0);
    for (uint64_t step = 0; step < 22; step++) assert_true(isfinite(worker_schedule_rate(&p, step, 10)));
    near(worker_schedule_rate(&p, 19, 10), 0.2L, 0.2, 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_stays),
        cmocka_unit_test(step_falls_after_every_few_epochs),
        cmocka_unit_test(cosine_goes_from_the_rate_to_its_share),
        cmocka_unit_test(the_warm_up_rises_in_equal_steps_and_reaches_the_rate),
        cmocka_unit_test(a_warm_up_as_long_as_the_run_is_possible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
