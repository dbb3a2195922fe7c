#include "coordinator/gang/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fence.h"
#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/log.h"
#include "common/core/process.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/gang/gang.h"
#include "coordinator/gang/launch.h"
#include "coordinator/gang/policy.h"
#include "coordinator/gang/stop.h"
#include "coordinator/journal/journal.h"
#include "proto/card.h"

#define KILLED_S 30.0

struct coord_keeper {
    coord_keeper_opts opts;
    char *folder, *card, *fence, *program;
    char mark[FW_DIGEST_TEXT];
    coord_hosts *hosts;
    coord_journal *journal;
    coord_policy policy;
    coord_verdict_kind verdict;        /* on the last loss */
    coord_gang *gang;
    uint64_t generation, progress;
    uint32_t ranks;
    bool open, leader_elsewhere;       /* from the journal: the last generation has no end there; its leader was on another host */
    bool told_ranks;
    char reason[1024];
    fw_mono lost_at;
    bool was_lost;
};

/* ---- the journal ------------------------------------------------------------------------------------------------------------------------- */

static uint64_t number(const json_t *entry, const char *name) { return (uint64_t)json_integer_value(json_object_get(entry, name)); }
static bool     flag(const json_t *entry, const char *name) { return json_is_true(json_object_get(entry, name)); }

static json_t *facts_json(const coord_loss_facts *f, uint64_t generation, const char *reason)
{
    return json_pack("{s:I, s:b, s:b, s:I, s:I, s:i, s:s}", "generation", (json_int_t)generation, "ready", (int)f->ready, "training", (int)f->training, "step",
                     (json_int_t)f->step, "progress", (json_int_t)f->progress, "exit_code", f->exit_code, "reason", reason);
}

static coord_loss_facts facts_of(const json_t *entry)
{
    return (coord_loss_facts){.ready = flag(entry, "ready"), .training = flag(entry, "training"), .step = number(entry, "step"),
                              .progress = number(entry, "progress"), .exit_code = (int)json_integer_value(json_object_get(entry, "exit_code"))};
}

/* What an earlier coordinator did: the policy counts it as its own. */
static fw_status replay(void *context, const coord_journal_line *line, fw_error *err)
{
    coord_keeper *k = context;
    const json_t *entry = line->entry;
    (void)err;
    const char *event = json_string_value(json_object_get(entry, "event"));
    k->generation = FW_MAX(k->generation, number(entry, "generation"));
    if (fw_text_equal(event, "start")) {
        k->open = true;
        k->leader_elsewhere = false;
    } else if (fw_text_equal(event, "ready")) {
        coord_policy_ready(&k->policy);
        k->leader_elsewhere = flag(entry, "elsewhere");
    } else if (fw_text_equal(event, "lost")) {
        const coord_loss_facts f = facts_of(entry);
        coord_policy_lost(&k->policy, &f);
        k->open = false;
    } else if (fw_text_equal(event, "end")) {
        k->open = false;
        if (flag(entry, "done")) k->policy = (coord_policy){.max_restarts = k->policy.max_restarts};
    }
    return FW_OK;
}

static fw_status open_journal(coord_keeper *k, fw_error *err)
{
    FW_FREE char *path = NULL;
    uint64_t fenced = 0;
    k->policy.max_restarts = k->opts.max_restarts;
    FW_TRY(fw_path_join(&path, k->folder, "gang.journal", err));
    FW_TRY(coord_journal_open(&k->journal, path, NULL, replay, k, err));
    if (coord_journal_damaged(k->journal) > 0) fw_log_warn("%s: %zu damaged lines were passed over", path, coord_journal_damaged(k->journal));
    if (fw_fence_read(&fenced, k->fence, NULL) == FW_OK) k->generation = FW_MAX(k->generation, fenced);
    if (k->opts.anew) k->policy = (coord_policy){.max_restarts = k->opts.max_restarts};
    return FW_OK;
}

/* ---- an earlier coordinator's gang --------------------------------------------------------------------------------------------------------- */

/* Its launcher is dead, so the ranks of other hosts end by themselves: at the latest when their lease is over. */
static fw_status wait_for_lease(fw_mono from, const char *whose, fw_error *err)
{
    const double left = FW_GANG_LEASE_S - fw_mono_seconds(from, fw_mono_now());
    if (left <= 0.0) return FW_OK;
    fw_log_info("%s was on another host; its lease runs out in %.0f s", whose, left);
    const fw_mono until = fw_mono_after(from, FW_GANG_LEASE_S);
    while (!fw_mono_passed(until)) {
        if (coord_stop_wanted() != 0) return fw_fail(err, FW_ERR_STOPPED, "stopped by a signal");
        fw_sleep_ms(20);
    }
    return FW_OK;
}

static fw_status end_earlier(coord_keeper *k, fw_error *err)
{
    char prefix[sizeof k->mark + 1];
    FW_FREE pid_t *pids = NULL;
    size_t n = 0;
    snprintf(prefix, sizeof prefix, "%s.", k->mark);
    if (k->generation > 0) FW_TRY(fw_fence_raise(k->fence, ++k->generation, err));
    FW_TRY(fw_processes_marked(&pids, &n, COORD_GANG_MARK, prefix, err));
    if (n > 0) fw_log_info("ending %zu processes that an earlier coordinator of %s left", n, k->opts.folder);
    FW_TRY(fw_processes_kill_marked(COORD_GANG_MARK, prefix, fw_mono_after(fw_mono_now(), KILLED_S), err));
    fw_card_remove_memory(k->card, UINT64_MAX);
    return k->open && k->leader_elsewhere ? wait_for_lease(fw_mono_now(), "the leader of the earlier gang", err) : FW_OK;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------------------ */

fw_status coord_keeper_check(const coord_keeper_opts *opts, fw_error *err)
{
    FW_AUTO(coord_hosts) *h = NULL;
    FW_TRY(coord_hosts_parse(&h, opts->hosts, err));
    FW_TRY(coord_launch_check(opts->launch, h, err));
    if (h != NULL && opts->ranks > coord_hosts_slots(h, UINT64_MAX))
        return fw_fail(err, FW_ERR_CONFIG, "--ranks %u: the hosts hold %u; give them more slots (a:4,b:4), or ask for fewer ranks", opts->ranks,
                       coord_hosts_slots(h, UINT64_MAX));
    return FW_OK;
}

static fw_status absolute(char **out, const char *path, fw_error *err)
{
    *out = realpath(path, NULL);
    return *out != NULL ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "%s", path);
}

static fw_status set_up(coord_keeper *k, const coord_keeper_opts *opts, fw_error *err)
{
    k->opts = *opts;
    FW_TRY(coord_hosts_parse(&k->hosts, opts->hosts, err));
    FW_TRY(absolute(&k->folder, opts->folder, err));
    FW_TRY(absolute(&k->program, "/proc/self/exe", err));
    FW_TRY(fw_path_join(&k->card, k->folder, "gang.json", err));
    FW_TRY(fw_path_join(&k->fence, k->folder, "gang.generation", err));
    fw_digest_text(k->mark, fw_hash128(k->card, strlen(k->card), 0));
    k->mark[16] = '\0';
    coord_stop_install();
    FW_TRY(open_journal(k, err));
    return end_earlier(k, err);
}

fw_status coord_keeper_create(coord_keeper **out, const coord_keeper_opts *opts, fw_error *err)
{
    FW_AUTO(coord_keeper) *k = calloc(1, sizeof *k);
    if (k == NULL) return fw_fail(err, FW_ERR_NOMEM, "the keeper of a gang");
    FW_TRY(set_up(k, opts, err));
    *out = k;
    k = NULL;
    return FW_OK;
}

void coord_keeper_destroy(coord_keeper **keeper)
{
    coord_keeper *k = *keeper;
    fw_error err = {0};
    if (k == NULL) return;
    if (coord_gang_end(&k->gang, false, &err) != FW_OK) fw_log_warn("%s", err.text);
    if (k->card != NULL && k->generation > 0) fw_card_remove_memory(k->card, UINT64_MAX);
    coord_journal_close(&k->journal);
    coord_hosts_destroy(&k->hosts);
    free(k->folder);
    free(k->card);
    free(k->fence);
    free(k->program);
    free(k);
    *keeper = NULL;
}

/* ---- starting ---------------------------------------------------------------------------------------------------------------------------------- */

/* How many ranks the hosts hold that are not left out; when all are, none is. */
static void choose_ranks(coord_keeper *k)
{
    k->ranks = k->opts.ranks;
    if (k->hosts == NULL) return;
    if (coord_hosts_slots(k->hosts, k->generation) == 0)
        for (size_t i = 0; i < k->hosts->n; i++) k->hosts->host[i].out_until = 0;
    const uint32_t slots = coord_hosts_slots(k->hosts, k->generation), wanted = k->opts.ranks > 0 ? k->opts.ranks : coord_hosts_slots(k->hosts, UINT64_MAX);
    k->ranks = FW_MIN(wanted, slots);
    if (k->ranks < wanted || k->told_ranks)
        fw_log_info("generation %llu has %u of %u ranks%s", (unsigned long long)k->generation, k->ranks, wanted, k->ranks < wanted ? ": a host is left out" : "");
    k->told_ranks = k->ranks < wanted;
}

static fw_status launch(coord_keeper *k, fw_error *err)
{
    char generation[24], mark[FW_DIGEST_TEXT + 24];
    char **command = NULL, **environment = NULL;
    FW_FREE char *memory = NULL;
    snprintf(generation, sizeof generation, "%llu", (unsigned long long)k->generation);
    snprintf(mark, sizeof mark, "%s.%s", k->mark, generation);
    const char *const more[] = {k->program, "worker", "--gang", k->card, "--generation", generation, NULL};
    fw_status s = coord_launch_words(&command, k->opts.launch, k->ranks, k->hosts, k->generation, more, err);
    const bool local = coord_launch_is_local(k->opts.launch, k->hosts);
    if (s == FW_OK && local) s = fw_card_make_memory(&memory, k->card, k->generation, err);      /* elsewhere nobody would remove it */
    if (s == FW_OK) s = coord_launch_environment(&environment, COORD_GANG_MARK, mark, memory, k->opts.neighbours, err);
    const coord_gang_opts opts = {.folder = k->folder, .card = k->card, .mark = k->mark, .generation = k->generation, .ranks = k->ranks, .command = command,
                                  .environment = environment, .local = local, .limits = coord_watch_limits_default()};
    if (s == FW_OK) s = coord_gang_start(&k->gang, &opts, err);
    coord_launch_free(command);
    coord_launch_free(environment);
    return s;
}

/* What is done is in the journal before: a coordinator that finds "start" without an end looks for what lives of it. */
static fw_status next_generation(coord_keeper *k, fw_error *err)
{
    k->generation++;
    choose_ranks(k);
    FW_TRY(coord_journal_add(k->journal, "start", json_pack("{s:I, s:i}", "generation", (json_int_t)k->generation, "ranks", (int)k->ranks), err));
    FW_TRY(fw_fence_raise(k->fence, k->generation, err));
    FW_TRY(launch(k, err));
    const pid_t pid = coord_gang_launcher(k->gang);
    FW_TRY(coord_journal_add(k->journal, "launched", json_pack("{s:I, s:i, s:I}", "generation", (json_int_t)k->generation, "pid", (int)pid, "started",
                                                               (json_int_t)fw_process_started(pid)), err));
    FW_TRY(coord_gang_await(k->gang, err));
    coord_policy_ready(&k->policy);
    return coord_journal_add(k->journal, "ready", json_pack("{s:I, s:b}", "generation", (json_int_t)k->generation, "elsewhere",
                                                            (int)coord_gang_leader_elsewhere(k->gang)), err);
}

fw_status coord_keeper_start(coord_keeper *k, fw_line **line, fw_error *err)
{
    for (;;) {
        if (coord_stop_wanted() != 0) return fw_fail(err, FW_ERR_STOPPED, "stopped by a signal");
        fw_status s = next_generation(k, err);
        if (s == FW_OK) {
            *line = coord_gang_line(k->gang);
            return FW_OK;
        }
        if (s != FW_ERR_LOST) return s;
        FW_TRY(coord_keeper_lost(k, err));
    }
}

void coord_keeper_progress(coord_keeper *k, uint64_t step) { k->progress = FW_MAX(k->progress, step); }

/* ---- a loss -------------------------------------------------------------------------------------------------------------------------------------- */

/* "rank 2 (host n1, pid 123) was lost in round 3, step 1041: killed by signal 9" */
static void say_loss(coord_keeper *k, const coord_loss *l)
{
    FW_AUTO(fw_text) t = {0};
    if (!l->ready) fw_text_add(&t, "the ranks did not start");
    else if (l->rank < 0) fw_text_add(&t, "the ranks were lost");
    else fw_text_format(&t, "rank %d (host %s, pid %u) was lost", l->rank, l->host, l->pid);
    if (l->ready && l->training) fw_text_format(&t, " in round %llu, step %llu", (unsigned long long)l->round, (unsigned long long)l->step);
    fw_text_format(&t, ": %s", l->how);
    snprintf(k->reason, sizeof k->reason, "%s", t.data != NULL ? t.data : l->how);
}

/* A host of which nothing was heard any more, or that a failed launch names: not used by the next generation, twice as many the next time. */
static void leave_out(coord_keeper *k, coord_host *h)
{
    h->out_for = FW_MIN(FW_MAX(2 * h->out_for, (uint64_t)1), (uint64_t)64);
    h->out_until = k->generation + 1 + h->out_for;
    fw_log_info("host %s is left out", h->name);
}

static void judge_hosts(coord_keeper *k, const coord_loss *l)
{
    size_t named = 0;
    if (k->hosts == NULL) return;
    for (uint32_t i = 0; l->ready && i < k->ranks; i++) {
        coord_host *h = l->silent[i] ? coord_hosts_find(k->hosts, coord_gang_rank(k->gang, i)->host) : NULL;
        if (h != NULL && h->out_until <= k->generation) leave_out(k, h);
    }
    for (size_t i = 0; !l->ready && i < k->hosts->n; i++) named += strstr(l->lines, k->hosts->host[i].name) != NULL;
    for (size_t i = 0; named > 0 && named < k->hosts->n && i < k->hosts->n; i++)
        if (strstr(l->lines, k->hosts->host[i].name) != NULL) leave_out(k, &k->hosts->host[i]);
}

static fw_status give_up(coord_keeper *k, coord_verdict v, const coord_loss *l, fw_error *err)
{
    const char *from = fw_path_exists(k->opts.from) ? k->opts.from : "none yet";
    const char *lines = l->lines[0] != '\0' ? l->lines : "  | nothing";
    switch (v.kind) {
    case COORD_REFUSED:
        return fw_fail(err, l->exit_code == 2 ? FW_ERR_CONFIG : FW_ERR_DATA, "%s; it printed (%s/gang.log):\n%s", k->reason, k->opts.folder, lines);
    case COORD_NEVER_STARTED:
        return fw_fail(err, FW_ERR_CONFIG, "%s; it printed (%s/gang.log):\n%s", k->reason, k->opts.folder, lines);
    case COORD_CRASH_LOOP:
        return fw_fail(err, FW_ERR_LOST, "%s; it was lost at this step %d times one behind the other, so it is not tried again; the checkpoint is %s; the last "
                       "lines that launcher and ranks printed (%s/gang.log):\n%s", k->reason, k->policy.crashes, from, k->opts.folder, lines);
    case COORD_TOO_OFTEN:
        return fw_fail(err, FW_ERR_LOST, "%s; %d losses without progress, more than --max-restarts %d allows; the checkpoint is %s; the last lines that launcher and "
                       "ranks printed (%s/gang.log):\n%s", k->reason, k->policy.without, k->policy.max_restarts, from, k->opts.folder, lines);
    case COORD_START_AGAIN: break;
    }
    return fw_fail(err, FW_ERR_INTERNAL, "nothing to give up");
}

static fw_status wait_before(coord_keeper *k, double seconds, fw_error *err)
{
    const fw_mono until = fw_mono_after(k->lost_at, seconds);
    while (!fw_mono_passed(until)) {
        if (coord_stop_wanted() != 0) return fw_fail(err, FW_ERR_STOPPED, "stopped by a signal");
        fw_sleep_ms(20);
    }
    return FW_OK;
}

/* The gang's own words are good as long as it stands: what is told and written comes before it is released. */
static fw_status judge(coord_keeper *k, const coord_loss *l, bool *unseen, coord_verdict *v, fw_error *err)
{
    const coord_loss_facts f = {.ready = l->ready, .training = l->training, .step = l->step, .progress = k->progress, .exit_code = l->exit_code};
    say_loss(k, l);
    FW_TRY(coord_journal_add(k->journal, "lost", facts_json(&f, k->generation, k->reason), err));
    *unseen = l->unseen;
    if (l->kind == COORD_LOSS_STOPPED) return fw_fail(err, FW_ERR_STOPPED, "stopped by a signal before the ranks were there");
    if (l->kind == COORD_LOSS_FORCED)
        return fw_fail(err, FW_ERR_LOST, "%s; the checkpoint is %s", k->reason, fw_path_exists(k->opts.from) ? k->opts.from : "none yet");
    *v = coord_policy_lost(&k->policy, &f);
    k->verdict = v->kind;
    if (v->kind != COORD_START_AGAIN) return give_up(k, *v, l, err);
    judge_hosts(k, l);
    return FW_OK;
}

fw_status coord_keeper_lost(coord_keeper *k, fw_error *err)
{
    static const coord_loss own = {.kind = COORD_LOSS_BROKEN, .ready = true, .rank = -1, .exit_code = -1, .how = "its ranks gave up"};
    coord_verdict v = {COORD_START_AGAIN, 0.0};
    bool unseen = false;
    const coord_loss *l = coord_gang_loss(k->gang);
    coord_loss broken = own;
    if (l->kind == COORD_LOSS_NONE) {                    /* the ranks said so themselves */
        broken.at = fw_mono_now();
        snprintf(broken.how, sizeof broken.how, "%.250s", err != NULL ? err->text : "its ranks gave up");
        l = &broken;
    }
    k->lost_at = l->at;
    k->was_lost = true;
    fw_status s = judge(k, l, &unseen, &v, err);
    const fw_status ended = coord_gang_end(&k->gang, false, s == FW_OK ? err : NULL);
    if (s == FW_OK) s = ended;
    fw_card_remove_memory(k->card, UINT64_MAX);
    FW_TRY(s);
    fw_log_info("%s; starting again from %s (generation %llu)", k->reason, fw_path_exists(k->opts.from) ? k->opts.from : "the beginning",
                (unsigned long long)k->generation + 1);
    if (unseen) FW_TRY(wait_for_lease(k->lost_at, "the leader", err));
    return wait_before(k, v.wait_s, err);
}

/* ---- the end -------------------------------------------------------------------------------------------------------------------------------------- */

fw_status coord_keeper_finish(coord_keeper *k, bool done, fw_error *err)
{
    FW_FREE char *page = NULL;
    FW_TRY(coord_gang_end(&k->gang, true, err));
    FW_TRY(coord_journal_add(k->journal, "end", json_pack("{s:I, s:b}", "generation", (json_int_t)k->generation, "done", (int)done), err));
    FW_TRY(fw_path_join(&page, k->folder, "gang.page", err));
    unlink(page);
    unlink(k->card);
    return FW_OK;
}

uint64_t coord_keeper_generation(const coord_keeper *k) { return k->generation; }

uint32_t coord_keeper_ranks(const coord_keeper *k) { return k->ranks; }

bool coord_keeper_crash_loop(const coord_keeper *k) { return k->verdict == COORD_CRASH_LOOP; }

const char *coord_keeper_reason(const coord_keeper *k) { return k->reason; }

double coord_keeper_back_s(const coord_keeper *k)
{
    fw_mono when;
    if (!k->was_lost || k->gang == NULL || !coord_gang_first_step(k->gang, &when)) return -1.0;
    return fw_mono_seconds(k->lost_at, when);
}
