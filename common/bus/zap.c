#include "common/bus/zap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zmq.h>

#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/thread.h"

#define ENDPOINT   "inproc://zeromq.zap.01"
#define VERSION    "1.0"
#define SAID       5           /* refusals told, of different kinds; more are only counted */
#define REASONS    FW_REFUSED_FORM
#define REST       "other"
#define KEY_BYTES  32

const char *fw_refused_name(fw_refused why)
{
    static const char *const names[] = {"let_in", "unknown_key", "role", "list", "form"};
    return names[why];
}

/* ---- the gate ---------------------------------------------------------------------------------------------------------------------------- */

struct fw_gate {
    atomic_int users;
    pthread_mutex_t lock;                /* of all below */
    char *path;
    fw_allowed *list;                    /* NULL: nobody */
    bool broken;                         /* the list is there and wrong */
    struct stat seen;                    /* the file when it was read; zero: it was not there */
    fw_refusal counts[FW_REFUSED_ADDRESSES + REASONS];
    size_t n_counts, said;
};

fw_status fw_gate_create(fw_gate **out, const char *path, fw_error *err)
{
    fw_gate *g = calloc(1, sizeof *g);
    if (g == NULL || (g->path = strdup(path)) == NULL) {
        free(g);
        return fw_fail(err, FW_ERR_NOMEM, "bus: the list of allowed keys");
    }
    atomic_init(&g->users, 1);
    pthread_mutex_init(&g->lock, NULL);
    *out = g;
    return FW_OK;
}

fw_gate *fw_gate_retain(fw_gate *g)
{
    atomic_fetch_add(&g->users, 1);
    return g;
}

void fw_gate_destroy(fw_gate **gate)
{
    fw_gate *g = gate != NULL ? *gate : NULL;
    if (g == NULL) return;
    *gate = NULL;
    if (atomic_fetch_sub(&g->users, 1) > 1) return;
    pthread_mutex_destroy(&g->lock);
    fw_allowed_destroy(&g->list);
    free(g->path);
    free(g);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Reads the list when its file is another than the last time; under the lock. FW_END: it is as it was. */
static fw_status refresh(fw_gate *g, fw_error *err)
{
    struct stat now = {0};
    if (stat(g->path, &now) != 0) now = (struct stat){0};
    if (g->list != NULL && is_same_file(&now, &g->seen)) return FW_END;
    if (g->list == NULL && g->broken && is_same_file(&now, &g->seen)) return FW_END;
    fw_allowed *list = NULL;
    const fw_status s = fw_allowed_read(&list, g->path, err);
    fw_allowed_destroy(&g->list);
    g->list = list;
    g->broken = s < 0 && s != FW_ERR_NOTFOUND;
    g->seen = now;
    return s == FW_ERR_NOTFOUND ? FW_OK : s;
}

fw_status fw_gate_look(fw_gate *g, fw_error *err)
{
    pthread_mutex_lock(&g->lock);
    g->seen = (struct stat){0};
    g->broken = false;
    const fw_status s = refresh(g, err);
    pthread_mutex_unlock(&g->lock);
    return s < 0 ? s : FW_OK;
}

/* The place where this reason and address are counted; NULL: there is none yet. */
static fw_refusal *find_count(fw_gate *g, fw_refused why, const char *address)
{
    for (size_t i = 0; i < g->n_counts; i++)
        if (g->counts[i].why == why && strcmp(g->counts[i].address, address) == 0) return &g->counts[i];
    return NULL;
}

/* Under the lock. An address that finds no room of its own counts with the rest; there is always room for the rest of each reason. */
static void count(fw_gate *g, fw_refused why, const char *address)
{
    static const char ipc[] = "localhost:";       /* of a Unix socket: localhost:uid:gid:pid, another one each time */
    char known[sizeof g->counts[0].address];
    snprintf(known, sizeof known, "%s", strncmp(address, ipc, strlen(ipc)) == 0 ? "ipc" : address);
    fw_refusal *c = find_count(g, why, known);
    if (c == NULL && g->n_counts >= FW_REFUSED_ADDRESSES) {
        snprintf(known, sizeof known, REST);
        c = find_count(g, why, known);
    }
    if (c == NULL) {
        c = &g->counts[g->n_counts++];
        c->why = why;
        memcpy(c->address, known, sizeof known);
    }
    if (c->count++ == 0 && ++g->said <= SAID)
        fw_log_warn("bus: a client from %s was refused: %s; further ones %s only counted", known, fw_refused_name(why), g->said == SAID ? "of any kind are" : "like it are");
}

void fw_gate_count(fw_gate *g, fw_refused why, const char *address)
{
    pthread_mutex_lock(&g->lock);
    count(g, why, address);
    pthread_mutex_unlock(&g->lock);
}

/* FW_ROLE_NONE: there is no such domain. */
static fw_role needed(const char *domain)
{
    if (strcmp(domain, FW_DOMAIN_READ) == 0) return FW_ROLE_READ;
    return strcmp(domain, FW_DOMAIN_STORE) == 0 ? FW_ROLE_STORE : FW_ROLE_NONE;
}

static fw_refused judge(const fw_gate *g, const char *domain, const uint8_t *key, char *name)
{
    char text[FW_BUS_KEY_TEXT];
    const fw_role role = needed(domain);
    if (role == FW_ROLE_NONE) return FW_REFUSED_FORM;
    if (g->broken) return FW_REFUSED_LIST;
    const fw_allowed_key *known = g->list != NULL && zmq_z85_encode(text, key, KEY_BYTES) != NULL ? fw_allowed_find(g->list, text) : NULL;
    if (known == NULL) return FW_REFUSED_UNKNOWN;
    if (known->role < role) return FW_REFUSED_ROLE;
    memcpy(name, known->name, sizeof known->name);
    return FW_REFUSED_NOT;
}

fw_refused fw_gate_ask(fw_gate *g, const char *domain, const char *address, const uint8_t key[static 32], char name[static FW_KEYS_NAME + 1])
{
    fw_error why = {0};
    name[0] = '\0';
    if (strcmp(domain, FW_DOMAIN_DESK) == 0) return FW_REFUSED_NOT;
    pthread_mutex_lock(&g->lock);
    const fw_status s = refresh(g, &why);
    if (s < 0) fw_log_error("bus: nobody is let in until this is mended: %s", why.text);
    const fw_refused refused = judge(g, domain, key, name);
    if (refused != FW_REFUSED_NOT) count(g, refused, address);
    pthread_mutex_unlock(&g->lock);
    return refused;
}

size_t fw_gate_counts(fw_gate *g, fw_refusal *out, size_t room)
{
    pthread_mutex_lock(&g->lock);
    const size_t n = g->n_counts;
    memcpy(out, g->counts, FW_MIN(n, room) * sizeof *out);
    pthread_mutex_unlock(&g->lock);
    return n;
}

/* ---- the handler ------------------------------------------------------------------------------------------------------------------------- */

struct fw_zap {
    pthread_t thread;
    void *socket;                        /* the thread's */
    fw_gate *gate;
};

/* A question: version, request, domain, address, identity, mechanism, and the client's key. What is longer than its field is cut, and then wrong. */
enum { ASKED_VERSION, ASKED_REQUEST, ASKED_DOMAIN, ASKED_ADDRESS, ASKED_IDENTITY, ASKED_MECHANISM, ASKED_KEY, ASKED };
typedef struct question { char frame[ASKED][256]; size_t len[ASKED], frames; } question;

/* False: the context ends. */
static bool hear(question *q, void *socket)
{
    *q = (question){0};
    for (int more = 1; more != 0; q->frames++) {
        char frame[256];
        int n;
        do n = zmq_recv(socket, frame, sizeof frame, 0);
        while (n < 0 && zmq_errno() == EINTR);
        if (n < 0) return false;
        if (q->frames < ASKED) {
            q->len[q->frames] = (size_t)n;
            memcpy(q->frame[q->frames], frame, FW_MIN((size_t)n, sizeof frame - 1));
        }
        size_t size = sizeof more;
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) != 0) return false;
    }
    return true;
}

static bool is_question(const question *q)
{
    return q->frames == ASKED && strcmp(q->frame[ASKED_VERSION], VERSION) == 0 && strcmp(q->frame[ASKED_MECHANISM], "CURVE") == 0 &&
           q->len[ASKED_KEY] == KEY_BYTES && q->len[ASKED_REQUEST] < sizeof q->frame[ASKED_REQUEST];
}

static bool say(void *socket, const void *bytes, size_t len, int flags)
{
    int n;
    do n = zmq_send(socket, bytes, len, flags);
    while (n < 0 && zmq_errno() == EINTR);
    return n >= 0;
}

/* version, request, status code, status text, user, metadata */
static bool answer(void *socket, const question *q, fw_refused refused, const char *name)
{
    const bool in = refused == FW_REFUSED_NOT;
    const char *text = in ? "" : fw_refused_name(refused);
    return say(socket, VERSION, strlen(VERSION), ZMQ_SNDMORE) && say(socket, q->frame[ASKED_REQUEST], FW_MIN(q->len[ASKED_REQUEST], (size_t)255), ZMQ_SNDMORE) &&
           say(socket, in ? "200" : "400", 3, ZMQ_SNDMORE) && say(socket, text, strlen(text), ZMQ_SNDMORE) && say(socket, name, strlen(name), ZMQ_SNDMORE) &&
           say(socket, "", 0, 0);
}

static fw_refused decide(fw_gate *gate, const question *q, char name[static FW_KEYS_NAME + 1])
{
    uint8_t key[KEY_BYTES];
    name[0] = '\0';
    if (!is_question(q)) {
        fw_gate_count(gate, FW_REFUSED_FORM, q->frame[ASKED_ADDRESS]);
        return FW_REFUSED_FORM;
    }
    memcpy(key, q->frame[ASKED_KEY], sizeof key);
    return fw_gate_ask(gate, q->frame[ASKED_DOMAIN], q->frame[ASKED_ADDRESS], key, name);
}

static void *serve(void *zap)
{
    fw_zap *z = zap;
    question q;
    char name[FW_KEYS_NAME + 1];
    while (hear(&q, z->socket)) {
        const fw_refused refused = decide(z->gate, &q, name);
        if (!answer(z->socket, &q, refused, name)) break;
    }
    zmq_close(z->socket);
    return NULL;
}

fw_status fw_zap_start(fw_zap **out, void *zmq_context, fw_gate *g, fw_error *err)
{
    fw_zap *z = calloc(1, sizeof *z);
    if (z == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: the handler of keys");
    const int none = 0;
    z->socket = zmq_socket(zmq_context, ZMQ_REP);
    if (z->socket == NULL || zmq_setsockopt(z->socket, ZMQ_LINGER, &none, sizeof none) != 0 || zmq_bind(z->socket, ENDPOINT) != 0) {
        fw_fail(err, FW_ERR_BUS, "bus: the handler of keys has no socket: %s", zmq_strerror(zmq_errno()));
        goto undo_socket;
    }
    z->gate = fw_gate_retain(g);
    if (fw_thread_start(&z->thread, serve, z, "the handler of keys", err) < 0) goto undo_gate;
    *out = z;
    return FW_OK;
undo_gate:
    fw_gate_destroy(&z->gate);
undo_socket:
    if (z->socket != NULL) zmq_close(z->socket);
    free(z);
    return FW_ERR_BUS;
}

void fw_zap_destroy(fw_zap **z)
{
    if (z == NULL || *z == NULL) return;
    pthread_join((*z)->thread, NULL);
    fw_gate_destroy(&(*z)->gate);
    free(*z);
    *z = NULL;
}
