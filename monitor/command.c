#include "monitor/command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/size.h"

#define LOOK_UP_MS 20

extern char **environ;

typedef struct run {
    const char *name;
    pid_t pid;
    int in, out;                       /* its standard input and output; -1: closed */
    const char *text; size_t left;
    char said[MONITOR_COMMAND_OUTPUT]; size_t n_said;
} run;

static void close_one(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* ---- start ---- */

static int set_files(posix_spawn_file_actions_t *files, int in, int out)
{
    int rc = posix_spawn_file_actions_adddup2(files, in, STDIN_FILENO);
    if (rc == 0) rc = posix_spawn_file_actions_adddup2(files, out, STDOUT_FILENO);
    if (rc == 0) rc = posix_spawn_file_actions_adddup2(files, out, STDERR_FILENO);
    if (rc == 0) rc = posix_spawn_file_actions_addclosefrom_np(files, STDERR_FILENO + 1);
    return rc;
}

/** A session of its own, and with it a group; signals as in a fresh process. */
static int set_manners(posix_spawnattr_t *manners)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_setflags(manners, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (rc == 0) rc = posix_spawnattr_setsigmask(manners, &none);
    if (rc == 0) rc = posix_spawnattr_setsigdefault(manners, &all);
    return rc;
}

static int spawn(pid_t *pid, char *const *argv, int in, int out)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t manners;
    int rc = posix_spawn_file_actions_init(&files);
    if (rc != 0) return rc;
    rc = posix_spawnattr_init(&manners);
    if (rc == 0) {
        rc = set_files(&files, in, out);
        if (rc == 0) rc = set_manners(&manners);
        if (rc == 0) rc = posix_spawnp(pid, argv[0], &files, &manners, argv, environ);
        posix_spawnattr_destroy(&manners);
    }
    posix_spawn_file_actions_destroy(&files);
    return rc;
}

static fw_status start(run *r, char *const *argv, fw_error *err)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0) return fw_fail_errno(err, FW_ERR_IO, "command %s: a pipe", argv[0]);
    if (pipe2(out, O_CLOEXEC) != 0) {
        fw_fail_errno(err, FW_ERR_IO, "command %s: a pipe", argv[0]);
        close(in[0]);
        close(in[1]);
        return FW_ERR_IO;
    }
    const int rc = spawn(&r->pid, argv, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    r->in = in[1];
    r->out = out[0];
    if (rc == 0 && fcntl(r->in, F_SETFL, O_NONBLOCK) == 0 && fcntl(r->out, F_SETFL, O_NONBLOCK) == 0) return FW_OK;
    errno = rc != 0 ? rc : errno;
    return fw_fail_errno(err, rc == ENOENT || rc == EACCES || rc == ENOEXEC ? FW_ERR_NOTFOUND : FW_ERR_IO, "command %s: it can't be started", argv[0]);
}

/* ---- while it runs ---- */

static void feed(run *r)
{
    const ssize_t n = write(r->in, r->text, r->left);
    if (n > 0) {
        r->text += n;
        r->left -= (size_t)n;
    }
    if (r->left == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) close_one(&r->in);      /* it need not read */
}

/** Keeps the last of what it says. */
static void hear(run *r)
{
    char piece[4096];
    const ssize_t n = read(r->out, piece, sizeof piece);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) close_one(&r->out);
    if (n <= 0) return;
    const size_t len = (size_t)n, room = sizeof r->said, kept = len >= room ? 0 : FW_MIN(r->n_said, room - len);
    memmove(r->said, r->said + r->n_said - kept, kept);
    memcpy(r->said + kept, piece, len);
    r->n_said = kept + len;
}

static bool has_ended(const run *r)
{
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
}

/** Until it has ended, the deadline has passed, or *stop is set. */
static fw_status follow(run *r, fw_mono deadline, const atomic_bool *stop, fw_error *err)
{
    while (!has_ended(r)) {
        if (atomic_load(stop)) return fw_fail(err, FW_ERR_STOPPED, "command %s: broken off, the monitor ends", r->name);
        if (fw_mono_passed(deadline)) return fw_fail(err, FW_ERR_TIMEOUT, "command %s: it did not end in time and was killed", r->name);
        struct pollfd fds[2] = {{.fd = r->in, .events = POLLOUT}, {.fd = r->out, .events = POLLIN}};
        poll(fds, 2, LOOK_UP_MS);
        if (fds[0].revents != 0) feed(r);
        if (fds[1].revents != 0) hear(r);
    }
    for (int i = 0; r->out >= 0 && i < 64; i++) {      /* what is still in the pipe; another may hold it open and write for ever */
        struct pollfd rest = {.fd = r->out, .events = POLLIN};
        if (poll(&rest, 1, 0) <= 0) break;
        hear(r);
    }
    return FW_OK;
}

/** Its last line, without what could harm a terminal. */
static const char *last_line(run *r)
{
    size_t end = r->n_said < sizeof r->said ? r->n_said : sizeof r->said - 1;
    while (end > 0 && (r->said[end - 1] == '\n' || r->said[end - 1] == '\r')) end--;
    r->said[end] = '\0';
    size_t begin = end;
    while (begin > 0 && r->said[begin - 1] != '\n' && end - begin < 160) begin--;
    for (size_t i = begin; i < end; i++)
        if ((unsigned char)r->said[i] < 0x20 || (unsigned char)r->said[i] >= 0x7F) r->said[i] = '?';
    return r->said + begin;
}

/** Ends the group, and takes the program's own end. */
static fw_status finish(run *r, fw_error *err)
{
    int status = 0;
    kill(-r->pid, SIGKILL);      /* it is not yet reaped, so the group is its own */
    while (waitpid(r->pid, &status, 0) < 0 && errno == EINTR) {}
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return FW_OK;
    const char *line = last_line(r), *colon = *line != '\0' ? ": " : "";
    if (WIFEXITED(status)) return fw_fail(err, FW_ERR_CHECK, "command %s: it ended with %d%s%s", r->name, WEXITSTATUS(status), colon, line);
    return fw_fail(err, FW_ERR_CHECK, "command %s: it was ended by signal %d%s%s", r->name, WTERMSIG(status), colon, line);
}

fw_status monitor_command_run(void *context, const char *text, const atomic_bool *stop, fw_error *err)
{
    const monitor_command *c = context;
    run r = {.name = c->argv[0], .in = -1, .out = -1, .text = text, .left = strlen(text)};
    const fw_mono deadline = fw_mono_after(fw_mono_now(), c->deadline_s > 0 ? c->deadline_s : MONITOR_COMMAND_S);
    fw_status s = start(&r, c->argv, err);
    if (s >= 0) s = follow(&r, deadline, stop, err);
    if (r.pid > 0) {
        const fw_status end = finish(&r, s < 0 ? NULL : err);
        if (s >= 0) s = end;
    }
    close_one(&r.in);
    close_one(&r.out);
    return s;
}
