#include "monitor/drift_track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define POOL_ROWS 4000       /* rows that are enough for a figure: on 32 bins Jensen-Shannon's distance of equal shares is then 0.04 */
#define CALM      3          /* windows without effect that end an alarm */

fw_status monitor_track_create(monitor_track *t, fw_evidence_kind kind, const uint64_t *reference, size_t n, double strength, fw_error *err)
{
    *t = (monitor_track){.n = n};
    FW_TRY(fw_evidence_create(&t->evidence, kind, reference, n, strength, err));
    FW_TRY(fw_alloc_zeroed((void **)&t->old, n, sizeof *t->old, "counts of a column", err));
    return fw_alloc_zeroed((void **)&t->young, n, sizeof *t->young, "counts of a column", err);
}

void monitor_track_release(monitor_track *t)
{
    fw_evidence_destroy(&t->evidence);
    free(t->old);
    free(t->young);
}

static void forget_rows(monitor_track *t)
{
    memset(t->old, 0, t->n * sizeof *t->old);
    memset(t->young, 0, t->n * sizeof *t->young);
    t->old_rows = t->young_rows = t->rows_since = 0;
}

void monitor_track_reset(monitor_track *t)
{
    fw_evidence_reset(t->evidence);
    forget_rows(t);
    t->rise = 0;
    t->since = t->calm = 0;
    t->alarm = false;
}

/** The last POOL_ROWS to twice as many: young begins when old has enough, and takes its place when it has as many itself. */
static void keep_rows(monitor_track *t, const uint64_t *current, uint64_t rows)
{
    if (t->young_rows >= POOL_ROWS) {
        uint64_t *swap = t->old;
        t->old = t->young;
        t->young = swap;
        t->old_rows = t->young_rows;
        t->young_rows = 0;
        memset(t->young, 0, t->n * sizeof *t->young);
    }
    bool both = t->old_rows >= POOL_ROWS;
    for (size_t i = 0; i < t->n; i++) {
        t->old[i] += current[i];
        t->young[i] += both ? current[i] : 0;
    }
    t->old_rows += rows;
    t->young_rows += both ? rows : 0;
}

/** The change began, as Page's rule has it (Biometrika 41, 1954), where the sum of the growths last stood at 0. */
void monitor_track_look(monitor_track *t, const uint64_t *current, uint64_t stamp)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < t->n; i++) rows += current[i];
    if (rows == 0) return;
    fw_evidence_look(t->evidence, current);
    if (!(t->rise > 0) && !t->alarm) {
        forget_rows(t);
        t->rise = 0;
        t->since = stamp;
    }
    t->rise = FW_MIN(t->rise + fw_evidence_growth(t->evidence), 1e300);
    t->rows_since += rows;
    keep_rows(t, current, rows);
}

void monitor_track_judge(monitor_track *t, bool evident, bool effect, bool still)
{
    if (!t->alarm) {
        t->alarm = evident && effect;
        t->calm = 0;
        return;
    }
    t->calm = still ? 0 : t->calm + 1;
    if (t->calm < CALM) return;
    fw_evidence_restart(t->evidence);
    t->rise = 0;
    t->alarm = false;
}

/* ---- bytes ---- */

static void put_number(fw_text *out, double v)
{
    uint64_t bits = 0;
    memcpy(&bits, &v, sizeof bits);
    monitor_put_word(out, bits);
}

static bool take_number(monitor_words *in, double *v)
{
    uint64_t bits = 0;
    if (!monitor_take_word(in, &bits)) return false;
    memcpy(v, &bits, sizeof bits);
    return true;
}

void monitor_track_save(const monitor_track *t, double *scratch, fw_text *out)
{
    fw_evidence_save(t->evidence, scratch);
    for (size_t i = 0; i < fw_evidence_numbers(t->evidence); i++) put_number(out, scratch[i]);
    put_number(out, t->rise);
    const uint64_t words[] = {t->since, t->rows_since, t->old_rows, t->young_rows, t->calm, t->alarm};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) monitor_put_word(out, words[i]);
    for (size_t i = 0; i < t->n; i++) monitor_put_word(out, t->old[i]);
    for (size_t i = 0; i < t->n; i++) monitor_put_word(out, t->young[i]);
}

/** Counts that add up to their rows. */
static bool take_counts(monitor_words *in, uint64_t *count, size_t n, uint64_t rows)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!monitor_take_word(in, &count[i]) || count[i] > rows - sum) return false;
        sum += count[i];
    }
    return sum == rows;
}

bool monitor_track_restore(monitor_track *t, double *scratch, monitor_words *in)
{
    uint64_t alarm = 0;
    for (size_t i = 0; i < fw_evidence_numbers(t->evidence); i++)
        if (!take_number(in, &scratch[i])) return false;
    if (!fw_evidence_restore(t->evidence, scratch) || !take_number(in, &t->rise) || isnan(t->rise) || t->rise > 1e300) return false;
    uint64_t *const words[] = {&t->since, &t->rows_since, &t->old_rows, &t->young_rows, &t->calm, &alarm};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!monitor_take_word(in, words[i])) return false;
    t->alarm = alarm != 0;
    return alarm <= 1 && t->old_rows >= t->young_rows && t->rows_since >= t->old_rows && take_counts(in, t->old, t->n, t->old_rows) &&
           take_counts(in, t->young, t->n, t->young_rows);
}
