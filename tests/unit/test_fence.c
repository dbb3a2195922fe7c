/** The fence: who belongs to a generation that was given up replaces no file, and says so. */
#include "common/core/fence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "tests/unit/scratch.h"

static int begin(void **state)
{
    scratch *s = calloc(1, sizeof *s);
    *state = s;
    return s != NULL && scratch_make(s) ? 0 : -1;
}

static int finish(void **state)
{
    fw_fence_set(NULL, 0, NULL);
    scratch_remove(*state);
    free(*state);
    return 0;
}

static void assert_holds(const char *path, const char *text)
{
    FW_FREE char *got = NULL;
    assert_int_equal(fw_read_file(&got, NULL, path, 100, NULL), FW_OK);
    assert_string_equal(got, text);
}

static void an_older_generation_replaces_nothing(void **state)
{
    scratch *s = *state;
    char fence[512], file[512];
    fw_error err = {0};
    snprintf(fence, sizeof fence, "%s", scratch_path(s, "generation"));
    snprintf(file, sizeof file, "%s", scratch_path(s, "checkpoint.h5"));
    assert_int_equal(fw_fence_raise(fence, 3, NULL), FW_OK);
    assert_int_equal(fw_fence_set(fence, 3, NULL), FW_OK);
    assert_int_equal(fw_write_file(file, "old", 3, &err), FW_OK);

    assert_int_equal(fw_fence_set(NULL, 0, NULL), FW_OK);          /* the one who raises it is none of the generations */
    assert_int_equal(fw_fence_raise(fence, 4, NULL), FW_OK);
    assert_int_equal(fw_write_file(file, "new", 3, NULL), FW_OK);
    assert_int_equal(fw_fence_set(fence, 3, NULL), FW_OK);
    assert_int_equal(fw_write_file(file, "late", 4, &err), FW_ERR_LOST);
    assert_non_null(strstr(err.text, "generation 3"));
    assert_non_null(strstr(err.text, "generation 4"));
    assert_holds(file, "new");
    FW_FREE char *temp = NULL;
    assert_int_not_equal(asprintf(&temp, "%s.tmp.%ld", file, (long)getpid()), -1);
    assert_false(fw_path_exists(temp));
}

static void the_previous_file_is_left_alone_too(void **state)
{
    scratch *s = *state;
    char fence[512], file[512], previous[512];
    snprintf(fence, sizeof fence, "%s", scratch_path(s, "generation"));
    snprintf(file, sizeof file, "%s", scratch_path(s, "c"));
    snprintf(previous, sizeof previous, "%s", scratch_path(s, "c.previous"));
    assert_int_equal(fw_write_file(file, "2", 1, NULL), FW_OK);
    assert_int_equal(fw_write_file(previous, "1", 1, NULL), FW_OK);
    assert_int_equal(fw_fence_raise(fence, 8, NULL), FW_OK);
    assert_int_equal(fw_fence_set(fence, 7, NULL), FW_OK);
    FW_AUTO(fw_atomic_file) *f = NULL;
    assert_int_equal(fw_atomic_file_create(&f, file, NULL), FW_OK);
    assert_int_equal(fw_atomic_file_commit_keeping(f, previous, NULL), FW_ERR_LOST);
    assert_holds(file, "2");
    assert_holds(previous, "1");
}

static void a_fence_that_cannot_be_read_lets_nobody_write(void **state)
{
    scratch *s = *state;
    char fence[512], file[512];
    uint64_t generation = 9;
    snprintf(fence, sizeof fence, "%s", scratch_path(s, "generation"));
    snprintf(file, sizeof file, "%s", scratch_path(s, "c"));
    assert_int_equal(fw_fence_read(&generation, fence, NULL), FW_OK);
    assert_int_equal(generation, 0);
    assert_int_equal(fw_fence_set(fence, 1, NULL), FW_OK);
    assert_int_equal(fw_write_file(file, "x", 1, NULL), FW_ERR_IO);
    assert_int_equal(fw_fence_set(NULL, 0, NULL), FW_OK);
    assert_int_equal(fw_write_file(fence, "many\n", 5, NULL), FW_OK);
    assert_int_equal(fw_fence_set(fence, 1, NULL), FW_OK);
    assert_int_equal(fw_write_file(file, "x", 1, NULL), FW_ERR_FORMAT);
    assert_false(fw_path_exists(file));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_older_generation_replaces_nothing, begin, finish),
        cmocka_unit_test_setup_teardown(the_previous_file_is_left_alone_too, begin, finish),
        cmocka_unit_test_setup_teardown(a_fence_that_cannot_be_read_lets_nobody_write, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
