#include <stdlib.h>
#include <string.h>

#include "common/bus/ledger.h"
#include "common/bus/recording.h"
#include "common/bus/recording_parts.h"
#include "common/core/fault.h"
#include "common/core/fs.h"
#include "common/core/size.h"

struct fw_recorder {
    char *path;
    fw_atomic_file *file;
    fw_text record;
    uint64_t messages;
};

static fw_status write_bytes(fw_recorder *r, const char *bytes, size_t len, fw_error *err)
{
    FW_TRY(fw_fault("recording.before_write", err));
    if (fwrite(bytes, 1, len, fw_atomic_file_stream(r->file)) != len) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be written", r->path);
    return FW_OK;
}

fw_status fw_recorder_create(fw_recorder **out, const char *path, fw_error *err)
{
    char head[FW_SEGMENT_HEAD];
    fw_stream stream;
    FW_AUTO(fw_recorder) *r = calloc(1, sizeof *r);
    if (r == NULL) return fw_fail(err, FW_ERR_NOMEM, "recording %s", path);
    FW_TRY(fw_copy_text(&r->path, path, err));
    FW_TRY(fw_stream_draw(&stream, err));
    FW_TRY(fw_atomic_file_create(&r->file, path, err));
    fw_segment_head(head, &stream, 1);
    FW_TRY(write_bytes(r, head, sizeof head, err));
    *out = r;
    r = NULL;
    return FW_OK;
}

void fw_recorder_destroy(fw_recorder **recorder)
{
    if (recorder == NULL || *recorder == NULL) return;
    fw_recorder *r = *recorder;
    fw_atomic_file_destroy(&r->file);
    fw_text_destroy(&r->record);
    free(r->path);
    free(r);
    *recorder = NULL;
}

static fw_status append(fw_recorder *r, const char *topic, const void *payload, size_t len, fw_error *err)
{
    fw_text_clear(&r->record);
    fw_record_append(&r->record, r->messages + 1, topic, strlen(topic), payload, len);
    FW_TRY(fw_text_check(&r->record, err));
    return write_bytes(r, r->record.data, r->record.len, err);
}

fw_status fw_recorder_put(fw_recorder *r, const char *topic, const void *payload, size_t len, fw_error *err)
{
    const size_t topic_len = strlen(topic);
    if (topic_len == 0 || topic_len > FW_BUS_MAX_TOPIC || len > FW_BUS_MAX_MESSAGE || strcmp(topic, FW_RECORDING_END) == 0)
        return fw_fail(err, FW_ERR_ARG, "recording %s: a message of %zu bytes with the topic '%.40s'; readers accept %u bytes, and topics of 1 to %u", r->path, len, topic,
                       FW_BUS_MAX_MESSAGE, FW_BUS_MAX_TOPIC);
    FW_TRY(append(r, topic, payload, len, err));
    r->messages++;
    return FW_OK;
}

fw_status fw_recorder_commit(fw_recorder *r, fw_error *err)
{
    FW_TRY(append(r, FW_RECORDING_END, "", 0, err));
    return fw_atomic_file_commit(r->file, err);
}

uint64_t fw_recorder_messages(const fw_recorder *r) { return r->messages; }
