#include "common/stats/dmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/** log x with x = 2^k m, sqrt(1/2) < m <= sqrt(2), f = m - 1, s = f / (2 + f):
 *  log m = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + R(s^2))),  R(z) = z (L1 + L2 z + ... + L7 z^6), |error of R| < 2^-58.
 *  k ln 2 is added in two parts, the high one with 21 trailing zero bits, so that k times it is exact.
 *  Source  P. T. P. Tang's scheme with the coefficients of fdlibm's e_log (Sun Microsystems, 1993). */
double fw_log_double(double x)
{
    static const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    static const double coefficient[7] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
                                          1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01};
    if (isnan(x) || x < 0) return NAN;
    if (x == 0) return -INFINITY;
    if (isinf(x)) return x;

    int k = 0;
    double m = frexp(x, &k);                       /* exact: 1/2 <= m < 1, subnormals included */
    if (m <= 0.70710678118654752440) {
        m *= 2;
        k--;
    }
    double f = m - 1, s = f / (2 + f), z = s * s, r = 0;
    for (int i = 6; i >= 0; i--) r = z * (coefficient[i] + r);
    double half = 0.5 * f * f, scale = (double)k;
    return scale * ln2_high - ((half - (s * (half + r) + scale * ln2_low)) - f);
}
