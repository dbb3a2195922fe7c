/** The findings as text for people and as JSON for programs. */
#include <string.h>

#include "common/core/size.h"
#include "coordinator/doctor/doctor.h"

#define INDENT_WORDS  "  "
#define VERDICT_WIDTH 6
#define NAME_WIDTH    15

static const char *const colours[COORD_N_VERDICTS] = {"\033[32m", "\033[36m", "\033[33m", "\033[1;31m"};

/* ---- text ------------------------------------------------------------------------------------------------------------------------------- */

static size_t characters(const char *s, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) n += ((unsigned char)s[i] & 0xc0) != 0x80;
    return n;
}

/* Words from the column on, broken before the width; later lines begin at `indent`. Control characters become "?". */
static void print_words(FILE *out, const char *s, size_t indent, size_t width)
{
    size_t column = indent;
    for (bool first = true; *s != '\0'; first = false) {
        const size_t len = strcspn(s, " "), wide = characters(s, len);
        if (!first && column + 1 + wide > width) {
            fprintf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', out);
            column++;
        }
        for (size_t i = 0; i < len; i++) fputc((unsigned char)s[i] < ' ' || s[i] == 127 ? '?' : s[i], out);
        column += wide;
        s += len;
        s += strspn(s, " ");
    }
    fputc('\n', out);
}

static void print_finding(FILE *out, const coord_check *c, const coord_finding *f, size_t width, bool colour)
{
    const size_t indent = strlen(INDENT_WORDS) + VERDICT_WIDTH + NAME_WIDTH;
    const char *word = coord_verdict_name(f->verdict);
    fprintf(out, INDENT_WORDS "%s%-*s%s%-*s", colour ? colours[f->verdict] : "", VERDICT_WIDTH, word, colour ? "\033[0m" : "", NAME_WIDTH, c->name);
    print_words(out, f->value.data, indent, width);
    if (f->remedy.len == 0) return;
    fprintf(out, "%*s", (int)indent - 3, "");
    fputs("-> ", out);
    print_words(out, f->remedy.data, indent, width);
}

static void heading(FILE *out, const char *words, bool colour) { fprintf(out, "\n%s%s%s\n", colour ? "\033[1m" : "", words, colour ? "\033[0m" : ""); }

static void print_line(FILE *out, const char *how, const fw_text *line)
{
    if (line->len > 0) fprintf(out, INDENT_WORDS "%-*s%s\n", VERDICT_WIDTH + NAME_WIDTH - 8, how, line->data);
}

static void print_count(FILE *out, const coord_doctor *d, const size_t count[static COORD_N_VERDICTS], bool colour)
{
    const char *const words[COORD_N_VERDICTS] = {"ok", "to note", count[COORD_WARN] == 1 ? "warning" : "warnings", count[COORD_FAIL] == 1 ? "failure" : "failures"};
    fprintf(out, "\n%zu rank%s on %zu host%s: ", d->n_ranks, d->n_ranks == 1 ? "" : "s", d->n_hosts, d->n_hosts == 1 ? "" : "s");
    for (int v = COORD_FAIL; v >= COORD_GOOD; v--)
        if (count[v] > 0 || v == COORD_FAIL)
            fprintf(out, "%s%s%zu %s%s", v < COORD_FAIL ? ", " : "", colour && count[v] > 0 ? colours[v] : "", count[v], words[v], colour && count[v] > 0 ? "\033[0m" : "");
    fputc('\n', out);
}

static void add_fail(fw_text *fails, const coord_check *c, const coord_finding *f)
{
    if (f->verdict == COORD_FAIL) fw_text_format(fails, "%s%s", fails->len > 0 ? ", " : "", c->name);
}

fw_status coord_doctor_show(FILE *out, const coord_doctor *d, size_t width, bool colour, fw_text *fails, fw_error *err)
{
    size_t count[COORD_N_VERDICTS] = {0};
    const char *group = NULL;
    fw_status s = FW_OK;
    for (const coord_check *c = coord_checks; c->name != NULL && s == FW_OK; c++) {
        coord_finding f = {0};
        c->look(&f, d);
        s = fw_text_check(&f.value, err);
        if (s == FW_OK) s = fw_text_check(&f.remedy, err);
        if (s == FW_OK && f.value.len > 0) {
            if (!fw_text_equal(group, c->group)) heading(out, c->group, colour);
            group = c->group;
            count[f.verdict]++;
            print_finding(out, c, &f, width, colour);
            add_fail(fails, c, &f);
        }
        coord_finding_release(&f);
    }
    FW_TRY(s);
    FW_AUTO(fw_text) mpirun = {0};
    FW_AUTO(fw_text) srun = {0};
    FW_AUTO(fw_text) supervised = {0};
    coord_launch_mpirun(&mpirun, d);
    coord_launch_srun(&srun, d);
    coord_launch_supervised(&supervised, d);
    heading(out, "start training here with", colour);
    print_line(out, "supervised", &supervised);
    print_line(out, "mpirun", &mpirun);
    print_line(out, "Slurm", &srun);
    print_count(out, d, count, colour);
    return fw_text_check(fails, err);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------------------- */

static json_t *finding_json(const coord_check *c, const coord_finding *f)
{
    return json_pack("{s:s%, s:s, s:s, s:s, s:s, s:O?}", "group", c->group, strcspn(c->group, " "), "check", c->name, "verdict", coord_verdict_name(f->verdict), "value",
                     f->value.data, "remedy", f->remedy.len > 0 ? f->remedy.data : "", "figures", f->figures);
}

static json_t *ranks_json(const coord_doctor *d)
{
    json_t *list = json_array();
    for (size_t r = 0; r < d->n_ranks; r++) {
        json_t *o = json_object();
        for (size_t i = 0; i < d->rank[r].facts->n_values; i++) {
            const double v = d->rank[r].facts->values[i].value;
            json_object_set_new(o, d->rank[r].facts->values[i].name, json_real(v));
        }
        for (size_t i = 0; i < d->rank[r].facts->n_words; i++) json_object_set_new(o, d->rank[r].facts->words[i].name, json_string(d->rank[r].facts->words[i].text));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *launch_json(const coord_doctor *d)
{
    static const struct { const char *name; void (*line)(fw_text *, const coord_doctor *); } ways[] = {
        {"supervised", coord_launch_supervised}, {"mpirun", coord_launch_mpirun}, {"srun", coord_launch_srun}};
    json_t *o = json_object();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        FW_AUTO(fw_text) line = {0};
        ways[i].line(&line, d);
        if (line.len > 0) json_object_set_new(o, ways[i].name, json_string(line.data));
    }
    return o;
}

fw_status coord_doctor_json(FILE *out, const coord_doctor *d, fw_text *fails, fw_error *err)
{
    size_t count[COORD_N_VERDICTS] = {0};
    coord_verdict worst = COORD_GOOD;
    json_t *checks = json_array(), *counts = json_object();
    for (const coord_check *c = coord_checks; c->name != NULL; c++) {
        coord_finding f = {0};
        c->look(&f, d);
        if (f.value.len > 0) {
            count[f.verdict]++;
            worst = FW_MAX(worst, f.verdict);
            json_array_append_new(checks, finding_json(c, &f));
            add_fail(fails, c, &f);
        }
        coord_finding_release(&f);
    }
    for (int v = COORD_GOOD; v < COORD_N_VERDICTS; v++) json_object_set_new(counts, coord_verdict_name((coord_verdict)v), json_integer((json_int_t)count[v]));
    json_t *all = json_pack("{s:s, s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o}", "program", FW_VERSION, "ranks", (json_int_t)d->n_ranks, "hosts", (json_int_t)d->n_hosts,
                            "folder", d->folder.dir, "verdict", coord_verdict_name(worst), "count", counts, "checks", checks, "launch", launch_json(d), "by_rank",
                            ranks_json(d));
    const int rc = all != NULL ? json_dumpf(all, out, JSON_COMPACT | JSON_REAL_PRECISION(12)) : -1;
    json_decref(all);
    fputc('\n', out);
    return rc == 0 ? fw_text_check(fails, err) : fw_fail(err, FW_ERR_IO, "doctor: the findings can't be written as JSON");
}
