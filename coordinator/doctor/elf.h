/** What a program file says of its own protection: read from its ELF headers, 64 bit, this machine's byte order. */
#ifndef COORD_DOCTOR_ELF_H
#define COORD_DOCTOR_ELF_H

#include <stdbool.h>
#include <stddef.h>

typedef struct coord_elf {
    bool position_independent, read_only_relocations, bound_at_start, stack_not_executable, no_writable_code, stack_protector, fortified;
} coord_elf;

/** False: these bytes are no such file, or it is cut or damaged. Local, reads nothing outside the bytes. */
bool coord_elf_read(coord_elf *out, const void *bytes, size_t len);

#endif
