#include "worker/group_fabric.h"

#include <dirent.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool has_entries(const char *path)
{
    DIR *dir = opendir(path);
    bool found = false;
    if (dir == NULL) return false;
    for (struct dirent *e = readdir(dir); e != NULL && !found; e = readdir(dir)) found = e->d_name[0] != '.';
    closedir(dir);
    return found;
}

bool worker_fabric_present(const char *root)
{
    static const char *const classes[] = {"/sys/class/infiniband", "/sys/class/cxi"};
    static const char *const devices[] = {"/dev/kgni0", "/dev/hfi1_0", "/dev/ipath0", "/dev/ipath"};
    char path[4096];
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        snprintf(path, sizeof path, "%s%s", root, classes[i]);
        if (has_entries(path)) return true;
    }
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        snprintf(path, sizeof path, "%s%s", root, devices[i]);
        if (access(path, F_OK) == 0) return true;
    }
    return false;
}

void worker_fabric_skip_absent(void)
{
    if (getenv("OMPI_MCA_pml") != NULL || getenv("OMPI_MCA_mtl") != NULL || worker_fabric_present("")) return;
    setenv("OMPI_MCA_mtl", "^psm,psm2,ofi", 0);
}
