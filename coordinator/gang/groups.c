#include "coordinator/gang/groups.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"

#define GENERATION 1               /* there is no other: who is lost does not come back */

struct coord_groups {
    coord_groups_opts opts;
    coord_gang **gang;             /* (n_gangs) */
    uint32_t n_gangs;              /* groups, and the left-over one */
};

static void release(coord_groups *g)
{
    for (uint32_t i = 0; g->gang != NULL && i < g->n_gangs; i++) coord_gang_end(&g->gang[i], false, NULL);
    free(g->gang);
    free(g);
}

fw_status coord_groups_create(coord_groups **out, const coord_groups_opts *opts, fw_error *err)
{
    coord_groups *g = calloc(1, sizeof *g);
    if (g == NULL) return fw_fail(err, FW_ERR_NOMEM, "groups");
    g->opts = *opts;
    g->n_gangs = opts->n + (opts->left_over > 0);
    fw_status s = fw_alloc_zeroed((void **)&g->gang, g->n_gangs, sizeof(coord_gang *), "groups", err);
    for (uint32_t i = 0; s == FW_OK && i < g->n_gangs; i++) {
        const coord_gang_opts gang = {.generation = GENERATION, .ranks = i < opts->n ? opts->ranks : opts->left_over, .local = opts->local,
                                      .limits = coord_watch_limits_default()};
        s = coord_gang_start(&g->gang[i], &gang, err);
    }
    if (s != FW_OK) {
        release(g);
        return s;
    }
    *out = g;
    return FW_OK;
}

fw_status coord_groups_cards(const coord_groups *g, void **bytes, size_t *len, fw_error *err)
{
    FW_AUTO(fw_text) all = {0};
    for (uint32_t i = 0; i < g->n_gangs; i++) {
        FW_FREE char *card = NULL;
        FW_TRY(coord_gang_card(&card, g->gang[i], err));
        fw_text_add_bytes(&all, card, strlen(card) + 1);
    }
    FW_TRY(fw_text_check(&all, err));
    *len = all.len;
    *bytes = fw_text_take(&all);
    return FW_OK;
}

uint32_t coord_groups_count(const coord_groups *g) { return g->opts.n; }
uint32_t coord_groups_ranks(const coord_groups *g) { return g->opts.ranks; }

fw_status coord_groups_line(coord_groups *g, uint32_t i, fw_line **line, fw_error *err)
{
    FW_TRY(coord_gang_await(g->gang[i], err));
    *line = coord_gang_line(g->gang[i]);
    return FW_OK;
}

const coord_loss *coord_groups_loss(coord_groups *g, uint32_t i) { return coord_gang_loss(g->gang[i]); }

void coord_groups_end(coord_groups **groups, int exit_code, bool *lost)
{
    coord_groups *g = *groups;
    if (g == NULL) return;
    *lost = false;
    for (uint32_t i = 0; i < g->n_gangs; i++) *lost = *lost || coord_gang_loss(g->gang[i])->kind != COORD_LOSS_NONE;
    for (uint32_t i = 0; i < g->n_gangs; i++) coord_gang_dismiss(g->gang[i], exit_code, *lost);
    for (uint32_t i = 0; i < g->n_gangs; i++) coord_gang_end(&g->gang[i], true, NULL);
    release(g);
    *groups = NULL;
}
