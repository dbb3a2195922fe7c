/** Groups without ranks: threads that answer orders at once, with losses that follow from the project they are given; checkpoints are files that hold the
 *  number of rounds, written when they are ordered and, where groups are lost, each second round. For tests and benches of the runner. */
#ifndef FW_TESTS_FAKE_GROUPS_H
#define FW_TESTS_FAKE_GROUPS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/study/source.h"

enum { FAKE_GROUPS = 8 };

typedef struct fake_group {
    struct fake_groups *all;
    fw_bus *bus;
    fw_line *line;
    pthread_t thread;
    bool runs;
    char *project, *checkpoint;        /* of the trial at hand */
    uint64_t rounds, orders;
    fw_mono answered;                  /* the last answer was sent */
} fake_group;

typedef struct fake_groups {
    uint32_t n;
    uint32_t lose_every;               /* orders to advance that are answered by a loss; 0: none */
    uint32_t diverge_one_in;           /* of the trials; 0: none */
    uint32_t stop_after;               /* orders of all groups; 0: never */
    bool blame_trial;                  /* a loss is the trial's doing */
    _Atomic bool given_up[FAKE_GROUPS];
    _Atomic uint32_t advances, losses, opens;
    void (*took)(void *context, fw_order_kind kind, double seconds);       /* from an answer to the next order; under the mutex */
    void (*work)(void *context, const fw_order *o, uint64_t number);       /* to open or to advance, while it is done; number: of its kind, from 1 */
    void *context;
    pthread_mutex_t mutex;
    fake_group group[FAKE_GROUPS];
} fake_groups;

static inline double fake_value(const char *project, uint64_t round)
{
    const uint64_t h = fw_hash64(project, strlen(project), 1);
    return (double)(h % 1000000) / 1e6 + 1.0 / (double)(round + 1) + (double)(fw_hash64(&h, sizeof h, round) % 1000) / 1e5;
}

static inline void fake_replace(char **to, const char *from)
{
    free(*to);
    *to = from != NULL ? strdup(from) : NULL;
}

static inline bool fake_diverges(const fake_group *g)
{
    const uint32_t one_in = g->all->diverge_one_in;
    return one_in > 0 && g->rounds == 0 && fw_hash64(g->project, strlen(g->project), 2) % one_in == 0;
}

static inline void fake_write_checkpoint(const fake_group *g)
{
    char text[32];
    const int n = snprintf(text, sizeof text, "%llu", (unsigned long long)g->rounds);
    fw_write_file(g->checkpoint, text, (size_t)n, NULL);
}

static inline fw_status fake_restore(fake_group *g, const char *from)
{
    FW_FREE char *text = NULL;
    size_t len = 0;
    if (fw_read_file(&text, &len, from, 32, NULL) != FW_OK) return FW_ERR_FORMAT;
    g->rounds = strtoull(text, NULL, 10);
    return FW_OK;
}

static inline void fake_round(fw_round_result *r, fw_value *value, const fake_group *g, uint64_t round)
{
    *value = (fw_value){(char *)"log_loss", fake_value(g->project, round)};
    *r = (fw_round_result){.position = {round, round * 10, round * 100}, .validation = value, .n_validation = 1};
}

/* The losses follow from all of what is said of the trial. */
static inline void fake_open(fake_group *g, const fw_order *o)
{
    FW_AUTO(fw_text) text = {0};
    fw_text_add(&text, o->project);
    for (size_t i = 0; i < o->n_overrides; i++) fw_text_format(&text, "\n%s", o->overrides[i]);
    fake_replace(&g->project, text.data);
}

static inline void fake_work(const fake_group *g, const fw_order *o, uint64_t number)
{
    if (g->all->work != NULL) g->all->work(g->all->context, o, number);
}

static inline void fake_answer(fake_group *g, const fw_order *o)
{
    fw_round_result rounds[128];
    fw_value values[128];
    fw_answer a = {.number = o->number, .last = true, .text = (char *)"as it was told to"};
    switch ((int)o->kind) {
    case FW_ORDER_OPEN:
        fake_open(g, o);
        fake_work(g, o, ++g->all->opens);
        break;
    case FW_ORDER_CREATE:
    case FW_ORDER_RESTORE:
        fake_replace(&g->checkpoint, o->path);
        g->rounds = 0;
        if (o->kind == FW_ORDER_RESTORE) a.status = fake_restore(g, o->dataset);
        for (uint64_t i = 0; i < g->rounds && i < 128; i++) fake_round(&rounds[i], &values[i], g, i + 1);
        a.n_rounds = g->rounds;
        break;
    case FW_ORDER_ADVANCE: {
        const uint32_t n = ++g->all->advances;
        fake_work(g, o, n);
        if (g->all->lose_every > 0 && n % g->all->lose_every == 0) a.status = FW_ERR_LOST;
        else if (fake_diverges(g)) a.status = FW_ERR_NUMERIC;
        else fake_round(&rounds[0], &values[0], g, ++g->rounds);
        if (g->all->lose_every > 0 && g->rounds % 2 == 0) fake_write_checkpoint(g);
        a.n_rounds = a.status == FW_OK;
        break;
    }
    case FW_ORDER_CHECKPOINT: fake_write_checkpoint(g); break;
    case FW_ORDER_SAVE: fw_write_file(o->path, g->project, strlen(g->project), NULL); break;
    default: break;
    }
    a.rounds = rounds;
    a.position = (fw_position){g->rounds, g->rounds * 10, g->rounds * 100};
    void *bytes = NULL;
    size_t len = 0;
    if (fw_answer_pack(&bytes, &len, &a, NULL) == FW_OK) {
        g->answered = fw_mono_now();
        fw_line_send(g->line, bytes, len, fw_mono_after(fw_mono_now(), 10.0), NULL);
    }
    free(bytes);
}

static inline void *fake_serve(void *group)
{
    fake_group *g = group;
    for (bool closed = false; !closed;) {
        const void *bytes = NULL;
        size_t len = 0;
        FW_AUTO(fw_order) *o = NULL;
        if (fw_line_receive(g->line, &bytes, &len, fw_mono_after(fw_mono_now(), 60.0), NULL) != FW_OK) break;
        const double seconds = fw_mono_seconds(g->answered, fw_mono_now());
        if (fw_order_unpack(&o, bytes, len, NULL) != FW_OK) break;
        closed = o->kind == FW_ORDER_CLOSE;
        if (g->all->took != NULL && g->orders++ > 0 && !closed) {
            pthread_mutex_lock(&g->all->mutex);
            g->all->took(g->all->context, o->kind, seconds);
            pthread_mutex_unlock(&g->all->mutex);
        }
        if (!closed) fake_answer(g, o);
    }
    return NULL;
}

static inline fw_status fake_start(void *context, uint32_t number, coord_group **out, fw_error *err)
{
    fake_groups *all = context;
    fake_group *g = &all->group[number];
    fw_line *theirs = NULL;
    g->all = all;
    FW_TRY(fw_bus_create(&g->bus, err));
    FW_TRY(fw_line_bind(&g->line, g->bus, "inproc://fake", err));
    FW_TRY(fw_line_connect(&theirs, g->bus, "inproc://fake", err));
    g->runs = pthread_create(&g->thread, NULL, fake_serve, g) == 0;
    return coord_group_create(out, theirs, err);
}

static inline fw_status fake_end(void *context, uint32_t number, coord_group **line, fw_error *err)
{
    fake_group *g = &((fake_groups *)context)->group[number];
    if (*line == NULL) return FW_OK;
    const fw_status s = coord_group_close(*line, 0, err);
    if (g->runs) pthread_join(g->thread, NULL);
    g->runs = false;
    coord_group_destroy(line);
    fw_line_destroy(&g->line);
    fw_bus_destroy(&g->bus);
    fake_replace(&g->project, NULL);
    fake_replace(&g->checkpoint, NULL);
    return s;
}

static inline fw_status fake_lost(void *context, uint32_t number, coord_group **line, fw_error *err)
{
    fake_groups *all = context;
    all->losses++;
    FW_TRY(fake_end(context, number, line, err));
    if (all->given_up[number]) return fw_fail(err, FW_ERR_LOST, "group %u does not come back", number);
    if (!all->blame_trial) return FW_OK;
    fw_fail(err, FW_ERR_LOST, "its ranks were killed at the same step again and again");
    return FW_END;
}

static inline bool fake_stop_wanted(void *context)
{
    const fake_groups *all = context;
    return all->stop_after > 0 && all->advances >= all->stop_after;
}

static inline coord_source fake_source(fake_groups *all)
{
    pthread_mutex_init(&all->mutex, NULL);
    return (coord_source){.context = all, .n = all->n, .start = fake_start, .lost = fake_lost, .end = fake_end, .stop_wanted = fake_stop_wanted};
}

#endif
