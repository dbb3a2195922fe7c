#include "common/bus/secure.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

#include "common/bus/address.h"
#include "common/bus/socket.h"
#include "common/core/fs.h"
#include "common/core/size.h"

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93     /* in zmq.h from 4.3.5 on; the library knew it before */
#endif

struct fw_secure {
    atomic_int users;
    bool insecure;
    char *folder;                     /* NULL: no keys */
    fw_gate *gate;                    /* with a folder */
};

/* ---- the folder -------------------------------------------------------------------------------------------------------------------------- */

static fw_status open_folder(fw_secure *s, const char *folder, fw_error *err)
{
    FW_FREE char *allowed = NULL;
    if (!fw_path_is_dir(folder))
        return fw_fail(err, FW_ERR_CONFIG, "%s: there is no such folder of keys; `flywheel keys new %s -o %s` makes it", folder, FW_KEYS_PUBLISHER, folder);
    if (!fw_bus_can("curve")) return fw_fail(err, FW_ERR_BUS, "%s: this libzmq was built without CURVE, so keys can't be used", folder);
    FW_TRY(fw_copy_text(&s->folder, folder, err));
    FW_TRY(fw_path_join(&allowed, folder, FW_ALLOWED_FILE, err));
    return fw_gate_create(&s->gate, allowed, err);
}

fw_status fw_secure_create(fw_secure **out, const fw_bus_identity *identity, fw_error *err)
{
    const bool keys = identity->keys != NULL && *identity->keys != '\0';
    if (keys && identity->insecure) return fw_fail(err, FW_ERR_CONFIG, "keys (%s) and insecure exclude each other", identity->keys);
    FW_AUTO(fw_secure) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: keys");
    atomic_init(&s->users, 1);
    s->insecure = identity->insecure;
    if (keys) FW_TRY(open_folder(s, identity->keys, err));
    *out = s;
    s = NULL;
    return FW_OK;
}

fw_secure *fw_secure_retain(fw_secure *s)
{
    if (s != NULL) atomic_fetch_add(&s->users, 1);
    return s;
}

void fw_secure_destroy(fw_secure **secure)
{
    fw_secure *s = secure != NULL ? *secure : NULL;
    if (s == NULL) return;
    *secure = NULL;
    if (atomic_fetch_sub(&s->users, 1) > 1) return;
    fw_gate_destroy(&s->gate);
    free(s->folder);
    free(s);
}

fw_gate *fw_secure_gate(const fw_secure *s) { return s != NULL ? s->gate : NULL; }

fw_status fw_secure_publisher(fw_bus_keys *out, const fw_secure *s, fw_error *err)
{
    fw_error why = {0};
    const fw_status status = fw_keys_read_secret(out, s->folder, FW_KEYS_PUBLISHER, &why);
    if (status == FW_OK) return FW_OK;
    if (status != FW_ERR_NOTFOUND) return fw_fail(err, status, "%s", why.text);
    return fw_fail(err, FW_ERR_CONFIG, "%s, and who publishes needs it: flywheel keys new %s -o %s", why.text, FW_KEYS_PUBLISHER, s->folder);
}

/* Of the file; without it the one in the secret file, where publisher and reader share a folder. */
static fw_status read_publisher_public(char out[static FW_BUS_KEY_TEXT], const fw_secure *s, fw_error *err)
{
    FW_FREE char *path = NULL;
    fw_error why = {0};
    FW_TRY(fw_keys_path(&path, s->folder, FW_KEYS_PUBLISHER, ".public", err));
    const fw_status status = fw_keys_read_public(out, path, &why);
    if (status == FW_OK) return FW_OK;
    if (status != FW_ERR_NOTFOUND) return fw_fail(err, status, "%s", why.text);
    return fw_fail(err, FW_ERR_CONFIG, "%s: without it a reader can't know whom it talks to; copy it from the folder of keys of the publisher", why.text);
}

fw_status fw_secure_reader(fw_bus_keys *out, char publisher[static FW_BUS_KEY_TEXT], const fw_secure *s, fw_error *err)
{
    fw_error why = {0};
    FW_TRY(read_publisher_public(publisher, s, err));
    const fw_status status = fw_keys_read_secret(out, s->folder, FW_KEYS_READER, &why);
    if (status == FW_OK) return FW_OK;
    if (status != FW_ERR_NOTFOUND) return fw_fail(err, status, "%s", why.text);
    return fw_fail(err, FW_ERR_CONFIG, "%s, and who reads needs it: flywheel keys new %s -o %s; the publisher lets it in by: flywheel keys allow %s.public", why.text,
                   FW_KEYS_READER, s->folder, FW_KEYS_READER);
}

fw_status fw_secure_plain(const fw_secure *s, const char *endpoint, bool binds, fw_error *err)
{
    if ((s != NULL && s->insecure) || fw_endpoint_is_near(endpoint, binds)) return FW_OK;
    if (binds)
        return fw_fail(err, FW_ERR_CONFIG, "bus: %s is open to other hosts, and without keys whoever reaches it reads everything: give keys (--keys FOLDER, monitor.keys; "
                       "`flywheel keys new %s` makes them), bind tcp://127.0.0.1:PORT, or say --insecure", endpoint, FW_KEYS_PUBLISHER);
    return fw_fail(err, FW_ERR_CONFIG, "bus: %s is another host, and without keys nobody knows who answers there: give keys (--keys FOLDER, monitor.keys; "
                   "`flywheel keys new %s` makes them), or say --insecure", endpoint, FW_KEYS_READER);
}

/* ---- the bus ----------------------------------------------------------------------------------------------------------------------------- */

fw_status fw_bus_secure(fw_bus *b, const fw_bus_identity *identity, fw_error *err)
{
    if (atomic_load(&b->users) > 1 || b->secure != NULL) return fw_fail(err, FW_ERR_ARG, "bus: it is made secure once, before its first socket");
    return fw_secure_create(&b->secure, identity, err);
}

static bool in_process(const char *endpoint) { return strncmp(endpoint, "inproc://", strlen("inproc://")) == 0; }

fw_status fw_bus_check(const char *endpoint, const fw_bus_identity *identity, bool publishes, fw_error *err)
{
    FW_AUTO(fw_secure) *s = NULL;
    fw_bus_keys keys;
    char publisher[FW_BUS_KEY_TEXT];
    FW_TRY(fw_secure_create(&s, identity, err));
    if (s->folder == NULL) return fw_secure_plain(s, endpoint, publishes, err);
    FW_TRY(publishes ? fw_secure_publisher(&keys, s, err) : fw_secure_reader(&keys, publisher, s, err));
    fw_keys_forget(&keys);
    return publishes ? fw_gate_look(s->gate, err) : FW_OK;
}

size_t fw_bus_refusals(fw_bus *b, fw_refusal *out, size_t room)
{
    fw_gate *gate = fw_secure_gate(b->secure);
    return gate != NULL ? fw_gate_counts(gate, out, room) : 0;
}

/* ---- its sockets ------------------------------------------------------------------------------------------------------------------------- */

static fw_status start_handler(fw_bus *b, fw_error *err)
{
    fw_gate *gate = fw_secure_gate(b->secure);
    pthread_mutex_lock(&b->lock);
    fw_status s = FW_OK;
    if (b->zap == NULL) s = fw_gate_look(gate, err);
    if (b->zap == NULL && s == FW_OK) s = fw_zap_start(&b->zap, b->context, gate, err);
    pthread_mutex_unlock(&b->lock);
    return s;
}

static fw_status serve(fw_socket *s, const char *domain, fw_error *err)
{
    fw_bus_keys keys;
    const int one = 1;
    FW_TRY(fw_secure_publisher(&keys, s->bus->secure, err));
    fw_status status = start_handler(s->bus, err);
    if (status == FW_OK) status = fw_socket_set_int(s, ZMQ_CURVE_SERVER, 1, "CURVE_SERVER", err);
    if (status == FW_OK) status = fw_socket_set_text(s, ZMQ_CURVE_SECRETKEY, keys.secret_key, "CURVE_SECRETKEY", err);
    if (status == FW_OK) status = fw_socket_set_text(s, ZMQ_ZAP_DOMAIN, domain, "ZAP_DOMAIN", err);
    zmq_setsockopt(s->zmq, ZMQ_ZAP_ENFORCE_DOMAIN, &one, sizeof one);      /* a library that knows it lets nobody in when the handler is gone at the end */
    fw_keys_forget(&keys);
    return status;
}

static fw_status come(fw_socket *s, fw_error *err)
{
    fw_bus_keys keys;
    char publisher[FW_BUS_KEY_TEXT];
    FW_TRY(fw_secure_reader(&keys, publisher, s->bus->secure, err));
    fw_status status = fw_socket_be_client(s, publisher, &keys, err);
    fw_keys_forget(&keys);
    return status;
}

fw_status fw_socket_be_client(fw_socket *s, const char *server, const fw_bus_keys *own, fw_error *err)
{
    FW_TRY(fw_socket_set_text(s, ZMQ_CURVE_SERVERKEY, server, "CURVE_SERVERKEY", err));
    FW_TRY(fw_socket_set_text(s, ZMQ_CURVE_PUBLICKEY, own->public_key, "CURVE_PUBLICKEY", err));
    return fw_socket_set_text(s, ZMQ_CURVE_SECRETKEY, own->secret_key, "CURVE_SECRETKEY", err);
}

fw_status fw_socket_secure(fw_socket *s, fw_side side, const char *endpoint, fw_error *err)
{
    const bool keys = fw_secure_gate(s->bus->secure) != NULL && !in_process(endpoint);
    s->encrypted = side == FW_SIDE_OWN_KEYS || (keys && side != FW_SIDE_PLAIN);
    if (!keys) return FW_OK;
    switch (side) {
    case FW_SIDE_READER:    return come(s, err);
    case FW_SIDE_PUBLISHER: return serve(s, FW_DOMAIN_READ, err);
    case FW_SIDE_REPLAY:    return serve(s, FW_DOMAIN_STORE, err);
    case FW_SIDE_PLAIN:
    case FW_SIDE_OWN_KEYS:  break;
    }
    return FW_OK;
}
