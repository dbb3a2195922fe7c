/** What is not hardened: said plainly, and as a note where it is the user's choice. */
#include <string.h>
#include <sys/stat.h>

#include "common/bus/address.h"
#include "common/bus/allowed.h"
#include "common/core/fs.h"
#include "common/core/size.h"
#include "coordinator/doctor/checks.h"
#include "coordinator/doctor/elf.h"

#define PROGRAM_BYTES ((size_t)512 << 20)

void coord_look_user(coord_finding *f, const coord_doctor *d)
{
    const double uid = coord_fact(d, 0, "uid");
    if (uid == 0.0) {
        coord_found(f, COORD_NOTE, "root: a mistake or a hostile file can reach the whole machine");
        coord_advise(f, "run as a plain user; nothing in flywheel needs root");
    } else if (uid > 0.0) {
        coord_found(f, COORD_GOOD, "a plain user (uid %.0f)", uid);
    }
}

void coord_look_binary(coord_finding *f, const coord_doctor *d)
{
    FW_FREE char *bytes = NULL;
    size_t len = 0;
    coord_elf e = {0};
    (void)d;
    if (fw_read_file(&bytes, &len, "/proc/self/exe", PROGRAM_BYTES, NULL) < 0 || !coord_elf_read(&e, bytes, len)) return;
    const struct { bool good; const char *name; } parts[] = {
        {e.position_independent, "PIE"}, {e.read_only_relocations, "RELRO"}, {e.bound_at_start, "BIND_NOW"}, {e.stack_not_executable, "NX stack"},
        {e.no_writable_code, "W^X"}, {e.stack_protector, "stack protector"}, {e.fortified, "FORTIFY"}};
    FW_AUTO(fw_text) has = {0};
    FW_AUTO(fw_text) lacks = {0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        fw_text *t = parts[i].good ? &has : &lacks;
        fw_text_format(t, "%s%s", t->len > 0 ? ", " : "", parts[i].name);
    }
    if (has.len > 0) coord_found(f, COORD_GOOD, "%s", has.data);
    if (lacks.len == 0) return;
    coord_found(f, COORD_WARN, "without %s", lacks.data);
    coord_advise(f, "build with cmake --preset release (FW_HARDEN=ON)");
}

static void look_at_keys(coord_finding *f, const fw_project *p)
{
    FW_FREE char *folder = NULL;
    fw_error why = {0};
    fw_status s = fw_path_join(&folder, p->dir, p->monitor.keys, &why);
    if (s == FW_OK) s = fw_bus_check(p->monitor.bus, &(fw_bus_identity){.keys = folder}, true, &why);
    if (s == FW_OK) coord_found(f, COORD_GOOD, "%s: encrypted, for those alone who are in %s/%s", p->monitor.bus, folder, FW_ALLOWED_FILE);
    else coord_found(f, COORD_WARN, "%s: nothing will be published: %.300s", p->monitor.bus, why.text);
}

void coord_look_telemetry(coord_finding *f, const coord_doctor *d)
{
    const char *bus = d->project != NULL ? d->project->monitor.bus : NULL;
    if (bus == NULL && d->project == NULL) coord_found(f, COORD_GOOD, "no project was given; without keys what is published stays on this host");
    else if (bus == NULL) coord_found(f, COORD_GOOD, "the project publishes nothing");
    else if (d->project->monitor.keys != NULL) look_at_keys(f, d->project);
    else if (fw_endpoint_is_near(bus, true)) coord_found(f, COORD_GOOD, "%s: this host alone can read it, every user of it", bus);
    else {
        coord_found(f, COORD_WARN, "%s: refused without keys; with --insecure whoever reaches the port reads every prediction, no encryption", bus);
        coord_advise(f, "flywheel keys new publisher -o keys, and monitor.keys: keys");
    }
}

void coord_look_readable(coord_finding *f, const coord_doctor *d)
{
    if (!coord_folder_works(&d->folder)) return;
    const unsigned mode = d->folder.mode & 07777;
    if ((mode & S_IWOTH) != 0 && (mode & S_ISVTX) == 0) {
        coord_found(f, COORD_WARN, "mode %04o: everybody on this machine may replace its files", mode);
        coord_advise(f, "chmod o-w %s", d->folder.dir);
    } else if ((mode & (S_IROTH | S_IXOTH)) == (S_IROTH | S_IXOTH)) {
        coord_found(f, COORD_NOTE, "mode %04o: everybody on this machine may read models, predictions and reports", mode);
        coord_advise(f, "chmod o-rx %s, and umask 077", d->folder.dir);
    } else {
        coord_found(f, COORD_GOOD, "mode %04o", mode);
    }
}

void coord_look_core_files(coord_finding *f, const coord_doctor *d)
{
    const char *pattern = coord_fact_word(d, 0, "core_pattern");
    const bool piped = pattern[0] == '|', on = coord_fact(d, 0, "limit.core") != 0.0;
    if (!on && !piped) {
        coord_found(f, COORD_GOOD, "off");
        return;
    }
    coord_found(f, COORD_NOTE, "%s: after a crash rows of the data stand in a file (%.60s)", piped ? "the system collects them" : "on", pattern);
    coord_advise(f, piped ? "coredumpctl, or whoever collects them: who may read there?" : "ulimit -c 0 where the data is private");
}

void coord_look_ecc(coord_finding *f, const coord_doctor *d)
{
    bool known = true;
    for (size_t i = 0; i < d->n_hosts; i++) known = known && coord_host_fact(d, i, "memory.edac") > 0.0;
    if (known) {
        coord_found(f, COORD_GOOD, "the kernel watches them (EDAC)");
        return;
    }
    coord_found(f, COORD_NOTE, "not known whether memory is ECC: the kernel tells nothing (often so on virtual machines)");
    coord_advise(f, "files are under checksums, sums are exact; a bit that flips in memory may still go unseen");
}
