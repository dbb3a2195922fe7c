#include "monitor/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define MAGIC      UINT32_C(0x31666746)      /* "Fgf1" */
#define MOST_TESTS 255u
enum { HAS_EVIDENCE = 1, HAS_P = 2, EFFECT = 4 };
enum { HEAD = 5, TEST_HEAD = 9, FEATURE_HEAD = 5, FIGURE_LEAST = 10, FIGURE_MOST = 26 };      /* bytes, beside those of names */

typedef struct test { const char *name; double threshold; } test;
typedef struct tests { test of[MOST_TESTS]; size_t n; } tests;

static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }
static bool same_name(const char *a, const char *b) { return a == b || strcmp(a, b) == 0; }

/* ---- packing ---- */

/** Its place among the tests; tests.n: it is a new one. Mostly a name is the same text, in the same memory. */
static size_t place_of(const tests *t, const monitor_drift_row *r)
{
    for (size_t i = 0; i < t->n; i++)
        if (t->of[i].name == r->test && same_bits(t->of[i].threshold, r->threshold)) return i;
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->of[i].name, r->test) == 0 && same_bits(t->of[i].threshold, r->threshold)) return i;
    return t->n;
}

/** *bytes: as many as are written at most. */
static fw_status collect(tests *t, size_t *bytes, const monitor_drift_row *row, size_t n, fw_error *err)
{
    t->n = 0;
    *bytes = HEAD;
    for (size_t i = 0; i < n; i++) {
        const monitor_drift_row *r = &row[i];
        if (r->feature == NULL || r->test == NULL) return fw_fail(err, FW_ERR_ARG, "figures: the name of a feature or a test is missing");
        if (r->effect < 0 || r->effect > 2) return fw_fail(err, FW_ERR_ARG, "figures: an effect of %lld; it is 0, 1 or 2", (long long)r->effect);
        *bytes += FIGURE_MOST;
        if (i == 0 || r->feature != row[i - 1].feature) *bytes += FEATURE_HEAD + strlen(r->feature);
        if (place_of(t, r) < t->n) continue;
        if (t->n == MOST_TESTS) return fw_fail(err, FW_ERR_ARG, "figures: more than %u tests and thresholds in one window", MOST_TESTS);
        t->of[t->n++] = (test){r->test, r->threshold};
        *bytes += TEST_HEAD + strlen(r->test);
    }
    return FW_OK;
}

/** Where the next bytes go; there is room. */
static void put_number(char **at, uint64_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) *(*at)++ = (char)(v >> (8 * i));
}

static void put_real(char **at, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_number(at, bits, sizeof bits);
}

static void put_name(char **at, const char *name)
{
    const size_t len = strlen(name) + 1;
    memcpy(*at, name, len);
    *at += len;
}

static void put_figure(char **at, const tests *t, const monitor_drift_row *r, bool evidence)
{
    const bool p = !isnan(r->p);
    put_number(at, place_of(t, r), 1);
    put_number(at, (uint64_t)(evidence ? HAS_EVIDENCE : 0) + (p ? HAS_P : 0) + (uint64_t)r->effect * EFFECT, 1);
    put_real(at, r->statistic);
    if (evidence) put_real(at, r->evidence);
    if (p) put_real(at, r->p);
}

/** The rows of a feature that stand together; how many they are. */
static size_t put_feature(char **at, const tests *t, const monitor_drift_row *row, size_t n)
{
    size_t end = 1;
    while (end < n && same_name(row[end].feature, row->feature)) end++;
    put_name(at, row->feature);
    put_number(at, end, 4);
    for (size_t i = 0; i < end; i++) put_figure(at, t, &row[i], i == 0 || !same_bits(row[i].evidence, row[i - 1].evidence));
    return end;
}

fw_status monitor_figures_pack(fw_text *out, const monitor_drift_row *row, size_t n, fw_error *err)
{
    tests t;
    size_t bytes;
    FW_TRY(collect(&t, &bytes, row, n, err));
    char *const begin = fw_text_room(out, bytes), *at = begin;
    if (begin == NULL) return fw_text_check(out, err);
    put_number(&at, MAGIC, 4);
    put_number(&at, t.n, 1);
    for (size_t i = 0; i < t.n; i++) {
        put_real(&at, t.of[i].threshold);
        put_name(&at, t.of[i].name);
    }
    for (size_t i = 0; i < n;) i += put_feature(&at, &t, row + i, n - i);
    fw_text_wrote(out, (size_t)(at - begin));
    return FW_OK;
}

/* ---- unpacking ---- */

typedef struct reading { const unsigned char *at; size_t left; bool bad; } reading;

static uint64_t take_number(reading *in, size_t bytes)
{
    uint64_t v = 0;
    if (in->left < bytes) in->bad = true;
    if (in->bad) return 0;
    for (size_t i = 0; i < bytes; i++) v |= (uint64_t)in->at[i] << (8 * i);
    in->at += bytes;
    in->left -= bytes;
    return v;
}

static double take_real(reading *in)
{
    const uint64_t bits = take_number(in, sizeof bits);
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static const char *take_name(reading *in)
{
    const char *name = (const char *)in->at, *end = in->bad || in->left == 0 ? NULL : memchr(name, '\0', in->left);
    if (end == NULL || fw_utf8_valid(name, (size_t)(end - name)) != (size_t)(end - name)) {
        in->bad = true;
        return "";
    }
    in->at += end - name + 1;
    in->left -= (size_t)(end - name) + 1;
    return name;
}

static void take_figure(monitor_drift_row *r, reading *in, const tests *t, double before)
{
    const uint64_t place = take_number(in, 1), flags = take_number(in, 1);
    if (place >= t->n || flags / EFFECT > 2) {
        in->bad = true;
        return;
    }
    r->test = t->of[place].name;
    r->threshold = t->of[place].threshold;
    r->effect = (int64_t)(flags / EFFECT);
    r->statistic = take_real(in);
    r->evidence = flags & HAS_EVIDENCE ? take_real(in) : before;
    r->p = flags & HAS_P ? take_real(in) : NAN;
}

static void take_tests(tests *t, reading *in)
{
    t->n = (size_t)take_number(in, 1);
    for (size_t i = 0; i < t->n && !in->bad; i++) {
        t->of[i].threshold = take_real(in);
        t->of[i].name = take_name(in);
    }
}

fw_status monitor_figures_unpack(monitor_drift_row **row, size_t *n, int64_t model, int64_t window, monitor_bytes bytes, fw_error *err)
{
    reading in = {.at = bytes.data, .left = bytes.len};
    tests t;
    FW_FREE monitor_drift_row *rows = NULL;
    size_t used = 0, capacity = 0;
    if (take_number(&in, 4) != MAGIC) in.bad = true;
    take_tests(&t, &in);
    while (!in.bad && in.left > 0) {
        const char *feature = take_name(&in);
        const size_t more = (size_t)take_number(&in, 4);
        double evidence = NAN;
        in.bad = in.bad || more > in.left / FIGURE_LEAST;
        if (in.bad) break;
        FW_TRY(fw_grow((void **)&rows, &capacity, used + more, sizeof *rows, "figures", err));
        for (size_t i = 0; i < more && !in.bad; i++, used++) {
            rows[used] = (monitor_drift_row){.model = model, .window = window, .feature = feature};
            take_figure(&rows[used], &in, &t, evidence);
            evidence = rows[used].evidence;
        }
    }
    if (in.bad) return fw_fail(err, FW_ERR_FORMAT, "figures of drift of model %lld, window %lld: the store is damaged", (long long)model, (long long)window);
    *row = rows;
    *n = used;
    rows = NULL;
    return FW_OK;
}
