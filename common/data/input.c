#include "common/data/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "common/core/size.h"

#define PACKED_BYTES (256u << 10)
#define SKIPPED_BYTES (64u << 10)

typedef enum packing { PLAIN, GZIP, ZSTANDARD } packing;

struct fw_input {
    char *path;
    int fd;
    uint64_t file_bytes;
    packing kind;
    uint64_t at;                  /* unpacked offset of the next byte the stream gives */
    fw_digest *leaves;            /* of those that were noted; 0: of none */
    /* Packed input only. */
    uint64_t file_at;             /* stored offset of the next byte to load */
    uint8_t *packed, *skipped;    /* PACKED_BYTES, SKIPPED_BYTES */
    size_t packed_at, packed_len;
    bool inside;                  /* within a gzip member or zstd frame */
    bool gzip_ready;
    z_stream gzip;
    ZSTD_DStream *zstd;
};

static bool ends_with(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

/** Reads until the buffer is full or the file ends. */
static fw_status read_stored(const fw_input *in, uint64_t offset, void *buffer, size_t len, size_t *got, fw_error *err)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(in->fd, (char *)buffer + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fw_fail_errno(err, FW_ERR_IO, "%s: can't be read at byte %llu", in->path, (unsigned long long)(offset + done));
        if (n == 0) break;
        done += (size_t)n;
    }
    *got = done;
    return FW_OK;
}

static fw_status open_file(fw_input *in, fw_error *err)
{
    struct stat st;
    in->fd = open(in->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (in->fd < 0 && errno == ENOENT)
        return fw_fail(err, FW_ERR_CONFIG, "%s: no such file (relative paths start at the folder of the project file)", in->path);
    if (in->fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s: can't be opened", in->path);
    if (fstat(in->fd, &st) != 0) return fw_fail_errno(err, FW_ERR_IO, "%s: can't be examined", in->path);
    if (!S_ISREG(st.st_mode)) return fw_fail(err, FW_ERR_IO, "%s: not a regular file; a table must be a file that can be read more than once", in->path);
    in->file_bytes = (uint64_t)st.st_size;
    return FW_OK;
}

/** By the first bytes: gzip 1f 8b, zstd 28 b5 2f fd (or a skippable frame 5? 2a 4d 18, when the name says zstd). */
static fw_status find_packing(fw_input *in, fw_error *err)
{
    uint8_t first[4] = {0};
    size_t got;
    FW_TRY(read_stored(in, 0, first, sizeof first, &got, err));
    bool skippable = (first[0] & 0xf0) == 0x50 && first[1] == 0x2a && first[2] == 0x4d && first[3] == 0x18;
    bool named_gzip = ends_with(in->path, ".gz"), named_zstd = ends_with(in->path, ".zst");
    if (first[0] == 0x1f && first[1] == 0x8b) in->kind = GZIP;
    else if (memcmp(first, "\x28\xb5\x2f\xfd", 4) == 0 || (named_zstd && skippable)) in->kind = ZSTANDARD;
    else if (in->file_bytes > 0 && (named_gzip || named_zstd))
        return fw_fail(err, FW_ERR_DATA, "%s: the name says %s, the first bytes do not; rename it if it is plain text, else copy it again", in->path,
                       named_gzip ? "gzip" : "zstd");
    return FW_OK;
}

static fw_status create_decoder(fw_input *in, fw_error *err)
{
    if (in->kind == PLAIN) return FW_OK;
    in->packed = malloc(PACKED_BYTES);
    in->skipped = malloc(SKIPPED_BYTES);
    if (in->kind == ZSTANDARD) in->zstd = ZSTD_createDStream();
    if (in->kind == GZIP) in->gzip_ready = inflateInit2(&in->gzip, 15 + 16) == Z_OK;      /* 16: gzip header and CRC expected */
    if (in->packed == NULL || in->skipped == NULL || (in->kind == ZSTANDARD && in->zstd == NULL) || (in->kind == GZIP && !in->gzip_ready))
        return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to unpack", in->path);
    return FW_OK;
}

fw_status fw_input_open(fw_input **out, const char *path, fw_error *err)
{
    FW_AUTO(fw_input) *in = calloc(1, sizeof *in);
    if (in == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory", path);
    in->fd = -1;
    FW_TRY(fw_copy_text(&in->path, path, err));
    FW_TRY(open_file(in, err));
    FW_TRY(find_packing(in, err));
    FW_TRY(create_decoder(in, err));
    *out = in;
    in = NULL;
    return FW_OK;
}

void fw_input_destroy(fw_input **in)
{
    if (*in == NULL) return;
    if ((*in)->fd >= 0) close((*in)->fd);
    if ((*in)->gzip_ready) inflateEnd(&(*in)->gzip);
    ZSTD_freeDStream((*in)->zstd);
    free((*in)->packed);
    free((*in)->skipped);
    free((*in)->leaves);
    free((*in)->path);
    free(*in);
    *in = NULL;
}

const char *fw_input_path(const fw_input *in) { return in->path; }
bool        fw_input_plain(const fw_input *in) { return in->kind == PLAIN; }
uint64_t    fw_input_file_bytes(const fw_input *in) { return in->file_bytes; }

static fw_status rewind_stream(fw_input *in, fw_error *err)
{
    in->at = in->file_at = 0;
    in->packed_at = in->packed_len = 0;
    in->inside = false;
    bool ok = in->kind == GZIP ? inflateReset(&in->gzip) == Z_OK : !ZSTD_isError(ZSTD_initDStream(in->zstd));
    return ok ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "%s: the decoder can't start again", in->path);
}

static fw_status load_packed(fw_input *in, fw_error *err)
{
    FW_TRY(read_stored(in, in->file_at, in->packed, PACKED_BYTES, &in->packed_len, err));
    in->packed_at = 0;
    in->file_at += in->packed_len;
    return FW_OK;
}

static fw_status damaged(const fw_input *in, const char *why, fw_error *err)
{
    const char *name = in->kind == GZIP ? "gzip" : "zstd";
    return fw_fail(err, FW_ERR_DATA, "%s: the %s data is damaged (%s) after %llu unpacked bytes; test it with %s -t and copy it again", in->path, name, why,
                   (unsigned long long)in->at, name);
}

/** Unpacks from what is loaded into out; *made bytes came. */
static fw_status inflate_some(fw_input *in, uint8_t *out, size_t room, size_t *made, fw_error *err)
{
    if (!in->inside) {                                                /* behind one member stands another one, or nothing */
        if (in->at > 0 && in->packed[in->packed_at] != 0x1f) return damaged(in, "other bytes follow", err);
        if (inflateReset(&in->gzip) != Z_OK) return damaged(in, "the decoder can't start", err);
        in->inside = true;
    }
    in->gzip.next_in = in->packed + in->packed_at;
    in->gzip.avail_in = (uInt)(in->packed_len - in->packed_at);
    in->gzip.next_out = out;
    in->gzip.avail_out = (uInt)FW_MIN(room, (size_t)1 << 30);
    uInt before = in->gzip.avail_out;
    int code = inflate(&in->gzip, Z_NO_FLUSH);
    if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR) return damaged(in, in->gzip.msg ? in->gzip.msg : "no valid stream", err);
    in->packed_at = in->packed_len - in->gzip.avail_in;
    *made = before - in->gzip.avail_out;
    in->inside = code != Z_STREAM_END;
    return FW_OK;
}

static fw_status zstd_some(fw_input *in, uint8_t *out, size_t room, size_t *made, fw_error *err)
{
    ZSTD_inBuffer from = {in->packed, in->packed_len, in->packed_at};
    ZSTD_outBuffer to = {out, room, 0};
    size_t code = ZSTD_decompressStream(in->zstd, &to, &from);
    if (ZSTD_isError(code)) return damaged(in, ZSTD_getErrorName(code), err);
    in->packed_at = from.pos;
    *made = to.pos;
    in->inside = code != 0;
    return FW_OK;
}

/** Fills the buffer from the stream; *got < len only at its end. The decoder may hold finished bytes when no stored byte is left. */
static fw_status unpack(fw_input *in, uint8_t *buffer, size_t len, size_t *got, fw_error *err)
{
    size_t done = 0;
    while (done < len) {
        if (in->packed_at == in->packed_len) FW_TRY(load_packed(in, err));
        bool file_ended = in->packed_len == 0;
        if (file_ended && !in->inside) break;
        size_t made = 0;
        FW_TRY(in->kind == GZIP ? inflate_some(in, buffer + done, len - done, &made, err) : zstd_some(in, buffer + done, len - done, &made, err));
        in->at += made;
        done += made;
        if (file_ended && made == 0 && in->inside) return damaged(in, "it ends too early: the file is truncated", err);
    }
    *got = done;
    return FW_OK;
}

static fw_status read_plain(fw_input *in, uint64_t offset, void *buffer, size_t len, size_t *got, fw_error *err)
{
    if (offset >= in->file_bytes) {
        *got = 0;
        return FW_OK;
    }
    size_t want = (size_t)FW_MIN((uint64_t)len, in->file_bytes - offset), n;
    FW_TRY(read_stored(in, offset, buffer, want, &n, err));
    if (n < want) return fw_fail(err, FW_ERR_IO, "%s: became shorter while it was read; don't write to a table that is in use", in->path);
    *got = n;
    return FW_OK;
}

fw_status fw_input_read(fw_input *in, uint64_t offset, void *buffer, size_t len, size_t *got, fw_error *err)
{
    if (in->kind == PLAIN) return read_plain(in, offset, buffer, len, got, err);
    if (offset < in->at) FW_TRY(rewind_stream(in, err));
    while (in->at < offset) {
        size_t n;
        FW_TRY(unpack(in, in->skipped, (size_t)FW_MIN(offset - in->at, (uint64_t)SKIPPED_BYTES), &n, err));
        if (n == 0) break;
    }
    *got = 0;
    return in->at < offset ? FW_OK : unpack(in, buffer, len, got, err);
}

/* ---- leaves ---- */

uint64_t fw_input_n_leaves(const fw_input *in) { return (in->file_bytes + FW_INPUT_LEAF - 1) / FW_INPUT_LEAF; }

static size_t leaf_bytes(const fw_input *in, uint64_t leaf)
{
    return (size_t)FW_MIN((uint64_t)FW_INPUT_LEAF, in->file_bytes - leaf * FW_INPUT_LEAF);
}

void fw_input_note(fw_input *in, uint64_t offset, const void *bytes, size_t len)
{
    const uint64_t leaf = offset / FW_INPUT_LEAF;
    if (offset % FW_INPUT_LEAF != 0 || leaf >= fw_input_n_leaves(in) || len != leaf_bytes(in, leaf)) return;
    if (in->leaves == NULL) in->leaves = calloc((size_t)fw_input_n_leaves(in), sizeof *in->leaves);
    if (in->leaves != NULL) in->leaves[leaf] = fw_hash128(bytes, len, 0);      /* else it is read again */
}

fw_status fw_input_leaf(fw_digest *out, fw_input *in, uint64_t leaf, fw_error *err)
{
    const fw_digest none = {0};
    if (in->leaves == NULL || fw_digest_equal(in->leaves[leaf], none)) {
        const size_t len = leaf_bytes(in, leaf);
        size_t got;
        FW_FREE uint8_t *bytes = malloc(len);
        if (bytes == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory", in->path);
        FW_TRY(read_stored(in, leaf * FW_INPUT_LEAF, bytes, len, &got, err));
        if (got < len) return fw_fail(err, FW_ERR_IO, "%s: became shorter while it was read; don't write to a table that is in use", in->path);
        *out = fw_hash128(bytes, len, 0);
        return FW_OK;
    }
    *out = in->leaves[leaf];
    return FW_OK;
}
