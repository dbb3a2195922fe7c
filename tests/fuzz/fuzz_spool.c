/** Any bytes as a segment of a spool, and what is in them read and gone on with: only records whose checksums hold come out, in order, and the next process finds
 *  as many. The same bytes as a recording: it is whole, or refused. Checks are put in where records seem to begin, so that what stands behind them is judged. */
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bus/recording.h"
#include "common/bus/spool.h"
#include "common/core/hash.h"
#include "common/core/text.h"
#include "tests/unit/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) abort();
}

/* Records of a simple form, "R" length payload, become whole ones, "E" the end of a recording; other bytes stand as they are. */
static void build(fw_text *out, const uint8_t *bytes, size_t len)
{
    char head[FW_SEGMENT_HEAD];
    const fw_stream stream = {{1}};
    uint64_t number = 0;
    fw_segment_head(head, &stream, 1);
    fw_text_add_bytes(out, head, sizeof head);
    for (size_t at = 0; at < len;) {
        const size_t n = at + 1 < len ? bytes[at + 1] : 0;
        if (bytes[at] == 'R' && n < len - at - 1) {
            fw_record_append(out, ++number, "t", 1, bytes + at + 2, n);
            at += n + 2;
        } else if (bytes[at] == 'E') {
            fw_record_append(out, ++number, "bus/end", 7, "", 0);
            at++;
        } else {
            fw_text_add_bytes(out, (const char *)bytes + at++, 1);
        }
    }
}

static uint64_t read_all(fw_spool *s)
{
    uint64_t n = 0, last = 0;
    fw_record r;
    fw_status status;
    while ((status = fw_spool_next(s, &r, last + 1, NULL)) == FW_OK) {
        must(r.sequence > last && r.topic_len <= FW_BUS_MAX_TOPIC && r.len <= FW_BUS_MAX_MESSAGE);
        last = r.sequence;
        n++;
    }
    must(status == FW_END);
    return n;
}

static uint64_t open_and_count(fw_spool **s, const char *folder)
{
    if (fw_spool_open(s, &(fw_spool_opts){.folder = folder}, NULL) != FW_OK) return UINT64_MAX;
    const uint64_t n = read_all(*s);
    const fw_spool_counts c = fw_spool_count(*s);
    uint64_t dropped = 0;
    for (size_t i = 0; i < FW_N_DROPS; i++) dropped += c.dropped[i];
    must(c.spooled == n && c.produced == c.delivered + c.spooled + dropped);
    return n;
}

static void read_recording(const char *path)
{
    fw_recording *r = NULL;
    fw_recorded one;
    fw_status status;
    uint64_t n = 0;
    if (fw_recording_open(&r, path, NULL) != FW_OK) return;
    while ((status = fw_recording_next(r, &one, NULL)) == FW_OK) {
        must(one.first == ++n && one.last == n && one.topic != NULL && strlen(one.topic) <= FW_BUS_MAX_TOPIC && one.len <= FW_BUS_MAX_MESSAGE);
        must(one.len == 0 || memchr(one.payload, 0, one.len) != one.payload + one.len);         /* all of it can be read */
    }
    must(status == FW_END && fw_recording_messages(r) == n && fw_recording_highest(r) == n);
    fw_recording_destroy(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    FW_AUTO(fw_text) segment = {0};
    scratch place;
    fw_spool *s = NULL;
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
    if (len > 0 && bytes[0] == 'R') build(&segment, bytes, len);
    else fw_text_add_bytes(&segment, (const char *)bytes, len);
    must(!segment.failed && scratch_make(&place));
    const int fd = open(scratch_path(&place, "00000000000000000001.seg"), O_WRONLY | O_CREAT, 0600);
    must(fd >= 0 && (segment.len == 0 || write(fd, segment.data, segment.len) == (ssize_t)segment.len));
    close(fd);
    read_recording(scratch_path(&place, "00000000000000000001.seg"));
    const uint64_t n = open_and_count(&s, place.dir);
    if (n != UINT64_MAX) {
        uint64_t number;
        must(fw_spool_append(s, &number, "t", 1, "x", 1, NULL) == FW_OK);
        must(fw_spool_close(&s, NULL) == FW_OK);
        must(open_and_count(&s, place.dir) == n + 1);
        fw_spool_destroy(&s);
    }
    scratch_remove(&place);
    return 0;
}
