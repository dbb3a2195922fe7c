#include "common/bus/allowed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"

#define MAX_BYTES (2u << 20)
#define HEAD "# Who may come to the publisher: ROLE KEY NAME. read: subscribe; store: also fetch again and acknowledge.\n"

static const char *const role_names[] = {[FW_ROLE_NONE] = "none", [FW_ROLE_READ] = "read", [FW_ROLE_STORE] = "store"};

const char *fw_role_name(fw_role r) { return role_names[r]; }

fw_status fw_role_parse(fw_role *out, const char *word, fw_error *err)
{
    for (fw_role r = FW_ROLE_READ; r <= FW_ROLE_STORE; r++) {
        if (strcmp(word, role_names[r]) != 0) continue;
        *out = r;
        return FW_OK;
    }
    return fw_fail(err, FW_ERR_CONFIG, "'%.40s' is no role: it is read (may subscribe) or store (may also fetch again and acknowledge)", word);
}

void fw_allowed_destroy(fw_allowed **a)
{
    if (a == NULL || *a == NULL) return;
    free((*a)->v);
    free(*a);
    *a = NULL;
}

const fw_allowed_key *fw_allowed_find(const fw_allowed *a, const char *key)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i].key, key) == 0) return &a->v[i];
    return NULL;
}

/* The next word of a line; NULL: there is none. */
static char *next_word(char **rest)
{
    char *word;
    do word = strsep(rest, " \t\r");
    while (word != NULL && *word == '\0');
    return word;
}

/* FW_END: a comment or nothing. The line is cut into pieces. */
static fw_status parse_line(fw_allowed_key *out, char *line, const char *path, size_t number, fw_error *err)
{
    char *rest = line, *role = next_word(&rest), *key = next_word(&rest), *name = next_word(&rest);
    fw_error why = {0};
    if (role == NULL || *role == '#') return FW_END;
    if (key == NULL || name == NULL || next_word(&rest) != NULL) return fw_fail(err, FW_ERR_CONFIG, "%s:%zu: a line is three words: ROLE KEY NAME", path, number);
    *out = (fw_allowed_key){0};
    if (fw_role_parse(&out->role, role, &why) < 0) return fw_fail(err, FW_ERR_CONFIG, "%s:%zu: %s", path, number, why.text);
    if (!fw_keys_text_is_good(key)) return fw_fail(err, FW_ERR_CONFIG, "%s:%zu: the second word is no key: 40 characters of Z85 are one", path, number);
    if (!fw_keys_name_is_good(name)) return fw_fail(err, FW_ERR_CONFIG, "%s:%zu: '%.80s' can't be a name", path, number, name);
    memcpy(out->key, key, strlen(key));
    memcpy(out->name, name, strlen(name));
    return FW_OK;
}

static fw_status take_line(fw_allowed *a, char *line, const char *path, size_t number, fw_error *err)
{
    fw_allowed_key found;
    fw_status s = parse_line(&found, line, path, number, err);
    if (s != FW_OK) return s < 0 ? s : FW_OK;
    if (fw_allowed_find(a, found.key) != NULL) return fw_fail(err, FW_ERR_CONFIG, "%s:%zu: this key is there already", path, number);
    if (a->n == FW_ALLOWED_MAX) return fw_fail(err, FW_ERR_CONFIG, "%s:%zu: more than %d keys", path, number, FW_ALLOWED_MAX);
    FW_TRY(fw_grow((void **)&a->v, &a->capacity, a->n + 1, sizeof *a->v, "allowed keys", err));
    a->v[a->n++] = found;
    return FW_OK;
}

static fw_status parse(fw_allowed **out, char *text, const char *path, fw_error *err)
{
    FW_AUTO(fw_allowed) *a = calloc(1, sizeof *a);
    size_t number = 0;
    if (a == NULL) return fw_fail(err, FW_ERR_NOMEM, "allowed keys");
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) FW_TRY(take_line(a, line, path, ++number, err));
    *out = a;
    a = NULL;
    return FW_OK;
}

fw_status fw_allowed_read(fw_allowed **out, const char *path, fw_error *err)
{
    FW_FREE char *text = NULL;
    size_t len = 0;
    FW_TRY(fw_keys_read_text(&text, &len, path, MAX_BYTES, err));
    return parse(out, text, path, err);
}

/* ---- changing ---------------------------------------------------------------------------------------------------------------------------- */

typedef bool is_wanted(const fw_allowed_key *found, const void *what);

/* Adds the lines of text to out, without those that are wanted gone; *last is the last of these. */
static size_t copy_lines(fw_text *out, const char *text, is_wanted *gone, const void *what, fw_allowed_key *last)
{
    size_t removed = 0;
    for (const char *line = text; *line != '\0';) {
        const size_t len = strcspn(line, "\n");
        FW_FREE char *copy = strndup(line, len);
        fw_allowed_key found;
        if (copy == NULL) {
            out->failed = true;
            return removed;
        }
        if (parse_line(&found, copy, "", 0, NULL) == FW_OK && gone(&found, what)) {
            *last = found;
            removed++;
        } else {
            fw_text_add_bytes(out, line, len);
            fw_text_add(out, "\n");
        }
        line += len + (line[len] == '\n');
    }
    return removed;
}

/* The text of a good list; HEAD when there is none. */
static fw_status read_good(char **text, const char *path, fw_error *err)
{
    FW_AUTO(fw_allowed) *a = NULL;
    FW_FREE char *pieces = NULL;
    fw_error why = {0};
    size_t len = 0;
    fw_status s = fw_keys_read_text(text, &len, path, MAX_BYTES, &why);
    if (s == FW_ERR_NOTFOUND) return fw_copy_text(text, HEAD, err);
    if (s < 0) return fw_fail(err, s, "%s", why.text);
    FW_TRY(fw_copy_text(&pieces, *text, err));
    return parse(&a, pieces, path, err);
}

static fw_status write_list(const char *path, const fw_text *text, fw_error *err)
{
    FW_AUTO(fw_atomic_file) *f = NULL;
    FW_TRY(fw_text_check(text, err));
    FW_TRY(fw_atomic_file_create(&f, path, err));
    if (fchmod(fileno(fw_atomic_file_stream(f)), 0644) != 0 || fwrite(text->data, 1, text->len, fw_atomic_file_stream(f)) != text->len)
        return fw_fail_errno(err, FW_ERR_IO, "%s can't be written", path);
    return fw_atomic_file_commit(f, err);
}

static bool has_key(const fw_allowed_key *found, const void *key) { return strcmp(found->key, key) == 0; }
static bool has_name(const fw_allowed_key *found, const void *name) { return strcmp(found->name, name) == 0; }

fw_status fw_allowed_add(const char *path, const fw_allowed_key *key, fw_role *before, fw_error *err)
{
    FW_FREE char *text = NULL;
    FW_AUTO(fw_text) out = {0};
    fw_allowed_key old = {0};
    FW_TRY(read_good(&text, path, err));
    copy_lines(&out, text, has_key, key->key, &old);
    fw_text_format(&out, "%-5s %s %s\n", fw_role_name(key->role), key->key, key->name);
    FW_TRY(write_list(path, &out, err));
    *before = old.role;
    return FW_OK;
}

fw_status fw_allowed_remove(const char *path, const char *name, size_t *removed, fw_error *err)
{
    FW_FREE char *text = NULL;
    FW_AUTO(fw_text) out = {0};
    fw_allowed_key old = {0};
    FW_TRY(read_good(&text, path, err));
    const size_t n = copy_lines(&out, text, has_name, name, &old);
    if (n == 0) return fw_fail(err, FW_ERR_NOTFOUND, "%s: nobody is called '%.80s' there", path, name);
    FW_TRY(write_list(path, &out, err));
    *removed = n;
    return FW_OK;
}
