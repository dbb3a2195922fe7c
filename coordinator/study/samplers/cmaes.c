/** Covariance matrix adaptation over the numeric parameters: N. Hansen, The CMA evolution strategy: a tutorial, arXiv 1604.00772, in the unit cube.
 *
 *  A *generation* is the next lambda trials that end, whoever proposed them and whenever, so groups never wait for each other; a point that lies far out is
 *  taken as if it lay nearer (N. Hansen, Injecting external solutions into CMA-ES, 2011). What is pruned is behind what went further, what failed is last.
 *  Start: the middle of the cube, sigma = 1/6; after startup trials the best tenth of them (Nomura, Watanabe, Akimoto, Ozaki, Onishi, Warm starting CMA-ES
 *  for hyperparameter optimization, AAAI 2021). Restarts with twice as many points when it has converged (Auger, Hansen, 2005).
 *  Steps and whole numbers: the spread never falls so low that no neighbour is met (Hamano, Saito, Nomura, Shirakawa, CMA-ES with margin, GECCO 2022).
 *  Choices are drawn by how often they were chosen in the best quarter of the trials of late. What is not active counts as the mean. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "coordinator/study/sampler.h"
#include "coordinator/study/samplers/dense.h"
#include "coordinator/study/samplers/draws.h"
#include "coordinator/study/samplers/warp.h"

#define MOST       COORD_MAX_PARAMS
#define MOST_LAMBDA 512
#define ATTEMPTS   16              /* draws until a point lies in the cube; then it is moved to its side */
#define RECENT     100             /* trials that choices are learned from */

typedef struct entry { double loss; uint64_t rounds, number; double *u; } entry;     /* u (space->n) in the unit interval, NaN: not active */

typedef struct rates { size_t lambda, mu; double weight[MOST_LAMBDA], mu_eff, c_sigma, d_sigma, c_c, c_1, c_mu, chi; } rates;

typedef struct cmaes_sampler {
    const coord_space *space;
    coord_sampler_opts opts;
    void *start;                   /* sobol */
    size_t d, axis[MOST];          /* numeric parameters */
    rates rates;
    double mean[MOST], sigma, path_c[MOST], path_sigma[MOST];
    double *c, *vectors, *root;    /* (d, d), (d, d), (d): C = B D^2 B^T */
    double *scratch;               /* (d, d) */
    uint64_t generations, restarts, ended;
    entry *all; size_t n, capacity;                /* ended trials in their order */
    size_t used;                   /* of them, in generations that are over */
    bool *known; size_t known_capacity;            /* by number: it has ended */
} cmaes_sampler;

static void destroy(void **state)
{
    cmaes_sampler *s = *state;
    if (s == NULL) return;
    if (s->start != NULL) coord_sampler_sobol.destroy(&s->start);
    for (size_t i = 0; i < s->n; i++) free(s->all[i].u);
    free(s->all);
    free(s->known);
    free(s->c);
    free(s->vectors);
    free(s->root);
    free(s->scratch);
    free(s);
    *state = NULL;
}

static void set_rates(rates *r, size_t d, size_t lambda)
{
    double n = (double)d, sum = 0, squares = 0;
    *r = (rates){.lambda = lambda, .mu = lambda / 2};
    for (size_t i = 0; i < r->mu; i++) {
        r->weight[i] = fw_log_double(0.5 * (double)(lambda + 1)) - fw_log_double((double)(i + 1));
        sum += r->weight[i];
    }
    for (size_t i = 0; i < r->mu; i++) {
        r->weight[i] /= sum;
        squares += r->weight[i] * r->weight[i];
    }
    r->mu_eff = 1 / squares;
    r->c_sigma = (r->mu_eff + 2) / (n + r->mu_eff + 5);
    r->d_sigma = 1 + r->c_sigma + 2 * fmax(0, sqrt((r->mu_eff - 1) / (n + 1)) - 1);
    r->c_c = (4 + r->mu_eff / n) / (n + 4 + 2 * r->mu_eff / n);
    r->c_1 = 2 / ((n + 1.3) * (n + 1.3) + r->mu_eff);
    r->c_mu = fmin(1 - r->c_1, 2 * (r->mu_eff - 2 + 1 / r->mu_eff) / ((n + 2) * (n + 2) + r->mu_eff));
    r->chi = sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
}

static double draw(const cmaes_sampler *s, uint64_t number, uint32_t place)
{
    return fw_random_unit(fw_random(s->opts.seed, FW_RANDOM_SAMPLER, COORD_DRAWS_CMAES, number, place)) + 0x1p-54;
}

/** Eigenvalues of C, not below 1e-14 of the largest. */
static void decompose(cmaes_sampler *s)
{
    memcpy(s->scratch, s->c, s->d * s->d * sizeof *s->c);
    coord_eigen(s->root, s->vectors, s->scratch, s->d);
    double largest = 0;
    for (size_t i = 0; i < s->d; i++) largest = fmax(largest, s->root[i]);
    for (size_t i = 0; i < s->d; i++) s->root[i] = sqrt(fmax(s->root[i], 1e-14 * largest));
}

static void begin(cmaes_sampler *s, double sigma)
{
    memset(s->path_c, 0, sizeof s->path_c);
    memset(s->path_sigma, 0, sizeof s->path_sigma);
    memset(s->c, 0, s->d * s->d * sizeof *s->c);
    for (size_t i = 0; i < s->d; i++) s->c[i * s->d + i] = 1;
    s->sigma = sigma;
    s->generations = 0;
    decompose(s);
}

static fw_status fill(cmaes_sampler *s, const coord_space *space, const coord_sampler_opts *opts, fw_error *err)
{
    *s = (cmaes_sampler){.space = space, .opts = *opts};
    for (size_t i = 0; i < space->n; i++)
        if (space->param[i].kind != COORD_PARAM_CATEGORICAL) s->axis[s->d++] = i;
    FW_TRY(coord_sampler_sobol.create(&s->start, space, opts, err));
    FW_TRY(fw_alloc_zeroed((void **)&s->c, s->d * s->d, sizeof *s->c, "sampler cmaes", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->vectors, s->d * s->d, sizeof *s->c, "sampler cmaes", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->scratch, s->d * s->d, sizeof *s->c, "sampler cmaes", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->root, s->d, sizeof *s->c, "sampler cmaes", err));
    if (s->d == 0) return FW_OK;
    set_rates(&s->rates, s->d, 4 + (size_t)(3 * fw_log_double((double)s->d)));
    for (size_t i = 0; i < s->d; i++) s->mean[i] = 0.5;
    begin(s, 1.0 / 6);
    return FW_OK;
}

static fw_status create(void **state, const coord_space *space, const coord_sampler_opts *opts, fw_error *err)
{
    cmaes_sampler *s = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&s, 1, sizeof *s, "sampler cmaes", err));
    fw_status status = fill(s, space, opts, err);
    *state = s;
    if (status < 0) destroy(state);
    return status;
}

/* ---- tell ------------------------------------------------------------------------------------------------------------------------------------ */

static int by_merit(const void *a, const void *b)
{
    const entry *x = *(const entry *const *)a, *y = *(const entry *const *)b;
    if (isfinite(x->loss) != isfinite(y->loss)) return isfinite(x->loss) ? -1 : 1;
    if (x->rounds != y->rounds) return x->rounds > y->rounds ? -1 : 1;
    if (x->loss != y->loss && isfinite(x->loss)) return x->loss < y->loss ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/** Coordinate i of an entry; the mean where it is not active. */
static double coordinate(const cmaes_sampler *s, const entry *e, size_t i)
{
    double u = e->u[s->axis[i]];
    return isnan(u) ? s->mean[i] : u;
}

/** v = B D^power B^T y */
static void rotate(const cmaes_sampler *s, double *v, const double *y, bool whiten)
{
    size_t d = s->d;
    memset(v, 0, d * sizeof *v);
    for (size_t k = 0; k < d; k++) {
        double along = 0;
        for (size_t i = 0; i < d; i++) along += s->vectors[i * d + k] * y[i];
        along *= whiten ? 1 / s->root[k] : s->root[k];
        for (size_t i = 0; i < d; i++) v[i] += s->vectors[i * d + k] * along;
    }
}

/** The step of an entry in units of sigma, not longer than a point of the present distribution could be. */
static void step_of(const cmaes_sampler *s, const entry *e, double *y)
{
    double white[MOST], length = 0, n = (double)s->d, most = sqrt(n) + 2 * n / (n + 2);
    for (size_t i = 0; i < s->d; i++) y[i] = (coordinate(s, e, i) - s->mean[i]) / s->sigma;
    rotate(s, white, y, true);
    for (size_t i = 0; i < s->d; i++) length += white[i] * white[i];
    length = sqrt(length);
    for (size_t i = 0; length > most && i < s->d; i++) y[i] *= most / length;
}

static void adapt(cmaes_sampler *s, const entry *const *order)
{
    const rates *r = &s->rates;
    size_t d = s->d;
    double n = (double)d, y[MOST], step[MOST] = {0}, white[MOST], length = 0;
    for (size_t i = 0; i < d * d; i++) s->scratch[i] = 0;
    for (size_t k = 0; k < r->mu; k++) {
        step_of(s, order[k], y);
        for (size_t i = 0; i < d; i++) {
            step[i] += r->weight[k] * y[i];
            for (size_t j = 0; j < d; j++) s->scratch[i * d + j] += r->weight[k] * y[i] * y[j];
        }
    }
    rotate(s, white, step, true);
    for (size_t i = 0; i < d; i++) {
        s->path_sigma[i] = (1 - r->c_sigma) * s->path_sigma[i] + sqrt(r->c_sigma * (2 - r->c_sigma) * r->mu_eff) * white[i];
        length += s->path_sigma[i] * s->path_sigma[i];
        s->mean[i] = fmin(fmax(s->mean[i] + s->sigma * step[i], 0), 1);
    }
    length = sqrt(length);
    s->generations++;
    double decay = 1 - fw_exp_double(2 * (double)s->generations * fw_log_double(1 - r->c_sigma));
    bool short_path = length / sqrt(decay) < (1.4 + 2 / (n + 1)) * r->chi;
    for (size_t i = 0; i < d; i++) s->path_c[i] = (1 - r->c_c) * s->path_c[i] + (short_path ? sqrt(r->c_c * (2 - r->c_c) * r->mu_eff) * step[i] : 0);
    double keep = 1 - r->c_1 - r->c_mu + (short_path ? 0 : r->c_1 * r->c_c * (2 - r->c_c));
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) s->c[i * d + j] = keep * s->c[i * d + j] + r->c_1 * s->path_c[i] * s->path_c[j] + r->c_mu * s->scratch[i * d + j];
    s->sigma = fmin(s->sigma * fw_exp_double(fmin(1, r->c_sigma / r->d_sigma * (length / r->chi - 1))), 1);
    decompose(s);
}

/** Converged, or it learns nothing: twice as many points from another place. */
static void restart_if_done(cmaes_sampler *s, const entry *const *order)
{
    double widest = 0;
    for (size_t i = 0; i < s->d; i++) widest = fmax(widest, s->root[i]);
    bool flat = order[0]->loss == order[s->rates.lambda - 1]->loss;
    if (s->sigma * widest > 1e-9 && !(flat && s->sigma * widest < 1e-4)) return;
    s->restarts++;
    for (size_t i = 0; i < s->d; i++) s->mean[i] = draw(s, s->restarts, 0x80000000u + (uint32_t)i);
    set_rates(&s->rates, s->d, FW_MIN(2 * s->rates.lambda, (size_t)MOST_LAMBDA));
    begin(s, 1.0 / 6);
}

/** Mean and covariance of the best tenth of the startup trials, and a hundredth of the cube's side squared on its diagonal. */
static fw_status warm_start(cmaes_sampler *s, const entry **order)
{
    size_t d = s->d, top = FW_MAX(s->n / 10, 1);
    for (size_t i = 0; i < d; i++) {
        double sum = 0;
        for (size_t k = 0; k < top; k++) sum += coordinate(s, order[k], i);
        s->mean[i] = sum / (double)top;
    }
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) {
            double sum = 0;
            for (size_t k = 0; k < top; k++) sum += (coordinate(s, order[k], i) - s->mean[i]) * (coordinate(s, order[k], j) - s->mean[j]);
            s->c[i * d + j] = sum / (double)top + (i == j ? (top > 1 ? 0.01 : 1.0 / 36) : 0);
        }
    decompose(s);
    double log_root = 0;
    for (size_t i = 0; i < d; i++) log_root += fw_log_double(s->root[i]) / (double)d;
    s->sigma = fw_exp_double(log_root);
    for (size_t i = 0; i < d * d; i++) s->c[i] /= s->sigma * s->sigma;
    decompose(s);
    return FW_OK;
}

static fw_status next_generation(cmaes_sampler *s, fw_error *err)
{
    bool warm = s->used == 0 && s->opts.startup_trials > 0;
    size_t need = warm ? s->opts.startup_trials : s->rates.lambda;
    if (s->d == 0 || s->n - s->used < need) return FW_OK;
    FW_FREE const entry **order = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&order, need, sizeof(entry *), "sampler cmaes", err));
    for (size_t i = 0; i < need; i++) order[i] = &s->all[s->used + i];
    qsort(order, need, sizeof(entry *), by_merit);
    s->used += need;
    if (warm) return warm_start(s, order);
    adapt(s, order);
    restart_if_done(s, order);
    return FW_OK;
}

static fw_status tell(void *state, const coord_seen *t, fw_error *err)
{
    cmaes_sampler *s = state;
    bool ended = t->state == COORD_COMPLETE || t->state == COORD_PRUNED || t->state == COORD_FAIL;
    if (!ended || s->space->n == 0) return FW_OK;
    size_t before = s->known_capacity;
    FW_TRY(fw_grow((void **)&s->known, &s->known_capacity, t->number + 1, sizeof *s->known, "sampler cmaes", err));
    if (s->known_capacity > before) memset(s->known + before, 0, (s->known_capacity - before) * sizeof *s->known);
    if (s->known[t->number]) return FW_OK;
    FW_TRY(fw_grow((void **)&s->all, &s->capacity, s->n + 1, sizeof *s->all, "sampler cmaes", err));
    entry e = {.loss = t->loss, .rounds = t->rounds, .number = t->number};
    FW_TRY(fw_alloc_zeroed((void **)&e.u, s->space->n, sizeof *e.u, "sampler cmaes", err));
    for (size_t i = 0; i < s->space->n; i++) e.u[i] = coord_param_to_unit(&s->space->param[i], t->x[i]);
    s->known[t->number] = true;
    s->all[s->n++] = e;
    return next_generation(s, err);
}

/* ---- suggest --------------------------------------------------------------------------------------------------------------------------------- */

/** What must be added to the spread of a coordinate with steps, so that at least one of a generation's points is expected to leave its cell. */
static double margin(const cmaes_sampler *s, size_t i)
{
    double values = coord_param_values(&s->space->param[s->axis[i]]);
    if (values < 2) return 0;
    double cell = 1 / values, within = s->mean[i] / cell - floor(s->mean[i] / cell), to_side = fmin(within, 1 - within) * cell;
    double sd = s->sigma * sqrt(s->c[i * s->d + i]), z = coord_normal_quantile(1 - fmin(0.4, 1 / (double)(s->d * s->rates.lambda)));
    double need = fmax(to_side, 0.1 * cell) / z;
    return need > sd ? sqrt(need * need - sd * sd) : 0;
}

/** A point of the present distribution, u (d): drawn again until it lies in the cube. */
static void draw_point(const cmaes_sampler *s, uint64_t number, double *u)
{
    double z[MOST], y[MOST];
    for (uint32_t attempt = 0; attempt < ATTEMPTS; attempt++) {
        uint32_t place = attempt * 512;
        bool inside = true;
        for (size_t i = 0; i < s->d; i++) z[i] = coord_normal_quantile(draw(s, number, place + (uint32_t)i));
        rotate(s, y, z, false);
        for (size_t i = 0; i < s->d; i++) {
            double extra = margin(s, i);
            u[i] = s->mean[i] + s->sigma * y[i] + (extra > 0 ? extra * coord_normal_quantile(draw(s, number, place + 128 + (uint32_t)i)) : 0);
            inside = inside && u[i] >= 0 && u[i] <= 1;
        }
        if (inside) return;
    }
}

/** A choice by its share in the best quarter of the recent trials in which it was active, one more for each. */
static double draw_choice(const cmaes_sampler *s, const entry *const *best, size_t n_best, size_t param, double u)
{
    size_t n = s->space->param[param].n_choices;
    double count[COORD_MAX_CHOICES], total = (double)n;
    for (size_t c = 0; c < n; c++) count[c] = 1;
    for (size_t k = 0; k < n_best; k++) {
        double at = best[k]->u[param];
        if (isnan(at)) continue;
        count[FW_MIN((size_t)(at * (double)n), n - 1)] += 1;
        total += 1;
    }
    u *= total;
    for (size_t c = 0; c < n; c++) {
        if (u < count[c]) return (double)c;
        u -= count[c];
    }
    return (double)(n - 1);
}

static fw_status suggest(void *state, uint64_t number, double *x, fw_error *err)
{
    (void)err;
    cmaes_sampler *s = state;
    if (s->opts.startup_trials > 0 && s->used == 0) return coord_sampler_sobol.suggest(s->start, number, x, err);
    double u[MOST];
    draw_point(s, number, u);
    for (size_t i = 0; i < s->d; i++) x[s->axis[i]] = coord_param_from_unit(&s->space->param[s->axis[i]], u[i]);
    const entry *best[RECENT];
    size_t recent = FW_MIN(s->n, RECENT);
    for (size_t k = 0; k < recent; k++) best[k] = &s->all[s->n - recent + k];
    qsort(best, recent, sizeof *best, by_merit);
    for (size_t i = 0; i < s->space->n; i++)
        if (s->space->param[i].kind == COORD_PARAM_CATEGORICAL) x[i] = draw_choice(s, best, (recent + 3) / 4, i, draw(s, number, 300 + (uint32_t)i));
    coord_space_mask(s->space, x);
    return FW_OK;
}

static const char *why(const void *state)
{
    (void)state;
    return NULL;
}

const coord_sampler_kind coord_sampler_cmaes = {
    .name = "cmaes", .help = "covariance matrix adaptation; for many trials of numeric parameters", .create = create, .destroy = destroy, .tell = tell, .suggest = suggest, .why = why,
};
