/** Cases with the values of another program: scikit-learn's metrics, SciPy's tests, Optuna's pruners. Without its module a test says so and ends with ORACLE_ABSENT;
 *  under CI=true one that is required fails instead. */
#ifndef FW_TESTS_ORACLE_H
#define FW_TESTS_ORACLE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/unit/scratch.h"

#define ORACLE_ABSENT 77           /* the tests' SKIP_RETURN_CODE in CTest */

static int oracle_was_absent;

/** Runs a script beside this file and opens what it wrote. NULL: it cannot be run; oracle_was_absent tells whether that is for want of the module alone. */
static inline FILE *oracle_cases(scratch *s, const char *script, const char *kind, const char *module, bool required)
{
    const char *python = getenv("FW_PYTHON");
    char command[2048];
    snprintf(command, sizeof command, "'%s' '%s/tests/unit/%s' %s '%s/cases.txt'", python != NULL ? python : "/usr/bin/python3", FW_SOURCE_DIR, script, kind, s->dir);
    int status = system(command), code = status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    const char *ci = getenv("CI");
    oracle_was_absent = (code == ORACLE_ABSENT || code == 127) && !(required && ci != NULL && strcmp(ci, "true") == 0);
    if (oracle_was_absent)
        fprintf(stderr, "skipped: no Python with %s; set FW_PYTHON to one that has it.%s\n", module, required ? " Under CI=true this fails." : "");
    return code == 0 ? fopen(scratch_path(s, "cases.txt"), "r") : NULL;
}

static inline FILE *oracle_open(scratch *s, const char *kind)
{
    return oracle_cases(s, "oracle_metrics.py", kind, "scikit-learn (Debian: python3-sklearn)", true);
}

/** What main returns: an oracle that was absent is no success and no failure. */
static inline int oracle_end(int failed) { return failed == 0 && oracle_was_absent ? ORACLE_ABSENT : failed; }

#endif
