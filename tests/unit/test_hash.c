#include "common/core/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* The empty ones are published (xxHash doc); the others were recorded with libxxhash 0.8.1: files must stay readable with later ones. */
static void known_answers(void **state)
{
    (void)state;
    static const struct { const char *bytes; uint64_t h64; const char *h128; } rows[] = {
        {"", 0x2d06800538d394c2, "99aa06d3014798d86001c324468d497f"},
        {"flywheel", 0xae0df1c2618851dd, "0f5b15a83d2ad12328170b7ec01d4885"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[FW_DIGEST_TEXT];
        assert_true(fw_hash64(rows[i].bytes, strlen(rows[i].bytes), 0) == rows[i].h64);
        fw_digest_text(text, fw_hash128(rows[i].bytes, strlen(rows[i].bytes), 0));
        assert_string_equal(text, rows[i].h128);
    }
    assert_true(fw_hash64("a", 1, 0) != fw_hash64("a", 1, 1));
    uint64_t words[21], each[21];                         /* more than two lines of lanes, and some left over */
    for (size_t i = 0; i < 21; i++) words[i] = i < 3 ? i - 1 : UINT64_C(0x9E3779B97F4A7C15) * i;
    fw_hash64_words(each, words, 21);
    for (size_t i = 0; i < 21; i++) assert_true(each[i] == fw_hash64(&words[i], 8, 0));
}

static void pieces_give_the_hash_of_the_whole(void **state)
{
    (void)state;
    enum { N = 5000 };
    unsigned char bytes[N];
    for (int i = 0; i < N; i++) bytes[i] = (unsigned char)(i * 31 + i / 7);
    static const size_t pieces[] = {1, 3, 64, 255, 1024, N};
    for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
        fw_hasher *h = fw_hasher_create(9);
        assert_non_null(h);
        fw_hasher_add(h, bytes, 0);
        for (size_t at = 0; at < N; at += pieces[k]) fw_hasher_add(h, bytes + at, at + pieces[k] <= N ? pieces[k] : N - at);
        assert_true(fw_digest_equal(fw_hasher_value(h), fw_hash128(bytes, N, 9)));
        fw_hasher_destroy(&h);
        assert_null(h);
        fw_hasher_destroy(&h);
    }
}

static void sums_carry_and_do_not_depend_on_order(void **state)
{
    (void)state;
    fw_digest a = {.lo = UINT64_MAX, .hi = 1}, b = {.lo = 2, .hi = UINT64_MAX}, sum = fw_digest_add(a, b);
    assert_true(sum.lo == 1 && sum.hi == 1);      /* modulo 2^128 */
    assert_true(fw_digest_equal(sum, fw_digest_add(b, a)));
    assert_false(fw_digest_equal(a, b));
    assert_false(fw_digest_equal((fw_digest){1, 2}, (fw_digest){1, 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(pieces_give_the_hash_of_the_whole),
        cmocka_unit_test(sums_carry_and_do_not_depend_on_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
