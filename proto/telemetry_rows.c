/** Predictions -> bytes, written as protobuf's wire format by hand: they are what a publisher makes most of, and its caller waits for it. The bytes are
 *  those that protobuf-c packs (tests/unit/test_telemetry_rows.c holds it to that): fields in the order of their numbers, none that is empty or zero.
 *      column:  tag | varint len | its entries, which are varints, or floats and doubles as they are in memory
 *      ids, features:  each  tag | varint len | its bytes
 *  Source: https://protobuf.dev/programming-guides/encoding */
#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "proto/telemetry_parts.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are written as they are in memory");

enum { VARINT = 0, EIGHT_BYTES = 1, LENGTH = 2 };
enum { MODEL = 1, DIGEST, CLASS, ROWS = 5, FIRST, NUMBER, ID, LABEL, CONFIDENCE, PROBABILITY, VALUE, FEATURE };      /* of Predictions */
enum { A_NUMBER = 1, A_TEXT, UNSEEN };                                                                               /* of Feature */
#define TAG(field, type) ((char)((field) << 3 | (type)))

/* ---- checks ------------------------------------------------------------------------------------------------------------------------------------ */

/* Without a branch: a bad one is rare, and which it is is asked for then. */
static bool all_finite(const float *v, size_t n)
{
    const uint32_t infinity = 0x7f800000;
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &v[i], sizeof bits);
        bad |= (bits & infinity) == infinity;
    }
    return bad == 0;
}

static bool all_finite_doubles(const double *v, size_t n)
{
    bool good = true;
    for (size_t i = 0; i < n; i++) good &= isfinite(v[i]) != 0;
    return good;
}

static fw_status check_feature(const fw_raw *v, unsigned long long row, fw_error *err)
{
    if (v->kind == FW_RAW_NUMBER && !isfinite(v->number)) return fw_fail(err, FW_ERR_NUMERIC, "telemetry: a feature of row %llu is not finite", row);
    return v->kind == FW_RAW_TEXT ? fw_telemetry_check_own(v->text, "the text of a feature", err) : FW_OK;
}

static fw_status check_features(const fw_told_rows *p, fw_error *err)
{
    if (p->n_features > FW_REFERENCE_MAX_FEATURES)
        return fw_fail(err, FW_ERR_ARG, "telemetry: rows of %zu features; at most %d fit", p->n_features, FW_REFERENCE_MAX_FEATURES);
    for (size_t i = 0; i < p->n * p->n_features; i++) FW_TRY(check_feature(&p->feature[i], (unsigned long long)p->row[i / p->n_features], err));
    return FW_OK;
}

/* The largest first, without a branch for each. */
static fw_status check_labels(const fw_told_rows *p, size_t n_classes, fw_error *err)
{
    uint32_t most = 0;
    size_t i = 0;
    for (size_t k = 0; k < p->n; k++) most = FW_MAX(most, p->label[k]);
    if (most < n_classes) return FW_OK;
    while (p->label[i] < n_classes) i++;
    return fw_fail(err, FW_ERR_ARG, "telemetry: row %llu has label %u of %zu classes", (unsigned long long)p->row[i], p->label[i], n_classes);
}

static fw_status check_numbers(const fw_told_rows *p, size_t n_classes, fw_error *err)
{
    const bool regression = n_classes == 0;
    if (regression ? p->value == NULL || p->label != NULL || p->confidence != NULL || p->probability != NULL
                   : p->label == NULL || p->value != NULL || (p->confidence == NULL && p->probability == NULL))
        return fw_fail(err, FW_ERR_ARG, "telemetry: rows of %zu classes without the columns for it, or with others", n_classes);
    if (!regression) FW_TRY(check_labels(p, n_classes, err));
    if ((p->confidence == NULL || all_finite(p->confidence, p->n)) && (p->probability == NULL || all_finite(p->probability, p->n * n_classes)) &&
        (p->value == NULL || all_finite_doubles(p->value, p->n)))
        return FW_OK;
    return fw_fail(err, FW_ERR_NUMERIC, "telemetry: a prediction from row %llu on is not finite", (unsigned long long)p->row[0]);
}

static fw_status check_rows(const fw_told_rows *p, size_t n_classes, fw_error *err)
{
    if (p->n == 0 || p->n > FW_TELEMETRY_MAX_ROWS || n_classes > FW_TELEMETRY_MAX_CLASSES)
        return fw_fail(err, FW_ERR_ARG, "telemetry: a batch of %zu rows and %zu classes; 1 to %u and at most %u fit", p->n, n_classes, FW_TELEMETRY_MAX_ROWS,
                       FW_TELEMETRY_MAX_CLASSES);
    FW_TRY(check_numbers(p, n_classes, err));
    for (size_t i = 0; p->id != NULL && i < p->n; i++)
        if (p->id[i] != NULL && fw_telemetry_check_own(p->id[i], "an id", NULL) < 0)
            return fw_fail(err, FW_ERR_DATA, "telemetry: the id of row %llu is not UTF-8 of at most %u bytes", (unsigned long long)p->row[i], FW_TELEMETRY_MAX_TEXT);
    return check_features(p, err);
}

/* ---- sizes ------------------------------------------------------------------------------------------------------------------------------------- */

static const char *text_of(const char *s) { return s != NULL ? s : ""; }
static size_t bytes_len(size_t len) { return 1 + fw_varint_len(len) + len; }

static size_t feature_len(const fw_raw *v)
{
    switch (v->kind) {
    case FW_RAW_NUMBER: return 1 + sizeof v->number;
    case FW_RAW_TEXT: return bytes_len(strlen(text_of(v->text)));
    case FW_RAW_UNSEEN: return 2;
    case FW_RAW_MISSING: break;
    }
    return 0;
}

static size_t labels_len(const uint32_t *label, size_t n, size_t n_classes)
{
    size_t len = 0;
    if (n_classes <= 0x80) return n;                        /* a byte each */
    for (size_t i = 0; i < n; i++) len += fw_varint_len(label[i]);
    return len;
}

/* 0: they follow each other. */
static size_t numbers_len(const uint64_t *row, size_t n)
{
    size_t len = 0;
    uint64_t apart = 0;
    for (size_t i = 0; i < n; i++) apart |= row[i] - row[0] - i;
    for (size_t i = 0; apart != 0 && i < n; i++) len += fw_varint_len(row[i]);
    return len;
}

/* What all of it takes at most. */
static size_t most_bytes(const fw_told_rows *p, size_t n_classes)
{
    const size_t floats = (p->confidence != NULL) + (p->probability != NULL ? n_classes : 0), doubles = p->value != NULL;
    size_t len = 8 * (1 + FW_VARINT_MOST) + p->n * FW_VARINT_MOST + p->n * (floats * sizeof(float) + doubles * sizeof(double));
    if (p->label != NULL) len += labels_len(p->label, p->n, n_classes);
    for (size_t i = 0; p->id != NULL && i < p->n; i++) len += bytes_len(strlen(text_of(p->id[i])));
    for (size_t i = 0; i < p->n * p->n_features; i++) len += bytes_len(feature_len(&p->feature[i]));
    return len;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------------------------------- */

static char *put_number(char *at, int field, uint64_t v)
{
    if (v == 0) return at;
    *at++ = TAG(field, VARINT);
    return fw_varint_put(at, v);
}

static char *put_bytes(char *at, int field, const void *bytes, size_t len)
{
    *at++ = TAG(field, LENGTH);
    at = fw_varint_put(at, len);
    if (len > 0) memcpy(at, bytes, len);
    return at + len;
}

static char *put_numbers(char *at, const uint64_t *row, size_t n)
{
    const size_t len = numbers_len(row, n);
    if (len == 0) return put_number(at, FIRST, row[0]);
    *at++ = TAG(NUMBER, LENGTH);
    at = fw_varint_put(at, len);
    for (size_t i = 0; i < n; i++) at = fw_varint_put(at, row[i]);
    return at;
}

static char *put_labels(char *at, const uint32_t *label, size_t n, size_t n_classes)
{
    *at++ = TAG(LABEL, LENGTH);
    at = fw_varint_put(at, labels_len(label, n, n_classes));
    if (n_classes > 0x80) {
        for (size_t i = 0; i < n; i++) at = fw_varint_put(at, label[i]);
        return at;
    }
    for (size_t i = 0; i < n; i++) at[i] = (char)label[i];
    return at + n;
}

static char *put_feature(char *at, const fw_raw *v)
{
    *at++ = TAG(FEATURE, LENGTH);
    at = fw_varint_put(at, feature_len(v));
    switch (v->kind) {
    case FW_RAW_NUMBER:
        *at++ = TAG(A_NUMBER, EIGHT_BYTES);
        memcpy(at, &v->number, sizeof v->number);
        return at + sizeof v->number;
    case FW_RAW_TEXT: return put_bytes(at, A_TEXT, text_of(v->text), strlen(text_of(v->text)));
    case FW_RAW_UNSEEN: return put_number(at, UNSEEN, 1);
    case FW_RAW_MISSING: break;
    }
    return at;
}

static char *put_rows(char *at, const fw_told_rows *p, size_t n_classes)
{
    at = put_number(at, ROWS, p->n);
    at = put_numbers(at, p->row, p->n);
    for (size_t i = 0; p->id != NULL && i < p->n; i++) at = put_bytes(at, ID, text_of(p->id[i]), strlen(text_of(p->id[i])));
    if (p->label != NULL) at = put_labels(at, p->label, p->n, n_classes);
    if (p->confidence != NULL) at = put_bytes(at, CONFIDENCE, p->confidence, p->n * sizeof *p->confidence);
    if (p->probability != NULL) at = put_bytes(at, PROBABILITY, p->probability, p->n * n_classes * sizeof *p->probability);
    if (p->value != NULL) at = put_bytes(at, VALUE, p->value, p->n * sizeof *p->value);
    for (size_t i = 0; i < p->n * p->n_features; i++) at = put_feature(at, &p->feature[i]);
    return at;
}

static void add_text(fw_text *out, int field, const char *s)
{
    const size_t len = strlen(s);
    char *const room = fw_text_room(out, bytes_len(len));
    if (room != NULL) fw_text_wrote(out, (size_t)(put_bytes(room, field, s, len) - room));
}

fw_status fw_telemetry_pack_rows(fw_text *out, const char *model, const char *digest, const char *const *classes, size_t n_classes, const fw_told_rows *rows, fw_error *err)
{
    if (model == NULL || *model == '\0') return fw_fail(err, FW_ERR_ARG, "telemetry: predictions of a model without a name");
    FW_TRY(fw_telemetry_check_own(model, "the model's name", err));
    FW_TRY(fw_telemetry_check_own(digest, "the model's digest", err));
    FW_TRY(check_rows(rows, n_classes, err));
    for (size_t i = 0; i < n_classes; i++) FW_TRY(fw_telemetry_check_own(classes[i], "a class name", err));
    const size_t before = out->len, most = most_bytes(rows, n_classes);
    add_text(out, MODEL, model);
    if (digest != NULL && *digest != '\0') add_text(out, DIGEST, digest);
    for (size_t i = 0; i < n_classes; i++) add_text(out, CLASS, text_of(classes[i]));
    char *const room = fw_text_room(out, most);
    if (room != NULL) fw_text_wrote(out, (size_t)(put_rows(room, rows, n_classes) - room));
    return fw_telemetry_check_packed(out, before, err);
}
