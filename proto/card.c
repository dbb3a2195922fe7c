#include "proto/card.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"

#define MEMORY_BASE "/dev/shm"
#define MEMORY_DEPTH 8             /* folders below it */
#define BEAT_MIN_S  0.01
#define BEAT_MAX_S  5.0

/* ---- the file ---- */

static void token_text(char out[static 2 * FW_GANG_TOKEN + 1], const uint8_t token[static FW_GANG_TOKEN])
{
    for (size_t i = 0; i < FW_GANG_TOKEN; i++) snprintf(out + 2 * i, 3, "%02x", token[i]);
}

static bool parse_token(uint8_t out[static FW_GANG_TOKEN], const char *text)
{
    if (text == NULL || strlen(text) != 2 * FW_GANG_TOKEN || strspn(text, "0123456789abcdef") != 2 * FW_GANG_TOKEN) return false;
    for (size_t i = 0; i < FW_GANG_TOKEN; i++) {
        const char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return true;
}

fw_status fw_card_print(char **text, const fw_card *c, fw_error *err)
{
    char token[2 * FW_GANG_TOKEN + 1];
    json_t *addresses = json_array();
    token_text(token, c->token);
    for (size_t i = 0; i < c->n_addresses; i++) json_array_append_new(addresses, json_string(c->address[i]));
    json_t *j = json_pack("{s:I, s:s, s:s, s:s, s:o, s:i, s:f, s:s, s:s}", "generation", (json_int_t)c->generation, "token", token, "key", c->key, "host",
                          c->host, "addresses", addresses, "port", (int)c->port, "beat_s", c->beat_s, "fence",
                          c->fence != NULL ? c->fence : "", "page", c->page != NULL ? c->page : "");
    *text = j != NULL ? json_dumps(j, JSON_INDENT(2)) : NULL;
    json_decref(j);
    return *text != NULL ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "the card of a gang");
}

fw_status fw_card_write(const fw_card *card, const char *path, fw_error *err)
{
    FW_AUTO(fw_atomic_file) *f = NULL;
    FW_FREE char *text = NULL;
    FW_TRY(fw_card_print(&text, card, err));
    FW_TRY(fw_atomic_file_create(&f, path, err));
    FILE *stream = fw_atomic_file_stream(f);
    if (fchmod(fileno(stream), S_IRUSR | S_IWUSR) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s can't be kept from others' eyes", path);
    if (fprintf(stream, "%s\n", text) < 0) return fw_fail_errno(err, FW_ERR_IO, "%s can't be written whole", path);
    return fw_atomic_file_commit(f, err);
}

static bool take_text(char *out, size_t room, const json_t *value)
{
    const char *text = json_string_value(value);
    if (text == NULL || strlen(text) >= room) return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool take_fields(fw_card *c, const json_t *j)
{
    const json_t *addresses = json_object_get(j, "addresses");
    const json_int_t generation = json_integer_value(json_object_get(j, "generation")), port = json_integer_value(json_object_get(j, "port"));
    c->generation = (uint64_t)generation;
    c->port = (uint16_t)port;
    c->beat_s = json_number_value(json_object_get(j, "beat_s"));
    c->n_addresses = json_array_size(addresses);
    if (generation < 1 || port < 1 || port > UINT16_MAX || !(c->beat_s >= BEAT_MIN_S && c->beat_s <= BEAT_MAX_S) || !json_is_array(addresses) ||
        c->n_addresses > FW_CARD_ADDRESSES)
        return false;
    for (size_t i = 0; i < c->n_addresses; i++)
        if (!take_text(c->address[i], sizeof c->address[i], json_array_get(addresses, i))) return false;
    return parse_token(c->token, json_string_value(json_object_get(j, "token"))) && take_text(c->key, sizeof c->key, json_object_get(j, "key")) &&
           strlen(c->key) == FW_CARD_KEY_TEXT - 1 && take_text(c->host, sizeof c->host, json_object_get(j, "host"));
}

fw_status fw_card_parse(fw_card **out, const char *text, size_t len, fw_error *err)
{
    FW_AUTO(fw_card) *c = calloc(1, sizeof *c);
    json_error_t where;
    json_t *j = len <= FW_CARD_MAX_BYTES ? json_loadb(text, len, JSON_REJECT_DUPLICATES, &where) : NULL;
    fw_status s = c == NULL ? fw_fail(err, FW_ERR_NOMEM, "the card of the gang") : FW_OK;
    const char *fence = json_string_value(json_object_get(j, "fence")), *page = json_string_value(json_object_get(j, "page"));
    if (s == FW_OK && (!take_fields(c, j) || fence == NULL || page == NULL)) s = fw_fail(err, FW_ERR_FORMAT, "this is not the card of a gang");
    if (s == FW_OK) s = fw_copy_text(&c->fence, fence, err);
    if (s == FW_OK) s = fw_copy_text(&c->page, page, err);
    json_decref(j);
    FW_TRY(s);
    *out = c;
    c = NULL;
    return FW_OK;
}

void fw_card_destroy(fw_card **card)
{
    if (*card == NULL) return;
    free((*card)->fence);
    free((*card)->page);
    free(*card);
    *card = NULL;
}

/* ---- shared memory ---- */

static uint64_t number_of(const char *card_path) { return fw_hash64(card_path, strlen(card_path), 0); }

fw_status fw_card_memory(char **out, const char *card_path, uint64_t generation, fw_error *err)
{
    FW_AUTO(fw_text) t = {0};
    *out = NULL;
    if (getenv("OMPI_MCA_osc_sm_backing_directory") != NULL || getenv("OMPI_MCA_btl_vader_backing_directory") != NULL || access(MEMORY_BASE, W_OK) != 0)
        return FW_OK;
    fw_text_format(&t, MEMORY_BASE "/flywheel-%016llx.%llu", (unsigned long long)number_of(card_path), (unsigned long long)generation);
    FW_TRY(fw_text_check(&t, err));
    *out = fw_text_take(&t);
    return FW_OK;
}

fw_status fw_card_make_memory(char **out, const char *card_path, uint64_t generation, fw_error *err)
{
    struct stat st;
    FW_TRY(fw_card_memory(out, card_path, generation, err));
    if (*out == NULL) return FW_OK;
    mkdir(*out, S_IRWXU);
    if (lstat(*out, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid()) return FW_OK;
    free(*out);
    *out = NULL;
    return FW_OK;
}

/* With what is below it: segments, and a launcher's session, which is a few folders deep. */
static void remove_folder(int base, const char *name, int depth)
{
    int fd = openat(base, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (d == NULL) {
        if (fd >= 0) close(fd);
        return;
    }
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (unlinkat(dirfd(d), e->d_name, 0) != 0 && depth > 0) remove_folder(dirfd(d), e->d_name, depth - 1);
    }
    closedir(d);
    unlinkat(base, name, AT_REMOVEDIR);
}

void fw_card_remove_memory(const char *card_path, uint64_t kept)
{
    char prefix[64];
    const size_t len = (size_t)snprintf(prefix, sizeof prefix, "flywheel-%016llx.", (unsigned long long)number_of(card_path));
    DIR *d = opendir(MEMORY_BASE);
    if (d == NULL) return;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        uint64_t generation = 0;
        if (strncmp(e->d_name, prefix, len) != 0 || !fw_parse_uint64(&generation, e->d_name + len, strlen(e->d_name + len))) continue;
        if (generation < kept) remove_folder(dirfd(d), e->d_name, MEMORY_DEPTH);
    }
    closedir(d);
}
