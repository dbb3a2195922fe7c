/** exp, log, tanh and friends as polynomials with explicit fma: the same bits on every CPU, which libm does not promise.
 *  Used in training and prediction alike. Errors: <= 4 ulp in the ranges named. Vector forms work element by element, in place allowed, and
 *  give the bits of the scalar ones. NaN gives NaN. */
#ifndef FW_MODEL_ELEMENTARY_H
#define FW_MODEL_ELEMENTARY_H

#include <stddef.h>

float fw_expf(float x);            /* overflow to +inf, gradual underflow to 0 */
float fw_logf(float x);            /* x > 0; 0: -inf; below: NaN */
float fw_tanhf(float x);
float fw_sigmoidf(float x);
float fw_geluf(float x);           /* tanh form: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))); below about -10: -0 */
float fw_gelu_slopef(float x);     /* its derivative, which crosses 0: |error| <= 4e-7 */

void fw_vec_exp(float *y, const float *x, size_t n);
void fw_vec_log(float *y, const float *x, size_t n);
void fw_vec_tanh(float *y, const float *x, size_t n);
void fw_vec_sigmoid(float *y, const float *x, size_t n);
void fw_vec_gelu(float *y, const float *x, size_t n);
void fw_vec_gelu_slope(float *y, const float *x, size_t n);

/** Row softmax, in place allowed: y (n) from x (n). Subtracts the maximum; the sum runs in 16 partial sums by index mod 16, then a fixed tree. */
void fw_softmax(float *y, const float *x, size_t n);

#endif
