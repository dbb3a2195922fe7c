/** A folder of its own for a test that writes: below $TMPDIR or /tmp, gone with scratch_remove. */
#ifndef FW_TESTS_SCRATCH_H
#define FW_TESTS_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct scratch { char dir[256]; char path[512]; } scratch;

/** False when the folder cannot be made. */
static inline int scratch_make(scratch *s)
{
    const char *base = getenv("TMPDIR");
    snprintf(s->dir, sizeof s->dir, "%s/fw-test-XXXXXX", base != NULL && base[0] != '\0' ? base : "/tmp");
    return mkdtemp(s->dir) != NULL;
}

/** "<dir>/<name>"; good until the next call. */
static inline const char *scratch_path(scratch *s, const char *name)
{
    snprintf(s->path, sizeof s->path, "%s/%s", s->dir, name);
    return s->path;
}

static inline int scratch_remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static inline void scratch_remove(scratch *s)
{
    nftw(s->dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/** For cmocka: *state is a scratch of the test's own (or of the group's), made before it and removed behind it. */
static inline int scratch_set_up(void **state)
{
    static scratch s;
    *state = &s;
    return scratch_make(&s) ? 0 : -1;
}

static inline int scratch_tear_down(void **state)
{
    scratch_remove(*state);
    return 0;
}

#endif
