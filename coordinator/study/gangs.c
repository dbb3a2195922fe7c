#include "coordinator/study/gangs.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/gang/keeper.h"
#include "coordinator/gang/launch.h"
#include "coordinator/gang/stop.h"

typedef struct one_gang {
    char *folder, *hosts;              /* hosts: of the slots that it has now; NULL: the launcher chooses */
    coord_keeper *keeper;
    bool ended;                        /* and not started again: its slots may be another's */
} one_gang;

/** A slot is where one rank runs: which group's it is, on which host. */
typedef struct gang_slot { uint32_t owner; size_t host; } gang_slot;

struct coord_gangs {
    coord_gangs_opts opts;
    coord_hosts *hosts;
    one_gang *gang;
    gang_slot *slot; size_t n_slots;
    pthread_mutex_t mutex;             /* guards slot and ended */
};

/* ---- slots --------------------------------------------------------------------------------------------------------------------------------- */

static fw_status share_out(coord_gangs *g, fw_error *err)
{
    g->n_slots = (size_t)g->opts.groups * g->opts.ranks;
    FW_TRY(fw_alloc_zeroed((void **)&g->slot, g->n_slots, sizeof *g->slot, "slots", err));
    for (size_t i = 0, host = 0, taken = 0; i < g->n_slots; i++, taken++) {
        while (g->hosts != NULL && taken == g->hosts->host[host].slots) {
            host++;
            taken = 0;
        }
        g->slot[i] = (gang_slot){(uint32_t)(i / g->opts.ranks), host};
    }
    return FW_OK;
}

static uint32_t ranks_of(void *context, uint32_t number)
{
    coord_gangs *g = context;
    uint32_t n = 0;
    pthread_mutex_lock(&g->mutex);
    for (size_t i = 0; i < g->n_slots; i++) n += g->slot[i].owner == number;
    pthread_mutex_unlock(&g->mutex);
    return n;
}

/* "a:4,b:2" */
static fw_status hosts_of(coord_gangs *g, uint32_t number, fw_error *err)
{
    FW_AUTO(fw_text) text = {0};
    if (g->hosts == NULL) return FW_OK;
    pthread_mutex_lock(&g->mutex);
    for (size_t h = 0; h < g->hosts->n; h++) {
        uint32_t n = 0;
        for (size_t i = 0; i < g->n_slots; i++) n += g->slot[i].owner == number && g->slot[i].host == h;
        if (n > 0) fw_text_format(&text, "%s%s:%u", text.len > 0 ? "," : "", g->hosts->host[h].name, n);
    }
    pthread_mutex_unlock(&g->mutex);
    FW_TRY(fw_text_check(&text, err));
    free(g->gang[number].hosts);
    g->gang[number].hosts = fw_text_take(&text);
    return FW_OK;
}

/* Slots of gangs that have ended. */
static fw_status grow(void *context, uint32_t number, uint32_t more, fw_error *err)
{
    coord_gangs *g = context;
    (void)err;
    pthread_mutex_lock(&g->mutex);
    for (size_t i = 0; i < g->n_slots && more > 0; i++) {
        if (g->slot[i].owner == number || !g->gang[g->slot[i].owner].ended) continue;
        g->slot[i].owner = number;
        more--;
    }
    pthread_mutex_unlock(&g->mutex);
    return FW_OK;
}

static void set_ended(coord_gangs *g, uint32_t number, bool ended)
{
    pthread_mutex_lock(&g->mutex);
    g->gang[number].ended = ended;
    pthread_mutex_unlock(&g->mutex);
}

/* ---- one gang ------------------------------------------------------------------------------------------------------------------------------ */

static fw_status create_keeper(coord_gangs *g, uint32_t number, fw_error *err)
{
    one_gang *one = &g->gang[number];
    if (one->keeper != NULL) return FW_OK;
    FW_TRY(hosts_of(g, number, err));
    FW_TRY(fw_make_dirs(one->folder, err));
    const coord_keeper_opts opts = {.folder = one->folder, .from = g->opts.folder, .launch = g->opts.launch, .hosts = one->hosts, .ranks = ranks_of(g, number),
                                    .max_restarts = g->opts.max_restarts, .neighbours = g->opts.groups > 1, .anew = true};
    return coord_keeper_create(&one->keeper, &opts, err);
}

static fw_status start(void *context, uint32_t number, coord_group **out, fw_error *err)
{
    coord_gangs *g = context;
    fw_line *line = NULL;
    set_ended(g, number, false);
    FW_TRY(create_keeper(g, number, err));
    FW_TRY(coord_keeper_start(g->gang[number].keeper, &line, err));
    return coord_group_create(out, line, err);
}

static fw_status lost(void *context, uint32_t number, coord_group **line, fw_error *err)
{
    one_gang *one = &((coord_gangs *)context)->gang[number];
    coord_group_destroy(line);
    const fw_status s = coord_keeper_lost(one->keeper, err);
    if (s != FW_ERR_LOST || !coord_keeper_crash_loop(one->keeper)) return s;
    coord_keeper_destroy(&one->keeper);            /* what was counted was the trial's doing */
    return FW_END;
}

static void progress(void *context, uint32_t number, uint64_t value)
{
    coord_keeper *k = ((coord_gangs *)context)->gang[number].keeper;
    if (k != NULL) coord_keeper_progress(k, value);
}

static fw_status end(void *context, uint32_t number, coord_group **line, fw_error *err)
{
    coord_gangs *g = context;
    one_gang *one = &g->gang[number];
    fw_status s = FW_OK;
    if (*line != NULL) {
        s = coord_group_close(*line, 0, err);
        coord_group_destroy(line);
        if (s == FW_OK) s = coord_keeper_finish(one->keeper, true, err);
    }
    coord_keeper_destroy(&one->keeper);
    set_ended(g, number, true);
    return s;
}

static bool stop_wanted(void *context)
{
    (void)context;
    return coord_stop_wanted() != 0;
}

/* ---- all of them --------------------------------------------------------------------------------------------------------------------------- */

fw_status coord_gangs_check(const coord_gangs_opts *opts, fw_error *err)
{
    FW_AUTO(coord_hosts) *h = NULL;
    FW_TRY(coord_hosts_parse(&h, opts->hosts, err));
    FW_TRY(coord_launch_check(opts->launch, h, err));
    const uint64_t wanted = (uint64_t)opts->groups * opts->ranks;
    if (h != NULL && wanted > coord_hosts_slots(h, UINT64_MAX))
        return fw_fail(err, FW_ERR_CONFIG, "%u groups of %u ranks: the hosts hold %u; give them more slots (a:4,b:4), or ask for fewer groups or ranks", opts->groups,
                       opts->ranks, coord_hosts_slots(h, UINT64_MAX));
    return FW_OK;
}

static fw_status end_one(const char *study, const char *folder, fw_error *err)
{
    coord_keeper *k = NULL;
    const coord_keeper_opts opts = {.folder = folder, .from = study, .ranks = 1, .anew = true};
    FW_TRY(coord_keeper_create(&k, &opts, err));
    coord_keeper_destroy(&k);
    return FW_OK;
}

fw_status coord_gangs_end_earlier(const char *folder, fw_error *err)
{
    FW_FREE char *groups = NULL;
    FW_TRY(fw_path_join(&groups, folder, "groups", err));
    DIR *d = opendir(groups);
    if (d == NULL) return FW_OK;
    fw_status s = FW_OK;
    for (struct dirent *e; s == FW_OK && (e = readdir(d)) != NULL;) {
        FW_FREE char *one = NULL;
        FW_FREE char *fence = NULL;
        if (e->d_name[strspn(e->d_name, "0123456789")] != '\0') continue;
        s = fw_path_join(&one, groups, e->d_name, err);
        if (s == FW_OK) s = fw_path_join(&fence, one, "gang.generation", err);
        if (s == FW_OK && fw_path_exists(fence)) s = end_one(folder, one, err);
    }
    closedir(d);
    return s;
}

static fw_status set_up(coord_gangs *g, fw_error *err)
{
    FW_TRY(coord_hosts_parse(&g->hosts, g->opts.hosts, err));
    FW_TRY(fw_alloc_zeroed((void **)&g->gang, g->opts.groups, sizeof *g->gang, "groups", err));
    for (uint32_t i = 0; i < g->opts.groups; i++) {
        char name[40];
        snprintf(name, sizeof name, "groups/%u", i);
        FW_TRY(fw_path_join(&g->gang[i].folder, g->opts.folder, name, err));
    }
    coord_stop_install();
    return share_out(g, err);
}

fw_status coord_gangs_create(coord_gangs **out, const coord_gangs_opts *opts, fw_error *err)
{
    FW_AUTO(coord_gangs) *g = calloc(1, sizeof *g);
    if (g == NULL) return fw_fail(err, FW_ERR_NOMEM, "groups");
    pthread_mutex_init(&g->mutex, NULL);
    g->opts = *opts;
    FW_TRY(coord_gangs_check(opts, err));
    FW_TRY(set_up(g, err));
    *out = g;
    g = NULL;
    return FW_OK;
}

void coord_gangs_destroy(coord_gangs **gangs)
{
    coord_gangs *g = *gangs;
    if (g == NULL) return;
    for (uint32_t i = 0; g->gang != NULL && i < g->opts.groups; i++) {
        coord_keeper_destroy(&g->gang[i].keeper);
        free(g->gang[i].folder);
        free(g->gang[i].hosts);
    }
    coord_hosts_destroy(&g->hosts);
    pthread_mutex_destroy(&g->mutex);
    free(g->gang);
    free(g->slot);
    free(g);
    *gangs = NULL;
}

coord_source coord_gangs_source(coord_gangs *g)
{
    return (coord_source){.context = g, .n = g->opts.groups, .start = start, .lost = lost, .progress = progress, .end = end, .grow = grow, .ranks = ranks_of,
                          .stop_wanted = stop_wanted};
}
