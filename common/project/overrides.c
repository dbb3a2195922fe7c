/** The command line and the environment, put into the tree before it is read. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "common/project/fill.h"

#define ENVIRONMENT_PREFIX "FLYWHEEL_"

extern char **environ;

/* ---- dotted paths ---- */

/** Below these, the rest of a path is a name that may hold dots. */
static bool names_below(const fw_key *key)
{
    return key->form == FW_KEY_MAP || key->form == FW_KEY_GATES || key->form == FW_KEY_MERGE || key->form == FW_KEY_WEIGHTS ||
           key->form == FW_KEY_SPACE || key->form == FW_KEY_ANY;
}

static size_t last_part(const char *rest, const char *separator)
{
    size_t at = 0, step = strlen(separator);
    for (const char *s = strstr(rest, separator); s != NULL; s = strstr(s + step, separator)) at = (size_t)(s - rest);
    return at;
}

/** Bytes of the name that rest begins with: "sepal.length" of "sepal.length.type", all of "sepal.length". */
static size_t name_length(const char *rest, const fw_key *parent, const char *separator)
{
    size_t cut = last_part(rest, separator);
    if (cut == 0) return strlen(rest);
    char sub[64];
    size_t n = 0;
    for (const char *s = rest + cut + strlen(separator); *s != '\0' && n + 1 < sizeof sub; s++) sub[n++] = (char)tolower((unsigned char)*s);
    sub[n] = '\0';
    return fw_key_below(parent, sub) != NULL ? cut : strlen(rest);
}

/** Cuts the next part off *rest; NULL: it can't be cut. */
static char *next_part(const char **rest, const fw_key *parent, bool named, const char *separator)
{
    const char *s = *rest, *end;
    size_t len;
    if (named && *s == '"' && (end = strchr(s + 1, '"')) != NULL) {
        s++;
        len = (size_t)(end - s);
        end++;
    } else {
        const char *cut = strstr(s, separator);
        len = named ? name_length(s, parent, separator) : cut != NULL ? (size_t)(cut - s) : strlen(s);
        end = s + len;
    }
    if (len == 0) return NULL;
    if (*end != '\0') {
        if (strncmp(end, separator, strlen(separator)) != 0) return NULL;
        end += strlen(separator);
        if (*end == '\0') return NULL;
    }
    *rest = end;
    return strndup(s, len);
}

size_t fw_key_split(char *out[8], const char *path, const char *separator)
{
    bool environment = strcmp(separator, ".") != 0, known = true, named = false;
    const fw_key *parent = NULL;
    size_t n = 0;
    for (const char *rest = path; *rest != '\0' || n == 0;) {
        char *part = n < 8 ? next_part(&rest, parent, named, separator) : NULL;
        if (part == NULL) {
            while (n > 0) free(out[--n]);
            return 0;
        }
        if (environment && !named)
            for (char *c = part; *c != '\0'; c++) *c = (char)tolower((unsigned char)*c);
        out[n++] = part;
        if (named) {
            named = false;
            continue;
        }
        const fw_key *key = known ? fw_key_below(parent, part) : NULL;
        known = key != NULL;
        named = known && names_below(key);
        if (known) parent = key;
    }
    return n;
}

/* The resolved file writes a byte of a name with up to six, and a key of YAML has at most 1,024. */
#define PATH_MAX_BYTES 160u

/* ---- one key of the tree ---- */

/** The map at part of node, made when there is none; a section that has a default begins with it. */
static fw_status enter(fw_node **out, fw_node *node, const fw_key *key, const char *part, fw_origin origin, fw_error *err)
{
    fw_node *child = fw_node_child(node, part);
    if (child == NULL || child->kind != FW_TREE_MAP) {
        FW_AUTO(fw_node) *made = NULL;
        if (key != NULL && key->form == FW_KEY_MAP && key->fallback != NULL) FW_TRY(fw_value_node(&made, key->fallback, "default", err));
        else FW_TRY(fw_node_map(&made, err));
        fw_node_set_origin(made, origin);
        FW_TRY(fw_node_put(node, part, &made, err));
        child = fw_node_child(node, part);
    }
    *out = child;
    return FW_OK;
}

fw_status fw_tree_set(fw_node *root, char *const *parts, size_t n, const char *value, fw_origin origin, fw_error *err)
{
    FW_AUTO(fw_node) *node = NULL;
    FW_TRY(fw_value_node(&node, value, "value", err));
    fw_node_set_origin(node, origin);
    fw_node *at = root;
    const fw_key *key = NULL;
    for (size_t i = 0; i + 1 < n; i++) {
        const fw_key *below = fw_key_below(key, parts[i]);
        if (below != NULL) key = below;
        FW_TRY(enter(&at, at, below, parts[i], origin, err));
    }
    const fw_key *meant = fw_key_aliased(key, parts[n - 1]);
    if (meant != NULL) node->alias = meant->alias;
    FW_TRY(fw_node_put(at, meant != NULL ? fw_key_name(meant) : parts[n - 1], &node, err));
    return fw_tree_widen(root, err);
}

static fw_status override(fw_node *root, const char *path, const char *separator, const char *value, fw_origin origin, fw_problems *problems,
                          fw_error *err)
{
    char *parts[8];
    fw_node here = {.origin = origin};
    const size_t len = strlen(path), good = fw_utf8_valid(path, len);
    if (len > PATH_MAX_BYTES) {
        fw_problem(problems, &here, false, "a key", "%zu bytes, at most %u: set it in the project file", len, PATH_MAX_BYTES);
        return FW_OK;
    }
    if (path[good] != '\0') {                                  /* a name in it may be a column's: the resolved file must be text */
        FW_FREE char *before = strndup(path, good);
        if (before == NULL) return fw_fail(err, FW_ERR_NOMEM, "a key");
        fw_problem(problems, &here, false, before, "what follows, byte 0x%02x, is not UTF-8", (unsigned char)path[good]);
        return FW_OK;
    }
    errno = 0;
    size_t n = fw_key_split(parts, path, separator);
    if (n == 0 && errno == ENOMEM) return fw_fail(err, FW_ERR_NOMEM, "the key %.60s", path);
    if (n == 0) {
        fw_problem(problems, &here, false, path, "is no path of a key such as train%sepochs", separator);
        return FW_OK;
    }
    fw_error why;
    fw_status s = fw_tree_set(root, parts, n, value, origin, &why);
    while (n > 0) free(parts[--n]);
    if (s == FW_ERR_CONFIG) fw_problem(problems, &here, false, path, "%s", why.text);
    else if (s < 0) return fw_fail(err, s, "%s", why.text);
    return FW_OK;
}

/* ---- all of them ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/** Variables with a "__" in their name are ours; in sorted order, so that the outcome doesn't depend on the shell. */
static fw_status from_environment(fw_node *root, fw_problems *problems, fw_error *err)
{
    size_t count = 0, n = 0, prefix = strlen(ENVIRONMENT_PREFIX);
    while (environ != NULL && environ[count] != NULL) count++;
    FW_FREE char **mine = calloc(count + 1, sizeof *mine);
    if (mine == NULL) return fw_fail(err, FW_ERR_NOMEM, "environment");
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(environ[i], '='), *cut = strstr(environ[i], "__");
        if (strncmp(environ[i], ENVIRONMENT_PREFIX, prefix) == 0 && equals != NULL && cut != NULL && cut < equals) mine[n++] = environ[i];
    }
    qsort(mine, n, sizeof *mine, by_text);
    for (size_t i = 0; i < n; i++) {
        const char *equals = strchr(mine[i], '=');
        FW_FREE char *path = strndup(mine[i] + prefix, (size_t)(equals - mine[i]) - prefix);
        if (path == NULL) return fw_fail(err, FW_ERR_NOMEM, "environment");
        FW_TRY(override(root, path, "__", equals + 1, FW_FROM_ENVIRONMENT, problems, err));
    }
    return FW_OK;
}

fw_status fw_tree_override(fw_node *root, const char *const *overrides, size_t n, fw_problems *problems, fw_error *err)
{
    FW_TRY(from_environment(root, problems, err));
    return fw_tree_set_texts(root, overrides, n, FW_FROM_COMMAND_LINE, problems, err);
}

fw_status fw_tree_set_texts(fw_node *root, const char *const *overrides, size_t n, fw_origin origin, fw_problems *problems, fw_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const char *equals = strchr(overrides[i], '=');
        if (equals == NULL || equals == overrides[i]) {
            fw_node here = {.origin = origin};
            fw_problem(problems, &here, false, overrides[i], "expected key=value, e.g. train.epochs=3");
            continue;
        }
        FW_FREE char *path = strndup(overrides[i], (size_t)(equals - overrides[i]));
        if (path == NULL) return fw_fail(err, FW_ERR_NOMEM, "key=value");
        FW_TRY(override(root, path, ".", equals + 1, origin, problems, err));
    }
    return FW_OK;
}
