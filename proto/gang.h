/** What the ranks of a gang and the coordinator tell each other beside orders and answers, as checked structs; the bytes are those of gang.proto.
 *  Also the page on which the leader of a gang writes where it stands. */
#ifndef FW_PROTO_GANG_H
#define FW_PROTO_GANG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

#define FW_GANG_TOKEN     32      /* bytes */
#define FW_GANG_HOST_TEXT 256
#define FW_GANG_PHASE_TEXT 17
#define FW_GANG_MAX_RANKS 1048576u
#define FW_GANG_MAX_BYTES 1024u   /* of a message: larger ones are refused before they are read */

#define FW_GANG_LEASE_S   15.0    /* a rank that hears nothing from the coordinator for so long ends */

typedef enum fw_gang_kind { FW_GANG_HELLO, FW_GANG_HEARTBEAT, FW_GANG_LEASE } fw_gang_kind;

/** One message; the fields that its kind uses are set. */
typedef struct fw_gang_message {
    fw_gang_kind kind;
    uint8_t token[FW_GANG_TOKEN];
    uint64_t generation;
    uint32_t rank, size, pid;              /* rank < FW_GANG_MAX_RANKS, 1 <= size <= it */
    uint64_t started, round, step;
    uint64_t made;                         /* steps made by this process since it began */
    char host[FW_GANG_HOST_TEXT], phase[FW_GANG_PHASE_TEXT];      /* UTF-8 */
    bool stop;
} fw_gang_message;

/** *bytes malloc'ed. */
fw_status fw_gang_pack(void **bytes, size_t *len, const fw_gang_message *m, fw_error *err);
/** FW_ERR_FORMAT: no such message, or one that breaks a limit. The token is the caller's to compare. */
fw_status fw_gang_unpack(fw_gang_message *out, const void *bytes, size_t len, fw_error *err);
bool      fw_gang_same_token(const uint8_t a[static FW_GANG_TOKEN], const uint8_t b[static FW_GANG_TOKEN]);

/** The page: a file beside the checkpoint that the leader maps and writes at each step. What was written stays when the leader dies, so the
 *  coordinator knows the very step (on one host; over a network file system it may be older, and heartbeats tell).
 *    0 generation u64   8 round u64   16 step u64   24 made u64: steps made by this generation */
typedef struct fw_gang_page { _Atomic uint64_t generation, round, step, made; } fw_gang_page;
#define FW_GANG_PAGE_BYTES 4096

#endif
