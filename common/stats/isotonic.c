#include "common/stats/isotonic.h"

#include <stdbool.h>

#include "common/core/size.h"

typedef struct pool { uint64_t hits, rows; } pool;

/* A share of an earlier pool that is above the one of the next: exact, as products of 128 bits. */
static bool violates(pool before, pool after)
{
    return (unsigned __int128)before.hits * after.rows > (unsigned __int128)after.hits * before.rows;
}

/* Bins that have rows are put one behind the other; last[k]: the last such bin of pool k. */
static size_t merge_pools(pool *pools, size_t *last, const uint64_t *hits, const uint64_t *rows, size_t n)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (rows[i] == 0) continue;
        pools[k] = (pool){hits[i], rows[i]};
        for (last[k++] = i; k > 1 && violates(pools[k - 2], pools[k - 1]); k--) {
            pools[k - 2].hits += pools[k - 1].hits;
            pools[k - 2].rows += pools[k - 1].rows;
            last[k - 2] = last[k - 1];
        }
    }
    return k;
}

/* Bins without rows between `low` and `high`, which have some. */
static void fill_between(double *share, const double *at, size_t low, size_t high)
{
    const double width = at[high] - at[low];
    for (size_t i = low + 1; i < high; i++)
        share[i] = width > 0 ? share[low] + (share[high] - share[low]) * ((at[i] - at[low]) / width) : share[low];
}

static fw_status check_total(const uint64_t *hits, const uint64_t *rows, size_t n, fw_error *err)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        if (hits[i] > rows[i]) return fw_fail(err, FW_ERR_DATA, "calibration: bin %zu has %llu hits in %llu rows", i, (unsigned long long)hits[i], (unsigned long long)rows[i]);
        if (rows[i] > INT64_MAX - total) return fw_fail(err, FW_ERR_DATA, "calibration: the counts add up to more than 2^63");
        total += rows[i];
    }
    return total > 0 ? FW_OK : fw_fail(err, FW_ERR_DATA, "calibration: no row in any of %zu bins", n);
}

fw_status fw_isotonic_fit(double *share, size_t *block, size_t *n_blocks, const uint64_t *hits, const uint64_t *rows, const double *at, size_t n, fw_error *err)
{
    FW_FREE pool *pools = NULL;
    FW_FREE size_t *last = NULL;
    FW_TRY(check_total(hits, rows, n, err));
    FW_TRY(fw_alloc_zeroed((void **)&pools, n, sizeof *pools, "calibration", err));
    FW_TRY(fw_alloc_zeroed((void **)&last, n, sizeof *last, "calibration", err));
    const size_t pooled = merge_pools(pools, last, hits, rows, n);
    size_t k = 0, known = n;      /* known: the last bin with rows; n: none yet */
    for (size_t i = 0; i < n; i++) {
        block[i] = k;
        if (rows[i] == 0) continue;
        share[i] = (double)pools[k].hits / (double)pools[k].rows;
        if (known < n) fill_between(share, at, known, i);
        else for (size_t j = 0; j < i; j++) share[j] = share[i];
        known = i;
        if (i == last[k] && k + 1 < pooled) k++;
    }
    for (size_t i = known + 1; i < n; i++) share[i] = share[known];
    for (size_t i = 1; i < n; i++)
        if (rows[i] == 0 && i < known) block[i] = block[i - 1];
    *n_blocks = pooled;
    return FW_OK;
}
