/** Functions of doubles with the same bits on every CPU, which libm does not promise: plain operations in a fixed order, no contraction.
 *  For figures that end up in files whose bits are compared; the float functions of the training path are common/model/elementary.h. */
#ifndef FW_STATS_DMATH_H
#define FW_STATS_DMATH_H

#include <stddef.h>

/** Natural logarithm, error below 1 ulp. log(0) = -inf, log(x < 0) = NaN, log(inf) = inf. */
double fw_log_double(double x);
/** The same for n values with the same bits; in place allowed. */
void fw_vec_log_double(double *y, const double *x, size_t n);

/** e^x, error below 2 ulp. Above 709.78: inf; below -708: 0 (subnormal results are not made); NaN: NaN. */
double fw_exp_double(double x);
/** The same for n values with the same bits; in place allowed. */
void fw_vec_exp_double(double *y, const double *x, size_t n);

/** e^(x^2) erfc(x) for x >= 0, relative error below 1e-15. x < 0 or NaN: NaN. */
double fw_erfcx_double(double x);
/** Share of the standard normal distribution below z, relative error below 1e-13 (of the smaller tail), 0 where that is below 1e-307. */
double fw_normal_below(double z);
/** sin(2 pi u), cos(2 pi u) for u in [0, 1], absolute error below 1e-15. */
void fw_turn(double u, double *sine, double *cosine);

#endif
