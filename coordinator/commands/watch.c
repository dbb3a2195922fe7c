/** flywheel watch: subscribes to a stream and prints it, one JSON object a line. */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus/inbox.h"
#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/project/project.h"
#include "coordinator/commands/access.h"
#include "coordinator/commands/command.h"
#include "proto/telemetry.h"

#define DEFAULT_ENDPOINT "tcp://127.0.0.1:5555"
#define LOOK_UP_S        0.2       /* how soon a signal is noticed */
#define FOREVER_S        1e9

typedef struct watch {
    fw_inbox *inbox;
    fw_text line;
    uint64_t wanted, printed;      /* predictions; wanted 0: no limit */
    bool until_end, ended;
    bool background;               /* models and summaries are shown too: the topic names them */
    bool reader_gone;              /* of standard output: "| head" has seen enough */
    uint64_t lost, malformed;
    fw_mono deadline;
} watch;

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static void add_string(fw_text *t, const char *s)
{
    fw_text_add(t, "\"");
    for (; *s != '\0'; s++) {
        size_t plain = 0;
        while ((unsigned char)s[plain] >= 0x20 && s[plain] != '"' && s[plain] != '\\' && s[plain] != 0x7f) plain++;
        fw_text_add_bytes(t, s, plain);
        s += plain;
        if (*s == '\0') break;
        if (*s == '"' || *s == '\\') fw_text_format(t, "\\%c", *s);
        else fw_text_format(t, "\\u%04x", (unsigned)(unsigned char)*s);
    }
    fw_text_add(t, "\"");
}

static void add_member(fw_text *t, const char *name, const char *value)
{
    fw_text_format(t, ",\"%s\":", name);
    add_string(t, value);
}

static void add_double(fw_text *t, double v)
{
    char text[FW_NUMBER_TEXT];
    fw_format_double(text, v);
    fw_text_add(t, text);
}

static void add_float(fw_text *t, float v)
{
    char text[FW_NUMBER_TEXT];
    fw_format_float(text, v);
    fw_text_add(t, text);
}

static void add_time(fw_text *t, int64_t time_us)
{
    char text[FW_UTC_LEN];
    fw_utc_format(text, time_us);
    fw_text_format(t, "{\"time\":\"%s\"", text);
}

static void prediction_line(fw_text *t, const fw_telemetry_batch *b, const fw_prediction *row)
{
    add_time(t, b->time_us);
    add_member(t, "model", b->predictions.model);
    add_member(t, "digest", b->predictions.digest);
    fw_text_format(t, ",\"row\":%llu", (unsigned long long)row->row);
    if (*row->id != '\0') add_member(t, "id", row->id);
    if (b->predictions.n_classes == 0) {
        fw_text_add(t, ",\"value\":");
        add_double(t, row->value);
    } else {
        add_member(t, "label", b->predictions.classes[row->label]);
        fw_text_add(t, ",\"confidence\":");
        add_float(t, row->confidence);
        fw_text_add(t, ",\"probabilities\":[");
        for (size_t i = 0; i < row->n_probabilities; i++) {
            if (i > 0) fw_text_add(t, ",");
            add_float(t, row->probabilities[i]);
        }
        fw_text_add(t, "]");
    }
    fw_text_add(t, "}\n");
}

static void progress_line(fw_text *t, const fw_telemetry_batch *b)
{
    const fw_progress *p = &b->progress;
    add_time(t, b->time_us);
    add_member(t, "project", p->project);
    add_member(t, "run", p->run);
    add_member(t, "event", p->event);
    fw_text_format(t, ",\"round\":%llu,\"step\":%llu,\"rows\":%llu,\"rows_per_s\":", (unsigned long long)p->round, (unsigned long long)p->step,
                   (unsigned long long)p->rows);
    add_double(t, p->rows_per_s);
    fw_text_add(t, ",\"train_loss\":");
    add_double(t, p->train_loss);
    fw_text_add(t, ",\"validation\":{");
    for (size_t i = 0; i < p->n_validation; i++) {
        if (i > 0) fw_text_add(t, ",");
        add_string(t, p->validation[i].name);
        fw_text_add(t, ":");
        add_double(t, p->validation[i].value);
    }
    fw_text_format(t, "},\"ranks\":%u}\n", p->ranks);
}

static void add_named_time(fw_text *t, const char *name, int64_t time_us)
{
    char text[FW_UTC_LEN];
    fw_utc_format(text, time_us);
    fw_text_format(t, ",\"%s\":\"%s\"", name, text);
}

static void alert_line(fw_text *t, const fw_telemetry_batch *b)
{
    const fw_alert *a = &b->alert;
    add_time(t, a->event_us > 0 ? a->event_us : b->time_us);
    add_member(t, "id", a->id);
    fw_text_format(t, ",\"alert\":%llu", (unsigned long long)a->number);
    add_member(t, "event", a->event);
    add_member(t, "kind", a->kind);
    add_member(t, "model", a->model);
    add_member(t, "digest", a->digest);
    add_member(t, "subject", a->subject);
    add_named_time(t, "since", a->since_us);
    add_named_time(t, "raised", a->raised_us);
    fw_text_add(t, ",\"level\":");
    add_double(t, a->level);
    fw_text_add(t, ",\"threshold\":");
    add_double(t, a->threshold);
    fw_text_add(t, ",\"certainty\":");
    add_double(t, a->certainty);
    fw_text_add(t, ",\"features\":[");
    for (size_t i = 0; i < a->n_features; i++) {
        if (i > 0) fw_text_add(t, ",");
        add_string(t, a->features[i]);
    }
    fw_text_add(t, "]");
    add_member(t, "text", a->text);
    add_member(t, "advice", a->advice);
    fw_text_add(t, "}\n");
}

static void model_line(fw_text *t, const fw_telemetry_batch *b)
{
    const fw_reference *r = b->model.reference;
    add_time(t, b->time_us);
    add_member(t, "model", b->model.name);
    add_member(t, "digest", b->model.digest);
    fw_text_format(t, ",\"event\":\"model\",\"classes\":%zu,\"features\":%zu,\"outputs\":%zu}\n", b->model.n_classes, r != NULL ? r->n_features : 0,
                   r != NULL ? fw_summary_n(r->summary) - r->n_features : 0);
}

static void summary_line(fw_text *t, const fw_telemetry_batch *b)
{
    const fw_telemetry_summary *s = &b->summary;
    add_time(t, b->time_us);
    add_member(t, "model", s->model);
    add_member(t, "digest", s->digest);
    fw_text_format(t, ",\"event\":\"summary\",\"window\":%llu,\"rows\":%llu,\"counts\":[", (unsigned long long)s->window, (unsigned long long)s->rows);
    for (size_t i = 0; i < s->n; i++) fw_text_format(t, "%s%llu", i > 0 ? "," : "", (unsigned long long)s->count[i]);
    fw_text_add(t, "],\"latency\":[");
    for (size_t i = 0; i < s->n_latency; i++) fw_text_format(t, "%s%llu", i > 0 ? "," : "", (unsigned long long)s->latency[i]);
    fw_text_add(t, "]}\n");
}

static void outcome_line(fw_text *t, const fw_telemetry_batch *b, const fw_outcome *o)
{
    add_time(t, o->at_us > 0 ? o->at_us : b->time_us);
    add_member(t, "model", b->outcomes.model);
    add_member(t, "event", "outcome");
    add_member(t, "id", o->id);
    add_member(t, "outcome", o->outcome);
    fw_text_add(t, "}\n");
}

static void kpi_line(fw_text *t, const fw_telemetry_batch *b, const fw_kpi_event *e)
{
    add_time(t, e->at_us > 0 ? e->at_us : b->time_us);
    add_member(t, "project", b->kpi.project);
    add_member(t, "event", "kpi");
    add_member(t, "kpi", b->kpi.name);
    add_member(t, "id", e->id);
    fw_text_add(t, ",\"value\":");
    add_double(t, e->value);
    fw_text_add(t, "}\n");
}

static bool enough(const watch *w) { return w->reader_gone || (w->wanted > 0 && w->printed >= w->wanted); }

static fw_status output_failed(watch *w, fw_error *err)
{
    if (errno != EPIPE) return fw_fail_errno(err, FW_ERR_IO, "watch: cannot write to standard output");
    w->reader_gone = true;
    return FW_OK;
}

static fw_status print_line(watch *w, fw_error *err)
{
    FW_TRY(fw_text_check(&w->line, err));
    if (fwrite(w->line.data, 1, w->line.len, stdout) != w->line.len) FW_TRY(output_failed(w, err));
    fw_text_clear(&w->line);
    return FW_OK;
}

static fw_status print_batch(watch *w, const fw_telemetry_batch *b, fw_error *err)
{
    switch (b->kind) {
    case FW_TELEMETRY_PREDICTIONS:
        for (size_t i = 0; i < b->predictions.n_rows && !enough(w); i++) {
            prediction_line(&w->line, b, &b->predictions.rows[i]);
            w->printed++;
            FW_TRY(print_line(w, err));
        }
        break;
    case FW_TELEMETRY_PROGRESS:
        progress_line(&w->line, b);
        FW_TRY(print_line(w, err));
        break;
    case FW_TELEMETRY_ALERT:
        alert_line(&w->line, b);
        FW_TRY(print_line(w, err));
        break;
    case FW_TELEMETRY_MODEL:
        if (!w->background) break;
        model_line(&w->line, b);
        FW_TRY(print_line(w, err));
        break;
    case FW_TELEMETRY_SUMMARY:
        if (!w->background) break;
        summary_line(&w->line, b);
        FW_TRY(print_line(w, err));
        break;
    case FW_TELEMETRY_OUTCOMES:
        for (size_t i = 0; i < b->outcomes.n && !w->reader_gone; i++) {
            outcome_line(&w->line, b, &b->outcomes.rows[i]);
            FW_TRY(print_line(w, err));
        }
        break;
    case FW_TELEMETRY_KPI:
        for (size_t i = 0; i < b->kpi.n && !w->reader_gone; i++) {
            kpi_line(&w->line, b, &b->kpi.rows[i]);
            FW_TRY(print_line(w, err));
        }
        break;
    case FW_TELEMETRY_END:
        break;
    }
    return fflush(stdout) == 0 ? FW_OK : output_failed(w, err);
}

static fw_status take_message(watch *w, const fw_inbox_event *e, fw_error *err)
{
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    fw_error why = {0};
    fw_status status = fw_telemetry_decode(&b, e->topic, e->payload, e->len, &why);
    if (status == FW_ERR_FORMAT) {
        if (w->malformed++ == 0) fw_log_warn("a message was refused: %s", why.text);
        return FW_OK;
    }
    if (status < 0) return fw_fail(err, status, "%s", why.text);
    return print_batch(w, b, err);
}

static fw_status take_event(watch *w, const fw_inbox_event *e, fw_error *err)
{
    const fw_inbox_publisher *p = e->publisher;
    switch (e->kind) {
    case FW_INBOX_MESSAGE: return take_message(w, e, err);
    case FW_INBOX_FOUND: break;
    case FW_INBOX_SILENT: fw_log_warn("the publisher %s is not heard any more", p->name); break;
    case FW_INBOX_ENDED: w->ended = true; break;
    case FW_INBOX_LOST:
        w->lost += e->last - e->first + 1;
        fw_log_warn("messages %llu to %llu of %s are lost", (unsigned long long)e->first, (unsigned long long)e->last, p->name);
        break;
    case FW_INBOX_REFUSED: fw_log_warn("publisher %s at %s: %s", p->name, p->endpoint, e->why); break;
    }
    return FW_OK;
}

static fw_status follow(watch *w, fw_error *err)
{
    while (stop_asked == 0 && !enough(w) && !(w->until_end && w->ended) && !fw_mono_passed(w->deadline)) {
        fw_inbox_event e;
        fw_mono look_up = fw_mono_after(fw_mono_now(), LOOK_UP_S);
        if (w->deadline.ns < look_up.ns) look_up = w->deadline;
        fw_status status = fw_inbox_receive(w->inbox, &e, look_up, err);
        if (status == FW_ERR_TIMEOUT) continue;
        FW_TRY(status);
        FW_TRY(take_event(w, &e, err));
    }
    return FW_OK;
}

/** The endpoint the user named, or that of the project file. *project keeps its text. */
static fw_status choose_endpoint(const char **out, fw_project **project, const coord_call *call, fw_error *err)
{
    *out = DEFAULT_ENDPOINT;
    if (call->n_positional == 0) return FW_OK;
    *out = call->positional[0];
    if (strstr(*out, "://") != NULL) return FW_OK;
    FW_TRY(fw_project_load(project, call->positional[0], call->overrides, call->n_overrides, err));
    *out = (*project)->monitor.bus;
    if (*out == NULL)
        return fw_fail(err, FW_ERR_CONFIG, "%s: monitor.bus is not set, so nothing is published; set it, or name the endpoint: flywheel watch " DEFAULT_ENDPOINT,
                       call->positional[0]);
    return FW_OK;
}

static bool names(const char *topic, const char *kind)
{
    return topic != NULL && *topic != '\0' && strncmp(topic, kind, FW_MIN(strlen(topic), strlen(kind))) == 0;
}

static fw_status read_limits(watch *w, const coord_call *call, fw_error *err)
{
    double count = 0, seconds = 0;
    FW_TRY(coord_option_number(&count, call, "count", 0, 1, 9007199254740992.0, err));
    FW_TRY(coord_option_number(&seconds, call, "seconds", FOREVER_S, 0, FOREVER_S, err));
    if (count > 0 && floor(count) < count) return fw_fail(err, FW_ERR_CONFIG, "--count %g: write a whole number", count);
    w->wanted = (uint64_t)count;
    w->deadline = fw_mono_after(fw_mono_now(), seconds);
    w->until_end = coord_option_set(call, "until-end");
    const char *topic = coord_option_value(call, "topic");
    w->background = names(topic, FW_TOPIC_MODEL) || names(topic, FW_TOPIC_SUMMARY);
    return FW_OK;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};      /* without SA_RESTART: a wait is to end */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static fw_status make_secure(fw_bus *bus, const coord_call *call, const fw_project *project, const char *endpoint, fw_error *err)
{
    coord_access access;
    FW_TRY(coord_access_options(&access, call, err));
    fw_status s = coord_access_complete(&access, project, endpoint, false, err);
    if (s == FW_OK) s = fw_bus_secure(bus, &access.identity, err);
    coord_access_release(&access);
    return s;
}

static fw_status run_watch(coord_call *call, fw_error *err)
{
    FW_AUTO(fw_project) *project = NULL;
    FW_AUTO(fw_bus) *bus = NULL;
    FW_AUTO(fw_inbox) *inbox = NULL;
    watch w = {0};
    const char *endpoint = NULL;
    FW_TRY(read_limits(&w, call, err));
    FW_TRY(choose_endpoint(&endpoint, &project, call, err));
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(make_secure(bus, call, project, endpoint, err));
    FW_TRY(fw_inbox_create(&inbox, bus, &(fw_inbox_opts){.topic_prefix = coord_option_value(call, "topic")}, err));
    FW_TRY(fw_inbox_connect(inbox, endpoint, err));
    catch_signals();
    fw_log_info("listening to %s", endpoint);
    w.inbox = inbox;
    fw_status status = follow(&w, err);
    fw_text_destroy(&w.line);
    const uint64_t malformed = w.malformed + fw_inbox_publisher_at(inbox, 0)->garbage;
    if (w.lost > 0 || malformed > 0)
        fw_log_warn("%llu messages were lost, %llu were malformed", (unsigned long long)w.lost, (unsigned long long)malformed);
    return status;
}

static const coord_option options[] = {
    {.name = "topic", .argument = "PREFIX", .help = "only topics that begin so: prediction/, progress/, alert/, prediction/adult; default: all of these. model/ and summary/ show what is told of models and counted"},
    {.name = "count", .letter = 'n', .argument = "N", .help = "end after N predictions"},
    {.name = "seconds", .argument = "S", .help = "end after S seconds"},
    COORD_ACCESS_OPTIONS,
    {.name = "until-end", .help = "end when a publisher says that it has ended"},
};

const coord_command coord_command_watch = {
    .name = "watch",
    .arguments = "[ENDPOINT | FILE [key=value ...]]",
    .summary = "print a stream of predictions, progress and alerts, a JSON object a line",
    .description = "Connects to ENDPOINT, or to monitor.bus of the project FILE, or to " DEFAULT_ENDPOINT ", and prints each prediction, progress\n"
                   "event and event of an alert as one JSON object a line, also those before it came that are still in the publisher's spool. It may be\n"
                   "started before the publisher. Lost messages are told on stderr.\n"
                   "Ends with exit code 0 on SIGINT and SIGTERM.\n"
                   "\n"
                   "  flywheel watch callcenter.yaml\n"
                   "  flywheel watch tcp://node7:5555 --keys keys --topic prediction/ --count 100\n"
                   "  flywheel watch tcp://127.0.0.1:5556               where flywheel-monitor publishes alerts (--publish)\n"
                   "  flywheel watch callcenter.yaml --until-end | jq -r .label | sort | uniq -c\n",
    .max_positional = 1,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .run = run_watch,
};
