#include "coordinator/gang/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"

#define CHECKSUM_TEXT 16
#define MAX_BYTES     (64u << 20)

struct coord_journal {
    int fd;
    char *path;
    size_t damaged;
};

static void checksum(char out[static CHECKSUM_TEXT + 1], const char *json, size_t len)
{
    snprintf(out, CHECKSUM_TEXT + 1, "%016llx", (unsigned long long)fw_hash64(json, len, 0));
}

/* One line without its end. NULL: not to be believed. */
static json_t *entry_of(const char *line, size_t len)
{
    char sum[CHECKSUM_TEXT + 1];
    if (len < CHECKSUM_TEXT + 2 || line[CHECKSUM_TEXT] != ' ') return NULL;
    const char *json = line + CHECKSUM_TEXT + 1;
    const size_t json_len = len - CHECKSUM_TEXT - 1;
    checksum(sum, json, json_len);
    json_t *j = memcmp(sum, line, CHECKSUM_TEXT) == 0 ? json_loadb(json, json_len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(j)) return j;
    json_decref(j);
    return NULL;
}

/* Returns how many bytes from the start end with a whole line. */
static size_t replay(coord_journal *j, const char *text, size_t len, coord_journal_reader reader, void *context)
{
    size_t at = 0;
    while (at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        if (end == NULL) {
            j->damaged++;
            return at;
        }
        const size_t line = (size_t)(end - text) - at;
        json_t *entry = entry_of(text + at, line);
        if (entry == NULL) j->damaged++;
        else if (reader != NULL) reader(context, entry);
        json_decref(entry);
        at += line + 1;
    }
    return at;
}

fw_status coord_journal_open(coord_journal **out, const char *path, coord_journal_reader reader, void *context, fw_error *err)
{
    coord_journal *j = calloc(1, sizeof *j);
    FW_FREE char *text = NULL;
    size_t len = 0;
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to read it", path);
    j->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    fw_status s = j->fd >= 0 ? fw_copy_text(&j->path, path, err) : fw_fail_errno(err, FW_ERR_IO, "%s cannot be opened", path);
    if (s == FW_OK) s = fw_read_file(&text, &len, path, MAX_BYTES, err);
    if (s == FW_OK) {
        const size_t good = replay(j, text, len, reader, context);
        if (good < len && ftruncate(j->fd, (off_t)good) != 0) s = fw_fail_errno(err, FW_ERR_IO, "%s: its torn end can't be taken off", path);
    }
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
    if ((*j)->fd >= 0) close((*j)->fd);
    free((*j)->path);
    free(*j);
    *j = NULL;
}

/* One write: a line is there whole, or its end is missing. */
static fw_status append(const coord_journal *j, const char *line, size_t len, fw_error *err)
{
    ssize_t n;
    do n = write(j->fd, line, len);
    while (n < 0 && errno == EINTR);
    if (n >= 0 && (size_t)n != len) errno = ENOSPC;
    if (n < 0 || (size_t)n != len) return fw_fail_errno(err, FW_ERR_IO, "%s: appending", j->path);
    return fdatasync(j->fd) == 0 ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "%s: fdatasync", j->path);
}

fw_status coord_journal_add(coord_journal *j, const char *event, json_t *more, fw_error *err)
{
    char now[FW_UTC_LEN], sum[CHECKSUM_TEXT + 1];
    FW_AUTO(fw_text) line = {0};
    fw_utc_now(now);
    json_t *entry = json_pack("{s:s, s:s}", "time", now, "event", event);
    if (entry != NULL && more != NULL) json_object_update(entry, more);
    FW_FREE char *json = entry != NULL ? json_dumps(entry, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    json_decref(entry);
    json_decref(more);
    if (json == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to append", j->path);
    checksum(sum, json, strlen(json));
    fw_text_format(&line, "%s %s\n", sum, json);
    FW_TRY(fw_text_check(&line, err));
    return append(j, line.data, line.len, err);
}

size_t coord_journal_damaged(const coord_journal *j) { return j->damaged; }
