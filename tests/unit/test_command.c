/** Orders and answers of the control plane: what is packed comes out the same; what is cut, changed or made up is refused or harmless. */
#include "proto/command.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/random.h"
#include "common/core/size.h"
#include "common/core/text.h"

static fw_value three_values[] = {{(char *)"accuracy", 0.875}, {(char *)"log_loss", 1e-300}, {(char *)"", -INFINITY}};

static char *two_texts[] = {(char *)"train.epochs=3", (char *)""};

/* Each kind with every field it carries; order of fw_order_kind. */
static const fw_order orders[] = {
    {.kind = FW_ORDER_INGEST, .number = 1, .project = (char *)"project: p\n", .directory = (char *)"/data/a b", .output = (char *)"p.dataset.h5"},
    {.kind = FW_ORDER_OPEN,
     .number = 2,
     .project = (char *)"project: p\n",
     .directory = (char *)".",
     .dataset = (char *)"p.dataset.h5",
     .folds = 5,
     .fold = 4,
     .shared = true,
     .overrides = two_texts,
     .n_overrides = 2},
    {.kind = FW_ORDER_CREATE, .number = 3, .path = (char *)"runs/x/checkpoint.h5", .checkpoint_every_s = 60.5, .checkpoint_every_rounds = 7},
    {.kind = FW_ORDER_RESTORE,
     .number = 4,
     .path = (char *)"runs/x/checkpoint.h5",
     .dataset = (char *)"runs/y/checkpoint.h5",
     .checkpoint_every_s = 0.25,
     .checkpoint_every_rounds = UINT64_MAX},
    {.kind = FW_ORDER_ADVANCE, .number = 5, .rounds = 3, .mark_best = true},
    {.kind = FW_ORDER_SAVE, .number = 6, .path = (char *)"model.h5", .best = true, .values = three_values, .n_values = 3},
    {.kind = FW_ORDER_LOAD_MODEL, .number = 7, .path = (char *)"\xc3\xa4.h5"},
    {.kind = FW_ORDER_EVALUATE, .number = 8, .dataset = (char *)"p.dataset.h5", .split = (char *)"test"},
    {.kind = FW_ORDER_SCORE,
     .number = 9,
     .project = (char *)"p",
     .directory = (char *)"d",
     .dataset = (char *)"s",
     .split = (char *)"train",
     .output = (char *)"o.csv",
     .format = (char *)"csv",
     .bus = (char *)"tcp://127.0.0.1:5555", .spool = (char *)"kept", .record = (char *)"r.rec",
     .wait_readers = 4000000000u,
     .wait_s = 12.5,
     .skip_bad_rows = true,
     .piece_rows = 17},
    {.kind = FW_ORDER_FIND_RATE, .number = 10, .low = 1e-6, .high = 10.0, .steps = 200},
    {.kind = FW_ORDER_PROBE, .number = 11, .path = (char *)"/shared/.flywheel-doctor-0123", .deadline_s = 2.5},
    {.kind = FW_ORDER_CHECKPOINT, .number = 12},
    {.kind = FW_ORDER_CLOSE, .number = UINT64_MAX, .exit_code = -3, .leave = true},
};
#define N_ORDERS (sizeof orders / sizeof orders[0])

static void same_text(const char *got, const char *expected) { assert_string_equal(got, expected != NULL ? expected : ""); }

/* Of a kind that does not carry a text: NULL stays. */
static void same_or_absent(const char *got, const char *expected)
{
    if (got == NULL) assert_null(expected);
    else same_text(got, expected);
}

static void same_double(double got, double expected) { assert_memory_equal(&got, &expected, sizeof got); }

static void same_values(const fw_value *got, size_t n, const fw_value *expected, size_t n_expected)
{
    assert_int_equal(n, n_expected);
    for (size_t i = 0; i < n; i++) {
        same_text(got[i].name, expected[i].name);
        same_double(got[i].value, expected[i].value);
    }
}

static void same_order(const fw_order *got, const fw_order *o)
{
    assert_int_equal(got->kind, o->kind);
    assert_true(got->number == o->number);
    same_or_absent(got->project, o->project);
    same_or_absent(got->directory, o->directory);
    same_or_absent(got->dataset, o->dataset);
    same_or_absent(got->path, o->path);
    same_or_absent(got->split, o->split);
    same_or_absent(got->output, o->output);
    same_or_absent(got->format, o->format);
    same_or_absent(got->bus, o->bus);
    same_or_absent(got->spool, o->spool);
    same_or_absent(got->record, o->record);
    same_double(got->checkpoint_every_s, o->checkpoint_every_s);
    same_double(got->wait_s, o->wait_s);
    same_double(got->low, o->low);
    same_double(got->high, o->high);
    same_double(got->deadline_s, o->deadline_s);
    assert_true(got->checkpoint_every_rounds == o->checkpoint_every_rounds && got->rounds == o->rounds && got->piece_rows == o->piece_rows);
    assert_true(got->wait_readers == o->wait_readers && got->steps == o->steps);
    assert_true(got->mark_best == o->mark_best && got->best == o->best && got->skip_bad_rows == o->skip_bad_rows && got->shared == o->shared);
    assert_true(got->folds == o->folds && got->fold == o->fold);
    assert_true(got->exit_code == o->exit_code && got->leave == o->leave);
    same_values(got->values, got->n_values, o->values, o->n_values);
    assert_int_equal(got->n_overrides, o->n_overrides);
    for (size_t i = 0; i < o->n_overrides; i++) same_text(got->overrides[i], o->overrides[i]);
}

static void *pack_order(const fw_order *o, size_t *len)
{
    void *bytes = NULL;
    assert_int_equal(fw_order_pack(&bytes, len, o, NULL), FW_OK);
    return bytes;
}

static void every_order_comes_out_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ORDERS; i++) {
        assert_int_equal(orders[i].kind, i);
        size_t len = 0;
        FW_FREE void *bytes = pack_order(&orders[i], &len);
        FW_AUTO(fw_order) *o = NULL;
        assert_int_equal(fw_order_unpack(&o, bytes, len, NULL), FW_OK);
        same_order(o, &orders[i]);
    }
}

static void texts_that_are_not_given_come_out_empty(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ORDERS; i++) {
        const fw_order bare = {.kind = (fw_order_kind)i};
        size_t len = 0;
        FW_FREE void *bytes = pack_order(&bare, &len);
        FW_AUTO(fw_order) *o = NULL;
        assert_int_equal(fw_order_unpack(&o, bytes, len, NULL), FW_OK);
        assert_int_equal(o->kind, i);
        switch (o->kind) {                         /* what the one who obeys will read without asking */
        case FW_ORDER_INGEST: assert_true(o->project[0] == '\0' && o->directory[0] == '\0' && o->output[0] == '\0'); break;
        case FW_ORDER_OPEN: assert_true(o->project[0] == '\0' && o->directory[0] == '\0' && o->dataset[0] == '\0' && o->n_overrides == 0); break;
        case FW_ORDER_CREATE: case FW_ORDER_LOAD_MODEL: case FW_ORDER_PROBE: assert_true(o->path[0] == '\0'); break;
        case FW_ORDER_SAVE: assert_true(o->path[0] == '\0' && o->values != NULL && o->n_values == 0); break;
        case FW_ORDER_RESTORE: assert_true(o->path[0] == '\0' && o->dataset[0] == '\0'); break;
        case FW_ORDER_EVALUATE: assert_true(o->dataset[0] == '\0' && o->split[0] == '\0'); break;
        case FW_ORDER_SCORE:
            assert_true(o->project[0] == '\0' && o->directory[0] == '\0' && o->dataset[0] == '\0' && o->split[0] == '\0' && o->output[0] == '\0');
            assert_true(o->format[0] == '\0' && o->bus[0] == '\0');
            break;
        case FW_ORDER_ADVANCE: case FW_ORDER_FIND_RATE: case FW_ORDER_CHECKPOINT: case FW_ORDER_CLOSE: break;
        }
    }
}

static void a_fold_that_is_none_is_refused(void **state)
{
    (void)state;
    static const struct { uint32_t folds, fold; bool good; } cases[] = {{0, 0, true}, {2, 0, true}, {2, 1, true}, {5, 4, true}, {0, 1, false},
                                                                         {1, 0, false}, {2, 2, false}, {5, UINT32_MAX, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const fw_order open = {.kind = FW_ORDER_OPEN, .folds = cases[i].folds, .fold = cases[i].fold};
        size_t len = 0;
        FW_FREE void *bytes = pack_order(&open, &len);
        FW_AUTO(fw_order) *o = NULL;
        assert_int_equal(fw_order_unpack(&o, bytes, len, NULL), cases[i].good ? FW_OK : FW_ERR_FORMAT);
    }
}

/* ---- answers ------------------------------------------------------------------------------------------------------------------------ */

static fw_part_seconds some_ranks[] = {{1, 2, 3, 4, 5, 6}, {0.5, 0, 0, 0, 0, 1e-9}};
static fw_round_result some_rounds[] = {
    {.position = {1, 100, 6400}, .train_loss = 0.693, .rows_per_s = 1e6, .learning_rate = 0.1, .validation = three_values, .n_validation = 2,
     .seconds = {6, 5, 4, 3, 2, 1}, .slowest_rank = 3, .by_rank = some_ranks, .n_by_rank = 2},
    {.position = {2, 200, UINT64_MAX}, .train_loss = 0.0},
};
static fw_word two_words[] = {{(char *)"host", (char *)"n1"}, {(char *)"mpi.mtl", (char *)""}};
static char some_payload[] = {0, 1, 2, 0, (char)255, 0};
static const fw_answer answers[] = {
    {.number = 1, .status = FW_OK, .last = true},
    {.number = 2, .status = FW_ERR_DATA, .text = (char *)"a.csv:7:2: why", .last = true},
    {.number = 3, .kind = (char *)"step", .position = {3, 1234, 99}, .fraction = 0.25, .train_loss = 1.5, .rows_per_s = 3e5},
    {.number = 4, .kind = (char *)"part", .payload = some_payload, .payload_len = sizeof some_payload},
    {.number = 5,
     .last = true,
     .has_best = true,
     .digest = (char *)"0123456789abcdef0123456789abcdef",
     .ranks = 64,
     .rounds = some_rounds,
     .n_rounds = 2,
     .values = three_values,
     .n_values = 3},
    {.number = 6, .status = FW_ERR_INTERNAL, .last = true},
    {.number = 6, .kind = (char *)"rank", .words = two_words, .n_words = 2, .values = three_values, .n_values = 1},
    {.number = 7, .status = FW_END},
};
#define N_ANSWERS (sizeof answers / sizeof answers[0])

static void same_round(const fw_round_result *got, const fw_round_result *r)
{
    assert_memory_equal(&got->position, &r->position, sizeof got->position);
    assert_memory_equal(&got->seconds, &r->seconds, sizeof got->seconds);
    same_double(got->train_loss, r->train_loss);
    same_double(got->rows_per_s, r->rows_per_s);
    same_double(got->learning_rate, r->learning_rate);
    assert_int_equal(got->slowest_rank, r->slowest_rank);
    same_values(got->validation, got->n_validation, r->validation, r->n_validation);
    assert_int_equal(got->n_by_rank, r->n_by_rank);
    for (size_t i = 0; i < r->n_by_rank; i++) assert_memory_equal(&got->by_rank[i], &r->by_rank[i], sizeof r->by_rank[i]);
}

static void same_answer(const fw_answer *got, const fw_answer *a)
{
    assert_true(got->number == a->number && got->status == a->status && got->last == a->last && got->has_best == a->has_best &&
                got->ranks == a->ranks);
    same_text(got->text, a->text);
    same_text(got->kind, a->kind);
    same_text(got->digest, a->digest);
    assert_memory_equal(&got->position, &a->position, sizeof got->position);
    same_double(got->fraction, a->fraction);
    same_double(got->train_loss, a->train_loss);
    same_double(got->rows_per_s, a->rows_per_s);
    assert_int_equal(got->n_rounds, a->n_rounds);
    for (size_t i = 0; i < a->n_rounds; i++) same_round(&got->rounds[i], &a->rounds[i]);
    same_values(got->values, got->n_values, a->values, a->n_values);
    assert_int_equal(got->n_words, a->n_words);
    for (size_t i = 0; i < a->n_words; i++) {
        same_text(got->words[i].name, a->words[i].name);
        same_text(got->words[i].text, a->words[i].text);
    }
    assert_int_equal(got->payload_len, a->payload_len);
    if (a->payload_len > 0) assert_memory_equal(got->payload, a->payload, a->payload_len);
}

static void *pack_answer(const fw_answer *a, size_t *len)
{
    void *bytes = NULL;
    assert_int_equal(fw_answer_pack(&bytes, len, a, NULL), FW_OK);
    return bytes;
}

static void every_answer_comes_out_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ANSWERS; i++) {
        size_t len = 0;
        FW_FREE void *bytes = pack_answer(&answers[i], &len);
        FW_AUTO(fw_answer) *a = NULL;
        assert_int_equal(fw_answer_unpack(&a, bytes, len, NULL), FW_OK);
        same_answer(a, &answers[i]);
    }
}

static void a_figure_is_found_by_its_name(void **state)
{
    (void)state;
    assert_true(fw_answer_value(&answers[4], "accuracy", -1.0) == 0.875);
    assert_true(fw_answer_value(&answers[4], "accurac", -1.0) == -1.0);
    assert_true(fw_answer_value(&answers[0], "accuracy", 5.0) == 5.0);
}

static void a_word_is_found_by_its_name(void **state)
{
    (void)state;
    const fw_answer a = {.words = two_words, .n_words = 2};
    assert_string_equal(fw_answer_word(&a, "host"), "n1");
    assert_string_equal(fw_answer_word(&a, "hos"), "");
    assert_string_equal(fw_answer_word(&a, "mpi.mtl"), "");
}

static void every_status_travels_and_no_other_number(void **state)
{
    (void)state;
    for (int s = FW_ERR_INTERNAL; s <= FW_END; s++) {
        const fw_answer in = {.number = 1, .status = (fw_status)s};
        size_t len = 0;
        FW_FREE void *bytes = pack_answer(&in, &len);
        FW_AUTO(fw_answer) *a = NULL;
        assert_int_equal(fw_answer_unpack(&a, bytes, len, NULL), FW_OK);
        assert_int_equal(a->status, s);
    }
    static const int wrong[] = {2, 100, FW_ERR_INTERNAL - 1, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const fw_answer in = {.number = 1, .status = (fw_status)wrong[i]};
        size_t len = 0;
        FW_FREE void *bytes = pack_answer(&in, &len);
        FW_AUTO(fw_answer) *a = NULL;
        fw_error err = {0};
        assert_int_equal(fw_answer_unpack(&a, bytes, len, &err), FW_ERR_FORMAT);
        assert_non_null(strstr(err.text, "status"));
        assert_null(a);
    }
}

/* ---- bytes from elsewhere --------------------------------------------------------------------------------------------------------------- */

/* In a copy of exactly that length, so that a sanitizer sees a read past the end. */
static fw_status try_order(const void *bytes, size_t len, fw_error *err)
{
    FW_FREE char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    FW_AUTO(fw_order) *o = NULL;
    const fw_status s = fw_order_unpack(&o, copy, len, err);
    assert_true((s == FW_OK) == (o != NULL));
    return s;
}

static fw_status try_answer(const void *bytes, size_t len, fw_error *err)
{
    FW_FREE char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    FW_AUTO(fw_answer) *a = NULL;
    const fw_status s = fw_answer_unpack(&a, copy, len, err);
    assert_true((s == FW_OK) == (a != NULL));
    return s;
}

/* The kind stands last in an order: without all of it there is none. */
static void every_cut_order_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ORDERS; i++) {
        size_t len = 0;
        FW_FREE void *bytes = pack_order(&orders[i], &len);
        for (size_t cut = 0; cut < len; cut++) {
            fw_error err = {0};
            if (try_order(bytes, cut, &err) != FW_ERR_FORMAT) fail_msg("order %zu, cut to %zu of %zu bytes, was believed", i, cut, len);
            assert_true(strlen(err.text) > 8);
        }
    }
}

/* protobuf marks no end: a cut between two fields is a shorter message. Anywhere else it is refused. */
static void a_cut_answer_is_refused_or_shorter(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ANSWERS; i++) {
        size_t len = 0, believed = 0;
        FW_FREE void *bytes = pack_answer(&answers[i], &len);
        for (size_t cut = 0; cut < len; cut++) {
            const fw_status s = try_answer(bytes, cut, NULL);
            assert_true(s == FW_ERR_FORMAT || s == FW_OK);
            believed += s == FW_OK;
        }
        assert_true(believed <= 16);                     /* the fields of an answer, lists counted by their items */
    }
}

static void made_up_messages_are_refused(void **state)
{
    (void)state;
    static const struct { const char *what, *bytes; size_t len; } rows[] = {
        {"nothing", "", 0},
        {"a number alone", "\x08\x01", 2},
        {"a kind of a later version", "\x08\x01\xf2\x01\x00", 5},
        {"restore without settings", "\x08\x01\x6a\x00", 4},
        {"restore without settings, with a path", "\x08\x01\x6a\x05\x12\x03" "abc", 9},
        {"a length beyond the end", "\x08\x01\x52\x7f", 4},
        {"a length of 2^63", "\x52\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10},
        {"a number of eleven bytes", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12},
        {"field 0", "\x00\x01", 2},
        {"a group", "\x53\x54", 2},
        {"a kind of the wrong wire type", "\x50\x01", 2},
        {"text", "project: p\n", 11},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (try_order(rows[i].bytes, rows[i].len, NULL) != FW_ERR_FORMAT) fail_msg("%s was believed", rows[i].what);
}

static void random_bytes_do_no_harm(void **state)
{
    (void)state;
    uint8_t bytes[64];
    size_t refused = 0;
    for (uint64_t run = 0; run < 20000; run++) {
        const size_t len = fw_random(6, FW_RANDOM_TEST, 0, run, 99).word[0] % sizeof bytes;
        for (size_t i = 0; i < len; i += 16) {
            const fw_philox r = fw_random(6, FW_RANDOM_TEST, 0, run, (uint32_t)i);
            memcpy(bytes + i, r.word, 16);
        }
        refused += try_order(bytes, len, NULL) == FW_ERR_FORMAT;
        try_answer(bytes, len, NULL);
    }
    assert_true(refused > 19000);
}

static void changed_messages_do_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ORDERS + N_ANSWERS; i++) {
        size_t len = 0;
        FW_FREE uint8_t *bytes = i < N_ORDERS ? pack_order(&orders[i], &len) : pack_answer(&answers[i - N_ORDERS], &len);
        for (size_t at = 0; at < len; at++)
            for (int bit = 0; bit < 8; bit++) {
                bytes[at] ^= (uint8_t)(1 << bit);
                try_order(bytes, len, NULL);
                try_answer(bytes, len, NULL);
                bytes[at] ^= (uint8_t)(1 << bit);
            }
    }
}

/* n times the same bytes; malloc'ed. */
static char *repeated(const char *bytes, size_t len, size_t n)
{
    char *all = malloc(n * len + 1);
    assert_non_null(all);
    for (size_t i = 0; i < n; i++) memcpy(all + i * len, bytes, len);
    return all;
}

/* Two bytes on the wire ask for a message of a hundred in memory: a small message must not become a large one. */
static void a_message_that_would_unfold_is_refused(void **state)
{
    (void)state;
    static const struct { const char *what, *bytes; size_t len, n; int answer; } rows[] = {
        {"empty rounds", "\x52\x00", 2, 500000, 1},
        {"empty figures", "\x72\x00", 2, 500000, 1},
        {"empty words", "\x82\x01\x00", 3, 500000, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        FW_FREE char *bytes = repeated(rows[i].bytes, rows[i].len, rows[i].n);
        fw_error err = {0};
        assert_int_equal(fw_answer_unpack(&(fw_answer *){NULL}, bytes, rows[i].len * rows[i].n, &err), FW_ERR_FORMAT);
        assert_non_null(strstr(err.text, "memory"));
        assert_int_equal(try_answer(bytes, rows[i].len * 10, NULL), FW_OK);       /* a few of them are none the worse */
    }
    /* an order to save, with half a million empty metrics in it: a field of 1,000,000 bytes */
    FW_FREE char *metrics = repeated("\x1a\x00", 2, 500000);
    FW_FREE char *save = malloc(6 + 1000000);
    assert_non_null(save);
    memcpy(save, "\x82\x01\xc0\x84\x3d", 5);
    memcpy(save + 5, metrics, 1000000);
    fw_error err = {0};
    assert_int_equal(try_order(save, 5 + 1000000, &err), FW_ERR_FORMAT);
    assert_non_null(strstr(err.text, "memory"));
}

/* Found by a fuzzer: what came in as two bytes a round goes out as six, and must come in again. */
static void rounds_of_zeros_come_back(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 10000; n = 3 * n / 2 + 1) {
        FW_FREE fw_round_result *rounds = calloc(n, sizeof *rounds);
        assert_non_null(rounds);
        const fw_answer a = {.rounds = rounds, .n_rounds = n};
        size_t len = 0;
        FW_FREE void *bytes = pack_answer(&a, &len);
        assert_int_equal(try_answer(bytes, len, NULL), FW_OK);
    }
}

static void a_message_beyond_the_limit_is_refused_unread_and_unsent(void **state)
{
    (void)state;
    FW_FREE char *bytes = calloc(1, FW_COMMAND_MAX_BYTES + 1);
    assert_non_null(bytes);
    fw_error err = {0};
    assert_int_equal(fw_order_unpack(&(fw_order *){NULL}, bytes, FW_COMMAND_MAX_BYTES + 1, &err), FW_ERR_FORMAT);
    assert_non_null(strstr(err.text, "at most 16777216"));
    const fw_answer large = {.payload = bytes, .payload_len = FW_COMMAND_MAX_BYTES};
    FW_FREE void *packed = NULL;
    size_t len = 0;
    assert_int_equal(fw_answer_pack(&packed, &len, &large, &err), FW_ERR_ARG);
    assert_null(packed);
}

/* What a training really sends fits: the history of 20,000 rounds of a rate search, 2,000 rounds with the times of 64 ranks, a payload of 8 MiB. */
static void what_is_honest_fits(void **state)
{
    (void)state;
    static fw_part_seconds ranks[64];
    for (size_t i = 0; i < 64; i++) ranks[i] = (fw_part_seconds){1.5, 2.5, 3.5, 4.5, 5.5, 6.5};
    static const struct { size_t rounds, by_rank, payload; } rows[] = {{20000, 0, 0}, {2000, 64, 0}, {0, 0, 8u << 20}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        FW_FREE fw_round_result *rounds = calloc(rows[i].rounds + 1, sizeof *rounds);
        FW_FREE char *payload = calloc(1, rows[i].payload + 1);
        assert_true(rounds != NULL && payload != NULL);
        for (size_t k = 0; k < rows[i].rounds; k++)
            rounds[k] = (fw_round_result){.train_loss = 0.5, .learning_rate = 0.1, .by_rank = ranks, .n_by_rank = rows[i].by_rank};
        const fw_answer a = {.number = 1, .rounds = rounds, .n_rounds = rows[i].rounds, .payload = payload, .payload_len = rows[i].payload};
        size_t len = 0;
        FW_FREE void *bytes = pack_answer(&a, &len);
        assert_int_equal(try_answer(bytes, len, NULL), FW_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_comes_out_the_same),
        cmocka_unit_test(texts_that_are_not_given_come_out_empty),
        cmocka_unit_test(a_fold_that_is_none_is_refused),
        cmocka_unit_test(every_answer_comes_out_the_same),
        cmocka_unit_test(a_figure_is_found_by_its_name),
        cmocka_unit_test(every_status_travels_and_no_other_number),
        cmocka_unit_test(every_cut_order_is_refused),
        cmocka_unit_test(a_cut_answer_is_refused_or_shorter),
        cmocka_unit_test(made_up_messages_are_refused),
        cmocka_unit_test(random_bytes_do_no_harm),
        cmocka_unit_test(changed_messages_do_no_harm),
        cmocka_unit_test(a_word_is_found_by_its_name),
        cmocka_unit_test(a_message_that_would_unfold_is_refused),
        cmocka_unit_test(rounds_of_zeros_come_back),
        cmocka_unit_test(a_message_beyond_the_limit_is_refused_unread_and_unsent),
        cmocka_unit_test(what_is_honest_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
