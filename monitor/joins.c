#include "monitor/joins.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"

#define FIRST_BUCKETS 1024

struct monitor_joins {
    monitor_join **bucket; size_t n_buckets;      /* a power of two */
    monitor_join *oldest, *newest;
    size_t n, max;
};

fw_status monitor_joins_create(monitor_joins **out, size_t max, fw_error *err)
{
    if (max == 0) return fw_fail(err, FW_ERR_ARG, "joins: room for no id");
    FW_AUTO(monitor_joins) *j = calloc(1, sizeof *j);
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "joins");
    FW_TRY(fw_alloc_zeroed((void **)&j->bucket, FIRST_BUCKETS, sizeof(monitor_join *), "joins", err));
    j->n_buckets = FIRST_BUCKETS;
    j->max = max;
    *out = j;
    j = NULL;
    return FW_OK;
}

void monitor_joins_destroy(monitor_joins **joins)
{
    monitor_joins *j = *joins;
    if (j == NULL) return;
    for (monitor_join *e = j->oldest, *next; e != NULL; e = next) {
        next = e->newer;
        free(e);
    }
    free(j->bucket);
    free(j);
    *joins = NULL;
}

static monitor_join **bucket_of(const monitor_joins *j, uint64_t hash) { return &j->bucket[hash & (j->n_buckets - 1)]; }

monitor_join *monitor_joins_find(const monitor_joins *j, const char *id)
{
    const uint64_t hash = fw_hash64(id, strlen(id), 0);
    monitor_join *e = *bucket_of(j, hash);
    while (e != NULL && (e->hash != hash || strcmp(e->id, id) != 0)) e = e->in_bucket;
    return e;
}

static void put_in_bucket(monitor_joins *j, monitor_join *e)
{
    monitor_join **b = bucket_of(j, e->hash);
    e->in_bucket = *b;
    *b = e;
}

static fw_status grow(monitor_joins *j, fw_error *err)
{
    monitor_join **old = j->bucket;
    if (j->n < j->n_buckets) return FW_OK;
    FW_TRY(fw_alloc_zeroed((void **)&j->bucket, 2 * j->n_buckets, sizeof(monitor_join *), "joins", err));
    free(old);
    j->n_buckets *= 2;
    for (monitor_join *e = j->oldest; e != NULL; e = e->newer) put_in_bucket(j, e);
    return FW_OK;
}

/* One block: the entry, its scores, its id. */
static fw_status make_entry(monitor_join **out, const char *id, size_t n_scores, fw_error *err)
{
    const size_t len = strlen(id) + 1, scores = n_scores * sizeof(float);
    monitor_join *e = calloc(1, sizeof *e + scores + len);
    if (e == NULL) return fw_fail(err, FW_ERR_NOMEM, "joins: %zu bytes", sizeof *e + scores + len);
    e->score = (float *)(e + 1);
    e->n_scores = n_scores;
    e->id = (char *)(e + 1) + scores;
    memcpy(e->id, id, len);
    *out = e;
    return FW_OK;
}

fw_status monitor_joins_add(monitor_join **out, monitor_joins *j, const char *id, size_t n_scores, int64_t seen_us, fw_error *err)
{
    monitor_join *e = NULL;
    FW_TRY(grow(j, err));
    FW_TRY(make_entry(&e, id, n_scores, err));
    e->hash = fw_hash64(id, strlen(id), 0);
    e->seen_us = seen_us;
    e->older = j->newest;
    *(j->newest != NULL ? &j->newest->newer : &j->oldest) = e;
    j->newest = e;
    put_in_bucket(j, e);
    j->n++;
    *out = e;
    return FW_OK;
}

static void leave_bucket(monitor_joins *j, const monitor_join *e)
{
    monitor_join **at = bucket_of(j, e->hash);
    while (*at != e) at = &(*at)->in_bucket;
    *at = e->in_bucket;
}

fw_status monitor_joins_widen(monitor_join **entry, monitor_joins *j, size_t n_scores, fw_error *err)
{
    monitor_join *old = *entry, *e = NULL;
    FW_TRY(make_entry(&e, old->id, n_scores, err));
    const monitor_join fresh = *e;
    leave_bucket(j, old);
    *e = *old;
    e->score = fresh.score;
    e->n_scores = n_scores;
    e->id = fresh.id;
    *(e->older != NULL ? &e->older->newer : &j->oldest) = e;
    *(e->newer != NULL ? &e->newer->older : &j->newest) = e;
    put_in_bucket(j, e);
    free(old);
    *entry = e;
    return FW_OK;
}

void monitor_joins_remove(monitor_joins *j, monitor_join *e)
{
    leave_bucket(j, e);
    *(e->older != NULL ? &e->older->newer : &j->oldest) = e->newer;
    *(e->newer != NULL ? &e->newer->older : &j->newest) = e->older;
    free(e);
    j->n--;
}

monitor_join *monitor_joins_oldest(const monitor_joins *j) { return j->oldest; }
bool          monitor_joins_full(const monitor_joins *j) { return j->n >= j->max; }
size_t        monitor_joins_n(const monitor_joins *j) { return j->n; }
