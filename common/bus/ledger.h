/** What a spool remembers beside its messages: who has acknowledged what, what was dropped, which numbers were given out.
 *  A file of two slots of 4 KiB, written in turn: a torn one costs what changed last. In memory when there is no folder.
 *  Private to common/bus; one owner. */
#ifndef FW_BUS_LEDGER_H
#define FW_BUS_LEDGER_H

#include "common/bus/spool.h"

#define FW_LEDGER_RESERVE 16384u       /* numbers set aside at once: after the machine went down they are not given again */

#define FW_LEDGER_GONE    16           /* ranges; more are joined */
typedef struct fw_gone { uint64_t first, last; } fw_gone;

typedef struct fw_ledger_entry {
    fw_stream stream;
    unsigned char boot[16];            /* of the kernel under which it was written */
    uint64_t released;                 /* numbers up to here are settled: delivered, or dropped */
    uint64_t reserved;                 /* no number above was given out */
    uint64_t highest;                  /* the last number given out, when the spool was closed in order; else 0 */
    uint64_t in_memory;                /* 1: messages are in memory alone; 0: what was written survives the process */
    uint64_t evicted;                  /* numbers up to here left over the cap. Above `released` they are dropped when a reader is told so or has not been
                                          there, and delivered when all known readers acknowledge them: who took them live has them */
    uint64_t n_gone; fw_gone gone[FW_LEDGER_GONE];      /* of these, the ones of which a reader was told */
    uint64_t dropped[FW_N_DROPS];      /* of the settled ones; FW_DROP_QUEUE: beside the numbers */
    uint64_t n_readers;
    fw_spool_reader readers[FW_SPOOL_MAX_READERS];
} fw_ledger_entry;

typedef struct fw_ledger {
    int fd;                            /* -1: in memory */
    uint64_t counter;
    unsigned char boot[16];            /* of this kernel, now */
    bool dirty;                        /* written, not yet synced */
    fw_ledger_entry entry;
} fw_ledger;

/** *found: there was an entry. A new one has a random stream and numbers from 1. *damaged: no slot was whole. */
fw_status fw_ledger_open(fw_ledger *l, const char *folder, bool *found, bool *damaged, fw_error *err);
/** The entry alone, for who changes nothing. FW_ERR_CONFIG: there is none; FW_ERR_FORMAT: no slot is whole. */
fw_status fw_ledger_read(fw_ledger_entry *out, const char *folder, fw_error *err);
void      fw_ledger_close(fw_ledger *l);
/** Survives the process at once; the machine from fw_ledger_sync on. */
fw_status fw_ledger_save(fw_ledger *l, fw_error *err);
fw_status fw_ledger_sync(fw_ledger *l, fw_error *err);
/** A random one. */
fw_status fw_stream_draw(fw_stream *out, fw_error *err);
/** Whether the machine went down since the entry was written (or it was another machine). */
bool      fw_ledger_other_boot(const fw_ledger *l);

#endif
