/** Messages that were numbered and are kept until every reader that is known has acknowledged them: in a folder, within a cap.
 *
 *      FOLDER/lock                       held by the one owner
 *      FOLDER/ledger                     the stream, who acknowledged what, what was dropped (ledger.h)
 *      FOLDER/00000000000000000001.seg   segments of checksummed records (record.h), named by the number of their first one
 *
 *  What fw_spool_write has written survives the process, what fw_spool_sync has synced the machine. Numbers are never given twice.
 *  produced = delivered + spooled + dropped, each message in one of them. Over the cap the oldest segment goes; what a known reader does not have of it is dropped.
 *  A damaged record is found by its checksum, named, passed over and counted; a torn end is cut off. When the disk fails or is full, it goes on in
 *  memory, within a bound, says so, and moves what it has to the disk when that works again. Without a folder all is in memory.
 *  Not thread-safe: one owner. Calls may wait for the disk. */
#ifndef FW_BUS_SPOOL_H
#define FW_BUS_SPOOL_H

#include "common/bus/bus.h"
#include "common/bus/record.h"

#define FW_SPOOL_MAX_READERS 16
#define FW_READER_NAME       64        /* bytes, with the NUL: letters, digits and .:_@- */

/** Why a message was dropped. QUEUE: more was put than could be taken, it has no number. FULL: the cap. DISK: the memory in place of a failing disk
 *  was full. LOST: damaged on the disk, not yet on it when the machine went down, or in memory when the process ended. */
typedef enum fw_drop { FW_DROP_QUEUE, FW_DROP_FULL, FW_DROP_DISK, FW_DROP_LOST, FW_N_DROPS } fw_drop;
const char *fw_drop_text(fw_drop why);         /* "queue", "full", "disk", "lost" */

typedef struct fw_spool_opts {
    const char *folder;                        /* made when it isn't there; NULL: in memory */
    uint64_t cap_bytes;                        /* 0: 1 GiB, in memory 64 MiB; at least 64 KiB */
    uint64_t segment_bytes;                    /* 0: an eighth of the cap, at most 64 MiB */
    uint64_t memory_bytes;                     /* in place of a failing disk; 0: 64 MiB */
    void (*say)(void *context, const char *text);      /* of troubles with the disk and what was found on it; may be NULL */
    void *context;
} fw_spool_opts;

typedef struct fw_spool_reader { char name[FW_READER_NAME]; uint64_t acknowledged; int64_t seen_us; } fw_spool_reader;

typedef struct fw_spool_counts {
    uint64_t produced, delivered, spooled, dropped[FW_N_DROPS];
    uint64_t first, highest;                   /* the first number that can be read (highest + 1: none), the last one given out */
    uint64_t bytes; size_t segments;
    bool failing;                              /* the disk: new messages are in memory alone */
} fw_spool_counts;

typedef struct fw_spool fw_spool;

/** FW_ERR_CHECK: another publisher holds the folder. FW_ERR_FORMAT: a segment belongs to another spool. */
fw_status fw_spool_open(fw_spool **out, const fw_spool_opts *opts, fw_error *err);
/** Writes and syncs what it has, and leaves it in the folder. On error all is closed too; the first trouble is told. */
fw_status fw_spool_close(fw_spool **s, fw_error *err);
void      fw_spool_destroy(fw_spool **s);      /* at once, as if the process had ended */

fw_stream fw_spool_stream(const fw_spool *s);
bool      fw_spool_has_folder(const fw_spool *s);
/** Takes a message; *sequence is its number. It can be read after fw_spool_write. FW_ERR_ARG: too large. */
fw_status fw_spool_append(fw_spool *s, uint64_t *sequence, const char *topic, size_t topic_len, const void *payload, size_t len, fw_error *err);
/** Hands all that was taken to the kernel. A failing disk is no error: see the counts. */
fw_status fw_spool_write(fw_spool *s, fw_error *err);
/** Onto the disk. Also looks whether a failing disk works again; call it now and then. */
fw_status fw_spool_sync(fw_spool *s, fw_error *err);
uint64_t  fw_spool_unsynced(const fw_spool *s);        /* bytes written since */

/** The first record from the number on, valid until the next call; the numbers before it, if any, are gone. FW_END: there is none. */
fw_status fw_spool_next(fw_spool *s, fw_record *out, uint64_t from, fw_error *err);

/** The reader has everything up to this number and will not ask for it again; 0 makes it known. What all known readers have leaves the spool.
 *  A reader that was silent for 7 days is forgotten when the spool is opened, or when there is no room for a new one.
 *  FW_END: no room. FW_ERR_ARG: the name is none, or no such number was given out. */
fw_status fw_spool_acknowledge(fw_spool *s, const char *name, uint64_t upto, fw_error *err);
/** A known reader does not have these numbers, and is told that they can't be had: those that left over the cap are dropped. */
fw_status fw_spool_gone(fw_spool *s, uint64_t first, uint64_t last, fw_error *err);
bool      fw_reader_name_valid(const char *name);
const fw_spool_reader *fw_spool_readers(const fw_spool *s, size_t *n);

/** Messages that were dropped before they got a number. */
void            fw_spool_note_drops(fw_spool *s, uint64_t n);
fw_spool_counts fw_spool_count(const fw_spool *s);

#endif
