/** What an alert says. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "monitor/alerts.h"

#define SHOWN_FEATURES 8

typedef struct words { const char *name, *what, *advice; } words;

static const words kinds[MONITOR_N_ALERT_KINDS] = {
    [MONITOR_ALERT_DRIFT] = {"drift", "has drifted from the reference",
                             "Compare its histogram with the reference and ask where the data comes from; if the change is real, train on newer rows."},
    [MONITOR_ALERT_MISSING] = {"missing", "is missing more often", "See what fills this column: a source may have stopped, or renamed it."},
    [MONITOR_ALERT_UNSEEN] = {"unseen", "has values that the model has never seen", "See whether the values are right; if so, train on rows that have them."},
    [MONITOR_ALERT_PERFORMANCE] = {"performance", "has become worse", "Look at the drift of this time; go back to the model before, or train on newer labelled rows."},
    [MONITOR_ALERT_KPI] = {"kpi", "is off its target", "See whether the model or something else changed at this time; the decision belongs to the owner of the KPI."},
    [MONITOR_ALERT_PUBLISHER_LOST] = {"publisher_lost", "is not heard of any more", "See whether its process and host are up; what it could not send waits in its spool."},
    [MONITOR_ALERT_TELEMETRY_LOST] = {"telemetry_lost", "has lost batches", "See the reasons of the publisher; enlarge its spool or its disk. Counts of this time are too low."},
    [MONITOR_ALERT_TRAFFIC] = {"traffic", "has another traffic than it had", "See whether the callers changed, or requests fail before they reach the model."},
};

/* Where estimates and outcomes part, what follows from a row is another than it was. */
static const words parted = {"performance", "does not hold any more",
                             "Go by outcomes, not by estimates: what follows from such rows has changed, which shares of features do not show. Train on newer labelled rows."};

static const words *words_of(monitor_alert_kind k, const char *subject)
{
    const size_t n = subject != NULL ? strlen(subject) : 0, end = strlen(MONITOR_ALERT_ESTIMATE);
    return k == MONITOR_ALERT_PERFORMANCE && n > end && strcmp(subject + n - end, MONITOR_ALERT_ESTIMATE) == 0 ? &parted : &kinds[k];
}

const char *monitor_alert_kind_name(monitor_alert_kind k) { return kinds[k].name; }
const char *monitor_alert_advice(monitor_alert_kind k, const char *subject) { return words_of(k, subject)->advice; }

bool monitor_alert_kind_find(monitor_alert_kind *out, const char *name)
{
    for (size_t i = 0; i < MONITOR_N_ALERT_KINDS; i++)
        if (strcmp(kinds[i].name, name) == 0) {
            *out = (monitor_alert_kind)i;
            return true;
        }
    return false;
}

const char *monitor_alert_state(const monitor_alert_row *row, int64_t now_us)
{
    if (row->resolved_us > 0) return "resolved";
    if (row->silenced_until_us > now_us) return "silenced";
    return row->acknowledged_us > 0 ? "acknowledged" : "raised";
}

static void describe_features(fw_text *out, const monitor_look *look)
{
    if (look->n_features == 0) return;
    fw_text_add(out, "; features: ");
    for (size_t i = 0; i < look->n_features && i < SHOWN_FEATURES; i++) fw_text_format(out, "%s%s", i > 0 ? ", " : "", look->features[i]);
    if (look->n_features > SHOWN_FEATURES) fw_text_format(out, " and %zu more", look->n_features - SHOWN_FEATURES);
}

void monitor_alert_describe(fw_text *out, const monitor_look *look, const monitor_alert_row *row)
{
    char since[FW_UTC_LEN];
    const char *subject = row->subject != NULL ? row->subject : "";
    fw_utc_format(since, row->since_us);
    if (row->name != NULL) fw_text_format(out, "%s: ", row->name);
    fw_text_format(out, "%s%s%s", *subject != '\0' ? subject : row->name != NULL ? "the model" : "something", " ", words_of(look->kind, subject)->what);
    fw_text_format(out, ": %s %.4g, an alert from %.4g on", look->measure != NULL ? look->measure : "level", look->level, look->threshold);
    if (look->detail != NULL) fw_text_format(out, ", %s", look->detail);
    fw_text_format(out, "; since %s", since);
    if (!isnan(look->certainty)) fw_text_format(out, "; certainty %.4g %%", 100 * look->certainty);
    describe_features(out, look);
}

void monitor_alert_id(char out[static MONITOR_ALERT_ID], const monitor_alert_row *row, const char *event, int64_t at_us)
{
    snprintf(out, MONITOR_ALERT_ID, "%lld-%.20s-%lld", (long long)row->alert, event, (long long)at_us);
}

/* ---- JSON ---- */

static json_t *time_or_null(int64_t us)
{
    char text[FW_UTC_LEN];
    if (us <= 0) return json_null();
    fw_utc_format(text, us);
    return json_string(text);
}

static json_t *number_or_null(double v) { return isfinite(v) ? json_real(v) : json_null(); }
static json_t *text_or_null(const char *s) { return s != NULL ? json_string(s) : json_null(); }

fw_status monitor_alert_json(char **out, const monitor_alert_row *row, const char *event, int64_t at_us, fw_error *err)
{
    char id[MONITOR_ALERT_ID];
    monitor_alert_id(id, row, event, at_us);
    json_t *features = row->features != NULL ? json_loads(row->features, 0, NULL) : NULL;
    json_t *o = json_pack("{ss sI ss so ss so so ss so so so so so so so so so so so so}", "id", id, "alert", (json_int_t)row->alert, "event", event, "time",
                          time_or_null(at_us), "kind", row->kind, "model", text_or_null(row->name), "digest", text_or_null(row->digest), "subject", row->subject,
                          "since", time_or_null(row->since_us), "raised", time_or_null(row->raised_us), "acknowledged", time_or_null(row->acknowledged_us),
                          "silenced_until", time_or_null(row->silenced_until_us), "resolved", time_or_null(row->resolved_us), "level", number_or_null(row->level),
                          "peak", number_or_null(row->peak), "threshold", number_or_null(row->threshold), "certainty", number_or_null(row->certainty), "features",
                          features != NULL ? features : json_array(), "text", text_or_null(row->text), "advice", text_or_null(row->advice));
    char *text = o != NULL ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(o);
    if (text == NULL) return fw_fail(err, FW_ERR_DATA, "alert %lld: a text of it is not UTF-8, or there is no memory", (long long)row->alert);
    *out = text;
    return FW_OK;
}

bool monitor_silence_parse(double *seconds, const char *text)
{
    static const struct { const char *name; double seconds; } units[] = {{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    const size_t digits = strspn(text, "0123456789.");
    const char *unit = text + digits + strspn(text + digits, " ");
    double v;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (strcmp(unit, units[i].name) != 0 || !fw_parse_double(&v, text, digits) || v * units[i].seconds > MONITOR_SILENCE_MAX_S) continue;
        *seconds = v * units[i].seconds;
        return true;
    }
    return false;
}
