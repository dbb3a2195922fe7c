#include "monitor/outcomes_windows.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

fw_status monitor_held_init(monitor_windows_held *h, const monitor_shape *shape, size_t max, fw_error *err)
{
    h->shape = *shape;
    h->max = max;
    return fw_alloc_zeroed((void **)&h->v, max, sizeof *h->v, "windows of outcomes", err);
}

void monitor_held_release(monitor_windows_held *h)
{
    for (size_t i = 0; i < h->n; i++) monitor_realised_destroy(&h->v[i].realised);
    free(h->v);
    *h = (monitor_windows_held){0};
}

/* The first one that is not before it. */
static size_t place_of(const monitor_windows_held *h, uint64_t window)
{
    size_t low = 0, high = h->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (h->v[middle].window < window) low = middle + 1;
        else high = middle;
    }
    return low;
}

monitor_held *monitor_held_find(const monitor_windows_held *h, uint64_t window)
{
    const size_t at = place_of(h, window);
    return at < h->n && h->v[at].window == window ? &h->v[at] : NULL;
}

monitor_held *monitor_held_leaving(const monitor_windows_held *h, uint64_t window)
{
    return h->n == h->max && place_of(h, window) > 0 && monitor_held_find(h, window) == NULL ? &h->v[0] : NULL;
}

fw_status monitor_held_make(monitor_held **out, uint64_t *gone, monitor_windows_held *h, uint64_t window, fw_error *err)
{
    monitor_realised *realised = NULL;
    *gone = 0;
    *out = monitor_held_find(h, window);
    size_t at = place_of(h, window);
    if (*out != NULL || (h->n == h->max && at == 0)) return FW_OK;
    FW_TRY(monitor_realised_create(&realised, &h->shape, err));
    if (h->n == h->max) {
        *gone = h->v[0].window;
        monitor_realised_destroy(&h->v[0].realised);
        memmove(h->v, h->v + 1, --h->n * sizeof *h->v);
        at--;
    }
    memmove(h->v + at + 1, h->v + at, (h->n - at) * sizeof *h->v);
    h->v[at] = (monitor_held){.window = window, .estimated = fw_qualities_none(), .realised = realised};
    h->n++;
    *out = &h->v[at];
    return FW_OK;
}

/* ---- bytes: rows, revised, closed + 2 judged | estimated | what is realised ---- */

void monitor_held_save(const monitor_held *w, fw_text *out)
{
    uint64_t figures[sizeof w->estimated / sizeof(uint64_t)];
    memcpy(figures, &w->estimated, sizeof figures);
    monitor_put_word(out, w->rows);
    monitor_put_word(out, w->revised);
    monitor_put_word(out, (uint64_t)w->closed | (uint64_t)w->judged << 1);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) monitor_put_word(out, figures[i]);
    monitor_realised_save(w->realised, out);
}

fw_status monitor_held_restore(monitor_held *w, monitor_words *in, fw_error *err)
{
    uint64_t figures[sizeof w->estimated / sizeof(uint64_t)], flags = 0;
    bool there = monitor_take_word(in, &w->rows) && monitor_take_word(in, &w->revised) && monitor_take_word(in, &flags) && flags < 4;
    for (size_t i = 0; there && i < sizeof figures / sizeof *figures; i++) there = monitor_take_word(in, &figures[i]);
    if (!there) return fw_fail(err, FW_ERR_DATA, "outcomes: the saved state of window %llu is damaged", (unsigned long long)w->window);
    w->closed = flags & 1;
    w->judged = flags >> 1;
    memcpy(&w->estimated, figures, sizeof figures);
    FW_TRY(monitor_realised_restore(w->realised, in, err));
    if (in->left == 0 && monitor_realised_rows(w->realised) <= w->rows) return FW_OK;
    return fw_fail(err, FW_ERR_DATA, "outcomes: the saved state of window %llu has more in it than can be", (unsigned long long)w->window);
}
