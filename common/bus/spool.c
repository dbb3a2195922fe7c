#include "common/bus/spool.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/bus/spool_parts.h"
#include "common/core/fault.h"
#include "common/core/size.h"

#define MIB             (UINT64_C(1) << 20)
#define GATHER_BYTES    (1u << 20)         /* written at once at the latest */
#define MEMORY_PARTS    8                  /* segments in the memory that stands for a failing disk */
#define RETRY_S         1.0

const char *fw_drop_text(fw_drop why)
{
    static const char *const text[FW_N_DROPS] = {[FW_DROP_QUEUE] = "queue", [FW_DROP_FULL] = "full", [FW_DROP_DISK] = "disk", [FW_DROP_LOST] = "lost"};
    return text[why];
}

void fw_spool_say(const fw_spool *s, const char *format, ...)
{
    char text[1024];
    va_list args;
    if (s->opts.say == NULL) return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    s->opts.say(s->opts.context, text);
}

static fw_segment *last_segment(fw_spool *s) { return &s->segments[s->n_segments - 1]; }

/* ---- accounts --------------------------------------------------------------------------------------------------------------------------------- */

static uint64_t common_part(const fw_hole *h, uint64_t first, uint64_t last)
{
    const uint64_t from = FW_MAX(h->first, first), to = FW_MIN(h->last, last);
    return from <= to ? to - from + 1 : 0;
}

uint64_t fw_spool_missing(const fw_spool *s, uint64_t first, uint64_t last)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n_holes; i++) n += common_part(&s->holes[i], first, last);
    return n;
}

static fw_status insert_hole(fw_spool *s, size_t at, fw_hole h, fw_error *err)
{
    FW_TRY(fw_grow((void **)&s->holes, &s->holes_capacity, s->n_holes + 1, sizeof *s->holes, "holes of a spool", err));
    memmove(s->holes + at + 1, s->holes + at, (s->n_holes - at) * sizeof *s->holes);
    s->holes[at] = h;
    s->n_holes++;
    return FW_OK;
}

fw_status fw_spool_add_hole(fw_spool *s, uint64_t first, uint64_t last, fw_drop why, fw_error *err)
{
    first = FW_MAX(first, s->ledger.entry.released + 1);
    size_t at = 0;
    while (first <= last) {
        while (at < s->n_holes && s->holes[at].last < first) at++;
        const uint64_t end = at < s->n_holes ? FW_MIN(last, s->holes[at].first - 1) : last;
        if (first <= end) FW_TRY(insert_hole(s, at++, (fw_hole){first, end, why}, err));
        if (at >= s->n_holes) break;
        first = FW_MAX(first, s->holes[at].last + 1);
    }
    return FW_OK;
}

void fw_spool_settle(fw_spool *s, uint64_t upto)
{
    size_t gone = 0;
    for (; gone < s->n_holes && s->holes[gone].first <= upto; gone++) {
        fw_hole *h = &s->holes[gone];
        s->ledger.entry.dropped[h->why] += common_part(h, 1, upto);
        if (h->last <= upto) continue;
        h->first = upto + 1;
        break;
    }
    if (gone > 0) memmove(s->holes, s->holes + gone, (s->n_holes - gone) * sizeof *s->holes);
    s->n_holes -= gone;
    s->ledger.entry.released = upto;
}

uint64_t fw_spool_undecided(const fw_spool *s)
{
    const uint64_t released = s->ledger.entry.released, evicted = s->ledger.entry.evicted;
    return evicted > released ? evicted - released - fw_spool_missing(s, released + 1, evicted) : 0;
}

/** What readers were told is gone, for the next process. */
static void note_gone(fw_spool *s)
{
    fw_ledger_entry *e = &s->ledger.entry;
    e->n_gone = 0;
    for (size_t i = 0; i < s->n_holes; i++) {
        if (s->holes[i].why != FW_DROP_FULL) continue;
        if (e->n_gone < FW_LEDGER_GONE) e->gone[e->n_gone++] = (fw_gone){s->holes[i].first, s->holes[i].last};
        else e->gone[FW_LEDGER_GONE - 1].last = s->holes[i].last;
    }
}

void fw_spool_save(fw_spool *s)
{
    fw_error err = {0};
    note_gone(s);
    if (fw_ledger_save(&s->ledger, &err) < 0 && !s->failing) fw_spool_say(s, "%s", err.text);
}

/** From the middle or the front; its file too. */
void fw_spool_remove(fw_spool *s, size_t at)
{
    fw_error err = {0};
    if (fw_segment_remove(&s->segments[at], &err) < 0) fw_spool_say(s, "%s", err.text);
    memmove(s->segments + at, s->segments + at + 1, (s->n_segments - at - 1) * sizeof *s->segments);
    s->n_segments--;
}

void fw_spool_remove_released(fw_spool *s)
{
    while (s->n_segments > 1 && s->segments[0].last <= s->ledger.entry.released) fw_spool_remove(s, 0);
}

/** The oldest segment goes; what of it is not yet released is dropped, or with readers that may have it, undecided. There is another one. */
static void drop_oldest(fw_spool *s, fw_drop why)
{
    const uint64_t last = s->segments[0].last, released = s->ledger.entry.released;
    if (last > released && why == FW_DROP_FULL && s->ledger.entry.n_readers > 0) {
        s->ledger.entry.evicted = last;
        fw_spool_save(s);
    } else if (last > released) {
        s->ledger.entry.dropped[why] += last - released - fw_spool_missing(s, released + 1, last);
        fw_spool_settle(s, last);
        fw_spool_save(s);
    }
    fw_spool_remove(s, 0);
}

/* ---- segments --------------------------------------------------------------------------------------------------------------------------------- */

static uint64_t total_bytes(const fw_spool *s)
{
    uint64_t n = s->pending.len;
    for (size_t i = 0; i < s->n_segments; i++) n += s->segments[i].size;
    return n;
}

static void disk_fails(fw_spool *s, const fw_error *why)
{
    s->retry = fw_mono_after(fw_mono_now(), RETRY_S);
    if (s->failing) return;
    s->failing = true;
    s->ledger.entry.in_memory = 1;
    fw_spool_save(s);
    fw_spool_say(s, "the spool goes on in memory (up to %" PRIu64 " MiB), since its disk fails: %s", s->opts.memory_bytes / MIB, why->text);
}

static fw_status sync_file(const fw_segment *segment, fw_error *err)
{
    FW_TRY(fw_fault("spool.before_sync", err));
    return fdatasync(segment->fd) == 0 ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "%s cannot be synced", segment->path);
}

/** What the file got since. After a failure nobody knows what is on the disk: what comes is kept in memory until it works. */
static void sync_segment(fw_spool *s, const fw_segment *segment)
{
    fw_error why = {0};
    if (s->unsynced > 0 && segment->path != NULL && sync_file(segment, &why) < 0) disk_fails(s, &why);
    s->unsynced = 0;
}

fw_status fw_spool_begin(fw_spool *s, uint64_t first, fw_error *err)
{
    fw_error why = {0};
    fw_segment made;
    FW_TRY(fw_grow((void **)&s->segments, &s->segments_capacity, s->n_segments + 1, sizeof *s->segments, "segments", err));
    fw_status status = FW_END;
    if (s->n_segments > 0 && last_segment(s)->last < last_segment(s)->first) fw_spool_remove(s, s->n_segments - 1);      /* it would have the same name */
    if (s->folder != NULL && !s->failing) {
        if (s->n_segments > 0) sync_segment(s, last_segment(s));
        s->folder_unsynced = true;
        status = fw_segment_create(&made, s->folder, &s->ledger.entry.stream, first, &why);
        if (status < 0) disk_fails(s, &why);
    }
    if (status != FW_OK) FW_TRY(fw_segment_create(&made, NULL, &s->ledger.entry.stream, first, err));
    s->segments[s->n_segments++] = made;
    fw_spool_remove_released(s);
    return FW_OK;
}

/** In place of a failing disk there is so much memory, and no more. */
static fw_status bound_memory(fw_spool *s, fw_error *err)
{
    for (;;) {
        uint64_t bytes = 0;
        size_t oldest = s->n_segments;
        for (size_t i = s->n_segments; i-- > 0;) {
            if (s->segments[i].path != NULL) continue;
            bytes += s->segments[i].size;
            oldest = i;
        }
        if (bytes <= s->opts.memory_bytes || oldest + 1 >= s->n_segments) return FW_OK;
        if (oldest == 0) {
            drop_oldest(s, FW_DROP_DISK);
            continue;
        }
        FW_TRY(fw_spool_add_hole(s, s->segments[oldest].first, s->segments[oldest].last, FW_DROP_DISK, err));
        fw_spool_remove(s, oldest);
    }
}

static fw_status write_pending(fw_spool *s, fw_error *err)
{
    fw_error why = {0};
    if (s->pending.len == 0) return FW_OK;
    if (s->failing && last_segment(s)->path != NULL) FW_TRY(fw_spool_begin(s, last_segment(s)->last + 1, err));
    fw_segment *to = last_segment(s);
    fw_status status = fw_segment_write(to, s->pending.data, s->pending.len, &why);
    if (status == FW_ERR_NOMEM || (status < 0 && to->path == NULL)) return fw_fail(err, status, "%s", why.text);
    if (status < 0) {
        disk_fails(s, &why);
        FW_TRY(fw_spool_begin(s, to->last + 1, err));
        FW_TRY(fw_segment_write(last_segment(s), s->pending.data, s->pending.len, err));
    }
    s->unsynced += s->pending.len;
    fw_text_clear(&s->pending);
    return s->folder != NULL && s->failing ? bound_memory(s, err) : FW_OK;
}

/** Room for a record of so many bytes, in the last segment and below the cap. */
static fw_status make_room(fw_spool *s, size_t bytes, fw_error *err)
{
    const uint64_t part = s->failing ? FW_MIN(s->opts.segment_bytes, s->opts.memory_bytes / MEMORY_PARTS) : s->opts.segment_bytes;
    const uint64_t taken = last_segment(s)->size + s->pending.len;
    const bool over_cap = total_bytes(s) + bytes > s->opts.cap_bytes && s->n_segments == 1;
    if (taken > FW_SEGMENT_HEAD && (taken + bytes > part || over_cap)) {
        FW_TRY(write_pending(s, err));
        FW_TRY(fw_spool_begin(s, s->highest + 1, err));
    }
    while (s->n_segments > 1 && total_bytes(s) + bytes > s->opts.cap_bytes) drop_oldest(s, FW_DROP_FULL);
    return s->pending.len + bytes > GATHER_BYTES ? write_pending(s, err) : FW_OK;
}

/** Numbers are set aside in the ledger before one of them is given out. */
static fw_status reserve(fw_spool *s, fw_error *err)
{
    if (s->highest < s->ledger.entry.reserved) return FW_OK;
    if (s->highest >= FW_BUS_MAX_SEQUENCE) return fw_fail(err, FW_ERR_ARG, "spool: all numbers up to 2^53 are used; begin a new folder");
    s->ledger.entry.reserved = FW_MIN(s->highest + FW_LEDGER_RESERVE, FW_BUS_MAX_SEQUENCE);
    fw_spool_save(s);
    fw_error why = {0};
    if (fw_ledger_sync(&s->ledger, &why) < 0 && !s->failing) fw_spool_say(s, "%s", why.text);
    return FW_OK;
}

fw_status fw_spool_append(fw_spool *s, uint64_t *sequence, const char *topic, size_t topic_len, const void *payload, size_t len, fw_error *err)
{
    if (topic_len > FW_BUS_MAX_TOPIC || len > FW_BUS_MAX_MESSAGE)
        return fw_fail(err, FW_ERR_ARG, "bus: a message of %zu bytes with a topic of %zu is larger than readers accept (%u, %u); publish smaller batches", len,
                       topic_len, FW_BUS_MAX_MESSAGE, FW_BUS_MAX_TOPIC);
    FW_TRY(make_room(s, fw_record_size(topic_len, len), err));
    FW_TRY(reserve(s, err));
    fw_record_append(&s->pending, s->highest + 1, topic, topic_len, payload, len);
    if (s->pending.failed) {
        fw_text_destroy(&s->pending);
        s->pending = (fw_text){0};
        FW_TRY(fw_spool_add_hole(s, last_segment(s)->last + 1, s->highest, FW_DROP_DISK, err));
        return fw_fail(err, FW_ERR_NOMEM, "spool: a message of %zu bytes", len);
    }
    *sequence = ++s->highest;
    return FW_OK;
}

fw_status fw_spool_write(fw_spool *s, fw_error *err) { return write_pending(s, err); }

/** What is in memory moves to the disk, the oldest first. False: the disk still fails. */
static bool move_to_disk(fw_spool *s)
{
    fw_error why = {0};
    for (size_t i = 0; i < s->n_segments; i++) {
        if (s->segments[i].path != NULL) continue;
        if (fw_segment_settle(&s->segments[i], s->folder, &why) == FW_OK) continue;
        disk_fails(s, &why);
        return false;
    }
    return true;
}

void fw_spool_try_disk(fw_spool *s)
{
    if (!s->failing || !fw_mono_passed(s->retry) || !move_to_disk(s)) return;
    s->failing = false;
    s->ledger.entry.in_memory = 0;
    fw_spool_save(s);
    fw_spool_say(s, "the disk of the spool works again");
}

static void sync_folder(fw_spool *s)
{
    const int fd = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);                             /* some file systems have nothing to do here and say so */
    close(fd);
    s->folder_unsynced = false;
}

fw_status fw_spool_sync(fw_spool *s, fw_error *err)
{
    fw_error why = {0};
    FW_TRY(write_pending(s, err));
    if (s->folder == NULL) return FW_OK;
    fw_spool_try_disk(s);
    sync_segment(s, last_segment(s));
    if (s->folder_unsynced) sync_folder(s);
    if (fw_ledger_sync(&s->ledger, &why) < 0) disk_fails(s, &why);
    return FW_OK;
}

uint64_t fw_spool_unsynced(const fw_spool *s) { return s->folder != NULL ? s->unsynced : 0; }
