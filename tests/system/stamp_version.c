/** stamp_version FILE KIND VERSION: the same file as if a newer program had written it, with a head that agrees. */
#include <stdio.h>
#include <stdlib.h>

#include "common/core/envelope.h"

int main(int argc, char **argv)
{
    fw_envelope e;
    fw_error err = {0};
    if (argc != 4) return 2;
    fw_status s = fw_envelope_check(&e, argv[1], argv[2], UINT32_MAX, 0, &err);
    if (s == FW_OK) s = fw_envelope_seal(argv[1], argv[2], (uint32_t)strtoul(argv[3], NULL, 10), &e.digest, &err);
    if (s != FW_OK) fprintf(stderr, "stamp_version: %s\n", err.text);
    return s == FW_OK ? 0 : 1;
}
