/** The room of a table that publishers fill: so many places, so many bytes. None may hold more than it leaves to the others: one alone gets half of all, the
 *  next a quarter. So one that floods the table leaves room for an honest one. A publisher is known by its address: its streams and names it chooses, the
 *  addresses are those that the monitor was told. What came from nobody ("") has no share to keep to. One owner. */
#ifndef MONITOR_SHARES_H
#define MONITOR_SHARES_H

#include <stdbool.h>
#include <stddef.h>

#include "common/core/status.h"

typedef struct monitor_share { char *who; size_t places, bytes; } monitor_share;
typedef struct monitor_shares { size_t places, bytes; monitor_share *of; size_t n, capacity; } monitor_shares;      /* begins as {places, bytes}: what is left */

void      monitor_shares_destroy(monitor_shares *s);
/** Whether there is room for one more of so many bytes, whoever it is of. */
bool      monitor_shares_room(const monitor_shares *s, size_t bytes);
/** Whether there is, within the publisher's share. */
bool      monitor_shares_may(const monitor_shares *s, const char *who, size_t bytes);
/** One more of the publisher: there is room. Costs a look at each publisher; FW_ERR_NOMEM. */
fw_status monitor_shares_add(monitor_shares *s, const char *who, size_t bytes, fw_error *err);
size_t    monitor_shares_of(const monitor_shares *s, const char *who);      /* places it holds */

#endif
