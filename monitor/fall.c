#include "monitor/fall.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "common/stats/wager.h"
#include "monitor/limit.h"

#define MAGIC       UINT64_C(0x314c4c41464d5746)      /* "FWMFALL1" */
#define LIMIT_SHARE 0.5                                /* of false_alarms: for a limit that the reference leaves open */
#define MARGIN      1e-9                               /* on a limit: more than the rounding of a payoff can be, relative to the bet */
#define STILL       0.8                                /* of the drop: below it an alarm may end */
#define CALM        3                                  /* windows in a row below, that end it */
#define BLOCKS_MOST 8                                  /* so many blocks' rows without an interval are no block any more */

struct monitor_fall {
    fw_quality_metric metric;
    monitor_shape shape;
    monitor_limit limit;
    uint64_t digest;               /* of all that the wager depends on */
    double least;                  /* ln e from which on it is evident */
    fw_wager wager;
    monitor_realised *block;       /* NULL: the metric is a mean of rows */
    bool alarm, changed;           /* changed: since it was saved */
    uint64_t calm;
};

/* ---- making ------------------------------------------------------------------------------------------------------------------------------- */

static uint64_t digest_of(const monitor_fall *f)
{
    uint64_t words[8] = {f->metric, f->shape.task, f->shape.n_classes, f->shape.positive, f->limit.kind, f->limit.block_rows};
    memcpy(&words[6], &f->limit.value, sizeof words[6]);
    memcpy(&words[7], &f->limit.deviation, sizeof words[7]);
    return fw_hash64(words, sizeof words, MAGIC);
}

fw_status monitor_fall_create(monitor_fall **out, const monitor_performance_opts *o, const monitor_shape *shape, const fw_reference *r, fw_error *err)
{
    const double budget = o->false_alarms > 0 ? o->false_alarms : MONITOR_FALSE_ALARMS;
    FW_AUTO(monitor_fall) *f = calloc(1, sizeof *f);
    if (f == NULL) return fw_fail(err, FW_ERR_NOMEM, "evidence of quality");
    f->metric = o->metric;
    f->shape = *shape;
    f->limit = monitor_limit_of(o->metric, o->drop > 0 ? o->drop : MONITOR_DROP, r, -fw_log_double(LIMIT_SHARE * budget));
    f->least = -fw_log_double((1 - LIMIT_SHARE) * budget);
    f->digest = digest_of(f);
    if (f->limit.kind == MONITOR_LIMIT_BLOCK) FW_TRY(monitor_realised_create(&f->block, shape, err));
    *out = f;
    f = NULL;
    return FW_OK;
}

void monitor_fall_destroy(monitor_fall **f)
{
    if (*f == NULL) return;
    monitor_realised_destroy(&(*f)->block);
    free(*f);
    *f = NULL;
}

bool monitor_fall_can(const monitor_fall *f) { return f->limit.kind != MONITOR_LIMIT_NONE; }

/* ---- rows --------------------------------------------------------------------------------------------------------------------------------- */

/* False: the metric does not look at such a row. */
static bool loss_of(double *loss, const monitor_fall *f, const monitor_judged *row)
{
    const bool said = row->said == f->shape.positive, is = row->truth == f->shape.positive;
    const double error = fabs(row->value - row->actual);
    switch (f->metric) {
    case FW_QUALITY_ACCURACY: *loss = row->said != row->truth; return true;
    case FW_QUALITY_PRECISION: *loss = !is; return said;
    case FW_QUALITY_RECALL: *loss = !said; return is;
    case FW_QUALITY_F1: *loss = !(said && is); return said || is;
    case FW_QUALITY_LOG_LOSS: return monitor_judged_log_loss(loss, &f->shape, row);
    case FW_QUALITY_MAE: *loss = error; return true;
    case FW_QUALITY_RMSE: *loss = error * error; return true;
    case FW_QUALITY_MACRO_F1:
    case FW_QUALITY_AUC:
    case FW_N_QUALITIES: break;
    }
    return false;
}

static void end_block(monitor_fall *f)
{
    const fw_qualities figures = monitor_realised_figures(f->block);
    const fw_interval *got = &figures.of[f->metric];
    if (isnan(got->value) || isnan(got->low)) {
        if (monitor_realised_rows(f->block) >= BLOCKS_MOST * f->limit.block_rows) monitor_realised_reset(f->block);
        return;
    }
    const double one = FW_MAX((got->high - got->low) / (2 * FW_INTERVAL_Z), f->limit.deviation);
    fw_wager_normal(&f->wager, (f->limit.value - got->value) / one - MARGIN);
    monitor_realised_reset(f->block);
}

fw_status monitor_fall_take(monitor_fall *f, const monitor_judged *row, fw_error *err)
{
    double loss = 0;
    if (f->limit.kind == MONITOR_LIMIT_NONE) return FW_OK;
    f->changed = true;
    if (f->block != NULL) {
        FW_TRY(monitor_realised_add(f->block, row, err));
        if (monitor_realised_rows(f->block) >= f->limit.block_rows) end_block(f);
    } else if (loss_of(&loss, f, row))
        fw_wager_loss(&f->wager, loss / (f->limit.value * (1 + MARGIN)));
    return FW_OK;
}

/* ---- verdicts ----------------------------------------------------------------------------------------------------------------------------- */

monitor_sure monitor_fall_sure(const monitor_fall *f)
{
    const double log_e = fw_wager_log(&f->wager);
    return (monitor_sure){.evident = log_e >= f->least, .log_e = log_e};
}

void monitor_fall_judge(monitor_fall *f, double level, double threshold)
{
    if (!f->alarm) {
        f->calm = 0;
        if (level >= threshold && monitor_fall_sure(f).evident) f->alarm = f->changed = true;
        return;
    }
    f->changed = true;
    f->calm = level < STILL * threshold ? f->calm + 1 : 0;
    if (f->calm < CALM) return;
    fw_wager_restart(&f->wager);
    f->alarm = false;
}

/* ---- bytes: magic, digest, alarm, calm, the wager's numbers, the block | a hash of it all ------------------------------------------------- */

fw_status monitor_fall_save(monitor_fall *f, fw_text *out, fw_error *err)
{
    double numbers[FW_WAGER_NUMBERS];
    uint64_t words[FW_WAGER_NUMBERS];
    const uint64_t head[] = {MAGIC, f->digest, f->alarm, f->calm};
    const size_t begin = out->len;
    if (!f->changed) return FW_OK;
    fw_wager_save(&f->wager, numbers);
    memcpy(words, numbers, sizeof words);
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) monitor_put_word(out, head[i]);
    for (size_t i = 0; i < FW_WAGER_NUMBERS; i++) monitor_put_word(out, words[i]);
    if (f->block != NULL) monitor_realised_save(f->block, out);
    FW_TRY(fw_text_check(out, err));
    monitor_put_word(out, fw_hash64(out->data + begin, out->len - begin, MAGIC));
    f->changed = false;
    return fw_text_check(out, err);
}

static void begin_anew(monitor_fall *f)
{
    f->wager = (fw_wager){0};
    f->alarm = false;
    f->calm = 0;
    if (f->block != NULL) monitor_realised_reset(f->block);
}

static bool take_all(monitor_fall *f, monitor_words *in)
{
    uint64_t alarm = 0, words[FW_WAGER_NUMBERS];
    double numbers[FW_WAGER_NUMBERS];
    if (!monitor_take_word(in, &alarm) || alarm > 1 || !monitor_take_word(in, &f->calm) || f->calm >= CALM) return false;
    f->alarm = alarm;
    for (size_t i = 0; i < FW_WAGER_NUMBERS; i++)
        if (!monitor_take_word(in, &words[i])) return false;
    memcpy(numbers, words, sizeof numbers);
    if (!fw_wager_restore(&f->wager, numbers) || (f->block != NULL && monitor_realised_restore(f->block, in, NULL) < 0)) return false;
    return in->left == 0;
}

fw_status monitor_fall_restore(monitor_fall *f, monitor_bytes bytes, fw_error *err)
{
    monitor_words in = {bytes.data, bytes.len}, end = {(const unsigned char *)bytes.data + (bytes.len >= 8 ? bytes.len - 8 : 0), FW_MIN(bytes.len, 8)};
    uint64_t magic = 0, digest = 0, hash = 0;
    begin_anew(f);
    if (bytes.len < 24 || !monitor_take_word(&end, &hash) || hash != fw_hash64(bytes.data, bytes.len - 8, MAGIC) || !monitor_take_word(&in, &magic) || magic != MAGIC)
        return fw_fail(err, FW_ERR_DATA, "%zu bytes are no saved evidence, or damaged; it begins anew", bytes.len);
    if (!monitor_take_word(&in, &digest) || digest != f->digest)
        return fw_fail(err, FW_ERR_DATA, "the saved evidence is of another metric, drop or reference; it begins anew");
    in.left -= 8;
    if (take_all(f, &in)) return FW_OK;
    begin_anew(f);
    return fw_fail(err, FW_ERR_DATA, "the saved evidence can't be of this reference; it begins anew");
}
