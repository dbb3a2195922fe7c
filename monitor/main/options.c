#include "monitor/main/options.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "monitor/main/help.h"

#define DEFAULT_WINDOW   1000
#define IDLE_S           5.0
#define FOR_EVER_S       (100 * 365 * 86400.0)

void monitor_options_release(monitor_options *o)
{
    free(o->keys);
    free(o->command);
    free(o->token_path);
    free(o->store_path);
    free(o->alert_spool);
    fw_project_destroy(&o->project);
}

/* ---- the command line -------------------------------------------------------------------------------------------------------------------------- */

/** "1000" or "60s" or "1 h" */
static fw_status parse_window(monitor_window_opts *out, const char *text, fw_error *err)
{
    uint64_t rows;
    double seconds;
    if (fw_window_parse(&rows, &seconds, text)) {
        *out = (monitor_window_opts){.predictions = rows, .seconds = seconds};
        return FW_OK;
    }
    return fw_fail(err, FW_ERR_CONFIG, "--window %s: write a number of predictions (1000) or a time of 1 s to 7 d (60s, 1h)", text);
}

static fw_status not_empty(const char *value, const char *what, fw_error *err) { return *value != '\0' ? FW_OK : fw_fail(err, FW_ERR_CONFIG, "%s", what); }

static fw_status parse_option(monitor_options *o, int option, const char *value, fw_error *err)
{
    monitor_bus_opts *bus = &o->run.bus;
    switch (option) {
    case 'c':
        if (bus->n_endpoints == MONITOR_MAX_ENDPOINTS) return fw_fail(err, FW_ERR_CONFIG, "--connect: at most %d endpoints", MONITOR_MAX_ENDPOINTS);
        o->endpoints[bus->n_endpoints++] = value;
        return FW_OK;
    case 'k': bus->identity.keys = value; return not_empty(value, "--keys names no folder", err);
    case 'i': bus->identity.insecure = o->web.insecure = true; return FW_OK;
    case 'w': return parse_window(&o->run.window, value, err);
    case 'm': bus->name = value; return FW_OK;
    case 'u': o->run.until_end = true; return FW_OK;
    case 'o': o->once = true; return FW_OK;
    case 'r': o->report = value; return not_empty(value, "--report names no file", err);
    case 'f':
        o->run.jsonl = strcmp(value, "jsonl") == 0;
        if (!o->run.jsonl && strcmp(value, "table") != 0) return fw_fail(err, FW_ERR_CONFIG, "--format %s: it is table or jsonl", value);
        return FW_OK;
    case 'd': o->web.address = value; return FW_OK;
    case 's': o->store.path = value; return not_empty(value, "--store names no file", err);
    case 'p': o->run.publish.endpoint = value; return not_empty(value, "--publish names no endpoint", err);
    case 'n': o->store.put_aside = true; return FW_OK;
    case 't': o->web.token_file = value; return FW_OK;
    case 'h': monitor_print_help(stdout); o->done = true; return FW_OK;
    case 'v': puts("flywheel-monitor " FW_VERSION); o->done = true; return FW_OK;
    case ':': return fw_fail(err, FW_ERR_CONFIG, "an option needs a value; see flywheel-monitor --help");
    default: return fw_fail(err, FW_ERR_CONFIG, "unknown option; see flywheel-monitor --help");
    }
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

/** The project is known by its ending; without --once there is nothing else. */
static fw_status take_file(monitor_options *o, const char *path, fw_error *err)
{
    const bool project = ends_with(path, ".yaml") || ends_with(path, ".yml");
    if (project || !o->once) {
        if (o->file != NULL) return fw_fail(err, FW_ERR_CONFIG, "one project file at most, not also '%s'; see flywheel-monitor --help", path);
        o->file = path;
        return FW_OK;
    }
    if (o->run.n_recordings == MONITOR_MAX_RECORDINGS) return fw_fail(err, FW_ERR_CONFIG, "--once: at most %d recordings", MONITOR_MAX_RECORDINGS);
    o->recordings[o->run.n_recordings++] = path;
    return FW_OK;
}

/** What goes with --once, and what does not. */
static fw_status check_once(const monitor_options *o, fw_error *err)
{
    const monitor_bus_opts *bus = &o->run.bus;
    if (!o->once) return o->report == NULL ? FW_OK : fw_fail(err, FW_ERR_CONFIG, "--report goes with --once: it shows what recordings say");
    if (o->run.n_recordings == 0)
        return fw_fail(err, FW_ERR_CONFIG, "--once: name a recording, as flywheel score --record FILE writes it, or the folder of a spool (a name that ends with .yaml is the project's)");
    if (bus->n_endpoints > 0 || bus->identity.keys != NULL || bus->identity.insecure || bus->name != NULL || o->run.until_end || o->web.address != NULL || o->web.token_file != NULL ||
        o->run.publish.endpoint != NULL)
        return fw_fail(err, FW_ERR_CONFIG, "--once reads files and no network: --connect, --keys, --insecure, --name, --until-end, --dashboard, --token and --publish don't go with it");
    return FW_OK;
}

static fw_status parse_arguments(monitor_options *o, int argc, char **argv, fw_error *err)
{
    static const struct option options[] = {
        {"connect", required_argument, NULL, 'c'}, {"window", required_argument, NULL, 'w'}, {"until-end", no_argument, NULL, 'u'},
        {"keys", required_argument, NULL, 'k'},    {"insecure", no_argument, NULL, 'i'}, {"name", required_argument, NULL, 'm'},
        {"format", required_argument, NULL, 'f'},  {"help", no_argument, NULL, 'h'},         {"version", no_argument, NULL, 'v'},
        {"dashboard", required_argument, NULL, 'd'}, {"store", required_argument, NULL, 's'}, {"token", required_argument, NULL, 't'},
        {"new-store", no_argument, NULL, 'n'}, {"once", no_argument, NULL, 'o'}, {"publish", required_argument, NULL, 'p'}, {"report", required_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };
    int option;
    opterr = 0;
    while (!o->done && (option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        fw_status status = parse_option(o, option, optarg, err);
        if (status < 0) return option == ':' || option == '?' ? fw_wrap(err, status, "%s", argv[optind - 1]) : status;
    }
    if (o->done) return FW_OK;
    for (int i = optind; i < argc; i++) FW_TRY(take_file(o, argv[i], err));
    return check_once(o, err);
}

/* ---- what it left open ------------------------------------------------------------------------------------------------------------------------- */

static fw_status complete_bus(monitor_options *o, fw_error *err)
{
    monitor_bus_opts *bus = &o->run.bus;
    const fw_project *p = o->project;
    const char *keys = p != NULL ? p->monitor.keys : NULL;
    if (bus->n_endpoints == 0 && p != NULL && p->monitor.bus == NULL)
        return fw_fail(err, FW_ERR_CONFIG, "%s: monitor.bus is not set, so nothing is published; set it or give --connect ENDPOINT", o->file);
    if (bus->n_endpoints == 0) o->endpoints[bus->n_endpoints++] = p != NULL ? p->monitor.bus : MONITOR_DEFAULT_ENDPOINT;
    bus->endpoints = o->endpoints;
    if (keys != NULL && bus->identity.insecure) fw_log_warn("--insecure: monitor.keys (%s) is not used", keys);
    if (keys != NULL && bus->identity.keys == NULL && !bus->identity.insecure) {
        FW_TRY(fw_path_join(&o->keys, p->dir, keys, err));
        bus->identity.keys = o->keys;
    }
    for (size_t i = 0; i < bus->n_endpoints; i++) FW_TRY(fw_bus_check(bus->endpoints[i], &bus->identity, false, err));
    return FW_OK;
}

/** Where alerts are published, and where they wait for readers. With the keys of the bus. */
static fw_status complete_publish(monitor_options *o, fw_error *err)
{
    monitor_alert_bus_opts *publish = &o->run.publish;
    if (publish->endpoint == NULL && o->project != NULL) publish->endpoint = o->project->monitor.alerts.bus;
    if (publish->endpoint == NULL) return FW_OK;
    publish->identity = o->run.bus.identity;
    publish->name = o->run.bus.name;
    FW_TRY(fw_bus_check(publish->endpoint, &publish->identity, true, err));
    if (o->store.path == NULL) return FW_OK;
    FW_AUTO(fw_text) spool = {0};
    fw_text_format(&spool, "%s.alerts", o->store.path);
    FW_TRY(fw_text_check(&spool, err));
    publish->spool = o->alert_spool = fw_text_take(&spool);
    return FW_OK;
}

/** The page's address and token file, where the command line did not say them. */
static fw_status complete_web(monitor_options *o, fw_error *err)
{
    const fw_project *p = o->project;
    o->web.store = o->store.path;
    if (p == NULL) return FW_OK;
    if (o->web.address == NULL) o->web.address = p->monitor.dashboard;
    if (o->web.token_file != NULL || p->monitor.token == NULL) return FW_OK;
    FW_TRY(fw_path_join(&o->token_path, p->dir, p->monitor.token, err));
    o->web.token_file = o->token_path;
    return FW_OK;
}

/** The project's store is the one of its monitor: recordings don't go there. What is recorded may be older than monitor.keep. */
static fw_status complete_store(monitor_options *o, fw_error *err)
{
    const fw_project *p = o->project;
    if (p != NULL) {
        o->store.keep_s = p->monitor.keep_s;
        o->store.max_bytes = p->monitor.keep_mib << 20;
    }
    if (o->once) o->store.keep_s = FOR_EVER_S;
    if (p != NULL && p->monitor.store != NULL && o->store.path == NULL && !o->once) {
        FW_TRY(fw_path_join(&o->store_path, p->dir, p->monitor.store, err));
        o->store.path = o->store_path;
    }
    if (o->store.put_aside && o->store.path == NULL) return fw_fail(err, FW_ERR_CONFIG, "--new-store: there is no store; name it with --store FILE");
    o->run.store = o->store.path != NULL ? &o->store : NULL;
    return FW_OK;
}

/** Of recordings nobody is told but who reads the output: the alerts are of another day. */
static fw_status complete_delivery(monitor_options *o, fw_error *err)
{
    const fw_project *p = o->project;
    o->run.deliver.log = o->run.jsonl;        /* else it is a line on standard output */
    if (p == NULL || o->once) return FW_OK;
    const fw_strings *exec = &p->monitor.alerts.exec;
    o->run.deliver.webhook = p->monitor.alerts.webhook;
    if (exec->n == 0) return FW_OK;
    FW_TRY(fw_alloc_zeroed((void **)&o->command, exec->n + 1, sizeof *o->command, "monitor.alerts.exec", err));
    memcpy(o->command, exec->v, exec->n * sizeof *o->command);
    o->run.deliver.command = o->command;
    return FW_OK;
}

/** A number of the project; NaN: it is not given. */
static fw_status number_of(double *out, const fw_project *p, const char *key, double value, fw_error *err)
{
    FW_FREE char *text = NULL;
    FW_TRY(fw_project_value(&text, p, key, err));
    *out = strcmp(text, "null") == 0 ? NAN : value;
    return FW_OK;
}

/** monitor.performance, and goal.kpi when it has a name. Without a direction it is the way from the baseline to the target. */
static fw_status complete_judging(monitor_options *o, fw_error *err)
{
    const fw_project *p = o->project;
    monitor_judging *j = &o->run.judging;
    if (p == NULL) return FW_OK;
    *j = (monitor_judging){.metric = p->monitor.performance.metric, .drop = p->monitor.performance.drop, .deviations = p->monitor.performance.deviations,
                           .false_alarms = p->monitor.performance.false_alarms, .project = p->project};
    if (p->goal.kpi.name == NULL) return FW_OK;
    j->kpi.name = p->goal.kpi.name;
    FW_TRY(number_of(&j->kpi.baseline, p, "goal.kpi.baseline", p->goal.kpi.baseline, err));
    FW_TRY(number_of(&j->kpi.target, p, "goal.kpi.target", p->goal.kpi.target, err));
    j->kpi.minimize = p->goal.kpi.direction != NULL ? strcmp(p->goal.kpi.direction, "minimize") == 0 : j->kpi.target < j->kpi.baseline;
    return FW_OK;
}

/** Thresholds: of the project, or of one that says nothing of them. */
static fw_status complete_alerts(monitor_options *o, fw_error *err)
{
    static const char bare[] = "project: p\nproblem: {task: classification, target: y}\ndata: {tables: {t: t.csv}}\n";
    FW_AUTO(fw_project) *defaults = NULL;
    if (o->project == NULL) FW_TRY(fw_project_parse(&defaults, bare, "defaults", ".", err));
    const fw_project *p = o->project != NULL ? o->project : defaults;
    const double cool_down_s = p->monitor.alerts.cool_down_s;
    o->run.drift = monitor_drift_opts_of(p);
    o->run.alerts = (monitor_alert_opts){.quiet_looks = p->monitor.alerts.quiet_windows, .cool_down_s = cool_down_s > 0 ? cool_down_s : -1};
    FW_TRY(complete_judging(o, err));
    return complete_delivery(o, err);
}

static void complete_window(monitor_options *o)
{
    monitor_window_opts *window = &o->run.window;
    const fw_project *p = o->project;
    if (window->predictions == 0 && !(window->seconds > 0))
        *window = p != NULL ? (monitor_window_opts){.predictions = p->monitor.window, .seconds = p->monitor.window_s} : (monitor_window_opts){.predictions = DEFAULT_WINDOW};
    window->idle_s = IDLE_S;
}

static void choose_name(monitor_options *o)
{
    char host[128] = {0};
    gethostname(host, sizeof host - 1);
    snprintf(o->own_name, sizeof o->own_name, "monitor@%.50s", host);
    if (o->run.bus.name == NULL) o->run.bus.name = o->own_name;
}

fw_status monitor_options_read(monitor_options *o, int argc, char **argv, fw_error *err)
{
    FW_TRY(parse_arguments(o, argc, argv, err));
    if (o->done) return FW_OK;
    if (o->file != NULL) FW_TRY(fw_project_load(&o->project, o->file, NULL, 0, err));
    complete_window(o);
    FW_TRY(complete_store(o, err));
    FW_TRY(complete_alerts(o, err));
    o->run.recordings = o->recordings;
    if (o->once) return FW_OK;
    choose_name(o);
    FW_TRY(complete_web(o, err));
    FW_TRY(complete_bus(o, err));
    return complete_publish(o, err);
}
