/** What a message from a peer may become in memory: an allocator for protobuf-c that gives a stated number of bytes and no more. Private to proto. */
#ifndef FW_PROTO_BUDGET_H
#define FW_PROTO_BUDGET_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

/** An allocator over *left bytes: what is given is taken off, what is freed is not given back. *left outlives every use of it; to free what was
 *  unpacked, any number does. */
ProtobufCAllocator fw_budget_allocator(size_t *left);

#endif
