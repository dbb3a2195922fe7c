#include "worker/ingest_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

fw_status worker_file_create(int *fd, const char *path, fw_error *err)
{
    int made = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (made < 0) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", path);
    *fd = made;
    return FW_OK;
}

fw_status worker_file_write(int fd, const void *bytes, size_t len, uint64_t offset, const char *path, fw_error *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", path);
        done += (size_t)n;
    }
    return FW_OK;
}

fw_status worker_file_read(int fd, void *bytes, size_t len, uint64_t offset, const char *path, fw_error *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, (char *)bytes + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be read", path);
        if (n == 0) return fw_fail(err, FW_ERR_IO, "temporary file '%s' ends too early: was it changed by something else?", path);
        done += (size_t)n;
    }
    return FW_OK;
}
