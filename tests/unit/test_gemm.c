/* Every kernel gives the bits of the plain fmaf loop: the oracle is fw_gemm_reference, and OpenBLAS is not asked (its bits are others). */
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

static void compare_all(fixture *f, const shape *s)
{
    const size_t lda = s->k + s->pad_a, ldb = s->n + s->pad_b, ldc = s->n + s->pad_c;
    assert_true(s->m * lda + s->shift < MAX_FLOATS && s->k * ldb + s->shift < MAX_FLOATS && s->m * ldc + s->shift < MAX_FLOATS);
    const float *a = f->a + s->shift, *b = f->b + s->shift, *bias = s->bias ? f->bias + s->shift : NULL;
    const size_t bytes = (s->m * ldc + s->shift + 16) * sizeof(float);
    for (size_t i = 0; i < bytes / sizeof(float); i++) f->expected[i] = GUARD;
    fw_gemm_reference(s->m, s->n, s->k, a, lda, b, ldb, bias, f->expected + s->shift, ldc);
    for (size_t q = 0; q <= N_KERNELS; q++) {
        for (size_t i = 0; i < bytes / sizeof(float); i++) f->actual[i] = GUARD;       /* what lies between and behind the rows must stay */
        if (q == N_KERNELS) fw_gemm(s->m, s->n, s->k, a, lda, b, ldb, bias, f->actual + s->shift, ldc);
        else if (!fw_gemm_named(kernels[q], s->m, s->n, s->k, a, lda, b, ldb, bias, f->actual + s->shift, ldc)) continue;
        if (memcmp(f->expected, f->actual, bytes) != 0)
            fail_msg("%s differs from the reference at m=%zu n=%zu k=%zu shift=%zu bias=%d", q < N_KERNELS ? kernels[q] : "fw_gemm", s->m, s->n,
                     s->k, s->shift, s->bias);
    }
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

static void an_unknown_kernel_is_refused(void **context)
{
    fixture *f = *context;
    assert_int_equal(fw_gemm_named("abacus", 1, 1, 1, f->a, 1, f->b, 1, NULL, f->actual, 1), 0);
    assert_int_equal(fw_gemm_named("portable", 1, 1, 1, f->a, 1, f->b, 1, NULL, f->actual, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_reference_bits_for_every_small_shape), cmocka_unit_test(gives_the_reference_bits_for_large_shapes),
        cmocka_unit_test(an_empty_sum_is_the_bias),                       cmocka_unit_test(a_slice_of_the_rows_gives_the_same_bits),
        cmocka_unit_test(an_unknown_kernel_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
