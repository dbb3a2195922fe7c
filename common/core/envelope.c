#include "common/core/envelope.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/size.h"

#define MAGIC       "FLYWHEEL"
#define CHECK_AT    504
#define BLOCK_BYTES ((size_t)1 << 20)

static void put(unsigned char *at, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) at[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint64_t)at[i] << 8 * i;
    return value;
}

static fw_status read_at(int fd, void *bytes, size_t len, uint64_t offset, const char *path, fw_error *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, (char *)bytes + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be read at byte %" PRIu64, path, offset + done);
        if (n == 0) return fw_fail(err, FW_ERR_FORMAT, "%s ends at byte %" PRIu64 ", before its content does: it was cut short", path, offset + done);
        done += (size_t)n;
    }
    return FW_OK;
}

static fw_status write_at(int fd, const void *bytes, size_t len, uint64_t offset, const char *path, fw_error *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const char *)bytes + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be written", path);
        done += (size_t)n;
    }
    return FW_OK;
}

/* XXH3-128 of bytes [FW_ENVELOPE_BYTES, length). */
static fw_status digest_rest(fw_digest *out, int fd, uint64_t length, const char *path, fw_error *err)
{
    FW_FREE char *block = malloc(BLOCK_BYTES);
    FW_AUTO(fw_hasher) *hasher = fw_hasher_create(0);
    if (block == NULL || hasher == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to check its digest", path);
    for (uint64_t at = FW_ENVELOPE_BYTES; at < length;) {
        size_t n = (size_t)FW_MIN(length - at, (uint64_t)BLOCK_BYTES);
        FW_TRY(read_at(fd, block, n, at, path, err));
        fw_hasher_add(hasher, block, n);
        at += n;
    }
    *out = fw_hasher_value(hasher);
    return FW_OK;
}

static fw_status file_length(uint64_t *out, int fd, const char *path, fw_error *err)
{
    struct stat s;
    if (fstat(fd, &s) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be looked at", path);
    if (!S_ISREG(s.st_mode)) return fw_fail(err, FW_ERR_FORMAT, "%s is not a regular file", path);
    *out = (uint64_t)s.st_size;
    return FW_OK;
}

static void fill_head(unsigned char head[static FW_ENVELOPE_BYTES], const char *kind, uint32_t version, uint64_t length, fw_digest digest)
{
    memset(head, 0, FW_ENVELOPE_BYTES);
    memcpy(head, MAGIC, 8);
    memcpy(head + 8, kind, strnlen(kind, 8));
    put(head + 16, version, 4);
    put(head + 24, length, 8);
    put(head + 32, digest.lo, 8);
    put(head + 40, digest.hi, 8);
    put(head + CHECK_AT, fw_hash64(head, CHECK_AT, 0), 8);
}

static fw_status seal_open_file(int fd, const char *path, const char *kind, uint32_t version, const fw_digest *digest, fw_error *err)
{
    uint64_t      length;
    unsigned char head[FW_ENVELOPE_BYTES];
    fw_digest     covered;
    FW_TRY(file_length(&length, fd, path, err));
    if (length < FW_ENVELOPE_BYTES) return fw_fail(err, FW_ERR_INTERNAL, "%s has no room for its head: %" PRIu64 " bytes", path, length);
    FW_TRY(read_at(fd, head, sizeof head, 0, path, err));
    if (memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0) return fw_fail(err, FW_ERR_INTERNAL, "%s was made without a user block for its head", path);
    if (digest != NULL) covered = *digest;
    else FW_TRY(digest_rest(&covered, fd, length, path, err));
    fill_head(head, kind, version, length, covered);
    FW_TRY(write_at(fd, head, sizeof head, 0, path, err));
    if (fsync(fd) != 0) return fw_fail_errno(err, FW_ERR_IO, "fsync of %s", path);
    return FW_OK;
}

fw_status fw_envelope_seal(const char *path, const char *kind, uint32_t version, const fw_digest *digest, fw_error *err)
{
    if (kind[0] == '\0' || strlen(kind) > 8) return fw_fail(err, FW_ERR_ARG, "%s: a file's kind has 1 to 8 letters, \"%s\" does not", path, kind);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be opened to be sealed", path);
    fw_status status = seal_open_file(fd, path, kind, version, digest, err);
    if (close(fd) != 0 && status == FW_OK) status = fw_fail_errno(err, FW_ERR_IO, "close of %s", path);
    return status;
}

/* A kind as text, unprintable bytes shown as '?'. */
static void kind_text(char out[static 9], const unsigned char *at)
{
    memcpy(out, at, 8);
    out[8] = '\0';
    for (char *c = out; *c != '\0'; c++)
        if (*c < ' ' || *c > '~') *c = '?';
}

static fw_status check_head(fw_envelope *e, const unsigned char head[static FW_ENVELOPE_BYTES], const char *path, const char *kind,
                            uint32_t max_version, fw_error *err)
{
    if (memcmp(head, MAGIC, 8) != 0) return fw_fail(err, FW_ERR_FORMAT, "%s is not a flywheel file: its first bytes are not %s", path, MAGIC);
    if (get(head + CHECK_AT, 8) != fw_hash64(head, CHECK_AT, 0))
        return fw_fail(err, FW_ERR_FORMAT, "%s is damaged: the checksum of its head does not agree; take another copy", path);
    kind_text(e->kind, head + 8);
    e->version = (uint32_t)get(head + 16, 4);
    e->length = get(head + 24, 8);
    e->digest = (fw_digest){.lo = get(head + 32, 8), .hi = get(head + 40, 8)};
    if (strcmp(e->kind, kind) != 0) return fw_fail(err, FW_ERR_FORMAT, "%s is a flywheel file of kind \"%s\"; a \"%s\" is needed here", path, e->kind, kind);
    if (e->version > max_version)
        return fw_fail(err, FW_ERR_VERSION, "%s has format version %" PRIu32 " of \"%s\"; this program reads up to %" PRIu32 ": use a newer flywheel", path,
                       e->version, kind, max_version);
    if (e->version == 0) return fw_fail(err, FW_ERR_FORMAT, "%s has format version 0, which never was", path);
    return FW_OK;
}

static fw_status check_open_file(fw_envelope *e, int fd, const char *path, const char *kind, uint32_t max_version, int whole, fw_error *err)
{
    uint64_t      length;
    unsigned char head[FW_ENVELOPE_BYTES];
    FW_TRY(file_length(&length, fd, path, err));
    if (length < FW_ENVELOPE_BYTES)
        return fw_fail(err, FW_ERR_FORMAT, "%s is not a flywheel file, or was cut short: it has %" PRIu64 " bytes, its head alone has %d", path, length,
                       FW_ENVELOPE_BYTES);
    FW_TRY(read_at(fd, head, sizeof head, 0, path, err));
    FW_TRY(check_head(e, head, path, kind, max_version, err));
    if (e->length != length)
        return fw_fail(err, FW_ERR_FORMAT, "%s has %" PRIu64 " bytes and should have %" PRIu64 ": it was cut short or added to; take another copy", path,
                       length, e->length);
    if (!whole) return FW_OK;
    fw_digest found;
    FW_TRY(digest_rest(&found, fd, length, path, err));
    if (!fw_digest_equal(found, e->digest))
        return fw_fail(err, FW_ERR_FORMAT, "%s is damaged: the digest of its content does not agree; take another copy", path);
    return FW_OK;
}

fw_status fw_envelope_check(fw_envelope *out, const char *path, const char *kind, uint32_t max_version, int whole, fw_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);      /* a pipe is refused, not waited for */
    if (fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be opened", path);
    fw_envelope e = {0};
    fw_status   status = check_open_file(&e, fd, path, kind, max_version, whole, err);
    close(fd);
    if (status == FW_OK && out != NULL) *out = e;
    return status;
}
