/** The launch line: words, ranks, hosts; what is malformed is refused with a reason. */
#include "coordinator/gang/launch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/text.h"

static const char *const more[] = {"flywheel", "worker", NULL};

/* The words of the command, parted by '|'. */
static char *line(const char *template, uint32_t ranks, const coord_hosts *h, uint64_t generation)
{
    char **words = NULL;
    fw_error err = {0};
    FW_AUTO(fw_text) t = {0};
    if (coord_launch_words(&words, template, ranks, h, generation, more, &err) != FW_OK) fail_msg("%s", err.text);
    for (size_t i = 0; words[i] != NULL; i++) fw_text_format(&t, "%s%s", i > 0 ? "|" : "", words[i]);
    coord_launch_free(words);
    return fw_text_take(&t);
}

static void words_come_from_the_template(void **state)
{
    (void)state;
    const struct { const char *template, *expected; } cases[] = {
        {NULL, "mpirun|-n|4|flywheel|worker"},
        {"  srun   -n {ranks} ", "srun|-n|4|flywheel|worker"},
        {"sh -c 'exec \"$@\" ' x {ranks}", "sh|-c|exec \"$@\" |x|4|flywheel|worker"},
        {"a\"b c\"d '' -n{ranks}:{ranks}", "ab cd||-n4:4|flywheel|worker"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *got = line(cases[i].template, 4, NULL, 1);
        assert_string_equal(got, cases[i].expected);
        free(got);
    }
}

static void hosts_are_named_with_their_slots_and_can_be_left_out(void **state)
{
    (void)state;
    FW_AUTO(coord_hosts) *h = NULL;
    assert_int_equal(coord_hosts_parse(&h, "a:2,b.example:3,c", NULL), FW_OK);
    assert_int_equal(coord_hosts_slots(h, 5), 6);
    char *all = line(NULL, 6, h, 5);
    assert_string_equal(all, "mpirun|-n|6|--host|a:2,b.example:3,c:1|flywheel|worker");
    free(all);
    assert_ptr_equal(coord_hosts_find(h, "b"), &h->host[1]);
    assert_ptr_equal(coord_hosts_find(h, "a.example"), &h->host[0]);
    assert_null(coord_hosts_find(h, "ab"));
    h->host[1].out_until = 7;
    assert_int_equal(coord_hosts_slots(h, 6), 3);
    assert_int_equal(coord_hosts_slots(h, 7), 6);
    char *some = line("run {hosts} {ranks}", 3, h, 6);
    assert_string_equal(some, "run|a:2,c:1|3|flywheel|worker");
    free(some);
}

static void what_is_malformed_is_refused(void **state)
{
    (void)state;
    const char *const hosts[] = {"", "a:", "a:0", "a:x", "a,,b", ":2", "a:2,a:3", "a b", "a:99999999"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        FW_AUTO(coord_hosts) *h = NULL;
        fw_error err = {0};
        assert_int_equal(coord_hosts_parse(&h, hosts[i], &err), FW_ERR_CONFIG);
        assert_non_null(strstr(err.text, "--hosts"));
        assert_null(h);
    }
    FW_AUTO(coord_hosts) *two = NULL;
    assert_int_equal(coord_hosts_parse(&two, "a,b", NULL), FW_OK);
    assert_int_equal(coord_launch_check("mpirun -n 4", NULL, NULL), FW_ERR_CONFIG);
    assert_int_equal(coord_launch_check("mpirun -n {ranks} {hosts}", NULL, NULL), FW_ERR_CONFIG);
    assert_int_equal(coord_launch_check("mpirun -n {ranks}", two, NULL), FW_ERR_CONFIG);
    assert_int_equal(coord_launch_check("mpirun -n {ranks} {hosts}", two, NULL), FW_OK);
    assert_int_equal(coord_launch_check(NULL, two, NULL), FW_OK);
    char **words = NULL;
    assert_int_equal(coord_launch_words(&words, "sh -c 'x", 2, NULL, 1, more, NULL), FW_ERR_CONFIG);
}

static size_t count(char *const *list, const char *entry)
{
    size_t n = 0;
    for (; *list != NULL; list++) n += strcmp(*list, entry) == 0;
    return n;
}

static void the_environment_is_ours_with_what_open_mpi_needs(void **state)
{
    (void)state;
    char **all = NULL;
    setenv("FW_GANG", "old", 1);
    setenv("FW_GANG_NOT", "kept", 1);
    setenv("OMPI_MCA_oob_tcp_keepalive_time", "9", 1);
    unsetenv("OMPI_MCA_odls_base_sigkill_timeout");
    assert_int_equal(coord_launch_environment(&all, "FW_GANG", "x.3", "/own/place", false, NULL), FW_OK);
    assert_int_equal(count(all, "FW_GANG=x.3"), 1);
    assert_int_equal(count(all, "FW_GANG=old"), 0);
    assert_int_equal(count(all, "FW_GANG_NOT=kept"), 1);
    assert_int_equal(count(all, "OMPI_MCA_odls_base_sigkill_timeout=0"), 1);
    assert_int_equal(count(all, "OMPI_MCA_oob_tcp_keepalive_time=9"), 1);
    assert_int_equal(count(all, "OMPI_MCA_oob_tcp_keepalive_time=3"), 0);
    assert_int_equal(count(all, "OMPI_MCA_hwloc_base_binding_policy=none"), 0);
    assert_int_equal(count(all, "OMPI_MCA_orte_tmpdir_base=/own/place"), 1);
    coord_launch_free(all);
    setenv("OMPI_MCA_orte_tmpdir_base", "/chosen", 1);
    assert_int_equal(coord_launch_environment(&all, "FW_GANG", "x.3", "/own/place", false, NULL), FW_OK);
    assert_int_equal(count(all, "OMPI_MCA_orte_tmpdir_base=/own/place"), 0);
    coord_launch_free(all);
    unsetenv("OMPI_MCA_orte_tmpdir_base");
    unsetenv("FW_GANG");
}

static void ranks_of_gangs_that_share_hosts_are_not_bound(void **state)
{
    (void)state;
    char **all = NULL;
    unsetenv("OMPI_MCA_hwloc_base_binding_policy");
    assert_int_equal(coord_launch_environment(&all, "FW_GANG", "x.3", NULL, true, NULL), FW_OK);
    assert_int_equal(count(all, "OMPI_MCA_hwloc_base_binding_policy=none"), 1);
    coord_launch_free(all);
    setenv("OMPI_MCA_hwloc_base_binding_policy", "numa", 1);
    assert_int_equal(coord_launch_environment(&all, "FW_GANG", "x.3", NULL, true, NULL), FW_OK);
    assert_int_equal(count(all, "OMPI_MCA_hwloc_base_binding_policy=none"), 0);
    coord_launch_free(all);
    unsetenv("OMPI_MCA_hwloc_base_binding_policy");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_come_from_the_template),
        cmocka_unit_test(hosts_are_named_with_their_slots_and_can_be_left_out),
        cmocka_unit_test(what_is_malformed_is_refused),
        cmocka_unit_test(the_environment_is_ours_with_what_open_mpi_needs),
        cmocka_unit_test(ranks_of_gangs_that_share_hosts_are_not_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
