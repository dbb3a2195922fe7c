/** A monitor with alerts and nothing else, led by lines on standard input; for test_alerts.py.
 *      raise_alerts STORE WEBHOOK|- DEADLINE_S TRIES [PROGRAM ARGUMENT...]
 *  "look SUBJECT LEVEL" is a look at drift with the threshold 0.25, "turn" none. After each line: tick, commit, tell, and one line
 *  "open N raised N seconds S", S being the time that this took. At the end of its input it waits up to 20 s for deliveries. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "monitor/alert_desk.h"

static fw_status turn(monitor_store *store, monitor_alert_desk *desk, const char *line, fw_error *err)
{
    char subject[64];
    double level = 0;
    const fw_mono before = fw_mono_now();
    const int64_t now_us = fw_utc_now_us();
    if (sscanf(line, "look %63s %lf", subject, &level) == 2) {
        const char *features[] = {subject};
        const monitor_look l = {.kind = MONITOR_ALERT_DRIFT, .model = 1, .name = "adult", .digest = "d1", .subject = subject, .level = level, .threshold = 0.25,
                                .evidence = true, .certainty = 0.999, .measure = "PSI", .features = features, .n_features = 1};
        FW_TRY(monitor_alert_desk_look(desk, &l, now_us, err));
    }
    FW_TRY(monitor_alert_desk_tick(desk, now_us, err));
    const fw_status stored = monitor_store_commit(store, err);
    FW_TRY(monitor_alert_desk_tell(desk, err));
    const monitor_alert_counts n = monitor_alert_desk_count(desk);
    printf("open %zu raised %llu seconds %.3f%s\n", n.open, (unsigned long long)n.raised[MONITOR_ALERT_DRIFT], fw_mono_seconds(before, fw_mono_now()),
           stored < 0 ? " unstored" : "");
    return fflush(stdout) == 0 ? FW_OK : FW_ERR_IO;
}

static fw_status run(char **argv, fw_error *err)
{
    char line[256];
    FW_AUTO(monitor_store) *store = NULL;
    monitor_alert_desk *desk = NULL;
    const monitor_deliver_opts deliver = {.log = true, .webhook = strcmp(argv[2], "-") != 0 ? argv[2] : NULL, .webhook_s = atof(argv[3]),
                                          .webhook_tries = (unsigned)atoi(argv[4]), .pause_s = 0.05, .command = argv[5] != NULL ? &argv[5] : NULL};
    FW_TRY(monitor_store_open(&store, &(monitor_store_opts){.path = argv[1]}, err));
    FW_TRY(monitor_alert_desk_open(&desk, store, argv[1], &(monitor_alert_opts){.cool_down_s = 0.3}, &deliver, fw_utc_now_us(), err));
    fw_status s = FW_OK;
    while (s >= 0 && fgets(line, sizeof line, stdin) != NULL) s = turn(store, desk, line, err);
    monitor_alert_desk_close(&desk, s < 0 ? 0 : 20);
    return s < 0 ? s : monitor_store_commit(store, err);
}

int main(int argc, char **argv)
{
    fw_error err = {0};
    if (argc < 5) return 2;
    fw_log_init(0, 1);
    signal(SIGXFSZ, SIG_IGN);
    const fw_status s = run(argv, &err);
    if (s < 0) fw_log_error("%s", err.text);
    return fw_status_exit_code(s);
}
