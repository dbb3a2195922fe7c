/** No trial is ended early. */
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/pruner.h"

static fw_status create(void **state, const coord_pruner_opts *opts, fw_error *err)
{
    uint64_t *max_rounds = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&max_rounds, 1, sizeof *max_rounds, "pruner none", err));
    *max_rounds = opts->max_rounds;
    *state = max_rounds;
    return FW_OK;
}

static void destroy(void **state)
{
    free(*state);
    *state = NULL;
}

static uint64_t milestone(const void *state, uint64_t trial, uint64_t rounds)
{
    (void)trial, (void)rounds;
    return *(const uint64_t *)state;
}

static fw_status judge(void *state, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on *out, fw_error *err)
{
    (void)state, (void)trial, (void)rounds, (void)loss, (void)err;
    *out = COORD_GO_ON;
    return FW_OK;
}

static fw_status ended(void *state, uint64_t trial, uint64_t rounds, double loss, fw_error *err)
{
    (void)state, (void)trial, (void)rounds, (void)loss, (void)err;
    return FW_OK;
}

static bool promote(void *state, uint64_t *trial)
{
    (void)state, (void)trial;
    return false;
}

static void settle(void *state)
{
    (void)state;
}

const coord_pruner_kind coord_pruner_none = {
    .name = "none", .help = "every trial runs to its end", .create = create, .destroy = destroy, .milestone = milestone, .judge = judge, .ended = ended,
    .promote = promote, .settle = settle,
};
