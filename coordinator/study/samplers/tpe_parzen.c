#include "coordinator/study/samplers/tpe_parzen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/targets.h"
#include "common/model/elementary.h"
#include "common/stats/dmath.h"
#include "coordinator/study/samplers/draws.h"

#define MAX_CELLS     1024         /* more values of a number are a continuum */
#define TABLE_PER_ONE 256          /* of the normal distribution: linear between, error below 5e-7 */
#define TABLE_END     8
#define LOG_SQRT_2PI  0.91893853320467274178
#define WIDTH         0.7          /* of a kernel, of the spread and Scott's factor; 0.7 / sqrt(12) = 0.2 is Optuna's for all sets */
#define LEAST_LOG     (-80.0f)
#define NARROWEST     0.02
enum { LANES = 16, BUCKETS = 512 };

typedef enum axis_kind { AXIS_CONTINUUM, AXIS_CELLS, AXIS_CHOICES } axis_kind;

/* One parameter in the mixture. Kernels of trials in which it was not active have slope 0 and log_norm 0. */
typedef struct axis {
    axis_kind kind;
    double n;                      /* cells, choices */
    bool   in_cells;               /* CELLS by their masses */
    double narrowest;              /* width of a normal, in the unit interval */
    double same;                   /* CHOICES: probability of the trial's own */
    float *at;                     /* (kernels) codes; of cells that count as a continuum their middles */
    float *width;                  /* (kernels) of the normals, in the unit interval */
    float *slope;                  /* (kernels) CONTINUUM: 1 / (2 width^2); CHOICES: log(same / other); CELLS: 1 */
    float *log_norm;               /* (kernels) what the exponent is to be raised by */
    float *cell;                   /* (n) CELLS: log of the mass so many cells away, of the mass at home */
} axis;

typedef struct spot { float u; uint32_t k; } spot;

struct coord_parzen {
    const coord_space *space;
    axis *axis;                    /* (parameters of the space) */
    const size_t *params;          /* (n_params) of this mixture */
    size_t n_params, n, capacity;  /* kernels; the flat one stands behind the last */
    double *weight;                /* (capacity) */
    double total;                  /* of the weights, the prior with it */
    float *log_weight;             /* (capacity) */
    float *base;                   /* (capacity) log_weight + log_norm of the parameters that are active at the last point */
    bool  *active;                 /* (parameters of the space) of base */
    bool   has_base;
    float *exponent;               /* (capacity) scratch */
    spot *spot, *unsorted;         /* (capacity each) scratch: kernels in order */
    float *table;                  /* share of the normal distribution below i / TABLE_PER_ONE */
    float *floats;                 /* slab of all arrays of float */
};

static axis_kind axis_kind_of(const coord_param *p)
{
    if (p->kind == COORD_PARAM_CATEGORICAL) return AXIS_CHOICES;
    const double values = coord_param_values(p);
    return values > 0 && values <= MAX_CELLS && !p->log ? AXIS_CELLS : AXIS_CONTINUUM;       /* cells of a logarithm are not of one width */
}

float coord_parzen_code(const coord_param *p, double value)
{
    if (isnan(value)) return NAN;
    switch (axis_kind_of(p)) {
    case AXIS_CHOICES: return (float)value;
    case AXIS_CELLS: return (float)floor(coord_param_to_unit(p, value) * coord_param_values(p));
    case AXIS_CONTINUUM: break;
    }
    return (float)coord_param_to_unit(p, value);
}

double coord_draws_unit(coord_draws *d)
{
    return fw_random_unit(fw_random(d->seed, FW_RANDOM_SAMPLER, COORD_DRAWS_TPE, d->number, d->place++));
}

static double draw_normal(coord_draws *d)
{
    const fw_philox r = fw_random(d->seed, FW_RANDOM_SAMPLER, COORD_DRAWS_TPE, d->number, d->place++);
    double sine, cosine;
    fw_turn(fw_random_unit2(r), &sine, &cosine);
    return sqrt(-2.0 * fw_log_double(1.0 - fw_random_unit(r))) * cosine;
}

/* ---- create ----------------------------------------------------------------------------------------------------------------------------------- */

static fw_status lay_out(coord_parzen *p, fw_error *err)
{
    const coord_space *s = p->space;
    const size_t table = TABLE_PER_ONE * TABLE_END + 2;
    size_t floats = (3 + 4 * s->n) * p->capacity + table;
    for (size_t i = 0; i < s->n; i++) {
        p->axis[i].kind = axis_kind_of(&s->param[i]);
        p->axis[i].n = coord_param_values(&s->param[i]);
        floats += p->axis[i].kind == AXIS_CELLS ? (size_t)p->axis[i].n : 0;
    }
    FW_TRY(fw_alloc_zeroed((void **)&p->floats, floats, sizeof *p->floats, "tpe kernels", err));
    float *next = p->floats;
    float **whole[] = {&p->log_weight, &p->base, &p->exponent};
    for (size_t i = 0; i < 3; i++, next += p->capacity) *whole[i] = next;
    for (size_t i = 0; i < s->n; i++) {
        axis *a = &p->axis[i];
        float **part[] = {&a->at, &a->width, &a->slope, &a->log_norm};
        for (size_t k = 0; k < 4; k++, next += p->capacity) *part[k] = next;
        a->cell = next;
        next += a->kind == AXIS_CELLS ? (size_t)a->n : 0;
    }
    p->table = next;
    for (size_t i = 0; i < table; i++) p->table[i] = (float)fw_normal_below((double)i / TABLE_PER_ONE);
    return FW_OK;
}

fw_status coord_parzen_create(coord_parzen **out, const coord_space *space, size_t max_kernels, fw_error *err)
{
    FW_AUTO(coord_parzen) *p = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&p, 1, sizeof *p, "tpe mixture", err));
    p->space = space;
    p->capacity = (max_kernels + LANES) / LANES * LANES;                  /* and the flat one */
    FW_TRY(fw_alloc_zeroed((void **)&p->axis, space->n, sizeof *p->axis, "tpe mixture", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->active, space->n, sizeof *p->active, "tpe mixture", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->weight, p->capacity, sizeof *p->weight, "tpe mixture", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->spot, 2 * p->capacity, sizeof *p->spot, "tpe mixture", err));
    p->unsorted = p->spot + p->capacity;
    FW_TRY(lay_out(p, err));
    *out = p;
    p = NULL;
    return FW_OK;
}

void coord_parzen_destroy(coord_parzen **p)
{
    if (*p == NULL) return;
    free((*p)->axis);
    free((*p)->active);
    free((*p)->weight);
    free((*p)->spot);
    free((*p)->floats);
    free(*p);
    *p = NULL;
}

/* ---- kernels ---------------------------------------------------------------------------------------------------------------------------------- */

void coord_parzen_begin(coord_parzen *p, const size_t *params, size_t n_params)
{
    p->params = params;
    p->n_params = n_params;
    p->n = 0;
    p->total = 0;
}

void coord_parzen_add(coord_parzen *p, const float *code, double weight)
{
    for (size_t i = 0; i < p->n_params; i++) p->axis[p->params[i]].at[p->n] = code[p->params[i]];
    p->weight[p->n++] = weight;
    p->total += weight;
}

static double unit_of(const axis *a, double code) { return a->kind == AXIS_CELLS ? (code + 0.5) / a->n : code; }

/* Share of the standard normal distribution below z >= 0. */
static double below(const coord_parzen *p, double z)
{
    const double place = FW_MIN(z, (double)TABLE_END) * TABLE_PER_ONE;
    const size_t i = (size_t)place;
    return (double)p->table[i] + (place - (double)i) * ((double)p->table[i + 1] - (double)p->table[i]);
}

static double count_of(const coord_parzen *p, const axis *a)
{
    double n = 0;
    for (size_t k = 0; k < p->n; k++) n += !isnan(a->at[k]);
    return n;
}

/* Sum of the squared distances from the mean. */
static double squares_of(const coord_parzen *p, const axis *a, double n)
{
    double sum = 0, squares = 0;
    for (size_t k = 0; k < p->n; k++) sum += isnan(a->at[k]) ? 0 : unit_of(a, (double)a->at[k]);
    const double mean = sum / FW_MAX(n, 1.0);
    for (size_t k = 0; k < p->n; k++) {
        const double off = isnan(a->at[k]) ? 0 : unit_of(a, (double)a->at[k]) - mean;
        squares += off * off;
    }
    return squares;
}

/* n^(-1 / (d + 4)): Scott's rule. */
static double scott(double n, double d) { return fw_exp_double(-fw_log_double(n) / (d + 4)); }

/* The spread of the kernels, drawn toward that of the flat density as if `flat` more points had it, times Scott's factor: kernels of a set that has
 * gathered are narrow, and a few points that lie together by chance are not trusted. */
static void set_width(const coord_parzen *p, axis *a, double flat)
{
    const double n = count_of(p, a), even = 1.0 / 12;
    const double spread = sqrt(isinf(flat) ? even : (squares_of(p, a, n) + flat * even) / FW_MAX(n - 1 + flat, 1.0));
    const double width = FW_MIN(FW_MAX(WIDTH * spread * scott(FW_MAX(n, 1.0), (double)p->n_params), a->narrowest), 1.0);
    for (size_t k = 0; k < p->n; k++) a->width[k] = (float)width;
}

static size_t bucket_of(float u) { return (size_t)(u * (BUCKETS - 1)); }

/* By u, equal ones in the order they came: into buckets, then by insertion, which finds little to do. */
static void sort_spots(spot *out, const spot *in, size_t n)
{
    size_t end[BUCKETS + 1] = {0};
    for (size_t i = 0; i < n; i++) end[bucket_of(in[i].u) + 1]++;
    for (size_t b = 0; b < BUCKETS; b++) end[b + 1] += end[b];
    for (size_t i = 0; i < n; i++) out[end[bucket_of(in[i].u)]++] = in[i];
    for (size_t i = 1; i < n; i++) {
        const spot s = out[i];
        size_t k = i;
        for (; k > 0 && out[k - 1].u > s.u; k--) out[k] = out[k - 1];
        out[k] = s;
    }
}

/* As Optuna: the flat kernel stands among them in the middle; the first and the last have one neighbour. */
static void set_widths(coord_parzen *p, axis *a)
{
    size_t n = 0;
    for (size_t k = 0; k < p->n; k++)
        if (!isnan(a->at[k])) p->unsorted[n++] = (spot){(float)unit_of(a, (double)a->at[k]), (uint32_t)k};
    p->unsorted[n++] = (spot){0.5f, (uint32_t)p->n};
    sort_spots(p->spot, p->unsorted, n);
    const double narrowest = FW_MAX(1 / FW_MIN(100.0, (double)n + 1), a->narrowest);
    for (size_t i = 0; i < n; i++) {
        const float left = i > 0 ? p->spot[i].u - p->spot[i - 1].u : 0, right = i + 1 < n ? p->spot[i + 1].u - p->spot[i].u : 0;
        a->width[p->spot[i].k] = (float)FW_MAX((double)FW_MAX(left, right), narrowest);
    }
    for (size_t k = 0; k < p->n; k++) a->at[k] = (float)unit_of(a, (double)a->at[k]);
}

static void set_cells(axis *a)
{
    const double width = (double)a->width[0];
    double inner = 0.5;                                                    /* share beyond the cell's nearer edge */
    for (size_t i = 0; i < (size_t)a->n; i++) {
        const double outer = fw_normal_below(-((double)i + 0.5) / (a->n * width)), mass = i == 0 ? 1 - 2 * outer : inner - outer;
        inner = outer;
        a->cell[i] = (float)FW_MAX(fw_log_double(FW_MAX(mass, 1e-290)), (double)LEAST_LOG);
    }
    const float home = a->cell[0];
    a->same = (double)home;
    for (size_t i = 0; i < (size_t)a->n; i++) a->cell[i] -= home;
}

/* log_norm first holds what the normal's height is divided by: its share inside of the interval, and its width. */
static void set_numbers(coord_parzen *p, axis *a, const coord_parzen_opts *opts)
{
    a->in_cells = a->kind == AXIS_CELLS && !opts->neighbours;
    a->narrowest = a->kind == AXIS_CELLS ? FW_MAX(NARROWEST, 0.5 / a->n) : NARROWEST;
    if (opts->neighbours) set_widths(p, a);
    else set_width(p, a, opts->flat);
    if (a->in_cells && p->n > 0) set_cells(a);
    const float height = (float)(a->in_cells ? a->same + fw_log_double(a->n) : -LOG_SQRT_2PI);
    for (size_t k = 0; k < p->n; k++) {
        const bool there = !isnan(a->at[k]);
        const double u = !there ? 0.5 : a->in_cells ? unit_of(a, (double)a->at[k]) : (double)a->at[k], per_width = 1 / (double)a->width[k];
        a->slope[k] = !there ? 0.0f : a->in_cells ? 1.0f : (float)(0.5 * per_width * per_width);
        a->log_norm[k] = there ? (float)((below(p, (1 - u) * per_width) + below(p, u * per_width) - 1) * (a->in_cells ? 1 : (double)a->width[k])) : 1.0f;
        if (!there) a->at[k] = 0.0f;
    }
    fw_vec_log(a->log_norm, a->log_norm, p->n);
    for (size_t k = 0; k < p->n; k++) a->log_norm[k] = a->slope[k] > 0 ? height - a->log_norm[k] : 0.0f;
}

static void set_choices(const coord_parzen *p, axis *a)
{
    const double extra = 1 / (count_of(p, a) + 1);
    a->same = (1 + extra) / (1 + a->n * extra);
    const float log_same = (float)fw_log_double(a->same * a->n), slope = (float)fw_log_double((1 + extra) / extra);
    for (size_t k = 0; k < p->n; k++) {
        const bool there = !isnan(a->at[k]);
        a->slope[k] = there ? slope : 0.0f;
        a->log_norm[k] = there ? log_same : 0.0f;
        if (!there) a->at[k] = 0.0f;
    }
}

void coord_parzen_finish(coord_parzen *p, const coord_parzen_opts *opts)
{
    for (size_t i = 0; i < p->n_params; i++) {
        axis *a = &p->axis[p->params[i]];
        if (a->kind == AXIS_CHOICES) set_choices(p, a);
        else set_numbers(p, a, opts);
        a->at[p->n] = a->slope[p->n] = a->log_norm[p->n] = 0.0f;
    }
    p->weight[p->n] = opts->prior;
    p->total += opts->prior;
    for (size_t k = 0; k <= p->n; k++) p->log_weight[k] = (float)(p->weight[k] / p->total);
    fw_vec_log(p->log_weight, p->log_weight, p->n + 1);
    p->has_base = false;
}

/* ---- draws ------------------------------------------------------------------------------------------------------------------------------------ */

static double draw_value(const axis *a, size_t k, coord_draws *d)
{
    if (!(a->slope[k] > 0)) return coord_draws_unit(d);
    if (a->kind == AXIS_CHOICES) {
        const double u = coord_draws_unit(d), other = (1 - a->same) / FW_MAX(a->n - 1, 1.0);
        if (u < a->same || a->n < 2) return ((double)a->at[k] + 0.5) / a->n;
        const double i = FW_MIN(floor((u - a->same) / other), a->n - 2);
        return (i + (i >= (double)a->at[k] ? 1 : 0) + 0.5) / a->n;
    }
    const double home = a->in_cells ? unit_of(a, (double)a->at[k]) : (double)a->at[k];
    for (int tries = 0; tries < 64; tries++) {                              /* at least a third of them is inside */
        const double u = home + (double)a->width[k] * draw_normal(d);
        if (u >= 0 && u <= 1) return u;
    }
    return home;
}

void coord_parzen_draw(coord_parzen *p, coord_draws *d, double *x)
{
    double left = coord_draws_unit(d) * p->total;
    size_t k = 0;
    while (k < p->n && left >= p->weight[k]) left -= p->weight[k++];
    for (size_t i = 0; i < p->n_params; i++) {
        const size_t j = p->params[i];
        x[j] = coord_space_active(p->space, x, j) ? coord_param_from_unit(&p->space->param[j], draw_value(&p->axis[j], k, d)) : NAN;
    }
}

/* ---- density ---------------------------------------------------------------------------------------------------------------------------------- */

FW_TARGETS static void add_normal(float *restrict y, const float *restrict at, const float *restrict slope, float x, size_t n)
{
    for (size_t k = 0; k < n; k++) y[k] -= slope[k] * ((x - at[k]) * (x - at[k]));
}

FW_TARGETS static void add_choice(float *restrict y, const float *restrict at, const float *restrict slope, float x, size_t n)
{
    for (size_t k = 0; k < n; k++) y[k] -= at[k] == x ? 0.0f : slope[k];
}

FW_TARGETS static void add_to(float *restrict y, const float *restrict x, size_t n)
{
    for (size_t k = 0; k < n; k++) y[k] += x[k];
}

static void add_cells(float *restrict y, const axis *a, float x, size_t n)
{
    for (size_t k = 0; k < n; k++) y[k] += a->slope[k] * a->cell[(size_t)fabsf(x - a->at[k])];
}

FW_TARGETS static float largest(const float *x, size_t n)
{
    float lane[LANES];
    for (size_t i = 0; i < LANES; i++) lane[i] = x[0];
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t i = 0; i < LANES; i++) lane[i] = x[k + i] > lane[i] ? x[k + i] : lane[i];
    for (; k < n; k++) lane[0] = x[k] > lane[0] ? x[k] : lane[0];
    for (size_t i = 1; i < LANES; i++) lane[0] = lane[i] > lane[0] ? lane[i] : lane[0];
    return lane[0];
}

/* Not below LEAST_LOG, which is nothing beside the largest: exponentials below the normal range are slow. */
FW_TARGETS static void subtract(float *x, float y, size_t n)
{
    for (size_t k = 0; k < n; k++) x[k] = x[k] - y < LEAST_LOG ? LEAST_LOG : x[k] - y;
}

/* Sixteen sums by index, then one after the other. */
FW_TARGETS static double sum_of(const float *x, size_t n)
{
    double lane[LANES] = {0};
    size_t k = 0;
    for (; k + LANES <= n; k += LANES)
        for (size_t i = 0; i < LANES; i++) lane[i] += (double)x[k + i];
    for (; k < n; k++) lane[0] += (double)x[k];
    for (size_t i = 1; i < LANES; i++) lane[0] += lane[i];
    return lane[0];
}

/* The weights and norms of all kernels for the parameters that are active at x; mostly those of the last point. */
static void set_base(coord_parzen *p, const double *x)
{
    bool same = p->has_base;
    for (size_t i = 0; i < p->n_params && same; i++) same = p->active[p->params[i]] == !isnan(x[p->params[i]]);
    if (same) return;
    memcpy(p->base, p->log_weight, (p->n + 1) * sizeof *p->base);
    for (size_t i = 0; i < p->n_params; i++) {
        const size_t j = p->params[i];
        p->active[j] = !isnan(x[j]);
        if (p->active[j]) add_to(p->base, p->axis[j].log_norm, p->n + 1);
    }
    p->has_base = true;
}

double coord_parzen_log(coord_parzen *p, const double *x)
{
    const size_t n = p->n + 1;
    set_base(p, x);
    memcpy(p->exponent, p->base, n * sizeof *p->exponent);
    for (size_t i = 0; i < p->n_params; i++) {
        const size_t j = p->params[i];
        const axis *a = &p->axis[j];
        if (!p->active[j]) continue;
        const float code = coord_parzen_code(&p->space->param[j], x[j]);
        if (a->kind == AXIS_CHOICES) add_choice(p->exponent, a->at, a->slope, code, n);
        else if (a->in_cells) add_cells(p->exponent, a, code, n);
        else add_normal(p->exponent, a->at, a->slope, (float)unit_of(a, (double)code), n);
    }
    const float top = largest(p->exponent, n);
    subtract(p->exponent, top, n);
    fw_vec_exp(p->exponent, p->exponent, n);
    return (double)top + fw_log_double(sum_of(p->exponent, n));
}
