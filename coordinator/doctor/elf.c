#include "coordinator/doctor/elf.h"

#include <elf.h>
#include <stdint.h>
#include <string.h>

typedef struct image { const char *bytes; size_t len; Elf64_Ehdr head; } image;

/* n records of that size at that place, whole within the file. */
static bool inside(const image *e, uint64_t at, uint64_t n, uint64_t size) { return at <= e->len && (size == 0 || n <= (e->len - at) / size); }

static bool read_head(image *e)
{
    if (e->len < sizeof e->head) return false;
    memcpy(&e->head, e->bytes, sizeof e->head);
    const unsigned char *id = e->head.e_ident;
    return memcmp(id, ELFMAG, SELFMAG) == 0 && id[EI_CLASS] == ELFCLASS64 && id[EI_DATA] == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB) &&
           e->head.e_phentsize == sizeof(Elf64_Phdr) && inside(e, e->head.e_phoff, e->head.e_phnum, sizeof(Elf64_Phdr));
}

static Elf64_Phdr segment(const image *e, size_t i)
{
    Elf64_Phdr p;
    memcpy(&p, e->bytes + e->head.e_phoff + i * sizeof p, sizeof p);
    return p;
}

/* Where an address of memory stands in the file. */
static bool place_of(uint64_t *at, uint64_t *room, const image *e, uint64_t address)
{
    for (size_t i = 0; i < e->head.e_phnum; i++) {
        const Elf64_Phdr p = segment(e, i);
        if (p.p_type != PT_LOAD || address < p.p_vaddr || address - p.p_vaddr >= p.p_filesz || !inside(e, p.p_offset, p.p_filesz, 1)) continue;
        *at = p.p_offset + (address - p.p_vaddr);
        *room = p.p_filesz - (address - p.p_vaddr);
        return true;
    }
    return false;
}

typedef struct dynamic { uint64_t strings, strings_len, flags, flags_1; } dynamic;

static bool read_dynamic(dynamic *d, const image *e, const Elf64_Phdr *p)
{
    if (!inside(e, p->p_offset, p->p_filesz, 1)) return false;
    for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= p->p_filesz; at += sizeof(Elf64_Dyn)) {
        Elf64_Dyn entry;
        memcpy(&entry, e->bytes + p->p_offset + at, sizeof entry);
        if (entry.d_tag == DT_NULL) return true;
        if (entry.d_tag == DT_STRTAB) d->strings = entry.d_un.d_ptr;
        if (entry.d_tag == DT_STRSZ) d->strings_len = entry.d_un.d_val;
        if (entry.d_tag == DT_FLAGS) d->flags |= entry.d_un.d_val;
        if (entry.d_tag == DT_FLAGS_1) d->flags_1 |= entry.d_un.d_val;
        if (entry.d_tag == DT_BIND_NOW) d->flags |= DF_BIND_NOW;
    }
    return true;
}

/* Names that the program takes from the C library. */
static void look_at_names(coord_elf *out, const image *e, const dynamic *d)
{
    static const char guard[] = "__stack_chk_fail", checked[] = "_chk";
    uint64_t at = 0, room = 0;
    if (d->strings_len == 0 || !place_of(&at, &room, e, d->strings) || d->strings_len > room) return;
    for (const char *s = e->bytes + at, *end = s + d->strings_len; s < end;) {
        const size_t len = strnlen(s, (size_t)(end - s));
        if (len == strlen(guard) && memcmp(s, guard, len) == 0) out->stack_protector = true;
        if (len > strlen(checked) && memcmp(s + len - strlen(checked), checked, strlen(checked)) == 0) out->fortified = true;
        s += len + 1;
    }
}

bool coord_elf_read(coord_elf *out, const void *bytes, size_t len)
{
    image e = {.bytes = bytes, .len = len};
    dynamic d = {0};
    if (!read_head(&e)) return false;
    *out = (coord_elf){.no_writable_code = true};
    for (size_t i = 0; i < e.head.e_phnum; i++) {
        const Elf64_Phdr p = segment(&e, i);
        if (p.p_type == PT_DYNAMIC && !read_dynamic(&d, &e, &p)) return false;
        if (p.p_type == PT_GNU_RELRO) out->read_only_relocations = true;
        if (p.p_type == PT_GNU_STACK) out->stack_not_executable = (p.p_flags & PF_X) == 0;
        if (p.p_type == PT_LOAD && (p.p_flags & (PF_W | PF_X)) == (PF_W | PF_X)) out->no_writable_code = false;
    }
    out->position_independent = e.head.e_type == ET_DYN;
    out->bound_at_start = (d.flags & DF_BIND_NOW) != 0 || (d.flags_1 & DF_1_NOW) != 0;
    look_at_names(out, &e, &d);
    return true;
}
