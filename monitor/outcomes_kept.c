/** Outcomes on their shelf, and back from it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "monitor/outcomes_parts.h"

#define MAGIC     UINT64_C(0x31746375776c66)      /* "flwuct1" */
#define KEY_BYTES 64

/* ---- the shelf ---------------------------------------------------------------------------------------------------------------------------- */

fw_status monitor_outcomes_keep_prediction(const monitor_outcomes *o, const monitor_join *e, double confidence, bool keep, fw_error *err)
{
    const monitor_waiting_prediction_row row = {
        .model = o->opts.model, .id = e->id, .window = (int64_t)e->window, .made_us = e->made_us, .label = e->said, .confidence = confidence, .value = e->value,
        .probabilities = {e->score, e->n_scores * sizeof *e->score}};
    return o->shelf.keep_prediction != NULL ? o->shelf.keep_prediction(o->shelf.context, &row, keep, err) : FW_OK;
}

fw_status monitor_outcomes_keep_outcome(const monitor_outcomes *o, const monitor_join *e, bool keep, fw_error *err)
{
    char number[FW_NUMBER_TEXT];
    const monitor_waiting_outcome_row row = {.model = o->opts.model, .id = e->id, .outcome = monitor_outcome_text(number, o, e), .at_us = e->at_us};
    return o->shelf.keep_outcome != NULL ? o->shelf.keep_outcome(o->shelf.context, &row, keep, err) : FW_OK;
}

static void key_of(char out[static KEY_BYTES], const monitor_outcomes *o, uint64_t window)
{
    const int n = snprintf(out, KEY_BYTES, "outcomes/%lld", (long long)o->opts.model);
    if (window > 0) snprintf(out + n, KEY_BYTES - (size_t)n, "/%llu", (unsigned long long)window);
}

fw_status monitor_outcomes_keep_state(const monitor_outcomes *o, uint64_t window, fw_text *bytes, fw_error *err)
{
    char key[KEY_BYTES];
    key_of(key, o, window);
    if (bytes->len > 0) monitor_put_word(bytes, fw_hash64(bytes->data, bytes->len, MAGIC));
    FW_TRY(fw_text_check(bytes, err));
    return o->shelf.keep_state != NULL ? o->shelf.keep_state(o->shelf.context, key, (monitor_bytes){bytes->data, bytes->len}, err) : FW_OK;
}

/* ---- restoring ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status restore_counts(monitor_outcomes *o, monitor_words *in, fw_error *err)
{
    uint64_t words[sizeof o->counts / sizeof(uint64_t)];
    bool there = true;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) there = there && monitor_take_word(in, &words[i]);
    if (!there || in->left > 0) return fw_fail(err, FW_ERR_DATA, "outcomes: the saved counts of model %lld are damaged", (long long)o->opts.model);
    memcpy(&o->counts, words, sizeof words);
    o->kept = o->counts;
    return FW_OK;
}

/* What the key names: a window, 0 for the counts; false: it is of somebody else. */
static bool parse_key(uint64_t *window, const monitor_outcomes *o, const char *key)
{
    char mine[KEY_BYTES];
    key_of(mine, o, 0);
    const size_t n = strlen(mine);
    *window = 0;
    if (strncmp(key, mine, n) != 0) return false;
    if (key[n] == '\0') return true;
    return key[n] == '/' && fw_parse_uint64(window, key + n + 1, strlen(key + n + 1)) && *window > 0;
}

fw_status monitor_outcomes_restore_state(monitor_outcomes *o, const char *key, monitor_bytes bytes, fw_error *err)
{
    monitor_words in = {bytes.data, bytes.len}, end = {(const unsigned char *)bytes.data + (bytes.len >= 8 ? bytes.len - 8 : 0), FW_MIN(bytes.len, 8)};
    uint64_t window = 0, hash = 0;
    monitor_held *w = NULL;
    if (!parse_key(&window, o, key)) return FW_OK;
    if (!monitor_take_word(&end, &hash) || hash != fw_hash64(bytes.data, bytes.len - 8, MAGIC))
        return fw_fail(err, FW_ERR_DATA, "outcomes: %zu bytes under '%s' are no saved state, or damaged", bytes.len, key);
    in.left -= 8;
    if (window == 0) return restore_counts(o, &in, err);
    FW_TRY(monitor_outcomes_hold(&w, o, window, err));
    if (w == NULL) return FW_OK;
    return monitor_held_restore(w, &o->held, &in, err);
}

fw_status monitor_outcomes_restore_prediction(monitor_outcomes *o, const monitor_waiting_prediction_row *row, int64_t now_us, fw_error *err)
{
    const size_t n = row->probabilities.len / sizeof(float);
    monitor_join *e = NULL;
    if (row->model != o->opts.model || row->id == NULL || *row->id == '\0' || row->window < 1 || row->label < 0 ||
        row->label >= FW_MAX((int64_t)o->opts.shape.n_classes, 1) || (n != 0 && n != o->n_scores) || row->probabilities.len % sizeof(float) != 0)
        return fw_fail(err, FW_ERR_DATA, "outcomes: a kept prediction is not one of model %lld", (long long)o->opts.model);
    if (monitor_joins_find(o->joins, row->id) != NULL) return FW_OK;
    FW_TRY(monitor_outcomes_add(&e, o, row->id, n, FW_MIN(row->made_us, now_us), err));
    e->predicted = true;
    e->said = (uint32_t)row->label;
    e->value = isfinite(row->value) ? row->value : 0;
    e->window = (uint64_t)row->window;
    e->made_us = row->made_us;
    if (n > 0) memcpy(e->score, row->probabilities.data, n * sizeof *e->score);
    return FW_OK;
}

fw_status monitor_outcomes_restore_outcome(monitor_outcomes *o, const monitor_waiting_outcome_row *row, int64_t now_us, fw_error *err)
{
    monitor_outcome v;
    if (row->model != o->opts.model || row->id == NULL || *row->id == '\0' || row->outcome == NULL)
        return fw_fail(err, FW_ERR_DATA, "outcomes: a kept outcome is not one of model %lld", (long long)o->opts.model);
    FW_TRY(monitor_outcome_parse(&v, o, row->id, row->outcome, row->at_us, err));
    monitor_join *e = monitor_joins_find(o->joins, row->id);
    if (e == NULL) FW_TRY(monitor_outcomes_add(&e, o, row->id, 0, now_us, err));
    monitor_outcome_set(e, &v);
    return FW_OK;
}
