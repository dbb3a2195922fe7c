/** What makes a bus secure: the folder of its keys and its gate, shared by the contexts of one bus. A key is read when a socket needs it, and kept by
 *  libzmq alone. Private to common/bus. */
#ifndef FW_BUS_SECURE_H
#define FW_BUS_SECURE_H

#include "common/bus/zap.h"

typedef struct fw_secure fw_secure;                /* does not change once made */
fw_status  fw_secure_create(fw_secure **out, const fw_bus_identity *identity, fw_error *err);
fw_secure *fw_secure_retain(fw_secure *s);         /* NULL-safe */
void       fw_secure_destroy(fw_secure **s);       /* the last one ends it */
fw_gate   *fw_secure_gate(const fw_secure *s);     /* NULL: there are no keys; s may be NULL */

/** What a publisher needs, and what a reader needs. FW_ERR_CONFIG: the folder has it not, with what makes it. */
fw_status  fw_secure_publisher(fw_bus_keys *out, const fw_secure *s, fw_error *err);
fw_status  fw_secure_reader(fw_bus_keys *out, char publisher[static FW_BUS_KEY_TEXT], const fw_secure *s, fw_error *err);
/** FW_ERR_CONFIG: plain text would leave this host, and the bus is not insecure. s may be NULL. */
fw_status  fw_secure_plain(const fw_secure *s, const char *endpoint, bool binds, fw_error *err);

#endif
