/** Rows of the store as JSON lists, a page at a time. Without `since` the newest rows, with it the oldest from there on; always the oldest first in the answer.
 *  `next`, beside the list, is the `since` that asks for what follows. */
#ifndef MONITOR_WEB_ROWS_H
#define MONITOR_WEB_ROWS_H

#include <jansson.h>

#include "monitor/web/route.h"

typedef struct monitor_page {
    monitor_query query;                 /* with limit, from, and the order */
    size_t limit;
    json_t *list;                        /* rows, as they come */
    int64_t last; size_t tail;           /* the highest `since` that a row stands for (0: none), and how many rows at the end stand for it */
} monitor_page;

/** From the parameters limit (1 to most; fallback) and since. */
fw_status monitor_page_begin(monitor_page *p, const monitor_ask *ask, int64_t fallback, int64_t most, fw_error *err);
/** Takes a row, which is the callee's; at: what `since` means for it. FW_ERR_NOMEM: it is NULL, or there is no room. */
fw_status monitor_page_add(monitor_page *p, json_t *row, int64_t at, fw_error *err);
/** {head..., name: rows, "next"} is the answer; head is the callee's. A full page does not end between rows of one `since`, unless it holds nothing else. */
fw_status monitor_page_answer(monitor_page *p, monitor_answer *out, json_t *head, const char *name, fw_error *err);
void      monitor_page_destroy(monitor_page *p);

/** The model that is asked for: its newest version, or that whose digest begins with the parameter `version`. */
typedef struct monitor_asked_model { int64_t model; json_t *about; } monitor_asked_model;      /* about: {"model", "version", "classes"} */
/** FW_ERR_ARG: no parameter `model`; FW_ERR_NOTFOUND: no such model. */
fw_status monitor_asked_model_find(monitor_asked_model *out, const monitor_ask *ask, fw_error *err);
void      monitor_asked_model_destroy(monitor_asked_model *m);

/** A state of the store that is a JSON object. *out NULL: there is none, or it is damaged. */
fw_status monitor_read_json_state(json_t **out, monitor_reader *r, const char *key, fw_error *err);

#endif
