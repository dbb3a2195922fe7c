#include "coordinator/study/samplers/gp_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/targets.h"
#include "common/stats/dmath.h"
#include "coordinator/study/samplers/dense.h"
#include "coordinator/study/samplers/lbfgs.h"

#define MAX_THETA (COORD_GP_MAX_DIMENSIONS + 3)

static void bounds(const coord_gp *gp, double *low, double *high)
{
    for (size_t i = 0; i < gp->d + 3; i++) {
        low[i] = i < gp->d ? -5 : i == gp->d + 1 ? -18.5 : -6;       /* lengths from 0.007; noise from 1e-8 */
        high[i] = i < gp->d ? 7 : i == gp->d + 1 ? 1 : 6;
    }
}

fw_status coord_gp_create(coord_gp **out, size_t d, const bool *choice, size_t capacity, fw_error *err)
{
    if (d == 0 || d > COORD_GP_MAX_DIMENSIONS || capacity == 0 || capacity > COORD_GP_MAX_POINTS)
        return fw_fail(err, FW_ERR_ARG, "gaussian process: %zu coordinates and %zu points; it takes 1 to %d and 1 to %d", d, capacity, COORD_GP_MAX_DIMENSIONS, COORD_GP_MAX_POINTS);
    FW_AUTO(coord_gp) *gp = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&gp, 1, sizeof *gp, "gaussian process", err));
    *gp = (coord_gp){.d = d, .capacity = capacity, .choice = choice, .prior = {.length_sd = 1, .spread = 1, .noise = -6, .noise_sd = 3}};
    struct { double **to; size_t n; } parts[] = {
        {&gp->x, d * capacity}, {&gp->y, capacity}, {&gp->theta, d + 3}, {&gp->r, capacity * capacity}, {&gp->alpha, capacity},
        {&gp->kernel, capacity * capacity}, {&gp->slope, capacity * capacity}, {&gp->row, 8 * capacity + 8}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) FW_TRY(fw_alloc_zeroed((void **)parts[i].to, parts[i].n, sizeof(double), "gaussian process", err));
    *out = gp;
    gp = NULL;
    return FW_OK;
}

void coord_gp_destroy(coord_gp **gp)
{
    if (*gp == NULL) return;
    double *parts[] = {(*gp)->x, (*gp)->y, (*gp)->theta, (*gp)->r, (*gp)->alpha, (*gp)->kernel, (*gp)->slope, (*gp)->row};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) free(parts[i]);
    free(*gp);
    *gp = NULL;
}

static double length_centre(const coord_gp *gp)
{
    return gp->prior.length + 0.5 * fw_log_double((double)gp->d);
}

void coord_gp_prior_mode(const coord_gp *gp, double *theta)
{
    for (size_t i = 0; i < gp->d; i++) theta[i] = length_centre(gp);
    theta[gp->d] = theta[gp->d + 2] = 0;
    theta[gp->d + 1] = gp->prior.noise;
}

/** r2[j] += (x[j] - at)^2 weight */
FW_TARGETS static void add_distances(double *restrict r2, const double *restrict x, double at, double weight, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        double t = x[j] - at;
        r2[j] += t * t * weight;
    }
}

FW_TARGETS static void add_mismatches(double *restrict r2, const double *restrict x, double at, double weight, size_t n)
{
    for (size_t j = 0; j < n; j++) r2[j] += x[j] == at ? 0 : weight;
}

static void add_coordinate(const coord_gp *gp, size_t k, double *r2, const double *x, double at, double weight, size_t n)
{
    (gp->choice[k] ? add_mismatches : add_distances)(r2, x, at, weight, n);
}

FW_TARGETS static void minus_roots(double *restrict a, const double *restrict r2, size_t n)
{
    for (size_t j = 0; j < n; j++) a[j] = -__builtin_sqrt(5 * r2[j]);
}

/** From minus_a and e^-a: the kernel, and with slope -dk / d(r2 / 2): of which -dk/dx_k = slope t_k / l_k^2. */
FW_TARGETS static void matern(double *restrict k, double *restrict slope, const double *restrict minus_a, const double *restrict e, double s2, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        double a = -minus_a[j];
        k[j] = s2 * ((1 + a + a * a * (1.0 / 3)) * e[j]);
        slope[j] = s2 * (5.0 / 3) * ((1 + a) * e[j]);
    }
}

static void inverse_squares(double *weight, const double *theta, size_t d)
{
    for (size_t k = 0; k < d; k++) weight[k] = fw_exp_double(-2 * theta[k]);
}

/** Kernel and slopes between `at` (coordinate k at at[k * stride]) and m points, point j's coordinate k at x[k * ld + j]. scratch (2 m). */
static void kernel_row(const coord_gp *gp, const double *theta, const double *weight, const double *at, size_t stride, const double *x, size_t ld, size_t m, double *k_out,
                       double *slope, double *scratch)
{
    double *r2 = scratch, *a = scratch + m;
    memset(r2, 0, m * sizeof *r2);
    for (size_t k = 0; k < gp->d; k++) add_coordinate(gp, k, r2, x + k * ld, at[k * stride], weight[k], m);
    minus_roots(a, r2, m);
    fw_vec_exp_double(r2, a, m);
    matern(k_out, slope, a, r2, fw_exp_double(theta[gp->d]), m);
}

/** K to gp->kernel and the slopes, upper triangles. */
static void kernel_matrix(coord_gp *gp, const double *theta, const double *weight, double noise)
{
    size_t n = gp->n;
    for (size_t i = 0; i < n; i++) {
        kernel_row(gp, theta, weight, gp->x + i, n, gp->x + i, n, n - i, gp->kernel + i * n + i, gp->slope + i * n + i, gp->row);
        gp->kernel[i * n + i] += noise;
    }
}

/** alpha = R R^T (y - mean) */
static void solve(coord_gp *gp, double mean)
{
    double *residual = gp->row, *v = gp->row + gp->n;
    for (size_t i = 0; i < gp->n; i++) residual[i] = gp->y[i] - mean;
    coord_upper_transposed_times(v, gp->r, residual, gp->n);
    coord_upper_times(gp->alpha, gp->r, v, gp->n);
}

/** sum_j w[j] (x[j] - at)^2 */
FW_TARGETS static void weigh_distances(double *restrict out, const double *restrict w, const double *restrict x, double at, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        double t = x[j] - at;
        out[j] = w[j] * (t * t);
    }
}

FW_TARGETS static void weigh_mismatches(double *restrict out, const double *restrict w, const double *restrict x, double at, size_t n)
{
    for (size_t j = 0; j < n; j++) out[j] = x[j] == at ? 0 : w[j];
}

FW_TARGETS static void add(double *restrict sum, const double *restrict x, size_t n)
{
    for (size_t j = 0; j < n; j++) sum[j] += x[j];
}

/** g_k += -sum_{i < j} W_ij dK_ij / d ln l_k with W = alpha alpha^T - K^-1, K^-1 in gp->kernel. */
static void length_gradient(coord_gp *gp, const double *weight, double *g)
{
    size_t n = gp->n;
    double *w = gp->row, *term = gp->row + n, *sum = gp->row + 2 * n;
    for (size_t i = 0; i < n; i++) {
        const double *inverse = gp->kernel + i * n, *slope = gp->slope + i * n;
        for (size_t j = i + 1; j < n; j++) w[j] = (gp->alpha[i] * gp->alpha[j] - inverse[j]) * slope[j];
        size_t rest = n - i - 1;
        for (size_t k = 0; k < gp->d; k++) {
            const double *x = gp->x + k * n;
            (gp->choice[k] ? weigh_mismatches : weigh_distances)(term, w + i + 1, x + i + 1, x[i], rest);
            memset(sum, 0, 8 * sizeof *sum);
            size_t j = 0;
            for (; j + 8 <= rest; j += 8) add(sum, term + j, 8);
            for (size_t q = 0; j < rest; j++, q++) sum[q] += term[j];
            g[k] -= weight[k] * (((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7])));
        }
    }
}

/** 0.5 ((t - centre) / sd)^2, its slope added to *g. */
static double normal_term(double t, double centre, double sd, double *g)
{
    double z = (t - centre) / sd;
    *g += z / sd;
    return 0.5 * z * z;
}

static double add_prior(const coord_gp *gp, const double *theta, double *g)
{
    const coord_gp_prior *p = &gp->prior;
    size_t d = gp->d;
    double mean = 0, of_mean = 0, loss = 0;
    for (size_t i = 0; i < d; i++) mean += theta[i] / (double)d;
    loss += normal_term(mean, length_centre(gp), p->length_sd, &of_mean);
    for (size_t i = 0; i < d; i++) {
        g[i] += of_mean / (double)d;
        loss += normal_term(theta[i], mean, p->spread, &g[i]);       /* the slopes by the mean sum up to 0 */
    }
    loss += normal_term(theta[d], 0, 1, &g[d]);
    loss += normal_term(theta[d + 1], p->noise, p->noise_sd, &g[d + 1]);
    return loss + normal_term(theta[d + 2], 0, 1, &g[d + 2]);
}

double coord_gp_loss(coord_gp *gp, const double *theta, double *g)
{
    size_t n = gp->n, d = gp->d;
    double weight[COORD_GP_MAX_DIMENSIONS], noise = fw_exp_double(theta[d + 1]);
    inverse_squares(weight, theta, d);
    kernel_matrix(gp, theta, weight, noise);
    if (!coord_cholesky(gp->kernel, n)) return INFINITY;
    double half_log_determinant = 0;
    for (size_t i = 0; i < n; i++) half_log_determinant += fw_log_double(gp->kernel[i * n + i]);
    coord_invert_upper(gp->r, gp->kernel, n);
    solve(gp, theta[d + 2]);
    coord_inverse(gp->kernel, gp->r, n);

    double fit = 0, trace = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        fit += (gp->y[i] - theta[d + 2]) * gp->alpha[i];
        trace += gp->alpha[i] * gp->alpha[i] - gp->kernel[i * n + i];
        sum += gp->alpha[i];
    }
    memset(g, 0, (d + 3) * sizeof *g);
    length_gradient(gp, weight, g);
    g[d] = -0.5 * (fit - (double)n - noise * trace);       /* tr(W (K - noise)), K alpha = y - mean */
    g[d + 1] = -0.5 * noise * trace;
    g[d + 2] = -sum;
    return 0.5 * fit + half_log_determinant + 0.91893853320467274178 * (double)n + add_prior(gp, theta, g);
}

static double loss_of(void *gp, const double *theta, double *g)
{
    return coord_gp_loss(gp, theta, g);
}

double coord_gp_fit(coord_gp *gp, double *theta, int evaluations)
{
    double low[MAX_THETA], high[MAX_THETA];
    bounds(gp, low, high);
    for (size_t i = 0; i < gp->d + 3; i++) theta[i] = fmin(fmax(theta[i], low[i]), high[i]);
    return coord_lbfgs(theta, loss_of, gp, &(coord_lbfgs_opts){.n = gp->d + 3, .low = low, .high = high, .max_evaluations = evaluations, .tolerance = 1e-3});
}

void coord_gp_factor(coord_gp *gp, const double *theta)
{
    double weight[COORD_GP_MAX_DIMENSIONS];
    memcpy(gp->theta, theta, (gp->d + 3) * sizeof *theta);
    inverse_squares(weight, theta, gp->d);
    for (double noise = fw_exp_double(theta[gp->d + 1]);; noise = 10 * noise + 1e-12) {
        kernel_matrix(gp, theta, weight, noise);
        if (coord_cholesky(gp->kernel, gp->n)) break;
    }
    coord_invert_upper(gp->r, gp->kernel, gp->n);
    solve(gp, theta[gp->d + 2]);
}

/** out_k = -weight_k sum_j c_j (x_k - x_kj): the gradient of sum_j c_j/slope_j k_j. */
static void pull(const coord_gp *gp, const double *weight, const double *x, const double *c, double *out)
{
    double total = 0;
    for (size_t j = 0; j < gp->n; j++) total += c[j];
    for (size_t k = 0; k < gp->d; k++) out[k] = gp->choice[k] ? 0 : -weight[k] * (x[k] * total - coord_dot(c, gp->x + k * gp->n, gp->n));
}

coord_gp_at coord_gp_predict(coord_gp *gp, const double *x, double *dmean, double *dsd)
{
    size_t n = gp->n;
    double weight[COORD_GP_MAX_DIMENSIONS], *k = gp->row + 2 * n, *slope = gp->row + 3 * n, *v = gp->row + 4 * n, *w = gp->row + 5 * n;
    inverse_squares(weight, gp->theta, gp->d);
    kernel_row(gp, gp->theta, weight, x, 1, gp->x, n, n, k, slope, gp->row);
    coord_upper_transposed_times(v, gp->r, k, n);
    double s2 = fw_exp_double(gp->theta[gp->d]), variance = s2 - coord_dot(v, v, n);
    coord_gp_at at = {gp->theta[gp->d + 2] + coord_dot(k, gp->alpha, n), sqrt(fmax(variance, 1e-12 * s2))};
    if (dmean == NULL) return at;
    coord_upper_times(w, gp->r, v, n);
    for (size_t j = 0; j < n; j++) {
        v[j] = gp->alpha[j] * slope[j];
        w[j] *= -slope[j] / at.sd;                 /* d sd = -k^T K^-1 dk / sd */
    }
    pull(gp, weight, x, v, dmean);
    pull(gp, weight, x, w, dsd);
    return at;
}

void coord_gp_predict_many(coord_gp *gp, const double *x, size_t m, double *mean, double *sd, double *scratch)
{
    size_t n = gp->n;
    double weight[COORD_GP_MAX_DIMENSIONS], *k = scratch, *work = scratch + n * m, s2 = fw_exp_double(gp->theta[gp->d]);
    inverse_squares(weight, gp->theta, gp->d);
    for (size_t c = 0; c < m; c++) mean[c] = gp->theta[gp->d + 2];
    for (size_t i = 0; i < n; i++) {
        kernel_row(gp, gp->theta, weight, gp->x + i, n, x, m, m, k + i * m, sd, work);
        coord_axpy(mean, gp->alpha[i], k + i * m, m);
    }
    coord_lengths(sd, gp->r, k, n, m, work);
    for (size_t c = 0; c < m; c++) sd[c] = sqrt(fmax(s2 - sd[c], 1e-12 * s2));
}
