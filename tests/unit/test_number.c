/* Numbers as text (common/core/number.c). Oracle: strtod and strtof of the C library, which round correctly. */
#include "common/core/text.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/core/random.h"

static uint64_t bits(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static void agrees_with_strtod(const char *text)
{
    double x = 12345;
    if (!fw_parse_double(&x, text, strlen(text)) || bits(x) != bits(strtod(text, NULL)))
        fail_msg("\"%s\" read as %.17g, strtod says %.17g", text, x, strtod(text, NULL));
}

static void doubles_are_read_as_strtod_reads_them(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0", "-0", "+0", "-0.0", "1", "+1", "-1", "1.", ".5", "-.5", "00012.500", "1e0", "1E5", "1e+5", "1e-5", "0e999999999999", "0.1", "0.2", "0.3",
        "9007199254740992", "9007199254740993", "9007199254740994", "9007199254740995", "18014398509481985", "1e22", "1e23", "8.5e22", "9007199254740993e22",
        "123456789012345678", "1234567890123456789", "12345678901234567890", "0.000000000000000000000000000000000000001", "100000000000000000000000000000",
        "1.7976931348623157e308", "1.7976931348623158e308", "2.2250738585072014e-308", "2.2250738585072011e-308", "4.9406564584124654e-324", "5e-324", "2e-324",
        "1e-400", "-1e-400", "3.14159265358979323846264338327950288419716939937510", "6.8000000000000000000000000000000001",
        "1.00000000000000011102230246251565404236316680908203125", "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126", "0.500000000000000166533453693773481063544750213623046875",
        "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616", "1e-27", "1e27", "1e28", "7e-10", "4503599627370496.5",
        "4503599627370497.5", "45035996273704965e-1", "9007199254740993000e-3",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) agrees_with_strtod(texts[i]);
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", " ", " 1", "1 ", "1\n", "+", "-", ".", "e5", ".e5", "1e", "1e+", "1e-", "1e5.", "1.2.3", "--1", "+-1", "1,5", "0x10", "0x1p3", "nan", "NaN", "inf",
        "-inf", "Infinity", "1e309", "-1e309", "1e99999999999999999999", "1f", "1d", "1_000", "\xD9\xA1", "abc", "1e5e5", "1 2",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double x = 12345;
        if (fw_parse_double(&x, texts[i], strlen(texts[i]))) fail_msg("\"%s\" was taken for %g", texts[i], x);
        assert_true(x == 12345);
    }
    double x = 12345;
    assert_false(fw_parse_double(&x, "1\0", 2));
    assert_true(fw_parse_double(&x, "12.5xyz", 4));      /* the length rules, not a NUL */
    assert_true(x == 12.5);
}

static void very_long_numbers(void **state)
{
    (void)state;
    char text[1100];
    memset(text, '0', sizeof text);
    text[1] = '.';
    text[1020] = '7';
    text[1021] = '\0';
    agrees_with_strtod(text);
    memset(text, '9', sizeof text);
    double x;
    assert_false(fw_parse_double(&x, text, 1025));      /* above the limit, and infinite too */
    memset(text, '0', sizeof text);
    assert_false(fw_parse_double(&x, text, 1025));
    assert_true(fw_parse_double(&x, text, 1024));
}

/* Digits and exponent at random: each of the three ways to read one is taken many times. */
static void a_million_random_texts_agree_with_strtod(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 1000000; i++) {
        fw_philox r = fw_random(1, FW_RANDOM_TEST, 0, i, 0), q = fw_random(1, FW_RANDOM_TEST, 0, i, 1);
        uint64_t  digits = (uint64_t)r.word[0] << 32 | r.word[1];
        uint64_t  pattern = (uint64_t)q.word[2] << 32 | q.word[3];
        double    any;
        char      text[64];
        memcpy(&any, &pattern, sizeof any);
        switch (i % 8) {
        case 0: snprintf(text, sizeof text, "%.*f", (int)(r.word[2] % 10), (double)digits * 1e-12); break;
        case 1: snprintf(text, sizeof text, "%" PRIu64 "e%d", digits >> r.word[2] % 60, (int)(r.word[3] % 60) - 30); break;
        case 2: snprintf(text, sizeof text, "-%" PRIu64 ".%" PRIu32, digits >> r.word[2] % 64, r.word[3]); break;
        case 3: snprintf(text, sizeof text, "0.%" PRIu64, digits); break;
        case 4: snprintf(text, sizeof text, "%.*g", 1 + (int)(r.word[2] % 20), isfinite(any) ? any : 1.0); break;
        case 5: snprintf(text, sizeof text, "%.18e", fw_random_normal(r)); break;
        case 6: snprintf(text, sizeof text, "%" PRIu64 "%05" PRIu32 "e%d", digits, r.word[2] % 100000, (int)(r.word[3] % 640) - 340); break;
        default: snprintf(text, sizeof text, "%.*f", (int)(r.word[2] % 6), (double)(r.word[0] % 1000000) / 1000); break;
        }
        if (isfinite(strtod(text, NULL))) agrees_with_strtod(text);
    }
}

/* Texts at, and one digit above and below, the middle between two doubles: what a wrong second rounding gets wrong. */
static void halfway_cases_agree_with_strtod(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 20000; i++) {
        fw_philox r = fw_random(2, FW_RANDOM_TEST, 0, i, 0);
        uint64_t  odd = (((uint64_t)r.word[0] << 32 | r.word[1]) >> 10 | UINT64_C(1) << 53) | 1;      /* 54 bits: a middle */
        char      text[64];
        int       scale = (int)(r.word[2] % 3);
        snprintf(text, sizeof text, "%" PRIu64 "%s", odd, scale == 0 ? "" : scale == 1 ? "00" : "e3");
        agrees_with_strtod(text);
        for (int64_t off = -1; off <= 1; off++) {
            snprintf(text, sizeof text, "%" PRIu64 "e-2", odd * 100 + (uint64_t)off);
            agrees_with_strtod(text);
        }
        snprintf(text, sizeof text, "%" PRIu64 ".5", odd >> 2);      /* exact in 53 or 54 bits */
        agrees_with_strtod(text);
    }
}

static void integers_are_strict(void **state)
{
    (void)state;
    static const struct { const char *s; int is_int; int64_t i; int is_uint; uint64_t u; } rows[] = {
        {"0", 1, 0, 1, 0}, {"-0", 1, 0, 0, 0}, {"+7", 1, 7, 1, 7}, {"007", 1, 7, 1, 7}, {"-12", 1, -12, 0, 0},
        {"9223372036854775807", 1, INT64_MAX, 1, INT64_MAX}, {"9223372036854775808", 0, 0, 1, (uint64_t)INT64_MAX + 1},
        {"-9223372036854775808", 1, INT64_MIN, 0, 0}, {"-9223372036854775809", 0, 0, 0, 0},
        {"18446744073709551615", 0, 0, 1, UINT64_MAX}, {"18446744073709551616", 0, 0, 0, 0}, {"99999999999999999999999", 0, 0, 0, 0},
        {"", 0, 0, 0, 0}, {"-", 0, 0, 0, 0}, {"+", 0, 0, 0, 0}, {"-+1", 0, 0, 0, 0}, {"+-1", 0, 0, 0, 0}, {"--1", 0, 0, 0, 0}, {" 1", 0, 0, 0, 0},
        {"1 ", 0, 0, 0, 0}, {"1.0", 0, 0, 0, 0}, {"1e3", 0, 0, 0, 0}, {"0x10", 0, 0, 0, 0}, {"ten", 0, 0, 0, 0},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        int64_t  i = 77;
        uint64_t u = 77;
        assert_int_equal(fw_parse_int64(&i, rows[k].s, strlen(rows[k].s)), rows[k].is_int);
        assert_int_equal(fw_parse_uint64(&u, rows[k].s, strlen(rows[k].s)), rows[k].is_uint);
        assert_true(i == (rows[k].is_int ? rows[k].i : 77));
        assert_true(u == (rows[k].is_uint ? rows[k].u : 77));
    }
}

static void formatted_doubles_are_short_and_read_back(void **state)
{
    (void)state;
    static const struct { double v; const char *text; } rows[] = {
        {0, "0"}, {-0.0, "-0"}, {1, "1"}, {0.1, "0.1"}, {0.3, "0.3"}, {0.1 + 0.2, "0.30000000000000004"}, {1e22, "1e+22"}, {100000, "100000"},
        {5e-324, "5e-324"}, {DBL_MIN, "2.2250738585072014e-308"}, {DBL_MAX, "1.7976931348623157e+308"}, {NAN, "nan"}, {INFINITY, "inf"}, {-INFINITY, "-inf"},
        {1.0 / 3, "0.3333333333333333"}, {2.0 / 3, "0.6666666666666666"},
    };
    char text[FW_NUMBER_TEXT];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fw_format_double(text, rows[i].v);
        assert_string_equal(text, rows[i].text);
    }
    for (uint64_t i = 0; i < 100000; i++) {
        fw_philox r = fw_random(4, FW_RANDOM_TEST, 0, i, 0);
        double    v;
        char      shorter[64];
        memcpy(&v, r.word, sizeof v);
        if (!isfinite(v)) continue;
        fw_format_double(text, v);
        assert_true(bits(strtod(text, NULL)) == bits(v));
        size_t digits = 0;
        for (const char *c = text + strcspn(text, "123456789"); *c != '\0' && *c != 'e'; c++) digits += *c >= '0' && *c <= '9';
        if (digits < 17) continue;
        snprintf(shorter, sizeof shorter, "%.16g", v);
        assert_true(strtod(shorter, NULL) != v);
    }
}

/* Any decimal of 15 digits is told apart by a double (DBL_DIG), so it must come back as it was written. */
static void decimals_of_fifteen_digits_come_back(void **state)
{
    (void)state;
    char text[64], back[FW_NUMBER_TEXT];
    for (uint64_t i = 0; i < 20000; i++) {
        fw_philox r = fw_random(6, FW_RANDOM_TEST, 0, i, 0);
        double    x = 0;
        snprintf(text, sizeof text, "%" PRIu32 ".%08" PRIu32 "7", 100000 + r.word[0] % 900000, r.word[1] % 100000000);
        assert_true(fw_parse_double(&x, text, strlen(text)));
        fw_format_double(back, x);
        assert_string_equal(back, text);
    }
}

static void formatted_floats_are_short_and_read_back(void **state)
{
    (void)state;
    static const struct { float v; const char *text; } rows[] = {
        {0, "0"}, {0.1f, "0.1"}, {0.3f, "0.3"}, {1.0f / 3, "0.33333334"}, {16777216, "16777216"}, {FLT_MAX, "3.4028235e+38"}, {0x1p-149f, "1e-45"},
        {(float)NAN, "nan"}, {-(float)INFINITY, "-inf"}, {100000, "100000"},
    };
    char text[FW_NUMBER_TEXT];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fw_format_float(text, rows[i].v);
        assert_string_equal(text, rows[i].text);
    }
    for (uint64_t i = 0; i < 100000; i++) {
        fw_philox r = fw_random(5, FW_RANDOM_TEST, 0, i, 0);
        float     v, back;
        memcpy(&v, r.word, sizeof v);
        if (!isfinite(v)) continue;
        fw_format_float(text, v);
        back = strtof(text, NULL);
        assert_memory_equal(&back, &v, sizeof v);
    }
}

/* Where the machine has a locale with a decimal comma, numbers keep their point. */
static void the_locale_does_not_matter(void **state)
{
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "ru_RU.UTF-8"};
    const char *set = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && set == NULL; i++) set = setlocale(LC_ALL, names[i]);
    double x = 0;
    char   text[FW_NUMBER_TEXT];
    assert_true(fw_parse_double(&x, "3.14159265358979323846264338", 28));
    assert_true(x == 3.14159265358979323846);
    assert_false(fw_parse_double(&x, "3,5", 3));
    fw_format_double(text, 0.1 + 0.2);
    assert_string_equal(text, "0.30000000000000004");
    fw_format_float(text, 1.5f);
    assert_string_equal(text, "1.5");
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_are_read_as_strtod_reads_them),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(very_long_numbers),
        cmocka_unit_test(a_million_random_texts_agree_with_strtod),
        cmocka_unit_test(halfway_cases_agree_with_strtod),
        cmocka_unit_test(integers_are_strict),
        cmocka_unit_test(formatted_doubles_are_short_and_read_back),
        cmocka_unit_test(decimals_of_fifteen_digits_come_back),
        cmocka_unit_test(formatted_floats_are_short_and_read_back),
        cmocka_unit_test(the_locale_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
