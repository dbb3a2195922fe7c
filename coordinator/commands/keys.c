/** flywheel keys: makes pairs of keys for the bus, shows them, and says who is let in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus/allowed.h"
#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/commands/command.h"

#define DEFAULT_FOLDER "keys"

static const char *folder_of(const coord_call *call)
{
    const char *folder = coord_option_value(call, "output");
    return folder != NULL ? folder : DEFAULT_FOLDER;
}

/* ---- new --------------------------------------------------------------------------------------------------------------------------------- */

static void say_next(const char *folder, const char *name)
{
    if (strcmp(name, FW_KEYS_PUBLISHER) == 0)
        fw_log_info("who publishes gives --keys %s; who reads needs a copy of %s/%s.public, and is let in by `flywheel keys allow READER.public --role read -o %s`",
                    folder, folder, name, folder);
    else
        fw_log_info("the publisher lets it in by `flywheel keys allow %s.public --role read`; the secret file stays with its owner", name);
    if (strcmp(name, FW_KEYS_PUBLISHER) != 0 && strcmp(name, FW_KEYS_READER) != 0)
        fw_log_info("flywheel itself reads with the key named %s; this one is for other programs", FW_KEYS_READER);
}

static fw_status new_pair(const coord_call *call, fw_error *err)
{
    const char *folder = folder_of(call), *name = call->positional[1];
    fw_bus_keys keys;
    FW_TRY(fw_keys_create(&keys, folder, name, err));
    printf("%s\n", keys.public_key);
    fw_keys_forget(&keys);
    fw_log_info("written: %s/%s.secret (mode 0600) and %s/%s.public", folder, name, folder, name);
    say_next(folder, name);
    return FW_OK;
}

/* ---- list, show -------------------------------------------------------------------------------------------------------------------------- */

/* An empty list when there is none yet. */
static fw_status read_allowed(fw_allowed **out, const char *folder, fw_error *err)
{
    FW_FREE char *path = NULL;
    fw_error why = {0};
    FW_TRY(fw_path_join(&path, folder, FW_ALLOWED_FILE, err));
    const fw_status s = fw_allowed_read(out, path, &why);
    if (s == FW_ERR_NOTFOUND) return fw_alloc_zeroed((void **)out, 1, sizeof **out, "allowed keys", err);
    return s < 0 ? fw_fail(err, s, "%s", why.text) : FW_OK;
}

typedef struct pair { char public_key[FW_BUS_KEY_TEXT]; bool has_secret; } pair;

/* The public key of a name, out of either file. */
static fw_status read_pair(pair *out, const char *folder, const char *name, fw_error *err)
{
    FW_FREE char *path = NULL;
    fw_bus_keys keys;
    fw_error why = {0};
    fw_status s = fw_keys_read_secret(&keys, folder, name, &why);
    out->has_secret = s == FW_OK;
    if (s == FW_OK) {
        memcpy(out->public_key, keys.public_key, sizeof out->public_key);
        fw_keys_forget(&keys);
        return FW_OK;
    }
    if (s != FW_ERR_NOTFOUND) return fw_fail(err, s, "%s", why.text);
    FW_TRY(fw_keys_path(&path, folder, name, ".public", err));
    return fw_keys_read_public(out->public_key, path, err);
}

static void print_row(const char *name, const pair *p, const fw_allowed *allowed)
{
    const fw_allowed_key *known = fw_allowed_find(allowed, p->public_key);
    printf("%-20s %-41s %-7s %s\n", name, p->public_key, p->has_secret ? "secret" : "public", known != NULL ? fw_role_name(known->role) : "-");
}

static fw_status list_pairs(const char *folder, char **names, size_t n, const fw_allowed *allowed)
{
    fw_status worst = FW_OK;
    for (size_t i = 0; i < n; i++) {
        pair p;
        fw_error why = {0};
        if (read_pair(&p, folder, names[i], &why) == FW_OK) {
            print_row(names[i], &p, allowed);
            continue;
        }
        fw_log_warn("%s", why.text);
        worst = why.status;
    }
    return worst;
}

/* Those who are let in and whose files are not in this folder. */
static void list_others(const char *folder, char **names, size_t n, const fw_allowed *allowed)
{
    for (size_t i = 0; i < allowed->n; i++) {
        bool here = false;
        for (size_t k = 0; k < n && !here; k++) {
            pair p;
            here = read_pair(&p, folder, names[k], NULL) == FW_OK && strcmp(p.public_key, allowed->v[i].key) == 0;
        }
        if (!here) printf("%-20s %-41s %-7s %s\n", allowed->v[i].name, allowed->v[i].key, "-", fw_role_name(allowed->v[i].role));
    }
}

static fw_status list(const coord_call *call, fw_error *err)
{
    const char *folder = folder_of(call);
    FW_AUTO(fw_allowed) *allowed = NULL;
    char **names = NULL;
    size_t n = 0;
    FW_TRY(fw_keys_list(&names, &n, folder, err));
    fw_status s = read_allowed(&allowed, folder, err);
    if (s == FW_OK) {
        printf("%-20s %-41s %-7s %s\n", "name", "public key", "file", "role");
        s = list_pairs(folder, names, n, allowed);
        list_others(folder, names, n, allowed);
        if (s < 0) fw_fail(err, s, "%s: not every file in it is good", folder);
    }
    fw_keys_free_names(names, n);
    return s;
}

static fw_status show(const coord_call *call, fw_error *err)
{
    const char *folder = folder_of(call), *name = call->positional[1];
    FW_AUTO(fw_allowed) *allowed = NULL;
    pair p;
    if (!fw_keys_name_is_good(name)) return fw_fail(err, FW_ERR_CONFIG, "keys show: '%.80s' can't be the name of a key", name);
    FW_TRY(read_pair(&p, folder, name, err));
    FW_TRY(read_allowed(&allowed, folder, err));
    const fw_allowed_key *known = fw_allowed_find(allowed, p.public_key);
    printf("name        %s\npublic key  %s\nsecret key  %s\nlet in      %s\n", name, p.public_key, p.has_secret ? "in this folder, for its owner's eyes" : "not in this folder",
           known != NULL ? fw_role_name(known->role) : "no");
    return FW_OK;
}

/* ---- allow, remove ----------------------------------------------------------------------------------------------------------------------- */

/* "dir/reader.public": "reader" */
static fw_status name_of_file(char **out, const char *path, fw_error *err)
{
    const char *slash = strrchr(path, '/'), *file = slash != NULL ? slash + 1 : path, *dot = strrchr(file, '.');
    *out = strndup(file, dot != NULL && dot != file ? (size_t)(dot - file) : strlen(file));
    return *out != NULL ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "a name");
}

static fw_status fill_allowed(fw_allowed_key *k, const coord_call *call, fw_error *err)
{
    FW_FREE char *from_file = NULL;
    const char *role = coord_option_value(call, "role"), *name = coord_option_value(call, "name");
    if (role == NULL) return fw_fail(err, FW_ERR_CONFIG, "keys allow: --role is missing: read (may subscribe) or store (may also fetch again and acknowledge, as the monitor does)");
    FW_TRY(fw_role_parse(&k->role, role, err));
    FW_TRY(fw_keys_read_public(k->key, call->positional[1], err));
    FW_TRY(name_of_file(&from_file, call->positional[1], err));
    if (name == NULL) name = from_file;
    if (!fw_keys_name_is_good(name)) return fw_fail(err, FW_ERR_CONFIG, "keys allow: '%.80s' can't be a name: give one with --name", name);
    snprintf(k->name, sizeof k->name, "%s", name);
    return FW_OK;
}

static fw_status allow(const coord_call *call, fw_error *err)
{
    FW_FREE char *path = NULL;
    fw_allowed_key k = {0};
    fw_role before = FW_ROLE_NONE;
    const char *folder = folder_of(call);
    FW_TRY(fill_allowed(&k, call, err));
    if (!fw_path_is_dir(folder)) return fw_fail(err, FW_ERR_CONFIG, "keys allow: %s: there is no such folder of keys; `flywheel keys new %s -o %s` makes it", folder,
                                                FW_KEYS_PUBLISHER, folder);
    FW_TRY(fw_path_join(&path, folder, FW_ALLOWED_FILE, err));
    FW_TRY(fw_allowed_add(path, &k, &before, err));
    fw_log_info("%s may %s%s%s; publishers see it at once", k.name, k.role == FW_ROLE_READ ? "subscribe" : "subscribe, fetch again and acknowledge",
                before != FW_ROLE_NONE ? "; before: " : "", before != FW_ROLE_NONE ? fw_role_name(before) : "");
    return FW_OK;
}

static fw_status remove_name(const coord_call *call, fw_error *err)
{
    FW_FREE char *path = NULL;
    size_t removed = 0;
    FW_TRY(fw_path_join(&path, folder_of(call), FW_ALLOWED_FILE, err));
    FW_TRY(fw_allowed_remove(path, call->positional[1], &removed, err));
    fw_log_info("%s: %zu key%s removed from the list; who is connected stays until the publisher ends", call->positional[1], removed, removed == 1 ? "" : "s");
    return FW_OK;
}

/* ---- the command ------------------------------------------------------------------------------------------------------------------------- */

static const struct { const char *word, *argument, *options; fw_status (*run)(const coord_call *call, fw_error *err); } verbs[] = {
    {"new", "NAME", "output", new_pair},     {"list", NULL, "output", list},           {"show", "NAME", "output", show},
    {"allow", "PUBLICFILE", "output role name", allow}, {"remove", "NAME", "output", remove_name},
};
#define VERBS (sizeof verbs / sizeof *verbs)

static fw_status check_use(const coord_call *call, size_t v, fw_error *err)
{
    static const char *const options[] = {"role", "name"};
    const size_t wanted = verbs[v].argument != NULL ? 2 : 1;
    if (call->n_positional < wanted) return fw_fail(err, FW_ERR_CONFIG, "keys %s: something is missing; usage: flywheel keys %s %s", verbs[v].word, verbs[v].word, verbs[v].argument);
    if (call->n_positional > wanted) return fw_fail(err, FW_ERR_CONFIG, "keys %s: what is \"%s\"?", verbs[v].word, call->positional[wanted]);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (coord_option_set(call, options[i]) && strstr(verbs[v].options, options[i]) == NULL)
            return fw_fail(err, FW_ERR_CONFIG, "keys %s: --%s goes with `keys allow`", verbs[v].word, options[i]);
    return FW_OK;
}

static fw_status run(coord_call *call, fw_error *err)
{
    const char *words[VERBS];
    for (size_t v = 0; v < VERBS; v++) {
        words[v] = verbs[v].word;
        if (strcmp(call->positional[0], verbs[v].word) != 0) continue;
        FW_TRY(check_use(call, v, err));
        return verbs[v].run(call, err);
    }
    const char *near = fw_did_you_mean(call->positional[0], words, VERBS);
    return fw_fail(err, FW_ERR_CONFIG, "keys: what is \"%s\"? it is new, list, show, allow or remove%s%s%s", call->positional[0], near ? "; did you mean " : "",
                   near ? near : "", near ? "?" : "");
}

static const coord_option options[] = {
    {"output", 'o', "FOLDER", "the folder of keys (default: keys)"},
    {"role", 0, "read|store", "what a key that is allowed may do: subscribe; or also fetch again and acknowledge, as the monitor does"},
    {"name", 0, "NAME", "of the one who is let in (default: the file's name)"},
};

const coord_command coord_command_keys = {
    .name = "keys",
    .arguments = "new NAME | list | show NAME | allow PUBLICFILE --role ROLE | remove NAME",
    .summary = "make keys for the bus, and say who may listen",
    .description = "With a folder of keys (--keys, or monitor.keys of the project file) what is published is encrypted (CURVE) and goes to those alone whose\n"
                   "public keys are in the folder's list `allowed`; readers know the publisher by its public key. Without keys the bus stays on this host.\n"
                   "Who publishes is called `publisher`, who reads `reader`; NAME.secret (mode 0600) stays where it was made, NAME.public is given to others.\n"
                   "A change of the list counts at once for who comes; who is connected stays. Files of pyzmq and CZMQ are taken, too.\n\n"
                   "  flywheel keys new publisher -o keys          where it is published; give keys/publisher.public to the readers\n"
                   "  flywheel keys new reader -o keys             where it is read, beside publisher.public; give keys/reader.public to the publisher\n"
                   "  flywheel keys allow reader.public --role store -o keys\n"
                   "  flywheel score runs/latest calls.csv --bus tcp://*:5555 --keys keys\n"
                   "  flywheel watch tcp://node7:5555 --keys keys\n",
    .min_positional = 1, .max_positional = 2,
    .options = options, .n_options = sizeof options / sizeof *options,
    .run = run,
};
