#include "common/core/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/size.h"
#include "common/core/text.h"

#define LOOK_AGAIN_MS 2
#define UNCLEAR_LOOKS 25                /* so often is looked again for what can't be told from a process that is being replaced by exec */
#define MAX_ENVIRONMENT (4u << 20)      /* bytes: longer ones are looked at so far */

/* /proc/PID/stat: "PID (name) state ppid ... starttime"; the name may hold anything, so what counts begins behind its last ')'. */
uint64_t fw_process_started(pid_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    const ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return 0;
    text[n] = '\0';
    const char *at = strrchr(text, ')');
    if (at == NULL || at[1] != ' ' || at[2] == 'Z' || at[2] == 'X') return 0;
    for (int field = 3; field <= 22 && at != NULL; field++) at = strchr(at + 1, ' ');      /* to the blank before the field; the state is field 3, the start 22 */
    uint64_t ticks = 0;
    return at != NULL && fw_parse_uint64(&ticks, at + 1, strcspn(at + 1, " \n")) ? ticks : 0;
}

/* While exec replaces a program, its process has no environment for a moment. Kernel threads and what waits to be reaped run no program. */
static bool runs_a_program(const char *pid)
{
    char path[300], target[8];
    snprintf(path, sizeof path, "/proc/%s/exe", pid);
    return readlink(path, target, sizeof target) > 0;
}

/* What can't be read is not ours. *unclear grows when there is nothing to read. */
static bool is_marked(const char *pid, const char *mark, size_t mark_len, size_t *unclear)
{
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, "/proc/%s/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    FW_AUTO(fw_text) t = {0};
    char buffer[8192];
    ssize_t n = fstat(fd, &st) == 0 && st.st_uid == geteuid() ? 1 : 0;
    while (n > 0 && t.len < MAX_ENVIRONMENT && (n = read(fd, buffer, sizeof buffer)) > 0) fw_text_add_bytes(&t, buffer, (size_t)n);
    close(fd);
    if (n == 0 && t.len == 0 && !t.failed) *unclear += runs_a_program(pid);
    if (t.failed || t.data == NULL) return false;
    for (const char *at = t.data, *end = t.data + t.len; at < end; at += strlen(at) + 1)
        if (strncmp(at, mark, mark_len) == 0) return true;
    return false;
}

static fw_status look(pid_t **pids, size_t *n, size_t *unclear, const char *name, const char *prefix, fw_error *err)
{
    FW_AUTO(fw_text) mark = {0};
    pid_t *found = NULL;
    size_t count = 0, capacity = 0;
    fw_text_format(&mark, "%s=%s", name, prefix);
    FW_TRY(fw_text_check(&mark, err));
    *unclear = 0;
    DIR *d = opendir("/proc");
    if (d == NULL) return fw_fail_errno(err, FW_ERR_IO, "/proc can't be read");
    fw_status s = FW_OK;
    for (const struct dirent *e; s == FW_OK && (e = readdir(d)) != NULL;) {
        uint64_t pid = 0;
        if (!fw_parse_uint64(&pid, e->d_name, strlen(e->d_name)) || (pid_t)pid == getpid() || !is_marked(e->d_name, mark.data, mark.len, unclear)) continue;
        s = fw_grow((void **)&found, &capacity, count + 1, sizeof *found, "processes", err);
        if (s == FW_OK) found[count++] = (pid_t)pid;
    }
    closedir(d);
    if (s != FW_OK) {
        free(found);
        return s;
    }
    *pids = found;
    *n = count;
    return FW_OK;
}

fw_status fw_processes_marked(pid_t **pids, size_t *n, const char *name, const char *prefix, fw_error *err)
{
    size_t unclear = 0;
    return look(pids, n, &unclear, name, prefix, err);
}

/* The environment of a process that has ended reads as empty, so what waits to be reaped is not found again. */
fw_status fw_processes_kill_marked(const char *name, const char *prefix, fw_mono deadline, fw_error *err)
{
    for (int looks = 0;; looks++) {
        FW_FREE pid_t *pids = NULL;
        size_t n = 0, unclear = 0;
        FW_TRY(look(&pids, &n, &unclear, name, prefix, err));
        if (n > 0) looks = 0;
        else if (unclear == 0 || looks >= UNCLEAR_LOOKS) return FW_OK;
        for (size_t i = 0; i < n; i++) kill(pids[i], SIGKILL);
        if (n > 0 && fw_mono_passed(deadline))
            return fw_fail(err, FW_ERR_TIMEOUT, "process %ld does not end though it was killed; it hangs in the kernel, in a file system perhaps", (long)pids[0]);
        fw_sleep_ms(LOOK_AGAIN_MS);
    }
}
