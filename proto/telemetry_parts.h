/** What the files of telemetry share with each other and nobody else. */
#ifndef FW_PROTO_TELEMETRY_PARTS_H
#define FW_PROTO_TELEMETRY_PARTS_H

#include "proto/telemetry.h"
#include "proto/telemetry.pb-c.h"

#define FW_TELEMETRY_LAST_TIME_US INT64_C(253402300799999999)      /* the end of the year 9999 */

/* protobuf-c appends here; the base comes first so that the library's pointer is ours. */
typedef struct fw_text_buffer { ProtobufCBuffer base; fw_text *text; } fw_text_buffer;
fw_text_buffer fw_text_buffer_on(fw_text *text);
/* Generated structs want char * for strings that they only read; NULL becomes "". */
char *fw_telemetry_unconst(const char *s);

/* A varint of protobuf's wire format: its length, and its bytes at `at`; where the next ones go. */
enum { FW_VARINT_MOST = 10 };
static inline size_t fw_varint_len(uint64_t v) { return (size_t)(63 - __builtin_clzll(v | 1)) / 7 + 1; }

static inline char *fw_varint_put(char *at, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) *at++ = (char)(unsigned char)(0x80 | (v & 0x7f));
    *at++ = (char)v;
    return at;
}

fw_status fw_telemetry_check_text(const char *s, const char *what, fw_error *err);      /* of a peer: FW_ERR_FORMAT */
fw_status fw_telemetry_check_own(const char *s, const char *what, fw_error *err);       /* to be sent: FW_ERR_DATA */
/** After packing: nothing failed, and what was added to out since `before` is not too large; else out is as it was. */
fw_status fw_telemetry_check_packed(fw_text *out, size_t before, fw_error *err);

/** Bodies of a peer, as checked structs; their texts point into the message. FW_ERR_FORMAT. *reference is the caller's, and may be NULL. */
fw_status fw_telemetry_check_predictions(fw_telemetry_predictions *to, fw_prediction **rows, fw_raw **values, const Flywheel__Predictions *m, fw_error *err);      /* *rows, *values: to be freed in any case */
fw_status fw_telemetry_check_model(fw_telemetry_model *to, fw_reference **reference, const Flywheel__Model *m, fw_error *err);
fw_status fw_telemetry_check_outcomes(fw_telemetry_outcomes *to, fw_outcome **rows, const Flywheel__Outcomes *m, fw_error *err);      /* *rows: to be freed in any case */
fw_status fw_telemetry_check_kpi(fw_telemetry_kpi *to, fw_kpi_event **rows, const Flywheel__Kpi *m, fw_error *err);
fw_status fw_telemetry_check_summary(fw_telemetry_summary *to, const Flywheel__Summary *m, fw_error *err);

#endif
