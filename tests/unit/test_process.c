/** Processes by their mark: all that carry it are found and ended, whoever started them; others are left alone. */
#include "common/core/process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/core/size.h"

#define NAME "FW_TEST_MARK"

/* A child that sleeps, with the mark in its environment, and has a child of its own in another session. */
static pid_t start(const char *mark)
{
    const pid_t pid = fork();
    if (pid == 0) {
        setenv(NAME, mark, 1);
        execl("/bin/sh", "sh", "-c", "setsid sleep 100 & exec sleep 100", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static size_t marked(const char *prefix)
{
    FW_FREE pid_t *pids = NULL;
    size_t n = 0;
    assert_int_equal(fw_processes_marked(&pids, &n, NAME, prefix, NULL), FW_OK);
    return n;
}

static void wait_for(const char *prefix, size_t n)
{
    const fw_mono deadline = fw_mono_after(fw_mono_now(), 10.0);
    size_t found;
    while ((found = marked(prefix)) != n && !fw_mono_passed(deadline)) fw_sleep_ms(5);
    assert_int_equal(found, n);
}

static void all_descendants_with_the_mark_are_ended(void **state)
{
    (void)state;
    char one[64], other[64];
    snprintf(one, sizeof one, "%ld-a.", (long)getpid());
    snprintf(other, sizeof other, "%ld-b.", (long)getpid());
    char mark[80];
    snprintf(mark, sizeof mark, "%s7", one);
    const pid_t first = start(mark), second = start(other);
    wait_for(one, 2);
    wait_for(other, 2);
    assert_int_equal(fw_processes_kill_marked(NAME, one, fw_mono_after(fw_mono_now(), 10.0), NULL), FW_OK);
    assert_int_equal(marked(one), 0);
    assert_int_equal(marked(other), 2);
    assert_int_equal(waitpid(first, NULL, 0), first);
    assert_int_equal(fw_processes_kill_marked(NAME, other, fw_mono_after(fw_mono_now(), 10.0), NULL), FW_OK);
    assert_int_equal(waitpid(second, NULL, 0), second);
}

/* A process has no environment for a moment while exec replaces its program: it is not to be missed in it. */
static void what_execs_all_the_time_is_ended(void **state)
{
    (void)state;
    char mark[64];
    snprintf(mark, sizeof mark, "%ld-c.", (long)getpid());
    for (int i = 0; i < 100; i++) {
        const pid_t pid = fork();
        if (pid == 0) {
            setenv(NAME, mark, 1);
            execl("/bin/sh", "sh", "-c", "exec \"$0\" -c \"$1\" \"$0\" \"$1\"", "/bin/sh", "exec \"$0\" -c \"$1\" \"$0\" \"$1\"", (char *)NULL);
            _exit(127);
        }
        wait_for(mark, 1);
        assert_int_equal(fw_processes_kill_marked(NAME, mark, fw_mono_after(fw_mono_now(), 10.0), NULL), FW_OK);
        const fw_mono deadline = fw_mono_after(fw_mono_now(), 5.0);
        pid_t gone;
        while ((gone = waitpid(pid, NULL, WNOHANG)) == 0 && !fw_mono_passed(deadline)) fw_sleep_ms(1);
        if (gone == 0) kill(pid, SIGKILL);
        assert_int_equal(gone, pid);
    }
}

static void a_number_and_its_start_are_one_process(void **state)
{
    (void)state;
    const uint64_t own = fw_process_started(getpid());
    assert_true(own > 0);
    assert_int_equal(fw_process_started(getpid()), own);
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(fw_process_started(pid), 0);            /* it has ended and waits to be reaped */
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(fw_process_started(pid), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_descendants_with_the_mark_are_ended),
        cmocka_unit_test(what_execs_all_the_time_is_ended),
        cmocka_unit_test(a_number_and_its_start_are_one_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
