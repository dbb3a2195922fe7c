/** The card of a gang: a file in its folder, for its own user's eyes, that the coordinator writes before it starts the ranks and rank 0 reads: where
 *  to come, what to prove it with, what to keep to. Also the name of the folder for the memory that the ranks of a host share. */
#ifndef FW_PROTO_CARD_H
#define FW_PROTO_CARD_H

#include <stddef.h>
#include <stdint.h>

#include "proto/gang.h"

#define FW_CARD_ADDRESSES    16
#define FW_CARD_ADDRESS_TEXT 256      /* as common/bus has it */
#define FW_CARD_KEY_TEXT     41
#define FW_CARD_MAX_BYTES    65536

typedef struct fw_card {
    uint64_t generation;
    uint8_t token[FW_GANG_TOKEN];
    char key[FW_CARD_KEY_TEXT];                                 /* public, of the coordinator's desk */
    char host[FW_GANG_HOST_TEXT];                               /* the coordinator's */
    char address[FW_CARD_ADDRESSES][FW_CARD_ADDRESS_TEXT];      /* of that host, without loopback */
    size_t n_addresses;                                         /* 0: the ranks are on that host, too */
    uint16_t port;
    double beat_s;                                              /* from heartbeat to heartbeat */
    char *fence, *page;                                         /* paths: of the fence (common/core/fence.h), of the page (gang.h); "": none */
} fw_card;

/** As text, malloc'ed. */
fw_status fw_card_print(char **text, const fw_card *card, fw_error *err);
/** Mode 0600, atomic. */
fw_status fw_card_write(const fw_card *card, const char *path, fw_error *err);
/** FW_ERR_FORMAT: no card, or one that breaks a limit. */
fw_status fw_card_parse(fw_card **out, const char *text, size_t len, fw_error *err);
void      fw_card_destroy(fw_card **card);

/** "<base>/flywheel-<16 digits of the card's path>.<generation>", base /dev/shm: memory that ranks share lies below a name of their own, so that what
 *  a kill leaves can be removed. malloc'ed; NULL in *out: the user has chosen places by Open MPI's own settings, or the host has no /dev/shm. */
fw_status fw_card_memory(char **out, const char *card_path, uint64_t generation, fw_error *err);
/** The same, made; NULL in *out also where another user's folder, or none, is in its place. The coordinator's launcher keeps its session there too. */
fw_status fw_card_make_memory(char **out, const char *card_path, uint64_t generation, fw_error *err);
/** Removes such folders of this card's generations below `kept` on this host. Nobody may live who uses them. */
void      fw_card_remove_memory(const char *card_path, uint64_t kept);

#endif
