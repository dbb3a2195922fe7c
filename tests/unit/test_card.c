/** The card of a gang: what is written is read again, for the user's eyes only; what is no card is refused. */
#include "proto/card.h"

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

static fw_card example(void)
{
    fw_card c = {.generation = 3, .token = {0xab, 0, 1}, .host = "n1", .n_addresses = 2, .port = 4711, .beat_s = 0.2, .fence = (char *)"/r/gang.generation",
                 .page = (char *)"/r/gang.page"};
    memset(c.key, 'k', sizeof c.key - 1);
    snprintf(c.address[0], sizeof c.address[0], "10.0.0.1");
    snprintf(c.address[1], sizeof c.address[1], "n1.example");
    return c;
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    scratch s;
    struct stat st;
    size_t len = 0;
    FW_FREE char *text = NULL;
    FW_AUTO(fw_card) *got = NULL;
    const fw_card c = example();
    assert_true(scratch_make(&s));
    const char *path = scratch_path(&s, "gang.json");
    assert_int_equal(fw_card_write(&c, path, NULL), FW_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(fw_read_file(&text, &len, path, FW_CARD_MAX_BYTES, NULL), FW_OK);
    assert_int_equal(fw_card_parse(&got, text, len, NULL), FW_OK);
    assert_int_equal(got->generation, 3);
    assert_memory_equal(got->token, c.token, sizeof c.token);
    assert_string_equal(got->key, c.key);
    assert_string_equal(got->host, "n1");
    assert_int_equal(got->n_addresses, 2);
    assert_string_equal(got->address[1], "n1.example");
    assert_int_equal(got->port, 4711);
    assert_true(got->beat_s == 0.2);
    assert_string_equal(got->fence, c.fence);
    assert_string_equal(got->page, c.page);
    for (size_t cut = 0; cut + 2 < len; cut++) {
        fw_card *part = NULL;
        assert_int_equal(fw_card_parse(&part, text, cut, NULL), FW_ERR_FORMAT);
    }
    scratch_remove(&s);
}

static void what_breaks_a_limit_is_refused(void **state)
{
    (void)state;
    const struct { const char *from, *to; } changes[] = {{"\"generation\": 3", "\"generation\": 0"}, {"4711", "65536"}, {"4711", "0"}, {"0.2", "0.001"},
                                                         {"ab00", "xb00"}, {"ab00", "ab0"}, {"kkkk", "kkk"}, {"\"page\"", "\"pag\""}, {"[", "[1, "}};
    scratch s;
    FW_FREE char *text = NULL;
    const fw_card c = example();
    assert_true(scratch_make(&s));
    assert_int_equal(fw_card_write(&c, scratch_path(&s, "gang.json"), NULL), FW_OK);
    assert_int_equal(fw_read_file(&text, NULL, scratch_path(&s, "gang.json"), FW_CARD_MAX_BYTES, NULL), FW_OK);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char changed[4096];
        fw_card *got = NULL;
        const char *at = strstr(text, changes[i].from);
        assert_non_null(at);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - text), text, changes[i].to, at + strlen(changes[i].from));
        assert_int_equal(fw_card_parse(&got, changed, strlen(changed), NULL), FW_ERR_FORMAT);
        assert_null(got);
    }
    scratch_remove(&s);
}

/* The folders of earlier generations go with what is in them, others stay. */
static void shared_memory_of_earlier_generations_is_removed(void **state)
{
    (void)state;
    FW_FREE char *first = NULL;
    FW_FREE char *second = NULL;
    char card[64], file[400];
    snprintf(card, sizeof card, "/a/test/%ld/gang.json", (long)getpid());
    unsetenv("OMPI_MCA_osc_sm_backing_directory");
    unsetenv("OMPI_MCA_btl_vader_backing_directory");
    assert_int_equal(fw_card_memory(&first, card, 1, NULL), FW_OK);
    assert_int_equal(fw_card_memory(&second, card, 2, NULL), FW_OK);
    if (first == NULL) skip();                               /* no /dev/shm here */
    FW_FREE char *made = NULL;
    assert_int_equal(fw_card_make_memory(&made, card, 1, NULL), FW_OK);
    assert_string_equal(made, first);
    assert_int_equal(mkdir(second, 0700), 0);
    snprintf(file, sizeof file, "%s/segment", first);
    assert_int_equal(fw_write_file(file, "x", 1, NULL), FW_OK);
    snprintf(file, sizeof file, "%s/ompi.n0.0", first);      /* a launcher's session */
    assert_int_equal(mkdir(file, 0700), 0);
    snprintf(file, sizeof file, "%s/ompi.n0.0/contact", first);
    assert_int_equal(fw_write_file(file, "x", 1, NULL), FW_OK);
    fw_card_remove_memory(card, 2);
    assert_false(fw_path_exists(first));
    assert_true(fw_path_exists(second));
    fw_card_remove_memory("/another/gang.json", UINT64_MAX);
    assert_true(fw_path_exists(second));
    fw_card_remove_memory(card, UINT64_MAX);
    assert_false(fw_path_exists(second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(what_breaks_a_limit_is_refused),
        cmocka_unit_test(shared_memory_of_earlier_generations_is_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
