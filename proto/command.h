/** Orders and answers of the control plane as checked structs; the bytes are those of command.proto. */
#ifndef FW_PROTO_COMMAND_H
#define FW_PROTO_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef enum fw_order_kind {
    FW_ORDER_INGEST, FW_ORDER_OPEN, FW_ORDER_CREATE, FW_ORDER_RESTORE, FW_ORDER_ADVANCE, FW_ORDER_SAVE, FW_ORDER_LOAD_MODEL, FW_ORDER_EVALUATE,
    FW_ORDER_SCORE, FW_ORDER_FIND_RATE, FW_ORDER_PROBE, FW_ORDER_CHECKPOINT, FW_ORDER_CLOSE
} fw_order_kind;

typedef struct fw_value { char *name; double value; } fw_value;
typedef struct fw_word { char *name, *text; } fw_word;

/** What is refused unread. */
#define FW_COMMAND_MAX_BYTES (16u << 20)

/** One order; the fields that its kind uses are set, texts are never NULL in a decoded order. */
typedef struct fw_order {
    fw_order_kind kind;
    uint64_t number;
    char *project, *directory, *dataset, *path, *split, *output, *format, *bus, *keys, *spool, *record;
    double checkpoint_every_s, wait_s, low, high, deadline_s;
    uint64_t checkpoint_every_rounds, rounds, piece_rows;
    uint32_t wait_readers, steps, folds, fold;             /* folds 0: the splits as they are; else 2 <= folds, fold < folds */
    bool mark_best, best, skip_bad_rows, insecure, shared, leave;
    int32_t exit_code;
    fw_value *values; size_t n_values;
    char **overrides; size_t n_overrides;                  /* each "key=value", over `project` */
} fw_order;

typedef struct fw_part_seconds { double load, forward, backward, sum, optimizer, wait; } fw_part_seconds;
typedef struct fw_position { uint64_t round, step, rows; } fw_position;

typedef struct fw_round_result {
    fw_position position;
    double train_loss, rows_per_s, learning_rate;
    fw_value *validation; size_t n_validation;
    fw_part_seconds seconds;
    uint32_t slowest_rank;
    fw_part_seconds *by_rank; size_t n_by_rank;
} fw_round_result;

typedef struct fw_answer {
    uint64_t number;
    fw_status status;
    char *text, *kind, *digest;
    bool last, has_best;
    fw_position position;
    double fraction, train_loss, rows_per_s;
    uint32_t ranks;
    fw_round_result *rounds; size_t n_rounds;
    fw_value *values; size_t n_values;
    fw_word *words; size_t n_words;
    void *payload; size_t payload_len;
} fw_answer;

/** *bytes malloc'ed. The struct's own texts may be NULL (empty). */
fw_status fw_order_pack(void **bytes, size_t *len, const fw_order *o, fw_error *err);
fw_status fw_answer_pack(void **bytes, size_t *len, const fw_answer *a, fw_error *err);

/** FW_ERR_FORMAT: not such a message, longer than FW_COMMAND_MAX_BYTES, or one that would unfold: what comes out of n bytes takes at most about
 *  32 n + 128 KiB of memory. The result owns all it points to. */
fw_status fw_order_unpack(fw_order **out, const void *bytes, size_t len, fw_error *err);
fw_status fw_answer_unpack(fw_answer **out, const void *bytes, size_t len, fw_error *err);
void      fw_order_destroy(fw_order **o);
void      fw_answer_destroy(fw_answer **a);

double      fw_answer_value(const fw_answer *a, const char *name, double fallback);
const char *fw_answer_word(const fw_answer *a, const char *name);       /* "" when there is none */

#endif
