/** Any bytes as a header, a status or a request of the bus: refused, or what comes out keeps the limits of frames.h and encodes to the same meaning. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) abort();
}

static void try_header(const uint8_t *bytes, size_t len)
{
    fw_header h, again;
    char out[FW_HEADER_BYTES];
    if (!fw_header_decode(&h, bytes, len)) return;
    must(h.kind < FW_N_FRAMES && h.sequence <= FW_BUS_MAX_SEQUENCE + 1 && (h.kind == FW_FRAME_STATUS || h.sequence > 0));
    fw_header_encode(out, &h);
    must(fw_header_decode(&again, out, sizeof out) && again.kind == h.kind && again.flags == h.flags && again.sequence == h.sequence);
}

static void try_status(const uint8_t *bytes, size_t len)
{
    fw_frame_status s, again;
    char out[FW_STATUS_BYTES];
    if (!fw_status_decode(&s, bytes, len)) return;
    must(s.first > 0 && s.first <= s.highest + 1 && s.highest <= FW_BUS_MAX_SEQUENCE && s.port <= UINT16_MAX && fw_reader_name_valid(s.name));
    fw_status_encode(out, &s);
    must(fw_status_decode(&again, out, sizeof out) && again.highest == s.highest && again.produced == s.produced);
}

static void try_request(const uint8_t *bytes, size_t len)
{
    fw_frame_request r, again;
    char out[FW_REQUEST_BYTES];
    if (!fw_request_decode(&r, bytes, len)) return;
    must(r.acknowledged <= r.received && r.before <= r.received && r.received <= FW_BUS_MAX_SEQUENCE && (r.name[0] == '\0' || fw_reader_name_valid(r.name)));
    fw_request_encode(out, &r);
    must(fw_request_decode(&again, out, sizeof out) && again.from == r.from && again.until == r.until && strcmp(again.name, r.name) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    try_header(bytes, len);
    try_status(bytes, len);
    try_request(bytes, len);
    return 0;
}
