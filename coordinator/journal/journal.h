/** What a coordinator does, one line each, written before it is done:   <16 hex digits of XXH3-64 of the rest> <JSON object>\n
 *  Appended only. A line that is cut or changed is not believed: a torn last line is taken off. */
#ifndef COORD_JOURNAL_JOURNAL_H
#define COORD_JOURNAL_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef struct coord_journal_opts {
    bool chained;                  /* the hash is seeded with that of the line before, so that a line that was changed, taken out or moved is found: FW_ERR_FORMAT
                                      with line and byte. Else a damaged line is passed over and counted */
    bool grouped;                  /* a line is with the kernel at once and on the disk soon (commit.h); else on the disk when the call returns */
    bool alone;                    /* FW_ERR_CONFIG while another process has it open in this way */
    bool read_only;                /* it must be there; nothing is locked, taken off or appended */
} coord_journal_opts;

typedef struct coord_journal coord_journal;

/** A good line: its object, the text of it, its number from 1, and the byte at which it begins. */
typedef struct coord_journal_line { const json_t *entry; const char *json; size_t len; uint64_t number, byte; } coord_journal_line;

/** Called for each good line, oldest first. A status that is an error ends the reading, and the opening. */
typedef fw_status (*coord_journal_reader)(void *context, const coord_journal_line *line, fw_error *err);

/** Reads what is there, takes off a torn end, and stands ready to append. reader may be NULL. opts NULL: all false; the caller holds a lock. */
fw_status coord_journal_open(coord_journal **out, const char *path, const coord_journal_opts *opts, coord_journal_reader reader, void *context, fw_error *err);
/** What was appended is on the disk. */
void      coord_journal_close(coord_journal **j);

/** Appends the object (stolen) with `time` and `event` in front. */
fw_status coord_journal_add(coord_journal *j, const char *event, json_t *more, fw_error *err);
/** Puts the text of an object without line ends behind those that are to be appended; it is in no file yet. FW_ERR_NOMEM: nothing
 *  of what was put will be in the file. */
fw_status coord_journal_put_text(coord_journal *j, const char *json, size_t len, bool urgent, fw_error *err);
/** Appends what was put, in one write. On an error nothing of it is in the file, and nothing of it will be. */
fw_status coord_journal_write(coord_journal *j, fw_error *err);
/** Appends the text of an object without line ends, behind what was put. urgent: grouped, but with a short delay (commit.h). On an error, a full disk say, nothing of it is in the file. */
fw_status coord_journal_add_text(coord_journal *j, const char *json, size_t len, bool urgent, fw_error *err);
/** What was put is appended; waits until all is on the disk. */
fw_status coord_journal_sync(coord_journal *j, fw_error *err);

size_t   coord_journal_damaged(const coord_journal *j);     /* lines passed over or taken off when it was opened */
uint64_t coord_journal_lines(const coord_journal *j);       /* good ones, with those that were appended */

#endif
