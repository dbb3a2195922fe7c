#include "monitor/outcomes_windows.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

fw_status monitor_held_init(monitor_windows_held *h, const monitor_shape *shape, size_t max, size_t max_open, size_t max_bytes, fw_error *err)
{
    h->shape = *shape;
    h->max = max;
    h->max_open = max_open;
    h->max_bytes = max_bytes;
    FW_TRY(fw_alloc_zeroed((void **)&h->open, max_open, sizeof *h->open, "windows of outcomes", err));
    return monitor_realised_create(&h->none, shape, err);
}

static void release(monitor_windows_held *h, monitor_held *w)
{
    h->bytes -= w->n_packed;
    monitor_realised_destroy(&w->realised);
    free(w->packed);
    w->packed = NULL;
    w->n_packed = 0;
}

static monitor_held *begin_of(const monitor_windows_held *h) { return h->v != NULL ? h->v - h->left : NULL; }

void monitor_held_release(monitor_windows_held *h)
{
    for (size_t i = 0; i < h->n; i++) release(h, &h->v[i]);
    monitor_realised_destroy(&h->none);
    free(begin_of(h));
    free(h->open);
    free(h->changed);
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

/** For one more. The places of those that have left are taken back now and then: windows come and go at a cost that does not depend on how many are held. */
static fw_status make_room(monitor_windows_held *h, fw_error *err)
{
    monitor_held *begin = begin_of(h);
    if (h->left + h->n < h->capacity) return FW_OK;
    if (h->left > h->n / 4) {
        memmove(begin, h->v, h->n * sizeof *h->v);
        h->left = 0;
    } else {
        FW_TRY(fw_grow((void **)&begin, &h->capacity, h->left + h->n + 1, sizeof *begin, "windows of outcomes", err));
    }
    h->v = begin + h->left;
    return FW_OK;
}

fw_status monitor_held_make(monitor_held **out, monitor_windows_held *h, uint64_t window, fw_error *err)
{
    const size_t at = place_of(h, window);
    *out = monitor_held_find(h, window);
    if (*out != NULL || (h->n >= h->max && at == 0)) return FW_OK;
    FW_TRY(make_room(h, err));
    memmove(h->v + at + 1, h->v + at, (h->n - at) * sizeof *h->v);
    h->v[at] = (monitor_held){.window = window, .estimated = fw_qualities_none()};
    h->n++;
    *out = &h->v[at];
    return FW_OK;
}

static void forget_open(monitor_windows_held *h, uint64_t window)
{
    for (size_t i = 0; i < h->n_open; i++) {
        if (h->open[i] != window) continue;
        memmove(h->open + i, h->open + i + 1, (--h->n_open - i) * sizeof *h->open);
        return;
    }
}

monitor_held *monitor_held_over(const monitor_windows_held *h)
{
    return h->n > 1 && (h->n > h->max || h->bytes > h->max_bytes) ? &h->v[0] : NULL;
}

void monitor_held_drop(monitor_windows_held *h, monitor_held *w)
{
    const size_t at = (size_t)(w - h->v);
    forget_open(h, w->window);
    release(h, w);
    h->n--;
    if (at > 0) {
        memmove(h->v + at, h->v + at + 1, (h->n - at) * sizeof *h->v);
        return;
    }
    h->v++;
    h->left++;
}

/* ---- open and packed ------------------------------------------------------------------------------------------------------------------------ */

static fw_status pack(monitor_windows_held *h, monitor_held *w, fw_error *err)
{
    FW_AUTO(fw_text) words = {0};
    FW_AUTO(fw_text) packed = {0};
    monitor_realised_save(w->realised, &words);
    FW_TRY(fw_text_check(&words, err));
    monitor_words_shrink(&packed, &(monitor_words){(const unsigned char *)words.data, words.len});
    FW_TRY(fw_text_check(&packed, err));
    FW_TRY(fw_alloc_zeroed((void **)&w->packed, packed.len, 1, "a window of outcomes", err));
    memcpy(w->packed, packed.data, packed.len);
    w->n_packed = packed.len;
    h->bytes += w->n_packed;
    monitor_realised_destroy(&w->realised);
    return FW_OK;
}

static fw_status unpack(monitor_windows_held *h, monitor_held *w, fw_error *err)
{
    FW_AUTO(fw_text) words = {0};
    if (w->packed == NULL) return FW_OK;
    monitor_words_stretch(&words, w->packed, w->n_packed);
    FW_TRY(fw_text_check(&words, err));
    FW_TRY(monitor_realised_restore(w->realised, &(monitor_words){(const unsigned char *)words.data, words.len}, err));
    h->bytes -= w->n_packed;
    free(w->packed);
    w->packed = NULL;
    w->n_packed = 0;
    return FW_OK;
}

fw_status monitor_held_open(monitor_held *w, monitor_windows_held *h, fw_error *err)
{
    if (w->realised != NULL) {
        forget_open(h, w->window);
    } else {
        if (h->n_open == h->max_open) {
            FW_TRY(pack(h, monitor_held_find(h, h->open[0]), err));
            forget_open(h, h->open[0]);
        }
        FW_TRY(monitor_realised_create(&w->realised, &h->shape, err));
        FW_TRY(unpack(h, w, err));
    }
    h->open[h->n_open++] = w->window;
    return FW_OK;
}

/* ---- changes -------------------------------------------------------------------------------------------------------------------------------- */

fw_status monitor_held_change(monitor_held *w, monitor_windows_held *h, fw_error *err)
{
    if (w->changed) return FW_OK;
    FW_TRY(fw_grow((void **)&h->changed, &h->changed_capacity, h->n_changed + 1, sizeof *h->changed, "windows of outcomes", err));
    h->changed[h->n_changed++] = w->window;
    w->changed = true;
    return FW_OK;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void monitor_held_sort_changed(monitor_windows_held *h)
{
    if (h->n_changed > 1) qsort(h->changed, h->n_changed, sizeof *h->changed, by_number);
}

/* ---- bytes: rows, revised, closed + 2 judged | estimated | what is realised ---- */

void monitor_held_save(const monitor_held *w, const monitor_windows_held *h, fw_text *out)
{
    uint64_t figures[sizeof w->estimated / sizeof(uint64_t)];
    memcpy(figures, &w->estimated, sizeof figures);
    monitor_put_word(out, w->rows);
    monitor_put_word(out, w->revised);
    monitor_put_word(out, (uint64_t)w->closed | (uint64_t)w->judged << 1);
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) monitor_put_word(out, figures[i]);
    monitor_realised_save(monitor_held_counts(w, h), out);
}

static fw_status restore(monitor_held *w, monitor_windows_held *h, monitor_words *in, fw_error *err)
{
    uint64_t figures[sizeof w->estimated / sizeof(uint64_t)], flags = 0;
    bool there = monitor_take_word(in, &w->rows) && monitor_take_word(in, &w->revised) && monitor_take_word(in, &flags) && flags < 4;
    for (size_t i = 0; there && i < sizeof figures / sizeof *figures; i++) there = monitor_take_word(in, &figures[i]);
    if (!there) return fw_fail(err, FW_ERR_DATA, "outcomes: the saved state of window %llu is damaged", (unsigned long long)w->window);
    w->closed = flags & 1;
    w->judged = flags >> 1;
    memcpy(&w->estimated, figures, sizeof figures);
    FW_TRY(monitor_held_open(w, h, err));
    FW_TRY(monitor_realised_restore(w->realised, in, err));
    if (in->left == 0 && monitor_realised_rows(w->realised) <= w->rows) return FW_OK;
    return fw_fail(err, FW_ERR_DATA, "outcomes: the saved state of window %llu has more in it than can be", (unsigned long long)w->window);
}

fw_status monitor_held_restore(monitor_held *w, monitor_windows_held *h, monitor_words *in, fw_error *err)
{
    const fw_status s = restore(w, h, in, err);
    if (s == FW_OK && monitor_realised_rows(w->realised) > 0) return FW_OK;
    forget_open(h, w->window);
    release(h, w);
    if (s < 0) *w = (monitor_held){.window = w->window, .estimated = fw_qualities_none()};
    return s;
}
