#include "common/core/dict.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"

#define SLAB_BYTES 65536

/* Texts live in slabs that never move, so a pointer from fw_dict_text stays good until the dictionary ends. */
typedef struct slab { struct slab *next; size_t used, capacity; char bytes[]; } slab;
typedef struct entry { const char *text; size_t len; uint64_t hash; } entry;

struct fw_dict {
    slab    *slabs;
    entry   *entries;             /* by code */
    size_t   n, capacity;
    int32_t *slots;               /* open addressing: a code, or -1 */
    size_t   n_slots;             /* a power of two, at least twice n */
};

static fw_status rehash(fw_dict *d, size_t n_slots, fw_error *err)
{
    size_t bytes;
    FW_TRY(fw_size_mul(&bytes, n_slots, sizeof *d->slots, "dictionary", err));
    int32_t *slots = malloc(bytes);
    if (slots == NULL) return fw_fail(err, FW_ERR_NOMEM, "dictionary: %zu slots cannot be had", n_slots);
    memset(slots, 0xFF, bytes);
    for (size_t code = 0; code < d->n; code++) {
        size_t i = (size_t)d->entries[code].hash & (n_slots - 1);
        while (slots[i] >= 0) i = (i + 1) & (n_slots - 1);
        slots[i] = (int32_t)code;
    }
    free(d->slots);
    d->slots = slots;
    d->n_slots = n_slots;
    return FW_OK;
}

fw_status fw_dict_create(fw_dict **out, fw_error *err)
{
    FW_AUTO(fw_dict) *d = calloc(1, sizeof *d);
    if (d == NULL) return fw_fail(err, FW_ERR_NOMEM, "dictionary: no memory");
    FW_TRY(rehash(d, 64, err));
    *out = d;
    d = NULL;
    return FW_OK;
}

void fw_dict_destroy(fw_dict **d)
{
    if (*d == NULL) return;
    for (slab *s = (*d)->slabs, *next; s != NULL; s = next) {
        next = s->next;
        free(s);
    }
    free((*d)->entries);
    free((*d)->slots);
    free(*d);
    *d = NULL;
}

size_t fw_dict_size(const fw_dict *d)
{
    return d->n;
}

/* The slot that holds the text, or the free one where it belongs. */
static size_t find_slot(const fw_dict *d, const char *s, size_t len, uint64_t hash)
{
    size_t i = (size_t)hash & (d->n_slots - 1);
    for (; d->slots[i] >= 0; i = (i + 1) & (d->n_slots - 1)) {
        const entry *e = &d->entries[d->slots[i]];
        if (e->hash == hash && e->len == len && (len == 0 || memcmp(e->text, s, len) == 0)) break;
    }
    return i;
}

/* A copy with a NUL behind it, in a slab. */
static fw_status keep_text(const char **out, fw_dict *d, const char *s, size_t len, fw_error *err)
{
    size_t need, bytes;
    FW_TRY(fw_size_add(&need, len, 1, "dictionary", err));
    if (d->slabs == NULL || d->slabs->capacity - d->slabs->used < need) {
        size_t capacity = FW_MAX(need, (size_t)SLAB_BYTES);
        FW_TRY(fw_size_add(&bytes, sizeof(slab), capacity, "dictionary", err));
        slab *fresh = malloc(bytes);
        if (fresh == NULL) return fw_fail(err, FW_ERR_NOMEM, "dictionary: %zu bytes cannot be had", bytes);
        *fresh = (slab){.next = d->slabs, .capacity = capacity};
        d->slabs = fresh;
    }
    char *copy = d->slabs->bytes + d->slabs->used;
    if (len > 0) memcpy(copy, s, len);
    copy[len] = '\0';
    d->slabs->used += need;
    *out = copy;
    return FW_OK;
}

fw_status fw_dict_add(int32_t *code, fw_dict *d, const char *s, size_t len, fw_error *err)
{
    uint64_t hash = fw_hash64(s, len, 0);
    size_t   i = find_slot(d, s, len, hash);
    if (d->slots[i] < 0) {
        if (d->n == INT32_MAX) return fw_fail(err, FW_ERR_DATA, "dictionary: more than %d distinct texts", INT32_MAX);
        const char *text = NULL;
        FW_TRY(fw_grow((void **)&d->entries, &d->capacity, d->n + 1, sizeof *d->entries, "dictionary", err));
        if (2 * (d->n + 1) > d->n_slots) {
            FW_TRY(rehash(d, d->n_slots * 2, err));
            i = find_slot(d, s, len, hash);
        }
        FW_TRY(keep_text(&text, d, s, len, err));
        d->entries[d->n] = (entry){.text = text, .len = len, .hash = hash};
        d->slots[i] = (int32_t)d->n++;
    }
    *code = d->slots[i];
    return FW_OK;
}

int32_t fw_dict_find(const fw_dict *d, const char *s, size_t len)
{
    return d->slots[find_slot(d, s, len, fw_hash64(s, len, 0))];
}

const char *fw_dict_text(const fw_dict *d, int32_t code, size_t *len)
{
    const entry *e = &d->entries[code];
    if (len != NULL) *len = e->len;
    return e->text;
}

static int by_bytes(const void *a, const void *b, void *entries)
{
    const entry *x = (const entry *)entries + *(const int32_t *)a, *y = (const entry *)entries + *(const int32_t *)b;
    int          order = memcmp(x->text, y->text, FW_MIN(x->len, y->len));
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

fw_status fw_dict_sort(fw_dict *d, int32_t *new_code, fw_error *err)
{
    if (d->n == 0) return FW_OK;
    FW_FREE int32_t *old_code = malloc(d->n * sizeof *old_code);
    FW_FREE entry   *sorted = malloc(d->capacity * sizeof *sorted);
    if (old_code == NULL || sorted == NULL) return fw_fail(err, FW_ERR_NOMEM, "dictionary: no memory to sort %zu texts", d->n);
    for (size_t i = 0; i < d->n; i++) old_code[i] = (int32_t)i;
    qsort_r(old_code, d->n, sizeof *old_code, by_bytes, d->entries);
    for (size_t i = 0; i < d->n; i++) sorted[i] = d->entries[old_code[i]];

    entry *unsorted = d->entries;
    d->entries = sorted;
    fw_status status = rehash(d, d->n_slots, err);
    if (status < 0) {
        d->entries = unsorted;
        return status;
    }
    sorted = unsorted;      /* freed on the way out */
    for (size_t i = 0; i < d->n && new_code != NULL; i++) new_code[old_code[i]] = (int32_t)i;
    return FW_OK;
}

fw_status fw_dict_copy(fw_dict **out, const fw_dict *d, fw_error *err)
{
    FW_AUTO(fw_dict) *copy = NULL;
    FW_TRY(fw_dict_create(&copy, err));
    for (size_t i = 0; i < d->n; i++) {
        int32_t code;
        FW_TRY(fw_dict_add(&code, copy, d->entries[i].text, d->entries[i].len, err));
    }
    *out = copy;
    copy = NULL;
    return FW_OK;
}
