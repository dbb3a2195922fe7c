/** Facts of this process and of its host, from the kernel. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/core/kernels.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/core/fs.h"
#include "worker/machine.h"
#include "worker/probe.h"

#define MEMINFO_BYTES (64u << 10)

/* ---- this process ----------------------------------------------------------------------------------------------------------------------- */

static void add_cores(worker_facts *f)
{
    cpu_set_t cpus;
    char list[WORKER_FACT_TEXT];
    if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return;
    machine_cpus_text(list, sizeof list, &cpus);
    worker_facts_word(f, "cpus", list);
    worker_facts_value(f, "cpus.n", CPU_COUNT(&cpus));
    worker_facts_value(f, "cpus.cores", machine_cores("", &cpus));
    worker_facts_value(f, "cpus.numa_nodes", machine_numa_nodes("", &cpus));
}

static void add_limit(worker_facts *f, const char *name, int resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0) worker_facts_value(f, name, limit.rlim_cur == RLIM_INFINITY ? -1.0 : (double)limit.rlim_cur);      /* -1: none */
}

void worker_probe_process(worker_facts *f)
{
    add_cores(f);
    worker_facts_value(f, "pid", getpid());
    worker_facts_value(f, "uid", geteuid());
    worker_facts_word(f, "kernels", fw_kernels_name(fw_kernels_now()));
    worker_facts_word(f, "kernels.asked", getenv("FW_KERNELS"));
    add_limit(f, "limit.files", RLIMIT_NOFILE);
    add_limit(f, "limit.core", RLIMIT_CORE);
    add_limit(f, "limit.locked", RLIMIT_MEMLOCK);
    add_limit(f, "limit.stack", RLIMIT_STACK);
    add_limit(f, "limit.memory", RLIMIT_AS);
    add_limit(f, "limit.file", RLIMIT_FSIZE);
}

/* ---- its host --------------------------------------------------------------------------------------------------------------------------- */

static void add_cpu(worker_facts *f)
{
    char text[MACHINE_TEXT];
    struct utsname name;
    worker_facts_value(f, "host.cpus", (double)sysconf(_SC_NPROCESSORS_ONLN));
    if (machine_read(text, "/sys/devices/system/cpu/smt/active")) worker_facts_value(f, "host.smt", text[0] == '1');
    if (machine_read(text, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) worker_facts_word(f, "host.governor", text);
    if (machine_read(text, "/proc/loadavg")) worker_facts_value(f, "host.load", strtod(text, NULL));
    if (uname(&name) == 0) worker_facts_word(f, "host.kernel", name.release);
}

static void add_memory(worker_facts *f)
{
    static const struct { const char *key, *name; } keys[] = {
        {"MemTotal", "memory.total"}, {"MemAvailable", "memory.available"}, {"SwapTotal", "swap.total"}, {"SwapFree", "swap.free"}};
    FW_FREE char *text = NULL;
    size_t len = 0;
    uint64_t bytes = 0, used = 0;
    char line[MACHINE_TEXT], chosen[MACHINE_TEXT];
    if (fw_read_file(&text, &len, "/proc/meminfo", MEMINFO_BYTES, NULL) == FW_OK)
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (machine_field(&bytes, text, keys[i].key)) worker_facts_value(f, keys[i].name, (double)bytes);
    if (machine_memory_limit(&bytes, &used, "")) {
        worker_facts_value(f, "memory.limit", (double)bytes);
        worker_facts_value(f, "memory.limit_used", (double)used);
    }
    if (machine_read(line, "/sys/kernel/mm/transparent_hugepage/enabled")) {
        machine_chosen(chosen, line);
        worker_facts_word(f, "memory.huge_pages", chosen);
    }
    worker_facts_value(f, "memory.edac", fw_path_exists("/sys/devices/system/edac/mc/mc0"));
    if (machine_read(line, "/proc/sys/kernel/core_pattern")) worker_facts_word(f, "core_pattern", line);
}

static void add_shared_memory(worker_facts *f)
{
    const char *dir = getenv("OMPI_MCA_osc_sm_backing_directory");
    struct statvfs fs;
    if (dir == NULL) dir = "/dev/shm";
    worker_facts_word(f, "shm.path", dir);
    if (statvfs(dir, &fs) != 0) return;
    worker_facts_value(f, "shm.free", (double)fs.f_bavail * (double)fs.f_frsize);
    worker_facts_value(f, "shm.size", (double)fs.f_blocks * (double)fs.f_frsize);
}

void worker_probe_host(worker_facts *f)
{
    add_cpu(f);
    add_memory(f);
    add_shared_memory(f);
}
