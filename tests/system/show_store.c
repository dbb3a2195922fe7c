/** Fills a store with what a monitor might have seen in an hour, and shows it: for the tests of the page.
 *  show_store STORE ADDRESS [TOKEN_FILE]: prints the address that was bound, then obeys lines on its standard input: "window", "alert" (one more),
 *  "large N" (N features), "report PATH"; its end ends it. show_store STORE: fills alone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "monitor/bodies.h"
#include "monitor/experiments.h"
#include "monitor/store_drift.h"
#include "monitor/web/report.h"
#include "monitor/web/web.h"

#define US      INT64_C(1000000)
#define WINDOWS 120
#define SHIFT   80                   /* from this window on "age" drifts */
#define BINS    8

static monitor_store *store;
static int64_t begin_us;

static void must(fw_status s, const fw_error *err)
{
    if (s == FW_OK) return;
    fprintf(stderr, "show_store: %s\n", err->text);
    exit(1);
}

static double wave(int i, double period) { return sin((double)i / period); }

#define PUT(noun, ...)                                                    \
    do {                                                                  \
        fw_error put_err_ = {0};                                          \
        const monitor_##noun##_row put_row_ = {__VA_ARGS__};              \
        must(monitor_store_put_##noun(store, &put_row_, &put_err_), &put_err_); \
    } while (0)

static void commit(void)
{
    fw_error err = {0};
    must(monitor_store_commit(store, &err), &err);
}

static int64_t model_number(const char *name, const char *digest)
{
    fw_error err = {0};
    int64_t n = 0;
    must(monitor_store_model(&n, store, name, digest, &err), &err);
    return n;
}

/* ---- windows and what was made of them ---- */

static const char *const features[] = {"age", "education", "hours-per-week", "capital-gain", "occupation", "marital \"status\""};
static const char *const tests[] = {"psi", "js", "ks", "chi_square"};
#define N_FEATURES (sizeof features / sizeof *features)

static void put_window(int64_t model, int i)
{
    FW_FREE char *body = NULL;
    const int shifted = i >= SHIFT ? i - SHIFT : 0;
    const uint64_t high = (uint64_t)(240 + 20 * wave(i, 7) + 3 * shifted), counts[] = {1000 - high, high};
    const monitor_window_body b = {.seconds = 2, .rate = 500 + 120 * wave(i, 9), .confidence = 0.86, .value = NAN, .counts = counts, .n_classes = 2,
                                   .latency_p50_s = 0.0011, .latency_p90_s = 0.0021 + 0.0004 * wave(i, 5), .latency_p99_s = 0.006 + 0.002 * wave(i, 3)};
    fw_error err = {0};
    must(monitor_window_body_write(&body, &b, &err), &err);
    const int64_t to = begin_us + (i + 1) * 30 * US;
    PUT(window, .model = model, .number = i + 1, .from_us = to - 2 * US, .to_us = to, .rows = 1000, .revised = i % 40 == 3, .closed = "full", .body = body);
}

static void put_drift(int64_t model, int i)
{
    monitor_drift_row row[N_FEATURES * (sizeof tests / sizeof *tests)];
    size_t n = 0;
    fw_error err = {0};
    for (size_t f = 0; f < N_FEATURES; f++)
        for (size_t t = 0; t < sizeof tests / sizeof *tests; t++) {
            const double level = 0.02 + 0.01 * fabs(wave(i + (int)f * 7, 3)) + (f == 0 && i >= SHIFT ? 0.012 * (i - SHIFT) : f == 2 ? 0.08 : 0);
            row[n++] = (monitor_drift_row){.model = model, .window = i + 1, .feature = features[f], .test = tests[t], .statistic = level * (1 + (double)t / 4), .threshold = 0.2,
                                           .effect = level > 0.2 ? 2 : level > 0.1, .evidence = f == 0 && i >= SHIFT ? (i - SHIFT) * 0.3 : -0.5, .p = t == 2 ? 0.2 : NAN};
        }
    must(monitor_store_put_drift(store, row, n, 1, begin_us, &err), &err);
}

static void put_quality(int64_t model, int i)
{
    const double shift = i >= SHIFT ? 0.0025 * (i - SHIFT) : 0, realised = i < WINDOWS - 10 ? 0.86 - shift + 0.01 * wave(i, 2) : NAN;
    PUT(performance, .model = model, .window = i + 1, .metric = "accuracy", .realised = realised, .low = realised - 0.02, .high = realised + 0.02,
        .estimated = 0.86 - 0.8 * shift, .reference = 0.861, .labelled = isnan(realised) ? 0 : 0.9);
    PUT(performance, .model = model, .window = i + 1, .metric = "log_loss", .realised = isnan(realised) ? NAN : 0.3 + shift, .low = NAN, .high = NAN, .estimated = 0.31 + shift,
        .reference = 0.3, .labelled = isnan(realised) ? 0 : 0.9);
}

static void put_state(const char *kind, int64_t model, const char *json)
{
    char key[64];
    snprintf(key, sizeof key, "%s%lld", kind, (long long)model);
    PUT(state, .key = key, .at_us = begin_us, .bytes = {json, strlen(json)});
}

static void put_columns(int64_t model)
{
    FW_AUTO(fw_reference) *r = NULL;
    FW_AUTO(fw_summary) *now = NULL;
    FW_AUTO(fw_bins) age = {0};
    FW_FREE char *reference = NULL, *current = NULL;
    const double cuts[BINS - 1] = {20, 25, 30, 37, 45, 52, 61}, centres[BINS] = {18, 22, 27, 33, 41, 48, 56, 70};
    double v[1000];
    fw_error err = {0};
    must(fw_bins_of_cuts(&age, "age", FW_BINS_NUMBER, cuts, BINS - 1, centres, &err), &err);
    must(fw_reference_create(&r, &age, 1, 1, "validation", &err), &err);
    must(fw_summary_create(&now, &age, 1, &err), &err);
    for (size_t i = 0; i < 1000; i++) v[i] = 17 + 60 * (double)(i * 7919 % 1000) / 1000;
    fw_summary_add_numbers(r->summary, 0, v, NULL, 1000);
    for (size_t i = 0; i < 1000; i++) v[i] += 12;
    fw_summary_add_numbers(now, 0, v, NULL, 1000);
    must(monitor_reference_write(&reference, r, &err), &err);
    must(monitor_current_write(&current, WINDOWS, now, &err), &err);
    put_state(MONITOR_REFERENCE_KEY, model, reference);
    put_state(MONITOR_CURRENT_KEY, model, current);
    put_state(MONITOR_MISPLACED_KEY, model, "{\"late\":40,\"clock\":3}");
}

/* ---- the rest ---- */

static void put_publishers(int64_t now)
{
    PUT(publisher, .stream = {"aaaaaaaaaaaaaaaa", 16}, .name = "score@node1", .address = "tcp://10.0.0.1:5555", .position = 5000, .produced = 5020, .delivered = 5000, .spooled = 20,
        .first_us = begin_us, .heard_us = now);
    PUT(publisher, .stream = {"bbbbbbbbbbbbbbbb", 16}, .name = "score@node2", .address = "tcp://10.0.0.2:5555", .position = 4000, .produced = 5100, .delivered = 4000, .spooled = 100,
        .dropped = 1000, .reasons = "{\"spool_full\":990,\"too_large\":10,\"refused\":{\"frame\":2,\"stream\":0,\"batch\":3,\"model\":1,\"account\":5}}", .missing = 997, .duplicates = 12, .first_us = begin_us, .heard_us = now - 600 * US);
    PUT(publisher, .stream = {"cccccccccccccccc", 16}, .name = "score@node2", .position = 7, .produced = 7, .delivered = 7, .malformed = 1, .first_us = begin_us, .heard_us = begin_us,
        .ended = 1);
}

static void put_alerts(int64_t model)
{
    PUT(alert, .alert = 1, .kind = "drift", .model = model, .name = "adult", .digest = "b1c2d3e4f5a60718", .subject = "age", .since_us = begin_us + SHIFT * 30 * US,
        .raised_us = begin_us + (SHIFT + 20) * 30 * US, .last_us = begin_us + WINDOWS * 30 * US, .level = 0.49, .peak = 0.49, .threshold = 0.2, .certainty = 0.999, .loud = 20,
        .features = "[\"age\"]", .text = "Column age has drifted: PSI 0.49, alert from 0.2 on; nearly certain (1 - 1e-9).",
        .advice = "Look where age comes from; when the change is real, train again with new rows.");
    PUT(alert, .alert = 2, .kind = "telemetry_lost", .model = 0, .subject = "score@node2", .since_us = begin_us + 50 * 30 * US, .raised_us = begin_us + 51 * 30 * US,
        .last_us = begin_us + 52 * 30 * US, .acknowledged_us = begin_us + 53 * 30 * US, .level = 1000, .peak = 1000, .threshold = 1, .certainty = 1,
        .text = "Publisher score@node2 has dropped 1000 messages: its spool was full.", .advice = "Give it a larger spool, or a faster monitor.");
    PUT(alert, .alert = 3, .kind = "traffic", .model = model, .name = "adult", .digest = "b1c2d3e4f5a60718", .subject = "", .since_us = begin_us, .raised_us = begin_us + US,
        .last_us = begin_us + 2 * US, .resolved_us = begin_us + 100 * US, .level = 0, .peak = 0, .threshold = 1, .certainty = 0.9, .text = "No predictions for <b>5</b> minutes & more.",
        .advice = "Look whether the publisher runs.");
}

static void put_progress(int64_t now)
{
    FW_AUTO(monitor_experiments) *e = NULL;
    fw_error err = {0};
    char run[32];
    must(monitor_experiments_create(&e, &err), &err);
    for (uint64_t r = 1; r <= 40; r++) {
        const fw_named_number metrics[] = {{"log_loss", 0.3 + 0.4 / (double)r}, {"accuracy", 0.86 - 0.2 / (double)r}};
        const fw_progress p = {.project = "adult", .run = "20260301T120000Z-ab12cd34", .event = "round", .round = r, .step = r * 128, .rows = r * 32561, .rows_per_s = 912000,
                               .train_loss = 0.28 + 0.5 / (double)r, .validation = metrics, .n_validation = 2, .ranks = 4};
        must(monitor_experiments_take(e, "p-train", now - (41 - (int64_t)r) * US, &p, &err), &err);
    }
    for (int t = 0; t < 30; t++) {
        const double value = 0.7 + 0.12 * (1 - exp(-t / 10.0)) + 0.03 * wave(t * 13, 4);
        const fw_named_number metric = {"macro_f1", value};
        snprintf(run, sizeof run, "trial %d", t);
        const fw_progress p = {.project = "adult", .run = run, .event = t == 29 ? "round" : t % 5 == 4 ? "PRUNED" : "COMPLETE", .round = 12, .validation = &metric, .n_validation = 1};
        must(monitor_experiments_take(e, "p-sweep", now - (30 - t) * US, &p, &err), &err);
    }
    must(monitor_experiments_save(e, store, &err), &err);
}

static void fill(void)
{
    const int64_t now = fw_utc_now_us();
    begin_us = now - (WINDOWS + 1) * 30 * US;
    const int64_t old = model_number("adult", "a0a0a0a0a0a0a0a0"), adult = model_number("adult", "b1c2d3e4f5a60718"), prices = model_number("prices", "c9c9c9c9c9c9c9c9");
    const char *const classes = "[\"<=50K\",\">50K\"]";
    PUT(model, .model = old, .name = "adult", .digest = "a0a0a0a0a0a0a0a0", .task = "classification", .classes = classes, .first_us = begin_us - 86400 * US,
        .last_us = begin_us, .predictions = 7300000);
    PUT(model, .model = prices, .name = "prices", .digest = "c9c9c9c9c9c9c9c9", .task = "regression", .first_us = begin_us, .last_us = now - 300 * US, .predictions = 12);
    PUT(model, .model = adult, .name = "adult", .digest = "b1c2d3e4f5a60718", .task = "classification", .classes = classes, .reference = {"r", 1}, .first_us = begin_us,
        .last_us = now, .predictions = WINDOWS * 1000);
    for (int i = 0; i < WINDOWS; i++) {
        put_window(adult, i);
        put_drift(adult, i);
        put_quality(adult, i);
        if (i % 4 == 0)
            PUT(kpi, .name = "transfer_rate", .model = 0, .at_us = begin_us + i * 30 * US, .value = 0.24 + 0.02 * wave(i, 6) + (i > SHIFT ? 0.001 * (i - SHIFT) : 0), .baseline = 0.34,
                .target = 0.2);
    }
    put_columns(adult);
    put_publishers(now);
    put_alerts(adult);
    put_progress(now);
    commit();
}

/* ---- showing ---- */

static const char *store_path;

static void write_report(const char *path)
{
    fw_error err = {0};
    must(monitor_report_write(&(monitor_report_opts){.path = path, .store = store_path, .verdict = "all is well", .good = true}, &err), &err);
}

/* A window of n features. */
static void put_many(int64_t model, int window, int n)
{
    fw_error err = {0};
    FW_FREE monitor_drift_row *row = NULL;
    FW_FREE char *names = NULL;
    must(fw_alloc_zeroed((void **)&row, (size_t)n, sizeof *row, "rows", &err), &err);
    must(fw_alloc_zeroed((void **)&names, (size_t)n, 32, "names", &err), &err);
    for (int i = 0; i < n; i++) {
        snprintf(names + 32 * i, 32, "feature %d", i);
        row[i] = (monitor_drift_row){.model = model, .window = window, .feature = names + 32 * i, .test = "psi", .statistic = 0.01, .threshold = 0.2, .p = NAN};
    }
    must(monitor_store_put_drift(store, row, (size_t)n, 1, begin_us, &err), &err);
}

static void one_more(const char *line)
{
    static int windows = WINDOWS, alerts = 3;
    const int64_t adult = model_number("adult", "b1c2d3e4f5a60718"), now = fw_utc_now_us();
    char report[1024];
    int n = 0;
    if (sscanf(line, "report %1023[^\n]", report) == 1) write_report(report);
    else if (strcmp(line, "window\n") == 0) put_window(adult, windows++);
    else if (strcmp(line, "alert\n") == 0) PUT(alert, .alert = ++alerts, .kind = "kpi", .subject = "transfer_rate", .raised_us = now, .since_us = now, .last_us = now, .text = "More.");
    else if (sscanf(line, "large %d", &n) == 1) put_many(adult, windows + 1, n);
    commit();
    puts("done");
}

int main(int argc, char **argv)
{
    char line[1100];
    fw_error err = {0};
    FW_AUTO(monitor_web) *web = NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || argc > 4) return 2;
    store_path = argv[1];
    must(monitor_store_open(&store, &(monitor_store_opts){.path = argv[1]}, &err), &err);
    fill();
    if (argc > 2) {
        must(monitor_web_start(&web, &(monitor_web_opts){.address = argv[2], .store = argv[1], .token_file = argc > 3 ? argv[3] : NULL}, &err), &err);
        puts(monitor_web_address(web));
        while (fgets(line, sizeof line, stdin) != NULL) one_more(line);
    }
    monitor_web_destroy(&web);
    monitor_store_close(&store);
    return 0;
}
