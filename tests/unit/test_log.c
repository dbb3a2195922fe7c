#include "common/core/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static int  saved, pipe_end;
static char heard[20000];

static void listen_on_stderr(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    pipe_end = ends[0];
}

static const char *what_was_heard(void)
{
    dup2(saved, STDERR_FILENO);      /* closes the last writing end, so the reading ends */
    close(saved);
    size_t len = 0;
    for (ssize_t n; (n = read(pipe_end, heard + len, sizeof heard - 1 - len)) > 0;) len += (size_t)n;
    heard[len] = '\0';
    close(pipe_end);
    return heard;
}

static void who_speaks_at_which_level(void **state)
{
    (void)state;
    static const struct { int rank, level; const char *text; } rows[] = {
        {0, 0, "flywheel: error: e 1\n"},
        {0, 1, "flywheel: error: e 1\nflywheel: warning: w 2\ni 3\n"},
        {0, 2, "flywheel: error: e 1\nflywheel: warning: w 2\ni 3\nflywheel: debug: d 4\n"},
        {3, 2, "flywheel: error: rank 3: e 1\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        listen_on_stderr();
        fw_log_init(rows[i].rank, rows[i].level);
        fw_log_error("e %d", 1);
        fw_log_warn("w %d", 2);
        fw_log_info("i %d", 3);
        fw_log_debug("d %d", 4);
        assert_string_equal(what_was_heard(), rows[i].text);
    }
}

static void a_long_line_is_cut_and_ended(void **state)
{
    (void)state;
    char filling[10001];
    memset(filling, 'x', 10000);
    filling[10000] = '\0';
    fw_log_init(0, 1);
    for (size_t len = 8180; len < 8200; len++) {
        listen_on_stderr();
        fw_log_info("%.*s", (int)len, filling);
        const char *line = what_was_heard();
        size_t      n = strlen(line);
        assert_int_equal(line[n - 1], '\n');
        assert_true(n <= 8192 && (n == len + 1 || n >= 8190));
        assert_ptr_equal(strchr(line, '\n'), line + n - 1);
    }
}

static void colour_is_for_terminals(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_false(fw_log_colour(ends[1]));
    close(ends[0]);
    close(ends[1]);
    setenv("NO_COLOR", "1", 1);
    assert_false(fw_log_colour(STDERR_FILENO));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_speaks_at_which_level),
        cmocka_unit_test(a_long_line_is_cut_and_ended),
        cmocka_unit_test(colour_is_for_terminals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
