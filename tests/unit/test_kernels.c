#include "common/core/kernels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static fw_status choose(const char *asked, fw_error *err)
{
    if (asked == NULL) unsetenv("FW_KERNELS");
    else setenv("FW_KERNELS", asked, 1);
    return fw_kernels_choose(err);
}

static const char *fastest(void)
{
    assert_int_equal(choose(NULL, NULL), FW_OK);
    return fw_kernels_name(fw_kernels_now());
}

static void each_that_the_cpu_has_can_be_chosen(void **context)
{
    (void)context;
    bool slower_than_fastest = true;
    const char *best = fastest();
    for (int k = FW_N_KERNELS - 1; k >= FW_KERNELS_PORTABLE; k--) {
        const char *name = fw_kernels_name((fw_kernels)k);
        fw_kernels found = FW_N_KERNELS;
        if (strcmp(name, best) == 0) slower_than_fastest = false;
        const bool here = !slower_than_fastest;
        assert_int_equal(fw_kernels_find(&found, name), here);
        assert_int_equal(choose(name, NULL), here ? FW_OK : FW_ERR_CONFIG);
        if (here) assert_int_equal(fw_kernels_now(), k);
        if (here) assert_int_equal(found, k);
    }
}

static void without_a_wish_the_fastest_runs(void **context)
{
    (void)context;
    const char *best = fastest();
    assert_int_equal(choose("portable", NULL), FW_OK);
    assert_string_equal(fw_kernels_name(fw_kernels_now()), "portable");
    assert_int_equal(choose("", NULL), FW_OK);
    assert_string_equal(fw_kernels_name(fw_kernels_now()), best);
}

static void another_word_is_refused_and_changes_nothing(void **context)
{
    (void)context;
    fw_error err = {0};
    assert_int_equal(choose("portable", NULL), FW_OK);
    assert_int_equal(choose("avx9", &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "FW_KERNELS: \"avx9\" is not one of avx512, avx2, portable"));
    assert_non_null(strstr(err.text, "unset it"));
    assert_int_equal(choose("AVX2", &err), FW_ERR_CONFIG);
    assert_int_equal(fw_kernels_now(), FW_KERNELS_PORTABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_that_the_cpu_has_can_be_chosen),
        cmocka_unit_test(without_a_wish_the_fastest_runs),
        cmocka_unit_test(another_word_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
