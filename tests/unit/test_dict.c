#include "common/core/dict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static int32_t add(fw_dict *d, const char *s)
{
    int32_t code = -7;
    assert_int_equal(fw_dict_add(&code, d, s, strlen(s), NULL), FW_OK);
    return code;
}

static void codes_are_given_in_order_of_arrival(void **state)
{
    (void)state;
    FW_AUTO(fw_dict) *d = NULL;
    assert_int_equal(fw_dict_create(&d, NULL), FW_OK);
    assert_int_equal(fw_dict_size(d), 0);
    assert_int_equal(fw_dict_find(d, "red", 3), -1);
    assert_int_equal(add(d, "red"), 0);
    assert_int_equal(add(d, "green"), 1);
    assert_int_equal(add(d, "red"), 0);
    assert_int_equal(add(d, ""), 2);
    assert_int_equal(fw_dict_size(d), 3);
    assert_int_equal(fw_dict_find(d, "", 0), 2);
    assert_int_equal(fw_dict_find(d, "re", 2), -1);
    size_t len = 0;
    assert_string_equal(fw_dict_text(d, 1, &len), "green");
    assert_int_equal(len, 5);
    assert_string_equal(fw_dict_text(d, 2, NULL), "");
}

static void bytes_are_bytes(void **state)
{
    (void)state;
    FW_AUTO(fw_dict) *d = NULL;
    int32_t a, b;
    size_t  len;
    assert_int_equal(fw_dict_create(&d, NULL), FW_OK);
    assert_int_equal(fw_dict_add(&a, d, "x\0y", 3, NULL), FW_OK);
    assert_int_equal(fw_dict_add(&b, d, "x", 1, NULL), FW_OK);
    assert_int_not_equal(a, b);
    assert_memory_equal(fw_dict_text(d, a, &len), "x\0y", 4);
    assert_int_equal(len, 3);
}

/* 100,000 texts, some longer than a slab; pointers taken early stay good. */
static void many_texts_are_kept_where_they_are(void **state)
{
    (void)state;
    enum { N = 100000 };
    FW_AUTO(fw_dict) *d = NULL;
    assert_int_equal(fw_dict_create(&d, NULL), FW_OK);
    char *big = malloc(200001);
    assert_non_null(big);
    memset(big, 'b', 200000);
    big[200000] = '\0';
    char text[32];
    add(d, "first");
    const char *first = fw_dict_text(d, 0, NULL);
    assert_int_equal(add(d, big), 1);
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "value %d", i);
        assert_int_equal(add(d, text), i + 2);
    }
    assert_ptr_equal(first, fw_dict_text(d, 0, NULL));
    assert_string_equal(fw_dict_text(d, 1, NULL), big);
    for (int i = 0; i < N; i++) {
        snprintf(text, sizeof text, "value %d", i);
        assert_int_equal(fw_dict_find(d, text, strlen(text)), i + 2);
    }
    free(big);
}

static void sorting_frees_from_the_order_of_arrival(void **state)
{
    (void)state;
    static const char *const arrivals[] = {"pear", "Apple", "\xC3\xA9", "apple", "", "app", "10", "9"};
    static const char *const ordered[] = {"", "10", "9", "Apple", "app", "apple", "pear", "\xC3\xA9"};
    enum { N = sizeof arrivals / sizeof arrivals[0] };
    FW_AUTO(fw_dict) *d = NULL;
    int32_t new_code[N];
    assert_int_equal(fw_dict_create(&d, NULL), FW_OK);
    assert_int_equal(fw_dict_sort(d, new_code, NULL), FW_OK);      /* empty */
    for (int i = 0; i < N; i++) add(d, arrivals[i]);
    assert_int_equal(fw_dict_sort(d, new_code, NULL), FW_OK);
    for (int i = 0; i < N; i++) {
        assert_string_equal(fw_dict_text(d, i, NULL), ordered[i]);
        assert_int_equal(fw_dict_find(d, ordered[i], strlen(ordered[i])), i);
        assert_string_equal(fw_dict_text(d, new_code[i], NULL), arrivals[i]);
    }
    assert_int_equal(add(d, "zebra"), N);
    assert_int_equal(add(d, "pear"), new_code[0]);
    assert_int_equal(fw_dict_sort(d, NULL, NULL), FW_OK);
    assert_string_equal(fw_dict_text(d, N - 1, NULL), "zebra");
}

static void a_copy_is_its_own(void **state)
{
    (void)state;
    FW_AUTO(fw_dict) *d = NULL, *copy = NULL;
    assert_int_equal(fw_dict_create(&d, NULL), FW_OK);
    add(d, "a");
    add(d, "b");
    assert_int_equal(fw_dict_copy(&copy, d, NULL), FW_OK);
    add(d, "c");
    fw_dict_destroy(&d);
    assert_null(d);
    assert_int_equal(fw_dict_size(copy), 2);
    assert_string_equal(fw_dict_text(copy, 1, NULL), "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_given_in_order_of_arrival),
        cmocka_unit_test(bytes_are_bytes),
        cmocka_unit_test(many_texts_are_kept_where_they_are),
        cmocka_unit_test(sorting_frees_from_the_order_of_arrival),
        cmocka_unit_test(a_copy_is_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
