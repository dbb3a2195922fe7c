#include "common/bus/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bus/ledger.h"
#include "common/bus/recording_parts.h"
#include "common/bus/segment.h"
#include "common/bus/spool_parts.h"
#include "common/core/fs.h"
#include "common/core/size.h"

#define READ_BYTES ((size_t)1 << 20)

typedef struct part { char *path; uint64_t first; } part;

struct fw_recording {
    char *path;
    bool spool; int lock;              /* of a spool's folder, shared; -1: none */
    part *parts; size_t n_parts, at;   /* files; the one that is read */
    int fd;                            /* of it; -1: not yet open */
    uint64_t offset;                   /* in it, of the next record */
    fw_text buffer; size_t used;       /* bytes that were read; of these, those that were given */
    fw_stream stream;
    fw_record record;                  /* in the buffer: read, to be given behind a hole */
    bool waiting;                      /* it has not been given */
    uint64_t last, messages, highest;  /* the number given last; in all */
    bool ended;
    char topic[FW_BUS_MAX_TOPIC + 1];
};

static unsigned long long number(uint64_t n) { return n; }
static const char *file_of(const fw_recording *r) { return r->parts[r->at].path; }

/* ---- bytes -------------------------------------------------------------------------------------------------------------------------------------- */

static void close_file(fw_recording *r)
{
    if (r->fd >= 0) close(r->fd);
    r->fd = -1;
    r->offset = 0;
    r->used = 0;
    fw_text_clear(&r->buffer);
}

static fw_status open_file(fw_recording *r, fw_error *err)
{
    struct stat st;
    r->fd = open(file_of(r), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0) return fw_fail_errno(err, errno == ENOENT ? FW_ERR_CONFIG : FW_ERR_IO, "%s cannot be opened", file_of(r));
    if (fstat(r->fd, &st) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s", file_of(r));
    return S_ISREG(st.st_mode) ? FW_OK : fw_fail(err, FW_ERR_FORMAT, "%s is no file", file_of(r));
}

/** At least so many bytes that were not given, or all that are left. */
static fw_status fill(fw_recording *r, size_t need, fw_error *err)
{
    char bytes[16384];
    size_t there = r->buffer.len - r->used;
    if (there >= need) return FW_OK;
    if (there > 0) memmove(r->buffer.data, r->buffer.data + r->used, there);
    r->buffer.len = there;
    r->used = 0;
    while (r->buffer.len < FW_MAX(need, READ_BYTES)) {
        const ssize_t n = read(r->fd, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be read", file_of(r));
        if (n == 0) return FW_OK;
        fw_text_add_bytes(&r->buffer, bytes, (size_t)n);
        FW_TRY(fw_text_check(&r->buffer, err));
    }
    return FW_OK;
}

static const char *bytes_of(const fw_recording *r) { return r->buffer.data + r->used; }
static size_t n_bytes(const fw_recording *r) { return r->buffer.len - r->used; }

static void pass(fw_recording *r, size_t n)
{
    r->used += n;
    r->offset += n;
}

/* ---- a file ------------------------------------------------------------------------------------------------------------------------------------ */

static bool is_unset(const fw_stream *stream) { return memcmp(stream, &(fw_stream){0}, sizeof *stream) == 0; }

static fw_status take_head(fw_recording *r, fw_error *err)
{
    fw_stream stream;
    uint64_t first = 0;
    FW_TRY(fill(r, FW_SEGMENT_HEAD, err));
    if (n_bytes(r) == 0) return fw_fail(err, FW_ERR_FORMAT, "%s is empty: no recording", file_of(r));
    if (!fw_segment_parse(&stream, &first, bytes_of(r), n_bytes(r)) || first != r->parts[r->at].first)
        return fw_fail(err, FW_ERR_FORMAT, "%s is no recording of messages, or its first %u bytes are damaged; flywheel score --record FILE makes one", file_of(r), FW_SEGMENT_HEAD);
    if (is_unset(&r->stream)) r->stream = stream;
    if (memcmp(&r->stream, &stream, sizeof stream) != 0) return fw_fail(err, FW_ERR_FORMAT, "%s belongs to the spool of another publisher", file_of(r));
    pass(r, FW_SEGMENT_HEAD);
    return FW_OK;
}

static fw_status refuse(const fw_recording *r, const char *what, fw_error *err)
{
    return fw_fail(err, FW_ERR_FORMAT, "%s: %s at byte %llu, behind message %llu", file_of(r), what, number(r->offset), number(r->last));
}

/** FW_END: the file is over. */
static fw_status take_record(fw_recording *r, fw_record *out, fw_error *err)
{
    fw_record_state state = FW_RECORD_SHORT;
    *out = (fw_record){0};
    for (size_t need = FW_RECORD_HEAD; state == FW_RECORD_SHORT; need = FW_MAX(out->bytes, (size_t)FW_RECORD_HEAD)) {
        FW_TRY(fill(r, need, err));
        if (n_bytes(r) == 0) return FW_END;
        state = fw_record_parse(out, bytes_of(r), n_bytes(r));
        if (state == FW_RECORD_SHORT && n_bytes(r) < need) return refuse(r, "it was cut off within a message, or is still written,", err);
    }
    if (state != FW_RECORD_GOOD) return refuse(r, "it is damaged", err);
    const bool in_order = r->spool ? out->sequence > r->last : out->sequence == r->last + 1;
    if (!in_order || memchr(out->topic, '\0', out->topic_len) != NULL) return refuse(r, "a message is missing or out of order", err);
    pass(r, out->bytes);
    return FW_OK;
}

/* ---- a recording ------------------------------------------------------------------------------------------------------------------------------- */

static bool is_end(const fw_record *record)
{
    return record->len == 0 && record->topic_len == strlen(FW_RECORDING_END) && memcmp(record->topic, FW_RECORDING_END, record->topic_len) == 0;
}

static fw_status take_end(fw_recording *r, fw_error *err)
{
    FW_TRY(fill(r, 1, err));
    if (n_bytes(r) > 0) return refuse(r, "something stands behind its end", err);
    r->ended = true;
    return FW_END;
}

/** A recording ends with its mark, a spool with the last number that its ledger has. */
static fw_status check_end(const fw_recording *r, fw_error *err)
{
    if (!r->spool)
        return fw_fail(err, FW_ERR_FORMAT, "%s is unfinished: it ends at byte %llu, behind message %llu, without the mark of its end. It was cut off there, or who wrote it was ended",
                       r->path, number(r->offset), number(r->last));
    if (r->last != r->highest)
        return fw_fail(err, FW_ERR_FORMAT, "%s is unfinished: its last message is %llu, but %llu were published", r->path, number(r->last), number(r->highest));
    return FW_END;
}

static fw_status next_record(fw_recording *r, fw_error *err)
{
    if (r->ended) return FW_END;
    for (;;) {
        if (r->fd < 0) {
            FW_TRY(open_file(r, err));
            FW_TRY(take_head(r, err));
        }
        const fw_status status = take_record(r, &r->record, err);
        if (status < 0) return status;
        if (status == FW_OK) break;
        if (r->at + 1 == r->n_parts) {
            r->ended = true;
            return check_end(r, err);
        }
        close_file(r);
        r->at++;
    }
    return !r->spool && is_end(&r->record) ? take_end(r, err) : FW_OK;
}

static void give(fw_recording *r, fw_recorded *out)
{
    const fw_record *record = &r->record;
    memcpy(r->topic, record->topic, record->topic_len);
    r->topic[record->topic_len] = '\0';
    *out = (fw_recorded){.first = record->sequence, .last = record->sequence, .topic = r->topic, .payload = record->payload, .len = record->len};
    r->waiting = false;
    r->last = record->sequence;
}

fw_status fw_recording_next(fw_recording *r, fw_recorded *out, fw_error *err)
{
    if (!r->waiting) {
        const fw_status status = next_record(r, err);
        if (status != FW_OK) return status;
        r->waiting = true;
        if (r->record.sequence > r->last + 1) {
            *out = (fw_recorded){.first = r->last + 1, .last = r->record.sequence - 1};
            return FW_OK;
        }
    }
    give(r, out);
    return FW_OK;
}

static void rewind_to_start(fw_recording *r)
{
    close_file(r);
    r->at = 0;
    r->last = 0;
    r->ended = r->waiting = false;
}

/** All of it once. */
static fw_status look_through(fw_recording *r, fw_error *err)
{
    fw_recorded one;
    fw_status status;
    while ((status = fw_recording_next(r, &one, err)) == FW_OK) r->messages += one.topic != NULL;
    if (status < 0) return status;
    r->highest = r->last;
    rewind_to_start(r);
    return FW_OK;
}

/* ---- open -------------------------------------------------------------------------------------------------------------------------------------- */

static fw_status add_part(fw_recording *r, size_t *capacity, char *path, uint64_t first, fw_error *err)
{
    const fw_status status = fw_grow((void **)&r->parts, capacity, r->n_parts + 1, sizeof *r->parts, "files of a recording", err);
    if (status < 0) free(path);
    else r->parts[r->n_parts++] = (part){path, first};
    return status;
}

/** Held by us, no publisher begins on it meanwhile. */
static fw_status share_lock(fw_recording *r, fw_error *err)
{
    FW_FREE char *path = NULL;
    if (asprintf(&path, "%s/lock", r->path) < 0) return fw_fail(err, FW_ERR_NOMEM, "recording %s", r->path);
    r->lock = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (r->lock < 0 || flock(r->lock, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "the spool %s is held by a publisher that is at work; wait for its end", r->path);
}

static fw_status open_spool(fw_recording *r, fw_error *err)
{
    FW_FREE uint64_t *first = NULL;
    fw_ledger_entry entry;
    size_t n = 0, capacity = 0;
    r->spool = true;
    FW_TRY(share_lock(r, err));
    FW_TRY(fw_ledger_read(&entry, r->path, err));
    FW_TRY(fw_spool_list(&first, &n, r->path, err));
    if (n == 0) return fw_fail(err, FW_ERR_FORMAT, "the spool %s holds no message: readers have taken them all", r->path);
    if (entry.highest == 0) return fw_fail(err, FW_ERR_FORMAT, "the spool %s is unfinished: its publisher did not end in order", r->path);
    r->stream = entry.stream;
    r->highest = entry.highest;
    for (size_t i = 0; i < n; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/" FW_SEGMENT_NAME, r->path, number(first[i])) < 0) return fw_fail(err, FW_ERR_NOMEM, "recording %s", r->path);
        FW_TRY(add_part(r, &capacity, path, first[i], err));
    }
    return FW_OK;
}

static fw_status open_recording(fw_recording *r, fw_error *err)
{
    char *path = NULL;
    size_t capacity = 0;
    FW_TRY(fw_copy_text(&path, r->path, err));
    return add_part(r, &capacity, path, 1, err);
}

fw_status fw_recording_open(fw_recording **out, const char *path, fw_error *err)
{
    FW_AUTO(fw_recording) *r = calloc(1, sizeof *r);
    if (r == NULL) return fw_fail(err, FW_ERR_NOMEM, "recording %s", path);
    r->fd = r->lock = -1;
    FW_TRY(fw_copy_text(&r->path, path, err));
    FW_TRY(fw_path_is_dir(path) ? open_spool(r, err) : open_recording(r, err));
    FW_TRY(look_through(r, err));
    *out = r;
    r = NULL;
    return FW_OK;
}

void fw_recording_destroy(fw_recording **recording)
{
    if (recording == NULL || *recording == NULL) return;
    fw_recording *r = *recording;
    close_file(r);
    if (r->lock >= 0) close(r->lock);
    for (size_t i = 0; i < r->n_parts; i++) free(r->parts[i].path);
    free(r->parts);
    fw_text_destroy(&r->buffer);
    free(r->path);
    free(r);
    *recording = NULL;
}

fw_stream fw_recording_stream(const fw_recording *r) { return r->stream; }
uint64_t  fw_recording_messages(const fw_recording *r) { return r->messages; }
uint64_t  fw_recording_highest(const fw_recording *r) { return r->highest; }
