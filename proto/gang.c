#include "proto/gang.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/text.h"
#include "proto/gang.pb-c.h"

_Static_assert(sizeof(fw_gang_page) <= FW_GANG_PAGE_BYTES, "one page");

fw_status fw_gang_pack(void **bytes, size_t *len, const fw_gang_message *m, fw_error *err)
{
    Flywheel__GangMessage p = FLYWHEEL__GANG_MESSAGE__INIT;
    Flywheel__Hello hello = FLYWHEEL__HELLO__INIT;
    Flywheel__Heartbeat beat = FLYWHEEL__HEARTBEAT__INIT;
    Flywheel__Lease lease = FLYWHEEL__LEASE__INIT;
    p.token = (ProtobufCBinaryData){FW_GANG_TOKEN, (uint8_t *)m->token};
    p.generation = m->generation;
    switch (m->kind) {
    case FW_GANG_HELLO:
        hello.size = m->size;
        hello.host = (char *)m->host;
        p.what_case = FLYWHEEL__GANG_MESSAGE__WHAT_HELLO;
        p.hello = &hello;
        break;
    case FW_GANG_HEARTBEAT:
        beat.rank = m->rank;
        beat.pid = m->pid;
        beat.started = m->started;
        beat.host = (char *)m->host;
        beat.phase = (char *)m->phase;
        beat.round = m->round;
        beat.step = m->step;
        beat.made = m->made;
        p.what_case = FLYWHEEL__GANG_MESSAGE__WHAT_HEARTBEAT;
        p.heartbeat = &beat;
        break;
    case FW_GANG_LEASE:
        lease.stop = m->stop;
        p.what_case = FLYWHEEL__GANG_MESSAGE__WHAT_LEASE;
        p.lease = &lease;
        break;
    }
    *len = flywheel__gang_message__get_packed_size(&p);
    *bytes = malloc(*len + 1);
    if (*bytes == NULL) return fw_fail(err, FW_ERR_NOMEM, "a message of %zu bytes", *len);
    flywheel__gang_message__pack(&p, *bytes);
    return FW_OK;
}

static fw_status take_text(char *out, size_t room, const char *text, const char *what, fw_error *err)
{
    const size_t len = strlen(text);
    if (len >= room || fw_utf8_valid(text, len) != len) return fw_fail(err, FW_ERR_FORMAT, "message of a gang: %s is too long, or no UTF-8", what);
    memcpy(out, text, len + 1);
    return FW_OK;
}

static fw_status take_heartbeat(fw_gang_message *m, const Flywheel__Heartbeat *b, fw_error *err)
{
    m->kind = FW_GANG_HEARTBEAT;
    if (b->rank >= FW_GANG_MAX_RANKS || b->pid > INT32_MAX) return fw_fail(err, FW_ERR_FORMAT, "heartbeat: rank %u, pid %u", b->rank, b->pid);
    m->rank = b->rank;
    m->pid = b->pid;
    m->started = b->started;
    m->round = b->round;
    m->step = b->step;
    m->made = b->made;
    FW_TRY(take_text(m->host, sizeof m->host, b->host, "the host", err));
    return take_text(m->phase, sizeof m->phase, b->phase, "the phase", err);
}

static fw_status take_message(fw_gang_message *m, const Flywheel__GangMessage *p, fw_error *err)
{
    if (p->token.len != FW_GANG_TOKEN) return fw_fail(err, FW_ERR_FORMAT, "message of a gang: a token of %zu bytes", p->token.len);
    memcpy(m->token, p->token.data, FW_GANG_TOKEN);
    m->generation = p->generation;
    switch (p->what_case) {
    case FLYWHEEL__GANG_MESSAGE__WHAT_HELLO:
        m->kind = FW_GANG_HELLO;
        m->size = p->hello->size;
        if (m->size < 1 || m->size > FW_GANG_MAX_RANKS) return fw_fail(err, FW_ERR_FORMAT, "hello: %u ranks", m->size);
        return take_text(m->host, sizeof m->host, p->hello->host, "the host", err);
    case FLYWHEEL__GANG_MESSAGE__WHAT_HEARTBEAT: return take_heartbeat(m, p->heartbeat, err);
    case FLYWHEEL__GANG_MESSAGE__WHAT_LEASE:
        m->kind = FW_GANG_LEASE;
        m->stop = p->lease->stop;
        return FW_OK;
    case FLYWHEEL__GANG_MESSAGE__WHAT__NOT_SET:
    case _FLYWHEEL__GANG_MESSAGE__WHAT__CASE_IS_INT_SIZE:
        break;
    }
    return fw_fail(err, FW_ERR_FORMAT, "message of a gang: of no kind that this version knows");
}

fw_status fw_gang_unpack(fw_gang_message *out, const void *bytes, size_t len, fw_error *err)
{
    fw_gang_message m = {0};
    if (len > FW_GANG_MAX_BYTES) return fw_fail(err, FW_ERR_FORMAT, "message of a gang: %zu bytes, more than %u", len, FW_GANG_MAX_BYTES);
    Flywheel__GangMessage *p = flywheel__gang_message__unpack(NULL, len, bytes);
    if (p == NULL) return fw_fail(err, FW_ERR_FORMAT, "%zu bytes are no message of a gang", len);
    fw_status s = take_message(&m, p, err);
    flywheel__gang_message__free_unpacked(p, NULL);
    FW_TRY(s);
    *out = m;
    return FW_OK;
}

/* Every byte is looked at, whatever the first difference: the time tells nothing. */
bool fw_gang_same_token(const uint8_t a[static FW_GANG_TOKEN], const uint8_t b[static FW_GANG_TOKEN])
{
    unsigned different = 0;
    for (size_t i = 0; i < FW_GANG_TOKEN; i++) different |= (unsigned)(a[i] ^ b[i]);
    return different == 0;
}
