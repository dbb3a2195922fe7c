/** Does this host see a file that another process made just now, and the lock on it? In a child process: the file system may never answer. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "common/core/child.h"
#include "worker/probe.h"

#define AGAIN_NS (5 * 1000 * 1000)
#define TOKEN    16               /* of the file's first bytes and of its name's last */

typedef struct question { const char *path; fw_mono deadline; } question;
typedef struct sight { int32_t error, lock_error, same; } sight;       /* errno values; 0: none */

/* Async-signal-safe. The file's name ends with what the file begins with. */
static int holds_its_name(int fd, const char *path)
{
    char text[TOKEN];
    const ssize_t n = read(fd, text, sizeof text);
    const size_t len = strlen(path);
    return n == TOKEN && len >= TOKEN && memcmp(path + len - TOKEN, text, TOKEN) == 0;
}

/* Async-signal-safe. */
static void look(void *context, int say, int parent)
{
    const question *q = context;
    const struct timespec pause = {.tv_nsec = AGAIN_NS};
    sight s = {0};
    int fd = -1;
    (void)parent;
    while ((fd = open(q->path, O_RDWR | O_CLOEXEC)) < 0 && errno == ENOENT && !fw_mono_passed(q->deadline)) nanosleep(&pause, NULL);
    if (fd < 0) s.error = errno;
    else s.same = holds_its_name(fd, q->path);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) s.lock_error = errno;
    if (write(say, &s, sizeof s) != sizeof s) _exit(1);
}

void worker_probe_path(worker_facts *f, const char *path, double deadline_s)
{
    const fw_mono start = fw_mono_now();
    question q = {path, fw_mono_after(start, deadline_s)};
    fw_child *child = NULL;
    sight s = {0};
    fw_status status = fw_child_start(&child, look, &q, NULL);
    if (status == FW_OK) status = fw_child_read(child, &s, sizeof s, fw_mono_after(q.deadline, 1.0), NULL);
    fw_child_destroy(&child);
    worker_facts_value(f, "path.answered", status == FW_OK);
    if (status != FW_OK) return;
    worker_facts_value(f, "path.seen_s", fw_mono_seconds(start, fw_mono_now()));
    worker_facts_value(f, "path.error", s.error);
    worker_facts_value(f, "path.same", s.same);
    worker_facts_value(f, "path.lock_refused", s.lock_error == EWOULDBLOCK);
    worker_facts_value(f, "path.lock_error", s.lock_error == EWOULDBLOCK ? 0 : s.lock_error);
}
