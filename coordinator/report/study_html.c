/** The page of a search: what was found, how, and what it cost. */
#include <inttypes.h>
#include <math.h>

#include "common/core/size.h"
#include "coordinator/report/study_parts.h"

#define BEST_ROWS 10
#define SLICES    24

static const char study_style[] =
    ".trial{fill:var(--first);fill-opacity:.75;stroke:var(--paper);stroke-width:.6}.trial.pruned{fill:var(--soft);fill-opacity:.45}.trial.open{fill:none;stroke:var(--soft)}"
    ".trial.best{fill:var(--second);fill-opacity:1}"
    ".thread{fill:none;stroke:var(--first);stroke-width:1.1;stroke-linejoin:round}.thread.best{stroke:var(--second);stroke-width:3}"
    "figure.broad{max-width:none;flex-basis:100%}svg.broad{min-width:40rem}svg text.name{fill:var(--ink);font-weight:600}"
    "svg.broad text{paint-order:stroke;stroke:var(--paper);stroke-width:4px;stroke-linejoin:round}.found{grid-template-columns:repeat(auto-fit,minmax(12rem,1fr))}"
    ".key svg.small{width:12px}"
    ".stretch{fill:var(--first)}.stretch.pruned{fill:var(--soft);fill-opacity:.6}.stretch.fail{fill:var(--bad)}.stretch.open{fill:var(--first);fill-opacity:.35}"
    ".bar{width:55%}.bar i{display:block;height:.7rem;border-radius:3px;background:var(--first);min-width:1px}"
    ".slices figure{flex-basis:17rem;max-width:24rem}";

static uint64_t count(const coord_study_page *r, coord_study_end end)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->n_rows; i++) n += r->row[i].end == end;
    return n;
}

static void add_head(fw_text *t, const coord_study_page *r)
{
    fw_text_add(t, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                   "<meta name=\"color-scheme\" content=\"light dark\"><title>");
    coord_html_escape(t, r->name);
    fw_text_add(t, ": study</title><style>");
    fw_text_add(t, coord_html_style);
    fw_text_add(t, study_style);
    fw_text_add(t, "</style></head><body><main><header><p class=\"kind\">Study</p><h1>");
    coord_html_escape(t, r->name);
    fw_text_format(t, "</h1><p>Searched for the %s ", r->maximize ? "highest" : "lowest");
    coord_html_escape(t, r->metric);
    fw_text_add(t, " on the validation rows. Sampler: ");
    coord_html_escape(t, r->sampler);
    fw_text_add(t, ". Pruner: ");
    coord_html_escape(t, r->pruner);
    fw_text_add(t, ".</p></header>");
}

static void card(fw_text *t, const char *figure, const char *name, const char *words)
{
    fw_text_add(t, "<div class=\"card\"><span>");
    coord_html_escape(t, name);
    fw_text_add(t, "</span><b>");
    coord_html_escape(t, figure);
    fw_text_add(t, "</b><p>");
    coord_html_escape(t, words);
    fw_text_add(t, "</p></div>");
}

static void add_figures(fw_text *t, const coord_study_page *r)
{
    char figure[COORD_FIGURE_TEXT], words[200];
    uint64_t rounds = 0;
    for (size_t i = 0; i < r->n_rows; i++) rounds += r->row[i].rounds;
    fw_text_add(t, "<section><h2>What it found</h2><div class=\"cards found\">");
    if (r->best >= 0) {
        coord_figure(figure, r->row[r->best].value);
        snprintf(words, sizeof words, "trial %" PRIu64 ", after %" PRIu64 " rounds", r->row[r->best].number, r->row[r->best].rounds);
        card(t, figure, r->metric, words);
    }
    snprintf(figure, sizeof figure, "%zu of %" PRIu64, r->n_rows, r->budget);
    snprintf(words, sizeof words, "%" PRIu64 " complete, %" PRIu64 " pruned, %" PRIu64 " failed, %" PRIu64 " not ended", count(r, COORD_STUDY_COMPLETE), count(r, COORD_STUDY_PRUNED),
             count(r, COORD_STUDY_FAIL), count(r, COORD_STUDY_OPEN));
    card(t, figure, "Trials", words);
    coord_count(figure, rounds);
    const double whole = (double)r->n_rows * (double)r->max_rounds;
    snprintf(words, sizeof words, "%.0f %% of the %.0f that whole trials would have taken", whole > 0 ? 100 * (double)rounds / whole : 0.0, whole);
    card(t, figure, "Rounds trained", words);
    snprintf(figure, sizeof figure, r->seconds < 600 ? "%.1f s" : "%.0f s", r->seconds);
    snprintf(words, sizeof words, "on %u group%s, %.1f %% of whose time a trial was on them", r->slots, r->slots == 1 ? "" : "s", 100 * r->busy);
    card(t, figure, "Time", words);
    fw_text_add(t, "</div>");
    if (r->best >= 0) {
        fw_text_add(t, "<h3>The best trial</h3><dl>");
        for (size_t i = 0; i < r->n_axes; i++) {
            if (!isfinite(r->row[r->best].u[i])) continue;
            fw_text_add(t, "<dt><code>");
            coord_html_escape(t, r->axis[i].name);
            fw_text_add(t, "</code></dt><dd>");
            coord_html_escape(t, r->row[r->best].text[i]);
            fw_text_add(t, "</dd>");
        }
        fw_text_add(t, "</dl>");
    } else {
        fw_text_add(t, "<p>No trial is complete.</p>");
    }
    fw_text_add(t, "</section>");
}

/* ---- the best ones, side by side ---- */

static bool comes_before(const coord_study_page *r, size_t a, size_t b)
{
    const double x = r->row[a].value, y = r->row[b].value;
    if (x != y) return r->maximize ? x > y : x < y;
    return a < b;
}

static size_t best_rows(const coord_study_page *r, size_t out[static BEST_ROWS])
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_rows; i++) {
        if (r->row[i].end != COORD_STUDY_COMPLETE || !isfinite(r->row[i].value)) continue;
        size_t at = n;
        while (at > 0 && comes_before(r, i, out[at - 1])) at--;
        if (at >= BEST_ROWS) continue;
        for (size_t k = FW_MIN(n, (size_t)BEST_ROWS - 1); k > at; k--) out[k] = out[k - 1];
        out[at] = i;
        n = FW_MIN(n + 1, (size_t)BEST_ROWS);
    }
    return n;
}

static void add_best_rows(fw_text *t, const coord_study_page *r)
{
    size_t row[BEST_ROWS];
    const size_t n = best_rows(r, row);
    if (n < 2) return;
    fw_text_add(t, "<section><h2>The best side by side</h2><div class=\"wide\"><table><tr><th>trial</th><th>");
    coord_html_escape(t, r->metric);
    fw_text_add(t, "</th><th>rounds</th>");
    for (size_t i = 0; i < r->n_axes; i++) {
        fw_text_add(t, "<th>");
        coord_html_escape(t, r->axis[i].name);
        fw_text_add(t, "</th>");
    }
    for (size_t k = 0; k < n; k++) {
        const coord_study_row *x = &r->row[row[k]];
        char value[COORD_FIGURE_TEXT];
        coord_figure(value, x->value);
        fw_text_format(t, "</tr><tr><td>%" PRIu64 "</td><td>%s</td><td>%" PRIu64 "</td>", x->number, value, x->rounds);
        for (size_t i = 0; i < r->n_axes; i++) {
            fw_text_add(t, "<td>");
            if (isfinite(x->u[i])) coord_html_escape(t, x->text[i]);
            fw_text_add(t, "</td>");
        }
    }
    fw_text_add(t, "</tr></table></div></section>");
}

/* ---- sections of charts ---- */

static void add_course(fw_text *t, const coord_study_page *r)
{
    fw_text_add(t, "<section><h2>The course of the search</h2><div class=\"charts\">");
    coord_study_chart_course(t, r);
    fw_text_add(t, "<div class=\"aside\"><h3>How far the trials came</h3>");
    coord_study_chart_rounds(t, r);
    fw_text_add(t, "</div></div></section>");
}

static void add_parameters(fw_text *t, const coord_study_page *r)
{
    bool any = false;
    fw_text_add(t, "<section><h2>What the parameters do</h2>");
    coord_study_chart_parallel(t, r);
    for (size_t i = 0; i < r->n_axes; i++) any = any || isfinite(r->axis[i].importance);
    if (any) {
        fw_text_add(t, "<h3>Which of them matter</h3>");
        coord_study_chart_importance(t, r);
        fw_text_add(t, "<p class=\"soft\">");
        coord_html_escape(t, r->importance_method);
        fw_text_add(t, "</p>");
    }
    fw_text_add(t, "<h3>One at a time</h3><div class=\"charts slices\">");
    for (size_t i = 0; i < FW_MIN(r->n_axes, (size_t)SLICES); i++) coord_study_chart_slice(t, r, i);
    fw_text_add(t, "</div></section>");
}

static void add_slots(fw_text *t, const coord_study_page *r)
{
    if (r->n_bars == 0) return;
    fw_text_add(t, "<section><h2>Where the time went</h2>");
    coord_study_chart_slots(t, r);
    fw_text_add(t, "</section>");
}

fw_status coord_study_html(FILE *out, const coord_study_page *r, fw_error *err)
{
    FW_AUTO(fw_text) t = {0};
    add_head(&t, r);
    add_figures(&t, r);
    add_course(&t, r);
    add_best_rows(&t, r);
    add_parameters(&t, r);
    add_slots(&t, r);
    fw_text_add(&t, "<footer>Written by flywheel ");
    coord_html_escape(&t, r->program);
    fw_text_add(&t, ". The same for programs: <code>flywheel sweep trials --format json</code>.</footer></main></body></html>\n");
    FW_TRY(fw_text_check(&t, err));
    if (fwrite(t.data, 1, t.len, out) != t.len) return fw_fail_errno(err, FW_ERR_IO, "report: the page of the study cannot be written");
    return FW_OK;
}
