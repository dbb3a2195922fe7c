/* A test that fails, so that CTest's WILL_FAIL can prove that a failed assertion makes a failed test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void two_and_two_are_five(void **state)
{
    (void)state;
    assert_int_equal(2 + 2, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_and_two_are_five)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
