/** Small dense matrices of doubles for samplers: Cholesky factor, inverse of a triangle, products with it. Sums run in an order fixed by the sizes, one
 *  thread, no fused operations: the same bits on every CPU. Matrices are square, row-major, (n, n) without gaps. */
#ifndef COORD_STUDY_SAMPLERS_DENSE_H
#define COORD_STUDY_SAMPLERS_DENSE_H

#include <stdbool.h>
#include <stddef.h>

/** sum a_i b_i in 8 partial sums by i mod 8, then a fixed tree. */
double coord_dot(const double *a, const double *b, size_t n);
/** y += a x */
void   coord_axpy(double *y, double a, const double *x, size_t n);

/** K = U^T U in place: of K the upper triangle is read, and replaced by U; the rest is left. false: K is not positive definite, its content is lost.
 *  Cost n^3/3 multiply-adds. */
bool coord_cholesky(double *k, size_t n);
/** R = U^-1, upper triangle; below it zeros. Cost n^3/3. */
void coord_invert_upper(double *r, const double *u, size_t n);
/** K^-1 = R R^T, upper triangle and the diagonal alone. Cost n^3/3. */
void coord_inverse(double *inverse, const double *r, size_t n);

/** v = R^T k (n): K^-1 = R R^T makes k^T K^-1 k = |v|^2. */
void coord_upper_transposed_times(double *v, const double *r, const double *k, size_t n);
/** w = R v (n) */
void coord_upper_times(double *w, const double *r, const double *v, size_t n);
/** The squared lengths of R^T k for m vectors at once: k (n, m) row-major, out (m), v (m) scratch. Cost n^2 m. */
void coord_lengths(double *out, const double *r, const double *k, size_t n, size_t m, double *v);

/** Eigenvalues (n, ascending not promised) and eigenvectors (columns of `vectors`) of a symmetric matrix, which is destroyed: Jacobi's cyclic rotations.
 *  Source  Golub, Van Loan, Matrix Computations (2013), sec. 8.5. Cost some 10 sweeps of 6 n^3. */
void coord_eigen(double *values, double *vectors, double *symmetric, size_t n);

#endif
