/** exp, log, tanh, erf and friends as polynomials with explicit fma: the same bits on every CPU, which libm does not promise.
 *  Used in training and prediction alike. Errors: <= 4 ulp against libm in the ranges named. Vector forms work element by element. */
#ifndef FW_MODEL_ELEMENTARY_H
#define FW_MODEL_ELEMENTARY_H

#include <stddef.h>

float fw_expf(float x);            /* overflow to +inf, underflow to 0 */
float fw_logf(float x);            /* x > 0 */
float fw_tanhf(float x);
float fw_sigmoidf(float x);
float fw_geluf(float x);           /* tanh form: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) */
float fw_gelu_slopef(float x);

void fw_vec_exp(float *y, const float *x, size_t n);
void fw_vec_tanh(float *y, const float *x, size_t n);
void fw_vec_gelu(float *y, const float *x, size_t n);

/** Row softmax, in place allowed: y (n) from x (n). Subtracts the maximum; the sum runs in 16 partial sums by index mod 16, then a fixed tree. */
void fw_softmax(float *y, const float *x, size_t n);

#endif
