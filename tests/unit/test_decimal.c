/* Short decimals (common/data/decimal.h): what is said so gives the double's bits again, by strtod. */
#include "common/data/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/core/random.h"

enum { MANY = 200000 };

static void short_texts_have_a_decimal(void **state)
{
    (void)state;
    static const char *const texts[] = {"0", "-0", "-0.0", "1", "-1", "1.52197", "0.0629122", "134217727", "-134217727", "4.33599e-05", "1e-14", "1e5", "1E+5", "12.5e1",
                                        "0.00000000000001", ".5", "-.5", "5.", "00012.50", "1e-0"};
    double back[sizeof texts / sizeof *texts];
    uint32_t v[sizeof texts / sizeof *texts];
    const size_t n = sizeof texts / sizeof *texts;
    for (size_t i = 0; i < n; i++) v[i] = fw_decimal_of(texts[i], strlen(texts[i]), strtod(texts[i], NULL));
    assert_true(fw_decimals_all(v, n));
    fw_decimals_read(back, v, n);
    for (size_t i = 0; i < n; i++) {
        const double x = strtod(texts[i], NULL);
        if (memcmp(&back[i], &x, sizeof x) != 0) fail_msg("%s came back as %.17g", texts[i], back[i]);
    }
}

static void others_have_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"134217728", "1e-15", "1e30", "0.223456789", "1.7976931348623157e308", "nan", "inf", "x", "", "0x10"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (fw_decimal_of(texts[i], strlen(texts[i]), strtod(texts[i], NULL)) != FW_DECIMAL_NONE) fail_msg("\"%s\" has a decimal", texts[i]);
    assert_int_equal(fw_decimal_of("1.5", 3, 1.25), FW_DECIMAL_NONE);      /* of another number */
}

static void one_that_has_none_is_noticed_wherever_it_stands(void **state)
{
    (void)state;
    uint32_t v[37] = {0};
    for (size_t n = 0; n <= 37; n++) {
        assert_true(fw_decimals_all(v, n));
        for (size_t i = 0; i < n; i++) {
            v[i] = FW_DECIMAL_NONE;
            assert_false(fw_decimals_all(v, n));
            v[i] = 0;
        }
    }
}

static void random_numbers_come_back(void **state)
{
    (void)state;
    uint64_t said = 0;
    for (uint64_t i = 0; i < MANY; i++) {
        fw_philox r = fw_random(5, FW_RANDOM_TEST, 0, i, 0);
        char text[64];
        double back, x = ((double)r.word[0] - 2147483648.0) / (double)(1 + (r.word[1] >> (r.word[3] % 32)));
        snprintf(text, sizeof text, "%.*g", (int)(1 + r.word[2] % 12), x);
        x = strtod(text, NULL);
        const uint32_t v = fw_decimal_of(text, strlen(text), x);
        if (v == FW_DECIMAL_NONE) continue;
        said++;
        fw_decimals_read(&back, &v, 1);
        if (memcmp(&back, &x, sizeof x) != 0) fail_msg("%s came back as %.17g", text, back);
    }
    assert_true(said > MANY / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_texts_have_a_decimal),
        cmocka_unit_test(others_have_none),
        cmocka_unit_test(one_that_has_none_is_noticed_wherever_it_stands),
        cmocka_unit_test(random_numbers_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
