/** Addresses: of this host, those of another host that can be reached from here (IPv4 and names), and what an endpoint's says. */
#ifndef FW_BUS_ADDRESS_H
#define FW_BUS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/clock.h"
#include "common/core/status.h"

#define FW_ADDRESS_TEXT 256

/** Up to `room` addresses of the interfaces that are up, without loopback, then the host's name; how many in *n. */
fw_status fw_own_addresses(char (*out)[FW_ADDRESS_TEXT], size_t room, size_t *n, fw_error *err);

/** The first of n addresses at which somebody takes a connection on the port: its index. Each is given up to 2 s, all up to the deadline.
 *  FW_ERR_BUS: none does. */
fw_status fw_reach(size_t *which, const char (*address)[FW_ADDRESS_TEXT], size_t n, uint16_t port, fw_mono deadline, fw_error *err);

/** Whether an endpoint leads to this host alone: inproc, ipc, a loopback address, "localhost"; to connect to, also 0.0.0.0 and [::]. */
bool fw_endpoint_is_near(const char *endpoint, bool binds);
/** Whether a socket for it has to know IPv6: brackets, * (both families), or a name that has no IPv4 address, which is asked of the resolver. A name
 *  that has both is taken by IPv4: a publisher on an IPv4 address is not to be missed. */
bool fw_endpoint_is_ipv6(const char *endpoint);

#endif
