#include "proto/command.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "proto/budget.h"
#include "proto/command.pb-c.h"

#define STATUS_LOWEST FW_ERR_INTERNAL

/* What protobuf-c may take to unpack n bytes. Honest messages need at most about 13 n (rounds of a rate search: 232 bytes from 24, and the list of what
 * was scanned); two bytes on the wire can ask for 200. A short message may unfold further: nothing that is packed here, rounds of zeros either (50 n), is
 * refused when it comes back. Our own copy is no larger than the message it is taken from. */
#define SHORT_MESSAGE ((size_t)64 << 10)
#define BUDGET(n)     (16 * (n) + 48 * FW_MIN((size_t)(n), SHORT_MESSAGE) + SHORT_MESSAGE)

/* ---- fields: the members that a struct of ours and a message share, as tables ----------------------------------------------------------- */

typedef enum field_type { TEXT, F64, U64, U32, I32, FLAG, TEXTS, VALUES, WORDS } field_type;      /* from TEXTS on: lists */

/** Of lists: `ours` and `theirs` are the lists, the counts stand at n_ours and n_theirs. */
typedef struct field { field_type type; size_t ours, theirs, n_ours, n_theirs; } field;

/** A message with its table. */
typedef struct shape { const ProtobufCMessageDescriptor *descriptor; const field *fields; size_t n; } shape;
#define SHAPE(descriptor, table) {&descriptor, table, sizeof table / sizeof *table}

/* protobuf-c wants char *, and "" for nothing. */
static char *text_of(char *s) { return s != NULL ? s : (char *)protobuf_c_empty_string; }

/* n messages of `size` bytes and the list that points to them, in one piece of memory; NULL: no memory. */
static void **new_list(size_t n, size_t size, const ProtobufCMessageDescriptor *d)
{
    size_t each = 0, bytes = 0;
    if (fw_size_add(&each, size, sizeof(void *), "", NULL) < 0 || fw_size_mul(&bytes, n + 1, each, "", NULL) < 0) return NULL;
    void **list = calloc(1, bytes);
    char *items = list != NULL ? (char *)(list + n + 1) : NULL;
    for (size_t i = 0; list != NULL && i < n; i++) {
        list[i] = items + i * size;
        protobuf_c_message_init(d, list[i]);
    }
    return list;
}

static void *pack_values(const fw_value *v, size_t n)
{
    Flywheel__NamedValue **list = (Flywheel__NamedValue **)new_list(n, sizeof **list, &flywheel__named_value__descriptor);
    for (size_t i = 0; list != NULL && i < n; i++) {
        list[i]->name = text_of(v[i].name);
        list[i]->value = v[i].value;
    }
    return list;
}

static void *pack_words(const fw_word *v, size_t n)
{
    Flywheel__NamedText **list = (Flywheel__NamedText **)new_list(n, sizeof **list, &flywheel__named_text__descriptor);
    for (size_t i = 0; list != NULL && i < n; i++) {
        list[i]->name = text_of(v[i].name);
        list[i]->text = text_of(v[i].text);
    }
    return list;
}

/* The texts stay where they are. */
static void *pack_texts(char *const *v, size_t n)
{
    char **list = calloc(n + 1, sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++) list[i] = text_of(v[i]);
    return list;
}

static void *pack_list(field_type type, const void *v, size_t n)
{
    return type == TEXTS ? pack_texts(v, n) : type == VALUES ? pack_values(v, n) : pack_words(v, n);
}

static fw_status pack_fields(ProtobufCMessage *message, const void *from, const shape *s, fw_error *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const field *f = &s->fields[i];
        const char *ours = (const char *)from + f->ours;
        char *theirs = (char *)message + f->theirs;
        const size_t n = f->type >= TEXTS ? *(const size_t *)((const char *)from + f->n_ours) : 0;
        switch (f->type) {
        case TEXT: *(char **)theirs = text_of(*(char *const *)ours); break;
        case F64: *(double *)theirs = *(const double *)ours; break;
        case U64: *(uint64_t *)theirs = *(const uint64_t *)ours; break;
        case U32: *(uint32_t *)theirs = *(const uint32_t *)ours; break;
        case I32: *(int32_t *)theirs = *(const int32_t *)ours; break;
        case FLAG: *(protobuf_c_boolean *)theirs = *(const bool *)ours; break;
        case TEXTS: case VALUES: case WORDS: {
            void *list = pack_list(f->type, *(const void *const *)ours, n);
            if (list == NULL) return fw_fail(err, FW_ERR_NOMEM, "a message with a list of %zu", n);
            *(void **)theirs = list;
            *(size_t *)((char *)message + f->n_theirs) = n;
            break;
        }
        }
    }
    return FW_OK;
}

/* The lists that pack_fields made; also of a message it did not finish. */
static void release_lists(ProtobufCMessage *message, const shape *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->fields[i].type >= TEXTS) free(*(void **)((char *)message + s->fields[i].theirs));
}

static fw_status unpack_texts(char ***out, size_t *n_out, char *const *list, size_t n, fw_error *err)
{
    FW_TRY(fw_alloc_zeroed((void **)out, n + 1, sizeof **out, "texts", err));
    *n_out = n;
    for (size_t i = 0; i < n; i++) FW_TRY(fw_copy_text(&(*out)[i], list[i], err));
    return FW_OK;
}

static fw_status unpack_values(fw_value **out, size_t *n_out, Flywheel__NamedValue *const *list, size_t n, fw_error *err)
{
    FW_TRY(fw_alloc_zeroed((void **)out, n + 1, sizeof **out, "values", err));
    *n_out = n;
    for (size_t i = 0; i < n; i++) {
        FW_TRY(fw_copy_text(&(*out)[i].name, list[i]->name, err));
        (*out)[i].value = list[i]->value;
    }
    return FW_OK;
}

static fw_status unpack_words(fw_word **out, size_t *n_out, Flywheel__NamedText *const *list, size_t n, fw_error *err)
{
    FW_TRY(fw_alloc_zeroed((void **)out, n + 1, sizeof **out, "words", err));
    *n_out = n;
    for (size_t i = 0; i < n; i++) {
        FW_TRY(fw_copy_text(&(*out)[i].name, list[i]->name, err));
        FW_TRY(fw_copy_text(&(*out)[i].text, list[i]->text, err));
    }
    return FW_OK;
}

static fw_status unpack_fields(void *to, const ProtobufCMessage *message, const shape *s, fw_error *err)
{
    for (size_t i = 0; i < s->n; i++) {
        const field *f = &s->fields[i];
        char *ours = (char *)to + f->ours;
        const char *theirs = (const char *)message + f->theirs;
        switch (f->type) {
        case TEXT: FW_TRY(fw_copy_text((char **)ours, *(char *const *)theirs, err)); break;
        case F64: *(double *)ours = *(const double *)theirs; break;
        case U64: *(uint64_t *)ours = *(const uint64_t *)theirs; break;
        case U32: *(uint32_t *)ours = *(const uint32_t *)theirs; break;
        case I32: *(int32_t *)ours = *(const int32_t *)theirs; break;
        case FLAG: *(bool *)ours = *(const protobuf_c_boolean *)theirs != 0; break;
        case TEXTS:
            FW_TRY(unpack_texts((char ***)ours, (size_t *)((char *)to + f->n_ours), *(char **const *)theirs, *(const size_t *)((const char *)message + f->n_theirs), err));
            break;
        case VALUES:
            FW_TRY(unpack_values((fw_value **)ours, (size_t *)((char *)to + f->n_ours), *(Flywheel__NamedValue **const *)theirs,
                                 *(const size_t *)((const char *)message + f->n_theirs), err));
            break;
        case WORDS:
            FW_TRY(unpack_words((fw_word **)ours, (size_t *)((char *)to + f->n_ours), *(Flywheel__NamedText **const *)theirs,
                                *(const size_t *)((const char *)message + f->n_theirs), err));
            break;
        }
    }
    return FW_OK;
}

static void free_texts(char **v, size_t n)
{
    for (size_t i = 0; v != NULL && i < n; i++) free(v[i]);
    free(v);
}

static void free_values(fw_value *v, size_t n)
{
    for (size_t i = 0; v != NULL && i < n; i++) free(v[i].name);
    free(v);
}

static void free_words(fw_word *v, size_t n)
{
    for (size_t i = 0; v != NULL && i < n; i++) {
        free(v[i].name);
        free(v[i].text);
    }
    free(v);
}

static fw_status packed(void **bytes, size_t *len, const ProtobufCMessage *m, fw_error *err)
{
    const size_t n = protobuf_c_message_get_packed_size(m);
    if (n > FW_COMMAND_MAX_BYTES) return fw_fail(err, FW_ERR_ARG, "a message of %zu bytes; at most %u are accepted", n, FW_COMMAND_MAX_BYTES);
    *bytes = malloc(n + 1);
    if (*bytes == NULL) return fw_fail(err, FW_ERR_NOMEM, "a message of %zu bytes", n);
    *len = protobuf_c_message_pack(m, *bytes);
    return FW_OK;
}

/* Within the budget; NULL and err when these bytes are no such message. */
static ProtobufCMessage *unpacked(const ProtobufCMessageDescriptor *d, const void *bytes, size_t len, const char *what, fw_error *err)
{
    if (len > FW_COMMAND_MAX_BYTES) {
        fw_fail(err, FW_ERR_FORMAT, "%s of %zu bytes; at most %u are accepted", what, len, FW_COMMAND_MAX_BYTES);
        return NULL;
    }
    size_t left = BUDGET(len);
    ProtobufCAllocator allocator = fw_budget_allocator(&left);
    ProtobufCMessage *m = protobuf_c_message_unpack(d, &allocator, len, bytes);
    if (m == NULL) fw_fail(err, FW_ERR_FORMAT, "%zu bytes are not %s, or would take more than %zu bytes of memory", len, what, BUDGET(len));
    return m;
}

static void free_unpacked(ProtobufCMessage *m)
{
    size_t none = 0;
    ProtobufCAllocator allocator = fw_budget_allocator(&none);
    protobuf_c_message_free_unpacked(m, &allocator);
}

/* ---- orders ------------------------------------------------------------------------------------------------------------------------ */

#define O(type, ours, Message, theirs) {type, offsetof(fw_order, ours), offsetof(Flywheel__##Message, theirs), 0, 0}

static const field ingest_fields[] = {O(TEXT, project, Ingest, project), O(TEXT, directory, Ingest, directory), O(TEXT, output, Ingest, output)};
static const field open_fields[] = {O(TEXT, project, Open, project), O(TEXT, directory, Open, directory), O(TEXT, dataset, Open, dataset),
                                    O(U32, folds, Open, folds), O(U32, fold, Open, fold), O(FLAG, shared, Open, shared),
                                    {TEXTS, offsetof(fw_order, overrides), offsetof(Flywheel__Open, overrides), offsetof(fw_order, n_overrides),
                                     offsetof(Flywheel__Open, n_overrides)}};
static const field create_fields[] = {O(TEXT, path, Create, checkpoint), O(F64, checkpoint_every_s, Create, checkpoint_every_s),
                                      O(U64, checkpoint_every_rounds, Create, checkpoint_every_rounds)};
static const field restore_fields[] = {O(TEXT, dataset, Restore, from)};
static const field advance_fields[] = {O(U64, rounds, Advance, rounds), O(FLAG, mark_best, Advance, mark_best)};
static const field evaluate_fields[] = {O(TEXT, dataset, Evaluate, dataset), O(TEXT, split, Evaluate, split)};
static const field save_fields[] = {
    O(TEXT, path, Save, path), O(FLAG, best, Save, best),
    {VALUES, offsetof(fw_order, values), offsetof(Flywheel__Save, metrics), offsetof(fw_order, n_values), offsetof(Flywheel__Save, n_metrics)}};
static const field load_fields[] = {O(TEXT, path, LoadModel, path)};
static const field score_fields[] = {
    O(TEXT, project, Score, project), O(TEXT, directory, Score, directory), O(TEXT, dataset, Score, dataset), O(TEXT, split, Score, split),
    O(TEXT, output, Score, output), O(TEXT, format, Score, format), O(TEXT, bus, Score, bus), O(U32, wait_readers, Score, wait_readers),
    O(F64, wait_s, Score, wait_s), O(FLAG, skip_bad_rows, Score, skip_bad_rows), O(U64, piece_rows, Score, piece_rows), O(TEXT, keys, Score, keys), O(FLAG, insecure, Score, insecure),
    O(TEXT, spool, Score, spool), O(TEXT, record, Score, record)};
static const field find_fields[] = {O(F64, low, FindLearningRate, low), O(F64, high, FindLearningRate, high), O(U32, steps, FindLearningRate, steps)};
static const field probe_fields[] = {O(TEXT, path, Probe, path), O(F64, deadline_s, Probe, deadline_s)};
static const field close_fields[] = {O(I32, exit_code, Close, exit_code), O(FLAG, leave, Close, leave)};

/** Each kind of order: its place in the message's oneof, and the shape of what stands there. */
static const struct { Flywheel__Order__WhatCase what; shape shape; } kinds[] = {
    [FW_ORDER_INGEST] = {FLYWHEEL__ORDER__WHAT_INGEST, SHAPE(flywheel__ingest__descriptor, ingest_fields)},
    [FW_ORDER_OPEN] = {FLYWHEEL__ORDER__WHAT_OPEN, SHAPE(flywheel__open__descriptor, open_fields)},
    [FW_ORDER_CREATE] = {FLYWHEEL__ORDER__WHAT_CREATE, SHAPE(flywheel__create__descriptor, create_fields)},
    [FW_ORDER_RESTORE] = {FLYWHEEL__ORDER__WHAT_RESTORE, SHAPE(flywheel__restore__descriptor, restore_fields)},
    [FW_ORDER_ADVANCE] = {FLYWHEEL__ORDER__WHAT_ADVANCE, SHAPE(flywheel__advance__descriptor, advance_fields)},
    [FW_ORDER_SAVE] = {FLYWHEEL__ORDER__WHAT_SAVE, SHAPE(flywheel__save__descriptor, save_fields)},
    [FW_ORDER_LOAD_MODEL] = {FLYWHEEL__ORDER__WHAT_LOAD_MODEL, SHAPE(flywheel__load_model__descriptor, load_fields)},
    [FW_ORDER_EVALUATE] = {FLYWHEEL__ORDER__WHAT_EVALUATE, SHAPE(flywheel__evaluate__descriptor, evaluate_fields)},
    [FW_ORDER_SCORE] = {FLYWHEEL__ORDER__WHAT_SCORE, SHAPE(flywheel__score__descriptor, score_fields)},
    [FW_ORDER_FIND_RATE] = {FLYWHEEL__ORDER__WHAT_FIND_LEARNING_RATE, SHAPE(flywheel__find_learning_rate__descriptor, find_fields)},
    [FW_ORDER_PROBE] = {FLYWHEEL__ORDER__WHAT_PROBE, SHAPE(flywheel__probe__descriptor, probe_fields)},
    [FW_ORDER_CHECKPOINT] = {FLYWHEEL__ORDER__WHAT_CHECKPOINT, {&flywheel__checkpoint__descriptor, NULL, 0}},
    [FW_ORDER_CLOSE] = {FLYWHEEL__ORDER__WHAT_CLOSE, SHAPE(flywheel__close__descriptor, close_fields)},
};
#define N_KINDS (sizeof kinds / sizeof *kinds)

/** Room for any of the messages in the oneof; there every member is a pointer in the same place. */
typedef union order_body {
    ProtobufCMessage base;
    Flywheel__Ingest ingest;
    Flywheel__Open open;
    Flywheel__Create create;
    Flywheel__Restore restore;
    Flywheel__Advance advance;
    Flywheel__Save save;
    Flywheel__LoadModel load_model;
    Flywheel__Evaluate evaluate;
    Flywheel__Score score;
    Flywheel__FindLearningRate find_learning_rate;
    Flywheel__Probe probe;
    Flywheel__Checkpoint checkpoint;
    Flywheel__Close close;
} order_body;

fw_status fw_order_pack(void **bytes, size_t *len, const fw_order *o, fw_error *err)
{
    const shape *s = &kinds[o->kind].shape, *settings = &kinds[FW_ORDER_CREATE].shape;
    Flywheel__Order m = FLYWHEEL__ORDER__INIT;
    Flywheel__Create create = FLYWHEEL__CREATE__INIT;
    order_body body;
    protobuf_c_message_init(s->descriptor, &body);
    fw_status status = pack_fields(&body.base, o, s, err);
    if (status == FW_OK && o->kind == FW_ORDER_RESTORE) {
        status = pack_fields(&create.base, o, settings, err);
        body.restore.create = &create;
    }
    m.number = o->number;
    m.what_case = kinds[o->kind].what;
    m.ingest = &body.ingest;
    if (status == FW_OK) status = packed(bytes, len, &m.base, err);
    release_lists(&body.base, s);
    return status;
}

static fw_status copy_order(fw_order *o, const Flywheel__Order *m, fw_error *err)
{
    o->number = m->number;
    for (size_t k = 0; k < N_KINDS; k++) {
        if (kinds[k].what != m->what_case) continue;
        o->kind = (fw_order_kind)k;
        if (o->kind == FW_ORDER_RESTORE && m->restore->create == NULL) return fw_fail(err, FW_ERR_FORMAT, "order: restore without settings");
        if (o->kind == FW_ORDER_RESTORE) FW_TRY(unpack_fields(o, &m->restore->create->base, &kinds[FW_ORDER_CREATE].shape, err));
        FW_TRY(unpack_fields(o, &m->ingest->base, &kinds[k].shape, err));
        if (o->folds == 0 ? o->fold == 0 : o->folds >= 2 && o->fold < o->folds) return FW_OK;
        return fw_fail(err, FW_ERR_FORMAT, "order: fold %u of %u", o->fold, o->folds);
    }
    return fw_fail(err, FW_ERR_FORMAT, "order %llu: of no kind that this version knows", (unsigned long long)m->number);
}

fw_status fw_order_unpack(fw_order **out, const void *bytes, size_t len, fw_error *err)
{
    FW_AUTO(fw_order) *o = calloc(1, sizeof *o);
    if (o == NULL) return fw_fail(err, FW_ERR_NOMEM, "an order");
    ProtobufCMessage *m = unpacked(&flywheel__order__descriptor, bytes, len, "an order", err);
    if (m == NULL) return FW_ERR_FORMAT;
    fw_status s = copy_order(o, (const Flywheel__Order *)m, err);
    free_unpacked(m);
    FW_TRY(s);
    *out = o;
    o = NULL;
    return FW_OK;
}

void fw_order_destroy(fw_order **order)
{
    fw_order *o = *order;
    if (o == NULL) return;
    char *texts[] = {o->project, o->directory, o->dataset, o->path, o->split, o->output, o->format, o->bus, o->keys, o->spool, o->record};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
    free_values(o->values, o->n_values);
    free_texts(o->overrides, o->n_overrides);
    free(o);
    *order = NULL;
}

/* ---- answers ----------------------------------------------------------------------------------------------------------------------- */

#define SAME(type, Ours, Message, member) {type, offsetof(Ours, member), offsetof(Flywheel__##Message, member), 0, 0}

static const field seconds_fields[] = {SAME(F64, fw_part_seconds, Seconds, load), SAME(F64, fw_part_seconds, Seconds, forward),
                                       SAME(F64, fw_part_seconds, Seconds, backward), SAME(F64, fw_part_seconds, Seconds, sum),
                                       SAME(F64, fw_part_seconds, Seconds, optimizer), SAME(F64, fw_part_seconds, Seconds, wait)};
static const field position_fields[] = {SAME(U64, fw_position, Position, round), SAME(U64, fw_position, Position, step),
                                        SAME(U64, fw_position, Position, rows)};
static const field round_fields[] = {
    SAME(F64, fw_round_result, RoundResult, train_loss), SAME(F64, fw_round_result, RoundResult, rows_per_s),
    SAME(F64, fw_round_result, RoundResult, learning_rate), SAME(U32, fw_round_result, RoundResult, slowest_rank),
    {VALUES, offsetof(fw_round_result, validation), offsetof(Flywheel__RoundResult, validation), offsetof(fw_round_result, n_validation),
     offsetof(Flywheel__RoundResult, n_validation)}};
static const field answer_fields[] = {
    SAME(U64, fw_answer, Answer, number), SAME(TEXT, fw_answer, Answer, text), SAME(TEXT, fw_answer, Answer, kind), SAME(TEXT, fw_answer, Answer, digest),
    SAME(FLAG, fw_answer, Answer, last), SAME(FLAG, fw_answer, Answer, has_best), SAME(F64, fw_answer, Answer, fraction),
    SAME(F64, fw_answer, Answer, train_loss), SAME(F64, fw_answer, Answer, rows_per_s), SAME(U32, fw_answer, Answer, ranks),
    {VALUES, offsetof(fw_answer, values), offsetof(Flywheel__Answer, values), offsetof(fw_answer, n_values), offsetof(Flywheel__Answer, n_values)},
    {WORDS, offsetof(fw_answer, words), offsetof(Flywheel__Answer, words), offsetof(fw_answer, n_words), offsetof(Flywheel__Answer, n_words)}};

static const shape seconds_shape = SHAPE(flywheel__seconds__descriptor, seconds_fields);
static const shape position_shape = SHAPE(flywheel__position__descriptor, position_fields);
static const shape round_shape = SHAPE(flywheel__round_result__descriptor, round_fields);
static const shape answer_shape = SHAPE(flywheel__answer__descriptor, answer_fields);

/* A round result with the messages it points to. */
typedef struct packed_round { Flywheel__RoundResult m; Flywheel__Position position; Flywheel__Seconds seconds; } packed_round;

static fw_status pack_round(packed_round *p, const fw_round_result *r, fw_error *err)
{
    flywheel__round_result__init(&p->m);
    flywheel__position__init(&p->position);
    flywheel__seconds__init(&p->seconds);
    p->m.position = &p->position;
    p->m.seconds = &p->seconds;
    FW_TRY(pack_fields(&p->position.base, &r->position, &position_shape, err));
    FW_TRY(pack_fields(&p->seconds.base, &r->seconds, &seconds_shape, err));
    FW_TRY(pack_fields(&p->m.base, r, &round_shape, err));
    p->m.by_rank = (Flywheel__Seconds **)new_list(r->n_by_rank, sizeof **p->m.by_rank, &flywheel__seconds__descriptor);
    if (p->m.by_rank == NULL) return fw_fail(err, FW_ERR_NOMEM, "a message with the times of %zu ranks", r->n_by_rank);
    p->m.n_by_rank = r->n_by_rank;
    for (size_t i = 0; i < r->n_by_rank; i++) FW_TRY(pack_fields(&p->m.by_rank[i]->base, &r->by_rank[i], &seconds_shape, err));
    return FW_OK;
}

static fw_status pack_rounds(Flywheel__Answer *m, packed_round *rounds, const fw_answer *a, fw_error *err)
{
    for (; m->n_rounds < a->n_rounds; m->n_rounds++) {
        m->rounds[m->n_rounds] = &rounds[m->n_rounds].m;
        fw_status s = pack_round(&rounds[m->n_rounds], &a->rounds[m->n_rounds], err);
        if (s < 0) {
            m->n_rounds++;                             /* half made: released with the others */
            return s;
        }
    }
    return FW_OK;
}

fw_status fw_answer_pack(void **bytes, size_t *len, const fw_answer *a, fw_error *err)
{
    Flywheel__Answer m = FLYWHEEL__ANSWER__INIT;
    Flywheel__Position position = FLYWHEEL__POSITION__INIT;
    packed_round *rounds = calloc(a->n_rounds + 1, sizeof *rounds);
    m.rounds = calloc(a->n_rounds + 1, sizeof *m.rounds);
    m.status = a->status;
    m.position = &position;
    m.payload = (ProtobufCBinaryData){a->payload_len, a->payload};
    fw_status s = rounds != NULL && m.rounds != NULL ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "an answer of %zu rounds", a->n_rounds);
    if (s == FW_OK) s = pack_fields(&m.base, a, &answer_shape, err);
    if (s == FW_OK) s = pack_fields(&position.base, &a->position, &position_shape, err);
    if (s == FW_OK) s = pack_rounds(&m, rounds, a, err);
    if (s == FW_OK) s = packed(bytes, len, &m.base, err);
    for (size_t i = 0; i < m.n_rounds; i++) {
        release_lists(&rounds[i].m.base, &round_shape);
        free(rounds[i].m.by_rank);
    }
    release_lists(&m.base, &answer_shape);
    free(rounds);
    free(m.rounds);
    return s;
}

/* A part that may be left out keeps its zeros. */
static fw_status unpack_part(void *to, const ProtobufCMessage *m, const shape *s, fw_error *err)
{
    return m != NULL ? unpack_fields(to, m, s, err) : FW_OK;
}

static fw_status unpack_round(fw_round_result *r, const Flywheel__RoundResult *m, fw_error *err)
{
    FW_TRY(unpack_fields(r, &m->base, &round_shape, err));
    FW_TRY(unpack_part(&r->position, (const ProtobufCMessage *)m->position, &position_shape, err));
    FW_TRY(unpack_part(&r->seconds, (const ProtobufCMessage *)m->seconds, &seconds_shape, err));
    FW_TRY(fw_alloc_zeroed((void **)&r->by_rank, m->n_by_rank + 1, sizeof *r->by_rank, "seconds", err));
    r->n_by_rank = m->n_by_rank;
    for (size_t i = 0; i < m->n_by_rank; i++) FW_TRY(unpack_fields(&r->by_rank[i], &m->by_rank[i]->base, &seconds_shape, err));
    return FW_OK;
}

static fw_status copy_answer(fw_answer *a, const Flywheel__Answer *m, fw_error *err)
{
    if (m->status > FW_END || m->status < (int32_t)STATUS_LOWEST) return fw_fail(err, FW_ERR_FORMAT, "answer: status %d", m->status);
    a->status = (fw_status)m->status;
    FW_TRY(unpack_fields(a, &m->base, &answer_shape, err));
    FW_TRY(unpack_part(&a->position, (const ProtobufCMessage *)m->position, &position_shape, err));
    FW_TRY(fw_alloc_zeroed((void **)&a->rounds, m->n_rounds + 1, sizeof *a->rounds, "rounds", err));
    a->n_rounds = m->n_rounds;
    for (size_t i = 0; i < m->n_rounds; i++) FW_TRY(unpack_round(&a->rounds[i], m->rounds[i], err));
    a->payload_len = m->payload.len;
    FW_TRY(fw_alloc_zeroed(&a->payload, m->payload.len + 1, 1, "payload", err));
    if (m->payload.len > 0) memcpy(a->payload, m->payload.data, m->payload.len);
    return FW_OK;
}

fw_status fw_answer_unpack(fw_answer **out, const void *bytes, size_t len, fw_error *err)
{
    FW_AUTO(fw_answer) *a = calloc(1, sizeof *a);
    if (a == NULL) return fw_fail(err, FW_ERR_NOMEM, "an answer");
    ProtobufCMessage *m = unpacked(&flywheel__answer__descriptor, bytes, len, "an answer", err);
    if (m == NULL) return FW_ERR_FORMAT;
    fw_status s = copy_answer(a, (const Flywheel__Answer *)m, err);
    free_unpacked(m);
    FW_TRY(s);
    *out = a;
    a = NULL;
    return FW_OK;
}

void fw_answer_destroy(fw_answer **answer)
{
    fw_answer *a = *answer;
    if (a == NULL) return;
    for (size_t i = 0; a->rounds != NULL && i < a->n_rounds; i++) {
        free_values(a->rounds[i].validation, a->rounds[i].n_validation);
        free(a->rounds[i].by_rank);
    }
    free_values(a->values, a->n_values);
    free_words(a->words, a->n_words);
    free(a->rounds);
    free(a->text);
    free(a->kind);
    free(a->digest);
    free(a->payload);
    free(a);
    *answer = NULL;
}

double fw_answer_value(const fw_answer *a, const char *name, double fallback)
{
    for (size_t i = 0; i < a->n_values; i++)
        if (fw_text_equal(a->values[i].name, name)) return a->values[i].value;
    return fallback;
}

const char *fw_answer_word(const fw_answer *a, const char *name)
{
    for (size_t i = 0; i < a->n_words; i++)
        if (fw_text_equal(a->words[i].name, name)) return a->words[i].text;
    return "";
}
