/** The life of alerts: raised, acknowledged, resolved; silenced for a while. One alert at a time for each cause: kind, model and subject.
 *  A pure state machine: looks and acts go in with the time, changed rows and events come out at a sink; it does not read a clock, keep a file, or send.
 *  Not thread-safe: one owner.
 *
 *      (none) --loud--> raised --acknowledge--> acknowledged
 *         ^               |                          |
 *         |               +--quiet long, resolve-----+
 *         |               v
 *         +--cooled-- cooling        in which a loud look raises nothing
 *
 *  A look is loud when its level reaches the threshold and its evidence holds; quiet when its level is below the resolving share of the threshold; between
 *  the two it is neither, and begins the count of quiet ones anew. While a cause is silenced its alerts live on, and nobody is told. */
#ifndef MONITOR_ALERTS_H
#define MONITOR_ALERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"
#include "common/core/text.h"
#include "monitor/store_rows.h"

#define MONITOR_MAX_ALERTS 10000u      /* causes that are remembered: raised, cooling, or silenced */

typedef enum monitor_alert_kind {
    MONITOR_ALERT_DRIFT, MONITOR_ALERT_MISSING, MONITOR_ALERT_UNSEEN, MONITOR_ALERT_PERFORMANCE, MONITOR_ALERT_KPI, MONITOR_ALERT_PUBLISHER_LOST,
    MONITOR_ALERT_TELEMETRY_LOST, MONITOR_ALERT_TRAFFIC, MONITOR_N_ALERT_KINDS
} monitor_alert_kind;
const char *monitor_alert_kind_name(monitor_alert_kind k);            /* "drift", "publisher_lost" */
bool        monitor_alert_kind_find(monitor_alert_kind *out, const char *name);

/** "raised", "acknowledged", "silenced" (until when, or over), "resolved"; whether it is one is seen by the row's own times. */
const char *monitor_alert_state(const monitor_alert_row *row, int64_t now_us);

typedef struct monitor_alert_opts {
    uint64_t quiet_looks;              /* in a row, until it is resolved; 0: 3 */
    double resolving_share;            /* of the threshold, below which a look is quiet; 0: 0.8 */
    double cool_down_s;                /* from the resolving on; 0: 600, negative: none */
    int64_t first_number;              /* of the next alert; below 1: 1 */
} monitor_alert_opts;

/** One look at one cause. */
typedef struct monitor_look {
    monitor_alert_kind kind;
    int64_t model; const char *name, *digest;      /* 0 and NULL: of no model */
    const char *subject;                           /* feature, metric, publisher; NULL: none */
    double level, threshold;                       /* the same unit; the larger the worse. A level that is NaN says nothing */
    bool evidence;                                 /* the second key: it is not chance */
    double certainty;                              /* 0 to 1; NaN: not known */
    int64_t since_us;                              /* when the change began; 0: not known, then the first loud look */
    const char *measure;                           /* what the level is: "PSI", "share missing" */
    const char *detail;                            /* a part of a sentence: "accuracy 0.81 instead of 0.87"; NULL */
    const char *const *features; size_t n_features;
} monitor_look;

/** A row that has changed, and the event when there is one (NULL: figures alone). tell: somebody is to hear of the event. What it says must be
 *  copied; an error of the sink is returned by the call that led to it. */
typedef struct monitor_alert_sink {
    void *context;
    fw_status (*changed)(void *context, const monitor_alert_row *row, const char *event, int64_t at_us, bool tell, fw_error *err);
} monitor_alert_sink;

typedef struct monitor_alerts monitor_alerts;
fw_status monitor_alerts_create(monitor_alerts **out, const monitor_alert_opts *opts, const monitor_alert_sink *sink, fw_error *err);
void      monitor_alerts_destroy(monitor_alerts **a);

/** An alert of an earlier life, in the order of their numbers; the last one of a cause is its state. Tells nothing. */
fw_status monitor_alerts_restore(monitor_alerts *a, const monitor_alert_row *row, int64_t now_us, fw_error *err);

fw_status monitor_alerts_look(monitor_alerts *a, const monitor_look *look, int64_t now_us, fw_error *err);
/** What a user did: the row's acknowledged_us, silenced_until_us, resolved_us. Unknown alerts are passed over. */
fw_status monitor_alerts_act(monitor_alerts *a, const monitor_alert_row *row, int64_t now_us, fw_error *err);
/** Silences and cool-downs that are over. Call it once a second or so. */
fw_status monitor_alerts_tick(monitor_alerts *a, int64_t now_us, fw_error *err);

typedef struct monitor_alert_counts { size_t open, remembered; uint64_t raised[MONITOR_N_ALERT_KINDS], refused; } monitor_alert_counts;
monitor_alert_counts monitor_alerts_count(const monitor_alerts *a);      /* refused: loud looks for whose cause there was no room */

/** What changed, by how much, since when, which features, how sure; and what to do. */
void        monitor_alert_describe(fw_text *out, const monitor_look *look, const monitor_alert_row *row);
/** The same event has the same id whenever and to whomever it is told: "NUMBER-EVENT-TIME". */
#define MONITOR_ALERT_ID 64
void        monitor_alert_id(char out[static MONITOR_ALERT_ID], const monitor_alert_row *row, const char *event, int64_t at_us);
/** subject: of a performance alert whose subject ends so, it is the estimate that is no longer to be believed. */
#define MONITOR_ALERT_ESTIMATE " (estimate)"
const char *monitor_alert_advice(monitor_alert_kind k, const char *subject);
/** An event of an alert as one JSON object: what exec and webhook get. *out malloc'ed. */
fw_status   monitor_alert_json(char **out, const monitor_alert_row *row, const char *event, int64_t at_us, fw_error *err);

/** How long a silence lasts, as users write it: "90s", "30min", "2 h", "7d"; "0s" ends one. False: it is none, or longer than a year. */
#define MONITOR_SILENCE_MAX_S (366 * 86400.0)
bool monitor_silence_parse(double *seconds, const char *text);

#endif
