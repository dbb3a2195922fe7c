#include "monitor/web/head.h"
#include "monitor/web/route.h"

#define NAMES(...) (const char *const[]){__VA_ARGS__ __VA_OPT__(,) NULL}

#define KIB ((size_t)1 << 10)

/* GET reads (and with it HEAD); POST writes. */
const monitor_route monitor_routes[] = {
    {"GET", "/", NAMES(), .answer = monitor_answer_page},
    {"GET", "/page.css", NAMES(), .answer = monitor_answer_style},
    {"GET", "/page.js", NAMES(), .answer = monitor_answer_script},
    {"GET", "/chart.js", NAMES(), .answer = monitor_answer_chart},
    {"GET", "/health", NAMES(), .open = true, .answer = monitor_answer_health},
    {"GET", "/metrics", NAMES(), .answer = monitor_answer_metrics},
    {"GET", "/events", NAMES(), .answer = monitor_answer_events},
    {"GET", "/api/models", NAMES("limit", "since"), .store = true, .kept = MONITOR_KEPT_ONCE, .kept_rows = 100, .answer = monitor_answer_models},
    {"GET", "/api/windows", NAMES("model", "version", "limit", "since"), .store = true, .kept = MONITOR_KEPT_MODEL, .kept_rows = 200, .answer = monitor_answer_windows},
    {"GET", "/api/drift", NAMES("model", "version", "feature", "limit", "since"), .store = true, .kept = MONITOR_KEPT_MODEL | MONITOR_KEPT_FEATURE, .kept_rows = 10000, .answer = monitor_answer_drift},
    {"GET", "/api/histogram", NAMES("model", "version", "feature"), .store = true, .kept = MONITOR_KEPT_FEATURE, .kept_rows = 1, .answer = monitor_answer_histogram},
    {"GET", "/api/performance", NAMES("model", "version", "metric", "limit", "since"), .store = true, .kept = MONITOR_KEPT_MODEL, .kept_rows = 5000, .answer = monitor_answer_performance},
    {"GET", "/api/kpi", NAMES("name", "limit", "since"), .store = true, .kept = MONITOR_KEPT_ONCE, .kept_rows = 500, .answer = monitor_answer_kpi},
    {"GET", "/api/alerts", NAMES("model", "open", "limit", "since"), .store = true, .kept = MONITOR_KEPT_ONCE, .kept_rows = 100, .answer = monitor_answer_alerts},
    {"GET", "/api/publishers", NAMES("limit", "since"), .store = true, .kept = MONITOR_KEPT_ONCE, .kept_rows = 100, .answer = monitor_answer_publishers},
    {"GET", "/api/trainings", NAMES("limit", "since"), .store = true, .kept = MONITOR_KEPT_ONCE, .kept_rows = 4, .answer = monitor_answer_trainings},
    {"GET", "/api/studies", NAMES("limit", "since"), .store = true, .kept = MONITOR_KEPT_ONCE, .kept_rows = 4, .answer = monitor_answer_studies},
    {"POST", "/api/alerts/*/acknowledge", NAMES(), .store = true, .body = 1024 * KIB, .kind = MONITOR_POST_ACTS, .answer = monitor_answer_acknowledge},
    {"POST", "/api/alerts/*/silence", NAMES(), .store = true, .body = 1024 * KIB, .kind = MONITOR_POST_ACTS, .answer = monitor_answer_silence},
    {"POST", "/api/alerts/*/resolve", NAMES(), .store = true, .body = 1024 * KIB, .kind = MONITOR_POST_ACTS, .answer = monitor_answer_resolve},
    {"POST", "/api/outcomes", NAMES(), .store = true, .body = MONITOR_HEAD_BODY, .kind = MONITOR_POST_OUTCOMES, .answer = monitor_answer_post_outcomes},
    {"POST", "/api/kpi", NAMES(), .store = true, .body = MONITOR_HEAD_BODY, .kind = MONITOR_POST_KPI, .answer = monitor_answer_post_kpi},
};
const size_t monitor_n_routes = sizeof monitor_routes / sizeof *monitor_routes;

const monitor_refusal monitor_refusals[MONITOR_N_REFUSALS] = {{400, "malformed"}, {401, "token"}, {403, "not_allowed"}, {404, "unknown"}, {405, "method"}, {409, "state"},
                                                              {413, "size"}, {415, "type"}, {421, "host"}, {503, "busy"}, {0, "other"}};
