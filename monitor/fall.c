#include "monitor/fall.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "monitor/limit.h"
#include "monitor/proof.h"

#define MAGIC       UINT64_C(0x314c4c41464d5746)      /* "FWMFALL1" */
#define LIMIT_SHARE 0.5                                /* of its budget: for a limit that the reference leaves open */
#define MARGIN      1e-9                               /* on a limit: more than the rounding of a payoff can be, relative to the bet */
#define BLOCKS_MOST 8                                  /* so many blocks' rows without an interval are no block any more */

struct monitor_fall {
    fw_quality_metric metric;
    monitor_shape shape;
    monitor_limit limit;
    monitor_proof proof;
    monitor_realised *block;       /* NULL: the metric is a mean of rows */
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
    const double budget = (1 - MONITOR_PARTED_SHARE) * (o->false_alarms > 0 ? o->false_alarms : MONITOR_FALSE_ALARMS);
    FW_AUTO(monitor_fall) *f = calloc(1, sizeof *f);
    if (f == NULL) return fw_fail(err, FW_ERR_NOMEM, "evidence of quality");
    f->metric = o->metric;
    f->shape = *shape;
    f->limit = monitor_limit_of(o->metric, o->drop > 0 ? o->drop : MONITOR_DROP, r, -fw_log_double(LIMIT_SHARE * budget));
    f->proof = (monitor_proof){.n = 1, .least = -fw_log_double((1 - LIMIT_SHARE) * budget), .digest = digest_of(f)};
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
    fw_wager_normal(&f->proof.wager[0], (f->limit.value - got->value) / one - MARGIN);
    monitor_realised_reset(f->block);
}

fw_status monitor_fall_take(monitor_fall *f, const monitor_judged *row, fw_error *err)
{
    double loss = 0;
    if (f->limit.kind == MONITOR_LIMIT_NONE) return FW_OK;
    f->proof.changed = true;
    if (f->block != NULL) {
        FW_TRY(monitor_realised_add(f->block, row, err));
        if (monitor_realised_rows(f->block) >= f->limit.block_rows) end_block(f);
    } else if (loss_of(&loss, f, row))
        fw_wager_loss(&f->proof.wager[0], loss / (f->limit.value * (1 + MARGIN)));
    return FW_OK;
}

/* ---- verdicts and state ------------------------------------------------------------------------------------------------------------------- */

monitor_sure monitor_fall_sure(const monitor_fall *f) { return monitor_proof_sure(&f->proof); }
void         monitor_fall_judge(monitor_fall *f, double level, double threshold) { monitor_proof_judge(&f->proof, level, threshold); }
fw_status    monitor_fall_save(monitor_fall *f, fw_text *out, fw_error *err) { return monitor_proof_save(&f->proof, f->block, out, err); }
fw_status    monitor_fall_restore(monitor_fall *f, monitor_bytes bytes, fw_error *err) { return monitor_proof_restore(&f->proof, f->block, bytes.data, bytes.len, err); }
