/** What a coordinator does, one line each, on the disk before it is done:   <16 hex digits of XXH3-64 of the rest> <JSON object>\n
 *  Appended only. A line that is cut or changed is not believed: a torn last line is taken off, another one passed over and counted. */
#ifndef COORD_GANG_JOURNAL_H
#define COORD_GANG_JOURNAL_H

#include <jansson.h>
#include <stddef.h>

#include "common/core/status.h"

typedef struct coord_journal coord_journal;

/** Called for each good line, oldest first. */
typedef void (*coord_journal_reader)(void *context, const json_t *entry);

/** Reads what is there, takes off a torn end, and stands ready to append. One writer: the caller holds the folder's lock. */
fw_status coord_journal_open(coord_journal **out, const char *path, coord_journal_reader reader, void *context, fw_error *err);
void      coord_journal_close(coord_journal **j);

/** Appends the object (stolen) with `event` in front; on FW_OK it is on the disk. */
fw_status coord_journal_add(coord_journal *j, const char *event, json_t *more, fw_error *err);

size_t coord_journal_damaged(const coord_journal *j);     /* lines passed over or taken off when it was opened */

#endif
