#include <math.h>
#include <stdint.h>

#include "common/model/elementary_kernels.h"

#define TARGET
#define LANES 4
#define KERNELS fw_elementary_portable
#define NAME "portable"
#define FMA(a, b, c) fma_by_lane(a, b, c)

typedef float vec __attribute__((vector_size(LANES * 4)));

static inline vec fma_by_lane(vec a, vec b, vec c)
{
    for (int l = 0; l < LANES; l++) c[l] = fmaf(a[l], b[l], c[l]);
    return c;
}

#include "common/model/elementary_body.h"
