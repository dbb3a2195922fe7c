#include "common/core/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define END_S       1.0
#define FD_TO_CLOSE 4096          /* where the kernel has no close_range */

struct fw_child { pid_t pid; int hear, hold; };

/* The descriptors first..last; none when last is below first. */
static void close_from_to(int first, int last)
{
    if (last < first) return;
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)first, (unsigned)last, 0u) == 0) return;
#endif
    for (int fd = first; fd <= last && fd < FD_TO_CLOSE; fd++) close(fd);
}

static void close_others(int a, int b)
{
    const int low = a < b ? a : b, high = a < b ? b : a;
    close_from_to(0, low - 1);
    close_from_to(low + 1, high - 1);
    close_from_to(high + 1, INT_MAX);
}

static void close_pair(const int fd[2])
{
    close(fd[0]);
    close(fd[1]);
}

static void be_child(fw_child_body body, void *context, int say, int parent)
{
    setsid();
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    close_others(say, parent);
    body(context, say, parent);
    _exit(0);
}

fw_status fw_child_start(fw_child **out, fw_child_body body, void *context, fw_error *err)
{
    int say[2], hold[2];
    fw_child *c = calloc(1, sizeof *c);
    if (c == NULL) return fw_fail(err, FW_ERR_NOMEM, "child process");
    if (pipe2(say, O_CLOEXEC) != 0) {
        free(c);
        return fw_fail_errno(err, FW_ERR_IO, "child process: a pipe");
    }
    if (pipe2(hold, O_CLOEXEC) != 0) {
        close_pair(say);
        free(c);
        return fw_fail_errno(err, FW_ERR_IO, "child process: a pipe");
    }
    c->pid = fork();
    if (c->pid == 0) be_child(body, context, say[1], hold[0]);
    if (c->pid < 0) {
        fw_fail_errno(err, FW_ERR_NOMEM, "child process: it does not start");
        close_pair(say);
        close_pair(hold);
        free(c);
        return FW_ERR_NOMEM;
    }
    close(say[1]);
    close(hold[0]);
    c->hear = say[0];
    c->hold = hold[1];
    *out = c;
    return FW_OK;
}

fw_status fw_child_read(fw_child *c, void *bytes, size_t len, fw_mono deadline, fw_error *err)
{
    for (size_t at = 0; at < len;) {
        struct pollfd wait = {.fd = c->hear, .events = POLLIN};
        const int ready = poll(&wait, 1, fw_mono_left_ms(deadline));
        if (ready == 0 && fw_mono_passed(deadline)) return fw_fail(err, FW_ERR_TIMEOUT, "the child process gave no answer in time");
        if (ready <= 0) continue;
        const ssize_t n = read(c->hear, (char *)bytes + at, len - at);
        if (n == 0) return fw_fail(err, FW_ERR_LOST, "the child process ended without an answer");
        if (n > 0) at += (size_t)n;
        else if (errno != EINTR) return fw_fail_errno(err, FW_ERR_IO, "the child process can't be heard");
    }
    return FW_OK;
}

static int ended(pid_t pid, fw_mono deadline)
{
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (fw_mono_passed(deadline)) return 0;
        fw_sleep_ms(1);
    }
    return 1;
}

void fw_child_destroy(fw_child **child)
{
    fw_child *c = *child;
    if (c == NULL) return;
    close(c->hold);
    if (!ended(c->pid, fw_mono_after(fw_mono_now(), END_S))) {
        kill(c->pid, SIGKILL);
        ended(c->pid, fw_mono_after(fw_mono_now(), END_S));
    }
    close(c->hear);
    free(c);
    *child = NULL;
}
