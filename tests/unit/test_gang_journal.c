/** The journal: what was written is read again; cut at any byte, or with any bit changed, what is left is believed line by line, and it goes on. */
#include "coordinator/gang/journal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "tests/unit/scratch.h"

enum { ENTRIES = 5 };

typedef struct seen { int n[64]; size_t count; } seen;

static void note(void *context, const json_t *entry)
{
    seen *s = context;
    assert_true(s->count < 64);
    s->n[s->count++] = (int)json_integer_value(json_object_get(entry, "n"));
}

static coord_journal *opened(const char *path, seen *s)
{
    coord_journal *j = NULL;
    fw_error err = {0};
    *s = (seen){0};
    if (coord_journal_open(&j, path, note, s, &err) != FW_OK) fail_msg("%s", err.text);
    return j;
}

static void add(coord_journal *j, int n) { assert_int_equal(coord_journal_add(j, "lost", json_pack("{s:i}", "n", n), NULL), FW_OK); }

typedef struct fixture { scratch s; char path[512]; char *bytes; size_t len; } fixture;

static int begin(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    seen s;
    *state = f;
    if (f == NULL || !scratch_make(&f->s)) return -1;
    snprintf(f->path, sizeof f->path, "%s", scratch_path(&f->s, "gang.journal"));
    coord_journal *j = opened(f->path, &s);
    for (int i = 0; i < ENTRIES; i++) add(j, i);
    coord_journal_close(&j);
    return fw_read_file(&f->bytes, &f->len, f->path, 1 << 20, NULL) == FW_OK ? 0 : -1;
}

static int finish(void **state)
{
    fixture *f = *state;
    scratch_remove(&f->s);
    free(f->bytes);
    free(f);
    return 0;
}

static void what_was_written_is_read_again_and_added_to(void **state)
{
    fixture *f = *state;
    seen s;
    coord_journal *j = opened(f->path, &s);
    assert_int_equal(s.count, ENTRIES);
    assert_int_equal(coord_journal_damaged(j), 0);
    add(j, 77);
    coord_journal_close(&j);
    j = opened(f->path, &s);
    assert_int_equal(s.count, ENTRIES + 1);
    assert_int_equal(s.n[ENTRIES], 77);
    coord_journal_close(&j);
}

/* Killed while it appended: the lines before stand, the torn one goes, and what is appended next is read. */
static void cut_at_any_byte_it_goes_on(void **state)
{
    fixture *f = *state;
    for (size_t cut = 0; cut <= f->len; cut++) {
        seen s;
        size_t whole = 0;
        for (size_t i = 0; i < cut; i++) whole += f->bytes[i] == '\n';
        assert_int_equal(fw_write_file(f->path, f->bytes, cut, NULL), FW_OK);
        coord_journal *j = opened(f->path, &s);
        assert_int_equal(s.count, whole);
        for (size_t i = 0; i < whole; i++) assert_int_equal(s.n[i], i);
        add(j, 99);
        coord_journal_close(&j);
        j = opened(f->path, &s);
        assert_int_equal(s.count, whole + 1);
        assert_int_equal(s.n[whole], 99);
        assert_int_equal(coord_journal_damaged(j), 0);
        coord_journal_close(&j);
    }
}

/* A changed line is passed over, the others are believed; only an end of line that is gone, or a new one, takes a neighbour along. */
static void no_changed_bit_is_believed(void **state)
{
    fixture *f = *state;
    for (size_t bit = 0; bit < 8 * f->len; bit += 3) {      /* every byte, each of its bits in one line or another */
        seen s;
        FW_FREE char *changed = malloc(f->len);
        memcpy(changed, f->bytes, f->len);
        changed[bit / 8] = (char)(changed[bit / 8] ^ (1 << (bit % 8)));
        assert_int_equal(fw_write_file(f->path, changed, f->len, NULL), FW_OK);
        coord_journal *j = opened(f->path, &s);
        assert_true(coord_journal_damaged(j) > 0);
        assert_true(s.count == ENTRIES - 1 || (f->bytes[bit / 8] == '\n' && s.count >= ENTRIES - 2));
        for (size_t i = 1; i < s.count; i++) assert_true(s.n[i] > s.n[i - 1] && s.n[i] < ENTRIES);
        coord_journal_close(&j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_is_read_again_and_added_to, begin, finish),
        cmocka_unit_test_setup_teardown(cut_at_any_byte_it_goes_on, begin, finish),
        cmocka_unit_test_setup_teardown(no_changed_bit_is_believed, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
