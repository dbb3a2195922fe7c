#include "common/core/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void text_grows(void **state)
{
    (void)state;
    FW_AUTO(fw_text) t = {0};
    fw_text_add(&t, "rows: ");
    fw_text_format(&t, "%d of %s", 3, "ten");
    fw_text_add_bytes(&t, ", a\0b", 5);
    assert_int_equal(t.len, 6 + 8 + 5);
    assert_memory_equal(t.data, "rows: 3 of ten, a\0b", t.len + 1);
    fw_text_clear(&t);
    assert_string_equal(t.data, "");
    for (int i = 0; i < 1000; i++) fw_text_format(&t, "%04d;", i);
    assert_int_equal(t.len, 5000);
    assert_memory_equal(t.data + 4995, "0999;", 6);
    assert_int_equal(fw_text_check(&t, NULL), FW_OK);
}

/* Lengths around each doubling of the buffer, where an off-by-one would sit. */
static void formatted_text_of_any_length(void **state)
{
    (void)state;
    char filling[301];
    memset(filling, 'x', 300);
    for (int len = 0; len <= 300; len++) {
        FW_AUTO(fw_text) t = {0};
        fw_text_add(&t, "<");
        fw_text_format(&t, "%.*s>", len, filling);
        assert_int_equal(t.len, len + 2);
        assert_int_equal(strlen(t.data), len + 2);
        assert_int_equal(t.data[len + 1], '>');
    }
}

static void taking_leaves_an_empty_text(void **state)
{
    (void)state;
    fw_text t = {0};
    char   *s = fw_text_take(&t);
    assert_string_equal(s, "");
    free(s);
    fw_text_add(&t, "x");
    s = fw_text_take(&t);
    assert_string_equal(s, "x");
    assert_null(t.data);
    free(s);
}

static void a_failed_addition_is_remembered(void **state)
{
    (void)state;
    fw_text t = {0};
    fw_text_add(&t, "before");
    fw_text_add_bytes(&t, "", SIZE_MAX);      /* its length alone cannot be held */
    assert_true(t.failed);
    fw_text_add(&t, "after");
    fw_text_format(&t, "%d", 1);
    assert_string_equal(t.data, "before");
    fw_error err = {0};
    assert_int_equal(fw_text_check(&t, &err), FW_ERR_NOMEM);
    assert_null(fw_text_take(&t));
    assert_false(t.failed);
}

static void utf8_is_checked(void **state)
{
    (void)state;
    static const struct { const char *s; size_t len, valid; } rows[] = {
        {"", 0, 0}, {"abc", 3, 3}, {"caf\xC3\xA9", 5, 5}, {"\xE2\x82\xAC", 3, 3}, {"\xF0\x9F\x8E\xA1", 4, 4},
        {"a\0b", 3, 1},                                   /* NUL */
        {"\xC3", 1, 0}, {"a\xE2\x82", 3, 1}, {"\xF0\x9F\x8E", 3, 0},      /* cut */
        {"\xC0\x80", 2, 0}, {"\xC1\xBF", 2, 0}, {"\xE0\x9F\xBF", 3, 0}, {"\xF0\x8F\xBF\xBF", 4, 0},      /* overlong */
        {"\xE0\xA0\x80", 3, 3}, {"\xF0\x90\x80\x80", 4, 4},
        {"\xED\xA0\x80", 3, 0}, {"\xED\x9F\xBF", 3, 3}, {"\xEE\x80\x80", 3, 3},      /* surrogates, and the neighbours */
        {"\xF4\x8F\xBF\xBF", 4, 4}, {"\xF4\x90\x80\x80", 4, 0}, {"\xF5\x80\x80\x80", 4, 0},
        {"\x80", 1, 0}, {"a\xFF", 2, 1}, {"\xC3\x28", 2, 0}, {"\xE2\x28\xA1", 3, 0}, {"\xF0\x9F\x28\xA1", 4, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) assert_int_equal(fw_utf8_valid(rows[i].s, rows[i].len), rows[i].valid);
}

/* Every code point, encoded by the definition, is valid unless it is NUL, a surrogate, or too large. */
static void utf8_of_every_code_point(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        char   s[4];
        size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        for (size_t i = n; i-- > 1;) s[i] = (char)(0x80 | (c >> 6 * (n - 1 - i) & 0x3F));
        static const unsigned head[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
        s[0] = (char)(head[n] | c >> 6 * (n - 1));
        int good = c != 0 && c < 0x110000 && !(c >= 0xD800 && c < 0xE000);
        assert_int_equal(fw_utf8_valid(s, n), good ? n : 0);
    }
}

static void the_nearest_word_is_found(void **state)
{
    (void)state;
    static const char *const words[] = {"batch_size", "epochs", "learning_rate", "optimizer", "seed", "adam", "adamw", "log"};
    static const struct { const char *word, *nearest; } rows[] = {
        {"batchsize", "batch_size"}, {"batch_szie", "batch_size"}, {"epoch", "epochs"}, {"lerning_rate", "learning_rate"},
        {"Optimiser", "optimizer"}, {"sede", "seed"}, {"adma", "adam"}, {"adamW", "adamw"}, {"lgo", "log"}, {"olgo", NULL}, {"zzz", NULL}, {"", NULL}, {"x", NULL},
        {"momentum", NULL}, {"seed_everything_that_there_is_in_this_program_and_then_some_more_of_it", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *found = fw_did_you_mean(rows[i].word, words, sizeof words / sizeof words[0]);
        assert_true(fw_text_equal(found, rows[i].nearest));
    }
    assert_null(fw_did_you_mean("epoch", NULL, 0));
}

static void texts_compare_null_safe(void **state)
{
    (void)state;
    assert_true(fw_text_equal(NULL, NULL));
    assert_false(fw_text_equal(NULL, ""));
    assert_false(fw_text_equal("", NULL));
    assert_true(fw_text_equal("a", "a"));
    assert_false(fw_text_equal("a", "b"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows),
        cmocka_unit_test(formatted_text_of_any_length),
        cmocka_unit_test(taking_leaves_an_empty_text),
        cmocka_unit_test(a_failed_addition_is_remembered),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(utf8_of_every_code_point),
        cmocka_unit_test(the_nearest_word_is_found),
        cmocka_unit_test(texts_compare_null_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
