/** Functions of doubles with the same bits on every CPU, which libm does not promise: plain operations in a fixed order, no contraction.
 *  For figures that end up in files whose bits are compared; the float functions of the training path are common/model/elementary.h. */
#ifndef FW_STATS_DMATH_H
#define FW_STATS_DMATH_H

/** Natural logarithm, error below 1 ulp. log(0) = -inf, log(x < 0) = NaN, log(inf) = inf. */
double fw_log_double(double x);

#endif
