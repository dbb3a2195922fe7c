#include "coordinator/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/journal/commit.h"

#define CHECKSUM_TEXT 16
#define READ_BYTES    ((size_t)1 << 18)
#define MAX_LINE      ((size_t)16 << 20)

struct coord_journal {
    coord_journal_opts opts;
    int fd;
    char *path;
    size_t damaged;
    uint64_t lines, bytes;             /* good ones; where the next line begins */
    uint64_t chain;                    /* hash of the last line; 0 when the lines are not chained */
    coord_commit *commit;
    fw_text put;                       /* lines that are to be appended */
    struct { uint64_t lines, chain; bool urgent; } before;      /* lines, chain: as they were before the first of them; urgent: one of them is */
};

/* ---- lines ------------------------------------------------------------------------------------------------------------------------------- */

static void put_checksum(char out[static CHECKSUM_TEXT + 1], uint64_t hash)
{
    snprintf(out, CHECKSUM_TEXT + 1, "%016llx", (unsigned long long)hash);
}

/* Whether the checksum holds; *hash is that of the line then. */
static bool sound(const coord_journal *j, const char *line, size_t len, uint64_t *hash)
{
    char sum[CHECKSUM_TEXT + 1];
    if (len < CHECKSUM_TEXT + 2 || line[CHECKSUM_TEXT] != ' ') return false;
    *hash = fw_hash64(line + CHECKSUM_TEXT + 1, len - CHECKSUM_TEXT - 1, j->chain);
    put_checksum(sum, *hash);
    return memcmp(sum, line, CHECKSUM_TEXT) == 0;
}

/* One line without its end. NULL: not to be believed. */
static json_t *entry_of(coord_journal *j, const char *line, size_t len)
{
    uint64_t hash;
    if (!sound(j, line, len, &hash)) return NULL;
    json_t *entry = json_loadb(line + CHECKSUM_TEXT + 1, len - CHECKSUM_TEXT - 1, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(entry)) {
        if (j->opts.chained) j->chain = hash;
        return entry;
    }
    json_decref(entry);
    return NULL;
}

static fw_status damaged(coord_journal *j, fw_error *err)
{
    j->damaged++;
    if (!j->opts.chained) return FW_OK;
    return fw_fail(err, FW_ERR_FORMAT, "%s: line %llu (byte %llu) is damaged: it, or the line before it, was changed or taken out; restore the file from a copy", j->path,
                   (unsigned long long)j->lines + 1, (unsigned long long)j->bytes);
}

static fw_status take_line(coord_journal *j, const char *line, size_t len, coord_journal_reader reader, void *context, fw_error *err)
{
    json_t *entry = entry_of(j, line, len);
    fw_status s = entry != NULL ? FW_OK : damaged(j, err);
    if (entry != NULL) {
        j->lines++;
        const coord_journal_line good = {.entry = entry, .json = line + CHECKSUM_TEXT + 1, .len = len - CHECKSUM_TEXT - 1, .number = j->lines, .byte = j->bytes};
        if (reader != NULL) s = reader(context, &good, err);
    }
    json_decref(entry);
    j->bytes += len + 1;
    return s;
}

/* ---- reading ----------------------------------------------------------------------------------------------------------------------------- */

typedef struct chunk { char *data; size_t at, len, capacity; } chunk;

/* More bytes behind those that are not used yet. *n 0: the end. */
static fw_status fill(coord_journal *j, chunk *c, size_t *n, fw_error *err)
{
    if (c->at > 0) memmove(c->data, c->data + c->at, c->len - c->at);
    c->len -= c->at;
    c->at = 0;
    if (c->len > MAX_LINE) return fw_fail(err, FW_ERR_FORMAT, "%s: line %llu has no end", j->path, (unsigned long long)j->lines + 1);
    FW_TRY(fw_grow((void **)&c->data, &c->capacity, c->len + READ_BYTES, 1, j->path, err));
    ssize_t got;
    do got = read(j->fd, c->data + c->len, READ_BYTES);
    while (got < 0 && errno == EINTR);
    if (got < 0) return fw_fail_errno(err, FW_ERR_IO, "%s: reading", j->path);
    c->len += *n = (size_t)got;
    return FW_OK;
}

static fw_status take_lines(coord_journal *j, chunk *c, coord_journal_reader reader, void *context, fw_error *err)
{
    for (const char *end; (end = memchr(c->data + c->at, '\n', c->len - c->at)) != NULL;) {
        const size_t len = (size_t)(end - (c->data + c->at));
        FW_TRY(take_line(j, c->data + c->at, len, reader, context, err));
        c->at += len + 1;
    }
    return FW_OK;
}

/* What stands behind the last line's end is torn; but a whole line with another byte for its end was changed. */
static fw_status torn(coord_journal *j, const chunk *c, fw_error *err)
{
    uint64_t hash;
    if (c->len == c->at) return FW_OK;
    if (j->opts.chained && sound(j, c->data + c->at, c->len - c->at - 1, &hash)) return damaged(j, err);
    j->damaged++;
    if (j->opts.read_only || ftruncate(j->fd, (off_t)j->bytes) == 0) return FW_OK;
    return fw_fail_errno(err, FW_ERR_IO, "%s: its torn end can't be taken off", j->path);
}

static fw_status read_all(coord_journal *j, coord_journal_reader reader, void *context, fw_error *err)
{
    chunk c = {0};
    size_t n = 1;
    fw_status s = FW_OK;
    while (s == FW_OK && n > 0) {
        s = fill(j, &c, &n, err);
        if (s == FW_OK) s = take_lines(j, &c, reader, context, err);
    }
    if (s == FW_OK) s = torn(j, &c, err);
    free(c.data);
    return s;
}

/* ---- life -------------------------------------------------------------------------------------------------------------------------------- */

static fw_status open_file(coord_journal *j, fw_error *err)
{
    const int flags = j->opts.read_only ? O_RDONLY : O_RDWR | O_CREAT | O_APPEND;
    j->fd = open(j->path, flags | O_CLOEXEC, 0666);
    if (j->fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be opened", j->path);
    if (j->opts.alone && flock(j->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return fw_fail(err, FW_ERR_CONFIG, "%s: another process is at work on it; wait for its end", j->path);
    return FW_OK;
}

fw_status coord_journal_open(coord_journal **out, const char *path, const coord_journal_opts *opts, coord_journal_reader reader, void *context, fw_error *err)
{
    coord_journal *j = calloc(1, sizeof *j);
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to read it", path);
    j->fd = -1;
    if (opts != NULL) j->opts = *opts;
    fw_status s = fw_copy_text(&j->path, path, err);
    if (s == FW_OK) s = open_file(j, err);
    if (s == FW_OK) s = read_all(j, reader, context, err);
    if (s == FW_OK && j->opts.grouped) s = coord_commit_create(&j->commit, j->fd, err);
    if (s != FW_OK) {
        coord_journal_close(&j);
        return s;
    }
    *out = j;
    return FW_OK;
}

void coord_journal_close(coord_journal **j)
{
    if (*j == NULL) return;
    (void)coord_journal_write(*j, NULL);
    coord_commit_destroy(&(*j)->commit);
    if ((*j)->fd >= 0) close((*j)->fd);
    fw_text_destroy(&(*j)->put);
    free((*j)->path);
    free(*j);
    *j = NULL;
}

/* ---- appending --------------------------------------------------------------------------------------------------------------------------- */

/* One write: the lines are there whole, or not at all. */
static fw_status append(coord_journal *j, fw_error *err)
{
    ssize_t n;
    do n = write(j->fd, j->put.data, j->put.len);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && (size_t)n != j->put.len) errno = ENOSPC;
    if (n == (ssize_t)j->put.len) return FW_OK;
    const int why = errno;
    const bool clean = ftruncate(j->fd, (off_t)j->bytes) == 0;
    errno = why;
    return fw_fail_errno(err, FW_ERR_IO, "%s: appending%s", j->path, clean ? "" : " (a torn line is left, which the next start takes off)");
}

static fw_status on_the_way(coord_journal *j, bool urgent, fw_error *err)
{
    if (j->commit == NULL) return fdatasync(j->fd) == 0 ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "%s: fdatasync", j->path);
    const fw_status s = coord_commit_due(j->commit, urgent, err);
    return s == FW_OK ? FW_OK : fw_wrap(err, s, "%s", j->path);
}

static void put_line(coord_journal *j, const char *json, size_t len, uint64_t hash)
{
    char sum[CHECKSUM_TEXT + 2];
    put_checksum(sum, hash);
    sum[CHECKSUM_TEXT] = ' ';
    fw_text_add_bytes(&j->put, sum, CHECKSUM_TEXT + 1);
    fw_text_add_bytes(&j->put, json, len);
    fw_text_add_bytes(&j->put, "\n", 1);
}

/* As before the first of them. */
static void take_back(coord_journal *j)
{
    fw_text_clear(&j->put);
    j->lines = j->before.lines;
    j->chain = j->before.chain;
    j->before.urgent = false;
}

fw_status coord_journal_put_text(coord_journal *j, const char *json, size_t len, bool urgent, fw_error *err)
{
    const uint64_t hash = fw_hash64(json, len, j->chain);
    if (j->put.len == 0) {
        j->before.lines = j->lines;
        j->before.chain = j->chain;
    }
    put_line(j, json, len, hash);
    const fw_status s = fw_text_check(&j->put, err);
    if (s < 0) {
        take_back(j);
        return s;
    }
    if (j->opts.chained) j->chain = hash;
    j->lines++;
    j->before.urgent |= urgent;
    return FW_OK;
}

fw_status coord_journal_write(coord_journal *j, fw_error *err)
{
    if (j->put.len == 0) return FW_OK;
    const fw_status s = append(j, err);
    if (s < 0) {
        take_back(j);
        return s;
    }
    const bool urgent = j->before.urgent;
    j->bytes += j->put.len;
    j->before.urgent = false;
    fw_text_clear(&j->put);
    return on_the_way(j, urgent, err);
}

fw_status coord_journal_add_text(coord_journal *j, const char *json, size_t len, bool urgent, fw_error *err)
{
    FW_TRY(coord_journal_put_text(j, json, len, urgent, err));
    return coord_journal_write(j, err);
}

fw_status coord_journal_add(coord_journal *j, const char *event, json_t *more, fw_error *err)
{
    char now[FW_UTC_LEN];
    fw_utc_now(now);
    json_t *entry = json_pack("{s:s, s:s}", "time", now, "event", event);
    if (entry != NULL && more != NULL) json_object_update(entry, more);
    FW_FREE char *json = entry != NULL ? json_dumps(entry, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(entry);
    json_decref(more);
    if (json == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to append", j->path);
    return coord_journal_add_text(j, json, strlen(json), true, err);
}

fw_status coord_journal_sync(coord_journal *j, fw_error *err)
{
    FW_TRY(coord_journal_write(j, err));
    const fw_status s = j->commit != NULL ? coord_commit_wait(j->commit, err) : FW_OK;
    return s == FW_OK ? FW_OK : fw_wrap(err, s, "%s", j->path);
}

size_t   coord_journal_damaged(const coord_journal *j) { return j->damaged; }
uint64_t coord_journal_lines(const coord_journal *j) { return j->lines; }
