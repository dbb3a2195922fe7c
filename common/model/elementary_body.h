/** The polynomials, included once per instruction set. Not a header of its own: the including file defines TARGET, LANES, KERNELS (the
 *  table's name), NAME, and FMA(a, b, c), one rounding, on `vec`. Everything else is +, -, *, / and comparisons of vectors, which IEEE 754 fixes
 *  to the bit, so that all instruction sets agree. Sources of exp, log and tanh: Cephes (Moshier), expf.c, logf.c, tanhf.c; here with fma. */

#include <math.h>
#include <string.h>

typedef int32_t ivec __attribute__((vector_size(LANES * 4)));

#define INLINE static inline __attribute__((always_inline)) TARGET

INLINE vec splat(float x) { return x - (vec){0}; }
INLINE ivec isplat(int32_t x) { return x - (ivec){0}; }
INLINE vec choose(ivec mask, vec yes, vec no) { return (vec)((mask & (ivec)yes) | (~mask & (ivec)no)); }
INLINE vec magnitude(vec x) { return (vec)((ivec)x & isplat(0x7fffffff)); }
INLINE vec at_least(vec x, float low) { return choose(x < splat(low), splat(low), x); }       /* NaN stays */
INLINE vec at_most(vec x, float high) { return choose(x > splat(high), splat(high), x); }
INLINE vec step(vec p, vec x, float coefficient) { return FMA(p, x, splat(coefficient)); }      /* of Horner's scheme */
INLINE vec power_of_two(ivec e) { return (vec)((e + isplat(127)) << 23); }                     /* -126 <= e <= 127 */

/* exp(x) = 2^k exp(r), k = round(x / ln 2), |r| <= ln 2 / 2, exp(r) = 1 + r + r^2 P(r). 2^k is applied in two halves: the result may lie below the
 * normal range, and the only rounding there is the last product's. */
INLINE vec v_exp(vec x)
{
    const vec magic = splat(12582912.0f);                   /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
    const vec within = at_most(at_least(x, -104.0f), 89.0f);
    const vec shifted = FMA(within, splat(1.44269504088896341f), magic);
    const vec k = shifted - magic;
    const ivec e = (ivec)shifted - (ivec)magic;
    const vec r = FMA(k, splat(2.12194440e-4f), FMA(k, splat(-0.693359375f), within));
    vec p = step(splat(1.9875691500e-4f), r, 1.3981999507e-3f);
    p = step(p, r, 8.3334519073e-3f);
    p = step(p, r, 4.1665795894e-2f);
    p = step(p, r, 1.6666665459e-1f);
    p = step(p, r, 5.0000001201e-1f);
    p = FMA(p, r * r, r) + splat(1.0f);
    const ivec half = e >> 1;
    const vec y = p * power_of_two(half) * power_of_two(e - half);
    return choose(x != x, x, y);
}

/* log(x) = e ln 2 + log(m), m = 1 + f in [sqrt(1/2), sqrt(2)), log(1 + f) = f - f^2/2 + f^3 P(f). */
INLINE vec v_log(vec x)
{
    const ivec tiny = x < splat(1.17549435e-38f);           /* below the normal range: scaled up first */
    const ivec bits = (ivec)choose(tiny, x * splat(8388608.0f), x);
    ivec e = ((bits >> 23) & isplat(0xff)) - isplat(126) - (tiny & isplat(23));
    vec m = (vec)((bits & isplat(0x007fffff)) | isplat(0x3f000000));       /* [1/2, 1) */
    const ivec low = m < splat(0.707106781186547524f);
    e += low;                                                /* a true comparison is -1 */
    const vec f = m + choose(low, m, splat(0.0f)) - splat(1.0f);
    const vec z = f * f;
    vec p = step(splat(7.0376836292e-2f), f, -1.1514610310e-1f);
    p = step(p, f, 1.1676998740e-1f);
    p = step(p, f, -1.2420140846e-1f);
    p = step(p, f, 1.4249322787e-1f);
    p = step(p, f, -1.6668057665e-1f);
    p = step(p, f, 2.0000714765e-1f);
    p = step(p, f, -2.4999993993e-1f);
    p = step(p, f, 3.3333331174e-1f);
    const vec n = __builtin_convertvector(e, vec);
    vec y = FMA(n, splat(-2.12194440e-4f), p * f * z);
    y = FMA(splat(-0.5f), z, y);
    y = FMA(n, splat(0.693359375f), f + y);
    y = choose(x == splat(INFINITY), x, y);
    y = choose(x == splat(0.0f), splat(-INFINITY), y);
    y = choose(x < splat(0.0f), splat(NAN), y);
    return choose(x != x, x, y);
}

/* |x| < 0.625: x + x^3 P(x^2); else sign(x) (1 - 2 / (exp(2 |x|) + 1)). */
INLINE vec v_tanh(vec x)
{
    const vec a = magnitude(x), z = x * x;
    vec p = step(splat(-5.70498872745e-3f), z, 2.06390887954e-2f);
    p = step(p, z, -5.37397155531e-2f);
    p = step(p, z, 1.33314422036e-1f);
    p = step(p, z, -3.33332819422e-1f);
    const vec small = FMA(p * z, x, x);
    const vec large = splat(1.0f) - splat(2.0f) / (v_exp(a + a) + splat(1.0f));
    const vec y = choose(a < splat(0.625f), small, large);
    const vec with_sign = (vec)((ivec)y | ((ivec)x & isplat((int32_t)0x80000000u)));
    return choose(x != x, x, with_sign);
}

/* 1 / (1 + exp(-x)) for x >= 0, exp(x) / (1 + exp(x)) below: nothing overflows. */
INLINE vec v_sigmoid(vec x)
{
    const vec e = v_exp(-magnitude(x));
    const vec y = choose(x < splat(0.0f), e, splat(1.0f)) / (splat(1.0f) + e);
    return choose(x != x, x, y);
}

/* exp(-v), v = 2 sqrt(2/pi) (x + 0.044715 x^3) = x (A + B x^2), with v carried in two floats: exp would magnify its rounding |v| times. */
INLINE vec exp_minus_gelu_argument(vec x)
{
    const vec a_high = splat(1.59576916f), a_low = splat(-4.53406804e-8f), b = splat(0.0713548163f), b_low = splat(2.39883240e-9f);
    const vec s = x * x, s_low = FMA(x, x, -s);
    const vec t = b * s, t_low = FMA(b, s_low, FMA(b_low, s, FMA(b, s, -t)));
    const vec q = a_high + t, tail = q - a_high;
    const vec q_low = ((a_high - (q - tail)) + (t - tail)) + (t_low + a_low);      /* exact sum of two (Knuth), and what was lost before */
    const vec v = x * q, v_low = FMA(x, q_low, FMA(x, q, -v));
    const vec e = v_exp(-v);
    return choose(e == splat(INFINITY), e, FMA(-e, v_low, e));
}

/* 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u)): no cancellation for negative x. Below about -10 the result is -0 (exp has overflowed). */
INLINE vec v_gelu(vec x)
{
    const vec within = at_most(at_least(x, -16.0f), 16.0f);
    const vec y = at_least(x, -16.0f) / (splat(1.0f) + exp_minus_gelu_argument(within));
    return choose(x != x, x, y);
}

/* d/dx x s(v) = s + x s (1 - s) v', s = 1 / (1 + e), 1 - s = e / (1 + e), v' = A + 3 B x^2. */
INLINE vec v_gelu_slope(vec x)
{
    const vec within = at_most(at_least(x, -9.0f), 9.0f);   /* 0 and 1 to all digits beyond */
    const vec e = exp_minus_gelu_argument(within), s = splat(1.0f) / (splat(1.0f) + e);
    const vec slope = FMA(splat(0.214064449f), within * within, splat(1.59576916f));
    const vec y = FMA(within * s * (e * s), slope, s);
    return choose(x != x, x, y);
}

/* Whole vectors, then the rest in a vector filled up with zeros: an element's bits do not depend on its place. */
#define EACH(function, body)                                                                        \
    static TARGET void function(float *y, const float *x, size_t n)                                 \
    {                                                                                               \
        for (; n >= LANES; n -= LANES, x += LANES, y += LANES) {                                    \
            vec v;                                                                                  \
            memcpy(&v, x, sizeof v);                                                                \
            v = body(v);                                                                            \
            memcpy(y, &v, sizeof v);                                                                \
        }                                                                                           \
        if (n > 0) {                                                                                \
            vec v = splat(0.0f);                                                                    \
            memcpy(&v, x, n * sizeof *x);                                                           \
            v = body(v);                                                                            \
            memcpy(y, &v, n * sizeof *y);                                                           \
        }                                                                                           \
    }

EACH(each_exp, v_exp)
EACH(each_log, v_log)
EACH(each_tanh, v_tanh)
EACH(each_sigmoid, v_sigmoid)
EACH(each_gelu, v_gelu)
EACH(each_gelu_slope, v_gelu_slope)

#define PARTS 16u
static TARGET void softmax(float *y, const float *x, size_t n)
{
    if (n == 0) return;
    float top = x[0];
    for (size_t i = 1; i < n; i++) top = x[i] > top ? x[i] : top;
    for (size_t i = 0; i < n; i++) y[i] = x[i] - top;
    each_exp(y, y, n);
    float part[PARTS] = {0};
    size_t i = 0;
    for (; i + PARTS <= n; i += PARTS)
        for (size_t l = 0; l < PARTS; l++) part[l] += y[i + l];
    for (size_t l = 0; i + l < n; l++) part[l] += y[i + l];
    for (size_t width = PARTS / 2; width > 0; width /= 2)
        for (size_t l = 0; l < width; l++) part[l] += part[l + width];
    for (i = 0; i < n; i++) y[i] = y[i] / part[0];
}

const fw_elementary_kernels KERNELS = {NAME, each_exp, each_log, each_tanh, each_sigmoid, each_gelu, each_gelu_slope, softmax};
