#include "proto/command.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "proto/command.pb-c.h"

#define STATUS_LOWEST FW_ERR_INTERNAL

/* protobuf-c wants char *, and "" for nothing. */
static char *text_of(char *s) { return s != NULL ? s : (char *)protobuf_c_empty_string; }

/* ---- lists ------------------------------------------------------------------------------------------------------------------------- */

static Flywheel__NamedValue **pack_values(const fw_value *v, size_t n)
{
    Flywheel__NamedValue **list = calloc(n + 1, sizeof *list), *items = calloc(n + 1, sizeof *items);
    if (list == NULL || items == NULL) {
        free(list);
        free(items);
        return NULL;
    }
    list[n] = items;                               /* remembered for release_values */
    for (size_t i = 0; i < n; i++) {
        flywheel__named_value__init(&items[i]);
        items[i].name = text_of(v[i].name);
        items[i].value = v[i].value;
        list[i] = &items[i];
    }
    return list;
}

static void release_values(Flywheel__NamedValue **list, size_t n)
{
    if (list != NULL) free(list[n]);
    free(list);
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

static void free_values(fw_value *v, size_t n)
{
    for (size_t i = 0; v != NULL && i < n; i++) free(v[i].name);
    free(v);
}

static fw_status packed(void **bytes, size_t *len, const ProtobufCMessage *m, fw_error *err)
{
    *len = protobuf_c_message_get_packed_size(m);
    *bytes = malloc(*len + 1);
    if (*bytes == NULL) return fw_fail(err, FW_ERR_NOMEM, "a message of %zu bytes", *len);
    protobuf_c_message_pack(m, *bytes);
    return FW_OK;
}

/* ---- orders ------------------------------------------------------------------------------------------------------------------------ */

fw_status fw_order_pack(void **bytes, size_t *len, const fw_order *o, fw_error *err)
{
    Flywheel__Order m = FLYWHEEL__ORDER__INIT;
    Flywheel__Ingest ingest = FLYWHEEL__INGEST__INIT;
    Flywheel__Open open = FLYWHEEL__OPEN__INIT;
    Flywheel__Create create = FLYWHEEL__CREATE__INIT;
    Flywheel__Restore restore = FLYWHEEL__RESTORE__INIT;
    Flywheel__Advance advance = FLYWHEEL__ADVANCE__INIT;
    Flywheel__Evaluate evaluate = FLYWHEEL__EVALUATE__INIT;
    Flywheel__Save save = FLYWHEEL__SAVE__INIT;
    Flywheel__Score score = FLYWHEEL__SCORE__INIT;
    Flywheel__FindLearningRate find = FLYWHEEL__FIND_LEARNING_RATE__INIT;
    Flywheel__Close close = FLYWHEEL__CLOSE__INIT;
    Flywheel__LoadModel load = FLYWHEEL__LOAD_MODEL__INIT;
    Flywheel__NamedValue **values = NULL;
    m.number = o->number;
    create.checkpoint = text_of(o->path);
    create.checkpoint_every_s = o->checkpoint_every_s;
    create.checkpoint_every_rounds = o->checkpoint_every_rounds;
    switch (o->kind) {
    case FW_ORDER_INGEST:
        ingest.project = text_of(o->project);
        ingest.directory = text_of(o->directory);
        ingest.output = text_of(o->output);
        m.what_case = FLYWHEEL__ORDER__WHAT_INGEST;
        m.ingest = &ingest;
        break;
    case FW_ORDER_OPEN:
        open.project = text_of(o->project);
        open.directory = text_of(o->directory);
        open.dataset = text_of(o->dataset);
        m.what_case = FLYWHEEL__ORDER__WHAT_OPEN;
        m.open = &open;
        break;
    case FW_ORDER_CREATE:
        m.what_case = FLYWHEEL__ORDER__WHAT_CREATE;
        m.create = &create;
        break;
    case FW_ORDER_RESTORE:
        restore.create = &create;
        restore.from = text_of(o->dataset);
        m.what_case = FLYWHEEL__ORDER__WHAT_RESTORE;
        m.restore = &restore;
        break;
    case FW_ORDER_ADVANCE:
        advance.rounds = o->rounds;
        advance.mark_best = o->mark_best;
        m.what_case = FLYWHEEL__ORDER__WHAT_ADVANCE;
        m.advance = &advance;
        break;
    case FW_ORDER_EVALUATE:
        evaluate.dataset = text_of(o->dataset);
        evaluate.split = text_of(o->split);
        m.what_case = FLYWHEEL__ORDER__WHAT_EVALUATE;
        m.evaluate = &evaluate;
        break;
    case FW_ORDER_SAVE:
        values = pack_values(o->values, o->n_values);
        if (values == NULL) return fw_fail(err, FW_ERR_NOMEM, "an order");
        save.path = text_of(o->path);
        save.best = o->best;
        save.metrics = values;
        save.n_metrics = o->n_values;
        m.what_case = FLYWHEEL__ORDER__WHAT_SAVE;
        m.save = &save;
        break;
    case FW_ORDER_LOAD_MODEL:
        load.path = text_of(o->path);
        m.what_case = FLYWHEEL__ORDER__WHAT_LOAD_MODEL;
        m.load_model = &load;
        break;
    case FW_ORDER_SCORE:
        score.project = text_of(o->project);
        score.directory = text_of(o->directory);
        score.dataset = text_of(o->dataset);
        score.split = text_of(o->split);
        score.output = text_of(o->output);
        score.format = text_of(o->format);
        score.bus = text_of(o->bus);
        score.wait_readers = o->wait_readers;
        score.wait_s = o->wait_s;
        score.skip_bad_rows = o->skip_bad_rows;
        score.piece_rows = o->piece_rows;
        m.what_case = FLYWHEEL__ORDER__WHAT_SCORE;
        m.score = &score;
        break;
    case FW_ORDER_FIND_RATE:
        find.low = o->low;
        find.high = o->high;
        find.steps = o->steps;
        m.what_case = FLYWHEEL__ORDER__WHAT_FIND_LEARNING_RATE;
        m.find_learning_rate = &find;
        break;
    case FW_ORDER_CLOSE:
        close.exit_code = o->exit_code;
        m.what_case = FLYWHEEL__ORDER__WHAT_CLOSE;
        m.close = &close;
        break;
    }
    fw_status s = packed(bytes, len, &m.base, err);
    release_values(values, o->n_values);
    return s;
}

static fw_status copy_create(fw_order *o, const Flywheel__Create *c, fw_error *err)
{
    if (c == NULL) return fw_fail(err, FW_ERR_FORMAT, "order: restore without settings");
    o->checkpoint_every_s = c->checkpoint_every_s;
    o->checkpoint_every_rounds = c->checkpoint_every_rounds;
    return fw_copy_text(&o->path, c->checkpoint, err);
}

static fw_status copy_score(fw_order *o, const Flywheel__Score *s, fw_error *err)
{
    o->wait_readers = s->wait_readers;
    o->wait_s = s->wait_s;
    o->skip_bad_rows = s->skip_bad_rows;
    o->piece_rows = s->piece_rows;
    FW_TRY(fw_copy_text(&o->project, s->project, err));
    FW_TRY(fw_copy_text(&o->directory, s->directory, err));
    FW_TRY(fw_copy_text(&o->dataset, s->dataset, err));
    FW_TRY(fw_copy_text(&o->split, s->split, err));
    FW_TRY(fw_copy_text(&o->output, s->output, err));
    FW_TRY(fw_copy_text(&o->format, s->format, err));
    return fw_copy_text(&o->bus, s->bus, err);
}

static fw_status copy_order(fw_order *o, const Flywheel__Order *m, fw_error *err)
{
    o->number = m->number;
    switch (m->what_case) {
    case FLYWHEEL__ORDER__WHAT_INGEST:
        o->kind = FW_ORDER_INGEST;
        FW_TRY(fw_copy_text(&o->project, m->ingest->project, err));
        FW_TRY(fw_copy_text(&o->directory, m->ingest->directory, err));
        return fw_copy_text(&o->output, m->ingest->output, err);
    case FLYWHEEL__ORDER__WHAT_OPEN:
        o->kind = FW_ORDER_OPEN;
        FW_TRY(fw_copy_text(&o->project, m->open->project, err));
        FW_TRY(fw_copy_text(&o->directory, m->open->directory, err));
        return fw_copy_text(&o->dataset, m->open->dataset, err);
    case FLYWHEEL__ORDER__WHAT_CREATE:
        o->kind = FW_ORDER_CREATE;
        return copy_create(o, m->create, err);
    case FLYWHEEL__ORDER__WHAT_RESTORE:
        o->kind = FW_ORDER_RESTORE;
        FW_TRY(copy_create(o, m->restore->create, err));
        return fw_copy_text(&o->dataset, m->restore->from, err);
    case FLYWHEEL__ORDER__WHAT_ADVANCE:
        o->kind = FW_ORDER_ADVANCE;
        o->rounds = m->advance->rounds;
        o->mark_best = m->advance->mark_best;
        return FW_OK;
    case FLYWHEEL__ORDER__WHAT_EVALUATE:
        o->kind = FW_ORDER_EVALUATE;
        FW_TRY(fw_copy_text(&o->dataset, m->evaluate->dataset, err));
        return fw_copy_text(&o->split, m->evaluate->split, err);
    case FLYWHEEL__ORDER__WHAT_SAVE:
        o->kind = FW_ORDER_SAVE;
        o->best = m->save->best;
        FW_TRY(unpack_values(&o->values, &o->n_values, m->save->metrics, m->save->n_metrics, err));
        return fw_copy_text(&o->path, m->save->path, err);
    case FLYWHEEL__ORDER__WHAT_LOAD_MODEL:
        o->kind = FW_ORDER_LOAD_MODEL;
        return fw_copy_text(&o->path, m->load_model->path, err);
    case FLYWHEEL__ORDER__WHAT_SCORE:
        o->kind = FW_ORDER_SCORE;
        return copy_score(o, m->score, err);
    case FLYWHEEL__ORDER__WHAT_FIND_LEARNING_RATE:
        o->kind = FW_ORDER_FIND_RATE;
        o->low = m->find_learning_rate->low;
        o->high = m->find_learning_rate->high;
        o->steps = m->find_learning_rate->steps;
        return FW_OK;
    case FLYWHEEL__ORDER__WHAT_CLOSE:
        o->kind = FW_ORDER_CLOSE;
        o->exit_code = m->close->exit_code;
        return FW_OK;
    case FLYWHEEL__ORDER__WHAT__NOT_SET:
    case _FLYWHEEL__ORDER__WHAT__CASE_IS_INT_SIZE:
        break;
    }
    return fw_fail(err, FW_ERR_FORMAT, "order %llu: of no kind that this version knows", (unsigned long long)m->number);
}

fw_status fw_order_unpack(fw_order **out, const void *bytes, size_t len, fw_error *err)
{
    FW_AUTO(fw_order) *o = calloc(1, sizeof *o);
    if (o == NULL) return fw_fail(err, FW_ERR_NOMEM, "an order");
    Flywheel__Order *m = flywheel__order__unpack(NULL, len, bytes);
    if (m == NULL) return fw_fail(err, FW_ERR_FORMAT, "%zu bytes are no order", len);
    fw_status s = copy_order(o, m, err);
    flywheel__order__free_unpacked(m, NULL);
    FW_TRY(s);
    *out = o;
    o = NULL;
    return FW_OK;
}

void fw_order_destroy(fw_order **order)
{
    fw_order *o = *order;
    if (o == NULL) return;
    char *texts[] = {o->project, o->directory, o->dataset, o->path, o->split, o->output, o->format, o->bus};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
    free_values(o->values, o->n_values);
    free(o);
    *order = NULL;
}

/* ---- answers ----------------------------------------------------------------------------------------------------------------------- */

static void pack_seconds(Flywheel__Seconds *m, const fw_part_seconds *s)
{
    flywheel__seconds__init(m);
    m->load = s->load;
    m->forward = s->forward;
    m->backward = s->backward;
    m->sum = s->sum;
    m->optimizer = s->optimizer;
    m->wait = s->wait;
}

static fw_part_seconds unpack_seconds(const Flywheel__Seconds *m)
{
    if (m == NULL) return (fw_part_seconds){0};
    return (fw_part_seconds){m->load, m->forward, m->backward, m->sum, m->optimizer, m->wait};
}

static void pack_position(Flywheel__Position *m, const fw_position *p)
{
    flywheel__position__init(m);
    m->round = p->round;
    m->step = p->step;
    m->rows = p->rows;
}

static fw_position unpack_position(const Flywheel__Position *m)
{
    return m != NULL ? (fw_position){m->round, m->step, m->rows} : (fw_position){0};
}

/* A round result with its parts, in one piece of memory each. */
typedef struct packed_round {
    Flywheel__RoundResult m;
    Flywheel__Position position;
    Flywheel__Seconds seconds, *by_rank, **by_rank_list;
} packed_round;

static bool pack_round(packed_round *p, const fw_round_result *r)
{
    flywheel__round_result__init(&p->m);
    pack_position(&p->position, &r->position);
    pack_seconds(&p->seconds, &r->seconds);
    p->m.position = &p->position;
    p->m.seconds = &p->seconds;
    p->m.train_loss = r->train_loss;
    p->m.rows_per_s = r->rows_per_s;
    p->m.learning_rate = r->learning_rate;
    p->m.slowest_rank = r->slowest_rank;
    p->m.validation = pack_values(r->validation, r->n_validation);
    p->m.n_validation = r->n_validation;
    p->by_rank = calloc(r->n_by_rank + 1, sizeof *p->by_rank);
    p->by_rank_list = calloc(r->n_by_rank + 1, sizeof *p->by_rank_list);
    if (p->m.validation == NULL || p->by_rank == NULL || p->by_rank_list == NULL) return false;
    for (size_t i = 0; i < r->n_by_rank; i++) {
        pack_seconds(&p->by_rank[i], &r->by_rank[i]);
        p->by_rank_list[i] = &p->by_rank[i];
    }
    p->m.by_rank = p->by_rank_list;
    p->m.n_by_rank = r->n_by_rank;
    return true;
}

static void release_round(packed_round *p)
{
    release_values(p->m.validation, p->m.n_validation);
    free(p->by_rank);
    free(p->by_rank_list);
}

fw_status fw_answer_pack(void **bytes, size_t *len, const fw_answer *a, fw_error *err)
{
    Flywheel__Answer m = FLYWHEEL__ANSWER__INIT;
    Flywheel__Position position;
    packed_round *rounds = calloc(a->n_rounds + 1, sizeof *rounds);
    Flywheel__RoundResult **list = calloc(a->n_rounds + 1, sizeof *list);
    Flywheel__NamedValue **values = pack_values(a->values, a->n_values);
    bool good = rounds != NULL && list != NULL && values != NULL;
    size_t made = 0;
    for (; good && made < a->n_rounds; made++) {
        good = pack_round(&rounds[made], &a->rounds[made]);
        list[made] = &rounds[made].m;
    }
    pack_position(&position, &a->position);
    m.number = a->number;
    m.status = a->status;
    m.text = text_of(a->text);
    m.kind = text_of(a->kind);
    m.digest = text_of(a->digest);
    m.last = a->last;
    m.has_best = a->has_best;
    m.position = &position;
    m.fraction = a->fraction;
    m.train_loss = a->train_loss;
    m.rows_per_s = a->rows_per_s;
    m.ranks = a->ranks;
    m.rounds = list;
    m.n_rounds = a->n_rounds;
    m.values = values;
    m.n_values = a->n_values;
    m.payload = (ProtobufCBinaryData){a->payload_len, a->payload};
    fw_status s = good ? packed(bytes, len, &m.base, err) : fw_fail(err, FW_ERR_NOMEM, "an answer");
    for (size_t i = 0; rounds != NULL && i < made; i++) release_round(&rounds[i]);
    free(rounds);
    free(list);
    release_values(values, a->n_values);
    return s;
}

static fw_status unpack_round(fw_round_result *r, const Flywheel__RoundResult *m, fw_error *err)
{
    r->position = unpack_position(m->position);
    r->train_loss = m->train_loss;
    r->rows_per_s = m->rows_per_s;
    r->learning_rate = m->learning_rate;
    r->slowest_rank = m->slowest_rank;
    r->seconds = unpack_seconds(m->seconds);
    FW_TRY(unpack_values(&r->validation, &r->n_validation, m->validation, m->n_validation, err));
    FW_TRY(fw_alloc_zeroed((void **)&r->by_rank, m->n_by_rank + 1, sizeof *r->by_rank, "seconds", err));
    r->n_by_rank = m->n_by_rank;
    for (size_t i = 0; i < m->n_by_rank; i++) r->by_rank[i] = unpack_seconds(m->by_rank[i]);
    return FW_OK;
}

static fw_status copy_answer(fw_answer *a, const Flywheel__Answer *m, fw_error *err)
{
    if (m->status > FW_END || m->status < (int32_t)STATUS_LOWEST) return fw_fail(err, FW_ERR_FORMAT, "answer: status %d", m->status);
    a->number = m->number;
    a->status = (fw_status)m->status;
    a->last = m->last;
    a->has_best = m->has_best;
    a->position = unpack_position(m->position);
    a->fraction = m->fraction;
    a->train_loss = m->train_loss;
    a->rows_per_s = m->rows_per_s;
    a->ranks = m->ranks;
    FW_TRY(fw_copy_text(&a->text, m->text, err));
    FW_TRY(fw_copy_text(&a->kind, m->kind, err));
    FW_TRY(fw_copy_text(&a->digest, m->digest, err));
    FW_TRY(unpack_values(&a->values, &a->n_values, m->values, m->n_values, err));
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
    Flywheel__Answer *m = flywheel__answer__unpack(NULL, len, bytes);
    if (m == NULL) return fw_fail(err, FW_ERR_FORMAT, "%zu bytes are no answer", len);
    fw_status s = copy_answer(a, m, err);
    flywheel__answer__free_unpacked(m, NULL);
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
