#include "common/core/size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void products_and_sums_are_checked(void **state)
{
    (void)state;
    static const struct { size_t a, b; int mul_fits, add_fits; } rows[] = {
        {0, 0, 1, 1}, {0, SIZE_MAX, 1, 1}, {1, SIZE_MAX, 1, 0}, {2, SIZE_MAX / 2, 1, 1}, {2, SIZE_MAX / 2 + 1, 0, 1},
        {SIZE_MAX, SIZE_MAX, 0, 0}, {(size_t)1 << 32, (size_t)1 << 32, 0, 1}, {(size_t)1 << 32, (size_t)1 << 31, 1, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t   out = 12345;
        fw_error err = {0};
        fw_status s = fw_size_mul(&out, rows[i].a, rows[i].b, "rows x columns", &err);
        assert_int_equal(s, rows[i].mul_fits ? FW_OK : FW_ERR_NOMEM);
        assert_true(out == (rows[i].mul_fits ? rows[i].a * rows[i].b : 12345));
        if (s < 0) assert_non_null(strstr(err.text, "rows x columns"));
        out = 12345;
        s = fw_size_add(&out, rows[i].a, rows[i].b, "rows", &err);
        assert_int_equal(s, rows[i].add_fits ? FW_OK : FW_ERR_NOMEM);
        assert_true(out == (rows[i].add_fits ? rows[i].a + rows[i].b : 12345));
    }
}

static void arrays_are_zeroed_and_aligned(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 8, 9, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        FW_FREE double *x = NULL;
        assert_int_equal(fw_alloc_zeroed((void **)&x, sizes[i], sizeof *x, "x", NULL), FW_OK);
        assert_non_null(x);
        assert_int_equal((uintptr_t)x % FW_ALIGN, 0);
        for (size_t j = 0; j < sizes[i]; j++) assert_true(x[j] == 0.0);
    }
    void    *untouched = &untouched;
    fw_error err = {0};
    assert_int_equal(fw_alloc_zeroed(&untouched, SIZE_MAX / 4, 8, "weights", &err), FW_ERR_NOMEM);
    assert_int_equal(fw_alloc_zeroed(&untouched, SIZE_MAX, 1, "weights", &err), FW_ERR_NOMEM);
    assert_ptr_equal(untouched, &untouched);
    assert_non_null(strstr(err.text, "weights"));
}

static void growth_keeps_content_and_doubles(void **state)
{
    (void)state;
    FW_FREE int *v = NULL;
    size_t capacity = 0, moves = 0;
    for (int i = 0; i < 10000; i++) {
        size_t before = capacity;
        assert_int_equal(fw_grow((void **)&v, &capacity, (size_t)i + 1, sizeof *v, "v", NULL), FW_OK);
        assert_true(capacity > (size_t)i);
        moves += before != capacity;
        v[i] = i;
    }
    for (int i = 0; i < 10000; i++) assert_int_equal(v[i], i);
    assert_true(moves < 20);
    size_t before = capacity;
    int   *same = v;
    assert_int_equal(fw_grow((void **)&v, &capacity, SIZE_MAX / 2, sizeof *v, "v", NULL), FW_ERR_NOMEM);
    assert_int_equal(capacity, before);
    assert_ptr_equal(v, same);
}

static void text_is_copied_and_freed_pointers_are_null(void **state)
{
    (void)state;
    char *copy = NULL;
    assert_int_equal(fw_copy_text(&copy, "flywheel", NULL), FW_OK);
    assert_string_equal(copy, "flywheel");
    fw_free_pointer(&copy);
    assert_null(copy);
    fw_free_pointer(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_and_sums_are_checked),
        cmocka_unit_test(arrays_are_zeroed_and_aligned),
        cmocka_unit_test(growth_keeps_content_and_doubles),
        cmocka_unit_test(text_is_copied_and_freed_pointers_are_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
