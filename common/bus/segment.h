/** One segment of a spool: a file, or its bytes in memory while there is no folder or no room on the disk. Knows where its good records are.
 *  Private to common/bus; one owner. */
#ifndef FW_BUS_SEGMENT_H
#define FW_BUS_SEGMENT_H

#include "common/bus/record.h"

#define FW_SEGMENT_NAME "%020llu.seg"      /* the number of its first record */

/** Good records one behind the other, with numbers one behind the other: what is read at once. */
typedef struct fw_block { uint64_t first, last, offset; size_t len; } fw_block;

typedef struct fw_segment {
    uint64_t first, last;          /* last == first - 1: it holds no record. Numbers within may be missing: they were damaged */
    char *path;                    /* NULL: in memory */
    int fd;
    fw_text memory;
    uint64_t size;                 /* bytes, head included */
    fw_block *blocks; size_t n_blocks, capacity;
} fw_segment;

/** What was found when a segment was loaded. */
typedef struct fw_segment_report {
    size_t damaged;                /* places at which records are damaged */
    uint64_t damage_at;            /* offset of the first of them */
    bool head_damaged;
    bool torn;                     /* a record that was being written was cut off */
    uint64_t tail;                 /* damaged bytes behind the last good record: nothing is to be written behind them */
    uint64_t tail_last;            /* the highest number that may have been given to what stood there; 0: none */
} fw_segment_report;

/** A new one, with its head written; folder NULL: in memory. On error there is no file. */
fw_status fw_segment_create(fw_segment *out, const char *folder, const fw_stream *stream, uint64_t first, fw_error *err);
/** Reads a file; cuts off a torn end. stream: the one it has to belong to, FW_ERR_FORMAT else; a stream of zeros takes that of the segment. */
fw_status fw_segment_load(fw_segment *out, fw_segment_report *report, const char *path, uint64_t first, fw_stream *stream, fw_error *err);
void      fw_segment_close(fw_segment *s);
/** Records, appended whole or not at all. */
fw_status fw_segment_write(fw_segment *s, const char *records, size_t len, fw_error *err);
/** From memory to a file, synced. On error it is as it was. */
fw_status fw_segment_settle(fw_segment *s, const char *folder, fw_error *err);
fw_status fw_segment_remove(fw_segment *s, fw_error *err);       /* the file too; s is closed whatever is returned */

/** The block with this number, or the first one behind it; n_blocks: none. */
size_t    fw_segment_find(const fw_segment *s, uint64_t sequence);
/** Bytes of a block, in place of what `out` held; out->failed is not left set. */
fw_status fw_segment_read(const fw_segment *s, size_t block, fw_text *out, fw_error *err);
/** A block whose bytes were found damaged is replaced by its good parts (there may be none). */
fw_status fw_segment_split(fw_segment *s, size_t block, const char *bytes, fw_error *err);

#endif
