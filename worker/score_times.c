#include "worker/score_times.h"

#include <stdlib.h>

#include "common/core/size.h"

fw_status worker_parts_note(worker_parts *p, worker_part took, fw_error *err)
{
    FW_TRY(fw_grow((void **)&p->part, &p->capacity, p->n + 1, sizeof *p->part, "times", err));
    p->part[p->n++] = took;
    return FW_OK;
}

static int by_seconds(const void *a, const void *b)
{
    const double x = ((const worker_part *)a)->seconds, y = ((const worker_part *)b)->seconds;
    return (x > y) - (x < y);
}

static worker_part_times quantiles(worker_parts *p)
{
    qsort(p->part, p->n, sizeof *p->part, by_seconds);
    return (worker_part_times){.p50_s = p->part[(p->n - 1) / 2].seconds, .p99_s = p->part[(p->n - 1) * 99 / 100].seconds};
}

void worker_parts_judge(worker_parts *p, worker_score_result *result)
{
    if (p->n == 0) return;
    result->parts = p->n;
    result->part = quantiles(p);
    for (size_t i = 0; i < p->n; i++) {
        result->parts_s += p->part[i].seconds;
        result->telemetry_s += p->part[i].telemetry;
        p->part[i].seconds -= p->part[i].telemetry;
    }
    result->bare = quantiles(p);
}

void worker_parts_destroy(worker_parts *p)
{
    free(p->part);
    *p = (worker_parts){0};
}
