/** The command line of flywheel-monitor, with what it leaves open from the project file -> what is to be done. */
#ifndef MONITOR_MAIN_OPTIONS_H
#define MONITOR_MAIN_OPTIONS_H

#include "common/project/project.h"
#include "monitor/monitor.h"
#include "monitor/web/web.h"

#define MONITOR_MAX_ENDPOINTS  64
#define MONITOR_MAX_RECORDINGS FW_INBOX_MAX_PUBLISHERS

/** Must not be moved: `run` points into it. */
typedef struct monitor_options {
    monitor_opts run;                      /* but for out and stop */
    monitor_web_opts web;                  /* address NULL: no page */
    const char *report;                    /* path; NULL: none */
    bool once;                             /* recordings are judged */
    bool done;                             /* --help or --version was all, and is printed */

    const char *endpoints[MONITOR_MAX_ENDPOINTS], *recordings[MONITOR_MAX_RECORDINGS];
    const char *file;                      /* the project's */
    fw_project *project;
    monitor_store_opts store;
    char own_name[64];
    char *token_path, *store_path, *keys;  /* from the project, with its folder */
    char *alert_spool;                     /* beside the store */
    char **command;                        /* of run.deliver: its texts are the project's */
} monitor_options;

/** *o of zeros. FW_ERR_CONFIG. To be ended by monitor_options_release, whatever is returned. */
fw_status monitor_options_read(monitor_options *o, int argc, char **argv, fw_error *err);
void      monitor_options_release(monitor_options *o);

#endif
