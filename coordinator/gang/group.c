#include "coordinator/gang/group.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/log.h"

#define SEND_DEADLINE_S 60.0
#define POLL_S          1.0

struct coord_group { fw_line *line; uint64_t number; };

fw_status coord_group_create(coord_group **out, fw_line *line, fw_error *err)
{
    coord_group *g = calloc(1, sizeof *g);
    if (g == NULL) return fw_fail(err, FW_ERR_NOMEM, "group");
    g->line = line;
    *out = g;
    return FW_OK;
}

void coord_group_destroy(coord_group **g)
{
    if (*g == NULL) return;
    fw_line_destroy(&(*g)->line);
    free(*g);
    *g = NULL;
}

fw_status coord_print_notes(void *context, const fw_answer *progress, fw_error *err)
{
    (void)context;
    (void)err;
    if (strcmp(progress->kind, "note") == 0) fw_log_info("%s", progress->text);
    return FW_OK;
}

fw_status coord_group_send(coord_group *g, fw_order *order, fw_error *err)
{
    void *bytes = NULL;
    size_t len = 0;
    order->number = ++g->number;
    FW_TRY(fw_order_pack(&bytes, &len, order, err));
    fw_status s = fw_line_send(g->line, bytes, len, fw_mono_after(fw_mono_now(), SEND_DEADLINE_S), err);
    free(bytes);
    return s;
}

/* The next answer to the order at hand. The group works as long as it needs: that its ranks live and move is the watcher's care. */
static fw_status next_answer(coord_group *g, fw_answer **out, fw_error *err)
{
    const void *bytes = NULL;
    size_t len = 0;
    fw_status s;
    do s = fw_line_receive(g->line, &bytes, &len, fw_mono_after(fw_mono_now(), POLL_S), err);
    while (s == FW_ERR_TIMEOUT);
    FW_TRY(s);
    FW_TRY(fw_answer_unpack(out, bytes, len, err));
    if ((*out)->number == g->number) return FW_OK;
    fw_answer_destroy(out);
    return fw_fail(err, FW_ERR_INTERNAL, "an answer to another order came");
}

fw_status coord_group_answer(coord_group *g, coord_progress progress, void *context, fw_answer **answer, fw_error *err)
{
    fw_status handled = FW_OK;
    fw_error first = {0};
    for (;;) {
        fw_answer *a = NULL;
        FW_TRY(next_answer(g, &a, err));
        if (!a->last) {
            if (progress != NULL && handled == FW_OK) handled = progress(context, a, &first);
            fw_answer_destroy(&a);
            continue;
        }
        fw_status s = a->status < 0 ? fw_fail(err, a->status, "%s", a->text) : FW_OK;
        if (s == FW_OK && handled < 0) s = fw_fail(err, handled, "%s", first.text);
        if (s == FW_OK && answer != NULL) *answer = a;
        else fw_answer_destroy(&a);
        return s;
    }
}

fw_status coord_group_order(coord_group *g, fw_order *order, coord_progress progress, void *context, fw_answer **answer, fw_error *err)
{
    FW_TRY(coord_group_send(g, order, err));
    return coord_group_answer(g, progress, context, answer, err);
}

fw_status coord_group_close(coord_group *g, int exit_code, fw_error *err)
{
    fw_order close = {.kind = FW_ORDER_CLOSE, .exit_code = exit_code};
    return coord_group_send(g, &close, err);
}
