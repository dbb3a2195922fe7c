#include <string.h>

#include "common/bus/spool_parts.h"
#include "common/core/clock.h"
#include "common/core/size.h"

#define FORGET_US (INT64_C(7) * 86400 * 1000000)

fw_stream fw_spool_stream(const fw_spool *s) { return s->ledger.entry.stream; }
bool fw_spool_has_folder(const fw_spool *s) { return s->folder != NULL; }

/* ---- records ---------------------------------------------------------------------------------------------------------------------------------- */

/** The segment with this number, or the first one behind it that holds any; n_segments: none. */
static size_t find_segment(const fw_spool *s, uint64_t sequence)
{
    size_t i = 0;
    while (i < s->n_segments && (s->segments[i].n_blocks == 0 || s->segments[i].last < sequence)) i++;
    return i;
}

/** Counts and tells it, and leaves the good parts. */
static fw_status note_damage(fw_spool *s, size_t segment, size_t block, fw_error *err)
{
    fw_segment *g = &s->segments[segment];
    const fw_block was = g->blocks[block];
    FW_TRY(fw_segment_split(g, block, s->block.data, err));
    uint64_t expected = was.first;
    for (size_t i = block; i < g->n_blocks && g->blocks[i].first <= was.last; i++) {
        if (g->blocks[i].first > expected) FW_TRY(fw_spool_add_hole(s, expected, g->blocks[i].first - 1, FW_DROP_LOST, err));
        expected = g->blocks[i].last + 1;
    }
    if (expected <= was.last) FW_TRY(fw_spool_add_hole(s, expected, was.last, FW_DROP_LOST, err));
    fw_spool_say(s, "%s: damaged between bytes %llu and %llu, among messages %llu to %llu", g->path != NULL ? g->path : "spool in memory",
                 (unsigned long long)was.offset, (unsigned long long)(was.offset + was.len), (unsigned long long)was.first, (unsigned long long)was.last);
    return FW_OK;
}

/** Whether all of the block that was read is as it was written. */
static bool is_whole(const fw_spool *s, const fw_block *b)
{
    uint64_t expected = b->first;
    for (size_t at = 0; at < s->block.len; expected++) {
        fw_record r;
        if (fw_record_parse(&r, s->block.data + at, s->block.len - at) != FW_RECORD_GOOD || r.sequence != expected) return false;
        at += r.bytes;
    }
    return expected == b->last + 1;
}

/** The block with this number, or the first one behind it, into s->block. FW_END: there is none. */
static fw_status read_block(fw_spool *s, uint64_t from, fw_error *err)
{
    for (;;) {
        const size_t i = find_segment(s, from);
        if (i == s->n_segments) return FW_END;
        const size_t at = fw_segment_find(&s->segments[i], from);
        if (at == s->segments[i].n_blocks) {                   /* its last ones were damaged */
            from = s->segments[i].last + 1;
            continue;
        }
        const fw_block b = s->segments[i].blocks[at];
        FW_TRY(fw_segment_read(&s->segments[i], at, &s->block, err));
        s->block_at = 0;
        s->block_next = b.first;
        if (is_whole(s, &b)) return FW_OK;
        FW_TRY(note_damage(s, i, at, err));
    }
}

fw_status fw_spool_next(fw_spool *s, fw_record *out, uint64_t from, fw_error *err)
{
    from = FW_MAX(from, s->ledger.entry.released + 1);
    if (s->block_next != from || s->block_at >= s->block.len) {
        const fw_status status = read_block(s, from, err);
        if (status != FW_OK) {
            fw_text_clear(&s->block);
            s->block_at = s->block_next = 0;
            return status;
        }
    }
    do {
        if (s->block_at >= s->block.len || fw_record_parse(out, s->block.data + s->block_at, s->block.len - s->block_at) != FW_RECORD_GOOD)
            return fw_fail(err, FW_ERR_INTERNAL, "spool: message %llu is not where it was", (unsigned long long)from);
        s->block_at += out->bytes;
        s->block_next = out->sequence + 1;
    } while (out->sequence < from);
    return FW_OK;
}

/* ---- readers ---------------------------------------------------------------------------------------------------------------------------------- */

bool fw_reader_name_valid(const char *name)
{
    const size_t len = strlen(name);
    return len > 0 && len < FW_READER_NAME && strspn(name, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:_@-") == len;
}

/** Room for one more among those that are known. NULL: there is none. */
static fw_spool_reader *add_reader(fw_spool *s, const char *name, int64_t now)
{
    fw_ledger_entry *e = &s->ledger.entry;
    fw_spool_reader *r = NULL;
    if (e->n_readers < FW_SPOOL_MAX_READERS) r = &e->readers[e->n_readers++];
    for (size_t i = 0; i < e->n_readers && r == NULL; i++)
        if (now - e->readers[i].seen_us > FORGET_US) r = &e->readers[i];
    if (r == NULL) return NULL;
    *r = (fw_spool_reader){.acknowledged = e->released};
    memcpy(r->name, name, strlen(name) + 1);
    return r;
}

static void release(fw_spool *s)
{
    fw_ledger_entry *e = &s->ledger.entry;
    uint64_t upto = s->highest;
    for (size_t i = 0; i < e->n_readers; i++) upto = FW_MIN(upto, e->readers[i].acknowledged);
    if (upto > e->released) fw_spool_settle(s, upto);
}

fw_status fw_spool_acknowledge(fw_spool *s, const char *name, uint64_t upto, fw_error *err)
{
    fw_ledger_entry *e = &s->ledger.entry;
    const int64_t now = fw_utc_now_us();
    fw_spool_reader *r = NULL;
    if (!fw_reader_name_valid(name)) return fw_fail(err, FW_ERR_ARG, "bus: '%.60s' is no name of a reader: letters, digits and .:_@-, at most %d", name, FW_READER_NAME - 1);
    if (upto > s->highest)
        return fw_fail(err, FW_ERR_ARG, "bus: the reader %s acknowledges message %llu; the last one was %llu", name, (unsigned long long)upto,
                       (unsigned long long)s->highest);
    for (size_t i = 0; i < e->n_readers; i++)
        if (strcmp(e->readers[i].name, name) == 0) r = &e->readers[i];
    if (r == NULL && (r = add_reader(s, name, now)) == NULL) return FW_END;
    r->acknowledged = FW_MAX(upto, e->released);
    r->seen_us = now;
    release(s);
    fw_spool_save(s);
    fw_spool_remove_released(s);
    return FW_OK;
}

fw_status fw_spool_gone(fw_spool *s, uint64_t first, uint64_t last, fw_error *err)
{
    const size_t before = s->n_holes;
    last = FW_MIN(last, s->ledger.entry.evicted);
    if (first > last || last <= s->ledger.entry.released) return FW_OK;
    FW_TRY(fw_spool_add_hole(s, first, last, FW_DROP_FULL, err));
    if (s->n_holes != before) fw_spool_save(s);
    return FW_OK;
}

const fw_spool_reader *fw_spool_readers(const fw_spool *s, size_t *n)
{
    *n = (size_t)s->ledger.entry.n_readers;
    return s->ledger.entry.readers;
}

/* ---- counts ----------------------------------------------------------------------------------------------------------------------------------- */

void fw_spool_note_drops(fw_spool *s, uint64_t n)
{
    s->ledger.entry.dropped[FW_DROP_QUEUE] += n;
    if (n > 0) fw_spool_save(s);
}

static uint64_t first_held(const fw_spool *s)
{
    const uint64_t from = s->ledger.entry.released + 1;
    const size_t i = find_segment(s, from);
    if (i == s->n_segments) return s->highest + 1;
    const size_t at = fw_segment_find(&s->segments[i], from);
    return at < s->segments[i].n_blocks ? FW_MAX(from, s->segments[i].blocks[at].first) : s->highest + 1;
}

fw_spool_counts fw_spool_count(const fw_spool *s)
{
    const fw_ledger_entry *e = &s->ledger.entry;
    fw_spool_counts c = {.produced = s->highest + e->dropped[FW_DROP_QUEUE], .highest = s->highest, .first = first_held(s), .bytes = s->pending.len,
                         .segments = s->n_segments, .failing = s->failing};
    const uint64_t missing = fw_spool_missing(s, e->released + 1, s->highest), undecided = fw_spool_undecided(s);
    memcpy(c.dropped, e->dropped, sizeof c.dropped);
    c.delivered = e->released;
    for (size_t i = 0; i < FW_N_DROPS; i++)
        if (i != FW_DROP_QUEUE) c.delivered -= e->dropped[i];
    for (size_t i = 0; i < s->n_holes; i++) c.dropped[s->holes[i].why] += s->holes[i].last - s->holes[i].first + 1;
    c.dropped[FW_DROP_FULL] += undecided;
    c.spooled = s->highest - e->released - missing - undecided;
    for (size_t i = 0; i < s->n_segments; i++) c.bytes += s->segments[i].size;
    return c;
}
