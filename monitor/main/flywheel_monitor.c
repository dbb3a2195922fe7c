/** flywheel-monitor: reads the command line, then monitor_run. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/project/project.h"
#include "monitor/alerts_command.h"
#include "monitor/monitor.h"
#include "monitor/web/web.h"

#define MAX_ENDPOINTS    64
#define DEFAULT_ENDPOINT "tcp://127.0.0.1:5555"
#define DEFAULT_WINDOW   1000
#define IDLE_S           5.0
#define MAX_SECONDS      86400.0

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static void print_help(void)
{
    fputs("Usage: flywheel-monitor [options] [FILE.yaml]\n"
          "       flywheel-monitor alerts list|acknowledge|silence|resolve ...     see flywheel-monitor alerts --help\n"
          "\n"
          "Takes the predictions that flywheel publishes and prints one line a window and model: predictions, rate, mean confidence,\n"
          "shares of the classes, and gaps, which are messages that could not be had any more. What was published before it came, or\n"
          "while it was away, it gets from the publisher's spool. At a publisher's end and at its own end it prints a total for each\n"
          "model, and where the publisher's messages are: produced = delivered + spooled + dropped.\n"
          "Of a model whose publisher tells of its reference it watches drift, and prints a line for each alert that is raised or over;\n"
          "thresholds, and who else is told, are monitor.drift and monitor.alerts of FILE.yaml.\n"
          "\n"
          "Options:\n"
          "  --connect ENDPOINT   a publisher, e.g. tcp://host:5555; may be given again. Default: monitor.bus of FILE.yaml,\n"
          "                       without a file " DEFAULT_ENDPOINT "\n"
          "  --keys FOLDER        keys, as `flywheel keys` makes them: encrypted, and from the known publisher alone. Default: monitor.keys\n"
          "  --insecure           no keys, also to other hosts: in plain text, from whoever answers there; and a page that others can\n"
          "                       reach, without a token\n"
          "  --window N | Ss      a window is N predictions, or S seconds (\"60s\"). Default: monitor.window of FILE.yaml, else 1000.\n"
          "                       It also closes after 5 s without a prediction (\"idle\") and at a publisher's end (\"end\")\n"
          "  --dashboard ADDRESS  show a page there, e.g. 127.0.0.1:8090; also /metrics and /api. Default: monitor.dashboard of FILE.yaml\n"
          "  --store FILE         keeps what it counts, and the page shows it: a monitor that is started again goes on where this one ended,\n"
          "                       however it did. Default: monitor.store of FILE.yaml, relative to it; without either nothing is kept\n"
          "  --new-store          a store that is damaged is put aside as FILE.corrupt and a new one begun; else it is refused\n"
          "  --token FILE         what the page asks for, in a file that nobody else may read. Default: monitor.token of FILE.yaml\n"
          "  --name NAME          by which publishers know this monitor: what is under its name they keep until it has it. Default:\n"
          "                       monitor@HOST; give each of several on one host its own\n"
          "  --once               end with the first publisher that ends\n"
          "  --format WORD        table (default) or jsonl: one JSON object a line\n"
          "  --help, --version\n"
          "\n"
          "Ends with its totals and exit code 0 on SIGINT and SIGTERM.\n"
          "\n"
          "Example: flywheel-monitor --window 500 callcenter.yaml\n",
          stdout);
}

typedef struct arguments {
    const char *endpoints[MAX_ENDPOINTS]; size_t n_endpoints;
    const char *name; char own_name[64];
    monitor_window_opts window;
    fw_bus_identity identity;
    bool once, jsonl;
    monitor_web_opts web;
    char *token_path;              /* what web.token_file is when it came from the file */
    const char *file;
    monitor_store_opts store;      /* path NULL: nothing is kept */
    char *store_path;              /* what store.path is when it came from the file */
    char *keys;                    /* what identity.keys is when it came from the file */
    monitor_drift_opts drift;
    monitor_alert_opts alerts;
    monitor_deliver_opts deliver;
    char **command;                /* of deliver: its texts are the project's */
    bool done;                     /* --help or --version was all */
} arguments;

static void arguments_destroy(arguments *a)
{
    free(a->keys);
    free(a->command);
    free(a->token_path);
    free(a->store_path);
}

/** "1000" or "60s" or "60 s" */
static fw_status parse_window(monitor_window_opts *out, const char *text, fw_error *err)
{
    size_t len = strlen(text);
    uint64_t n = 0;
    double seconds = 0;
    if (len > 1 && text[len - 1] == 's') {
        size_t digits = len - 1;
        while (digits > 0 && text[digits - 1] == ' ') digits--;
        if (fw_parse_double(&seconds, text, digits) && seconds > 0 && seconds <= MAX_SECONDS) {
            *out = (monitor_window_opts){.seconds = seconds};
            return FW_OK;
        }
    } else if (fw_parse_uint64(&n, text, len) && n > 0) {
        *out = (monitor_window_opts){.predictions = n};
        return FW_OK;
    }
    return fw_fail(err, FW_ERR_CONFIG, "--window %s: write a number of predictions (1000) or of seconds up to a day (60s)", text);
}

static fw_status parse_option(arguments *a, int option, const char *value, fw_error *err)
{
    switch (option) {
    case 'c':
        if (a->n_endpoints == MAX_ENDPOINTS) return fw_fail(err, FW_ERR_CONFIG, "--connect: at most %d endpoints", MAX_ENDPOINTS);
        a->endpoints[a->n_endpoints++] = value;
        return FW_OK;
    case 'k': a->identity.keys = value; return *value != '\0' ? FW_OK : fw_fail(err, FW_ERR_CONFIG, "--keys names no folder");
    case 'i': a->identity.insecure = a->web.insecure = true; return FW_OK;
    case 'w': return parse_window(&a->window, value, err);
    case 'm': a->name = value; return FW_OK;
    case 'o': a->once = true; return FW_OK;
    case 'f':
        a->jsonl = strcmp(value, "jsonl") == 0;
        if (!a->jsonl && strcmp(value, "table") != 0) return fw_fail(err, FW_ERR_CONFIG, "--format %s: it is table or jsonl", value);
        return FW_OK;
    case 'd': a->web.address = value; return FW_OK;
    case 's': a->store.path = value; return *value != '\0' ? FW_OK : fw_fail(err, FW_ERR_CONFIG, "--store names no file");
    case 'n': a->store.put_aside = true; return FW_OK;
    case 't': a->web.token_file = value; return FW_OK;
    case 'h': print_help(); a->done = true; return FW_OK;
    case 'v': puts("flywheel-monitor " FW_VERSION); a->done = true; return FW_OK;
    case ':': return fw_fail(err, FW_ERR_CONFIG, "an option needs a value; see flywheel-monitor --help");
    default: return fw_fail(err, FW_ERR_CONFIG, "unknown option; see flywheel-monitor --help");
    }
}

static fw_status parse_arguments(arguments *a, int argc, char **argv, fw_error *err)
{
    static const struct option options[] = {
        {"connect", required_argument, NULL, 'c'}, {"window", required_argument, NULL, 'w'}, {"once", no_argument, NULL, 'o'},
        {"keys", required_argument, NULL, 'k'},    {"insecure", no_argument, NULL, 'i'}, {"name", required_argument, NULL, 'm'},
        {"format", required_argument, NULL, 'f'},  {"help", no_argument, NULL, 'h'},         {"version", no_argument, NULL, 'v'},
        {"dashboard", required_argument, NULL, 'd'}, {"store", required_argument, NULL, 's'}, {"token", required_argument, NULL, 't'},
        {"new-store", no_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    int option;
    opterr = 0;
    while (!a->done && (option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
        fw_status status = parse_option(a, option, optarg, err);
        if (status < 0) return option == ':' || option == '?' ? fw_wrap(err, status, "%s", argv[optind - 1]) : status;
    }
    if (a->done) return FW_OK;
    if (argc - optind > 1) return fw_fail(err, FW_ERR_CONFIG, "one project file at most, not also '%s'; see flywheel-monitor --help", argv[optind + 1]);
    if (optind < argc) a->file = argv[optind];
    return FW_OK;
}

static fw_status complete_keys(arguments *a, const fw_project *project, fw_error *err)
{
    const char *keys = project != NULL ? project->monitor.keys : NULL;
    if (keys != NULL && a->identity.insecure) fw_log_warn("--insecure: monitor.keys (%s) is not used", keys);
    if (keys != NULL && a->identity.keys == NULL && !a->identity.insecure) {
        FW_TRY(fw_path_join(&a->keys, project->dir, keys, err));
        a->identity.keys = a->keys;
    }
    for (size_t i = 0; i < a->n_endpoints; i++) FW_TRY(fw_bus_check(a->endpoints[i], &a->identity, false, err));
    return FW_OK;
}

/** The page's address and token file, where the command line did not say them. */
static fw_status complete_web(arguments *a, const fw_project *project, fw_error *err)
{
    if (a->web.address == NULL) a->web.address = project->monitor.dashboard;
    if (a->web.token_file != NULL || project->monitor.token == NULL) return FW_OK;
    FW_TRY(fw_path_join(&a->token_path, project->dir, project->monitor.token, err));
    a->web.token_file = a->token_path;
    return FW_OK;
}

static fw_status complete_store(arguments *a, const fw_project *project, fw_error *err)
{
    if (project != NULL) {
        a->store.keep_s = project->monitor.keep_s;
        a->store.max_bytes = project->monitor.keep_mib << 20;
    }
    if (project != NULL && project->monitor.store != NULL && a->store.path == NULL) {
        FW_TRY(fw_path_join(&a->store_path, project->dir, project->monitor.store, err));
        a->store.path = a->store_path;
    }
    if (a->store.put_aside && a->store.path == NULL) return fw_fail(err, FW_ERR_CONFIG, "--new-store: there is no store; name it with --store FILE");
    a->web.store = a->store.path;
    return FW_OK;
}

/** Thresholds and who is told: of the project, or of one that says nothing of them. */
static fw_status complete_alerts(arguments *a, const fw_project *project, fw_error *err)
{
    static const char bare[] = "project: p\nproblem: {task: classification, target: y}\ndata: {tables: {t: t.csv}}\n";
    FW_AUTO(fw_project) *defaults = NULL;
    if (project == NULL) FW_TRY(fw_project_parse(&defaults, bare, "defaults", ".", err));
    const fw_project *p = project != NULL ? project : defaults;
    const double cool_down_s = p->monitor.alerts.cool_down_s;
    a->drift = monitor_drift_opts_of(p);
    a->alerts = (monitor_alert_opts){.quiet_looks = p->monitor.alerts.quiet_windows, .cool_down_s = cool_down_s > 0 ? cool_down_s : -1};
    a->deliver.log = a->jsonl;                /* else it is a line on standard output */
    if (project == NULL) return FW_OK;
    const fw_strings *exec = &project->monitor.alerts.exec;
    a->deliver.webhook = project->monitor.alerts.webhook;
    if (exec->n == 0) return FW_OK;
    FW_TRY(fw_alloc_zeroed((void **)&a->command, exec->n + 1, sizeof *a->command, "monitor.alerts.exec", err));
    memcpy(a->command, exec->v, exec->n * sizeof *a->command);
    a->deliver.command = a->command;
    return FW_OK;
}

/** What the command line left open: from the project file, else the defaults. The texts live as long as *project. */
static fw_status complete(arguments *a, fw_project **project, fw_error *err)
{
    bool window_given = a->window.predictions > 0 || a->window.seconds > 0;
    if (!window_given) a->window.predictions = DEFAULT_WINDOW;
    a->window.idle_s = IDLE_S;
    if (a->file != NULL) {
        FW_TRY(fw_project_load(project, a->file, NULL, 0, err));
        if (!window_given && (*project)->monitor.window > 0) a->window.predictions = (*project)->monitor.window;
        FW_TRY(complete_web(a, *project, err));
        if (a->n_endpoints == 0 && (*project)->monitor.bus == NULL)
            return fw_fail(err, FW_ERR_CONFIG, "%s: monitor.bus is not set, so nothing is published; set it or give --connect ENDPOINT", a->file);
    }
    if (a->n_endpoints == 0) a->endpoints[a->n_endpoints++] = a->file != NULL ? (*project)->monitor.bus : DEFAULT_ENDPOINT;
    FW_TRY(complete_store(a, *project, err));
    FW_TRY(complete_alerts(a, *project, err));
    return complete_keys(a, *project, err);
}

static void choose_name(arguments *a)
{
    char host[128] = {0};
    gethostname(host, sizeof host - 1);
    snprintf(a->own_name, sizeof a->own_name, "monitor@%.50s", host);
    if (a->name == NULL) a->name = a->own_name;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};      /* without SA_RESTART: a wait is to end */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);      /* past a limit on file sizes a write fails, as on a full disk */
}

static fw_status run(int argc, char **argv, fw_error *err)
{
    if (argc > 1 && strcmp(argv[1], "alerts") == 0) return monitor_alerts_command(argc - 1, argv + 1, stdout, err);
    FW_AUTO(fw_project) *project = NULL;
    FW_AUTO(arguments) a = {0};
    FW_AUTO(monitor_web) *web = NULL;
    FW_TRY(parse_arguments(&a, argc, argv, err));
    if (a.done) return FW_OK;
    FW_TRY(complete(&a, &project, err));
    choose_name(&a);
    catch_signals();
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < a.n_endpoints; i++) fw_log_info("listening to %s", a.endpoints[i]);
    if (a.web.address != NULL) {
        FW_TRY(monitor_web_start(&web, &a.web, err));
        fw_log_info("the page is at http://%s/", monitor_web_address(web));
    }
    monitor_opts opts = {.endpoints = a.endpoints, .n_endpoints = a.n_endpoints, .identity = a.identity, .name = a.name, .window = a.window,
                         .drift = a.drift, .alerts = a.alerts, .deliver = a.deliver, .once = a.once, .jsonl = a.jsonl, .out = stdout,
                         .store = a.store.path != NULL ? &a.store : NULL, .stop = &stop_asked};
    return monitor_run(&opts, err);
}

int main(int argc, char **argv)
{
    fw_log_init(0, 1);
    fw_error err = {0};
    fw_status status = run(argc, argv, &err);
    if (status < 0) fw_log_error("%s", err.text);
    return fw_status_exit_code(status);
}
