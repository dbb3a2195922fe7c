/** The thread of a gang: who comes to the desk is heard, orders go in and answers out, leases are renewed, the watch judges. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "coordinator/gang/gang_parts.h"
#include "coordinator/gang/stop.h"
#include "proto/command.h"

#define LOOK_EVERY_S   0.02
#define LOOK_AT_GUESTS_S 0.1      /* there may be many groups, and none has a launcher to be seen ending */
#define LEASE_EVERY_S  1.0
#define CLOSE_S        10.0
#define MESSAGES_A_LOOK 1000

static void set_state(coord_gang *g, gang_state state)
{
    pthread_mutex_lock(&g->mutex);
    g->state = state;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
}

/* ---- leases ------------------------------------------------------------------------------------------------------------------------- */

static void renew_leases(coord_gang *g)
{
    FW_FREE void *bytes = NULL;
    size_t len = 0;
    fw_gang_message m = {.kind = FW_GANG_LEASE, .generation = g->opts.generation, .stop = g->stopping};
    memcpy(m.token, g->card.token, sizeof m.token);
    g->next_lease = fw_mono_after(fw_mono_now(), LEASE_EVERY_S);
    if (fw_gang_pack(&bytes, &len, &m, NULL) != FW_OK) return;
    for (uint32_t i = 0; i < g->opts.ranks; i++)
        if (g->caller[i].len > 0) fw_desk_send(g->desk, &g->caller[i], bytes, len, NULL);
}

/* ---- orders and answers ----------------------------------------------------------------------------------------------------------------- */

/* The other end may be slow to read; leases go out meanwhile. */
static fw_status pass_out(coord_gang *g, const void *bytes, size_t len, fw_error *err)
{
    fw_status s;
    do {
        s = fw_line_send(g->inside, bytes, len, fw_mono_after(fw_mono_now(), 0.2), err);
        if (s == FW_ERR_TIMEOUT && fw_mono_passed(g->next_lease)) renew_leases(g);
    } while (s == FW_ERR_TIMEOUT && atomic_load(&g->end) == GANG_GOES_ON);
    return s == FW_ERR_TIMEOUT ? FW_OK : s;
}

static fw_status answer_lost(coord_gang *g, fw_error *err)
{
    FW_FREE void *bytes = NULL;
    size_t len = 0;
    const fw_answer a = {.number = g->order, .status = FW_ERR_LOST, .text = g->loss.how, .last = true};
    g->order = 0;
    FW_TRY(fw_answer_pack(&bytes, &len, &a, err));
    return pass_out(g, bytes, len, err);
}

/* What the leader says is an answer, or progress before it. */
static fw_status take_answer(coord_gang *g, const void *bytes, size_t len, fw_error *err)
{
    FW_AUTO(fw_answer) *a = NULL;
    const fw_mono now = fw_mono_now();
    coord_watch_progress(g->watch, now);
    FW_TRY(fw_answer_unpack(&a, bytes, len, err));
    if (a->last) {
        g->order = 0;
        coord_watch_order(g->watch, false, now);
    }
    return pass_out(g, bytes, len, err);
}

static void send_unsent(coord_gang *g)
{
    if (g->unsent == NULL || fw_desk_send(g->desk, &g->leader, g->unsent, g->unsent_len, NULL) == FW_END) return;
    free(g->unsent);
    g->unsent = NULL;
}

static fw_status take_order(coord_gang *g, const void *bytes, size_t len, fw_error *err)
{
    FW_AUTO(fw_order) *o = NULL;
    FW_TRY(fw_order_unpack(&o, bytes, len, err));
    g->order = o->number;
    if (o->kind == FW_ORDER_CLOSE) g->closing = true;
    else coord_watch_order(g->watch, true, fw_mono_now());
    if (g->state == GANG_LOST) return o->kind == FW_ORDER_CLOSE ? FW_OK : answer_lost(g, err);
    free(g->unsent);
    g->unsent = malloc(len + 1);
    if (g->unsent == NULL) return fw_fail(err, FW_ERR_NOMEM, "an order");
    memcpy(g->unsent, bytes, len);
    g->unsent_len = len;
    send_unsent(g);
    return FW_OK;
}

/* The order to close, as if it had come over the line. */
static fw_status dismiss(coord_gang *g, fw_error *err)
{
    FW_FREE void *bytes = NULL;
    size_t len = 0;
    const fw_order close = {.kind = FW_ORDER_CLOSE, .number = g->order + 1, .exit_code = g->exit_code, .leave = g->leave};
    FW_TRY(fw_order_pack(&bytes, &len, &close, err));
    return take_order(g, bytes, len, err);
}

static fw_status take_orders(coord_gang *g, fw_error *err)
{
    if (atomic_load(&g->dismissed) && g->state == GANG_READY && !g->closing) return dismiss(g, err);
    const void *bytes = NULL;
    size_t len = 0;
    fw_status s = fw_line_receive(g->inside, &bytes, &len, fw_mono_now(), err);
    if (s == FW_ERR_TIMEOUT) return FW_OK;
    FW_TRY(s);
    return take_order(g, bytes, len, err);
}

/* ---- who comes ---------------------------------------------------------------------------------------------------------------------------- */

static void take_hello(coord_gang *g, const fw_caller *from, const fw_gang_message *m)
{
    if (m->size != g->opts.ranks) {
        fw_log_warn("the launcher started %u ranks, not %u", m->size, g->opts.ranks);
        return;
    }
    g->leader = *from;
    atomic_store(&g->elsewhere, !g->opts.local && strcmp(m->host, g->host) != 0);
    coord_watch_ready(g->watch, fw_mono_now());
    if (g->state == GANG_STARTING) set_state(g, GANG_READY);
}

static void take_gang_message(coord_gang *g, const fw_caller *from, const void *bytes, size_t len)
{
    fw_gang_message m;
    if (fw_gang_unpack(&m, bytes, len, NULL) != FW_OK || !fw_gang_same_token(m.token, g->card.token) || m.generation != g->opts.generation) {
        atomic_fetch_add(&g->dropped, 1);
        return;
    }
    if (m.kind == FW_GANG_HELLO) take_hello(g, from, &m);
    if (m.kind != FW_GANG_HEARTBEAT || m.rank >= g->opts.ranks) return;
    g->caller[m.rank] = *from;
    coord_watch_beat(g->watch, &m, fw_mono_now());
}

static bool is_leader(const coord_gang *g, const fw_caller *c)
{
    return g->leader.len > 0 && c->len == g->leader.len && memcmp(c->name, g->leader.name, c->len) == 0;
}

static fw_status hear_callers(coord_gang *g, fw_error *err)
{
    for (int i = 0; i < MESSAGES_A_LOOK; i++) {
        fw_caller from;
        const void *bytes = NULL;
        size_t len = 0;
        fw_status s = fw_desk_receive(g->desk, &from, &bytes, &len, err);
        if (s != FW_OK) return s == FW_END ? FW_OK : s;
        if (g->state == GANG_LOST) continue;       /* what was seen stands as it was then */
        if (!is_leader(g, &from)) take_gang_message(g, &from, bytes, len);
        else if (g->state == GANG_READY) FW_TRY(take_answer(g, bytes, len, err));
    }
    return FW_OK;
}

/* ---- losses --------------------------------------------------------------------------------------------------------------------------------- */

static bool on_page(const coord_gang *g)
{
    return g->page != NULL && atomic_load(&g->page->generation) == g->opts.generation;
}

static void note_place(coord_gang *g, coord_loss *l)
{
    const coord_watched *leader = coord_watch_rank(g->watch, 0);
    l->round = leader->round;
    l->step = leader->step;
    l->training = strcmp(leader->phase, "train") == 0 && l->step > 0;
    if (!on_page(g)) return;
    l->round = atomic_load(&g->page->round);
    l->step = atomic_load(&g->page->step);
    l->training = l->training || atomic_load(&g->page->made) > 0;
}

static void note_hosts(coord_gang *g, coord_loss *l)
{
    for (uint32_t i = 0; i < g->opts.ranks; i++) {
        const coord_watched *r = coord_watch_rank(g->watch, i);
        l->silent[i] = r->heard && coord_watch_host_silent(g->watch, r->host);
    }
    l->unseen = l->silent[0] && atomic_load(&g->elsewhere);
}

/* The gang is given up: why, its end, and word to who waits for it. */
static fw_status lose(coord_gang *g, coord_loss_kind kind, int rank, const char *how, fw_error *err)
{
    coord_loss *l = &g->loss;
    l->kind = kind;
    l->at = fw_mono_now();
    l->ready = g->state == GANG_READY;
    l->rank = rank;
    snprintf(l->how, sizeof l->how, "%s", how);
    note_place(g, l);
    note_hosts(g, l);
    coord_gang_explain(g, l);
    if (l->rank >= 0) {
        const coord_watched *r = coord_watch_rank(g->watch, (uint32_t)l->rank);
        l->pid = r->pid;
        snprintf(l->host, sizeof l->host, "%s", r->host);
    }
    coord_gang_kill(g, NULL);                       /* what hangs in the kernel is told of by coord_gang_end */
    set_state(g, GANG_LOST);
    return g->order != 0 && !g->closing ? answer_lost(g, err) : FW_OK;
}

static fw_status judge(coord_gang *g, fw_error *err)
{
    static const coord_loss_kind kinds[] = {[COORD_WATCH_NOT_READY] = COORD_LOSS_NOT_READY, [COORD_WATCH_SILENT] = COORD_LOSS_SILENT,
                                            [COORD_WATCH_STALLED] = COORD_LOSS_STALLED, [COORD_WATCH_STUCK] = COORD_LOSS_STUCK};
    static const char *const texts[] = {[COORD_WATCH_NOT_READY] = "not all ranks were there after %.0f s", [COORD_WATCH_SILENT] = "no heartbeat for %.1f s",
                                        [COORD_WATCH_STALLED] = "no step was made for %.1f s", [COORD_WATCH_STUCK] = "no sign of progress for %.0f s"};
    char how[128];
    int rank = -1;
    double for_s = 0.0;
    const coord_watch_finding f = coord_watch_judge(g->watch, fw_mono_now(), &rank, &for_s);
    if (f == COORD_WATCH_WELL || g->closing) return FW_OK;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(how, sizeof how, texts[f], for_s);
#pragma GCC diagnostic pop
    return lose(g, kinds[f], rank, how, err);
}

/* A signal to the coordinator: the ranks are asked for a checkpoint; who does not end in time is ended. */
static fw_status heed_signals(coord_gang *g, fw_error *err)
{
    if (coord_stop_wanted() == 0 || g->closing) return FW_OK;
    if (g->state == GANG_STARTING) return lose(g, COORD_LOSS_STOPPED, -1, "stopped by a signal", err);
    if (!g->stopping) {
        g->stopping = true;
        g->stop_since = fw_mono_now();
        renew_leases(g);
    }
    if (coord_stop_forced()) return lose(g, COORD_LOSS_FORCED, -1, "ended by a second signal", err);
    if (fw_mono_seconds(g->stop_since, fw_mono_now()) > coord_stop_patience())
        return lose(g, COORD_LOSS_FORCED, -1, "a signal asked for a stop, and no step ended in time", err);
    return FW_OK;
}

static void look_for_first_step(coord_gang *g)
{
    if (atomic_load(&g->first_step_ns) == 0 && on_page(g) && atomic_load(&g->page->made) > 0) atomic_store(&g->first_step_ns, fw_mono_now().ns);
}

/* ---- the loop --------------------------------------------------------------------------------------------------------------------------------- */

static fw_status look(coord_gang *g, fw_error *err)
{
    fw_status s = fw_desk_wait(g->desk, g->inside, fw_mono_after(fw_mono_now(), coord_gang_is_guest(g) ? LOOK_AT_GUESTS_S : LOOK_EVERY_S), err);
    if (s != FW_OK && s != FW_ERR_TIMEOUT) return s;
    const bool guest = coord_gang_is_guest(g), ended = !guest && coord_gang_launcher_ended(g);      /* before the last words are heard, so that none is lost */
    FW_TRY(hear_callers(g, err));
    FW_TRY(take_orders(g, err));
    if (g->state == GANG_LOST) return FW_OK;
    send_unsent(g);
    look_for_first_step(g);
    if (fw_mono_passed(g->next_lease)) renew_leases(g);
    if (ended && !g->closing) return lose(g, COORD_LOSS_ENDED, -1, "", err);
    const int dead = guest && !g->closing ? coord_gang_find_dead(g) : -1;
    if (dead >= 0) return lose(g, COORD_LOSS_ENDED, dead, "its process is gone", err);
    FW_TRY(heed_signals(g, err));
    return g->state == GANG_LOST ? FW_OK : judge(g, err);
}

/* Whether the caller waits for it, and the gang has ended or had its time. */
static bool is_over(coord_gang *g)
{
    const gang_end end = atomic_load(&g->end);
    if (end == GANG_GOES_ON) return false;
    if (end == GANG_ENDS_NOW || g->state == GANG_LOST) return true;
    if (!g->ending) g->ending_since = fw_mono_now();
    g->ending = true;
    return (g->closing && g->launcher == 0 && g->unsent == NULL) || fw_mono_seconds(g->ending_since, fw_mono_now()) > CLOSE_S;
}

void *coord_gang_serve(void *gang)
{
    coord_gang *g = gang;
    fw_error err = {0};
    while (!is_over(g)) {
        if (look(g, &err) == FW_OK) continue;
        if (g->state != GANG_LOST) lose(g, COORD_LOSS_BROKEN, -1, err.text, &err);
        else fw_sleep_ms(20);
    }
    if (g->state != GANG_LOST) set_state(g, GANG_OVER);
    return NULL;
}
