#include "common/core/fault.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/core/clock.h"

static fw_status schedule(const char *text, int rank)
{
    if (text == NULL) unsetenv("FW_FAULTS");
    else setenv("FW_FAULTS", text, 1);
    return fw_fault_init(rank, NULL);
}

static void nothing_happens_without_a_schedule(void **state)
{
    (void)state;
    assert_int_equal(schedule(NULL, 0), FW_OK);
    assert_int_equal(fw_fault("store.before_rename", NULL), FW_OK);
    assert_int_equal(schedule("", 0), FW_OK);
    assert_int_equal(fw_fault("store.before_rename", NULL), FW_OK);
}

static void a_rule_acts_on_its_point_rank_and_hit(void **state)
{
    (void)state;
    fw_error err = {0};
    assert_int_equal(schedule("a@rank=1,hit=2,fail;b@fail", 1), FW_OK);
    assert_int_equal(fw_fault("c", &err), FW_OK);
    assert_int_equal(fw_fault("a", &err), FW_OK);
    assert_int_equal(fw_fault("a", &err), FW_ERR_IO);
    assert_non_null(strstr(err.text, "a: "));
    assert_int_equal(fw_fault("a", &err), FW_OK);
    assert_int_equal(fw_fault("b", &err), FW_ERR_IO);
    assert_int_equal(fw_fault("b", &err), FW_ERR_IO);

    assert_int_equal(schedule("a@rank=1,hit=2,fail;b@fail", 0), FW_OK);
    for (int i = 0; i < 3; i++) assert_int_equal(fw_fault("a", &err), FW_OK);
    assert_int_equal(fw_fault("b", &err), FW_ERR_IO);
}

static void a_delay_waits(void **state)
{
    (void)state;
    assert_int_equal(schedule("a@delay=30", 0), FW_OK);
    fw_mono start = fw_mono_now();
    assert_int_equal(fw_fault("a", NULL), FW_OK);
    assert_true(fw_mono_seconds(start, fw_mono_now()) >= 0.030);
}

static void kill_and_stop_are_signals(void **state)
{
    (void)state;
    static const struct { const char *rule; int number; } rows[] = {{"a@kill", SIGKILL}, {"a@stop", SIGSTOP}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(schedule(rows[i].rule, 0), FW_OK);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            fw_fault("a", NULL);
            _exit(0);
        }
        int how = 0;
        assert_int_equal(waitpid(child, &how, WUNTRACED), child);
        if (rows[i].number == SIGKILL) assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
        else {
            assert_true(WIFSTOPPED(how) && WSTOPSIG(how) == SIGSTOP);
            kill(child, SIGKILL);
            waitpid(child, &how, 0);
        }
    }
}

static void a_malformed_schedule_is_refused_whole(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a", "@fail", "a@", "a@explode", "a@hit=2", "a@fail,hit=0", "a@fail,hit=x", "a@rank=-1,fail", "a@delay=", "a@delay=99999999", "b@fail;a", "a@fail,",
        "a@fail,,kill", "a234567890123456789012345678901234567890123456789012345678901234@fail",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        fw_error err = {0};
        setenv("FW_FAULTS", texts[i], 1);
        if (fw_fault_init(0, &err) != FW_ERR_CONFIG) fail_msg("\"%s\" was accepted", texts[i]);
        assert_non_null(strstr(err.text, "FW_FAULTS"));
        assert_int_equal(fw_fault("a", NULL), FW_OK);
        assert_int_equal(fw_fault("b", NULL), FW_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_happens_without_a_schedule),
        cmocka_unit_test(a_rule_acts_on_its_point_rank_and_hit),
        cmocka_unit_test(a_delay_waits),
        cmocka_unit_test(kill_and_stop_are_signals),
        cmocka_unit_test(a_malformed_schedule_is_refused_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
