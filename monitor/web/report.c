#include "monitor/web/report.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/fs.h"
#include "common/core/size.h"
#include "monitor/web/json.h"
#include "monitor/web/route.h"
#include "monitor/web/source.h"

#define FEATURE_ROWS 1000            /* of one feature's history */

/* The page's policy for a file: nothing is asked for, from nowhere. What others have said is data: it stands in no script and no markup. */
#define POLICY "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

/* What is replaced in page.html. */
#define STYLE   "<link rel=\"stylesheet\" href=\"page.css\">\n"
#define SCRIPTS "<script src=\"chart.js\" defer></script>\n<script src=\"page.js\" defer></script>\n"
#define END     "</body>"

typedef struct report {
    const monitor_report_opts *opts;
    monitor_reader *reader;
    fw_text text;
    bool begun;                      /* an answer stands in it */
} report;

/* ---- data -------------------------------------------------------------------------------------------------------------------------------------- */

/** JSON within markup: what could end a script stands in strings alone, where it has another form. */
static void add_escaped(fw_text *out, const char *json, size_t len)
{
    size_t from = 0;
    for (size_t i = 0; i < len; i++) {
        if (json[i] != '<' && json[i] != '>' && json[i] != '&') continue;
        fw_text_add_bytes(out, json + from, i - from);
        fw_text_format(out, "\\u%04x", (unsigned)json[i]);
        from = i + 1;
    }
    fw_text_add_bytes(out, json + from, len - from);
}

static fw_status add_json(report *r, json_t *value, fw_error *err)
{
    FW_FREE char *text = value != NULL ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "report %s", r->opts->path);
    add_escaped(&r->text, text, strlen(text));
    return FW_OK;
}

static void ask_for(monitor_target *t, const char *name, const char *value)
{
    if (value != NULL) t->param[t->n++] = (monitor_param){name, value};
}

static fw_status answer(fw_text *out, const report *r, const monitor_route *route, const char *model, const char *feature, fw_error *err)
{
    static const monitor_web_figures nothing;
    char limit[16];
    monitor_target target = {.path = route->path};
    monitor_answer a = {.code = 200};
    const monitor_ask ask = {.target = &target, .reader = r->reader, .figures = &nothing};
    snprintf(limit, sizeof limit, "%d", feature != NULL ? FEATURE_ROWS : route->kept_rows);
    ask_for(&target, "model", model);
    ask_for(&target, "feature", feature);
    ask_for(&target, "limit", limit);
    const fw_status status = route->answer(&a, &ask, err);
    if (status < 0) {
        fw_text_destroy(&a.text);
        return status;
    }
    *out = a.text;
    return FW_OK;
}

static fw_status add_answer(report *r, const monitor_route *route, const char *model, const char *feature, fw_error *err)
{
    FW_AUTO(fw_text) body = {0};
    FW_TRY(answer(&body, r, route, model, feature, err));
    fw_text_add(&r->text, r->begun ? ",\n" : "\n");
    r->begun = true;
    FW_TRY(add_json(r, json_pack("[s, s?, s?]", strrchr(route->path, '/') + 1, model, feature), err));
    fw_text_add(&r->text, ",");
    add_escaped(&r->text, body.data, body.len);
    return fw_text_check(&r->text, err);
}

/** A list of an answer's rows; NULL with *all: no such list. *all is the caller's. */
static json_t *rows_of(json_t **all, const report *r, const char *path, const char *model, const char *list, fw_error *err)
{
    FW_AUTO(fw_text) body = {0};
    for (size_t i = 0; i < monitor_n_routes; i++)
        if (strcmp(monitor_routes[i].path, path) == 0 && answer(&body, r, &monitor_routes[i], model, NULL, err) < 0) return NULL;
    *all = json_loadb(body.data, body.len, 0, NULL);
    if (*all == NULL) fw_fail(err, FW_ERR_NOMEM, "report %s: %s", r->opts->path, path);
    return json_object_get(*all, list);
}

/** The different texts of a member of the rows, each once, to fn. */
static fw_status each_text(const report *r, const char *path, const char *model, const char *list, const char *member, fw_status (*fn)(report *, const char *, const char *, fw_error *),
                           report *to, fw_error *err)
{
    json_t *all = NULL, *seen = json_object();
    fw_status status = FW_OK;
    const json_t *rows = rows_of(&all, r, path, model, list, err);
    if (rows == NULL) status = FW_ERR_NOMEM;
    for (size_t i = 0; status == FW_OK && i < json_array_size(rows); i++) {
        const char *text = json_string_value(json_object_get(json_array_get(rows, i), member));
        if (text == NULL || json_object_get(seen, text) != NULL) continue;
        json_object_set_new(seen, text, json_true());
        status = model != NULL ? fn(to, model, text, err) : fn(to, text, NULL, err);
    }
    json_decref(seen);
    json_decref(all);
    return status;
}

static fw_status add_kept(report *r, monitor_kept kept, const char *model, const char *feature, fw_error *err)
{
    for (size_t i = 0; i < monitor_n_routes; i++)
        if ((monitor_routes[i].kept & kept) != 0) FW_TRY(add_answer(r, &monitor_routes[i], model, feature, err));
    return FW_OK;
}

static fw_status add_feature(report *r, const char *model, const char *feature, fw_error *err) { return add_kept(r, MONITOR_KEPT_FEATURE, model, feature, err); }

static fw_status add_model(report *r, const char *model, const char *unused, fw_error *err)
{
    (void)unused;
    FW_TRY(add_kept(r, MONITOR_KEPT_MODEL, model, NULL, err));
    return each_text(r, "/api/drift", model, "drift", "feature", add_feature, r, err);
}

static fw_status add_data(report *r, fw_error *err)
{
    char made[FW_UTC_LEN];
    fw_utc_now(made);
    fw_text_add(&r->text, "{\"made\":\"");
    fw_text_add(&r->text, made);
    fw_text_add(&r->text, "\",\"program\":\"flywheel " FW_VERSION "\",\"verdict\":");
    FW_TRY(add_json(r, json_string(r->opts->verdict), err));
    fw_text_format(&r->text, ",\"good\":%s,\"answers\":[", r->opts->good ? "true" : "false");
    FW_TRY(add_kept(r, MONITOR_KEPT_ONCE, NULL, NULL, err));
    FW_TRY(each_text(r, "/api/models", NULL, "models", "name", add_model, r, err));
    fw_text_add(&r->text, "]}");
    return fw_text_check(&r->text, err);
}

/* ---- the page ---------------------------------------------------------------------------------------------------------------------------------- */

static void add_file(fw_text *out, fw_status (*give)(monitor_answer *, const monitor_ask *, fw_error *))
{
    monitor_answer file = {0};
    give(&file, NULL, NULL);
    fw_text_add_bytes(out, file.file, file.file_bytes);
}

/** Up to the mark, which is passed over. */
static fw_status copy_to(fw_text *out, const char **page, const char *mark, fw_error *err)
{
    const char *at = strstr(*page, mark);
    if (at == NULL) return fw_fail(err, FW_ERR_INTERNAL, "report: page.html has no %s", mark);
    fw_text_add_bytes(out, *page, (size_t)(at - *page));
    *page = at + strlen(mark);
    return FW_OK;
}

static fw_status compose(fw_text *out, const fw_text *data, fw_error *err)
{
    FW_AUTO(fw_text) html = {0};
    add_file(&html, monitor_answer_page);
    FW_TRY(fw_text_check(&html, err));
    const char *page = html.data;
    FW_TRY(copy_to(out, &page, STYLE, err));
    fw_text_add(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"" POLICY "\">\n<style>\n");
    add_file(out, monitor_answer_style);
    fw_text_add(out, "</style>\n");
    FW_TRY(copy_to(out, &page, SCRIPTS, err));
    FW_TRY(copy_to(out, &page, END, err));
    fw_text_add(out, "<script type=\"application/json\" id=\"report\">");
    fw_text_add_bytes(out, data->data, data->len);
    fw_text_add(out, "</script>\n<script>\n");
    add_file(out, monitor_answer_chart);
    fw_text_add(out, "\n</script>\n<script>\n");
    add_file(out, monitor_answer_script);
    fw_text_add(out, "</script>\n" END);
    fw_text_add(out, page);
    return fw_text_check(out, err);
}

fw_status monitor_report_write(const monitor_report_opts *opts, fw_error *err)
{
    FW_AUTO(monitor_source) *source = NULL;
    FW_AUTO(fw_text) page = {0};
    const char *why = NULL;
    report r = {.opts = opts};
    FW_TRY(monitor_source_create(&source, opts->store, err));
    r.reader = monitor_source_begin(source, &why);
    fw_status status = r.reader != NULL ? add_data(&r, err) : fw_fail(err, FW_ERR_IO, "report %s: %s", opts->path, why);
    monitor_source_end(source, status < 0);
    if (status == FW_OK) status = compose(&page, &r.text, err);
    fw_text_destroy(&r.text);
    return status == FW_OK ? fw_write_file(opts->path, page.data, page.len, err) : status;
}
