/** Any bytes given to a rank or a coordinator of a gang: 'M' and a message, or 'C' and a card. They are refused with FW_ERR_FORMAT, or what comes out
 *  keeps the limits of its header; a message packs and unpacks to the same again. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "proto/card.h"
#include "proto/gang.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) abort();
}

static void must_be_text(const char *s, size_t room)
{
    const size_t len = strnlen(s, room);
    must(len < room && fw_utf8_valid(s, len) == len);
}

static void try_message(const uint8_t *bytes, size_t len)
{
    fw_gang_message m = {0}, again = {0};
    FW_FREE void *packed = NULL;
    size_t packed_len = 0;
    fw_error err = {0};
    const fw_status s = fw_gang_unpack(&m, bytes, len, &err);
    must(s == FW_OK || ((s == FW_ERR_FORMAT || s == FW_ERR_NOMEM) && err.text[0] != '\0'));
    if (s != FW_OK) return;
    must(m.kind == FW_GANG_HELLO || m.kind == FW_GANG_HEARTBEAT || m.kind == FW_GANG_LEASE);
    if (m.kind == FW_GANG_HELLO) must(m.size >= 1 && m.size <= FW_GANG_MAX_RANKS);
    if (m.kind == FW_GANG_HEARTBEAT) must(m.rank < FW_GANG_MAX_RANKS);
    must_be_text(m.host, sizeof m.host);
    must_be_text(m.phase, sizeof m.phase);
    must(fw_gang_pack(&packed, &packed_len, &m, NULL) == FW_OK && fw_gang_unpack(&again, packed, packed_len, NULL) == FW_OK);
    must(again.kind == m.kind && again.generation == m.generation && again.rank == m.rank && again.step == m.step && again.made == m.made && again.stop == m.stop);
    must(fw_gang_same_token(again.token, m.token) && strcmp(again.host, m.host) == 0 && strcmp(again.phase, m.phase) == 0);
}

static void try_card(const uint8_t *bytes, size_t len)
{
    FW_AUTO(fw_card) *c = NULL;
    fw_error err = {0};
    const fw_status s = fw_card_parse(&c, (const char *)bytes, len, &err);
    must((s == FW_OK) == (c != NULL) && (s == FW_OK || ((s == FW_ERR_FORMAT || s == FW_ERR_NOMEM) && err.text[0] != '\0')));
    if (c == NULL) return;
    must(c->n_addresses <= FW_CARD_ADDRESSES && c->fence != NULL && c->page != NULL && isfinite(c->beat_s) && c->beat_s > 0);
    must(strnlen(c->key, sizeof c->key) < sizeof c->key && strnlen(c->host, sizeof c->host) < sizeof c->host);
    for (size_t i = 0; i < c->n_addresses; i++) must(strnlen(c->address[i], sizeof c->address[i]) < sizeof c->address[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len > 0 && bytes[0] == 'M') try_message(bytes + 1, len - 1);
    if (len > 0 && bytes[0] == 'C') try_card(bytes + 1, len - 1);
    return 0;
}
