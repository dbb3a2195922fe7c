#include "coordinator/study/pruners/ranking.h"

#include <stdlib.h>

#include "common/core/size.h"

bool coord_ranked_before(coord_ranked a, coord_ranked b)
{
    return a.loss < b.loss || (a.loss <= b.loss && a.trial < b.trial);
}

/** Whether a stands nearer to the top. */
static bool above(const coord_heap *h, coord_ranked a, coord_ranked b)
{
    return h->worst ? coord_ranked_before(b, a) : coord_ranked_before(a, b);
}

static fw_status reserve(coord_heap *h, size_t n, fw_error *err)
{
    void *array = h->v;
    FW_TRY(fw_grow(&array, &h->capacity, n, sizeof *h->v, "pruner: losses", err));
    h->v = array;
    return FW_OK;
}

static void put(coord_heap *h, coord_ranked r)
{
    size_t i = h->n++;
    for (; i > 0 && above(h, r, h->v[(i - 1) / 2]); i = (i - 1) / 2) h->v[i] = h->v[(i - 1) / 2];
    h->v[i] = r;
}

fw_status coord_heap_push(coord_heap *h, coord_ranked r, fw_error *err)
{
    FW_TRY(reserve(h, h->n + 1, err));
    put(h, r);
    return FW_OK;
}

coord_ranked coord_heap_pop(coord_heap *h)
{
    const coord_ranked top = h->v[0], last = h->v[--h->n];
    size_t i = 0;
    for (size_t child = 1; child < h->n; child = 2 * i + 1) {
        if (child + 1 < h->n && above(h, h->v[child + 1], h->v[child])) child++;
        if (!above(h, h->v[child], last)) break;
        h->v[i] = h->v[child];
        i = child;
    }
    h->v[i] = last;
    return top;
}

void coord_cut_init(coord_cut *c)
{
    *c = (coord_cut){.best.worst = true};
}

void coord_cut_release(coord_cut *c)
{
    free(c->best.v);
    free(c->rest.v);
    coord_cut_init(c);
}

fw_status coord_cut_add(coord_cut *c, coord_ranked r, size_t k, fw_error *err)
{
    FW_TRY(reserve(&c->best, c->best.n + 2, err));
    FW_TRY(reserve(&c->rest, c->rest.n + 2, err));
    if (c->best.n > 0 && coord_ranked_before(r, c->best.v[0])) {
        put(&c->rest, coord_heap_pop(&c->best));
        put(&c->best, r);
    } else {
        put(&c->rest, r);
    }
    if (c->best.n < k) put(&c->best, coord_heap_pop(&c->rest));
    return FW_OK;
}

size_t coord_cut_size(const coord_cut *c)
{
    return c->best.n + c->rest.n;
}

bool coord_cut_has_best(const coord_cut *c, coord_ranked r)
{
    return c->best.n > 0 && !coord_ranked_before(c->best.v[0], r);
}
