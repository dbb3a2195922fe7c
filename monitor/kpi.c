#include "monitor/kpi.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/stats/exact_sum.h"
#include "monitor/joins.h"

#define MAGIC     UINT64_C(0x3169706b776c66)      /* "flwkpi1" */
#define DAY_US    INT64_C(86400000000)
#define MAX_NAME  60u
#define KEY_BYTES 128

typedef struct pane {
    int64_t from_us;
    uint64_t events, ones, zeros, revised;
    bool judged, due, over, changed, amended;     /* amended: changed after it was told as over */
    fw_exact_sum sum, square;
} pane;

struct monitor_kpi {
    monitor_kpi_opts opts;
    char name[MAX_NAME + 1];
    int64_t window_us;
    monitor_shelf shelf;
    monitor_kpi_teller teller;
    monitor_joins *joins;
    pane *panes; size_t n;                        /* in the order of time */
    monitor_kpi_counts counts;
};

/* Keys and ids on the shelf are "NAME/...". */
static bool is_name(const char *name)
{
    for (; *name != '\0'; name++)
        if (*name == '/' || (unsigned char)*name < ' ') return false;
    return true;
}

fw_status monitor_kpi_create(monitor_kpi **out, const monitor_kpi_opts *opts, const monitor_shelf *shelf, const monitor_kpi_teller *teller, fw_error *err)
{
    const size_t len = opts->name != NULL ? strlen(opts->name) : 0;
    if (len == 0 || len > MAX_NAME || fw_utf8_valid(opts->name, len) != len || !is_name(opts->name))
        return fw_fail(err, FW_ERR_ARG, "kpi: its name is not 1 to %u bytes of UTF-8 without a slash and control characters", MAX_NAME);
    if (opts->window_s < 0 || (opts->window_s > 0 && opts->window_s < 1) || opts->window_s > 1e9) return fw_fail(err, FW_ERR_ARG, "kpi: windows of %g s", opts->window_s);
    FW_AUTO(monitor_kpi) *k = calloc(1, sizeof *k);
    if (k == NULL) return fw_fail(err, FW_ERR_NOMEM, "kpi");
    k->opts = *opts;
    memcpy(k->name, opts->name, len);
    if (!(opts->window_s > 0)) k->opts.window_s = MONITOR_KPI_WINDOW_S;
    if (opts->max_windows == 0) k->opts.max_windows = MONITOR_KPI_WINDOWS;
    if (opts->max_ids == 0) k->opts.max_ids = MONITOR_KPI_IDS;
    if (opts->least == 0) k->opts.least = MONITOR_KPI_LEAST;
    k->window_us = (int64_t)(k->opts.window_s * 1e6);
    k->shelf = *shelf;
    k->teller = *teller;
    FW_TRY(monitor_joins_create(&k->joins, k->opts.max_ids, err));
    FW_TRY(fw_alloc_zeroed((void **)&k->panes, k->opts.max_windows, sizeof *k->panes, "kpi", err));
    *out = k;
    k = NULL;
    return FW_OK;
}

void monitor_kpi_destroy(monitor_kpi **k)
{
    if (*k == NULL) return;
    monitor_joins_destroy(&(*k)->joins);
    free((*k)->panes);
    free(*k);
    *k = NULL;
}

/* ---- the shelf ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status keep_event(const monitor_kpi *k, const monitor_join *e, bool keep, fw_error *err)
{
    char number[FW_NUMBER_TEXT];
    FW_AUTO(fw_text) id = {0};
    if (k->shelf.keep_outcome == NULL) return FW_OK;
    fw_format_double(number, e->actual);
    fw_text_format(&id, "%s/%s", k->name, e->id);
    FW_TRY(fw_text_check(&id, err));
    const monitor_waiting_outcome_row row = {.id = id.data, .outcome = number, .at_us = e->at_us};
    return k->shelf.keep_outcome(k->shelf.context, &row, keep, err);
}

static fw_status keep_state(const monitor_kpi *k, int64_t from_us, fw_text *bytes, fw_error *err)
{
    char key[KEY_BYTES];
    snprintf(key, sizeof key, "kpi/%s/%lld", k->name, (long long)from_us);
    if (bytes->len > 0) monitor_put_word(bytes, fw_hash64(bytes->data, bytes->len, MAGIC));
    FW_TRY(fw_text_check(bytes, err));
    return k->shelf.keep_state != NULL ? k->shelf.keep_state(k->shelf.context, key, (monitor_bytes){bytes->data, bytes->len}, err) : FW_OK;
}

/* ---- windows ------------------------------------------------------------------------------------------------------------------------------ */

static int64_t start_of(const monitor_kpi *k, int64_t at_us) { return at_us - at_us % k->window_us; }

static pane *find_pane(const monitor_kpi *k, int64_t from_us)
{
    for (size_t i = k->n; i-- > 0 && k->panes[i].from_us >= from_us;)
        if (k->panes[i].from_us == from_us) return &k->panes[i];
    return NULL;
}

/* NULL in *out: older than all that are held. */
static fw_status make_pane(pane **out, monitor_kpi *k, int64_t from_us, fw_error *err)
{
    FW_AUTO(fw_text) nothing = {0};
    size_t at = k->n;
    *out = find_pane(k, from_us);
    if (*out != NULL) return FW_OK;
    while (at > 0 && k->panes[at - 1].from_us > from_us) at--;
    if (k->n == k->opts.max_windows) {
        if (at == 0) return FW_OK;
        FW_TRY(keep_state(k, k->panes[0].from_us, &nothing, err));
        memmove(k->panes, k->panes + 1, --k->n * sizeof *k->panes);
        at--;
    }
    memmove(k->panes + at + 1, k->panes + at, (k->n - at) * sizeof *k->panes);
    k->n++;
    k->panes[at] = (pane){.from_us = from_us};
    *out = &k->panes[at];
    return FW_OK;
}

/* The value is one whose square is finite. */
static fw_status change(pane *p, double value, int sign, fw_error *err)
{
    const uint64_t one = (uint64_t)(int64_t)sign;
    FW_TRY(fw_exact_sum_add(&p->sum, sign * value, err));
    FW_TRY(fw_exact_sum_add(&p->square, sign * value * value, err));
    p->events += one;
    p->zeros += !(value < 0) && !(value > 0) ? one : 0;
    p->ones += !(value < 1) && !(value > 1) ? one : 0;
    p->changed = true;
    p->amended = p->amended || p->over;
    return FW_OK;
}

static fw_interval figure_of(const pane *p)
{
    const double n = (double)p->events;
    if (p->events == 0) return FW_INTERVAL_NONE;
    if (p->ones + p->zeros == p->events) return fw_interval_share(p->ones, p->events);
    return fw_interval_mean(fw_exact_sum_value(&p->sum) / n, fw_exact_sum_value(&p->square) / n, p->events);
}

/* ---- events ------------------------------------------------------------------------------------------------------------------------------- */

/* *kept: it is in its window; else that is not held any more. */
static fw_status count_event(bool *kept, monitor_kpi *k, double value, int64_t at_us, fw_error *err)
{
    pane *p = NULL;
    FW_TRY(make_pane(&p, k, start_of(k, at_us), err));
    *kept = p != NULL;
    k->counts.late += p == NULL;
    return p != NULL ? change(p, value, 1, err) : FW_OK;
}

static fw_status first_time(monitor_kpi *k, const char *id, double value, int64_t at_us, int64_t now_us, fw_error *err)
{
    monitor_join *e = NULL;
    bool kept = false;
    FW_TRY(count_event(&kept, k, value, at_us, err));
    if (kept && k->teller.took != NULL) k->teller.took(k->teller.context, k->name, value);
    if (!kept || id == NULL || *id == '\0') return FW_OK;
    while (monitor_joins_full(k->joins)) {
        FW_TRY(keep_event(k, monitor_joins_oldest(k->joins), false, err));
        monitor_joins_remove(k->joins, monitor_joins_oldest(k->joins));
    }
    FW_TRY(monitor_joins_add(&e, k->joins, id, 0, now_us, err));
    e->known = true;
    e->actual = value;
    e->at_us = at_us;
    return keep_event(k, e, true, err);
}

static fw_status correct(monitor_kpi *k, monitor_join *e, double value, int64_t at_us, fw_error *err)
{
    bool kept = false;
    pane *old = find_pane(k, start_of(k, e->at_us));
    if (old != NULL) FW_TRY(change(old, e->actual, -1, err));
    FW_TRY(count_event(&kept, k, value, at_us, err));
    k->counts.corrected++;
    e->actual = value;
    e->at_us = at_us;
    return keep_event(k, e, true, err);
}

static fw_status check_event(double value, int64_t at_us, int64_t now_us, const char *id, fw_error *why)
{
    if (!isfinite(value * value)) return fw_fail(why, FW_ERR_DATA, "the value of KPI event '%.100s' is %g", id != NULL ? id : "", value);
    if (at_us < 0 || at_us > now_us + DAY_US) return fw_fail(why, FW_ERR_DATA, "the time of KPI event '%.100s' is before 1970, or more than a day ahead", id != NULL ? id : "");
    return FW_OK;
}

fw_status monitor_kpi_take(monitor_kpi *k, const char *id, double value, int64_t at_us, int64_t now_us, fw_error *why, fw_error *err)
{
    k->counts.events++;
    if (check_event(value, at_us, now_us, id, why) < 0) {
        k->counts.refused++;
        return FW_OK;
    }
    monitor_join *e = id != NULL && *id != '\0' ? monitor_joins_find(k->joins, id) : NULL;
    if (e == NULL) return first_time(k, id, value, at_us, now_us, err);
    const bool same = !(e->actual < value) && !(e->actual > value);
    if (!same && at_us > e->at_us) return correct(k, e, value, at_us, err);
    k->counts.doubled += same;
    k->counts.conflicts += !same;
    return FW_OK;
}

monitor_kpi_counts monitor_kpi_count(const monitor_kpi *k) { return k->counts; }

/* ---- telling and keeping: from, events, ones, zeros, revised, judged + 2 over | limbs of both sums ---- */

static void save_pane(const pane *p, fw_text *out)
{
    const uint64_t head[] = {(uint64_t)p->from_us, p->events, p->ones, p->zeros, p->revised, (uint64_t)p->judged | (uint64_t)p->over << 1};
    fw_exact_sum sum = p->sum, square = p->square;
    fw_exact_sum_normalize(&sum);
    fw_exact_sum_normalize(&square);
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) monitor_put_word(out, head[i]);
    for (size_t i = 0; i < FW_EXACT_LIMBS; i++) monitor_put_word(out, (uint64_t)sum.limb[i]);
    for (size_t i = 0; i < FW_EXACT_LIMBS; i++) monitor_put_word(out, (uint64_t)square.limb[i]);
}

static fw_status flush_pane(monitor_kpi *k, pane *p, int64_t now_us, fw_error *err)
{
    FW_AUTO(fw_text) bytes = {0};
    const bool over = now_us >= p->from_us + k->window_us;
    p->due = over && !p->judged && p->events >= k->opts.least;
    if (!p->changed && p->over == over && !p->due) return FW_OK;
    p->over = over;
    p->judged = p->judged || p->due;
    p->revised += p->amended;
    p->changed = p->amended = false;
    const monitor_kpi_window w = {.name = k->name, .from_us = p->from_us, .to_us = p->from_us + k->window_us, .events = p->events, .revised = p->revised, .value = figure_of(p),
                                  .minimize = k->opts.minimize, .due = p->due, .baseline = k->opts.baseline, .target = k->opts.target};
    if (k->teller.tell != NULL) FW_TRY(k->teller.tell(k->teller.context, &w, err));
    save_pane(p, &bytes);
    return keep_state(k, p->from_us, &bytes, err);
}

fw_status monitor_kpi_flush(monitor_kpi *k, int64_t now_us, fw_error *err)
{
    for (size_t i = 0; i < k->n; i++) FW_TRY(flush_pane(k, &k->panes[i], now_us, err));
    return FW_OK;
}

/* ---- restoring ---------------------------------------------------------------------------------------------------------------------------- */

static bool take_sum(fw_exact_sum *sum, monitor_words *in)
{
    for (size_t i = 0; i < FW_EXACT_LIMBS; i++) {
        uint64_t word = 0;
        if (!monitor_take_word(in, &word) || (i + 1 < FW_EXACT_LIMBS && word >> 32 != 0)) return false;
        sum->limb[i] = (int64_t)word;
    }
    return true;
}

static bool take_pane(pane *p, const monitor_kpi *k, monitor_words *in)
{
    uint64_t head[6];
    for (size_t i = 0; i < 6; i++)
        if (!monitor_take_word(in, &head[i])) return false;
    *p = (pane){.from_us = (int64_t)head[0], .events = head[1], .ones = head[2], .zeros = head[3], .revised = head[4], .judged = head[5] & 1, .over = head[5] >> 1};
    return p->from_us >= 0 && start_of(k, p->from_us) == p->from_us && head[5] < 4 && p->ones <= p->events && p->zeros <= p->events - p->ones &&
           take_sum(&p->sum, in) && take_sum(&p->square, in) && in->left == 0;
}

/* The end of a text that begins with the prefix and this KPI's name; NULL: another one's. */
static const char *behind(const monitor_kpi *k, const char *prefix, const char *text)
{
    const size_t a = strlen(prefix), b = strlen(k->name);
    return strncmp(text, prefix, a) == 0 && strncmp(text + a, k->name, b) == 0 && text[a + b] == '/' ? text + a + b + 1 : NULL;
}

fw_status monitor_kpi_restore_state(monitor_kpi *k, const char *key, monitor_bytes bytes, fw_error *err)
{
    monitor_words in = {bytes.data, bytes.len}, end = {(const unsigned char *)bytes.data + (bytes.len >= 8 ? bytes.len - 8 : 0), FW_MIN(bytes.len, 8)};
    uint64_t hash = 0;
    pane p, *to = NULL;
    if (behind(k, "kpi/", key) == NULL) return FW_OK;
    if (!monitor_take_word(&end, &hash) || hash != fw_hash64(bytes.data, bytes.len - 8, MAGIC))
        return fw_fail(err, FW_ERR_DATA, "kpi: %zu bytes under '%s' are no saved state, or damaged", bytes.len, key);
    in.left -= 8;
    if (!take_pane(&p, k, &in)) return fw_fail(err, FW_ERR_DATA, "kpi: the saved state '%s' is of other windows, or damaged", key);
    FW_TRY(make_pane(&to, k, p.from_us, err));
    if (to != NULL) *to = p;
    return FW_OK;
}

fw_status monitor_kpi_restore_event(monitor_kpi *k, const monitor_waiting_outcome_row *row, int64_t now_us, fw_error *err)
{
    const char *id = row->id != NULL ? behind(k, "", row->id) : NULL;
    monitor_join *e = NULL;
    double value = 0;
    if (row->model != 0 || id == NULL) return FW_OK;
    if (*id == '\0' || row->outcome == NULL || !fw_parse_double(&value, row->outcome, strlen(row->outcome))) return fw_fail(err, FW_ERR_DATA, "kpi: a kept event is damaged");
    if (monitor_joins_full(k->joins) || monitor_joins_find(k->joins, id) != NULL) return FW_OK;
    FW_TRY(monitor_joins_add(&e, k->joins, id, 0, now_us, err));
    e->known = true;
    e->actual = value;
    e->at_us = row->at_us;
    return FW_OK;
}
