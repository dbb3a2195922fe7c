/** The folder that runs are written to. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/doctor/checks.h"

#define LITTLE_SPACE 1073741824.0
#define SLOW_SYNC_S  0.5

/* The step that went wrong; COORD_FOLDER_STEPS: none did. */
static coord_folder_step failed_step(const coord_folder *f)
{
    int s = 0;
    while (s < f->done && f->error[s] == 0) s++;
    return (coord_folder_step)s;
}

static const char *remedy_for(const coord_folder *f, int error)
{
    switch (error) {
    case ENOENT: return "make it, or name another with --dir";
    case ENOTDIR: return "name a folder with --dir";
    case EROFS: return "it is mounted for reading only: name another with --dir and train -o";
    case EACCES: case EPERM: return "let this user write there, or name another with --dir and train -o";
    case ENOSPC: case EDQUOT: return "make room, or name another with --dir and train -o";
    default: return f->answered ? "look at the file system (dmesg), or name another with --dir and train -o"
                                : "the file system hangs: look at its server and mounts (df, dmesg), or name another with --dir";
    }
}

void coord_look_folder(coord_finding *f, const coord_doctor *d)
{
    const coord_folder *at = &d->folder;
    const coord_folder_step bad = failed_step(at);
    const char *kind = coord_folder_kind(at->kind);
    if (!at->answered) {
        coord_found(f, COORD_FAIL, "%s: no answer after %.0f s (%s)", at->dir, COORD_FOLDER_DEADLINE_S, coord_folder_step_name(bad));
        coord_advise(f, "%s", remedy_for(at, 0));
    } else if (bad == COORD_FOLDER_OPEN || bad == COORD_FOLDER_CREATE) {
        coord_found(f, COORD_FAIL, "%s: %s: %s", at->dir, bad == COORD_FOLDER_OPEN ? "it can't be opened" : "nothing can be made in it", strerror(at->error[bad]));
        coord_advise(f, "%s", remedy_for(at, at->error[bad]));
    } else {
        const bool volatile_ = strcmp(kind, "tmpfs") == 0 || strcmp(kind, "ramfs") == 0;
        coord_found(f, volatile_ ? COORD_NOTE : COORD_GOOD, "%s, on %s%s%s", at->dir, kind[0] != '\0' ? kind : "a file system of unknown kind",
                    coord_folder_is_network(at->kind) ? " (over a network)" : "", volatile_ ? ": memory, gone when the host restarts" : "");
        if (volatile_) coord_advise(f, "name a folder on a disk with --dir and train -o");
    }
}

void coord_look_space(coord_finding *f, const coord_doctor *d)
{
    const coord_folder *at = &d->folder;
    char free[COORD_SAID], all[COORD_SAID];
    if (at->size_bytes == 0) return;
    coord_say_bytes(free, (double)at->free_bytes);
    coord_say_bytes(all, (double)at->size_bytes);
    coord_figure_of(f, "free", (double)at->free_bytes);
    const bool none = at->free_bytes == 0, little = (double)at->free_bytes < LITTLE_SPACE;
    coord_found(f, none ? COORD_FAIL : little ? COORD_WARN : COORD_GOOD, "%s free of %s", free, all);
    if (little) coord_advise(f, "make room: two checkpoints and a model are kept for each run");
}

void coord_look_durable(coord_finding *f, const coord_doctor *d)
{
    const coord_folder *at = &d->folder;
    const coord_folder_step bad = failed_step(at);
    double slowest = 0.0;
    if (!at->answered || bad <= COORD_FOLDER_CREATE) return;
    if (bad < COORD_FOLDER_LOCK) {
        coord_found(f, COORD_FAIL, "%s: %s", coord_folder_step_name(bad), strerror(at->error[bad]));
        coord_advise(f, "%s", remedy_for(at, at->error[bad]));
        return;
    }
    for (int s = COORD_FOLDER_WRITE; s < COORD_FOLDER_LOCK; s++) {
        char time[COORD_SAID];
        coord_say_seconds(time, at->seconds[s]);
        slowest = FW_MAX(slowest, at->seconds[s]);
        coord_found(f, COORD_GOOD, "%s %s", coord_folder_step_name((coord_folder_step)s), time);
    }
    coord_figure_of(f, "fsync_s", at->seconds[COORD_FOLDER_SYNC]);
    coord_figure_of(f, "fsync_folder_s", at->seconds[COORD_FOLDER_SYNC_DIR]);
    if (slowest <= SLOW_SYNC_S) return;
    f->verdict = COORD_WARN;
    coord_advise(f, "slow: checkpoints are written beside the training, but make them rarer (train.checkpoint.every)");
}

void coord_look_locks(coord_finding *f, const coord_doctor *d)
{
    const coord_folder *at = &d->folder;
    if (!coord_folder_works(at)) return;
    if (at->done <= COORD_FOLDER_LOCK || at->error[COORD_FOLDER_LOCK] != 0) {
        coord_found(f, COORD_WARN, "flock: %s: HDF5 files are opened without locks", at->done > COORD_FOLDER_LOCK ? strerror(at->error[COORD_FOLDER_LOCK]) : "no answer");
        coord_advise(f, "Lustre: mount with -o flock; else take care that one training alone writes a run folder");
        return;
    }
    for (size_t i = 0; i < d->n_hosts; i++) {
        if (coord_host_fact(d, i, "path.lock_refused") != 0.0 || coord_host_fact(d, i, "path.error") != 0.0) continue;
        coord_found(f, COORD_WARN, "a lock held on %s does not keep rank %zu on %s out", d->host[0].name, d->host[i].first, d->host[i].name);
        coord_advise(f, "locks hold within a host alone here (Lustre: -o flock, not localflock): one training alone may write a run folder");
        return;
    }
    coord_found(f, COORD_GOOD, "flock keeps other processes out%s; HDF5 uses it", d->n_hosts > 1 ? " on every host" : "");
}

void coord_look_seen(coord_finding *f, const coord_doctor *d)
{
    double slowest = 0.0;
    if (d->n_hosts < 2 || !coord_folder_works(&d->folder)) return;
    for (size_t i = 0; i < d->n_hosts; i++) {
        const size_t r = d->host[i].first;
        const char *host = d->host[i].name;
        const double error = coord_fact(d, r, "path.error");
        if (coord_fact(d, r, "path.answered") != 1.0)
            coord_found(f, COORD_FAIL, "no answer on %s after %.0f s", host, COORD_FOLDER_DEADLINE_S);
        else if (error != 0.0 || coord_fact(d, r, "path.same") != 1.0)
            coord_found(f, COORD_FAIL, "not seen on %s after %.0f s: %s", host, COORD_FOLDER_DEADLINE_S, error != 0.0 ? strerror((int)error) : "it holds something else");
        slowest = fmax(slowest, coord_fact(d, r, "path.seen_s"));
        if (f->verdict == COORD_FAIL) {
            coord_advise(f, "the run folder must be on a file system that every host mounts at the same path");
            return;
        }
    }
    char time[COORD_SAID];
    coord_say_seconds(time, slowest);
    coord_figure_of(f, "seen_s", slowest);
    coord_found(f, COORD_GOOD, "a new file is seen by every host within %s", time);
}
