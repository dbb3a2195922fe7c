#include "monitor/drift.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "common/stats/drift.h"
#include "monitor/drift_track.h"

#define MAGIC        UINT64_C(0x3154465244574646)      /* "FFWDRFT1" */
#define STILL        0.8                               /* of a threshold: below it an alarm may end */
#define PRICE_BUDGET 0.1                               /* of false_alarms: for prices that are too low */

typedef struct tracks { monitor_track of[MONITOR_N_QUESTIONS]; double spread; } tracks;      /* spread: of the reference, monitor_pair */

struct monitor_drift {
    monitor_drift_opts opts;
    fw_summary *reference;
    uint64_t digest;                       /* of the reference's bins and counts */
    size_t n;
    tracks *tracks;                        /* (n) */
    monitor_feature *feature;              /* (n) */
    double *log_e, *sorted;                /* (n x questions); scratch */
    bool *rejected;
    uint64_t *counts;                      /* scratch: the counts of one column */
    double *numbers;                       /* scratch: the state of one evidence */
};

/* Which figures answer a question. */
static const monitor_question QUESTION_OF[MONITOR_N_DETECTORS] = {[MONITOR_MISSING_RATE] = MONITOR_MISSING, [MONITOR_UNSEEN_RATE] = MONITOR_UNSEEN};

const char *monitor_question_name(monitor_question q)
{
    static const char *const names[] = {[MONITOR_SHARES] = "shares", [MONITOR_MISSING] = "missing", [MONITOR_UNSEEN] = "unseen"};
    return q < MONITOR_N_QUESTIONS ? names[q] : "unknown";
}

monitor_question monitor_question_of(monitor_detector_id id) { return QUESTION_OF[id]; }

monitor_drift_opts monitor_drift_opts_of(const fw_project *p)
{
    monitor_drift_opts o = {
        .threshold = {[MONITOR_PSI] = p->monitor.drift.psi, [MONITOR_JS] = p->monitor.drift.js, [MONITOR_KS] = p->monitor.drift.ks,
                      [MONITOR_CHI_SQUARE] = p->monitor.drift.chi_square, [MONITOR_WASSERSTEIN] = p->monitor.drift.wasserstein,
                      [MONITOR_MISSING_RATE] = p->monitor.drift.missing_rate, [MONITOR_UNSEEN_RATE] = p->monitor.drift.unseen_rate},
        .false_alarms = p->monitor.drift.false_alarms,
    };
    for (size_t i = 0; i < p->monitor.drift.alert_on.n; i++) {
        monitor_detector_id id;
        if (monitor_detector_find(&id, p->monitor.drift.alert_on.v[i])) o.opens[id] = true;
    }
    return o;
}

/* ---- the counts that a question is about ---- */

static uint64_t rows_of(const uint64_t *count, size_t n)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < n; i++) rows += count[i];
    return rows;
}

static size_t place_of(const fw_bins *b, monitor_question q) { return q == MONITOR_MISSING ? fw_bins_missing(b) : fw_bins_unseen(b); }

/** Shares: the ordinary bins. A rate: {all others, those of the place}. */
static const uint64_t *counts_for(uint64_t rate[static 2], const fw_bins *b, const uint64_t *count, monitor_question q)
{
    if (q == MONITOR_SHARES) return count;
    rate[1] = count[place_of(b, q)];
    rate[0] = rows_of(count, fw_bins_counts(b)) - rate[1];
    return rate;
}

/** A track's rows as counts of a whole column, which is what a detector of its question looks at. */
static void whole_column(uint64_t *out, const fw_bins *b, const monitor_track *t, monitor_question q)
{
    memset(out, 0, fw_bins_counts(b) * sizeof *out);
    if (q == MONITOR_SHARES) {
        memcpy(out, t->old, t->n * sizeof *out);
        return;
    }
    out[place_of(b, q)] = t->old[1];
    out[q == MONITOR_MISSING ? fw_bins_unseen(b) : fw_bins_missing(b)] = t->old[0];      /* any other place will do */
}

static fw_evidence_kind kind_of(const fw_bins *b, monitor_question q)
{
    return q != MONITOR_SHARES ? FW_EVIDENCE_RATE : fw_bins_has_cuts(b) ? FW_EVIDENCE_ORDERED : FW_EVIDENCE_NAMED;
}

static size_t places_of(const fw_bins *b, monitor_question q) { return q != MONITOR_SHARES ? 2 : FW_MAX(fw_bins_n(b), 1); }

/* ---- create ---- */

static fw_status check_options(const monitor_drift_opts *o, fw_error *err)
{
    if (!(o->false_alarms > 0 && o->false_alarms < 1)) return fw_fail(err, FW_ERR_ARG, "drift: false_alarms is %g; it is a chance between 0 and 1", o->false_alarms);
    for (size_t i = 0; i < MONITOR_N_DETECTORS; i++)
        if (!(o->threshold[i] > 0)) return fw_fail(err, FW_ERR_ARG, "drift: the threshold of %s is %g; it must be above 0", monitor_detectors[i]->name, o->threshold[i]);
    return FW_OK;
}

/** All prices of the model share PRICE_BUDGET of the false alarms. */
static double strength_of(const monitor_drift *d)
{
    double prices = 0;
    for (size_t i = 0; i < d->n; i++)
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) {
            const fw_bins *b = fw_summary_bins(d->reference, i);
            prices += (double)fw_evidence_bets(kind_of(b, q), places_of(b, q));
        }
    return fw_log_double(FW_MAX(prices, 1) / (PRICE_BUDGET * d->opts.false_alarms));
}

static fw_status create_columns(monitor_drift *d, fw_error *err)
{
    double strength = strength_of(d);
    for (size_t i = 0; i < d->n; i++) {
        const fw_bins *b = fw_summary_bins(d->reference, i);
        const uint64_t *count = fw_summary_counts(d->reference, i);
        d->feature[i].bins = b;
        if (fw_bins_has_cuts(b)) fw_drift_spread(&d->tracks[i].spread, count, b->centre, fw_bins_n(b));
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) {
            uint64_t rate[2];
            FW_TRY(monitor_track_create(&d->tracks[i].of[q], kind_of(b, q), counts_for(rate, b, count, q), places_of(b, q), strength, err));
        }
    }
    return FW_OK;
}

static fw_status create_scratch(monitor_drift *d, fw_error *err)
{
    size_t counts = 0, numbers = 0;
    for (size_t i = 0; i < d->n; i++) {
        counts = FW_MAX(counts, fw_bins_counts(d->feature[i].bins));
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) numbers = FW_MAX(numbers, fw_evidence_numbers(d->tracks[i].of[q].evidence));
    }
    FW_TRY(fw_alloc_zeroed((void **)&d->log_e, d->n * MONITOR_N_QUESTIONS, sizeof *d->log_e, "e-values", err));
    FW_TRY(fw_alloc_zeroed((void **)&d->sorted, d->n * MONITOR_N_QUESTIONS, sizeof *d->sorted, "e-values", err));
    FW_TRY(fw_alloc_zeroed((void **)&d->rejected, d->n * MONITOR_N_QUESTIONS, sizeof *d->rejected, "e-values", err));
    FW_TRY(fw_alloc_zeroed((void **)&d->counts, counts, sizeof *d->counts, "counts of a column", err));
    return fw_alloc_zeroed((void **)&d->numbers, numbers, sizeof *d->numbers, "evidence", err);
}

static void tell(monitor_drift *d, size_t i)
{
    monitor_feature *f = &d->feature[i];
    f->alarm = false;
    for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) {
        const monitor_track *t = &d->tracks[i].of[q];
        monitor_answer *a = &f->answer[q];
        a->log_evidence = d->log_e[i * MONITOR_N_QUESTIONS + q];
        a->alarm = t->alarm;
        a->since = t->since;
        a->rows_since = t->rows_since;
        f->alarm = f->alarm || t->alarm;
    }
}

/** The evidence as it is now, and nothing else: before the first look, and after a state was restored. */
static void tell_state(monitor_drift *d)
{
    for (size_t i = 0; i < d->n; i++) {
        d->feature[i] = (monitor_feature){.bins = d->feature[i].bins};
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) d->log_e[i * MONITOR_N_QUESTIONS + q] = fw_evidence_log(d->tracks[i].of[q].evidence);
        tell(d, i);
    }
}

fw_status monitor_drift_create(monitor_drift **out, const fw_summary *reference, const monitor_drift_opts *opts, fw_error *err)
{
    FW_TRY(check_options(opts, err));
    FW_AUTO(monitor_drift) *d = calloc(1, sizeof *d);
    if (d == NULL) return fw_fail(err, FW_ERR_NOMEM, "drift");
    d->opts = *opts;
    size_t n = fw_summary_n(reference);
    FW_TRY(fw_summary_create(&d->reference, fw_summary_bins(reference, 0), n, err));
    FW_TRY(fw_summary_merge(d->reference, reference, err));
    d->digest = fw_hash64(n > 0 ? fw_summary_counts(reference, 0) : NULL, fw_summary_total(reference) * sizeof(uint64_t), fw_summary_shape(reference));
    FW_TRY(fw_alloc_zeroed((void **)&d->tracks, n, sizeof *d->tracks, "columns", err));
    FW_TRY(fw_alloc_zeroed((void **)&d->feature, n, sizeof *d->feature, "columns", err));
    d->n = n;
    FW_TRY(create_columns(d, err));
    FW_TRY(create_scratch(d, err));
    tell_state(d);
    *out = d;
    d = NULL;
    return FW_OK;
}

void monitor_drift_destroy(monitor_drift **d)
{
    if (d == NULL || *d == NULL) return;
    for (size_t i = 0; i < (*d)->n; i++)
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) monitor_track_release(&(*d)->tracks[i].of[q]);
    fw_summary_destroy(&(*d)->reference);
    free((*d)->tracks);
    free((*d)->feature);
    free((*d)->log_e);
    free((*d)->sorted);
    free((*d)->rejected);
    free((*d)->counts);
    free((*d)->numbers);
    free(*d);
    *d = NULL;
}

/* ---- a look ---- */

static monitor_figure figure_of(const monitor_drift *d, monitor_detector_id id, const monitor_pair *pair)
{
    monitor_figure f = {0};
    f.said = monitor_detectors[id]->measure(&f.reading, pair);
    f.reached = f.said && monitor_detector_reaches(&f.reading, d->opts.threshold[id]);
    return f;
}

void monitor_drift_measure(monitor_figure *figure, const monitor_drift *d, size_t column, const uint64_t *count)
{
    const monitor_pair pair = {d->feature[column].bins, fw_summary_counts(d->reference, column), count, d->tracks[column].spread};
    for (monitor_detector_id id = 0; id < MONITOR_N_DETECTORS; id++) figure[id] = figure_of(d, id, &pair);
}

/** What figures of a question say of its recent rows; whether one that opens is at its threshold, and at 0.8 of it. */
static void measure_recent(monitor_drift *d, size_t i, monitor_question q, bool *effect, bool *still)
{
    monitor_feature *f = &d->feature[i];
    const monitor_pair pair = {f->bins, fw_summary_counts(d->reference, i), d->counts, d->tracks[i].spread};
    whole_column(d->counts, f->bins, &d->tracks[i].of[q], q);
    *effect = *still = false;
    for (monitor_detector_id id = 0; id < MONITOR_N_DETECTORS; id++) {
        if (QUESTION_OF[id] != q) continue;
        monitor_figure *r = &f->recent[id];
        *r = figure_of(d, id, &pair);
        if (!d->opts.opens[id] || !r->said) continue;
        *effect = *effect || r->reached;
        *still = *still || monitor_detector_reaches(&r->reading, STILL * d->opts.threshold[id]);
    }
}

static void take_window(monitor_drift *d, size_t i, const uint64_t *current, uint64_t stamp)
{
    monitor_feature *f = &d->feature[i];
    monitor_drift_measure(f->window, d, i, current);
    memset(f->recent, 0, sizeof f->recent);
    for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) {
        uint64_t rate[2];
        monitor_track_look(&d->tracks[i].of[q], counts_for(rate, f->bins, current, q), stamp);
        d->log_e[i * MONITOR_N_QUESTIONS + q] = fw_evidence_log(d->tracks[i].of[q].evidence);
    }
}

static void judge(monitor_drift *d, size_t i)
{
    for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) {
        monitor_track *t = &d->tracks[i].of[q];
        monitor_answer *a = &d->feature[i].answer[q];
        bool still = false;
        a->evident = d->rejected[i * MONITOR_N_QUESTIONS + q];
        a->effect = false;
        if (!a->evident && !t->alarm) continue;
        measure_recent(d, i, q, &a->effect, &still);
        monitor_track_judge(t, a->evident, a->effect, still);
    }
    tell(d, i);
}

fw_status monitor_drift_look(monitor_drift *d, const fw_summary *current, uint64_t stamp, fw_error *err)
{
    if (!fw_summary_same_shape(d->reference, current)) return fw_fail(err, FW_ERR_DATA, "drift: the window's counts are on other bins than the model's reference");
    for (size_t i = 0; i < d->n; i++) take_window(d, i, fw_summary_counts(current, i), stamp);
    fw_e_bh(d->rejected, d->log_e, d->n * MONITOR_N_QUESTIONS, (1 - PRICE_BUDGET) * d->opts.false_alarms, d->sorted);
    for (size_t i = 0; i < d->n; i++) judge(d, i);
    return FW_OK;
}

size_t monitor_drift_n(const monitor_drift *d) { return d->n; }
const monitor_feature *monitor_drift_feature(const monitor_drift *d, size_t column) { return &d->feature[column]; }

size_t monitor_drift_alarms(const monitor_drift *d)
{
    size_t alarms = 0;
    for (size_t i = 0; i < d->n; i++) alarms += d->feature[i].alarm;
    return alarms;
}

/* ---- bytes: magic, digest of the reference, then the tracks, then a hash of it all ---- */

fw_status monitor_drift_save(const monitor_drift *d, fw_text *out, fw_error *err)
{
    size_t begin = out->len;
    monitor_put_word(out, MAGIC);
    monitor_put_word(out, d->digest);
    for (size_t i = 0; i < d->n; i++)
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) monitor_track_save(&d->tracks[i].of[q], d->numbers, out);
    FW_TRY(fw_text_check(out, err));
    monitor_put_word(out, fw_hash64(out->data + begin, out->len - begin, MAGIC));
    return fw_text_check(out, err);
}

static bool restore_tracks(monitor_drift *d, monitor_words *in)
{
    for (size_t i = 0; i < d->n; i++)
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++)
            if (!monitor_track_restore(&d->tracks[i].of[q], d->numbers, in)) return false;
    return in->left == 0;
}

static void begin_anew(monitor_drift *d)
{
    for (size_t i = 0; i < d->n; i++)
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) monitor_track_reset(&d->tracks[i].of[q]);
    tell_state(d);
}

fw_status monitor_drift_restore(monitor_drift *d, const void *bytes, size_t len, fw_error *err)
{
    monitor_words in = {bytes, len}, end = {(const unsigned char *)bytes + (len >= 8 ? len - 8 : 0), FW_MIN(len, 8)};
    uint64_t magic = 0, digest = 0, hash = 0;
    begin_anew(d);
    if (len < 24 || !monitor_take_word(&end, &hash) || hash != fw_hash64(bytes, len - 8, MAGIC) || !monitor_take_word(&in, &magic) || magic != MAGIC)
        return fw_fail(err, FW_ERR_DATA, "drift: %zu bytes are no saved state, or damaged; drift is watched anew from here on", len);
    if (!monitor_take_word(&in, &digest) || digest != d->digest)
        return fw_fail(err, FW_ERR_DATA, "drift: the saved state belongs to another reference; drift is watched anew from here on");
    in.left -= 8;
    if (!restore_tracks(d, &in)) {
        begin_anew(d);
        return fw_fail(err, FW_ERR_DATA, "drift: the saved state can't be one of this reference; drift is watched anew from here on");
    }
    tell_state(d);
    return FW_OK;
}
