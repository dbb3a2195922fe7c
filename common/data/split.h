/** Which split a row belongs to. Every rule is a pure function of the row, never of who asks:
 *  random      hash of (seed, row number) against the shares: stays when rows are appended
 *  stratified  the rows of a class in a seeded order, cut at the shares: exact counts for each class
 *  time        before the first instant of validation, or of test: rows of one instant stay together, and the later split gets them
 *  group       hash of (seed, group's key): a group stays whole
 *  given       the table says test; validation is a share of the others, by hash or stratified
 *  It does not read or count rows: ordinals and instants are handed in. */
#ifndef FW_DATA_SPLIT_H
#define FW_DATA_SPLIT_H

#include "common/core/random.h"
#include "common/data/dataset.h"
#include "common/project/project.h"

typedef struct fw_split_rule {
    fw_split_by by;
    bool stratified;
    uint64_t seed;
    double train_end, validation_end;      /* cumulative shares, 0 <= train_end <= validation_end <= 1 */
    double validation_from, test_from;     /* time: the first instants */
} fw_split_rule;

/** From data.split; given: the shares of the tables that are not test tables. */
fw_split_rule fw_split_rule_make(const fw_project *p);

fw_split fw_split_of_row(const fw_split_rule *r, uint64_t row);                    /* random, given */
fw_split fw_split_of_group(const fw_split_rule *r, uint64_t key);
fw_split fw_split_of_instant(const fw_split_rule *r, double at);
/** The row is the ordinal-th (from 0) of n_rows of its class. `order` is that class's: fw_split_class_order. */
fw_split fw_split_of_class_row(const fw_split_rule *r, const fw_permutation *order, uint64_t ordinal);
fw_permutation fw_split_class_order(const fw_split_rule *r, uint32_t class_code, uint64_t n_rows);

/** The order of a split's rows in the file. */
fw_permutation fw_split_file_order(const fw_split_rule *r, fw_split s, uint64_t n_rows);

#endif
