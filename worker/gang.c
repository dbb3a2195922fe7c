/** A rank of a gang: started by a coordinator that is no MPI process, it comes to its desk, obeys as any rank does, and does not outlive it. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bus/address.h"
#include "common/core/fault.h"
#include "common/core/fence.h"
#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "worker/heartbeat.h"
#include "worker/worker.h"

#define REACH_S 20.0
#define HELLO_S 20.0

typedef struct gang_rank {
    worker_group *group;
    fw_card *card;
    fw_bus *bus;
    fw_line *orders;               /* rank 0 */
    worker_heartbeat *heartbeat;
    char endpoint[FW_ADDRESS_TEXT + 32];
    fw_gang_page *page;            /* rank 0 on the coordinator's host, else NULL */
    bool training;
    uint64_t step;
    _Atomic uint64_t made;         /* steps; the heartbeats tell it */
} gang_rank;

static const fw_reduce *reduce_of(const gang_rank *r) { return worker_group_reduce(r->group); }
static bool is_leader(const gang_rank *r) { return worker_group_rank(r->group) == 0; }

/* ---- before MPI ------------------------------------------------------------------------------------------------------------------ */

/* From here on this process ends with the one that started it. */
static pid_t die_with_parent(void)
{
    const pid_t parent = getppid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(fw_status_exit_code(FW_ERR_LOST));
    return parent;
}

/* Memory that ranks share lies in a folder of this gang. */
static fw_status prepare_memory(char **folder, const char *card_path, uint64_t generation, fw_error *err)
{
    fw_card_remove_memory(card_path, generation);
    FW_TRY(fw_card_make_memory(folder, card_path, generation, err));
    if (*folder == NULL) return FW_OK;
    setenv("OMPI_MCA_osc_sm_backing_directory", *folder, 1);
    setenv("OMPI_MCA_btl_vader_backing_directory", *folder, 1);
    return FW_OK;
}

/* ---- the card ---------------------------------------------------------------------------------------------------------------------- */

static fw_status take_card(gang_rank *r, const char *text, size_t len, uint64_t generation, fw_error *err)
{
    FW_TRY(fw_card_parse(&r->card, text, len, err));
    if (r->card->generation == generation) return FW_OK;
    return fw_fail(err, FW_ERR_LOST, "the card is of generation %llu; this rank is of generation %llu", (unsigned long long)r->card->generation,
                   (unsigned long long)generation);
}

static fw_status read_card(gang_rank *r, const char *path, uint64_t generation, fw_error *err)
{
    char *text = NULL;
    size_t len = 0;
    fw_status s = is_leader(r) ? fw_read_file(&text, &len, path, FW_CARD_MAX_BYTES, err) : FW_OK;
    s = reduce_of(r)->agree(reduce_of(r)->context, s, err);
    if (s == FW_OK) s = worker_group_broadcast(r->group, (void **)&text, &len, err);
    if (s == FW_OK && (s = take_card(r, text, len, generation, err)) != FW_OK) s = fw_wrap(err, s, "%s", path);
    free(text);
    return reduce_of(r)->agree(reduce_of(r)->context, s, err);
}

/* On the coordinator's host it is near; its name alone does not prove that. */
static fw_status find_endpoint(gang_rank *r, fw_error *err)
{
    char address[FW_CARD_ADDRESSES + 1][FW_ADDRESS_TEXT], host[FW_GANG_HOST_TEXT] = "";
    const fw_card *c = r->card;
    size_t n = 0, which = 0;
    gethostname(host, sizeof host - 1);
    if (c->n_addresses == 0 || strcmp(host, c->host) == 0) snprintf(address[n++], FW_ADDRESS_TEXT, "127.0.0.1");
    for (size_t i = 0; i < c->n_addresses; i++) snprintf(address[n++], FW_ADDRESS_TEXT, "%s", c->address[i]);
    FW_TRY(fw_reach(&which, (const char(*)[FW_ADDRESS_TEXT])address, n, c->port, fw_mono_after(fw_mono_now(), REACH_S), err));
    snprintf(r->endpoint, sizeof r->endpoint, "tcp://%s:%u", address[which], (unsigned)c->port);
    return FW_OK;
}
_Static_assert(FW_CARD_ADDRESS_TEXT == FW_ADDRESS_TEXT, "an address fits");

/* ---- the page ----------------------------------------------------------------------------------------------------------------------- */

/* Where it can't be mapped the coordinator has the heartbeats. */
static void map_page(gang_rank *r)
{
    char host[FW_GANG_HOST_TEXT] = "";
    gethostname(host, sizeof host - 1);
    int fd = is_leader(r) && r->card->page[0] != '\0' && strcmp(host, r->card->host) == 0 ? open(r->card->page, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *base = mmap(NULL, FW_GANG_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (base == MAP_FAILED) return;
    r->page = base;
    atomic_store(&r->page->generation, r->card->generation);
}

/* A step is made when its number grows within a phase; a phase begins with the number at which the training stands. */
static void on_note(void *context, const char *phase, uint64_t round, uint64_t step)
{
    gang_rank *r = context;
    if (phase != NULL) r->training = strcmp(phase, "train") == 0;
    if (phase == NULL && r->training && step != r->step) atomic_fetch_add_explicit(&r->made, 1, memory_order_relaxed);
    r->step = step;
    if (r->page != NULL) {
        atomic_store_explicit(&r->page->round, round, memory_order_relaxed);
        atomic_store_explicit(&r->page->step, step, memory_order_relaxed);
        atomic_store_explicit(&r->page->made, atomic_load_explicit(&r->made, memory_order_relaxed), memory_order_relaxed);
    }
}

/* ---- life ----------------------------------------------------------------------------------------------------------------------------- */

/* FW_TEST_GANG_HOST makes several hosts of one, for tests. */
static const char *own_name(const gang_rank *r)
{
    const char *host = getenv("FW_TEST_GANG_HOST");
    return host != NULL ? host : worker_group_host(r->group);
}

static fw_status start_heartbeat(gang_rank *r, pid_t parent, fw_error *err)
{
    worker_heartbeat_opts opts = {.bus = r->bus, .card = r->card, .endpoint = r->endpoint, .host = own_name(r),
                                  .rank = (uint32_t)worker_group_rank(r->group), .parent = parent, .slot = worker_group_slot(r->group), .made = &r->made};
    return worker_heartbeat_start(&r->heartbeat, &opts, err);
}

/* Rank 0's line: the desk knows it by a name that follows from the token, so that nobody else takes its place. */
static fw_status say_hello(gang_rank *r, fw_error *err)
{
    char name[24];
    FW_FREE void *bytes = NULL;
    size_t len = 0;
    fw_gang_message hello = {.kind = FW_GANG_HELLO, .generation = r->card->generation, .size = (uint32_t)worker_group_size(r->group)};
    memcpy(hello.token, r->card->token, sizeof hello.token);
    snprintf(hello.host, sizeof hello.host, "%s", own_name(r));
    snprintf(name, sizeof name, "L%016llx", (unsigned long long)fw_hash64(r->card->token, FW_GANG_TOKEN, 1));
    FW_TRY(fw_line_to_desk(&r->orders, r->bus, r->endpoint, r->card->key, name, err));
    FW_TRY(fw_gang_pack(&bytes, &len, &hello, err));
    return fw_line_send(r->orders, bytes, len, fw_mono_after(fw_mono_now(), HELLO_S), err);
}

static fw_status come(gang_rank *r, pid_t parent, fw_error *err)
{
    const fw_reduce *reduce = reduce_of(r);
    fw_status s = fw_fence_set(r->card->fence[0] != '\0' ? r->card->fence : NULL, r->card->generation, err);
    if (s == FW_OK) s = fw_bus_create(&r->bus, err);
    if (s == FW_OK) s = find_endpoint(r, err);
    if (s == FW_OK) s = start_heartbeat(r, parent, err);
    map_page(r);
    worker_group_listen(r->group, on_note, r);
    FW_TRY(reduce->agree(reduce->context, s, err));
    s = is_leader(r) ? say_hello(r, err) : FW_OK;
    return reduce->agree(reduce->context, s, err);
}

static void release(gang_rank *r)
{
    worker_heartbeat_stop(&r->heartbeat);
    fw_line_destroy(&r->orders);
    fw_bus_destroy(&r->bus);
    fw_card_destroy(&r->card);
    if (r->page != NULL) munmap(r->page, FW_GANG_PAGE_BYTES);
    r->page = NULL;
}

/* path: of the card; NULL: it is there. */
static fw_status begin(gang_rank *r, const char *path, uint64_t generation, int fault_rank, pid_t parent, fw_error *err)
{
    FW_TRY(fw_fault_init(fault_rank, err));            /* the same at every rank */
    FW_TRY(worker_choose_kernels(r->group, err));
    if (path != NULL) FW_TRY(read_card(r, path, generation, err));
    return come(r, parent, err);
}

static int serve(gang_rank *r)
{
    fw_error err = {0};
    worker_end end = {.exit_code = 1};
    fw_status s = worker_serve(r->group, r->orders, &end, &err);
    if (s != FW_OK) {
        if (is_leader(r)) fw_log_error("%s", err.text);
        _exit(fw_status_exit_code(s));                 /* the group is broken: no collective would come back */
    }
    if (!end.leave) return end.exit_code;
    fflush(NULL);
    _exit(end.exit_code);
}

static int fail_beginning(const gang_rank *r, const fw_error *err, fw_status s)
{
    if (is_leader(r)) fw_log_error("%s", err->text);
    return fw_status_exit_code(s);
}

int worker_run_gang(int *argc, char ***argv, const char *card_path, uint64_t generation)
{
    gang_rank r = {0};
    fw_error err = {0};
    FW_FREE char *memory = NULL;
    const pid_t parent = die_with_parent();
    fw_status s = prepare_memory(&memory, card_path, generation, &err);
    if (s == FW_OK) s = worker_group_start(&r.group, argc, argv, &err);
    if (s != FW_OK) {
        fw_log_error("%s", err.text);
        return fw_status_exit_code(s);
    }
    fw_log_init(worker_group_rank(r.group), 1);
    s = begin(&r, card_path, generation, worker_group_rank(r.group), parent, &err);
    const int exit_code = s == FW_OK ? serve(&r) : fail_beginning(&r, &err, s);
    release(&r);
    worker_group_stop(&r.group, false);
    if (memory != NULL) rmdir(memory);                 /* the last one of the host finds it empty */
    return exit_code;
}

int worker_run_member(worker_group *g, const char *card, size_t len, int rank_of_job)
{
    gang_rank r = {.group = g};
    fw_error err = {0};
    const pid_t parent = die_with_parent();
    fw_log_init(worker_group_rank(g), 1);
    fw_status s = fw_card_parse(&r.card, card, len, &err);
    s = reduce_of(&r)->agree(reduce_of(&r)->context, s, &err);
    if (s == FW_OK) s = begin(&r, NULL, 0, rank_of_job, parent, &err);
    const int exit_code = s == FW_OK ? serve(&r) : fail_beginning(&r, &err, s);
    release(&r);
    worker_group_stop(&r.group, false);
    return exit_code;
}
