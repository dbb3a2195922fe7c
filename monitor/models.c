#include "monitor/models.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "monitor/shares.h"

struct monitor_models { monitor_known **of; size_t n, capacity; monitor_shares shares; };

static void known_destroy(monitor_known **known)
{
    monitor_known *k = *known;
    if (k == NULL) return;
    for (size_t i = 0; k->classes != NULL && i < k->n_classes; i++) free(k->classes[i]);
    free(k->classes);
    free(k->name);
    free(k->digest);
    free(k->from);
    fw_reference_destroy(&k->reference);
    fw_summary_destroy(&k->sum);
    free(k);
    *known = NULL;
}

fw_status monitor_models_create(monitor_models **out, fw_error *err)
{
    monitor_models *m = calloc(1, sizeof *m);
    if (m == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: models");
    m->shares = (monitor_shares){.places = MONITOR_MAX_KNOWN, .bytes = MONITOR_KNOWN_BYTES};
    *out = m;
    return FW_OK;
}

void monitor_models_destroy(monitor_models **models)
{
    monitor_models *m = *models;
    if (m == NULL) return;
    for (size_t i = 0; i < m->n; i++) known_destroy(&m->of[i]);
    free(m->of);
    monitor_shares_destroy(&m->shares);
    free(m);
    *models = NULL;
}

size_t               monitor_models_n(const monitor_models *m) { return m->n; }
const monitor_known *monitor_models_get(const monitor_models *m, size_t i) { return m->of[i]; }

/* The shape of no columns: of a model without a reference. */
static uint64_t shape_of(const fw_reference *r) { return r != NULL ? fw_summary_shape(r->summary) : 0; }

static monitor_known *find(const monitor_models *m, const char *name, const char *digest, uint64_t shape)
{
    for (size_t i = 0; i < m->n; i++) {
        monitor_known *k = m->of[i];
        if (strcmp(k->digest, digest) == 0 && strcmp(k->name, name) == 0 && shape_of(k->reference) == shape) return k;
    }
    return NULL;
}

/* ---- a model ---------------------------------------------------------------------------------------------------------------------------------- */

static bool same_counts(const fw_reference *a, const fw_reference *b)
{
    if (a == NULL || b == NULL) return a == b;
    if (!fw_summary_same_shape(a->summary, b->summary) || a->n_features != b->n_features) return false;
    const size_t bytes = fw_summary_total(a->summary) * sizeof(uint64_t);
    return memcmp(fw_summary_counts(a->summary, 0), fw_summary_counts(b->summary, 0), bytes) == 0 && memcmp(a->hits, b->hits, bytes) == 0;
}

static bool same(const monitor_known *k, const fw_telemetry_model *m)
{
    if (k->task != m->task || k->n_classes != m->n_classes) return false;
    for (size_t i = 0; i < k->n_classes; i++)
        if (strcmp(k->classes[i], m->classes[i]) != 0) return false;
    return same_counts(k->reference, m->reference);
}

/* Bytes that a model takes, about: each count stands in the reference, its hits and the sum, beside its cut and centre or its label. */
static size_t cost_of(const fw_telemetry_model *m)
{
    size_t bytes = sizeof(monitor_known) + strlen(m->name) + strlen(m->digest);
    for (size_t i = 0; i < m->n_classes; i++) bytes += strlen(m->classes[i]) + 32;
    if (m->reference == NULL) return bytes;
    const fw_summary *s = m->reference->summary;
    for (size_t i = 0; i < fw_summary_n(s); i++) {
        const fw_bins *b = fw_summary_bins(s, i);
        bytes += 2 * (strlen(b->name) + sizeof *b + 1024);      /* 1024: what a summary keeps of a column to count it */
        for (size_t k = 0; k < b->n_labels; k++) bytes += 2 * (strlen(b->label[k]) + 32);
    }
    return bytes + fw_summary_total(s) * 7 * sizeof(uint64_t);
}

static fw_status fill(monitor_known *k, const char *from, fw_telemetry_batch *b, fw_error *err)
{
    const fw_telemetry_model *m = &b->model;
    FW_TRY(fw_copy_text(&k->name, m->name, err));
    FW_TRY(fw_copy_text(&k->digest, m->digest, err));
    FW_TRY(fw_copy_text(&k->from, from, err));
    FW_TRY(fw_alloc_zeroed((void **)&k->classes, m->n_classes, sizeof *k->classes, "class names", err));
    k->n_classes = m->n_classes;
    for (size_t i = 0; i < m->n_classes; i++) FW_TRY(fw_copy_text(&k->classes[i], m->classes[i], err));
    k->task = m->task;
    if (m->reference == NULL) return FW_OK;
    FW_TRY(fw_summary_create(&k->sum, fw_summary_bins(m->reference->summary, 0), fw_summary_n(m->reference->summary), err));
    k->reference = (fw_reference *)(uintptr_t)m->reference;
    b->model.reference = NULL;                                  /* it is ours now */
    return FW_OK;
}

/* Who tells of a model, and whether it was taken before. */
typedef struct teller { const char *from; bool kept; } teller;

static fw_status add_model(monitor_verdict *verdict, monitor_known **known, monitor_models *m, const teller *by, fw_telemetry_batch *b, fw_error *why, fw_error *err)
{
    const size_t cost = cost_of(&b->model);
    monitor_known *k = NULL;
    *verdict = MONITOR_FULL_UP;
    if (!(by->kept ? monitor_shares_room(&m->shares, cost) : monitor_shares_may(&m->shares, by->from, cost))) {
        fw_fail(why, FW_ERR_DATA, "monitor: model '%.100s' is one too many: %zu are known, %zu of them of this publisher; none may hold more than it leaves to others",
                b->model.name, m->n, monitor_shares_of(&m->shares, by->from));
        return FW_OK;
    }
    FW_TRY(fw_grow((void **)&m->of, &m->capacity, m->n + 1, sizeof *m->of, "models", err));
    FW_TRY(fw_alloc_zeroed((void **)&k, 1, sizeof *k, "models", err));
    fw_status s = fill(k, by->from, b, err);
    if (s >= 0) s = monitor_shares_add(&m->shares, by->from, cost, err);
    if (s < 0) {
        known_destroy(&k);
        return s;
    }
    m->of[m->n++] = *known = k;
    *verdict = MONITOR_NEW;
    return FW_OK;
}

static fw_status take_model(monitor_verdict *verdict, monitor_known **known, monitor_models *m, const teller *by, fw_telemetry_batch *b, fw_error *why, fw_error *err)
{
    *known = find(m, b->model.name, b->model.digest, shape_of(b->model.reference));
    if (*known == NULL) FW_TRY(add_model(verdict, known, m, by, b, why, err));
    else if (same(*known, &b->model)) *verdict = MONITOR_AGAIN;
    else {
        *verdict = MONITOR_DIFFERS;
        fw_fail(why, FW_ERR_DATA, "monitor: model '%.100s' (%.40s) is told of in two ways: is one publisher's model file not what its digest says?", b->model.name,
                b->model.digest);
    }
    if (*verdict == MONITOR_NEW || *verdict == MONITOR_AGAIN) (*known)->told_us = FW_MAX((*known)->told_us, b->time_us);
    return FW_OK;
}

/* ---- a summary -------------------------------------------------------------------------------------------------------------------------------- */

static void take_summary(monitor_verdict *verdict, monitor_known **known, monitor_models *m, const fw_telemetry_summary *s, fw_error *why)
{
    monitor_known *k = find(m, s->model, s->digest, s->shape);
    *known = k;
    *verdict = MONITOR_UNKNOWN;
    if (k == NULL || k->sum == NULL) {
        fw_fail(why, FW_ERR_DATA, "monitor: a summary of model '%.100s' (%.40s), of which, or of whose bins, nothing was told yet", s->model, s->digest);
        return;
    }
    *verdict = MONITOR_LIES;
    if (s->n_latency > 0 && fw_times_total(s->latency) != s->rows) {
        fw_fail(why, FW_ERR_DATA, "monitor: a summary of model '%.100s' (%.40s) whose times are not those of its %llu rows", s->model, s->digest, (unsigned long long)s->rows);
        return;
    }
    if (s->rows > UINT64_MAX / 2 - k->rows || fw_summary_add_counts(k->sum, s->count, s->n, s->rows, why) != FW_OK) return;
    *verdict = MONITOR_SUMMED;
    k->from_us = k->windows == 0 ? s->from_us : FW_MIN(k->from_us, s->from_us);
    k->to_us = FW_MAX(k->to_us, s->to_us);
    k->rows += s->rows;
    k->windows++;
}

static fw_status take(monitor_verdict *verdict, const monitor_known **known, monitor_models *m, const teller *by, fw_telemetry_batch *b, fw_error *why, fw_error *err)
{
    monitor_known *k = NULL;
    *verdict = MONITOR_OTHER;
    if (b->kind == FW_TELEMETRY_MODEL) FW_TRY(take_model(verdict, &k, m, by, b, why, err));
    if (b->kind == FW_TELEMETRY_SUMMARY) take_summary(verdict, &k, m, &b->summary, why);
    if (known != NULL) *known = k;
    return FW_OK;
}

fw_status monitor_models_take(monitor_verdict *verdict, const monitor_known **known, monitor_models *m, const char *from, fw_telemetry_batch *b, fw_error *why,
                              fw_error *err)
{
    return take(verdict, known, m, &(teller){from, false}, b, why, err);
}

fw_status monitor_models_keep(monitor_verdict *verdict, const monitor_known **known, monitor_models *m, const char *from, fw_telemetry_batch *b, fw_error *why,
                              fw_error *err)
{
    return take(verdict, known, m, &(teller){from, true}, b, why, err);
}
