/** A child process: what it says arrives, silence ends at the deadline, and it ends with its parent's interest. */
#include "common/core/child.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/scratch.h"

static void says_seven(void *context, int say, int parent)
{
    (void)parent;
    const int seven = 7 + *(const int *)context;
    if (write(say, &seven, 2) != 2 || write(say, (const char *)&seven + 2, sizeof seven - 2) != sizeof seven - 2) _exit(1);
}

static void says_nothing_and_stays(void *context, int say, int parent)
{
    char byte;
    (void)context, (void)say;
    while (read(parent, &byte, 1) > 0) {}
}

static void says_its_number_and_stays_for_ever(void *context, int say, int parent)
{
    const int pid = getpid();
    (void)context, (void)parent;
    if (write(say, &pid, sizeof pid) != sizeof pid) _exit(1);
    for (;;) pause();
}

static void says_its_descriptors(void *context, int say, int parent)
{
    struct stat st;
    int open = 0;
    (void)context;
    for (int fd = 0; fd < 256; fd++) open += fd != say && fd != parent && fstat(fd, &st) == 0;
    if (write(say, &open, sizeof open) != sizeof open) _exit(1);
}

/* Leaves a file when its parent lets it end. */
static void clears_up(void *context, int say, int parent)
{
    char byte;
    (void)say;
    while (read(parent, &byte, 1) > 0) {}
    unlink(context);
}

static int first_word(fw_child_body body, void *context, double seconds, fw_status expected)
{
    fw_child *c = NULL;
    int word = -1;
    fw_error err = {0};
    assert_int_equal(fw_child_start(&c, body, context, &err), FW_OK);
    assert_int_equal(fw_child_read(c, &word, sizeof word, fw_mono_after(fw_mono_now(), seconds), &err), expected);
    fw_child_destroy(&c);
    assert_null(c);
    return word;
}

static void what_it_says_in_pieces_arrives_whole(void **state)
{
    (void)state;
    int more = 3;
    assert_int_equal(first_word(says_seven, &more, 10.0, FW_OK), 10);
}

static void silence_ends_at_the_deadline(void **state)
{
    (void)state;
    const fw_mono start = fw_mono_now();
    first_word(says_nothing_and_stays, NULL, 0.05, FW_ERR_TIMEOUT);
    assert_true(fw_mono_seconds(start, fw_mono_now()) < 1.0);
}

static void one_that_does_not_end_is_killed(void **state)
{
    (void)state;
    const int pid = first_word(says_its_number_and_stays_for_ever, NULL, 10.0, FW_OK);
    assert_true(kill(pid, 0) == -1 && errno == ESRCH);
}

static void an_end_without_a_word_is_told(void **state)
{
    (void)state;
    fw_child *c = NULL;
    int word = 0;
    int none = -7;
    char more = 0;
    assert_int_equal(fw_child_start(&c, says_seven, &none, NULL), FW_OK);
    assert_int_equal(fw_child_read(c, &word, sizeof word, fw_mono_after(fw_mono_now(), 10.0), NULL), FW_OK);
    assert_int_equal(fw_child_read(c, &more, 1, fw_mono_after(fw_mono_now(), 10.0), NULL), FW_ERR_LOST);
    fw_child_destroy(&c);
}

static void it_holds_nothing_of_its_parents_open(void **state)
{
    (void)state;
    assert_int_equal(first_word(says_its_descriptors, NULL, 10.0, FW_OK), 0);
}

static void it_clears_up_when_it_is_let_go(void **state)
{
    (void)state;
    scratch here;
    struct stat st;
    fw_child *c = NULL;
    assert_true(scratch_make(&here));
    char *path = strdup(scratch_path(&here, "left"));
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(fw_child_start(&c, clears_up, path, NULL), FW_OK);
    fw_child_destroy(&c);
    assert_int_equal(stat(path, &st), -1);
    free(path);
    scratch_remove(&here);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_says_in_pieces_arrives_whole),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(one_that_does_not_end_is_killed),
        cmocka_unit_test(an_end_without_a_word_is_told),
        cmocka_unit_test(it_holds_nothing_of_its_parents_open),
        cmocka_unit_test(it_clears_up_when_it_is_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
