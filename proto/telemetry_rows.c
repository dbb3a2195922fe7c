/** Predictions -> bytes, written as protobuf's wire format by hand: they are what a publisher makes most of, and its caller waits for it. The bytes are
 *  those that protobuf-c packs (tests/unit/test_telemetry.c holds it to that): fields in the order of their numbers, none whose value is zero.
 *      row:  tag 4 | varint len | row 1 | id 2 | label 3 | confidence 4 | probabilities 5 | value 6 | features 7, each: tag 7 | varint len | its value
 *  Source: https://protobuf.dev/programming-guides/encoding */
#include <math.h>
#include <string.h>

#include "proto/telemetry_parts.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are written as they are in memory");

enum { VARINT = 0, EIGHT_BYTES = 1, LENGTH = 2, FOUR_BYTES = 5 };
#define TAG(field, type) ((char)((field) << 3 | (type)))

/* ---- checks ------------------------------------------------------------------------------------------------------------------------------------ */

static fw_status check_features(const fw_prediction *row, fw_error *err)
{
    if (row->n_features > FW_REFERENCE_MAX_FEATURES)
        return fw_fail(err, FW_ERR_ARG, "telemetry: row %llu has %zu features; at most %d fit", (unsigned long long)row->row, row->n_features, FW_REFERENCE_MAX_FEATURES);
    for (size_t i = 0; i < row->n_features; i++) {
        const fw_raw *v = &row->features[i];
        if (v->kind == FW_RAW_NUMBER && !isfinite(v->number)) return fw_fail(err, FW_ERR_NUMERIC, "telemetry: feature %zu of row %llu is not finite", i, (unsigned long long)row->row);
        if (v->kind == FW_RAW_TEXT) FW_TRY(fw_telemetry_check_own(v->text, "the text of a feature", err));
    }
    return FW_OK;
}

static fw_status check_row(const fw_prediction *row, size_t n_classes, fw_error *err)
{
    if (n_classes > 0 ? row->label >= n_classes : row->label != 0)
        return fw_fail(err, FW_ERR_ARG, "telemetry: row %llu has label %u of %zu classes", (unsigned long long)row->row, row->label, n_classes);
    if (row->n_probabilities != 0 && row->n_probabilities != n_classes)
        return fw_fail(err, FW_ERR_ARG, "telemetry: row %llu has %zu probabilities for %zu classes", (unsigned long long)row->row, row->n_probabilities, n_classes);
    bool finite = isfinite(row->confidence) && isfinite(row->value);
    for (size_t i = 0; i < row->n_probabilities && finite; i++) finite = isfinite(row->probabilities[i]);
    if (!finite) return fw_fail(err, FW_ERR_NUMERIC, "telemetry: the prediction of row %llu is not finite", (unsigned long long)row->row);
    if (row->id != NULL && fw_telemetry_check_own(row->id, "an id", NULL) < 0)
        return fw_fail(err, FW_ERR_DATA, "telemetry: the id of row %llu is not UTF-8 of at most %u bytes", (unsigned long long)row->row, FW_TELEMETRY_MAX_TEXT);
    return row->n_features > 0 ? check_features(row, err) : FW_OK;
}

static fw_status check_predictions(const char *model, const char *digest, const char *const *classes, size_t n_classes, const fw_prediction *rows,
                                   size_t n, fw_error *err)
{
    if (n > FW_TELEMETRY_MAX_ROWS || n_classes > FW_TELEMETRY_MAX_CLASSES)
        return fw_fail(err, FW_ERR_ARG, "telemetry: a batch of %zu rows and %zu classes; at most %u and %u fit", n, n_classes, FW_TELEMETRY_MAX_ROWS,
                       FW_TELEMETRY_MAX_CLASSES);
    if (model == NULL || *model == '\0') return fw_fail(err, FW_ERR_ARG, "telemetry: predictions of a model without a name");
    FW_TRY(fw_telemetry_check_own(model, "the model's name", err));
    FW_TRY(fw_telemetry_check_own(digest, "the model's digest", err));
    for (size_t i = 0; i < n_classes; i++) FW_TRY(fw_telemetry_check_own(classes[i], "a class name", err));
    for (size_t i = 0; i < n; i++) FW_TRY(check_row(&rows[i], n_classes, err));
    return FW_OK;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------------------------------- */

static char *put_number(char *at, char tag, uint64_t v)
{
    if (v == 0) return at;
    *at++ = tag;
    return fw_varint_put(at, v);
}

static char *put_fixed(char *at, char tag, const void *bytes, size_t len)
{
    *at++ = tag;
    memcpy(at, bytes, len);
    return at + len;
}

static char *put_bytes(char *at, char tag, const void *bytes, size_t len)
{
    *at++ = tag;
    at = fw_varint_put(at, len);
    if (len > 0) memcpy(at, bytes, len);
    return at + len;
}

static size_t bytes_len(size_t len) { return 1 + fw_varint_len(len) + len; }

static const char *text_of(const fw_raw *v) { return v->text != NULL ? v->text : ""; }

static size_t feature_len(const fw_raw *v)
{
    switch (v->kind) {
    case FW_RAW_NUMBER: return 1 + sizeof v->number;
    case FW_RAW_TEXT: return bytes_len(strlen(text_of(v)));
    case FW_RAW_UNSEEN: return 2;
    case FW_RAW_MISSING: break;
    }
    return 0;
}

static char *put_feature(char *at, const fw_raw *v)
{
    *at++ = TAG(7, LENGTH);
    at = fw_varint_put(at, feature_len(v));
    switch (v->kind) {
    case FW_RAW_NUMBER: return put_fixed(at, TAG(1, EIGHT_BYTES), &v->number, sizeof v->number);
    case FW_RAW_TEXT: return put_bytes(at, TAG(2, LENGTH), text_of(v), strlen(text_of(v)));
    case FW_RAW_UNSEEN: return put_number(at, TAG(3, VARINT), 1);
    case FW_RAW_MISSING: break;
    }
    return at;
}

/* At least what the row's fields take: three varints with their tags, one float, one double. */
static size_t most_bytes(const fw_prediction *p, size_t id_len)
{
    size_t len = 3 * (1 + FW_VARINT_MOST) + 1 + sizeof p->confidence + 1 + sizeof p->value + bytes_len(id_len) + bytes_len(p->n_probabilities * sizeof *p->probabilities);
    for (size_t i = 0; i < p->n_features; i++) len += bytes_len(feature_len(&p->features[i]));
    return len;
}

static char *put_row(char *at, const fw_prediction *p, size_t id_len)
{
    at = put_number(at, TAG(1, VARINT), p->row);
    if (id_len > 0) at = put_bytes(at, TAG(2, LENGTH), p->id, id_len);
    at = put_number(at, TAG(3, VARINT), p->label);
    if (p->confidence < 0 || p->confidence > 0) at = put_fixed(at, TAG(4, FOUR_BYTES), &p->confidence, sizeof p->confidence);
    if (p->n_probabilities > 0) at = put_bytes(at, TAG(5, LENGTH), p->probabilities, p->n_probabilities * sizeof *p->probabilities);
    if (p->value < 0 || p->value > 0) at = put_fixed(at, TAG(6, EIGHT_BYTES), &p->value, sizeof p->value);
    for (size_t i = 0; i < p->n_features; i++) at = put_feature(at, &p->features[i]);
    return at;
}

/* The row is written behind a guess of how long its length is, and moved when that was wrong. */
static void add_row(fw_text *out, const fw_prediction *p)
{
    const size_t id_len = p->id != NULL ? strlen(p->id) : 0, most = most_bytes(p, id_len), guess = most < 256 ? 1 : fw_varint_len(most);
    char *const room = fw_text_room(out, 1 + FW_VARINT_MOST + most);
    if (room == NULL) return;
    char *const row = room + 1 + guess;
    const size_t len = (size_t)(put_row(row, p, id_len) - row), head = 1 + fw_varint_len(len);
    if (head != 1 + guess) memmove(room + head, row, len);
    room[0] = TAG(4, LENGTH);
    fw_varint_put(room + 1, len);
    fw_text_wrote(out, head + len);
}

static void add_text(fw_text *out, char tag, const char *s)
{
    const size_t len = strlen(s);
    char *const room = fw_text_room(out, 1 + FW_VARINT_MOST + len);
    if (room != NULL) fw_text_wrote(out, (size_t)(put_bytes(room, tag, s, len) - room));
}

fw_status fw_telemetry_pack_rows(fw_text *out, const char *model, const char *digest, const char *const *classes, size_t n_classes,
                                 const fw_prediction *rows, size_t n, fw_error *err)
{
    FW_TRY(check_predictions(model, digest, classes, n_classes, rows, n, err));
    const size_t before = out->len;
    add_text(out, TAG(1, LENGTH), model);
    if (digest != NULL && *digest != '\0') add_text(out, TAG(2, LENGTH), digest);
    for (size_t i = 0; i < n_classes; i++) add_text(out, TAG(3, LENGTH), classes[i] != NULL ? classes[i] : "");
    for (size_t i = 0; i < n; i++) add_row(out, &rows[i]);
    return fw_telemetry_check_packed(out, before, err);
}
