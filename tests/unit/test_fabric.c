/** What network hardware is found below a made-up root, and what is then left alone. */
#include "worker/group_fabric.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "scratch.h"

static void make(scratch *s, const char *first, const char *second, const char *third)
{
    const char *names[] = {first, second, third};
    for (size_t i = 0; i < 3; i++) assert_int_equal(mkdir(scratch_path(s, names[i]), 0777), 0);
}

static void nothing_is_no_fabric(void **state)
{
    (void)state;
    scratch s;
    assert_true(scratch_make(&s));
    assert_false(worker_fabric_present(s.dir));
    make(&s, "sys", "sys/class", "sys/class/infiniband");
    assert_false(worker_fabric_present(s.dir));                 /* the driver is there, no device is */
    scratch_remove(&s);
}

static void a_device_is_a_fabric(void **state)
{
    (void)state;
    static const struct { const char *path[3]; } cases[] = {
        {{"sys", "sys/class", "sys/class/infiniband"}}, {{"sys", "sys/class", "sys/class/cxi"}}, {{"dev", "dev/hfi1_0", "dev/x"}}, {{"dev", "dev/kgni0", "dev/x"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scratch s;
        char device[600];
        assert_true(scratch_make(&s));
        make(&s, cases[i].path[0], cases[i].path[1], cases[i].path[2]);
        snprintf(device, sizeof device, "%s/device0", scratch_path(&s, cases[i].path[2]));
        assert_int_equal(mkdir(device, 0777), 0);
        assert_true(worker_fabric_present(s.dir));
        scratch_remove(&s);
    }
}

static void a_choice_that_was_made_stays(void **state)
{
    (void)state;
    unsetenv("OMPI_MCA_mtl");
    setenv("OMPI_MCA_pml", "ucx", 1);
    worker_fabric_skip_absent();
    assert_null(getenv("OMPI_MCA_mtl"));
    unsetenv("OMPI_MCA_pml");
    setenv("OMPI_MCA_mtl", "ofi", 1);
    worker_fabric_skip_absent();
    assert_string_equal(getenv("OMPI_MCA_mtl"), "ofi");
    unsetenv("OMPI_MCA_mtl");
    worker_fabric_skip_absent();
    assert_true((getenv("OMPI_MCA_mtl") == NULL) == worker_fabric_present(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_no_fabric),
        cmocka_unit_test(a_device_is_a_fabric),
        cmocka_unit_test(a_choice_that_was_made_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
