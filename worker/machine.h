/** What the kernel's text files say of the machine: plain readers of such texts, and of the files below a root, which is "" but in tests. Linux. */
#ifndef WORKER_MACHINE_H
#define WORKER_MACHINE_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MACHINE_TEXT 256

/** A file's text without the last line end, cut to MACHINE_TEXT - 1 bytes; false: not there. */
bool machine_read(char out[static MACHINE_TEXT], const char *path);

/** "MemAvailable:   1234 kB" in a text like /proc/meminfo: in bytes. False: no such key, or no number. */
bool machine_field(uint64_t *bytes, const char *text, const char *key);

/** "0-3,8" <-> a set of processors. The text is cut with "..." where it is too long. False: not such a list, or beyond CPU_SETSIZE. */
void machine_cpus_text(char *out, size_t size, const cpu_set_t *cpus);
bool machine_cpus_parse(cpu_set_t *out, const char *text);

/** Of these processors: how many cores (hardware threads of one core count once) and NUMA nodes; 0: not known. */
int machine_cores(const char *root, const cpu_set_t *cpus);
int machine_numa_nodes(const char *root, const cpu_set_t *cpus);

/** The path of a control group's controller in a text like /proc/self/cgroup; "" as controller: version 2. False: none. */
bool machine_cgroup_path(char out[static MACHINE_TEXT], const char *text, const char *controller);

/** The tightest memory limit on the way up from this process's control group, version 1 or 2, with what is used there. False: no limit. */
bool machine_memory_limit(uint64_t *limit, uint64_t *used, const char *root);

/** What a process here can get at most without the kernel ending one: what is available on the host, and no more than the limits of its
 *  control group and of its addresses (ulimit -v). UINT64_MAX: not known. */
uint64_t machine_memory_room(const char *root);

/** The word in brackets: "always [madvise] never" -> "madvise". "" when there is none. */
void machine_chosen(char out[static MACHINE_TEXT], const char *text);

#endif
