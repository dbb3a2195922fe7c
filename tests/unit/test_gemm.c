/* Every kernel gives the bits of the plain fmaf loop, fw_gemm_reference; that loop agrees with OpenBLAS, whose bits are others. */
#include <cblas.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/size.h"
#include "common/model/gemm.h"

static const char *const kernels[] = {"avx512", "avx2", "portable"};
#define N_KERNELS (sizeof kernels / sizeof kernels[0])
#define MAX_FLOATS (1u << 20)
#define GUARD 1234.5f

static uint64_t state = 1;
static uint32_t draw(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

/* Mixed magnitudes and signs, so that a changed order of the sum changes the bits. */
static void fill(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const float magnitude = (float)(1u << (draw() % 20u));
        x[i] = ((float)(draw() % 20001u) - 10000.0f) / 7919.0f * magnitude;
        if (draw() % 50u == 0) x[i] = 0.0f;
    }
}

typedef struct fixture { float *a, *b, *bias, *expected, *actual; } fixture;

static int setup(void **context)
{
    fixture *f = calloc(1, sizeof *f);
    float **fields[] = {&f->a, &f->b, &f->bias, &f->expected, &f->actual};
    for (size_t i = 0; i < 5; i++) *fields[i] = aligned_alloc(FW_ALIGN, MAX_FLOATS * sizeof(float));
    fill(f->a, MAX_FLOATS);
    fill(f->b, MAX_FLOATS);
    fill(f->bias, MAX_FLOATS);
    *context = f;
    return 0;
}

static int teardown(void **context)
{
    fixture *f = *context;
    free(f->a); free(f->b); free(f->bias); free(f->expected); free(f->actual);
    free(f);
    return 0;
}

typedef struct shape { size_t m, n, k, pad_a, pad_b, pad_c, shift; int bias; } shape;

static const char *const forms[] = {[FW_GEMM_AB] = "A B", [FW_GEMM_ATB] = "A' B", [FW_GEMM_ABT] = "A B'"};
#define N_FORMS (sizeof forms / sizeof forms[0])

static void run_fastest(const fw_gemm_args *g)
{
    if (g->form == FW_GEMM_AB) fw_gemm(g->m, g->n, g->k, g->a, g->lda, g->b, g->ldb, g->bias, g->c, g->ldc);
    else if (g->form == FW_GEMM_ATB) fw_gemm_ta(g->m, g->n, g->k, g->a, g->lda, g->b, g->ldb, g->c, g->ldc);
    else fw_gemm_tb(g->m, g->n, g->k, g->a, g->lda, g->b, g->ldb, g->c, g->ldc);
}

static void compare(fixture *f, const shape *s, fw_gemm_form form)
{
    const size_t lda = (form == FW_GEMM_ATB ? s->m : s->k) + s->pad_a, ldb = (form == FW_GEMM_ABT ? s->k : s->n) + s->pad_b, ldc = s->n + s->pad_c;
    const size_t a_rows = form == FW_GEMM_ATB ? s->k : s->m, b_rows = form == FW_GEMM_ABT ? s->n : s->k;
    assert_true(a_rows * lda + s->shift < MAX_FLOATS && b_rows * ldb + s->shift < MAX_FLOATS && s->m * ldc + s->shift < MAX_FLOATS);
    fw_gemm_args g = {form, s->m, s->n, s->k, f->a + s->shift, lda, f->b + s->shift, ldb, s->bias && form == FW_GEMM_AB ? f->bias + s->shift : NULL,
                      f->expected + s->shift, ldc};
    const size_t bytes = (s->m * ldc + s->shift + 16) * sizeof(float);
    for (size_t i = 0; i < bytes / sizeof(float); i++) f->expected[i] = GUARD;
    fw_gemm_reference(&g);
    g.c = f->actual + s->shift;
    for (size_t q = 0; q <= N_KERNELS; q++) {
        for (size_t i = 0; i < bytes / sizeof(float); i++) f->actual[i] = GUARD;       /* what lies between and behind the rows must stay */
        if (q == N_KERNELS) run_fastest(&g);
        else if (!fw_gemm_named(kernels[q], &g)) continue;
        if (memcmp(f->expected, f->actual, bytes) != 0)
            fail_msg("%s of %s differs from the reference at m=%zu n=%zu k=%zu shift=%zu bias=%d", forms[form], q < N_KERNELS ? kernels[q] : "fw_gemm",
                     s->m, s->n, s->k, s->shift, s->bias);
    }
}

static void compare_all(fixture *f, const shape *s)
{
    for (size_t form = 0; form < N_FORMS; form++) compare(f, s, (fw_gemm_form)form);
}

static void gives_the_reference_bits_for_every_small_shape(void **context)
{
    for (size_t m = 1; m <= 26; m++)
        for (size_t n = 1; n <= 36; n++) {
            const shape s = {m, n, 1 + draw() % 40u, draw() % 4u, draw() % 4u, draw() % 4u, draw() % 17u, (int)(draw() % 2u)};
            compare_all(*context, &s);
        }
}

static void gives_the_reference_bits_for_large_shapes(void **context)
{
    static const shape shapes[] = {
        {48, 64, 256, 0, 0, 0, 0, 1},  {49, 65, 257, 1, 0, 3, 1, 1},   {128, 256, 784, 0, 0, 0, 0, 1}, {1, 257, 784, 0, 0, 0, 3, 1},
        {1, 128, 600, 0, 5, 0, 0, 0},  {300, 1, 108, 0, 0, 0, 0, 1},   {256, 10, 128, 0, 0, 0, 0, 1},  {61, 33, 513, 3, 2, 1, 7, 0},
        {100, 100, 1000, 0, 0, 0, 0, 1}, {47, 96, 511, 0, 0, 0, 0, 0}, {2, 300, 512, 0, 0, 0, 0, 1},   {97, 31, 1024, 0, 1, 0, 5, 1},
        {100, 10, 600, 0, 0, 0, 0, 0}, {33, 12, 300, 1, 1, 1, 2, 0},   {70, 5, 520, 2, 0, 3, 1, 0},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) compare_all(*context, &shapes[i]);
}

static void an_empty_sum_is_the_bias(void **context)
{
    for (int bias = 0; bias < 2; bias++) {
        const shape s = {5, 19, 0, 0, 0, 0, 0, bias};
        compare_all(*context, &s);
    }
    const shape nothing[] = {{0, 5, 3, 0, 0, 0, 0, 0}, {5, 0, 3, 0, 0, 0, 0, 0}};
    for (size_t i = 0; i < 2; i++) compare_all(*context, &nothing[i]);
}

/* Law 3: the rows [first, first + count) alone give the bits they have within the whole batch. */
static void a_slice_of_the_rows_gives_the_same_bits(void **context)
{
    fixture *f = *context;
    enum { M = 150, N = 45, K = 300 };
    fw_gemm(M, N, K, f->a, K, f->b, N, f->bias, f->expected, N);
    for (size_t i = 0; i < 60; i++) {
        const size_t first = draw() % M, count = 1 + draw() % (M - first);
        fw_gemm(count, N, K, f->a + first * K, K, f->b, N, f->bias, f->actual, N);
        assert_memory_equal(f->actual, f->expected + first * N, count * N * sizeof(float));
    }
}

/* OpenBLAS sums in another order: both err by at most k 2^-24 times the sum of the sizes. */
static void openblas_agrees_within_rounding(void **context)
{
    fixture *f = *context;
    static const size_t shapes[][3] = {{64, 256, 784}, {128, 10, 128}, {100, 100, 64}, {784, 256, 64}, {33, 1, 500}};
    openblas_set_num_threads(1);
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (size_t form = 0; form < N_FORMS; form++) {
            const size_t m = shapes[i][0], n = shapes[i][1], k = shapes[i][2], lda = form == FW_GEMM_ATB ? m : k, ldb = form == FW_GEMM_ABT ? k : n;
            const fw_gemm_args g = {(fw_gemm_form)form, m, n, k, f->a, lda, f->b, ldb, NULL, f->actual, n};
            run_fastest(&g);
            cblas_sgemm(CblasRowMajor, form == FW_GEMM_ATB ? CblasTrans : CblasNoTrans, form == FW_GEMM_ABT ? CblasTrans : CblasNoTrans, (blasint)m,
                        (blasint)n, (blasint)k, 1.0f, f->a, (blasint)lda, f->b, (blasint)ldb, 0.0f, f->expected, (blasint)n);
            for (size_t r = 0; r < m; r++)
                for (size_t c = 0; c < n; c++) {
                    double size = 0.0;
                    for (size_t p = 0; p < k; p++)
                        size += fabs((double)f->a[form == FW_GEMM_ATB ? p * lda + r : r * lda + p] *
                                     (double)f->b[form == FW_GEMM_ABT ? c * ldb + p : p * ldb + c]);
                    if (fabs((double)f->actual[r * n + c] - (double)f->expected[r * n + c]) > 2.0 * (double)k * 0x1p-24 * size)
                        fail_msg("%s, m=%zu n=%zu k=%zu: element %zu, %zu is %g, OpenBLAS says %g", forms[form], m, n, k, r, c,
                                 (double)f->actual[r * n + c], (double)f->expected[r * n + c]);
                }
        }
}

static void an_unknown_kernel_is_refused(void **context)
{
    fixture *f = *context;
    const fw_gemm_args g = {FW_GEMM_AB, 1, 1, 1, f->a, 1, f->b, 1, NULL, f->actual, 1};
    assert_int_equal(fw_gemm_named("abacus", &g), 0);
    assert_int_equal(fw_gemm_named("portable", &g), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_reference_bits_for_every_small_shape), cmocka_unit_test(gives_the_reference_bits_for_large_shapes),
        cmocka_unit_test(an_empty_sum_is_the_bias),                       cmocka_unit_test(a_slice_of_the_rows_gives_the_same_bits),
        cmocka_unit_test(openblas_agrees_within_rounding),               cmocka_unit_test(an_unknown_kernel_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
