/** flywheel-monitor: reads the command line, then monitor_run. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/core/log.h"
#include "monitor/alerts_command.h"
#include "monitor/main/once.h"
#include "monitor/main/options.h"

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};      /* without SA_RESTART: a wait is to end */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);      /* past a limit on file sizes a write fails, as on a full disk */
}

static fw_status watch_bus(const monitor_options *o, fw_error *err)
{
    FW_AUTO(monitor_web) *web = NULL;
    for (size_t i = 0; i < o->run.bus.n_endpoints; i++) fw_log_info("listening to %s", o->run.bus.endpoints[i]);
    if (o->web.address != NULL) {
        FW_TRY(monitor_web_start(&web, &o->web, err));
        fw_log_info("the page is at http://%s/", monitor_web_address(web));
    }
    return monitor_run(&o->run, NULL, err);
}

static fw_status run(monitor_options *o, int argc, char **argv, fw_error *err)
{
    FW_TRY(monitor_options_read(o, argc, argv, err));
    if (o->done) return FW_OK;
    catch_signals();
    setvbuf(stdout, NULL, _IOLBF, 0);
    o->run.out = stdout;
    o->run.stop = &stop_asked;
    return o->once ? monitor_once(o, err) : watch_bus(o, err);
}

int main(int argc, char **argv)
{
    static monitor_options options;
    fw_log_init(0, 1);
    fw_error err = {0};
    const bool alerts = argc > 1 && strcmp(argv[1], "alerts") == 0;
    const fw_status status = alerts ? monitor_alerts_command(argc - 1, argv + 1, stdout, &err) : run(&options, argc, argv, &err);
    monitor_options_release(&options);
    if (status < 0) fw_log_error("%s", err.text);
    return fw_status_exit_code(status);
}
