/** Features that are bytes / 255: every byte there and back, at every length; what is none is refused. */
#include "worker/kernels/bytes.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { ALL = 256 };

static void each_byte_gives_its_quotient_rounded_once(void **state)
{
    (void)state;
    for (size_t shift = 0; shift < 17; shift++) {
        uint8_t b[ALL];
        float x[ALL + 1];
        for (size_t i = 0; i < ALL; i++) b[i] = (uint8_t)(i + shift);
        for (size_t n = 1; n <= ALL; n++) {
            x[n] = 1234.5f;
            worker_bytes_to_features(x, b, n);
            assert_true(x[n] == 1234.5f);
        }
        for (size_t i = 0; i < ALL; i++) {
            const volatile float expected = (float)((double)b[i] / 255.0);
            const float e = expected;
            assert_memory_equal(&x[i], &e, sizeof e);
        }
    }
}

static void the_way_back_gives_the_byte(void **state)
{
    (void)state;
    float x[ALL];
    uint8_t b[ALL];
    for (size_t i = 0; i < ALL; i++) x[i] = (float)((double)i / 255.0);
    for (size_t n = 1; n <= ALL; n++) assert_true(worker_bytes_of_features(b, x, n));
    for (size_t i = 0; i < ALL; i++) assert_int_equal(b[i], i);
}

static void a_feature_that_is_no_byte_is_refused(void **state)
{
    (void)state;
    const float others[] = {0.5f, 1.0f / 256.0f, 256.0f / 255.0f, -1.0f / 255.0f, -0.0f, 1e9f, -1e9f, INFINITY, -INFINITY, NAN, nextafterf(1.0f / 255.0f, 1.0f)};
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
        for (size_t at = 0; at < 40; at++) {
            float x[40] = {0};
            uint8_t b[40];
            x[at] = others[k];
            if (worker_bytes_of_features(b, x, 40)) fail_msg("%a at %zu was taken for a byte", (double)others[k], at);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_gives_its_quotient_rounded_once),
        cmocka_unit_test(the_way_back_gives_the_byte),
        cmocka_unit_test(a_feature_that_is_no_byte_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
