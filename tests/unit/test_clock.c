#include "common/core/clock.h"

#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static void deadlines_pass_and_saturate(void **state)
{
    (void)state;
    fw_mono now = fw_mono_now();
    assert_true(fw_mono_passed(now));
    assert_false(fw_mono_passed(fw_mono_after(now, 3600)));
    assert_true(fw_mono_passed(fw_mono_after(now, -1)));
    assert_int_equal(fw_mono_left_ms(now), 0);
    assert_in_range(fw_mono_left_ms(fw_mono_after(fw_mono_now(), 100)), 99000, 100000);
    assert_int_equal(fw_mono_after((fw_mono){0}, 1.5).ns, 1500000000);

    static const double never[] = {1e300, INFINITY, NAN, 9.3e9};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        assert_true(fw_mono_after(now, never[i]).ns == INT64_MAX);
        assert_int_equal(fw_mono_left_ms(fw_mono_after(now, never[i])), INT_MAX);
    }
    assert_true(fw_mono_passed(fw_mono_after(now, -1e300)));
}

static void seconds_have_a_sign(void **state)
{
    (void)state;
    fw_mono a = {1000000000}, b = {3500000000};
    assert_true(fw_mono_seconds(a, b) == 2.5);
    assert_true(fw_mono_seconds(b, a) == -2.5);
}

static void a_sleep_lasts_at_least_as_long_as_asked(void **state)
{
    (void)state;
    fw_mono start = fw_mono_now();
    fw_sleep_ms(20);
    fw_sleep_ms(0);
    fw_sleep_ms(-5);
    assert_true(fw_mono_seconds(start, fw_mono_now()) >= 0.020);
}

/* Oracle: `date -u -d @SECONDS` of GNU coreutils. */
static void utc_text_is_rfc_3339(void **state)
{
    (void)state;
    static const struct { int64_t us; const char *text; } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1772368496789000, "2026-03-01T12:34:56.789Z"},
        {1772368496789999, "2026-03-01T12:34:56.789Z"},
        {951782399000000, "2000-02-28T23:59:59.000Z"},
        {951782400000000, "2000-02-29T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000000, "1969-12-31T23:59:59.000Z"},
        {-2208988800000000, "1900-01-01T00:00:00.000Z"},
    };
    char text[FW_UTC_LEN];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fw_utc_format(text, rows[i].us);
        assert_string_equal(text, rows[i].text);
    }
    fw_utc_format(text, INT64_MAX);
    assert_string_equal(text, "294247-01-10T04:00:54.775Z");
    fw_utc_format(text, INT64_MIN);
    assert_int_equal(text[strlen(text) - 1], 'Z');
}

static void windows_of_time_begin_at_multiples_of_their_length(void **state)
{
    (void)state;
    assert_int_equal(fw_utc_window(0, 60000000), 0);
    assert_int_equal(fw_utc_window(59999999, 60000000), 0);
    assert_int_equal(fw_utc_window(60000000, 60000000), 1);
    assert_int_equal(fw_utc_window(1772368496789000, INT64_C(3600000000)), 492324);
}

static void now_is_the_system_clock(void **state)
{
    (void)state;
    int64_t before = (int64_t)time(NULL), us = fw_utc_now_us(), after = (int64_t)time(NULL);
    assert_true(us / 1000000 >= before - 1 && us / 1000000 <= after + 1);
    char text[FW_UTC_LEN];
    fw_utc_now(text);
    assert_int_equal(strlen(text), 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_pass_and_saturate),
        cmocka_unit_test(seconds_have_a_sign),
        cmocka_unit_test(a_sleep_lasts_at_least_as_long_as_asked),
        cmocka_unit_test(utc_text_is_rfc_3339),
        cmocka_unit_test(windows_of_time_begin_at_multiples_of_their_length),
        cmocka_unit_test(now_is_the_system_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
