#include "common/stats/dmath.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "common/core/targets.h"

/** log(x 2^-shift) of a normal x > 0, x = 2^k m with sqrt(1/2) < m <= sqrt(2), f = m - 1, s = f / (2 + f):
 *  log m = 2 atanh(s) = f - (f^2/2 - s (f^2/2 + R(s^2))),  R(z) = z (L1 + L2 z + ... + L7 z^6), |error of R| < 2^-58.
 *  k ln 2 is added in two parts, the high one with 21 trailing zero bits, so that k times it is exact. No branch, so that loops over it become vectors.
 *  Source  P. T. P. Tang's scheme with the coefficients of fdlibm's e_log (Sun Microsystems, 1993). */
static inline double log_of(double x, double shift)
{
    static const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    uint64_t bits = 0, low = 0, exponent = 0;
    memcpy(&bits, &x, sizeof bits);
    low = (bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3fe0000000000000);       /* 1/2 <= m < 1 */
    exponent = bits >> 52 | UINT64_C(0x4330000000000000);                             /* 2^52 + the biased exponent */
    double m = 0, biased = 0;
    memcpy(&m, &low, sizeof m);
    memcpy(&biased, &exponent, sizeof biased);
    double scale = biased - 0x1p52 - 1022 - shift, below = m <= 0.70710678118654752440 ? 1 : 0;
    m += below * m;
    scale -= below;
    double f = m - 1, s = f / (2 + f), z = s * s;
    double r = 1.479819860511658591e-01;
    r = 1.531383769920937332e-01 + z * r;
    r = 1.818357216161805012e-01 + z * r;
    r = 2.222219843214978396e-01 + z * r;
    r = 2.857142874366239149e-01 + z * r;
    r = 3.999999999940941908e-01 + z * r;
    r = 6.666666666666735130e-01 + z * r;
    r = z * r;
    double half = 0.5 * f * f;
    return scale * ln2_high - ((half - (s * (half + r) + scale * ln2_low)) - f);
}

double fw_log_double(double x)
{
    if (x >= DBL_MIN && x <= DBL_MAX) return log_of(x, 0);
    if (isnan(x) || x < 0) return NAN;
    if (x == 0) return -INFINITY;
    return isinf(x) ? x : log_of(x * 0x1p54, 54);
}

FW_TARGETS static void log_all(double *y, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = log_of(x[i], 0);
}

FW_TARGETS static size_t count_normal(const double *x, size_t n)
{
    size_t normal = 0;
    for (size_t i = 0; i < n; i++) normal += x[i] >= DBL_MIN && x[i] <= DBL_MAX;
    return normal;
}

void fw_vec_log_double(double *y, const double *x, size_t n)
{
    if (count_normal(x, n) == n) log_all(y, x, n);
    else
        for (size_t i = 0; i < n; i++) y[i] = fw_log_double(x[i]);
}

/** e^x = 2^k e^r, k = x / ln 2 rounded, |r| <= ln 2 / 2, e^r by Taylor's polynomial of degree 13 (remainder < 5e-18). No branch, so that loops over it become
 *  vectors: adding 1.5 * 2^52 rounds, and leaves k in the low bits. */
static inline double exp_of(double x)
{
    static const double round = 0x1.8p52, ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    double in_range = x < 709.79 ? x : 709.79;
    in_range = in_range > -708 ? in_range : -708;
    double shifted = in_range * 1.4426950408889634074 + round, k = shifted - round;
    double r = (in_range - k * ln2_high) - k * ln2_low;
    double p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r * r + r + 1;
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 1022) << 52;                    /* 2^(k-1): 2^1024 is none */
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    double y = p * scale * 2;
    y = x < -708 ? 0 : y;
    return x != x ? x : y;
}

double fw_exp_double(double x)
{
    return exp_of(x);
}

FW_TARGETS static void exp_all(double *y, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) y[i] = exp_of(x[i]);
}

void fw_vec_exp_double(double *y, const double *x, size_t n)
{
    exp_all(y, x, n);
}

/** (1 + 2x) e^(x^2) erfc(x) as Chebyshev's series in t = (x - 3.75) / (x + 3.75), by Clenshaw's rule.
 *  Source  M. M. Shepherd, J. G. Laframboise, Mathematics of Computation 36 (1981) 249; coefficients computed anew with 40 digits. */
double fw_erfcx_double(double x)
{
    static const double c[25] = {
        2.3551578691348035082,     -0.0045900545806464773309, -0.084249133366517915584,  0.059209939998191890498,   -0.026658668435305752277,
        0.0090749976707050652939,  -0.0024131635404176081909, 0.00049077583652580863229, -0.000069169733025012063671, 4.1390279860730101675e-6,
        7.7403830661984906686e-7,  -2.1886401049234395661e-7, 1.0764999465670910377e-8,  4.5219598112182868979e-9,  -7.7544002088313511065e-10,
        -6.3180883408866844944e-11, 2.8687950109306698981e-11, 1.945586854577734723e-13, -9.6546967484334389059e-13, 3.2525481481487398415e-14,
        3.3478119482868053878e-14, -1.8645628804193131015e-15, -1.2507950530688647085e-15, 7.4182352566240434632e-17, 5.0681489047961113169e-17,
    };
    if (!(x >= 0)) return NAN;
    if (isinf(x)) return 0;
    double t = (x - 3.75) / (x + 3.75), b = 0, before = 0;
    for (int i = 24; i > 0; i--) {
        double next = 2 * t * b - before + c[i];
        before = b;
        b = next;
    }
    return (t * b - before + 0.5 * c[0]) / (1 + 2 * x);
}

double fw_normal_below(double z)
{
    if (isnan(z)) return z;
    double tail = isinf(z) ? 0 : 0.5 * fw_exp_double(-0.5 * z * z) * fw_erfcx_double(fabs(z) * 0.70710678118654752440);
    return z <= 0 ? tail : 1 - tail;
}

/** Quarter turns by symmetry, the rest, |angle| <= pi/4, by Taylor's polynomials (remainders < 1e-17). */
void fw_turn(double u, double *sine, double *cosine)
{
    double quarter = floor(4 * u + 0.5), a = (u - 0.25 * quarter) * 6.28318530717958647693, z = a * a;
    double s = a * (1 - z / 6 * (1 - z / 20 * (1 - z / 42 * (1 - z / 72 * (1 - z / 110 * (1 - z / 156 * (1 - z / 210 * (1 - z / 272))))))));
    double c = 1 - z / 2 * (1 - z / 12 * (1 - z / 30 * (1 - z / 56 * (1 - z / 90 * (1 - z / 132 * (1 - z / 182 * (1 - z / 240)))))));
    int place = (int)quarter & 3;
    *sine = place == 0 ? s : place == 1 ? c : place == 2 ? -s : -c;
    *cosine = place == 0 ? c : place == 1 ? -s : place == 2 ? -c : s;
}
