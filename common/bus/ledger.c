#include "common/bus/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/core/hash.h"
#include "common/core/size.h"

#define SLOT_BYTES 4096

typedef struct slot { char magic[8]; uint64_t counter; fw_ledger_entry entry; uint64_t check; } slot;
_Static_assert(sizeof(slot) <= SLOT_BYTES, "an entry has room in its slot");
static const char slot_magic[8] = {'F', 'W', 'L', 'E', 'D', 'G', 'R', '1'};

static uint64_t check_of(const slot *s) { return fw_hash64(s, offsetof(slot, check), 0); }

static bool is_whole(const slot *s)
{
    const fw_ledger_entry *e = &s->entry;
    if (memcmp(s->magic, slot_magic, sizeof slot_magic) != 0 || s->check != check_of(s)) return false;
    if (e->n_readers > FW_SPOOL_MAX_READERS || e->n_gone > FW_LEDGER_GONE || e->released > FW_BUS_MAX_SEQUENCE || e->reserved > FW_BUS_MAX_SEQUENCE) return false;
    for (size_t i = 0; i < e->n_readers; i++)
        if (memchr(e->readers[i].name, '\0', sizeof e->readers[i].name) == NULL) return false;
    return true;
}

/** Of this start of the kernel; zeros when it is not told. */
static void read_boot(unsigned char out[static 16])
{
    char text[64] = {0};
    memset(out, 0, 16);
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0) close(fd);
    const fw_digest d = fw_hash128(text, n > 0 ? (size_t)n : 0, 0);
    if (n > 0) memcpy(out, &d, 16);
}

fw_status fw_stream_draw(fw_stream *out, fw_error *err)
{
    ssize_t n;
    do n = getrandom(out->bytes, sizeof out->bytes, 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof out->bytes ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "no random numbers for the name of a stream");
}

/** The newer of the whole slots. */
static bool read_slots(fw_ledger *l, bool *anything)
{
    bool found = false;
    for (int i = 0; i < 2; i++) {
        slot s = {0};
        const ssize_t n = pread(l->fd, &s, sizeof s, i * SLOT_BYTES);
        *anything = *anything || n > 0;
        if (n != (ssize_t)sizeof s || !is_whole(&s) || (found && s.counter < l->counter)) continue;
        l->counter = s.counter;
        l->entry = s.entry;
        found = true;
    }
    return found;
}

fw_status fw_ledger_open(fw_ledger *l, const char *folder, bool *found, bool *damaged, fw_error *err)
{
    fw_ledger made = {.fd = -1};
    *found = *damaged = false;
    read_boot(made.boot);
    if (folder != NULL) {
        FW_FREE char *path = NULL;
        if (asprintf(&path, "%s/ledger", folder) < 0) return fw_fail(err, FW_ERR_NOMEM, "spool: a name");
        made.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (made.fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be opened", path);
        *found = read_slots(&made, damaged);
        *damaged = *damaged && !*found;
    }
    const fw_status status = *found ? FW_OK : fw_stream_draw(&made.entry.stream, err);
    if (status < 0) {
        fw_ledger_close(&made);
        return status;
    }
    *l = made;
    return FW_OK;
}

fw_status fw_ledger_read(fw_ledger_entry *out, const char *folder, fw_error *err)
{
    FW_FREE char *path = NULL;
    bool anything = false;
    if (asprintf(&path, "%s/ledger", folder) < 0) return fw_fail(err, FW_ERR_NOMEM, "spool: a name");
    fw_ledger l = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (l.fd < 0) return fw_fail_errno(err, errno == ENOENT ? FW_ERR_CONFIG : FW_ERR_IO, "%s is no spool: %s", folder, path);
    const bool found = read_slots(&l, &anything);
    fw_ledger_close(&l);
    if (!found) return fw_fail(err, FW_ERR_FORMAT, "%s is damaged", path);
    *out = l.entry;
    return FW_OK;
}

void fw_ledger_close(fw_ledger *l)
{
    if (l->fd >= 0) close(l->fd);
    l->fd = -1;
}

fw_status fw_ledger_save(fw_ledger *l, fw_error *err)
{
    memcpy(l->entry.boot, l->boot, sizeof l->boot);
    if (l->fd < 0) return FW_OK;
    slot s;
    memset(&s, 0, sizeof s);           /* holes too: the check is of all bytes */
    memcpy(s.magic, slot_magic, sizeof slot_magic);
    s.counter = ++l->counter;
    s.entry = l->entry;
    s.check = check_of(&s);
    const ssize_t n = pwrite(l->fd, &s, sizeof s, (off_t)(l->counter % 2) * SLOT_BYTES);
    l->dirty = true;
    return n == (ssize_t)sizeof s ? FW_OK : fw_fail_errno(err, FW_ERR_IO, "the ledger of the spool cannot be written");
}

fw_status fw_ledger_sync(fw_ledger *l, fw_error *err)
{
    if (l->fd < 0 || !l->dirty) return FW_OK;
    if (fdatasync(l->fd) != 0) return fw_fail_errno(err, FW_ERR_IO, "the ledger of the spool cannot be synced");
    l->dirty = false;
    return FW_OK;
}

bool fw_ledger_other_boot(const fw_ledger *l) { return memcmp(l->boot, l->entry.boot, sizeof l->boot) != 0; }
