#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bus/spool_parts.h"
#include "common/core/clock.h"
#include "common/core/fs.h"
#include "common/core/size.h"

#define MIB             (UINT64_C(1) << 20)
#define SMALLEST_CAP    (UINT64_C(64) << 10)
#define SMALLEST_PART   (UINT64_C(4) << 10)
#define SEGMENTS_IN_CAP 8
#define NAME_LEN        24                 /* of a segment's file: 20 digits and ".seg" */
#define FORGET_US       (INT64_C(7) * 86400 * 1000000)
#define SAID_HOLES      10

/* ---- the folder ------------------------------------------------------------------------------------------------------------------------------- */

/** Who holds it is in the lock's text, for people. */
static fw_status lock_folder(fw_spool *s, fw_error *err)
{
    FW_FREE char *path = NULL;
    char who[256] = {0}, host[128] = {0};
    if (asprintf(&path, "%s/lock", s->folder) < 0) return fw_fail(err, FW_ERR_NOMEM, "spool: a name");
    s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (s->lock < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be opened", path);
    if (flock(s->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be locked", path);
        const ssize_t n = pread(s->lock, who, sizeof who - 1, 0);
        who[n > 0 ? strcspn(who, "\n") : 0] = '\0';
        return fw_fail(err, FW_ERR_CONFIG, "the spool %s is held by another publisher (%s); wait for its end, or give this one a spool of its own", s->folder,
                       who[0] != '\0' ? who : "unknown");
    }
    gethostname(host, sizeof host - 1);
    const int len = snprintf(who, sizeof who, "process %d on %s\n", (int)getpid(), host);
    if (ftruncate(s->lock, 0) == 0 && pwrite(s->lock, who, (size_t)len, 0) != len) fw_spool_say(s, "%s: who holds it cannot be written", path);
    return FW_OK;
}

/** The number in "00000000000000000001.seg"; 0: no such name. */
static uint64_t number_of(const char *name)
{
    uint64_t n = 0;
    if (strlen(name) != NAME_LEN || strcmp(name + 20, ".seg") != 0 || strspn(name, "0123456789") != 20) return 0;
    for (int i = 0; i < 20; i++) {
        const uint64_t digit = (uint64_t)(name[i] - '0');
        if (n > (FW_BUS_MAX_SEQUENCE - digit) / 10) return 0;
        n = 10 * n + digit;
    }
    return n;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

fw_status fw_spool_list(uint64_t **out, size_t *n, const char *folder, fw_error *err)
{
    size_t capacity = 0;
    fw_status status = FW_OK;
    DIR *dir = opendir(folder);
    if (dir == NULL) return fw_fail_errno(err, FW_ERR_IO, "%s", folder);
    for (struct dirent *entry; status == FW_OK && (entry = readdir(dir)) != NULL;) {
        const uint64_t first = number_of(entry->d_name);
        if (first == 0) continue;
        status = fw_grow((void **)out, &capacity, *n + 1, sizeof **out, "segments", err);
        if (status == FW_OK) (*out)[(*n)++] = first;
    }
    closedir(dir);
    if (*n > 1) qsort(*out, *n, sizeof **out, ascending);
    return status;
}

/* ---- what is there ---------------------------------------------------------------------------------------------------------------------------- */

/** What was found in the segments, but for what they hold. */
typedef struct findings { uint64_t last; bool usable; } findings;      /* last: the highest number given to something in them; usable: to be gone on with */

static void tell(const fw_spool *s, const fw_segment *segment, const fw_segment_report *r)
{
    if (r->head_damaged) fw_spool_say(s, "%s: its head is damaged; its messages carry checksums of their own", segment->path);
    if (r->damaged > 0) fw_spool_say(s, "%s: damaged at %zu place%s, first at byte %llu", segment->path, r->damaged, r->damaged == 1 ? "" : "s",
                                     (unsigned long long)r->damage_at);
}

static fw_status load_one(fw_spool *s, findings *f, uint64_t first, fw_stream *stream, fw_error *err)
{
    FW_FREE char *path = NULL;
    fw_segment segment;
    fw_segment_report report;
    if (asprintf(&path, "%s/" FW_SEGMENT_NAME, s->folder, (unsigned long long)first) < 0) return fw_fail(err, FW_ERR_NOMEM, "spool: a name");
    FW_TRY(fw_grow((void **)&s->segments, &s->segments_capacity, s->n_segments + 1, sizeof *s->segments, "segments", err));
    if (s->n_segments > 0 && s->segments[s->n_segments - 1].last >= first)
        return fw_fail(err, FW_ERR_FORMAT, "%s holds numbers that are in the segment before it too; move one of them away", path);
    FW_TRY(fw_segment_load(&segment, &report, path, first, stream, err));
    tell(s, &segment, &report);
    s->segments[s->n_segments++] = segment;
    f->last = FW_MAX(f->last, FW_MAX(segment.last, report.tail_last));
    f->usable = report.tail == 0 && !report.head_damaged;
    return FW_OK;
}

static fw_status load_segments(fw_spool *s, findings *f, bool ledger_found, fw_error *err)
{
    FW_FREE uint64_t *first = NULL;
    size_t n = 0;
    fw_stream none = {0}, *stream = ledger_found ? &s->ledger.entry.stream : &none;
    FW_TRY(fw_spool_list(&first, &n, s->folder, err));
    for (size_t i = 0; i < n; i++) FW_TRY(load_one(s, f, first[i], stream, err));
    if (!ledger_found && memcmp(&none, &(fw_stream){0}, sizeof none) != 0) s->ledger.entry.stream = none;
    return FW_OK;
}

/** The last number that may have been given out. */
static uint64_t last_given(const fw_spool *s, uint64_t found, bool ledger_found)
{
    const fw_ledger_entry *e = &s->ledger.entry;
    uint64_t last = FW_MAX(found, FW_MAX(e->released, FW_MIN(e->evicted, FW_BUS_MAX_SEQUENCE)));
    for (size_t i = 0; i < e->n_readers; i++) last = FW_MAX(last, FW_MIN(e->readers[i].acknowledged, FW_BUS_MAX_SEQUENCE));
    if (!ledger_found) return s->n_segments > 0 ? FW_MIN(last + FW_LEDGER_RESERVE, FW_BUS_MAX_SEQUENCE) : last;
    if (e->highest > 0) return FW_MAX(last, e->highest);
    return e->in_memory != 0 || fw_ledger_other_boot(&s->ledger) ? FW_MAX(last, e->reserved) : last;
}

static fw_status lost(fw_spool *s, uint64_t first, uint64_t last, size_t *said, fw_error *err)
{
    first = FW_MAX(first, s->ledger.entry.released + 1);
    if (first > last) return FW_OK;
    if ((*said)++ < SAID_HOLES) fw_spool_say(s, "%s: messages %llu to %llu are lost", s->folder, (unsigned long long)first, (unsigned long long)last);
    return fw_spool_add_hole(s, first, last, FW_DROP_LOST, err);
}

/** Numbers between the records that are there. */
static fw_status find_holes(fw_spool *s, fw_error *err)
{
    const fw_ledger_entry *e = &s->ledger.entry;
    uint64_t expected = FW_MAX(e->released, e->evicted) + 1;
    size_t said = 0;
    for (size_t i = 0; i < e->n_gone; i++) FW_TRY(fw_spool_add_hole(s, e->gone[i].first, FW_MIN(e->gone[i].last, e->evicted), FW_DROP_FULL, err));
    for (size_t i = 0; i < s->n_segments; i++) {
        for (size_t b = 0; b < s->segments[i].n_blocks; b++) {
            FW_TRY(lost(s, expected, s->segments[i].blocks[b].first - 1, &said, err));
            expected = FW_MAX(expected, s->segments[i].blocks[b].last + 1);
        }
    }
    return lost(s, expected, s->highest, &said, err);
}

static void forget_silent_readers(fw_spool *s)
{
    fw_ledger_entry *e = &s->ledger.entry;
    const int64_t now = fw_utc_now_us();
    size_t kept = 0;
    for (size_t i = 0; i < e->n_readers; i++) {
        if (now - e->readers[i].seen_us <= FORGET_US) e->readers[kept++] = e->readers[i];
        else fw_spool_say(s, "%s: the reader %s was not heard for 7 days; nothing is kept for it any more", s->folder, e->readers[i].name);
    }
    e->n_readers = kept;
    if (kept == 0 && e->evicted > e->released) {           /* nobody is left who could have them */
        fw_error why = {0};
        if (fw_spool_add_hole(s, e->released + 1, e->evicted, FW_DROP_FULL, &why) < 0) fw_spool_say(s, "%s", why.text);
        else fw_spool_settle(s, e->evicted);
    }
}

static fw_status take_up(fw_spool *s, fw_error *err)
{
    bool found = false, damaged = false;
    findings f = {.usable = true};
    FW_TRY(lock_folder(s, err));
    FW_TRY(fw_ledger_open(&s->ledger, s->folder, &found, &damaged, err));
    if (damaged) fw_spool_say(s, "%s/ledger is damaged: what was acknowledged and dropped before is not known any more", s->folder);
    FW_TRY(load_segments(s, &f, found, err));
    s->highest = last_given(s, f.last, found);
    if (!found && s->n_segments > 0) s->ledger.entry.released = s->segments[0].first - 1;
    FW_TRY(find_holes(s, err));
    forget_silent_readers(s);
    s->ledger.entry.highest = s->ledger.entry.in_memory = 0;
    fw_spool_save(s);
    fw_spool_save(s);                      /* both slots have their place on the disk before it is full */
    if (s->n_segments == 0 || !f.usable || s->segments[s->n_segments - 1].last != s->highest) return fw_spool_begin(s, s->highest + 1, err);
    fw_spool_remove_released(s);
    return FW_OK;
}

/* ---- open and close --------------------------------------------------------------------------------------------------------------------------- */

static void complete(fw_spool_opts *o)
{
    if (o->cap_bytes == 0) o->cap_bytes = o->folder != NULL ? 1024 * MIB : 64 * MIB;
    o->cap_bytes = FW_MAX(o->cap_bytes, SMALLEST_CAP);
    if (o->segment_bytes == 0) o->segment_bytes = o->cap_bytes / SEGMENTS_IN_CAP;
    o->segment_bytes = FW_MIN(FW_MAX(o->segment_bytes, SMALLEST_PART), 64 * MIB);
    if (o->memory_bytes == 0) o->memory_bytes = 64 * MIB;
    o->memory_bytes = FW_MAX(o->memory_bytes, SMALLEST_CAP);
}

static fw_status open_folder(fw_spool *s, fw_error *err)
{
    FW_TRY(fw_copy_text(&s->folder, s->opts.folder, err));
    FW_TRY(fw_make_dirs(s->folder, err));
    if (chmod(s->folder, 0700) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be closed to others", s->folder);
    return take_up(s, err);
}

fw_status fw_spool_open(fw_spool **out, const fw_spool_opts *opts, fw_error *err)
{
    FW_AUTO(fw_spool) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "spool");
    s->lock = s->ledger.fd = -1;
    s->opts = *opts;
    complete(&s->opts);
    if (opts->folder != NULL) {
        FW_TRY(open_folder(s, err));
    } else {
        bool found, damaged;
        FW_TRY(fw_ledger_open(&s->ledger, NULL, &found, &damaged, err));
        FW_TRY(fw_spool_begin(s, 1, err));
    }
    *out = s;
    s = NULL;
    return FW_OK;
}

void fw_spool_destroy(fw_spool **spool)
{
    if (spool == NULL || *spool == NULL) return;
    fw_spool *s = *spool;
    for (size_t i = 0; i < s->n_segments; i++) fw_segment_close(&s->segments[i]);
    free(s->segments);
    free(s->holes);
    fw_text_destroy(&s->pending);
    fw_text_destroy(&s->block);
    fw_ledger_close(&s->ledger);
    if (s->lock >= 0) close(s->lock);
    free(s->folder);
    free(s);
    *spool = NULL;
}

static fw_status settle_all(fw_spool *s, fw_error *err)
{
    s->retry = fw_mono_now();
    FW_TRY(fw_spool_sync(s, err));
    if (s->failing) {
        fw_spool_counts c = fw_spool_count(s);
        return fw_fail(err, FW_ERR_IO, "%s: the disk fails still; of %llu messages that are spooled, those in memory are lost", s->folder,
                       (unsigned long long)c.spooled);
    }
    s->ledger.entry.highest = s->highest;
    FW_TRY(fw_ledger_save(&s->ledger, err));
    FW_TRY(fw_ledger_sync(&s->ledger, err));
    while (s->ledger.entry.released == s->highest && s->n_segments > 0) fw_spool_remove(s, s->n_segments - 1);
    return FW_OK;
}

fw_status fw_spool_close(fw_spool **spool, fw_error *err)
{
    if (*spool == NULL) return FW_OK;
    const fw_status status = (*spool)->folder != NULL ? settle_all(*spool, err) : FW_OK;
    fw_spool_destroy(spool);
    return status;
}
