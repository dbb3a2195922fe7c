/* The fast way of number columns (common/data/numbers.c). Oracles: strtod for every value it gives, fw_parse_double for what it must not take. */
#include "common/data/numbers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/core/random.h"
#include "common/core/text.h"
#include "common/data/decimal.h"

enum { MANY = 1500000, COLUMN = 64 };

static uint64_t bits(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* Reads one text with other bytes around it, as in a table. false: it was left to the slow way. */
static bool read_text(double *out, const char *text, size_t len)
{
    char line[128];
    memset(line, '7', sizeof line);
    memcpy(line + 20, text, len);
    line[20 + len] = ',';
    const fw_field f = {line + 20, len};
    return fw_numbers_read(out, NULL, &f, 1, 1) == 1;
}

static bool agrees(const char *text)
{
    double x, slow;
    if (!read_text(&x, text, strlen(text))) return false;
    if (!fw_parse_double(&slow, text, strlen(text)) || bits(x) != bits(strtod(text, NULL)) || bits(x) != bits(slow))
        fail_msg("\"%s\" read as %.17g, strtod says %.17g", text, x, strtod(text, NULL));
    return true;
}

static void plain_decimals_are_read_as_strtod_reads_them(void **state)
{
    (void)state;
#if defined(__x86_64__)
    static const char *const texts[] = {
        "0", "-0", "-0.0", "1", "-1", "1.", "-1.", ".5", "-.5", "00012.500", "0.1", "0.2", "0.3", "9007199254740991", "9007199254740992", "90071992547409.9",
        "-9007199254740992", ".000000000000001", "0.00000000000001", "000000000000000.", ".999999999999999", "450359962737049.", "123456789012345.",
        "0000000000000001", "-0.000000", "12345678", "123456789", "1234567.8", "12345678.9", "99999999.9999999",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!agrees(texts[i]) && __builtin_cpu_supports("sse4.1")) fail_msg("\"%s\" was left to the slow way", texts[i]);
#endif
}

static void everything_else_is_left_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "-", ".", "-.", "+1", "--1", "1-", "1.2.3", "..", "1e5", "1E5", " 1", "1 ", "1\n", "nan", "inf", "0x10", "1,5", "9007199254740993",
        "9999999999999999", "12345678901234567", "0.12345678901234567", "1/2", "1:2", "\xb0", "1\x80", "1_0", "NA", "?", "1;", "-1-", "/", ":",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double x = 12345;
        if (read_text(&x, texts[i], strlen(texts[i]))) fail_msg("\"%s\" was taken for %g", texts[i], x);
        assert_true(x == 12345);
    }
    double x;
    assert_false(read_text(&x, "1\0", 2));
    for (unsigned c = 0; c < 256; c++) {                  /* one strange byte at any place of a long number */
        for (size_t at = 0; at < 14; at++) {
            char text[] = "12345678901234";
            text[at] = (char)c;
            bool plain = (c >= '0' && c <= '9') || c == '.' || (c == '-' && at == 0);
            assert_true(!read_text(&x, text, 14) || plain);
        }
    }
}

/* Random digits, length, sign and point; of all lengths up to what is just too long. */
static void any_random_number_has_the_bits_of_strtod(void **state)
{
    (void)state;
    size_t fast = 0;
    for (uint64_t i = 0; i < MANY; i++) {
        fw_philox r = fw_random(3, FW_RANDOM_TEST, 0, i, 0);
        char digits[32], text[40];
        snprintf(digits, sizeof digits, "%010u%010u", r.word[0], r.word[1]);
        size_t n = 1 + r.word[2] % 17, point = r.word[3] % (n + 3);
        snprintf(text, sizeof text, "%s%.*s%s%.*s", r.word[2] >> 31 ? "-" : "", (int)(point < n ? point : n), digits, point <= n ? "." : "",
                 (int)(point < n ? n - point : 0), digits + point % 20);
        fast += agrees(text);
    }
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.1")) assert_true(fast > MANY / 2);
#endif
    (void)fast;
}

/* What programs write: %.6g and the like of values near and far. */
static void printed_numbers_have_the_bits_of_strtod(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < MANY / 3; i++) {
        fw_philox r = fw_random(4, FW_RANDOM_TEST, 0, i, 0);
        char text[64];
        double x = ((double)r.word[0] - 2147483648.0) / (double)(1 + (r.word[1] >> (r.word[3] % 32)));
        snprintf(text, sizeof text, "%.*g", (int)(1 + r.word[2] % 17), x);
        agrees(text);
    }
}

static void a_column_is_read_up_to_the_first_strange_field(void **state)
{
    (void)state;
    char room[16 * COLUMN + 2 * FW_FIELD_READABLE] = {0}, *line = room + FW_FIELD_READABLE;
    fw_field fields[2 * COLUMN];
    double out[COLUMN];
    for (size_t strange = 0; strange <= COLUMN; strange += 7) {
        for (size_t i = 0; i < COLUMN; i++) {
            int len = snprintf(line + 16 * i, 16, i == strange ? "x" : "%zu.5", i);
            fields[2 * i] = (fw_field){line + 16 * i, (size_t)len};
            fields[2 * i + 1] = (fw_field){"no number", 9};
            out[i] = -1;
        }
        size_t n = fw_numbers_read(out, NULL, fields, 2, COLUMN);
        assert_true(n == 0 || n == (strange < COLUMN ? strange : COLUMN));
        for (size_t i = 0; i < COLUMN; i++) assert_true(out[i] == (i < n ? (double)i + 0.5 : -1));
    }
}

/* Many at a time go another way than one: the same doubles, and decimals that say the same. */
static void many_together_are_read_as_one_by_one(void **state)
{
    (void)state;
    static const char *const odd[] = {".", "-", "-.", "1.2.3", "", "12345678901234567", "-12345678901234567", "9007199254740993", "1e5", " 1"};
    char room[COLUMN][64];
    fw_field fields[COLUMN];
    double out[COLUMN], decimal_out;
    uint32_t decimal[COLUMN];
    for (uint64_t round = 0; round < 20000; round++) {
        for (uint64_t i = 0; i < COLUMN; i++) {
            fw_philox r = fw_random(6, FW_RANDOM_TEST, (uint32_t)round, i, 0);
            char *at = room[i] + FW_FIELD_READABLE;
            memset(room[i], '3', sizeof room[i]);
            const bool is_odd = r.word[3] % 256 == 0;
            const double x = ((double)r.word[0] - 2147483648.0) / (double)(1 + (r.word[1] >> (r.word[3] % 32)));
            const int len = is_odd ? snprintf(at, 32, "%s", odd[r.word[0] % (sizeof odd / sizeof *odd)]) : snprintf(at, 32, "%.*f", (int)(r.word[2] % 10), x);
            at[len] = ',';
            fields[i] = (fw_field){at, (size_t)len};
        }
        const size_t n = fw_numbers_read(out, decimal, fields, 1, COLUMN);
        double one;
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(fw_numbers_read(&one, NULL, &fields[i], 1, 1), 1);
            assert_true(bits(one) == bits(out[i]));
            if (decimal[i] == FW_DECIMAL_NONE) continue;
            fw_decimals_read(&decimal_out, &decimal[i], 1);
            assert_true(bits(decimal_out) == bits(one));
        }
        if (n < COLUMN) assert_int_equal(fw_numbers_read(&one, NULL, &fields[n], 1, 1), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_decimals_are_read_as_strtod_reads_them), cmocka_unit_test(everything_else_is_left_alone),
        cmocka_unit_test(any_random_number_has_the_bits_of_strtod),     cmocka_unit_test(printed_numbers_have_the_bits_of_strtod),
        cmocka_unit_test(a_column_is_read_up_to_the_first_strange_field),
        cmocka_unit_test(many_together_are_read_as_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
