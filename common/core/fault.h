/** Named places where a test can make something go wrong. One branch when no schedule is set.
 *  FW_FAULTS="store.before_rename@rank=1,hit=3,kill"   actions: kill, stop, fail (FW_ERR_IO), delay=MS; several, separated by ';'
 *  Without rank= on each rank; without hit= each time the point is reached, else on that time alone, counted from 1. */
#ifndef FW_CORE_FAULT_H
#define FW_CORE_FAULT_H

#include "common/core/status.h"

/** Reads FW_FAULTS; `rank` selects rules with rank=. Call once at start. FW_ERR_CONFIG, and no schedule, when it is malformed. */
fw_status fw_fault_init(int rank, fw_error *err);
fw_status fw_fault(const char *point, fw_error *err);

#endif
