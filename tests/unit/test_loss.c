/** Softmax and cross-entropy of many rows against double precision, and each row against itself alone. */
#include "worker/kernels/loss.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/random.h"

enum { ROWS = 37, CLASSES = 33 };

static float z[ROWS * CLASSES], delta[ROWS * CLASSES], loss[ROWS], weight[CLASSES];
static int32_t label[ROWS];
static const size_t classes[] = {2, 3, 10, 15, 16, 17, CLASSES};
#define N_CLASSES (sizeof classes / sizeof classes[0])

static void draw(size_t k, float spread)
{
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < k; j++) z[i * k + j] = spread * (float)(2.0 * fw_random_unit(fw_random(6, FW_RANDOM_TEST, (uint32_t)k, i, (uint32_t)j)) - 1.0);
        label[i] = (int32_t)(fw_random(7, FW_RANDOM_TEST, (uint32_t)k, i, 0).word[0] % k);
    }
    for (size_t j = 0; j < k; j++) weight[j] = j % 3 == 1 ? 1.75f : 1.0f;
}

/* exp errs by 4 ulp and of z - top, the sum by k ulp, their quotient and the weight by 1 each: (k + 8) 2^-23 of a probability, which log makes absolute. */
static void deltas_and_losses_are_those_of_double_precision(void **state)
{
    (void)state;
    static const float spreads[] = {0.01f, 3.0f, 20.0f};
    for (size_t c = 0; c < N_CLASSES; c++)
        for (size_t s = 0; s < 3; s++) {
            const size_t k = classes[c];
            const double within = (double)(k + 8) * 0x1p-23 * (1.0 + 2.0 * (double)spreads[s]);
            draw(k, spreads[s]);
            worker_loss_softmax(delta, loss, z, label, weight, ROWS, k);
            for (size_t i = 0; i < ROWS; i++) {
                double sum = 0.0, own = (double)z[i * k + (size_t)label[i]], w = (double)weight[label[i]];
                for (size_t j = 0; j < k; j++) sum += exp((double)z[i * k + j] - own);
                assert_true(fabs((double)loss[i] - w * log(sum)) <= w * (within + log(sum) * 0x1p-22));
                for (size_t j = 0; j < k; j++) {
                    const double p = exp((double)z[i * k + j] - own) / sum, expected = w * (p - (j == (size_t)label[i] ? 1.0 : 0.0));
                    if (fabs((double)delta[i * k + j] - expected) > w * within)
                        fail_msg("k %zu, row %zu, class %zu: %g, expected %g", k, i, j, (double)delta[i * k + j], expected);
                }
            }
        }
}

static void a_row_alone_gives_the_same_bits(void **state)
{
    (void)state;
    float own_delta[CLASSES], own_loss;
    for (size_t c = 0; c < N_CLASSES; c++) {
        const size_t k = classes[c];
        draw(k, 5.0f);
        worker_loss_softmax(delta, loss, z, label, weight, ROWS, k);
        for (size_t i = 0; i < ROWS; i++) {
            worker_loss_softmax(own_delta, &own_loss, z + i * k, label + i, weight, 1, k);
            assert_memory_equal(own_delta, delta + i * k, k * sizeof *delta);
            assert_memory_equal(&own_loss, &loss[i], sizeof own_loss);
        }
    }
}

static void what_is_not_finite_is_the_loss_of_its_row_alone(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t b = 0; b < 3; b++) {
        draw(10, 2.0f);
        for (size_t j = 0; j < 10; j++) z[5 * 10 + j] = b == 2 || j == 7 ? bad[b] : 0.0f;
        worker_loss_softmax(delta, loss, z, label, weight, ROWS, 10);
        for (size_t i = 0; i < ROWS; i++) assert_true(isnan(loss[i]) == (i == 5));
    }
}

static void a_hopeless_row_has_a_finite_loss(void **state)
{
    (void)state;
    const float far[2] = {1000.0f, -1000.0f};
    float d[2], one;
    weight[0] = weight[1] = 1.0f;
    label[0] = 1;
    worker_loss_softmax(d, &one, far, label, weight, 1, 2);
    assert_true(one > 85.0f && one < 85.3f && d[0] == 1.0f && d[1] == -1.0f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deltas_and_losses_are_those_of_double_precision),
        cmocka_unit_test(a_row_alone_gives_the_same_bits),
        cmocka_unit_test(what_is_not_finite_is_the_loss_of_its_row_alone),
        cmocka_unit_test(a_hopeless_row_has_a_finite_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
