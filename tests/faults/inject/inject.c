/** Preloaded into `flywheel` and fw_sweep, and into nothing else: lets one system call or allocation go wrong, once, or only counts them. For tests.
 *
 *  FW_INJECT="rank=0,call=write,path=run/,nth=3,do=EIO"
 *    rank   of the world ("alone": without mpirun); in other processes nothing happens
 *    call   open (that creates), write, fsync, truncate, reserve, close, rename, link, mkdir, unlink; io: any of them; alloc
 *    path   io: a part of the file's name. alloc: a part of the name of the library whose calls are meant; none: the program's own code
 *    nth    counted from 1; 0: only count
 *    do     an error (EIO, ENOSPC, ...), short (half of a write arrives), kill; allocations have but one way to fail
 *  FW_INJECT_LOG=FILE   a line for each call that is meant, "RANK NUMBER CALL NAME", and "hit" behind the one that went wrong, of an allocation
 *                       with the callers of the caller (addr2line -f -e flywheel ...)
 *
 *  System calls are caught where they enter the kernel (seccomp with SIGSYS), so that those of the C library, of MPI-IO and of libhdf5 count too;
 *  the calls of our own handler are told apart by their address. Allocations are caught by name and told apart by who called. */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

typedef enum outcome { FAIL, SHORT, KILL } outcome;

static struct {
    char rank[16], call[16], path[128];
    unsigned long nth;
    outcome what;
    int error, log;
    bool on, allocations;
    uintptr_t from, to;                /* allocations: the text they are called from */
    uintptr_t program, program_end;    /* the program's own */
} plan = {.log = -1};
static atomic_ulong counted;
static atomic_bool was_hit;
static char last_hit[512];             /* who called */

/* ---- the one place that our own system calls come from ---- */

long inject_syscall(long number, long a, long b, long c, long d, long e, long f);
extern const char inject_behind[];
__asm__(".text\n.globl inject_syscall\n.hidden inject_syscall\n.type inject_syscall, @function\n"
        "inject_syscall:\n mov %rdi, %rax\n mov %rsi, %rdi\n mov %rdx, %rsi\n mov %rcx, %rdx\n mov %r8, %r10\n mov %r9, %r8\n mov 8(%rsp), %r9\n syscall\n"
        ".globl inject_behind\n.hidden inject_behind\ninject_behind:\n ret\n.size inject_syscall, . - inject_syscall\n");

/* ---- counting ---- */

#define MAX_CALLERS 16

/* " hit" and who called. */
static void describe_hit(char *out, size_t size)
{
    void *caller[MAX_CALLERS];
    int n = plan.allocations ? backtrace(caller, MAX_CALLERS) : 0;
    size_t len = (size_t)snprintf(out, size, " hit");
    for (int i = 0; i < n && len < size; i++) {
        const uintptr_t at = (uintptr_t)caller[i];
        if (at >= plan.program && at < plan.program_end) len += (size_t)snprintf(out + len, size - len, " 0x%zx", (size_t)(at - plan.program));
    }
}

static void say(unsigned long number, const char *call, const char *name, bool hit)
{
    if (plan.log < 0) return;
    char line[PATH_MAX + 1024];
    int n = snprintf(line, sizeof line, "%s %lu %s %s%s\n", plan.rank, number, call, name, hit ? last_hit : "");
    if (n > 0) inject_syscall(SYS_write, plan.log, (long)line, n < (int)sizeof line ? n : (int)sizeof line, 0, 0, 0);
}

/* One more of those that are meant; whether it is the one. */
static bool count(const char *call, const char *name)
{
    const unsigned long number = atomic_fetch_add(&counted, 1) + 1;
    const bool hit = number == plan.nth;
    if (hit) {
        atomic_store(&was_hit, true);
        describe_hit(last_hit, sizeof last_hit);
    }
    say(number, call, name, hit);
    if (hit && plan.what == KILL) inject_syscall(SYS_kill, getpid(), SIGKILL, 0, 0, 0, 0);
    return hit;
}

/* ---- system calls ---- */

typedef enum names { BY_DESCRIPTOR, BY_FIRST, BY_SECOND } names;      /* which argument tells the file */
static const struct watched { int number; const char *call; names names; } watched[] = {
    {SYS_open, "open", BY_FIRST},           {SYS_openat, "open", BY_SECOND},      {SYS_creat, "open", BY_FIRST},
    {SYS_write, "write", BY_DESCRIPTOR},    {SYS_pwrite64, "write", BY_DESCRIPTOR}, {SYS_writev, "write", BY_DESCRIPTOR},
    {SYS_pwritev, "write", BY_DESCRIPTOR},  {SYS_fsync, "fsync", BY_DESCRIPTOR},  {SYS_fdatasync, "fsync", BY_DESCRIPTOR},
    {SYS_ftruncate, "truncate", BY_DESCRIPTOR}, {SYS_fallocate, "reserve", BY_DESCRIPTOR}, {SYS_close, "close", BY_DESCRIPTOR},
    {SYS_rename, "rename", BY_FIRST},       {SYS_renameat, "rename", BY_SECOND},  {SYS_renameat2, "rename", BY_SECOND},
    {SYS_link, "link", BY_FIRST},           {SYS_linkat, "link", BY_SECOND},      {SYS_symlink, "link", BY_SECOND},
    {SYS_mkdir, "mkdir", BY_FIRST},         {SYS_mkdirat, "mkdir", BY_SECOND},    {SYS_unlink, "unlink", BY_FIRST},
    {SYS_unlinkat, "unlink", BY_SECOND},
};
#define N_WATCHED (sizeof watched / sizeof watched[0])

static void name_of(char name[static PATH_MAX], const struct watched *w, const long *arg)
{
    name[0] = '\0';
    if (w->names != BY_DESCRIPTOR) {
        snprintf(name, PATH_MAX, "%s", (const char *)(w->names == BY_FIRST ? arg[0] : arg[1]));
        return;
    }
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%ld", arg[0]);
    const long n = inject_syscall(SYS_readlink, (long)link, (long)name, PATH_MAX - 1, 0, 0, 0);
    name[n > 0 ? n : 0] = '\0';
}

static bool is_meant(const struct watched *w, const long *arg, const char *name)
{
    if (w->number == SYS_open && (arg[1] & O_CREAT) == 0) return false;
    if (w->number == SYS_openat && (arg[2] & O_CREAT) == 0) return false;
    return (strcmp(plan.call, "io") == 0 || strcmp(plan.call, w->call) == 0) && strstr(name, plan.path) != NULL;
}

static long pass_on(int number, const long *arg) { return inject_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]); }

/* Half of it arrives, as on a disk that is filling up. */
static long half(int number, const long *arg)
{
    long some[6];
    memcpy(some, arg, sizeof some);
    if ((number == SYS_write || number == SYS_pwrite64) && some[2] > 1) some[2] /= 2;
    if ((number == SYS_writev || number == SYS_pwritev) && some[2] > 1) some[2] = 1;
    return pass_on(number, some);
}

static long go_wrong(const struct watched *w, const long *arg)
{
    if (plan.what == SHORT) return half(w->number, arg);
    if (w->number == SYS_close) pass_on(w->number, arg);      /* a close that fails has closed all the same */
    return -plan.error;
}

static void caught(int number, siginfo_t *info, void *context)
{
    (void)number;
    greg_t *reg = ((ucontext_t *)context)->uc_mcontext.gregs;
    const long arg[6] = {reg[REG_RDI], reg[REG_RSI], reg[REG_RDX], reg[REG_R10], reg[REG_R8], reg[REG_R9]};
    const struct watched *w = NULL;
    for (size_t i = 0; i < N_WATCHED; i++)
        if (watched[i].number == info->si_syscall) w = &watched[i];
    const int before = errno;
    char name[PATH_MAX];
    if (w != NULL) name_of(name, w, arg);
    const bool hit = w != NULL && is_meant(w, arg, name) && count(w->call, name);
    reg[REG_RAX] = hit ? go_wrong(w, arg) : pass_on(info->si_syscall, arg);
    errno = before;
}

static void catch_calls(void)
{
    const struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    struct sock_filter code[N_WATCHED + 16];
    unsigned short n = 0;
    const uintptr_t behind = (uintptr_t)inject_behind;
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer));
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)behind, 0, 3);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4);
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(behind >> 32), 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < N_WATCHED; i++)
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)watched[i].number, (unsigned char)(N_WATCHED - i), 0);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    const struct sock_fprog filter = {n, code};
    if (sigaction(SIGSYS, &action, NULL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
        fprintf(stderr, "inject: no filter of system calls: %s\n", strerror(errno));
        _exit(99);
    }
}

/* A thread that blocks every signal would be killed at the first call. */
typedef int mask_function(int, const sigset_t *, sigset_t *);

static int mask_without_ours(const char *name, int how, const sigset_t *set, sigset_t *before)
{
    mask_function *next = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, name);
    if (set == NULL || how == SIG_UNBLOCK || !plan.on) return next(how, set, before);
    sigset_t mine = *set;
    sigdelset(&mine, SIGSYS);
    return next(how, &mine, before);
}

int pthread_sigmask(int how, const sigset_t *set, sigset_t *before) { return mask_without_ours("pthread_sigmask", how, set, before); }
int sigprocmask(int how, const sigset_t *set, sigset_t *before) { return mask_without_ours("sigprocmask", how, set, before); }

/* ---- allocations ---- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

/* caller: who called; as an offset it is a name that addr2line knows. */
static bool refuse(const void *caller)
{
    const uintptr_t at = (uintptr_t)caller;
    if (!plan.allocations || at < plan.from || at >= plan.to) return false;
    char name[32];
    snprintf(name, sizeof name, "0x%zx", (size_t)(at - plan.from));
    if (!count("alloc", name)) return false;
    errno = ENOMEM;
    return true;
}
#define REFUSED refuse(__builtin_return_address(0))

void *malloc(size_t n) { return REFUSED ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return REFUSED ? NULL : __libc_calloc(n, size); }
void *realloc(void *p, size_t n) { return REFUSED ? NULL : __libc_realloc(p, n); }
void *aligned_alloc(size_t alignment, size_t n) { return REFUSED ? NULL : __libc_memalign(alignment, n); }

void *reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;
    return __builtin_mul_overflow(n, size, &bytes) || REFUSED ? NULL : __libc_realloc(p, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t n)
{
    void *p = REFUSED ? NULL : __libc_memalign(alignment, n);
    if (p == NULL) return ENOMEM;
    *out = p;
    return 0;
}

static char *duplicate(const char *text, size_t n)
{
    char *out = __libc_malloc(n + 1);
    if (out == NULL) return NULL;
    memcpy(out, text, n);
    out[n] = '\0';
    return out;
}

char *strdup(const char *text) { return REFUSED ? NULL : duplicate(text, strlen(text)); }
char *strndup(const char *text, size_t n) { return REFUSED ? NULL : duplicate(text, strnlen(text, n)); }

int vasprintf(char **out, const char *format, va_list args)
{
    va_list again;
    if (REFUSED) return -1;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = n >= 0 ? __libc_malloc((size_t)n + 1) : NULL;
    if (text == NULL) return -1;
    vsnprintf(text, (size_t)n + 1, format, args);
    *out = text;
    return n;
}

int __vasprintf_chk(char **out, int flag, const char *format, va_list args);
int __vasprintf_chk(char **out, int flag, const char *format, va_list args)
{
    (void)flag;
    return REFUSED ? -1 : vasprintf(out, format, args);
}

int __asprintf_chk(char **out, int flag, const char *format, ...);
int __asprintf_chk(char **out, int flag, const char *format, ...)
{
    (void)flag;
    if (REFUSED) return -1;
    va_list args;
    va_start(args, format);
    int n = vasprintf(out, format, args);
    va_end(args);
    return n;
}

/* The program is the first object; the text that is meant is its own, or that of the object whose name has plan.path in it. */
static int find_text(struct dl_phdr_info *object, size_t size, void *context)
{
    (void)size, (void)context;
    const bool first = plan.program == 0, meant = plan.path[0] == '\0' ? first : strstr(object->dlpi_name, plan.path) != NULL;
    uintptr_t end = 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &object->dlpi_phdr[i];
        if (p->p_type == PT_LOAD && (p->p_flags & PF_X) != 0) end = object->dlpi_addr + p->p_vaddr + p->p_memsz;
    }
    if (first) plan.program = object->dlpi_addr, plan.program_end = end;
    if (meant) plan.from = object->dlpi_addr, plan.to = end;
    return 0;
}

/* ---- for a program that sweeps (sweep/sweep.c) ---- */

void fw_inject_arm(unsigned long nth);
void fw_inject_arm(unsigned long nth)
{
    plan.nth = nth;
    atomic_store(&counted, 0);
    if (nth > 0) atomic_store(&was_hit, false);
}

const char *fw_inject_hit(void);
const char *fw_inject_hit(void) { return atomic_load(&was_hit) ? last_hit : NULL; }

/* ---- the schedule ---- */

static const struct { const char *name; int error; } errors[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
                                                                 {"EACCES", EACCES}, {"EMFILE", EMFILE}, {"EINTR", EINTR}};

static bool read_action(const char *word)
{
    plan.what = strcmp(word, "short") == 0 ? SHORT : strcmp(word, "kill") == 0 ? KILL : FAIL;
    if (plan.what != FAIL) return true;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(word, errors[i].name) == 0) plan.error = errors[i].error;
    return plan.error != 0;
}

static bool read_rule(const char *text)
{
    char words[512], *rest = NULL;
    snprintf(words, sizeof words, "%s", text);
    plan.error = EIO;
    for (char *w = strtok_r(words, ",", &rest); w != NULL; w = strtok_r(NULL, ",", &rest)) {
        char *value = strchr(w, '=');
        if (value == NULL) return false;
        *value++ = '\0';
        if (strcmp(w, "rank") == 0) snprintf(plan.rank, sizeof plan.rank, "%s", value);
        else if (strcmp(w, "call") == 0) snprintf(plan.call, sizeof plan.call, "%s", value);
        else if (strcmp(w, "path") == 0) snprintf(plan.path, sizeof plan.path, "%s", value);
        else if (strcmp(w, "nth") == 0) plan.nth = strtoul(value, NULL, 10);
        else if (strcmp(w, "do") != 0 || !read_action(value)) return false;
    }
    return plan.rank[0] != '\0' && plan.call[0] != '\0';
}

__attribute__((constructor)) static void start(void)
{
    const char *rule = getenv("FW_INJECT"), *log = getenv("FW_INJECT_LOG"), *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (rule == NULL || (strcmp(program_invocation_short_name, "flywheel") != 0 && strcmp(program_invocation_short_name, "fw_sweep") != 0)) return;
    if (!read_rule(rule)) {
        fprintf(stderr, "inject: FW_INJECT=%s is not understood\n", rule);
        _exit(99);
    }
    if (strcmp(plan.rank, rank != NULL ? rank : "alone") != 0) return;
    if (log != NULL) plan.log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    void *none[1];
    backtrace(none, 1);                /* loads what it needs, now */
    plan.on = true;
    plan.allocations = strcmp(plan.call, "alloc") == 0;
    if (plan.allocations) {
        mallopt(M_PERTURB, 165);       /* what is freed or not yet set shows */
        dl_iterate_phdr(find_text, NULL);
    } else {
        catch_calls();
    }
}
