#include "coordinator/study/samplers/dense.h"

#include <math.h>
#include <string.h>

#include "common/core/targets.h"

FW_TARGETS static double dot(const double *a, const double *b, size_t n)
{
    double part[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++) part[j] += a[i + j] * b[i + j];
    for (size_t j = 0; i < n; i++, j++) part[j] += a[i] * b[i];
    return ((part[0] + part[4]) + (part[2] + part[6])) + ((part[1] + part[5]) + (part[3] + part[7]));
}

double coord_dot(const double *a, const double *b, size_t n)
{
    return dot(a, b, n);
}

FW_TARGETS static void axpy(double *restrict y, double a, const double *restrict x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] += a * x[i];
}

void coord_axpy(double *y, double a, const double *x, size_t n)
{
    axpy(y, a, x, n);
}

/** y += a0 x0 + a1 x1 + a2 x2 + a3 x3, added one after another: y is loaded and stored once in four. */
FW_TARGETS static void axpy4(double *restrict y, const double a[static 4], const double *restrict x0, const double *restrict x1, const double *restrict x2,
                             const double *restrict x3, size_t n)
{
    double a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
    for (size_t i = 0; i < n; i++) y[i] = (((y[i] + a0 * x0[i]) + a1 * x1[i]) + a2 * x2[i]) + a3 * x3[i];
}

/** Row k of U from row k of what is left, which rows before k were taken from. */
static bool finish_row(double *row, size_t k, size_t n)
{
    if (!(row[k] > 0)) return false;
    double root = sqrt(row[k]), inverse = 1 / root;
    row[k] = root;
    for (size_t j = k + 1; j < n; j++) row[j] *= inverse;
    return true;
}

/* Four rows at a time are finished among themselves and then taken from all below in one pass. */
bool coord_cholesky(double *u, size_t n)
{
    for (size_t k = 0; k < n; k += 4) {
        size_t rows = n - k < 4 ? n - k : 4;
        for (size_t q = 0; q < rows; q++) {
            double *row = u + (k + q) * n;
            for (size_t p = 0; p < q; p++) {
                const double *above = u + (k + p) * n;
                axpy(row + k + q, -above[k + q], above + k + q, n - k - q);
            }
            if (!finish_row(row, k + q, n)) return false;
        }
        if (rows < 4) break;
        const double *b = u + k * n;
        for (size_t i = k + 4; i < n; i++) {
            double a[4] = {-b[i], -b[n + i], -b[2 * n + i], -b[3 * n + i]};
            axpy4(u + i * n + i, a, b + i, b + n + i, b + 2 * n + i, b + 3 * n + i, n - i);
        }
    }
    return true;
}

/* Row j of R, from the last row up: u_jj r_j = e_j - sum_{k > j} u_jk r_k. */
void coord_invert_upper(double *r, const double *u, size_t n)
{
    memset(r, 0, n * n * sizeof *r);
    for (size_t j = n; j-- > 0;) {
        double *row = r + j * n, inverse = 1 / u[j * n + j];
        const double *a = u + j * n;
        size_t k = j + 1;
        for (; k + 4 <= n; k += 4) {
            double m[4] = {-a[k], -a[k + 1], -a[k + 2], -a[k + 3]};
            axpy4(row + k, m, r + k * n + k, r + (k + 1) * n + k, r + (k + 2) * n + k, r + (k + 3) * n + k, n - k);
        }
        for (; k < n; k++) axpy(row + k, -a[k], r + k * n + k, n - k);
        for (k = j + 1; k < n; k++) row[k] *= inverse;
        row[j] = inverse;
    }
}

void coord_inverse(double *inverse, const double *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++) inverse[i * n + j] = dot(r + i * n + j, r + j * n + j, n - j);
}

void coord_upper_transposed_times(double *v, const double *r, const double *k, size_t n)
{
    memset(v, 0, n * sizeof *v);
    size_t j = 0;
    for (; j + 4 <= n; j += 4) axpy4(v + j, k + j, r + j * n + j, r + (j + 1) * n + j, r + (j + 2) * n + j, r + (j + 3) * n + j, n - j);
    for (; j < n; j++) axpy(v + j, k[j], r + j * n + j, n - j);
}

void coord_upper_times(double *w, const double *r, const double *v, size_t n)
{
    for (size_t j = 0; j < n; j++) w[j] = dot(r + j * n + j, v + j, n - j);
}

FW_TARGETS static void add_squares(double *restrict out, const double *restrict v, size_t m)
{
    for (size_t c = 0; c < m; c++) out[c] += v[c] * v[c];
}

void coord_lengths(double *out, const double *r, const double *k, size_t n, size_t m, double *v)
{
    memset(out, 0, m * sizeof *out);
    for (size_t i = 0; i < n; i++) {                /* row i of R^T k: column i of R */
        memset(v, 0, m * sizeof *v);
        size_t j = 0;
        for (; j + 4 <= i + 1; j += 4) {
            double a[4] = {r[j * n + i], r[(j + 1) * n + i], r[(j + 2) * n + i], r[(j + 3) * n + i]};
            axpy4(v, a, k + j * m, k + (j + 1) * m, k + (j + 2) * m, k + (j + 3) * m, m);
        }
        for (; j <= i; j++) axpy(v, r[j * n + i], k + j * m, m);
        add_squares(out, v, m);
    }
}

/** Turns the plane (p, q) so that a_pq becomes 0. */
static void rotate(double *a, double *vectors, size_t n, size_t p, size_t q)
{
    double apq = a[p * n + q], theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
    double t = (theta >= 0 ? 1 : -1) / (fabs(theta) + sqrt(theta * theta + 1)), c = 1 / sqrt(t * t + 1), s = t * c;
    for (size_t i = 0; i < n; i++) {
        double x = a[i * n + p], y = a[i * n + q];
        a[i * n + p] = c * x - s * y;
        a[i * n + q] = s * x + c * y;
        x = vectors[i * n + p], y = vectors[i * n + q];
        vectors[i * n + p] = c * x - s * y;
        vectors[i * n + q] = s * x + c * y;
    }
    for (size_t i = 0; i < n; i++) {
        double x = a[p * n + i], y = a[q * n + i];
        a[p * n + i] = c * x - s * y;
        a[q * n + i] = s * x + c * y;
    }
}

void coord_eigen(double *values, double *vectors, double *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) vectors[i * n + j] = i == j;
    for (int sweep = 0; sweep < 50; sweep++) {
        double off = 0, on = 0;
        for (size_t i = 0; i < n; i++) {
            on += a[i * n + i] * a[i * n + i];
            for (size_t j = i + 1; j < n; j++) off += a[i * n + j] * a[i * n + j];
        }
        if (off <= 1e-28 * on) break;
        for (size_t p = 0; p < n; p++)
            for (size_t q = p + 1; q < n; q++)
                if (a[p * n + q] != 0) rotate(a, vectors, n, p, q);
    }
    for (size_t i = 0; i < n; i++) values[i] = a[i * n + i];
}
