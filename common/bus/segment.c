#include "common/bus/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bus/bus.h"
#include "common/core/fault.h"
#include "common/core/size.h"

#define BLOCK_BYTES   (64u << 10)
#define MAX_SEGMENT   (UINT64_C(256) << 20)      /* bytes: a larger file is none of ours */
#define SMALLEST      (FW_RECORD_HEAD + 8)       /* a record takes at least that */

/* ---- index ------------------------------------------------------------------------------------------------------------------------------------ */

static fw_status add_record(fw_segment *s, const fw_record *r, uint64_t offset, fw_error *err)
{
    fw_block *b = s->n_blocks > 0 ? &s->blocks[s->n_blocks - 1] : NULL;
    if (b == NULL || b->offset + b->len != offset || b->last + 1 != r->sequence || b->len >= BLOCK_BYTES) {
        FW_TRY(fw_grow((void **)&s->blocks, &s->capacity, s->n_blocks + 1, sizeof *s->blocks, "blocks of a spool", err));
        b = &s->blocks[s->n_blocks++];
        *b = (fw_block){.first = r->sequence, .offset = offset};
    }
    b->last = s->last = r->sequence;
    b->len += r->bytes;
    return FW_OK;
}

static void note_damage(fw_segment_report *report, uint64_t offset)
{
    if (report->damaged++ == 0) report->damage_at = offset;
}

/** Takes the good records of bytes, which stand at `offset`, into the index. */
static fw_status take_records(fw_segment *s, fw_segment_report *report, const char *bytes, size_t len, uint64_t offset, fw_error *err)
{
    size_t good_end = 0;
    uint64_t tail_last = 0;
    for (size_t at = 0; at < len;) {
        fw_record r = {0};
        const fw_record_state state = fw_record_parse(&r, bytes + at, len - at);
        const bool in_order = state != FW_RECORD_BAD && r.sequence > s->last;
        if (state == FW_RECORD_SHORT && (r.sequence == 0 || in_order)) {
            report->torn = true;
            break;
        }
        if (state == FW_RECORD_GOOD && in_order) {
            FW_TRY(add_record(s, &r, offset + at, err));
            at += r.bytes;
            good_end = at;
            tail_last = 0;
            continue;
        }
        note_damage(report, offset + at);
        const size_t next = state == FW_RECORD_BODY && in_order ? at + r.bytes : fw_record_find(bytes, len, at + 8);
        tail_last = state == FW_RECORD_BODY && in_order ? r.sequence : FW_MAX(tail_last, s->last) + (next - at + SMALLEST - 1) / SMALLEST;
        at = next;
    }
    report->tail = len - good_end;
    report->tail_last = tail_last > s->last ? tail_last : 0;
    return FW_OK;
}

/* ---- files ------------------------------------------------------------------------------------------------------------------------------------ */

static fw_status write_at(int fd, const char *bytes, size_t len, uint64_t offset, const char *path, fw_error *err)
{
    for (size_t done = 0; done < len;) {
        const ssize_t n = pwrite(fd, bytes + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n == 0) errno = ENOSPC;
        if (n <= 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be written", path);
        done += (size_t)n;
    }
    return FW_OK;
}

static fw_status read_at(int fd, char *bytes, size_t len, uint64_t offset, const char *path, fw_error *err)
{
    for (size_t done = 0; done < len;) {
        const ssize_t n = pread(fd, bytes + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be read", path);
        if (n == 0) return fw_fail(err, FW_ERR_FORMAT, "%s is shorter than it was", path);
        done += (size_t)n;
    }
    return FW_OK;
}

/** A new file that holds `bytes`; nothing is left of it on error. */
static fw_status make_file(int *fd, char **path, const char *folder, uint64_t first, const char *bytes, size_t len, fw_error *err)
{
    FW_FREE char *name = NULL;
    if (asprintf(&name, "%s/" FW_SEGMENT_NAME, folder, (unsigned long long)first) < 0) return fw_fail(err, FW_ERR_NOMEM, "spool: a name");
    const int file = open(name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be made", name);
    fw_status status = fw_fault("spool.before_write", err);
    if (status == FW_OK) status = write_at(file, bytes, len, 0, name, err);
    if (status < 0) {
        close(file);
        unlink(name);
        return status;
    }
    *fd = file;
    *path = name;
    name = NULL;
    return FW_OK;
}

fw_status fw_segment_create(fw_segment *out, const char *folder, const fw_stream *stream, uint64_t first, fw_error *err)
{
    char head[FW_SEGMENT_HEAD];
    fw_segment s = {.first = first, .last = first - 1, .fd = -1, .size = sizeof head};
    fw_segment_head(head, stream, first);
    if (folder != NULL) {
        FW_TRY(make_file(&s.fd, &s.path, folder, first, head, sizeof head, err));
    } else {
        fw_text_add_bytes(&s.memory, head, sizeof head);
        FW_TRY(fw_text_check(&s.memory, err));
    }
    *out = s;
    return FW_OK;
}

static fw_status read_whole(char **bytes, uint64_t *size, int fd, const char *path, fw_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s", path);
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size > MAX_SEGMENT) return fw_fail(err, FW_ERR_FORMAT, "%s is no segment of a spool; move it away", path);
    char *all = malloc((size_t)st.st_size + 1);
    if (all == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s", path);
    const fw_status status = read_at(fd, all, (size_t)st.st_size, 0, path, err);
    if (status < 0) {
        free(all);
        return status;
    }
    *bytes = all;
    *size = (uint64_t)st.st_size;
    return FW_OK;
}

static bool is_unset(const fw_stream *stream)
{
    static const fw_stream none = {0};
    return memcmp(stream, &none, sizeof none) == 0;
}

/** A damaged head is counted; a head of another publisher is an error. */
static fw_status take_head(fw_segment *s, fw_segment_report *report, fw_stream *stream, const char *bytes, size_t len, fw_error *err)
{
    fw_stream found;
    uint64_t first;
    report->torn = len < FW_SEGMENT_HEAD;
    if (!fw_segment_parse(&found, &first, bytes, len) || first != s->first) {
        report->head_damaged = !report->torn;
        return FW_OK;
    }
    if (is_unset(stream)) *stream = found;
    if (memcmp(stream, &found, sizeof found) == 0) return FW_OK;
    return fw_fail(err, FW_ERR_FORMAT, "%s belongs to the spool of another publisher; move it to a folder of its own", s->path);
}

static fw_status load(fw_segment *s, fw_segment_report *report, fw_stream *stream, fw_error *err)
{
    FW_FREE char *bytes = NULL;
    FW_TRY(read_whole(&bytes, &s->size, s->fd, s->path, err));
    FW_TRY(take_head(s, report, stream, bytes, (size_t)s->size, err));
    if (s->size > FW_SEGMENT_HEAD) FW_TRY(take_records(s, report, bytes + FW_SEGMENT_HEAD, (size_t)s->size - FW_SEGMENT_HEAD, FW_SEGMENT_HEAD, err));
    if (!report->torn || report->damaged > 0 || report->head_damaged) return FW_OK;
    const uint64_t end = s->size > FW_SEGMENT_HEAD ? s->size - report->tail : 0;
    if (ftruncate(s->fd, (off_t)end) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s: its torn end cannot be cut off", s->path);
    s->size = end;
    report->tail = end == 0;           /* without a head nothing is to be written there */
    return FW_OK;
}

fw_status fw_segment_load(fw_segment *out, fw_segment_report *report, const char *path, uint64_t first, fw_stream *stream, fw_error *err)
{
    fw_segment s = {.first = first, .last = first - 1, .fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
    *report = (fw_segment_report){0};
    if (s.fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be opened", path);
    fw_status status = fw_copy_text(&s.path, path, err);
    if (status == FW_OK) status = load(&s, report, stream, err);
    if (status < 0) {
        fw_segment_close(&s);
        return status;
    }
    *out = s;
    return FW_OK;
}

void fw_segment_close(fw_segment *s)
{
    if (s->fd >= 0) close(s->fd);
    free(s->path);
    fw_text_destroy(&s->memory);
    free(s->blocks);
    *s = (fw_segment){.fd = -1};
}

fw_status fw_segment_write(fw_segment *s, const char *records, size_t len, fw_error *err)
{
    fw_segment_report report = {0};
    if (s->path == NULL) {
        fw_text_add_bytes(&s->memory, records, len);
        FW_TRY(fw_text_check(&s->memory, err));
    } else {
        fw_status status = fw_fault("spool.before_write", err);
        if (status == FW_OK) status = write_at(s->fd, records, len, s->size, s->path, err);
        if (status < 0) {
            if (ftruncate(s->fd, (off_t)s->size) != 0) fw_wrap(err, status, "%s: half a record is left at its end", s->path);
            return status;
        }
    }
    FW_TRY(take_records(s, &report, records, len, s->size, err));
    s->size += len;
    return FW_OK;
}

fw_status fw_segment_settle(fw_segment *s, const char *folder, fw_error *err)
{
    int fd = -1;
    char *path = NULL;
    FW_TRY(make_file(&fd, &path, folder, s->first, s->memory.data, s->memory.len, err));
    if (fdatasync(fd) != 0) {
        fw_fail_errno(err, FW_ERR_IO, "%s cannot be synced", path);
        close(fd);
        unlink(path);
        free(path);
        return FW_ERR_IO;
    }
    fw_text_destroy(&s->memory);
    s->memory = (fw_text){0};
    s->fd = fd;
    s->path = path;
    return FW_OK;
}

fw_status fw_segment_remove(fw_segment *s, fw_error *err)
{
    fw_status status = FW_OK;
    if (s->path != NULL && unlink(s->path) != 0 && errno != ENOENT) status = fw_fail_errno(err, FW_ERR_IO, "%s cannot be removed", s->path);
    fw_segment_close(s);
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------------------------- */

size_t fw_segment_find(const fw_segment *s, uint64_t sequence)
{
    size_t low = 0, high = s->n_blocks;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (s->blocks[middle].last < sequence) low = middle + 1;
        else high = middle;
    }
    return low;
}

fw_status fw_segment_read(const fw_segment *s, size_t block, fw_text *out, fw_error *err)
{
    const fw_block *b = &s->blocks[block];
    if (s->path == NULL) {
        fw_text_clear(out);
        fw_text_add_bytes(out, s->memory.data + b->offset, b->len);
    } else {
        if (out->capacity <= b->len) {
            fw_text_destroy(out);
            *out = (fw_text){.data = malloc(b->len + 1), .capacity = b->len + 1};
            out->failed = out->data == NULL;
        }
        if (!out->failed) {
            out->len = 0;
            FW_TRY(read_at(s->fd, out->data, b->len, b->offset, s->path, err));
            out->len = b->len;
        }
    }
    const fw_status status = fw_text_check(out, err);
    if (status < 0) {
        fw_text_destroy(out);
        *out = (fw_text){0};
    }
    return status;
}

fw_status fw_segment_split(fw_segment *s, size_t block, const char *bytes, fw_error *err)
{
    const fw_block whole = s->blocks[block];
    fw_segment parts = {.first = whole.first, .last = whole.first - 1, .fd = -1};
    fw_segment_report report = {0};
    fw_status status = take_records(&parts, &report, bytes, whole.len, whole.offset, err);
    const size_t behind = s->n_blocks - block - 1;
    if (status == FW_OK) status = fw_grow((void **)&s->blocks, &s->capacity, s->n_blocks + parts.n_blocks, sizeof *s->blocks, "blocks of a spool", err);
    if (status == FW_OK) {
        memmove(s->blocks + block + parts.n_blocks, s->blocks + block + 1, behind * sizeof *s->blocks);
        if (parts.n_blocks > 0) memcpy(s->blocks + block, parts.blocks, parts.n_blocks * sizeof *s->blocks);
        s->n_blocks = block + parts.n_blocks + behind;
    }
    fw_segment_close(&parts);
    return status;
}
