/** The inside of a spool, for the files that share it: spool.c (taking and writing), spool_open.c (finding what is there, closing),
 *  spool_read.c (giving out, acknowledgements, counts). */
#ifndef FW_BUS_SPOOL_PARTS_H
#define FW_BUS_SPOOL_PARTS_H

#include "common/bus/ledger.h"
#include "common/bus/segment.h"
#include "common/bus/spool.h"

/* Numbers above `released` that can't be read any more. */
typedef struct fw_hole { uint64_t first, last; fw_drop why; } fw_hole;

struct fw_spool {
    fw_spool_opts opts;
    char *folder;                                        /* NULL: in memory */
    int lock;
    fw_ledger ledger;
    fw_segment *segments; size_t n_segments, segments_capacity;
    fw_hole *holes; size_t n_holes, holes_capacity;      /* ascending, apart */
    uint64_t highest;                                    /* number given out */
    fw_text pending;                                     /* taken, not yet written */
    uint64_t unsynced;
    bool folder_unsynced, failing;
    fw_mono retry;
    fw_text block; size_t block_at; uint64_t block_next; /* records that were read, where the next one stands, and its number */
};

/** First numbers of the segments of a folder, ascending; *out malloc'ed. */
fw_status fw_spool_list(uint64_t **out, size_t *n, const char *folder, fw_error *err);
void      fw_spool_say(const fw_spool *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** first..last are gone for this reason, but for those of them that were gone before or are settled. */
fw_status fw_spool_add_hole(fw_spool *s, uint64_t first, uint64_t last, fw_drop why, fw_error *err);
uint64_t  fw_spool_missing(const fw_spool *s, uint64_t first, uint64_t last);      /* numbers in holes */
/** Numbers up to here are done with; holes among them come to their accounts. */
void      fw_spool_settle(fw_spool *s, uint64_t upto);
/** Numbers up to `evicted` that no reader was told of: dropped, unless all that are known acknowledge them. */
uint64_t  fw_spool_undecided(const fw_spool *s);
void      fw_spool_save(fw_spool *s);                    /* the ledger */
/** A new segment for the numbers from `first` on: on the disk, or when that fails in memory. */
fw_status fw_spool_begin(fw_spool *s, uint64_t first, fw_error *err);
void      fw_spool_remove(fw_spool *s, size_t segment);  /* its file too */
void      fw_spool_remove_released(fw_spool *s);         /* but for the last segment */
/** Looks whether a failing disk works again. */
void      fw_spool_try_disk(fw_spool *s);

#endif
