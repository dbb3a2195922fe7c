#include "common/core/time_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

/* Expected values: Python, datetime.fromisoformat(text).timestamp() * 1e6, texts without a zone taken as UTC. */
static void texts_become_microseconds_or_are_refused(void **state)
{
    (void)state;
    static const struct { const char *text; bool ok; int64_t us; } cases[] = {
        {"1970-01-01", true, 0},
        {"2026-03-01", true, INT64_C(1772323200000000)},
        {"2026-03-01T10:20:30Z", true, INT64_C(1772360430000000)},
        {"2026-03-01t10:20:30z", true, INT64_C(1772360430000000)},
        {"2026-03-01 10:20:30", true, INT64_C(1772360430000000)},
        {"2026-03-01T10:20", true, INT64_C(1772360400000000)},
        {"2026-03-01T10:20:30.5", true, INT64_C(1772360430500000)},
        {"2026-03-01T10:20:30.123456", true, INT64_C(1772360430123456)},
        {"2026-03-01T10:20:30.123456000+02:00", true, INT64_C(1772353230123456)},
        {"2026-03-01T10:20:30-0530", true, INT64_C(1772380230000000)},
        {"2026-03-01T10:20:30+02", true, INT64_C(1772353230000000)},
        {"2026-03-01T10:20+02:00", true, INT64_C(1772353200000000)},
        {"1969-12-31T23:59:59.999999Z", true, -1},
        {"2000-02-29", true, INT64_C(951782400000000)},
        {"0001-01-01", true, INT64_C(-62135596800000000)},
        {"9999-12-31T23:59:59.999999Z", true, INT64_C(253402300799999999)},
        {"2026-03-01T10:20:30.1234567", false, 0},
        {"1900-02-29", false, 0},
        {"2026-13-01", false, 0},
        {"2026-00-01", false, 0},
        {"2026-04-31", false, 0},
        {"2026-3-1", false, 0},
        {"2026-03-01T", false, 0},
        {"2026-03-01T24:00", false, 0},
        {"2026-03-01T10:60", false, 0},
        {"2026-03-01T10:20:60", false, 0},
        {"2026-03-01T10", false, 0},
        {"2026-03-01T10:20:30.", false, 0},
        {"2026-03-01T10:20:30+2", false, 0},
        {"2026-03-01T10:20:30+02:", false, 0},
        {"2026-03-01T10:20:30+24:00", false, 0},
        {"2026-03-01T10:20:30Zulu", false, 0},
        {"2026-03-01  10:20:30", false, 0},
        {"20260301", false, 0},
        {"01.03.2026", false, 0},
        {"1772360430", false, 0},
        {" 2026-03-01", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t us = 0;
        if (fw_parse_time(&us, cases[i].text, strlen(cases[i].text)) != cases[i].ok || us != cases[i].us)
            fail_msg("%s: %lld", cases[i].text, (long long)us);
        for (size_t len = 0; !cases[i].ok && len < strlen(cases[i].text); len++) (void)fw_parse_time(&us, cases[i].text, len);
    }
}

/* timegm is the oracle for every day of 800 years. */
static void every_day_is_the_one_of_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = -200000; day < 100000; day++) {
        time_t t = (time_t)(day * 86400);
        struct tm tm;
        char text[64];
        int64_t us;
        assert_non_null(gmtime_r(&t, &tm));
        size_t len = strftime(text, sizeof text, "%Y-%m-%d", &tm);
        assert_true(fw_parse_time(&us, text, len));
        assert_true(us == day * INT64_C(86400000000));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_microseconds_or_are_refused),
        cmocka_unit_test(every_day_is_the_one_of_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
