#include "common/bus/keys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "common/core/clock.h"
#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"

#define MAX_BYTES 65536      /* of a file of keys */
#define SECRET    ".secret"
#define PUBLIC    ".public"

/* ---- words ------------------------------------------------------------------------------------------------------------------------------- */

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

bool fw_keys_name_is_good(const char *name)
{
    const size_t len = strlen(name);
    return len > 0 && len <= FW_KEYS_NAME && strspn(name, LETTERS) > 0 && strspn(name, LETTERS "._-@") == len;
}

bool fw_keys_text_is_good(const char *key)
{
    uint8_t bytes[32];
    return strlen(key) == FW_BUS_KEY_TEXT - 1 && zmq_z85_decode(bytes, key) != NULL;
}

void fw_keys_forget(fw_bus_keys *keys) { explicit_bzero(keys, sizeof *keys); }

fw_status fw_keys_path(char **out, const char *folder, const char *name, const char *ending, fw_error *err)
{
    FW_AUTO(fw_text) t = {0};
    fw_text_format(&t, "%s/%s%s", folder, name, ending);
    FW_TRY(fw_text_check(&t, err));
    *out = fw_text_take(&t);
    return FW_OK;
}

static fw_status check_name(const char *name, fw_error *err)
{
    if (fw_keys_name_is_good(name)) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "'%.80s' can't be the name of a key: write 1 to %d letters, digits, and . _ - @, the first a letter or a digit", name,
                   FW_KEYS_NAME);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------------------------- */

/* Kubernetes mounts secrets as links within their folder; a link that leaves it would let whoever made it choose the file. */
static fw_status check_within(const char *folder, const char *resolved, const char *path, fw_error *err)
{
    FW_FREE char *home = realpath(folder, NULL);
    size_t len = home != NULL ? strlen(home) : 0;
    if (home != NULL && strncmp(resolved, home, len) == 0 && (resolved[len] == '/' || len == 1)) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "%s is a link out of its folder, to %s: put the file itself there", path, resolved);
}

static fw_status check_kind(const struct stat *s, const char *path, fw_error *err)
{
    if (S_ISREG(s->st_mode)) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "%s is %s, not a regular file", path, S_ISDIR(s->st_mode) ? "a folder" : "a pipe or a device");
}

static fw_status check_secret(const struct stat *s, const char *path, fw_error *err)
{
    FW_TRY(check_kind(s, path, err));
    if (s->st_uid != geteuid() && s->st_uid != 0)
        return fw_fail(err, FW_ERR_CONFIG, "%s belongs to another user (%u): a secret key has to be one's own", path, (unsigned)s->st_uid);
    if ((s->st_mode & 077) == 0) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "%s: mode %04o lets others at a secret key; chmod 600 %s, and if somebody may have read it, make a new pair: flywheel keys new",
                   path, (unsigned)(s->st_mode & 07777), path);
}

static fw_status check_shared(const struct stat *s, const char *path, fw_error *err)
{
    FW_TRY(check_kind(s, path, err));
    if ((s->st_mode & 022) == 0) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "%s: mode %04o lets others choose whom to trust; chmod go-w %s", path, (unsigned)(s->st_mode & 07777), path);
}

/* The whole of an open file. */
static fw_status read_all(char **out, size_t *len, int fd, const char *path, size_t max_bytes, fw_error *err)
{
    FW_FREE char *text = malloc(max_bytes + 1);
    size_t have = 0;
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to read it", path);
    for (ssize_t n = 1; n != 0 && have <= max_bytes; have += n > 0 ? (size_t)n : 0) {
        n = read(fd, text + have, max_bytes + 1 - have);
        if (n < 0 && errno != EINTR) return fw_fail_errno(err, FW_ERR_IO, "%s can't be read", path);
    }
    if (have > max_bytes) return fw_fail(err, FW_ERR_CONFIG, "%s is larger than %zu bytes: that is no file of keys", path, max_bytes);
    text[have] = '\0';
    if (strlen(text) != have) return fw_fail(err, FW_ERR_CONFIG, "%s: there is a NUL byte in it: that is no file of keys", path);
    *out = text;
    *len = have;
    text = NULL;
    return FW_OK;
}

/* What is checked is what is read: the file is looked at once it is open. home NULL: it may be a link to anywhere. */
static fw_status read_checked(char **out, size_t *len, const char *path, const char *home, size_t max_bytes, fw_error *err)
{
    FW_FREE char *resolved = realpath(path, NULL);
    struct stat s;
    if (resolved == NULL && (errno == ENOENT || errno == ENOTDIR)) return fw_fail(err, FW_ERR_NOTFOUND, "%s is not there", path);
    if (resolved == NULL) return fw_fail_errno(err, FW_ERR_IO, "%s can't be read", path);
    if (home != NULL) FW_TRY(check_within(home, resolved, path, err));
    const int fd = open(resolved, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s can't be read", path);
    fw_status status = fstat(fd, &s) == 0 ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "%s can't be looked at", path);
    if (status == FW_OK) status = home != NULL ? check_secret(&s, path, err) : check_shared(&s, path, err);
    if (status == FW_OK) status = read_all(out, len, fd, path, max_bytes, err);
    close(fd);
    return status;
}

fw_status fw_keys_read_text(char **out, size_t *len, const char *path, size_t max_bytes, fw_error *err)
{
    return read_checked(out, len, path, NULL, max_bytes, err);
}

/* ---- certificates ------------------------------------------------------------------------------------------------------------------------ */

/* 'name = "value"': whether the line is of that name; value is then what stands between the quotes, and NUL-terminated. */
static bool is_line_of(char *line, const char *name, char **value)
{
    const size_t len = strlen(name);
    if (strncmp(line, name, len) != 0) return false;
    char *at = line + len + strspn(line + len, " \t");
    if (*at != '=') return false;
    at++;
    at += strspn(at, " \t");
    size_t n = strcspn(at, "\r");
    while (n > 0 && (at[n - 1] == ' ' || at[n - 1] == '\t')) n--;
    if (n >= 2 && (*at == '"' || *at == '\'') && at[n - 1] == *at) {
        at++;
        n -= 2;
    }
    at[n] = '\0';
    *value = at;
    return true;
}

static fw_status take_key(char out[static FW_BUS_KEY_TEXT], const char *value, const char *path, size_t line, fw_error *err)
{
    if (out[0] != '\0') return fw_fail(err, FW_ERR_CONFIG, "%s:%zu: a second key of the same kind", path, line);
    if (!fw_keys_text_is_good(value)) return fw_fail(err, FW_ERR_CONFIG, "%s:%zu: that is no key: 40 characters of Z85 are one", path, line);
    memcpy(out, value, FW_BUS_KEY_TEXT);
    return FW_OK;
}

/* text is cut into pieces. Other lines are comments, sections and metadata: they say nothing to us. A key that is not there stays "". */
static fw_status parse_keys(fw_bus_keys *out, char *text, const char *path, fw_error *err)
{
    size_t number = 0;
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *value = NULL;
        number++;
        line += strspn(line, " \t");
        if (is_line_of(line, "public-key", &value)) FW_TRY(take_key(out->public_key, value, path, number, err));
        else if (is_line_of(line, "secret-key", &value)) FW_TRY(take_key(out->secret_key, value, path, number, err));
    }
    if (out->public_key[0] != '\0') return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "%s: there is no public-key = \"...\" in it: that is no file of keys; `flywheel keys new` makes them", path);
}

static fw_status check_pair(const fw_bus_keys *k, const char *path, fw_error *err)
{
    char expected[FW_BUS_KEY_TEXT];
    if (k->secret_key[0] == '\0') return fw_fail(err, FW_ERR_CONFIG, "%s: there is no secret-key = \"...\" in it", path);
    if (zmq_curve_public(expected, k->secret_key) != 0) return fw_fail(err, FW_ERR_BUS, "%s: this libzmq was built without CURVE", path);
    if (strcmp(expected, k->public_key) != 0) return fw_fail(err, FW_ERR_CONFIG, "%s: its two keys don't belong together", path);
    return FW_OK;
}

fw_status fw_keys_read_secret(fw_bus_keys *out, const char *folder, const char *name, fw_error *err)
{
    FW_FREE char *path = NULL;
    char *text = NULL;
    size_t len = 0;
    fw_bus_keys found = {0};
    FW_TRY(check_name(name, err));
    FW_TRY(fw_keys_path(&path, folder, name, SECRET, err));
    FW_TRY(read_checked(&text, &len, path, folder, MAX_BYTES, err));
    fw_status s = parse_keys(&found, text, path, err);
    if (s == FW_OK) s = check_pair(&found, path, err);
    if (s == FW_OK) *out = found;
    explicit_bzero(text, len);
    free(text);
    fw_keys_forget(&found);
    return s;
}

fw_status fw_keys_read_public(char out[static FW_BUS_KEY_TEXT], const char *path, fw_error *err)
{
    FW_FREE char *text = NULL;
    size_t len = 0;
    fw_bus_keys found = {0};
    FW_TRY(read_checked(&text, &len, path, NULL, MAX_BYTES, err));
    FW_TRY(parse_keys(&found, text, path, err));
    const bool secret = found.secret_key[0] != '\0';
    explicit_bzero(text, len);
    memcpy(out, found.public_key, secret ? 0 : FW_BUS_KEY_TEXT);
    fw_keys_forget(&found);
    if (secret) return fw_fail(err, FW_ERR_CONFIG, "%s holds a secret key, which is its owner's alone: take the .public file beside it", path);
    return FW_OK;
}

/* ---- making ------------------------------------------------------------------------------------------------------------------------------ */

/* A whole file or none, and never over one that is there: link(2) refuses that, also when two make it at once. */
static fw_status write_new(const char *path, const char *text, mode_t mode, fw_error *err)
{
    FW_AUTO(fw_text) temp = {0};
    const size_t len = strlen(text);
    fw_text_format(&temp, "%s.tmp.%ld", path, (long)getpid());
    FW_TRY(fw_text_check(&temp, err));
    unlink(temp.data);                    /* left by a killed process of our number */
    const int fd = open(temp.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s can't be written", temp.data);
    bool good = fchmod(fd, mode) == 0 && write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    int why = errno;
    if (close(fd) != 0 && good) {
        good = false;
        why = errno;
    }
    if (good && link(temp.data, path) != 0) {
        good = false;
        why = errno;
    }
    unlink(temp.data);
    errno = why;
    if (good) return FW_OK;
    if (why == EEXIST)
        return fw_fail(err, FW_ERR_CONFIG, "%s is there already, and a key in use is not replaced: choose another name, or remove it first", path);
    return fw_fail_errno(err, FW_ERR_IO, "%s can't be written", path);
}

static fw_status write_pair(const char *folder, const char *name, const fw_bus_keys *k, bool secret, fw_error *err)
{
    FW_FREE char *path = NULL;
    FW_AUTO(fw_text) text = {0};
    char now[FW_UTC_LEN];
    fw_utc_now(now);
    FW_TRY(fw_keys_path(&path, folder, name, secret ? SECRET : PUBLIC, err));
    fw_text_format(&text, "#  CURVE %s of %s, made by flywheel %s\n", secret ? "key pair" : "public key", name, now);
    fw_text_add(&text, secret ? "#  Secret: its owner's alone, mode 0600.\n" : "#  For those who let its owner in, or who want to know whom they talk to.\n");
    fw_text_format(&text, "metadata\ncurve\n    public-key = \"%s\"\n", k->public_key);
    if (secret) fw_text_format(&text, "    secret-key = \"%s\"\n", k->secret_key);
    fw_status s = fw_text_check(&text, err);
    if (s == FW_OK) s = write_new(path, text.data, secret ? 0600 : 0644, err);
    if (text.data != NULL) explicit_bzero(text.data, text.len);
    return s;
}

/* A name whose public key lies there alone belongs to somebody else: a pair beside it would be mixed up with it. */
static fw_status check_free(const char *folder, const char *name, fw_error *err)
{
    FW_FREE char *path = NULL;
    FW_TRY(fw_keys_path(&path, folder, name, PUBLIC, err));
    if (!fw_path_exists(path)) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "%s is there already: choose another name, or remove it first", path);
}

fw_status fw_keys_create(fw_bus_keys *out, const char *folder, const char *name, fw_error *err)
{
    fw_bus_keys made;
    FW_TRY(check_name(name, err));
    FW_TRY(fw_bus_make_keys(&made, err));
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) return fw_fail_errno(err, FW_ERR_IO, "the folder %s can't be made", folder);
    FW_TRY(check_free(folder, name, err));
    fw_status s = write_pair(folder, name, &made, true, err);
    if (s == FW_OK) s = write_pair(folder, name, &made, false, err);
    if (s == FW_OK) *out = made;
    fw_keys_forget(&made);
    return s;
}

fw_status fw_keys_restore_public(const char *folder, const char *name, fw_error *err)
{
    fw_bus_keys k;
    FW_TRY(fw_keys_read_secret(&k, folder, name, err));
    fw_status s = write_pair(folder, name, &k, false, err);
    fw_keys_forget(&k);
    return s;
}

/* ---- listing ----------------------------------------------------------------------------------------------------------------------------- */

/* "NAME.secret" or "NAME.public": the length of NAME; 0: neither. */
static size_t name_of(const char *file)
{
    const size_t len = strlen(file);
    const char *dot = strrchr(file, '.');
    if (dot == NULL || (strcmp(dot, SECRET) != 0 && strcmp(dot, PUBLIC) != 0)) return 0;
    return len - strlen(dot);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool is_known(char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

void fw_keys_free_names(char **names, size_t n)
{
    for (size_t i = 0; i < n; i++) free(names[i]);
    free(names);
}

static fw_status take_name(char ***names, size_t *n, size_t *capacity, const char *file, fw_error *err)
{
    FW_FREE char *name = strndup(file, name_of(file));
    if (name == NULL) return fw_fail(err, FW_ERR_NOMEM, "names of keys");
    if (!fw_keys_name_is_good(name) || is_known(*names, *n, name)) return FW_OK;
    FW_TRY(fw_grow((void **)names, capacity, *n + 1, sizeof **names, "names of keys", err));
    (*names)[(*n)++] = name;
    name = NULL;
    return FW_OK;
}

fw_status fw_keys_list(char ***names, size_t *n, const char *folder, fw_error *err)
{
    char **found = NULL;
    size_t n_found = 0, capacity = 0;
    fw_status s = FW_OK;
    DIR *d = opendir(folder);
    if (d == NULL && errno == ENOENT) return fw_fail(err, FW_ERR_NOTFOUND, "the folder %s is not there; `flywheel keys new NAME -o %s` makes it", folder, folder);
    if (d == NULL) return fw_fail_errno(err, FW_ERR_IO, "the folder %s can't be read", folder);
    for (const struct dirent *e; s == FW_OK && (e = readdir(d)) != NULL;)
        if (name_of(e->d_name) > 0) s = take_name(&found, &n_found, &capacity, e->d_name, err);
    closedir(d);
    if (s < 0) {
        fw_keys_free_names(found, n_found);
        return s;
    }
    if (n_found > 0) qsort(found, n_found, sizeof *found, by_name);
    *names = found;
    *n = n_found;
    return FW_OK;
}
