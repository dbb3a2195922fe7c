/** Who comes in: ZeroMQ asks this handler (ZAP, RFC 27) about each client that proved to hold a key. Without a handler it would take any key.
 *  The gate knows the list of allowed keys, reads it again when its file has changed, and counts those whom it refused; a bus and the contexts
 *  beside it share one. The handler is a thread of each context. Private to common/bus; the counts are public (bus.h). */
#ifndef FW_BUS_ZAP_H
#define FW_BUS_ZAP_H

#include <stdint.h>

#include "common/bus/allowed.h"

/* The domains of server sockets: what a client needs to come in. */
#define FW_DOMAIN_READ  "read"            /* role read or store */
#define FW_DOMAIN_STORE "store"           /* role store */
#define FW_DOMAIN_DESK  "desk"            /* any key: the first message proves the caller (bus.h) */

typedef struct fw_gate fw_gate;           /* thread-safe */
/** path: of the list; one that is not there yet, or became wrong, lets nobody in; the latter is told once for each change. */
fw_status fw_gate_create(fw_gate **out, const char *path, fw_error *err);
/** Reads the list now. FW_ERR_CONFIG: it is wrong. */
fw_status fw_gate_look(fw_gate *g, fw_error *err);
fw_gate  *fw_gate_retain(fw_gate *g);
void      fw_gate_destroy(fw_gate **g);   /* the last one ends it */
/** FW_REFUSED_NOT: let in, and name has its name. */
fw_refused fw_gate_ask(fw_gate *g, const char *domain, const char *address, const uint8_t key[static 32], char name[static FW_KEYS_NAME + 1]);
/** What is wrong with the question itself: counted. */
void      fw_gate_count(fw_gate *g, fw_refused why, const char *address);
size_t    fw_gate_counts(fw_gate *g, fw_refusal *out, size_t room);

typedef struct fw_zap fw_zap;
/** Before the context's first server socket is bound. */
fw_status fw_zap_start(fw_zap **out, void *zmq_context, fw_gate *g, fw_error *err);
/** When zmq_ctx_shutdown was called: that is what ends the thread; returns when it is gone. */
void      fw_zap_destroy(fw_zap **z);

#endif
