#include "monitor/alerts_command.h"

#include <getopt.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "monitor/alerts.h"
#include "monitor/store_acts.h"
#include "monitor/store_reader.h"

#define USAGE   "; see flywheel-monitor alerts --help"
#define SUBJECT 24

typedef enum verb { LIST, ACKNOWLEDGE, SILENCE, RESOLVE } verb;
static const struct { const char *name; verb verb; } verbs[] = {
    {"list", LIST}, {"acknowledge", ACKNOWLEDGE}, {"silence", SILENCE}, {"resolve", RESOLVE}};

typedef struct call {
    verb verb;
    const char *store;
    int64_t alert, now_us;
    double for_s;                      /* < 0: not given */
    bool all, jsonl, help;
    FILE *out;
    size_t printed;
} call;

static void print_help(FILE *out)
{
    fputs("Usage: flywheel-monitor alerts list --store FILE [--all] [--format table|jsonl]\n"
          "       flywheel-monitor alerts acknowledge ID --store FILE\n"
          "       flywheel-monitor alerts silence ID --for TIME --store FILE\n"
          "       flywheel-monitor alerts resolve ID --store FILE\n"
          "\n"
          "Shows the alerts of a monitor's store, and changes them. The monitor may be running: it takes a change in within a second.\n"
          "\n"
          "  acknowledge    somebody looks after it; it stays until it is resolved\n"
          "  silence        nobody is told of this alert, or of the next ones of its cause, for so long; --for 0s ends a silence\n"
          "  resolve        it is over; when its cause is still there after the cool-down, it is another alert\n"
          "\n"
          "Options:\n"
          "  --store FILE     the store: what flywheel-monitor was given as --store, or monitor.store of the project file\n"
          "  --all            also those that are resolved\n"
          "  --for TIME       90s, 30min, 1h, 7d\n"
          "  --format WORD    table (default) or jsonl: one JSON object a line\n",
          out);
}

/* ---- the command line ---- */

static fw_status parse_time(double *out, const char *text, fw_error *err)
{
    if (monitor_silence_parse(out, text)) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "alerts: --for %s: write a time with its unit, at most a year: 90s, 30min, 1h, 7d", text);
}

static fw_status parse_option(call *c, int option, char **argv, fw_error *err)
{
    switch (option) {
    case 's': c->store = optarg; return FW_OK;
    case 't': return parse_time(&c->for_s, optarg, err);
    case 'a': c->all = true; return FW_OK;
    case 'h': c->help = true; return FW_OK;
    case 'f':
        c->jsonl = strcmp(optarg, "jsonl") == 0;
        if (!c->jsonl && strcmp(optarg, "table") != 0) return fw_fail(err, FW_ERR_CONFIG, "alerts: --format %s: it is table or jsonl", optarg);
        return FW_OK;
    case ':': return fw_fail(err, FW_ERR_CONFIG, "alerts: %s needs a value" USAGE, argv[optind - 1]);
    default: return fw_fail(err, FW_ERR_CONFIG, "alerts: unknown option %s" USAGE, argv[optind - 1]);
    }
}

static fw_status check(const call *c, fw_error *err)
{
    if (c->store == NULL) return fw_fail(err, FW_ERR_CONFIG, "alerts: --store FILE is missing" USAGE);
    if (c->verb == SILENCE && c->for_s < 0) return fw_fail(err, FW_ERR_CONFIG, "alerts: for how long? --for 1h is missing" USAGE);
    if (c->verb != SILENCE && c->for_s >= 0) return fw_fail(err, FW_ERR_CONFIG, "alerts: --for belongs to silence" USAGE);
    if (c->verb != LIST && (c->all || c->jsonl)) return fw_fail(err, FW_ERR_CONFIG, "alerts: --all and --format belong to list" USAGE);
    return FW_OK;
}

static fw_status take_words(call *c, int argc, char **argv, fw_error *err)
{
    const char *word = optind < argc ? argv[optind++] : NULL;
    if (word == NULL) return fw_fail(err, FW_ERR_CONFIG, "alerts: list, acknowledge, silence or resolve?" USAGE);
    size_t i = 0;
    while (i < sizeof verbs / sizeof *verbs && strcmp(word, verbs[i].name) != 0) i++;
    if (i == sizeof verbs / sizeof *verbs) return fw_fail(err, FW_ERR_CONFIG, "alerts: \"%s\" is not list, acknowledge, silence or resolve" USAGE, word);
    c->verb = verbs[i].verb;
    if (c->verb != LIST) {
        const char *number = optind < argc ? argv[optind++] : NULL;
        if (number == NULL) return fw_fail(err, FW_ERR_CONFIG, "alerts %s: which? Give the number of an alert" USAGE, word);
        if (!fw_parse_int64(&c->alert, number, strlen(number)) || c->alert < 1)
            return fw_fail(err, FW_ERR_CONFIG, "alerts %s: \"%s\" is not the number of an alert" USAGE, word, number);
    }
    if (optind < argc) return fw_fail(err, FW_ERR_CONFIG, "alerts: one word too many: \"%s\"" USAGE, argv[optind]);
    return check(c, err);
}

static fw_status parse(call *c, int argc, char **argv, fw_error *err)
{
    static const struct option options[] = {{"store", required_argument, NULL, 's'}, {"for", required_argument, NULL, 't'}, {"all", no_argument, NULL, 'a'},
                                            {"format", required_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int option;
    opterr = 0;
    optind = 0;      /* begins anew: main has used it */
    while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) FW_TRY(parse_option(c, option, argv, err));
    return c->help ? FW_OK : take_words(c, argc, argv, err);
}

/* ---- list ---- */

static void print_clean(FILE *out, const char *text, int width)
{
    int n = 0;
    for (const char *c = text; *c != '\0' && (width == 0 || n < width); c++, n++) putc((unsigned char)*c < 0x20 || *c == 0x7F ? '?' : *c, out);
    while (n++ < width) putc(' ', out);
}

static void print_row(call *c, const monitor_alert_row *a)
{
    char raised[FW_UTC_LEN];
    fw_utc_format(raised, a->raised_us);
    if (c->printed == 0) fprintf(c->out, "%6s  %-12s  %-14s  %-24s  %-24s  %s\n", "alert", "state", "kind", "subject", "raised", "what");
    fprintf(c->out, "%6lld  %-12s  %-14s  ", (long long)a->alert, monitor_alert_state(a, c->now_us), a->kind);
    print_clean(c->out, a->subject, SUBJECT);
    fprintf(c->out, "  %-24s  ", raised);
    print_clean(c->out, a->text != NULL ? a->text : "", 0);
    putc('\n', c->out);
}

static fw_status show(void *context, const monitor_alert_row *a, fw_error *err)
{
    call *c = context;
    if (c->jsonl) {
        FW_FREE char *json = NULL;
        FW_TRY(monitor_alert_json(&json, a, monitor_alert_state(a, c->now_us), c->now_us, err));
        fprintf(c->out, "%s\n", json);
    } else {
        print_row(c, a);
    }
    c->printed++;
    return FW_OK;
}

static fw_status list(call *c, fw_error *err)
{
    FW_AUTO(monitor_reader) *r = NULL;
    FW_TRY(monitor_reader_open(&r, c->store, err));
    FW_TRY(monitor_read_alert(r, &(monitor_query){.open = !c->all, .newest_first = true}, show, c, err));
    if (c->printed == 0 && !c->jsonl) fputs(c->all ? "no alerts\n" : "no open alerts\n", c->out);
    return fflush(c->out) == 0 ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "alerts: cannot write to standard output");
}

/* ---- acts ---- */

static const char *user_name(char out[static 64])
{
    const struct passwd *p = getpwuid(getuid());
    if (p != NULL) snprintf(out, 64, "%.63s", p->pw_name);
    else snprintf(out, 64, "user %lu", (unsigned long)getuid());
    return out;
}

static fw_status act(const call *c, fw_error *err)
{
    static const struct { monitor_act_kind kind; const char *done; } what[] = {
        [ACKNOWLEDGE] = {MONITOR_ACKNOWLEDGE, "acknowledged"}, [SILENCE] = {MONITOR_SILENCE, "silenced until"}, [RESOLVE] = {MONITOR_RESOLVE, "resolved"}};
    char name[64], until[FW_UTC_LEN] = "";
    const monitor_act a = {.kind = what[c->verb].kind, .alert = c->alert, .by = user_name(name), .until_us = c->verb == SILENCE ? c->now_us + (int64_t)(c->for_s * 1e6) : 0};
    FW_TRY(monitor_store_act(c->store, &a, c->now_us, err));
    if (c->verb == SILENCE) fw_utc_format(until, a.until_us);
    fprintf(c->out, "alert %lld %s%s%s\n", (long long)c->alert, what[c->verb].done, *until != '\0' ? " " : "", until);
    return FW_OK;
}

fw_status monitor_alerts_command(int argc, char **argv, FILE *out, fw_error *err)
{
    call c = {.for_s = -1, .out = out, .now_us = fw_utc_now_us()};
    FW_TRY(parse(&c, argc, argv, err));
    if (c.help) {
        print_help(out);
        return FW_OK;
    }
    return c.verb == LIST ? list(&c, err) : act(&c, err);
}
