#include "monitor/web/route.h"

static const char *const none[] = {NULL};

/* Reading alone: there is no method but GET (and with it HEAD). */
const monitor_route monitor_routes[] = {
    {"GET", "/health", none, .open = true, .answer = monitor_answer_health},
    {"GET", "/metrics", none, .answer = monitor_answer_metrics},
};
const size_t monitor_n_routes = sizeof monitor_routes / sizeof *monitor_routes;
