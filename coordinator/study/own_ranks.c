#include "coordinator/study/own_ranks.h"

#include "coordinator/gang/stop.h"

static fw_status start(void *context, uint32_t number, coord_group **out, fw_error *err)
{
    const coord_own_ranks *own = context;
    fw_line *line = NULL;
    if (own->several == NULL) {
        *out = own->one;
        return FW_OK;
    }
    FW_TRY(coord_groups_line(own->several, number, &line, err));
    return coord_group_create(out, line, err);
}

static fw_status lost(void *context, uint32_t number, coord_group **g, fw_error *err)
{
    const coord_own_ranks *own = context;
    if (own->several == NULL) {
        *g = NULL;
        return FW_ERR_LOST;
    }
    coord_group_destroy(g);
    return fw_fail(err, FW_ERR_LOST, "group %u: %s", number, coord_groups_loss(own->several, number)->how);
}

static fw_status end(void *context, uint32_t number, coord_group **g, fw_error *err)
{
    const coord_own_ranks *own = context;
    (void)number, (void)err;
    if (own->several != NULL) coord_group_destroy(g);
    *g = NULL;
    return FW_OK;
}

static bool stop_wanted(void *context)
{
    return ((const coord_own_ranks *)context)->several != NULL && coord_stop_wanted() != 0;
}

coord_source coord_own_ranks_source(coord_own_ranks *own)
{
    if (own->several != NULL) coord_stop_install();
    return (coord_source){.context = own, .n = own->several != NULL ? coord_groups_count(own->several) : 1, .start = start, .lost = lost, .end = end,
                          .stop_wanted = stop_wanted};
}
