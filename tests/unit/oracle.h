/** Runs oracle_metrics.py, whose values come from scikit-learn, and opens the cases that it wrote. Without scikit-learn a test says so and
 *  ends with ORACLE_ABSENT, except under CI=true, where it fails. */
#ifndef FW_TESTS_ORACLE_H
#define FW_TESTS_ORACLE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tests/unit/scratch.h"

#define ORACLE_ABSENT 77           /* the tests' SKIP_RETURN_CODE in CTest */

static int oracle_was_absent;

/** NULL: it cannot be run; oracle_was_absent tells whether that is for want of scikit-learn alone. */
static inline FILE *oracle_open(scratch *s, const char *kind)
{
    const char *python = getenv("FW_PYTHON");
    char command[2048];
    snprintf(command, sizeof command, "'%s' '%s/tests/unit/oracle_metrics.py' %s '%s/cases.txt'", python != NULL ? python : "/usr/bin/python3", FW_SOURCE_DIR, kind, s->dir);
    int status = system(command), code = status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    const char *ci = getenv("CI");
    oracle_was_absent = (code == ORACLE_ABSENT || code == 127) && !(ci != NULL && strcmp(ci, "true") == 0);
    if (oracle_was_absent)
        fprintf(stderr, "skipped: no Python with scikit-learn (Debian: python3-sklearn); set FW_PYTHON to one that has it. Under CI=true this fails.\n");
    return code == 0 ? fopen(scratch_path(s, "cases.txt"), "r") : NULL;
}

#endif
