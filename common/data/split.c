#include "common/data/split.h"

#include <math.h>

/* `place` in the counter: rows and groups must not share their hashes. */
enum { PLACE_ROW = 0, PLACE_GROUP = 1 };

fw_split_rule fw_split_rule_make(const fw_project *p)
{
    double train = p->data.split.train, validation = p->data.split.validation, test = p->data.split.test;
    if (p->data.split.by == FW_BY_GIVEN) {
        train = 1 - validation;
        test = 0;
    }
    double sum = train + validation + test;
    fw_split_rule r = {.by = p->data.split.by, .seed = p->data.split.seed, .train_end = train / sum, .validation_end = (train + validation) / sum};
    if (test <= 0) r.validation_end = 1;       /* not 0.9999...: nothing may fall into a split that was not asked for */
    r.stratified = p->data.split.stratify && p->problem.task == FW_TASK_CLASSIFICATION && (r.by == FW_BY_RANDOM || r.by == FW_BY_GIVEN);
    return r;
}

static fw_split at_share(const fw_split_rule *r, double share)
{
    if (share < r->train_end) return FW_TRAIN;
    return share < r->validation_end ? FW_VALIDATION : FW_TEST;
}

fw_split fw_split_of_row(const fw_split_rule *r, uint64_t row)
{
    return at_share(r, fw_random_unit(fw_random(r->seed, FW_RANDOM_SPLIT, 0, row, PLACE_ROW)));
}

fw_split fw_split_of_group(const fw_split_rule *r, uint64_t key)
{
    return at_share(r, fw_random_unit(fw_random(r->seed, FW_RANDOM_SPLIT, 0, key, PLACE_GROUP)));
}

fw_split fw_split_of_instant(const fw_split_rule *r, double at)
{
    if (at < r->validation_from) return FW_TRAIN;
    return at < r->test_from ? FW_VALIDATION : FW_TEST;
}

/* Counts of the first split(s): the cumulative share of n, rounded half up, so the three counts add up to n. */
static uint64_t rows_until(double share, uint64_t n) { return share >= 1 ? n : (uint64_t)floor(share * (double)n + 0.5); }

fw_split fw_split_of_class_row(const fw_split_rule *r, const fw_permutation *order, uint64_t ordinal)
{
    uint64_t at = fw_permutation_at(order, ordinal);
    if (at < rows_until(r->train_end, order->n)) return FW_TRAIN;
    return at < rows_until(r->validation_end, order->n) ? FW_VALIDATION : FW_TEST;
}

fw_permutation fw_split_class_order(const fw_split_rule *r, uint32_t class_code, uint64_t n_rows)
{
    return fw_permutation_make(r->seed, FW_RANDOM_SPLIT, class_code, n_rows);
}

fw_permutation fw_split_file_order(const fw_split_rule *r, fw_split s, uint64_t n_rows)
{
    return fw_permutation_make(r->seed, FW_RANDOM_FILE_ORDER, (uint32_t)s, n_rows);
}
