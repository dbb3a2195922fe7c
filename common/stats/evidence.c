#include "common/stats/evidence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/targets.h"
#include "common/stats/bound.h"
#include "common/stats/dmath.h"
#include "common/stats/stake.h"

#define MARGIN   1e-12        /* added to ln U: more than the rounding of a payoff can be, relative to the rows */
#define RICHEST  1e300        /* capital is kept below; less capital is always allowed */
#define PRIOR    500.0        /* rows of the reference's shares that are added to the shares of late */
#define FADE     0.8408964152537145        /* of the shares of late, a look: half of them are from the last four */

static const double SIZES[] = {-0.8, -0.4, -0.2, -0.1, 0.1, 0.2, 0.4, 0.8};      /* of a tilt: f = exp(size x score) */
static const double FACTORS[] = {1.5, 3, 0.5}, RATE_FACTORS[] = {1.5, 3, 9, 65, 0.5};      /* of a place's share */
#define N_SIZES        (sizeof SIZES / sizeof *SIZES)
#define N_FACTORS      (sizeof FACTORS / sizeof *FACTORS)
#define N_RATE_FACTORS (sizeof RATE_FACTORS / sizeof *RATE_FACTORS)
#define N_TILTS        (2 * N_SIZES)

/* Fixed bets in this order: location and scale (ordered places), then for each factor one a place. */
struct fw_evidence {
    fw_evidence_kind kind;
    size_t n, n_fixed, n_tilts;
    uint64_t *reference;
    double *share, *score, *spread;      /* (n): smoothed shares of the reference; scores of location and of scale */
    double *slope, *price;               /* (n_fixed): ln f is slope x the bet's statistic; ln U */
    double *capital, *log_payoff;        /* (n_fixed + 1): the last is the bet on the shares of late; scratch */
    double *late, *now, *f;              /* (n): rows of late, faded; this window's; scratch */
    double rows;                         /* of the reference */
    double worth;                        /* of all capital */
    double radius, looks, restarts, growth;
};

static bool adapts(const fw_evidence *e) { return e->kind != FW_EVIDENCE_RATE && e->n > 1; }

static size_t fixed_bets(fw_evidence_kind kind, size_t n)
{
    return kind == FW_EVIDENCE_RATE ? N_RATE_FACTORS : (kind == FW_EVIDENCE_ORDERED ? N_TILTS : 0) + N_FACTORS * n;
}

size_t fw_evidence_bets(fw_evidence_kind kind, size_t n) { return fixed_bets(kind, n) + (kind != FW_EVIDENCE_RATE); }

/** What each bet has of the whole: tilts, places and the shares of late the same together. */
static double part_of(const fw_evidence *e, size_t bet)
{
    double groups = 1 + (e->n_tilts > 0) + adapts(e);
    if (bet == e->n_fixed) return adapts(e) ? 1 / groups : 0;
    return 1 / groups / (double)(bet < e->n_tilts ? e->n_tilts : e->n_fixed - e->n_tilts);
}

static double total(const uint64_t *count, size_t n)
{
    uint64_t sum = 0;
    for (size_t b = 0; b < n; b++) sum += count[b];
    return (double)sum;
}

/** Scores of a place's number alone, mean 0 and spread 1 over n places: they owe nothing to the counts. */
static void set_scores(fw_evidence *e)
{
    double n = (double)e->n;
    for (size_t b = 0; b < e->n; b++) {
        e->score[b] = ((double)b + 0.5 - n / 2) * sqrt(12) / n;
        e->spread[b] = (e->score[b] * e->score[b] - 1) / sqrt(0.8);
    }
}

static void price_tilts(fw_evidence *e, double strength)
{
    for (size_t i = 0; i < e->n_tilts; i++) {
        const double *score = i < N_SIZES ? e->score : e->spread;
        e->slope[i] = SIZES[i % N_SIZES];
        for (size_t b = 0; b < e->n; b++) e->f[b] = fw_exp_double(e->slope[i] * score[b]);
        e->price[i] = fw_log_double(fw_mean_bound(e->f, e->reference, e->n, strength)) + MARGIN;
    }
}

/** A bet on one place sees two: that one, and all others together. */
static void price_place(fw_evidence *e, size_t bet, size_t place, double factor, double strength)
{
    const double f[2] = {1, factor};
    const uint64_t count[2] = {(uint64_t)e->rows - e->reference[place], e->reference[place]};
    e->slope[bet] = fw_log_double(factor);
    e->price[bet] = fw_log_double(fw_mean_bound(f, count, 2, strength)) + MARGIN;
}

static void price_places(fw_evidence *e, double strength)
{
    if (e->kind == FW_EVIDENCE_RATE) {
        for (size_t i = 0; i < N_RATE_FACTORS; i++) price_place(e, i, 1, RATE_FACTORS[i], strength);
        return;
    }
    for (size_t i = 0; i < N_FACTORS; i++)
        for (size_t b = 0; b < e->n; b++) price_place(e, e->n_tilts + i * e->n + b, b, FACTORS[i], strength);
}

static fw_status allocate(fw_evidence *e, fw_error *err)
{
    struct { void **at; size_t n, bytes; } table[] = {
        {(void **)&e->reference, e->n, sizeof *e->reference}, {(void **)&e->share, e->n, sizeof(double)},
        {(void **)&e->score, e->n, sizeof(double)}, {(void **)&e->spread, e->n, sizeof(double)},
        {(void **)&e->late, e->n, sizeof(double)}, {(void **)&e->now, e->n, sizeof(double)}, {(void **)&e->f, e->n, sizeof(double)},
        {(void **)&e->slope, e->n_fixed, sizeof(double)}, {(void **)&e->price, e->n_fixed, sizeof(double)},
        {(void **)&e->capital, e->n_fixed + 1, sizeof(double)}, {(void **)&e->log_payoff, e->n_fixed + 1, sizeof(double)},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) FW_TRY(fw_alloc_zeroed(table[i].at, table[i].n, table[i].bytes, "evidence", err));
    return FW_OK;
}

fw_status fw_evidence_create(fw_evidence **out, fw_evidence_kind kind, const uint64_t *reference, size_t n, double strength, fw_error *err)
{
    if (n == 0 || (kind == FW_EVIDENCE_RATE && n != 2) || n > SIZE_MAX / 64) return fw_fail(err, FW_ERR_ARG, "evidence: %zu places", n);
    FW_AUTO(fw_evidence) *e = calloc(1, sizeof *e);
    if (e == NULL) return fw_fail(err, FW_ERR_NOMEM, "evidence");
    e->kind = kind;
    e->n = n;
    e->n_tilts = kind == FW_EVIDENCE_ORDERED ? N_TILTS : 0;
    e->n_fixed = fixed_bets(kind, n);
    FW_TRY(allocate(e, err));
    memcpy(e->reference, reference, n * sizeof *reference);
    e->rows = total(reference, n);
    for (size_t b = 0; b < n; b++) e->share[b] = ((double)reference[b] + 0.5) / (e->rows + 0.5 * (double)n);
    set_scores(e);
    price_tilts(e, strength);
    price_places(e, strength);
    e->radius = fw_divergence_radius(n, strength);
    *out = e;
    e = NULL;
    return FW_OK;
}

void fw_evidence_destroy(fw_evidence **e)
{
    if (e == NULL || *e == NULL) return;
    free((*e)->reference);
    free((*e)->share);
    free((*e)->score);
    free((*e)->spread);
    free((*e)->slope);
    free((*e)->price);
    free((*e)->capital);
    free((*e)->log_payoff);
    free((*e)->late);
    free((*e)->now);
    free((*e)->f);
    free(*e);
    *e = NULL;
}

/** Of the bets on each place that share a factor, and so a slope. */
FW_TARGETS static void places_payoffs(double *restrict out, const double *restrict current, const double *restrict price, size_t n, double slope, double rows)
{
    for (size_t b = 0; b < n; b++) out[b] = current[b] * slope - rows * price[b];
}

/** ln of prod f/U over the window's rows, for all fixed bets. */
static void fixed_payoffs(fw_evidence *e, const double *current, double rows)
{
    double location = 0, scale = 0, *out = e->log_payoff;
    if (e->n_tilts > 0)
        for (size_t b = 0; b < e->n; b++) {
            location += current[b] * e->score[b];
            scale += current[b] * e->spread[b];
        }
    for (size_t i = 0; i < e->n_tilts; i++) out[i] = e->slope[i] * (i < N_SIZES ? location : scale) - rows * e->price[i];
    if (e->kind == FW_EVIDENCE_RATE)
        for (size_t i = 0; i < e->n_fixed; i++) out[i] = current[1] * e->slope[i] - rows * e->price[i];
    else
        for (size_t i = e->n_tilts; i < e->n_fixed; i += e->n) places_payoffs(out + i, current, e->price + i, e->n, e->slope[i], rows);
}

/** The bet on the shares of late: f_b = (late_b + PRIOR share_b) / ((rows of late + PRIOR) share_b), fixed before this window. It is open only where it lies
 *  outside of what the reference's own uncertainty explains: its gain a row is about h^2/2 - h sqrt(2 radius / R), h^2 the mean square of f - 1. */
static double late_payoff(fw_evidence *e, const double *current, double rows)
{
    double late = 0, square = 0, sum = 0;
    for (size_t b = 0; b < e->n; b++) late += e->late[b];
    for (size_t b = 0; b < e->n; b++) {
        double off = (e->late[b] / e->share[b] - late) / (late + PRIOR);
        e->f[b] = 1 + off;
        square += e->share[b] * off * off;
    }
    if (square * e->rows <= 8 * e->radius) return 0;
    for (size_t b = 0; b < e->n; b++)
        if (current[b] > 0) sum += current[b] * fw_log_double(e->f[b]);
    return sum - rows * (fw_log_double(fw_mean_bound_within(e->f, e->reference, e->n, e->radius)) + MARGIN);
}

/** The capital as a whole: what the bets have, each by its part. */
static double worth(const fw_evidence *e)
{
    double tilts = 0, places = 0;
    for (size_t i = 0; i < e->n_tilts; i++) tilts += e->capital[i];
    for (size_t i = e->n_tilts; i < e->n_fixed; i++) places += e->capital[i];
    return part_of(e, 0) * tilts + part_of(e, e->n_tilts) * places + part_of(e, e->n_fixed) * e->capital[e->n_fixed];
}

FW_TARGETS static void pay(double *restrict capital, const double *restrict payoff, size_t n, double weight)
{
    for (size_t i = 0; i < n; i++) {
        double now = (capital[i] + weight) * payoff[i];
        capital[i] = FW_MIN(now, RICHEST);
    }
}

void fw_evidence_look(fw_evidence *e, const uint64_t *current)
{
    double rows = total(current, e->n);
    if (rows == 0) return;
    for (size_t b = 0; b < e->n; b++) e->now[b] = (double)current[b];
    fixed_payoffs(e, e->now, rows);
    e->log_payoff[e->n_fixed] = adapts(e) ? late_payoff(e, e->now, rows) : 0;
    fw_vec_exp_double(e->log_payoff, e->log_payoff, e->n_fixed + 1);
    double weight = fw_stake_of_start(++e->looks), before = e->worth + weight;
    pay(e->capital, e->log_payoff, e->n_fixed + 1, weight);
    e->worth = worth(e);
    e->growth = fw_log_double(e->worth / before);
    for (size_t b = 0; b < e->n; b++) e->late[b] = e->late[b] * FADE + e->now[b];
}

double fw_evidence_log(const fw_evidence *e) { return fw_log_double(fw_stake_of_life(e->restarts) * e->worth); }

double fw_evidence_growth(const fw_evidence *e) { return e->growth; }

static void forget(fw_evidence *e)
{
    memset(e->capital, 0, (e->n_fixed + 1) * sizeof *e->capital);
    memset(e->late, 0, e->n * sizeof *e->late);
    e->looks = e->growth = e->worth = 0;
}

void fw_evidence_restart(fw_evidence *e)
{
    forget(e);
    e->restarts++;
}

void fw_evidence_reset(fw_evidence *e)
{
    forget(e);
    e->restarts = 0;
}

size_t fw_evidence_numbers(const fw_evidence *e) { return 3 + e->n_fixed + 1 + e->n; }

void fw_evidence_save(const fw_evidence *e, double *out)
{
    *out++ = e->looks;
    *out++ = e->restarts;
    *out++ = e->growth;
    memcpy(out, e->capital, (e->n_fixed + 1) * sizeof *out);
    memcpy(out + e->n_fixed + 1, e->late, e->n * sizeof *out);
}

static bool whole(double v) { return v >= 0 && v < 0x1p53 && v == floor(v); }

bool fw_evidence_restore(fw_evidence *e, const double *in)
{
    const double *capital = in + 3, *late = capital + e->n_fixed + 1;
    if (!whole(in[0]) || !whole(in[1]) || isnan(in[2])) return false;
    for (size_t i = 0; i <= e->n_fixed; i++)
        if (!(capital[i] >= 0 && capital[i] <= RICHEST)) return false;
    for (size_t b = 0; b < e->n; b++)
        if (!(late[b] >= 0 && late[b] < 0x1p63)) return false;
    e->looks = in[0];
    e->restarts = in[1];
    e->growth = in[2];
    memcpy(e->capital, capital, (e->n_fixed + 1) * sizeof *capital);
    memcpy(e->late, late, e->n * sizeof *late);
    e->worth = worth(e);
    return true;
}

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/** Below 1 / level nothing can be rejected, so mostly there is nothing to sort. */
size_t fw_e_bh(bool *alarm, const double *log_e, size_t n, double level, double *scratch)
{
    size_t n_high = 0, rejected = 0;
    double least = -fw_log_double(level), cut = INFINITY, *high = scratch;
    for (size_t i = 0; i < n; i++)
        if (log_e[i] >= least) high[n_high++] = log_e[i];
    qsort(high, n_high, sizeof *high, falling);
    for (size_t i = 0; i < n_high; i++)
        if (high[i] >= least + fw_log_double((double)n / (double)(i + 1))) {
            rejected = i + 1;
            cut = high[i];
        }
    for (size_t i = 0; i < n; i++) alarm[i] = log_e[i] >= cut;
    return rejected;
}
