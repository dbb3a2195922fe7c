/** Where the dashboard listens: an address and a port in numbers; and the words of HTTP's status codes. */
#ifndef MONITOR_WEB_ADDRESS_H
#define MONITOR_WEB_ADDRESS_H

#include <stdbool.h>

#include "common/core/status.h"

#define MONITOR_ADDRESS_TEXT 80

/** "127.0.0.1:8090", "[::1]:8090", "localhost:8090" (127.0.0.1), ":8090" and "*:8090" (every address). FW_ERR_CONFIG: none of these. */
fw_status monitor_address_check(bool *loopback, const char *address, fw_error *err);
/** A socket that listens there; bound: where, as text. FW_ERR_CONFIG: it can't be had. */
fw_status monitor_address_listen(int *fd, char bound[static MONITOR_ADDRESS_TEXT], const char *address, int backlog, fw_error *err);

const char *monitor_code_words(int code);      /* 404: "Not Found" */

#endif
