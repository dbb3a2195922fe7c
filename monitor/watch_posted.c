#include "monitor/watch_posted.h"

#include <stdlib.h>

#include "common/core/log.h"
#include "common/core/size.h"
#include "monitor/store_reader.h"

#define BYTES_AT_ONCE ((size_t)4 << 20)      /* of one look: the bus waits meanwhile */
#define SAID_REFUSED  10                     /* messages whose reason is told */

struct monitor_posted {
    monitor_store *store;
    char *path;
    monitor_reader *reader;
    int64_t last;                            /* that was taken; its removal may wait for a commit */
    size_t refused;
    bool in_trouble;
};

fw_status monitor_posted_create(monitor_posted **out, monitor_store *store, const char *store_path, fw_error *err)
{
    FW_AUTO(monitor_posted) *p = calloc(1, sizeof *p);
    if (p == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: what was posted");
    p->store = store;
    FW_TRY(fw_copy_text(&p->path, store_path, err));
    *out = p;
    p = NULL;
    return FW_OK;
}

void monitor_posted_destroy(monitor_posted **posted)
{
    monitor_posted *p = *posted;
    if (p == NULL) return;
    monitor_reader_destroy(&p->reader);
    free(p->path);
    free(p);
    *posted = NULL;
}

/** One look. failed: the intake's or the store's error, which ends the monitor; the reader's does not. */
typedef struct look { monitor_posted *of; monitor_intake *in; fw_mono now; size_t bytes; fw_error *err; fw_status failed; } look;

static fw_status take_row(look *l, const monitor_posted_row *row)
{
    monitor_posted *p = l->of;
    fw_error why = {0};
    FW_TRY(monitor_intake_give(l->in, row->topic, row->bytes.data, row->bytes.len, l->now, &why, l->err));
    if (why.status < 0 && p->refused++ < SAID_REFUSED) fw_log_warn("what was posted under %s was refused: %s", row->topic, why.text);
    p->last = row->posted;
    l->bytes += row->bytes.len;
    return monitor_store_remove_posted(p->store, row, l->err);
}

static fw_status on_row(void *context, const monitor_posted_row *row, fw_error *err)
{
    (void)err;
    look *l = context;
    l->failed = take_row(l, row);
    return l->failed < 0 || l->bytes >= BYTES_AT_ONCE ? FW_END : FW_OK;
}

static fw_status read_rows(look *l, fw_error *why)
{
    monitor_posted *p = l->of;
    if (p->reader == NULL) FW_TRY(monitor_reader_open(&p->reader, p->path, why));
    return monitor_read_posted(p->reader, &(monitor_query){.from = p->last + 1}, on_row, l, why);
}

fw_status monitor_posted_take(monitor_posted *p, monitor_intake *in, fw_mono now, fw_error *err)
{
    look l = {.of = p, .in = in, .now = now, .err = err};
    fw_error why = {0};
    const fw_status s = read_rows(&l, &why);
    if (l.failed < 0) return l.failed;
    if (s < 0 && !p->in_trouble) fw_log_warn("%s. What is posted waits there", why.text);
    if (s < 0) monitor_reader_destroy(&p->reader);
    p->in_trouble = s < 0;
    return FW_OK;
}
