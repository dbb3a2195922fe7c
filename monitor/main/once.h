/** Recordings judged: the monitor's own analysis without a network, for CI. */
#ifndef MONITOR_MAIN_ONCE_H
#define MONITOR_MAIN_ONCE_H

#include "monitor/main/options.h"

/** FW_ERR_CHECK: an alert of drift, missing or unseen values, performance or KPI was raised, or is open in the store. FW_ERR_FORMAT, FW_ERR_DATA: a recording
 *  is damaged, holds what is no telemetry, or none tells of a model with a reference. FW_ERR_STOPPED: a signal came first. */
fw_status monitor_once(monitor_options *o, fw_error *err);

#endif
