#include "common/stats/special.h"

#include <math.h>
#include <stddef.h>

#include "common/stats/dmath.h"

#define HALF_LOG_2PI 0.91893853320467274178
#define PI           3.14159265358979323846
#define STIRLING     10.0      /* from here on Stirling's series with eight terms is exact to 1e-17 */
#define SMALLEST     1e-290    /* stands for 0 in Lentz's rule */

/** ln Gamma(2 + z), |z| <= 1/2:   (1 - gamma) z + sum_{k >= 2} (-1)^k (zeta(k) - 1) / k z^k; the rest after k = 31 is below 1e-19.  Source  DLMF 5.7.3. */
static double log_gamma_near_2(double z)
{
    static const double c[] = {
        0.32246703342411322, -0.067352301053198095, 0.020580808427784548, -0.0073855510286739853, 0.0028905103307415233,
        -0.001192753911703261, 0.00050966952474304242, -0.00022315475845357938, 9.9457512781808534e-5, -4.4926236738133142e-5,
        2.0507212775670692e-5, -9.4394882752683959e-6, 4.3748667899074878e-6, -2.0392157538013662e-6, 9.5514121304074198e-7,
        -4.492469198764566e-7, 2.1207184805554666e-7, -1.00432248239681e-7, 4.7698101693639806e-8, -2.2711094608943165e-8,
        1.0838659214896954e-8, -5.1834750419700467e-9, 2.4836745438024783e-9, -1.1921401405860912e-9, 5.731367241678862e-10,
        -2.7595228851242331e-10, 1.3304764374244489e-10, -6.4229645638381e-11, 3.1044247747322273e-11, -1.5021384080754142e-11,
    };
    double sum = 0;
    for (size_t k = sizeof c / sizeof *c; k-- > 0;) sum = sum * z + c[k];
    return (sum * z + 0.42278433509846713939) * z;
}

/** ln Gamma(x) - ((x - 1/2) ln x - x + ln(2 pi) / 2) for x >= STIRLING.  Source  DLMF 5.11.1. */
static double stirling_rest(double x)
{
    static const double c[] = {1.0 / 12, -1.0 / 360, 1.0 / 1260, -1.0 / 1680, 1.0 / 1188, -691.0 / 360360, 1.0 / 156, -3617.0 / 122400};
    double y = 1 / x, z = y * y, sum = 0;
    for (size_t k = sizeof c / sizeof *c; k-- > 0;) sum = sum * z + c[k];
    return sum * y;
}

/** Gamma(x + 1) = x Gamma(x) leads every x to [3/2, 5/2): upward from below, downward from above. */
double fw_log_gamma(double x)
{
    if (isnan(x) || x <= 0) return NAN;
    if (x >= STIRLING) return isinf(x) ? x : (x - 0.5) * fw_log_double(x) - x + HALF_LOG_2PI + stirling_rest(x);
    if (x < 0.5) return log_gamma_near_2(x) - fw_log_double(x * (x + 1));
    if (x < 1.5) return log_gamma_near_2(x - 1) - fw_log_double(x);
    double product = 1;
    for (; x >= 2.5; x--) product *= x - 1;
    return fw_log_double(product) + log_gamma_near_2(x - 2);
}

/** m - ln(1 + m) for m > -1, with small relative error also near 0: with s = m / (2 + m), ln(1 + m) = 2 (s + s^3/3 + ...), m = s (2 + m). */
static double minus_log1p(double m, double one_plus_m)
{
    if (fabs(m) > 0.3) return m - fw_log_double(one_plus_m);
    double s = m / (2 + m), z = s * s, power = 2 * s * z, sum = m * s;
    for (double k = 3; power != 0 && fabs(power) > 1e-17 * sum * k; k += 2, power *= z) sum -= power / k;
    return sum;
}

/** x^a e^-x / Gamma(a). From STIRLING on sqrt(a / 2 pi) exp(-a (m - ln(1 + m)) - rest), m = (x - a) / a: nothing large is subtracted. */
static double gamma_front(double a, double x)
{
    if (a < STIRLING) return fw_exp_double(a * fw_log_double(x) - x - fw_log_gamma(a));
    return sqrt(a / (2 * PI)) * fw_exp_double(-a * minus_log1p((x - a) / a, x / a) - stirling_rest(a));
}

/** P(a, x) / front = 1/a + x / (a (a + 1)) + ...: all terms positive, falling for x < a + 1. */
static double below_series(double a, double x)
{
    double term = 1 / a, sum = term;
    for (double n = a + 1; term > 1e-17 * sum; n++) sum += term *= x / n;
    return sum;
}

/** Q(a, x) / front = 1 / (x + 1 - a - 1 (1 - a) / (x + 3 - a - 2 (2 - a) / (x + 5 - a - ...))). */
static double above_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1 / SMALLEST, d = 1 / b, value = d, factor = 0;
    for (double i = 1; fabs(factor - 1) > 1e-16 && i < 1e7; i++) {
        double top = -i * (i - a);
        b += 2;
        d = top * d + b;
        d = 1 / (fabs(d) < SMALLEST ? SMALLEST : d);
        c = b + top / c;
        if (fabs(c) < SMALLEST) c = SMALLEST;
        factor = c * d;
        value *= factor;
    }
    return value;
}

double fw_gamma_above(double a, double x)
{
    if (isnan(x) || isnan(a) || a <= 0 || x < 0) return NAN;
    if (x == 0) return 1;
    if (isinf(x)) return 0;
    double front = gamma_front(a, x);
    if (x < a + 1) return 1 - front * below_series(a, x);
    return front == 0 ? 0 : front * above_fraction(a, x);
}

double fw_chi_square_above(double degrees, double x)
{
    if (degrees == 0) return x > 0 ? 0 : 1;
    return fw_gamma_above(degrees / 2, x / 2);
}

/** For small x by Jacobi's identity: 1 - sqrt(2 pi) / x sum_{k odd} exp(-k^2 pi^2 / (8 x^2)). At the border both need four terms. */
double fw_kolmogorov_above(double x)
{
    if (isnan(x)) return NAN;
    if (x <= 0) return 1;
    double sum = 0;
    if (x < 0.82) {
        for (int k = 7; k > 0; k -= 2) sum += fw_exp_double(-k * k * PI * PI / (8 * x * x));
        return 1 - 2.50662827463100050242 / x * sum;
    }
    for (int k = 5; k > 0; k--) sum = fw_exp_double(-2.0 * k * k * x * x) - sum;
    return 2 * sum;
}
