#include "worker/machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/core/text.h"

#define CGROUP_NO_LIMIT (UINT64_C(1) << 60)      /* version 1 says a number near 2^63 */

static bool read_whole(char *out, size_t size, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    size_t len = 0;
    ssize_t n = 0;
    while (len < size - 1 && (n = read(fd, out + len, size - 1 - len)) > 0) len += (size_t)n;
    close(fd);
    if (n < 0) return false;
    out[len] = '\0';
    return true;
}

bool machine_read(char out[static MACHINE_TEXT], const char *path)
{
    if (!read_whole(out, MACHINE_TEXT, path)) return false;
    out[strcspn(out, "\n")] = '\0';
    return true;
}

bool machine_field(uint64_t *bytes, const char *text, const char *key)
{
    const size_t len = strlen(key);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, key, len) != 0 || line[len] != ':') continue;
        const char *number = line + len + 1 + strspn(line + len + 1, " \t");
        const size_t digits = strspn(number, "0123456789");
        uint64_t v = 0;
        if (!fw_parse_uint64(&v, number, digits) || v > UINT64_MAX / 1024) return false;
        *bytes = strncmp(number + digits, " kB", 3) == 0 ? v * 1024 : v;
        return true;
    }
    return false;
}

/* ---- processors ------------------------------------------------------------------------------------------------------------------------- */

void machine_cpus_text(char *out, size_t size, const cpu_set_t *cpus)
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t first = 0; first < CPU_SETSIZE; first++) {
        if (!CPU_ISSET(first, cpus)) continue;
        size_t last = first;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cpus)) last++;
        char one[32];
        const int n = first == last ? snprintf(one, sizeof one, "%s%zu", len > 0 ? "," : "", first)
                                    : snprintf(one, sizeof one, "%s%zu-%zu", len > 0 ? "," : "", first, last);
        if (len + (size_t)n + 4 > size) {
            snprintf(out + len, size - len, "...");
            return;
        }
        memcpy(out + len, one, (size_t)n + 1);
        len += (size_t)n;
        first = last;
    }
}

/* A number below CPU_SETSIZE; *at moves behind it. -1: none. */
static int take_cpu(const char **at)
{
    const size_t digits = strspn(*at, "0123456789");
    uint64_t v = 0;
    if (digits == 0 || !fw_parse_uint64(&v, *at, digits) || v >= CPU_SETSIZE) return -1;
    *at += digits;
    return (int)v;
}

bool machine_cpus_parse(cpu_set_t *out, const char *text)
{
    CPU_ZERO(out);
    for (const char *at = text; *at != '\0';) {
        const int first = take_cpu(&at);
        int last = first;
        if (*at == '-') {
            at++;
            last = take_cpu(&at);
        }
        if (first < 0 || last < first || (*at != ',' && *at != '\0')) return false;
        for (int c = first; c <= last; c++) CPU_SET((size_t)c, out);
        if (*at == ',') at++;
    }
    return CPU_COUNT(out) > 0;
}

int machine_cores(const char *root, const cpu_set_t *cpus)
{
    int cores = 0;
    for (size_t c = 0; c < CPU_SETSIZE; c++) {
        char path[MACHINE_TEXT], text[MACHINE_TEXT];
        cpu_set_t siblings;
        if (!CPU_ISSET(c, cpus)) continue;
        snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list", root, c);
        if (!machine_read(text, path) || !machine_cpus_parse(&siblings, text)) return 0;
        bool counted = false;
        for (size_t s = 0; s < c && !counted; s++) counted = CPU_ISSET(s, &siblings) && CPU_ISSET(s, cpus);
        cores += !counted;
    }
    return cores;
}

int machine_numa_nodes(const char *root, const cpu_set_t *cpus)
{
    char path[MACHINE_TEXT], text[MACHINE_TEXT];
    cpu_set_t online, of_node, both;
    int nodes = 0;
    snprintf(path, sizeof path, "%s/sys/devices/system/node/online", root);
    if (!machine_read(text, path) || !machine_cpus_parse(&online, text)) return 0;
    for (size_t n = 0; n < CPU_SETSIZE; n++) {
        if (!CPU_ISSET(n, &online)) continue;
        snprintf(path, sizeof path, "%s/sys/devices/system/node/node%zu/cpulist", root, n);
        if (!machine_read(text, path) || !machine_cpus_parse(&of_node, text)) continue;      /* a node of memory alone */
        CPU_AND(&both, &of_node, cpus);
        nodes += CPU_COUNT(&both) > 0;
    }
    return nodes;
}

/* ---- control groups --------------------------------------------------------------------------------------------------------------------- */

/* Whether the comma-separated list of this length holds the word. */
static bool lists(const char *list, size_t len, const char *word)
{
    const size_t n = strlen(word);
    for (size_t at = 0; at <= len;) {
        size_t part = 0;
        while (at + part < len && list[at + part] != ',') part++;
        if (part == n && strncmp(list + at, word, n) == 0) return true;
        at += part + 1;
    }
    return false;
}

bool machine_cgroup_path(char out[static MACHINE_TEXT], const char *text, const char *controller)
{
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n"), line += *line == '\n') {
        const size_t len = strcspn(line, "\n");
        const char *list = memchr(line, ':', len), *path = list != NULL ? memchr(list + 1, ':', len - (size_t)(list + 1 - line)) : NULL;
        if (path == NULL || !lists(list + 1, (size_t)(path - list - 1), controller)) continue;
        const size_t path_len = len - (size_t)(path + 1 - line);
        if (path_len >= MACHINE_TEXT) return false;
        memcpy(out, path + 1, path_len);
        out[path_len] = '\0';
        return true;
    }
    return false;
}

typedef struct cgroup_files { const char *controller, *mount, *limit, *used; } cgroup_files;

/* From the group's own folder up to the mount: the tightest limit. */
static void tighten(uint64_t *limit, uint64_t *used, const char *root, const cgroup_files *f, const char *text)
{
    char group[MACHINE_TEXT], path[3 * MACHINE_TEXT], figure[MACHINE_TEXT];
    if (!machine_cgroup_path(group, text, f->controller)) return;
    for (;;) {
        uint64_t here = 0, spent = 0;
        snprintf(path, sizeof path, "%s%s%s/%s", root, f->mount, strcmp(group, "/") == 0 ? "" : group, f->limit);
        if (machine_read(figure, path) && fw_parse_uint64(&here, figure, strlen(figure)) && here < *limit) {
            snprintf(path, sizeof path, "%s%s%s/%s", root, f->mount, strcmp(group, "/") == 0 ? "" : group, f->used);
            *limit = here;
            *used = machine_read(figure, path) && fw_parse_uint64(&spent, figure, strlen(figure)) ? spent : 0;
        }
        char *slash = strrchr(group, '/');
        if (slash == NULL || group[0] == '\0') return;
        *slash = '\0';
    }
}

bool machine_memory_limit(uint64_t *limit, uint64_t *used, const char *root)
{
    static const cgroup_files versions[] = {
        {"", "/sys/fs/cgroup", "memory.max", "memory.current"},
        {"memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"},
    };
    char path[MACHINE_TEXT], text[4096];
    uint64_t tightest = CGROUP_NO_LIMIT, spent = 0;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    if (!read_whole(text, sizeof text, path)) return false;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) tighten(&tightest, &spent, root, &versions[i], text);
    if (tightest == CGROUP_NO_LIMIT) return false;
    *limit = tightest;
    *used = spent;
    return true;
}

uint64_t machine_memory_room(const char *root)
{
    char path[MACHINE_TEXT], text[4096];
    uint64_t room = UINT64_MAX, available = 0, limit = 0, used = 0;
    struct rlimit addresses;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    if (read_whole(text, sizeof text, path) && machine_field(&available, text, "MemAvailable")) room = available;
    if (machine_memory_limit(&limit, &used, root) && limit < room) room = limit;      /* what is used there may be cached files: no loss */
    if (getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur < room) room = addresses.rlim_cur;
    return room;
}

void machine_chosen(char out[static MACHINE_TEXT], const char *text)
{
    const char *open = strchr(text, '['), *end = open != NULL ? strchr(open, ']') : NULL;
    const size_t len = end != NULL ? (size_t)(end - open - 1) : 0;
    out[0] = '\0';
    if (len == 0 || len >= MACHINE_TEXT) return;
    memcpy(out, open + 1, len);
    out[len] = '\0';
}
