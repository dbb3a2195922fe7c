#include "common/core/status.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void each_status_has_its_exit_code(void **state)
{
    (void)state;
    static const struct { fw_status s; int code; } rows[] = {
        {FW_OK, 0},          {FW_END, 0},         {FW_ERR_ARG, 2},     {FW_ERR_CONFIG, 2},  {FW_ERR_CHECK, 3}, {FW_ERR_DATA, 4},
        {FW_ERR_FORMAT, 4},  {FW_ERR_VERSION, 4}, {FW_ERR_LOST, 5},    {FW_ERR_STOPPED, 75}, {FW_ERR_NOMEM, 1}, {FW_ERR_IO, 1},
        {FW_ERR_NUMERIC, 1}, {FW_ERR_TIMEOUT, 1}, {FW_ERR_MPI, 1},     {FW_ERR_BUS, 1},     {FW_ERR_NOTFOUND, 1}, {FW_ERR_INTERNAL, 1},
    };
    size_t known = 0;
#define X(name, value, text) known++;
    FW_STATUS_LIST(X)
#undef X
    assert_int_equal(known, sizeof rows / sizeof rows[0]);
    for (size_t i = 0; i < known; i++) assert_int_equal(fw_status_exit_code(rows[i].s), rows[i].code);
    assert_int_equal(fw_status_exit_code((fw_status)-999), 1);
}

static void names_and_texts_come_from_the_list(void **state)
{
    (void)state;
    assert_string_equal(fw_status_name(FW_ERR_IO), "FW_ERR_IO");
    assert_string_equal(fw_status_text(FW_ERR_IO), "input or output failed");
    assert_string_equal(fw_status_name((fw_status)-999), "FW_ERR_UNKNOWN");
}

static void failure_fills_the_sentence(void **state)
{
    (void)state;
    fw_error err = {0};
    assert_int_equal(fw_fail(&err, FW_ERR_DATA, "row %d: %s", 7, "too few fields"), FW_ERR_DATA);
    assert_int_equal(err.status, FW_ERR_DATA);
    assert_string_equal(err.text, "row 7: too few fields");
    assert_int_equal(fw_fail(NULL, FW_ERR_DATA, "nobody listens"), FW_ERR_DATA);
    assert_int_equal(fw_fail(&err, FW_ERR_NOMEM, "%d tables", 3), FW_ERR_NOMEM);
    assert_string_equal(err.text, "3 tables: out of memory");
    fw_fail(&err, FW_ERR_NOMEM, "no memory for %d tables", 3);
    assert_string_equal(err.text, "no memory for 3 tables");
}

static void errno_is_told_and_kept(void **state)
{
    (void)state;
    fw_error err = {0};
    errno = ENOENT;
    assert_int_equal(fw_fail_errno(&err, FW_ERR_IO, "%s", "a.csv"), FW_ERR_IO);
    assert_string_equal(err.text, "a.csv: No such file or directory");
    assert_int_equal(errno, ENOENT);
    assert_int_equal(fw_fail_errno(NULL, FW_ERR_IO, "x"), FW_ERR_IO);
}

static void context_goes_in_front(void **state)
{
    (void)state;
    fw_error err = {0};
    fw_fail(&err, FW_ERR_IO, "disk full");
    assert_int_equal(fw_wrap(&err, FW_ERR_IO, "checkpoint %d", 3), FW_ERR_IO);
    assert_string_equal(err.text, "checkpoint 3: disk full");
    assert_int_equal(fw_wrap(&err, FW_ERR_LOST, "%s", err.text), FW_ERR_LOST);      /* an argument inside err itself */
    assert_string_equal(err.text, "checkpoint 3: disk full: checkpoint 3: disk full");
    assert_int_equal(err.status, FW_ERR_LOST);
    assert_int_equal(fw_wrap(&err, FW_OK, "again"), FW_ERR_LOST);
    assert_int_equal(fw_wrap(NULL, FW_ERR_IO, "x"), FW_ERR_IO);
    assert_int_equal(fw_wrap(NULL, FW_OK, "x"), FW_ERR_INTERNAL);
}

static void long_text_is_cut_not_overrun(void **state)
{
    (void)state;
    struct { fw_error err; char guard[8]; } box = {.guard = "guard"};
    char filling[3000];
    memset(filling, 'x', sizeof filling - 1);
    filling[sizeof filling - 1] = '\0';
    fw_fail(&box.err, FW_ERR_DATA, "%s", filling);
    assert_int_equal(strlen(box.err.text), sizeof box.err.text - 1);
    errno = EIO;
    fw_fail_errno(&box.err, FW_ERR_DATA, "%s", filling);
    assert_int_equal(strlen(box.err.text), sizeof box.err.text - 1);
    for (size_t len = sizeof box.err.text - 8; len < sizeof box.err.text + 3; len++) {
        errno = EIO;
        fw_fail_errno(&box.err, FW_ERR_DATA, "%.*s", (int)len, filling);
        assert_in_range(strlen(box.err.text), sizeof box.err.text - 8, sizeof box.err.text - 1);
        fw_wrap(&box.err, FW_ERR_DATA, "%.*s", (int)len, filling);
        assert_in_range(strlen(box.err.text), sizeof box.err.text - 8, sizeof box.err.text - 1);
    }
    assert_string_equal(box.guard, "guard");
}

static fw_status two_steps(fw_status first, int *reached)
{
    FW_TRY(first);
    *reached = 1;
    return FW_OK;
}

static void try_leaves_on_failure_alone(void **state)
{
    (void)state;
    int reached = 0;
    assert_int_equal(two_steps(FW_ERR_NUMERIC, &reached), FW_ERR_NUMERIC);
    assert_int_equal(reached, 0);
    assert_int_equal(two_steps(FW_END, &reached), FW_OK);
    assert_int_equal(reached, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_status_has_its_exit_code), cmocka_unit_test(names_and_texts_come_from_the_list),
        cmocka_unit_test(failure_fills_the_sentence),    cmocka_unit_test(errno_is_told_and_kept),
        cmocka_unit_test(context_goes_in_front),         cmocka_unit_test(long_text_is_cut_not_overrun),
        cmocka_unit_test(try_leaves_on_failure_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
