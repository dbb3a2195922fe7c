/** The example project: a call centre. A known probabilistic model draws the calls, so that the best reachable accuracy is known too.
 *
 *  The model    a call has a reason (the true label, one of 13) and a way of talking about it (a mode of the reason); given these, all columns are
 *               independent: topic counts are Poisson, devices and membership Bernoulli, days geometric, order category and hour drawn from a table.
 *               Then 3.5 % of the labels are replaced by another one, and some values are left out, whatever they are.
 *  Same bytes   the same rows for the same seed and number of rows: fw_random by row and column, plain arithmetic, no libm. */
#ifndef COORD_COMMANDS_EXAMPLE_CALLCENTER_H
#define COORD_COMMANDS_EXAMPLE_CALLCENTER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/core/status.h"

#define COORD_CALLCENTER_ROWS 30000

/** What is known of the rows that were drawn. Bayes: the classifier that knows the model, on the rows that are kept (wrong_number excluded,
 *  Kindle merged), wrong labels counted as they stand: no learner does better but by chance. */
typedef struct coord_callcenter_facts {
    uint64_t rows, seed, kept, wrong_labels;
    double bayes_accuracy, bayes_macro_f1;
} coord_callcenter_facts;

fw_status coord_callcenter_calls(FILE *out, uint64_t rows, uint64_t seed, coord_callcenter_facts *facts, fw_error *err);      /* calls.csv */
fw_status coord_callcenter_project(FILE *out, const coord_callcenter_facts *facts, fw_error *err);                            /* callcenter.yaml */
/** Both files into a folder, which is made. FW_ERR_CONFIG when one is there and not force. */
fw_status coord_callcenter_write(const char *dir, uint64_t rows, uint64_t seed, bool force, coord_callcenter_facts *facts, fw_error *err);

#endif
