/** What is served: a table of routes. A route's function makes the answer to one request from the store and from figures of the program. */
#ifndef MONITOR_WEB_ROUTE_H
#define MONITOR_WEB_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/core/text.h"
#include "monitor/store_reader.h"
#include "monitor/web/target.h"

/** What can be written. */
typedef enum monitor_post_kind { MONITOR_POST_ACTS, MONITOR_POST_OUTCOMES, MONITOR_POST_KPI, MONITOR_N_POST_KINDS } monitor_post_kind;
/** Why a request to write was refused, by the code of its answer. The last: by any other. */
#define MONITOR_N_REFUSALS 11
typedef struct monitor_refusal { int code; const char *reason; } monitor_refusal;
extern const monitor_refusal monitor_refusals[MONITOR_N_REFUSALS];

/** What the server knows of itself. */
typedef struct monitor_web_figures {
    int64_t started_us;
    uint64_t answers[6];                 /* by the first digit of their code */
    uint64_t admitted, refused, timed_out, crowded_out, cut, cut_bodies, lost_listeners;
    uint64_t posted[MONITOR_N_POST_KINDS], posts_refused[MONITOR_N_REFUSALS];
    size_t waiting, connections, listeners;
    bool writable;                       /* there is a token */
} monitor_web_figures;

typedef struct monitor_ask {
    const monitor_target *target;
    monitor_reader *reader;              /* in one transaction; NULL: there is no store to read */
    const char *no_reader;               /* why not */
    const monitor_web_figures *figures;
    const char *store;                   /* its path; NULL: none */
    int64_t number;                      /* that stands for the * of the route's path */
    const char *body; size_t body_bytes; /* of a POST; NULL: empty */
} monitor_ask;

/** The body is either text or a file of the program, or the stream of news. */
typedef struct monitor_answer {
    int code;                            /* 200 */
    const char *type;
    fw_text text;
    const void *file; size_t file_bytes; /* NULL: text */
    bool stream;
    size_t accepted;                     /* what was written: acts, outcomes, events */
} monitor_answer;

/** For what a report has the answer. */
typedef enum monitor_kept { MONITOR_KEPT_NOT = 0, MONITOR_KEPT_ONCE = 1, MONITOR_KEPT_MODEL = 2, MONITOR_KEPT_FEATURE = 4 } monitor_kept;

typedef struct monitor_route {
    const char *method;                  /* "GET": HEAD too; "POST": with the token in Authorization alone */
    const char *path;                    /* one * may stand for a number */
    const char *const *params;           /* names, NULL at their end */
    bool open;                           /* also without the token */
    bool store;                          /* without a store the answer is 503 */
    unsigned kept;                       /* monitor_kept, one or several */
    int kept_rows;                       /* the limit that page.js gives, once or for a model */
    size_t body;                         /* of a POST: at most so many bytes, JSON */
    monitor_post_kind kind;
    fw_status (*answer)(monitor_answer *out, const monitor_ask *ask, fw_error *err);      /* FW_ERR_ARG: 400, FW_ERR_NOTFOUND: 404, else 500; of a
                                          * POST also FW_ERR_DATA, FW_ERR_NUMERIC: 400, FW_ERR_CHECK: 409, FW_ERR_TIMEOUT, FW_ERR_IO: 503 */
} monitor_route;

extern const monitor_route monitor_routes[];
extern const size_t monitor_n_routes;

/** The routes' functions: health.c, metrics.c, files.c, api_*.c. */
#define MONITOR_ANSWER(name) fw_status monitor_answer_##name(monitor_answer *out, const monitor_ask *ask, fw_error *err)
MONITOR_ANSWER(page);
MONITOR_ANSWER(style);
MONITOR_ANSWER(script);
MONITOR_ANSWER(chart);
MONITOR_ANSWER(health);
MONITOR_ANSWER(metrics);
MONITOR_ANSWER(events);
MONITOR_ANSWER(models);
MONITOR_ANSWER(windows);
MONITOR_ANSWER(drift);
MONITOR_ANSWER(histogram);
MONITOR_ANSWER(performance);
MONITOR_ANSWER(kpi);
MONITOR_ANSWER(alerts);
MONITOR_ANSWER(publishers);
MONITOR_ANSWER(trainings);
MONITOR_ANSWER(studies);
MONITOR_ANSWER(acknowledge);
MONITOR_ANSWER(silence);
MONITOR_ANSWER(resolve);
MONITOR_ANSWER(post_outcomes);
MONITOR_ANSWER(post_kpi);

#endif
