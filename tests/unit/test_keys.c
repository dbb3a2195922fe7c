/** Files of keys and the list of those who are let in: what is made can be read, and what others could have touched is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/bus/allowed.h"
#include "common/core/fs.h"
#include "common/core/size.h"
#include "tests/unit/scratch.h"

static fw_bus_keys made(scratch *s, const char *name)
{
    fw_bus_keys k;
    fw_error err = {0};
    if (fw_keys_create(&k, s->dir, name, &err) != FW_OK) fail_msg("%s", err.text);
    return k;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void put(scratch *s, const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(scratch_path(s, name), "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(scratch_path(s, name), mode), 0);
}

static void a_new_pair_is_read_back_and_never_replaced(void **state)
{
    scratch *s = *state;
    mode_t before = umask(0);
    fw_bus_keys k = made(s, "publisher"), again, read;
    umask(before);
    char public_key[FW_BUS_KEY_TEXT];
    assert_int_equal(mode_of(scratch_path(s, "publisher.secret")), 0600);
    assert_int_equal(mode_of(scratch_path(s, "publisher.public")), 0644);
    assert_int_equal(fw_keys_read_secret(&read, s->dir, "publisher", NULL), FW_OK);
    assert_memory_equal(&read, &k, sizeof k);
    assert_int_equal(fw_keys_read_public(public_key, scratch_path(s, "publisher.public"), NULL), FW_OK);
    assert_string_equal(public_key, k.public_key);

    fw_error err = {0};
    assert_int_equal(fw_keys_create(&again, s->dir, "publisher", &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "is there already"));
    assert_int_equal(unlink(scratch_path(s, "publisher.public")), 0);
    assert_int_equal(fw_keys_create(&again, s->dir, "publisher", &err), FW_ERR_CONFIG);
    assert_int_equal(fw_keys_restore_public(s->dir, "publisher", NULL), FW_OK);
    assert_int_equal(fw_keys_read_public(public_key, scratch_path(s, "publisher.public"), NULL), FW_OK);
    assert_string_equal(public_key, k.public_key);
    assert_int_equal(unlink(scratch_path(s, "publisher.secret")), 0);
    assert_int_equal(fw_keys_create(&again, s->dir, "publisher", &err), FW_ERR_CONFIG);      /* the public key is somebody else's */
}

static void names_are_words(void **state)
{
    scratch *s = *state;
    static const char *const wrong[] = {"", ".", "..", "../x", "a/b", "-x", ".x", "a b", "a\nb", "\xc3\xa9", "0123456789012345678901234567890123456789012345678901234567890123X"};
    static const char *const right[] = {"a", "0", "monitor@node-7.example_x"};
    fw_bus_keys k;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (fw_keys_create(&k, s->dir, wrong[i], NULL) != FW_ERR_CONFIG) fail_msg("'%s'", wrong[i]);
    for (size_t i = 0; i < sizeof right / sizeof *right; i++)
        if (fw_keys_create(&k, s->dir, right[i], NULL) != FW_OK) fail_msg("'%s'", right[i]);
}

static void names_are_listed_once_and_sorted(void **state)
{
    scratch *s = *state;
    char **names = NULL;
    size_t n = 0;
    made(s, "reader"), made(s, "publisher");
    assert_int_equal(unlink(scratch_path(s, "publisher.secret")), 0);
    put(s, "allowed", "", 0644), put(s, "x.secret.tmp.1", "", 0600), put(s, ".secret", "", 0600);
    assert_int_equal(fw_keys_list(&names, &n, s->dir, NULL), FW_OK);
    assert_int_equal(n, 2);
    assert_string_equal(names[0], "publisher");
    assert_string_equal(names[1], "reader");
    fw_keys_free_names(names, n);
    assert_int_equal(fw_keys_list(&names, &n, scratch_path(s, "nowhere"), NULL), FW_ERR_NOTFOUND);
}

static void refused(scratch *s, fw_status expected, const char *text)
{
    fw_bus_keys k;
    fw_error err = {0};
    const fw_status status = fw_keys_read_secret(&k, s->dir, "k", &err);
    if (status != expected || strstr(err.text, text) == NULL) fail_msg("%s, not %s: %s", fw_status_name(status), fw_status_name(expected), err.text);
}

static void a_secret_that_others_can_reach_is_refused(void **state)
{
    scratch *s = *state;
    char elsewhere[600], path[600];
    made(s, "k");
    snprintf(path, sizeof path, "%s/k.secret", s->dir);
    static const mode_t modes[] = {0604, 0640, 0602, 0620, 0601, 0610, 0644, 0666};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        refused(s, FW_ERR_CONFIG, "chmod 600");
    }
    assert_int_equal(chmod(path, 0400), 0);
    fw_bus_keys k;
    assert_int_equal(fw_keys_read_secret(&k, s->dir, "k", NULL), FW_OK);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 12345, 12345), 0);
        refused(s, FW_ERR_CONFIG, "another user");
        assert_int_equal(chown(path, 0, 0), 0);
    }
    snprintf(elsewhere, sizeof elsewhere, "%s.elsewhere", s->dir);
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    refused(s, FW_ERR_CONFIG, "a link out of its folder");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(scratch_path(s, "data"), 0700), 0);              /* as Kubernetes mounts it */
    assert_int_equal(rename(elsewhere, scratch_path(s, "data/k.secret")), 0);
    assert_int_equal(symlink("data/k.secret", path), 0);
    assert_int_equal(fw_keys_read_secret(&k, s->dir, "k", NULL), FW_OK);
    assert_int_equal(unlink(path), 0);
    refused(s, FW_ERR_NOTFOUND, "is not there");
    assert_int_equal(mkfifo(path, 0600), 0);
    refused(s, FW_ERR_CONFIG, "a pipe");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    refused(s, FW_ERR_CONFIG, "a folder");
}

static void a_file_that_holds_no_pair_is_refused(void **state)
{
    scratch *s = *state;
    fw_bus_keys k = made(s, "k"), other = made(s, "other");
    char mixed[256], twice[256];
    static char large[70000];
    memset(large, '\n', sizeof large - 1);
    snprintf(mixed, sizeof mixed, "public-key = \"%s\"\nsecret-key = \"%s\"\n", other.public_key, k.secret_key);
    snprintf(twice, sizeof twice, "public-key = \"%s\"\npublic-key = \"%s\"\nsecret-key = \"%s\"\n", k.public_key, k.public_key, k.secret_key);
    const struct { const char *text, *says; } rows[] = {
        {"", "no file of keys"}, {"hello", "no file of keys"}, {large, "larger than"}, {mixed, "don't belong together"}, {twice, "k.secret:2: a second key"},
        {"public-key = \"short\"", "k.secret:1: that is no key"},
        {"\n\npublic-key = \"0123456789012345678901234567890123456789~\"", "k.secret:3: that is no key"},
        {"public-key = \"0123456789012345678901234567890123456789\"", "no secret-key"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put(s, "k.secret", rows[i].text, 0600);
        refused(s, FW_ERR_CONFIG, rows[i].says);
    }
    FILE *f = fopen(scratch_path(s, "k.secret"), "w");
    assert_int_equal(fwrite("public\0key", 1, 10, f), 10);
    assert_int_equal(fclose(f), 0);
    refused(s, FW_ERR_CONFIG, "NUL");
}

/* Cut anywhere, it is refused or it is the pair: never another. */
static void a_cut_file_is_never_another_key(void **state)
{
    scratch *s = *state;
    fw_bus_keys k = made(s, "k"), found;
    FW_FREE char *text = NULL;
    size_t len = 0, read = 0;
    assert_int_equal(fw_read_file(&text, &len, scratch_path(s, "k.secret"), 4096, NULL), FW_OK);
    for (size_t i = len; i-- > 0;) {
        text[i] = '\0';
        put(s, "k.secret", text, 0600);
        if (fw_keys_read_secret(&found, s->dir, "k", NULL) != FW_OK) continue;
        assert_memory_equal(&found, &k, sizeof k);
        read++;
    }
    assert_in_range(read, 1, 2);      /* without its last newline; the quote too */
}

static void a_public_file_is_trusted_when_its_owner_alone_writes_it(void **state)
{
    scratch *s = *state;
    char key[FW_BUS_KEY_TEXT] = "";
    fw_error err = {0};
    fw_bus_keys k = made(s, "k");
    char path[600];
    snprintf(path, sizeof path, "%s/k.public", s->dir);
    assert_int_equal(chmod(path, 0664), 0);
    assert_int_equal(fw_keys_read_public(key, path, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "chmod go-w"));
    assert_int_equal(chmod(path, 0444), 0);
    assert_int_equal(fw_keys_read_public(key, path, NULL), FW_OK);
    assert_string_equal(key, k.public_key);
    key[0] = '\0';
    assert_int_equal(fw_keys_read_public(key, scratch_path(s, "k.secret"), &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "holds a secret key"));
    assert_string_equal(key, "");
    assert_int_equal(fw_keys_read_public(key, scratch_path(s, "nobody.public"), &err), FW_ERR_NOTFOUND);
}

#define KEY_A "0000000000000000000000000000000000000001"
#define KEY_B "0000000000000000000000000000000000000002"

static void a_wrong_line_of_the_list_is_named(void **state)
{
    scratch *s = *state;
    static char large[(2u << 20) + 2];
    memset(large, '#', sizeof large - 1);
    const struct { const char *text, *says; fw_status status; mode_t mode; } rows[] = {
        {"", NULL, FW_OK, 0644},
        {"# a comment\n\n  \t\nread " KEY_A " a\r\nstore\t" KEY_B "  b", NULL, FW_OK, 0644},
        {"read " KEY_A " a\nwrite " KEY_B " b\n", "allowed:2: 'write' is no role", FW_ERR_CONFIG, 0644},
        {"read\n", "allowed:1: a line is three words", FW_ERR_CONFIG, 0644},
        {"read " KEY_A "\n", "allowed:1: a line is three words", FW_ERR_CONFIG, 0644},
        {"read " KEY_A " a b\n", "allowed:1: a line is three words", FW_ERR_CONFIG, 0644},
        {"read 0123 a\n", "allowed:1: the second word is no key", FW_ERR_CONFIG, 0644},
        {"read " KEY_A " ../a\n", "'../a' can't be a name", FW_ERR_CONFIG, 0644},
        {"read " KEY_A " a\n\nstore " KEY_A " b\n", "allowed:3: this key is there already", FW_ERR_CONFIG, 0644},
        {"read " KEY_A " a\n", "chmod go-w", FW_ERR_CONFIG, 0664},
        {"read " KEY_A " a\n", "chmod go-w", FW_ERR_CONFIG, 0646},
        {large, "larger than", FW_ERR_CONFIG, 0644},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        FW_AUTO(fw_allowed) *a = NULL;
        fw_error err = {0};
        put(s, "allowed", rows[i].text, rows[i].mode);
        const fw_status status = fw_allowed_read(&a, scratch_path(s, "allowed"), &err);
        if (status != rows[i].status || (rows[i].says != NULL && strstr(err.text, rows[i].says) == NULL)) fail_msg("row %zu: %s", i, err.text);
    }
    assert_int_equal(unlink(scratch_path(s, "allowed")), 0);
    FW_AUTO(fw_allowed) *a = NULL;
    assert_int_equal(fw_allowed_read(&a, scratch_path(s, "allowed"), NULL), FW_ERR_NOTFOUND);
}

static fw_role role_in(scratch *s, const char *key)
{
    FW_AUTO(fw_allowed) *a = NULL;
    fw_error err = {0};
    if (fw_allowed_read(&a, scratch_path(s, "allowed"), &err) != FW_OK) fail_msg("%s", err.text);
    const fw_allowed_key *found = fw_allowed_find(a, key);
    return found != NULL ? found->role : FW_ROLE_NONE;
}

static fw_role add(scratch *s, fw_role role, const char *key, const char *name)
{
    fw_allowed_key k = {.role = role};
    fw_role before = FW_ROLE_NONE;
    fw_error err = {0};
    snprintf(k.key, sizeof k.key, "%s", key);
    snprintf(k.name, sizeof k.name, "%s", name);
    if (fw_allowed_add(scratch_path(s, "allowed"), &k, &before, &err) != FW_OK) fail_msg("%s", err.text);
    return before;
}

static void keys_come_and_go_and_comments_stay(void **state)
{
    scratch *s = *state;
    FW_FREE char *text = NULL;
    size_t len = 0, removed = 0;
    mode_t before = umask(0);
    assert_int_equal(add(s, FW_ROLE_READ, KEY_A, "dashboard"), FW_ROLE_NONE);
    umask(before);
    assert_int_equal(mode_of(scratch_path(s, "allowed")), 0644);
    FILE *f = fopen(scratch_path(s, "allowed"), "a");
    fputs("# of the other team\nread 0000000000000000000000000000000000000003 them", f);      /* no newline at the end */
    assert_int_equal(fclose(f), 0);
    assert_int_equal(add(s, FW_ROLE_READ, KEY_B, "dashboard"), FW_ROLE_NONE);      /* a second key of one name: the change to a new one */
    assert_int_equal(add(s, FW_ROLE_STORE, KEY_A, "dashboard"), FW_ROLE_READ);
    assert_int_equal(role_in(s, KEY_A), FW_ROLE_STORE);
    assert_int_equal(role_in(s, KEY_B), FW_ROLE_READ);
    assert_int_equal(fw_allowed_remove(scratch_path(s, "allowed"), "dashboard", &removed, NULL), FW_OK);
    assert_int_equal(removed, 2);
    assert_int_equal(role_in(s, KEY_A), FW_ROLE_NONE);
    assert_int_equal(role_in(s, "0000000000000000000000000000000000000003"), FW_ROLE_READ);
    assert_int_equal(fw_allowed_remove(scratch_path(s, "allowed"), "dashboard", &removed, NULL), FW_ERR_NOTFOUND);
    assert_int_equal(fw_read_file(&text, &len, scratch_path(s, "allowed"), 4096, NULL), FW_OK);
    assert_non_null(strstr(text, "# of the other team\n"));

    put(s, "allowed", "a wrong line\n", 0644);
    fw_allowed_key k = {.role = FW_ROLE_READ, .key = KEY_A, .name = "x"};
    fw_role was;
    assert_int_equal(fw_allowed_add(scratch_path(s, "allowed"), &k, &was, NULL), FW_ERR_CONFIG);      /* not made worse, and not forgotten */
    FW_FREE char *after = NULL;
    assert_int_equal(fw_read_file(&after, &len, scratch_path(s, "allowed"), 4096, NULL), FW_OK);
    assert_string_equal(after, "a wrong line\n");
}

static void roles_are_words(void **state)
{
    (void)state;
    fw_role r = FW_ROLE_NONE;
    assert_int_equal(fw_role_parse(&r, "read", NULL), FW_OK);
    assert_int_equal(r, FW_ROLE_READ);
    assert_int_equal(fw_role_parse(&r, "store", NULL), FW_OK);
    assert_int_equal(r, FW_ROLE_STORE);
    static const char *const wrong[] = {"", "none", "Read", "admin"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_int_equal(fw_role_parse(&r, wrong[i], NULL), FW_ERR_CONFIG);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_pair_is_read_back_and_never_replaced),
        TEST(names_are_words),
        TEST(names_are_listed_once_and_sorted),
        TEST(a_secret_that_others_can_reach_is_refused),
        TEST(a_file_that_holds_no_pair_is_refused),
        TEST(a_cut_file_is_never_another_key),
        TEST(a_public_file_is_trusted_when_its_owner_alone_writes_it),
        TEST(a_wrong_line_of_the_list_is_named),
        TEST(keys_come_and_go_and_comments_stay),
        TEST(roles_are_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
