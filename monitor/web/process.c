#include "monitor/web/process.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static double count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    double n = -3;                       /* ".", "..", and the folder's own */
    if (folder == NULL) return NAN;
    while (readdir(folder) != NULL) n++;
    closedir(folder);
    return n;
}

static double resident(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    const int n = f != NULL ? fscanf(f, "%*s %ld", &pages) : 0;
    if (f != NULL) fclose(f);
    return n == 1 ? (double)pages * (double)sysconf(_SC_PAGESIZE) : NAN;
}

static double seconds(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec * 1e-6; }

monitor_process monitor_process_now(void)
{
    struct rusage usage;
    struct rlimit files;
    const int used = getrusage(RUSAGE_SELF, &usage), limited = getrlimit(RLIMIT_NOFILE, &files);
    return (monitor_process){.cpu_s = used == 0 ? seconds(usage.ru_utime) + seconds(usage.ru_stime) : NAN, .resident_bytes = resident(), .open_fds = count_fds(),
                             .max_fds = limited == 0 ? (double)files.rlim_cur : NAN};
}
