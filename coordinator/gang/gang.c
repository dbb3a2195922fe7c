#include "coordinator/gang/gang.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bus/address.h"
#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/process.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/core/thread.h"
#include "coordinator/gang/gang_parts.h"

#define BEAT_S        0.2
#define BEAT_MANY_S   1.0       /* with more ranks than */
#define MANY_RANKS    256
#define CLEAN_UP_MS   1000
#define LINES_TOLD    8u
#define KILLED_S      30.0      /* until a killed process is gone */

/* ---- what the ranks find ------------------------------------------------------------------------------------------------------------ */

static fw_status open_desk(coord_gang *g, fw_error *err)
{
    fw_bus_keys keys;
    uint64_t port = 0;
    FW_TRY(fw_bus_create(&g->bus, err));
    FW_TRY(fw_bus_make_keys(&keys, err));
    FW_TRY(fw_desk_bind(&g->desk, g->bus, g->opts.local ? "tcp://127.0.0.1:*" : "tcp://*:*", &keys, err));
    const char *colon = strrchr(fw_desk_endpoint(g->desk), ':');
    if (colon == NULL || !fw_parse_uint64(&port, colon + 1, strlen(colon + 1)))
        return fw_fail(err, FW_ERR_BUS, "%s: where the desk is bound is not known", fw_desk_endpoint(g->desk));
    g->card.port = (uint16_t)port;
    memcpy(g->card.key, keys.public_key, sizeof g->card.key);
    if (g->opts.local) return FW_OK;
    return fw_own_addresses(g->card.address, FW_CARD_ADDRESSES, &g->card.n_addresses, err);
}

static fw_status open_line(coord_gang *g, fw_error *err)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "inproc://gang.%llu", (unsigned long long)g->opts.generation);
    FW_TRY(fw_line_bind(&g->inside, g->bus, endpoint, err));
    return fw_line_connect(&g->outside, g->bus, endpoint, err);
}

static fw_status make_page(coord_gang *g, fw_error *err)
{
    static const char zeros[FW_GANG_PAGE_BYTES];
    FW_TRY(fw_path_join(&g->card.page, g->opts.folder, "gang.page", err));
    int fd = open(g->card.page, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fw_fail_errno(err, FW_ERR_IO, "%s", g->card.page);
    bool good = pwrite(fd, zeros, sizeof zeros, 0) == (ssize_t)sizeof zeros;
    void *base = good ? mmap(NULL, FW_GANG_PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (!good) fw_fail_errno(err, FW_ERR_IO, "%s", g->card.page);
    close(fd);
    if (base != MAP_FAILED) g->page = base;              /* a file system that maps nothing: heartbeats tell */
    return good ? FW_OK : FW_ERR_IO;
}

static fw_status fill_card(coord_gang *g, fw_error *err)
{
    fw_card *c = &g->card;
    c->generation = g->opts.generation;
    c->beat_s = g->opts.ranks > MANY_RANKS ? BEAT_MANY_S : BEAT_S;
    memcpy(c->host, g->host, sizeof c->host);
    if (getrandom(c->token, sizeof c->token, 0) != (ssize_t)sizeof c->token) return fw_fail_errno(err, FW_ERR_INTERNAL, "no random token for the gang");
    return FW_OK;
}

/* Where a launcher's ranks find it. */
static fw_status write_card(coord_gang *g, fw_error *err)
{
    FW_TRY(make_page(g, err));
    FW_TRY(fw_path_join(&g->card.fence, g->opts.folder, "gang.generation", err));
    return fw_card_write(&g->card, g->opts.card, err);
}

fw_status coord_gang_card(char **text, const coord_gang *g, fw_error *err) { return fw_card_print(text, &g->card, err); }

/* ---- the launcher ----------------------------------------------------------------------------------------------------------------------- */

/* Between fork and exec: nothing that takes a lock. */
static void become_launcher(const coord_gang *g, int log, int told, pid_t parent)
{
    sigset_t none;
    int null = open("/dev/null", O_RDONLY);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(null, 0) == 0 && dup2(log, 1) == 1 && dup2(log, 2) == 2)
        execvpe(g->opts.command[0], g->opts.command, g->opts.environment);
    const int why = errno;
    if (write(told, &why, sizeof why) != (ssize_t)sizeof why) _exit(126);
    _exit(127);
}

/* What the child could not do comes through a pipe that the exec closes. */
static fw_status fork_launcher(coord_gang *g, int log, fw_error *err)
{
    int ends[2], why = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) return fw_fail_errno(err, FW_ERR_IO, "no pipe to the launcher");
    const pid_t self = getpid(), pid = fork();
    if (pid == 0) become_launcher(g, log, ends[1], self);
    close(ends[1]);
    ssize_t n = -1;
    if (pid > 0)
        do n = read(ends[0], &why, sizeof why);
        while (n < 0 && errno == EINTR);
    close(ends[0]);
    if (pid < 0) return fw_fail_errno(err, FW_ERR_NOMEM, "the launcher can't be started");
    if (n == 0) {
        g->launcher = g->launched = pid;
        return FW_OK;
    }
    waitpid(pid, NULL, 0);
    errno = why;
    return fw_fail_errno(err, FW_ERR_CONFIG, "the launcher %s can't be executed; name another with --launch", g->opts.command[0]);
}

static fw_status launch(coord_gang *g, fw_error *err)
{
    FW_TRY(fw_path_join(&g->log_path, g->opts.folder, "gang.log", err));
    int log = open(g->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log < 0) return fw_fail_errno(err, FW_ERR_IO, "%s", g->log_path);
    dprintf(log, "--- generation %llu: %u ranks, %s\n", (unsigned long long)g->opts.generation, g->opts.ranks, g->opts.command[0]);
    g->log_from = lseek(log, 0, SEEK_END);
    fw_status s = fork_launcher(g, log, err);
    close(log);
    return s;
}

bool coord_gang_launcher_ended(coord_gang *g)
{
    if (g->launcher == 0) return true;
    if (waitpid(g->launcher, &g->launcher_status, WNOHANG) != g->launcher) return false;
    g->launcher = 0;
    return true;
}

/* ---- its end -------------------------------------------------------------------------------------------------------------------------------- */

/* Ranks first: mpirun then removes their shared memory and session folders, and ends. */
static void kill_ranks(coord_gang *g)
{
    FW_FREE pid_t *pids = NULL;
    size_t n = 0;
    if (fw_processes_marked(&pids, &n, COORD_GANG_MARK, g->mark, NULL) != FW_OK) return;
    for (size_t i = 0; i < n; i++)
        if (pids[i] != g->launcher) kill(pids[i], SIGKILL);
    for (int ms = 0; ms < CLEAN_UP_MS && !coord_gang_launcher_ended(g); ms += 2) fw_sleep_ms(2);
}

bool coord_gang_is_guest(const coord_gang *g) { return g->opts.command == NULL; }

static bool is_here(const coord_gang *g, const coord_watched *r) { return r->heard && strcmp(r->host, g->host) == 0; }

int coord_gang_find_dead(const coord_gang *g)
{
    for (uint32_t i = 0; i < g->opts.ranks; i++) {
        const coord_watched *r = coord_watch_rank(g->watch, i);
        if (is_here(g, r) && kill((pid_t)r->pid, 0) != 0 && errno == ESRCH) return (int)i;
    }
    return -1;
}

/* Those on other hosts end by their lease. */
static void kill_guests(coord_gang *g)
{
    for (uint32_t i = 0; i < g->opts.ranks; i++) {
        const coord_watched *r = coord_watch_rank(g->watch, i);
        if (is_here(g, r) && fw_process_started((pid_t)r->pid) == r->started) kill((pid_t)r->pid, SIGKILL);
    }
}

fw_status coord_gang_kill(coord_gang *g, fw_error *err)
{
    if (coord_gang_is_guest(g)) {
        if (!g->closing) kill_guests(g);
        return FW_OK;
    }
    if (!coord_gang_launcher_ended(g)) kill_ranks(g);
    if (!coord_gang_launcher_ended(g)) {
        kill(-g->launcher, SIGKILL);
        kill(g->launcher, SIGKILL);
    }
    fw_status s = fw_processes_kill_marked(COORD_GANG_MARK, g->mark, fw_mono_after(fw_mono_now(), KILLED_S), err);
    for (int ms = 0; s == FW_OK && ms < CLEAN_UP_MS && !coord_gang_launcher_ended(g); ms += 2) fw_sleep_ms(2);
    return s;
}

/* What was printed since this generation began, its end only. */
static size_t tail_of_log(const coord_gang *g, char *out, size_t room)
{
    struct stat st;
    ssize_t n = 0;
    int fd = open(g->log_path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0) {
        const off_t from = FW_MAX(g->log_from, st.st_size - (off_t)(room - 1));
        n = pread(fd, out, room - 1, from);
    }
    if (fd >= 0) close(fd);
    out[n > 0 ? n : 0] = '\0';
    for (ssize_t i = 0; i < n; i++)
        if (out[i] == '\0') out[i] = ' ';
    return n > 0 ? (size_t)n : 0;
}

/* A few lines, without the rulers that mpirun draws: the first ones when nothing had begun, since advice follows the reason, else the last. */
static void some_lines(char *out, size_t room, char *text, bool first)
{
    const char *kept[LINES_TOLD];
    size_t n = 0, len = 0;
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (line[strspn(line, " -\r")] != '\0' && !(first && n == LINES_TOLD)) kept[n++ % LINES_TOLD] = line;
    out[0] = '\0';
    for (size_t i = n > LINES_TOLD ? n - LINES_TOLD : 0; i < n && len < room; i++)
        len += (size_t)snprintf(out + len, room - len, "%s  | %s", len == 0 ? "" : "\n", kept[i % LINES_TOLD]);
}

/* The rank of which the launcher, or a rank beside it, says that it died first. */
static void find_rank(coord_loss *l, const char *text, uint32_t ranks)
{
    const char *noticed = strstr(text, "noticed that process rank "), *block = strstr(text, "\n  rank        "), *left = strstr(text, "Process name: [[");
    int rank = -1, number = 0;
    if (noticed != NULL && sscanf(noticed, "noticed that process rank %d with PID %*d on node %*s exited on signal %d", &rank, &number) == 2)
        snprintf(l->how, sizeof l->how, "killed by signal %d", number);
    else if (block != NULL && sscanf(block, "\n  rank %d", &rank) == 1) snprintf(l->how, sizeof l->how, "its process is gone");
    else if (left != NULL && sscanf(left, "Process name: [[%*d,%*d],%d] Exit code: %d", &rank, &number) == 2)
        snprintf(l->how, sizeof l->how, "it ended with exit code %d", number);
    l->rank = rank >= 0 && (uint32_t)rank < ranks ? rank : -1;
}

void coord_gang_explain(coord_gang *g, coord_loss *l)
{
    char text[16384];
    l->exit_code = -1;
    if (coord_gang_is_guest(g)) return;
    tail_of_log(g, text, sizeof text);
    if (l->kind == COORD_LOSS_ENDED) {
        const int status = g->launcher_status;
        if (WIFEXITED(status)) {
            l->exit_code = WEXITSTATUS(status);
            snprintf(l->how, sizeof l->how, "the launcher ended with exit code %d", l->exit_code);
            find_rank(l, text, g->opts.ranks);
        } else {
            snprintf(l->how, sizeof l->how, "the launcher (pid %ld) was killed by signal %d", (long)g->launched, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        }
    }
    some_lines(l->lines, sizeof l->lines, text, !l->ready);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------------------ */

static void release(coord_gang *g)
{
    fw_line_destroy(&g->outside);
    fw_line_destroy(&g->inside);
    fw_desk_destroy(&g->desk);
    fw_bus_destroy(&g->bus);
    if (g->page != NULL) munmap(g->page, FW_GANG_PAGE_BYTES);
    coord_watch_destroy(&g->watch);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->mutex);
    free(g->loss.silent);
    free(g->caller);
    free(g->unsent);
    free(g->log_path);
    free(g->card.fence);
    free(g->card.page);
    free(g);
}

static fw_status start_thread(coord_gang *g, fw_error *err)
{
    FW_TRY(fw_thread_start(&g->thread, coord_gang_serve, g, "the thread of the gang", err));
    g->running = true;
    return FW_OK;
}

static fw_status set_up(coord_gang *g, fw_error *err)
{
    gethostname(g->host, sizeof g->host - 1);
    snprintf(g->mark, sizeof g->mark, "%s.%llu", g->opts.mark, (unsigned long long)g->opts.generation);
    FW_TRY(fw_alloc_zeroed((void **)&g->caller, g->opts.ranks, sizeof *g->caller, "callers", err));
    FW_TRY(fw_alloc_zeroed((void **)&g->loss.silent, g->opts.ranks, sizeof *g->loss.silent, "ranks", err));
    FW_TRY(coord_watch_create(&g->watch, g->opts.ranks, &g->opts.limits, fw_mono_now(), err));
    FW_TRY(open_desk(g, err));
    FW_TRY(open_line(g, err));
    FW_TRY(fill_card(g, err));
    if (coord_gang_is_guest(g)) return FW_OK;
    FW_TRY(write_card(g, err));
    return launch(g, err);
}

fw_status coord_gang_start(coord_gang **out, const coord_gang_opts *opts, fw_error *err)
{
    coord_gang *g = calloc(1, sizeof *g);
    if (g == NULL) return fw_fail(err, FW_ERR_NOMEM, "a gang");
    g->opts = *opts;
    pthread_mutex_init(&g->mutex, NULL);
    pthread_cond_init(&g->changed, NULL);
    fw_status s = set_up(g, err);
    if (s == FW_OK) s = start_thread(g, err);
    if (s != FW_OK) {
        if (g->launcher > 0) coord_gang_kill(g, NULL);
        release(g);
        return s;
    }
    *out = g;
    return FW_OK;
}

/* The thread keeps the deadline of the start. */
fw_status coord_gang_await(coord_gang *g, fw_error *err)
{
    pthread_mutex_lock(&g->mutex);
    while (g->state == GANG_STARTING) pthread_cond_wait(&g->changed, &g->mutex);
    const gang_state state = g->state;
    pthread_mutex_unlock(&g->mutex);
    if (state == GANG_READY) return FW_OK;
    if (g->loss.kind == COORD_LOSS_STOPPED) return fw_fail(err, FW_ERR_STOPPED, "stopped by a signal before the ranks were there");
    return fw_fail(err, FW_ERR_LOST, "the ranks did not start: %s", g->loss.how);
}

fw_line *coord_gang_line(coord_gang *g)
{
    fw_line *l = g->outside;
    g->outside = NULL;
    return l;
}

void coord_gang_dismiss(coord_gang *g, int exit_code, bool leave)
{
    g->exit_code = exit_code;
    g->leave = leave;
    atomic_store(&g->dismissed, true);
}

fw_status coord_gang_end(coord_gang **gang, bool by_order, fw_error *err)
{
    coord_gang *g = *gang;
    if (g == NULL) return FW_OK;
    atomic_store(&g->end, by_order ? GANG_ENDS_BY_ORDER : GANG_ENDS_NOW);
    pthread_join(g->thread, NULL);
    fw_status s = coord_gang_kill(g, err);          /* nothing is left, as a rule */
    const uint64_t dropped = atomic_load(&g->dropped);
    if (dropped > 0)
        fw_log_warn("%llu messages at the coordinator's port were not of this gang's ranks and were dropped", (unsigned long long)dropped);
    release(g);
    *gang = NULL;
    return s;
}

const coord_loss *coord_gang_loss(coord_gang *g)
{
    static const coord_loss none = {.kind = COORD_LOSS_NONE};
    pthread_mutex_lock(&g->mutex);
    const bool lost = g->state == GANG_LOST;
    pthread_mutex_unlock(&g->mutex);
    return lost ? &g->loss : &none;
}

pid_t coord_gang_launcher(const coord_gang *g) { return g->launched; }

const coord_watched *coord_gang_rank(const coord_gang *g, uint32_t rank) { return coord_watch_rank(g->watch, rank); }

bool coord_gang_first_step(const coord_gang *g, fw_mono *when)
{
    when->ns = atomic_load(&g->first_step_ns);
    return when->ns != 0;
}

bool coord_gang_leader_elsewhere(const coord_gang *g) { return atomic_load(&g->elsewhere); }
