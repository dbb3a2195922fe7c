/** `flywheel-monitor alerts ...`: what the alerts of a store are, and what is to become of them; a monitor may have it open, or none. */
#ifndef MONITOR_ALERTS_COMMAND_H
#define MONITOR_ALERTS_COMMAND_H

#include <stdio.h>

#include "common/core/status.h"

/** argv: what stands behind "alerts". Prints to out. FW_ERR_CONFIG: wrong use. */
fw_status monitor_alerts_command(int argc, char **argv, FILE *out, fw_error *err);

#endif
