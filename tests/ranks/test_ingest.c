/* Ingest on all ranks of the world against ingest on one, and both against a plain reference: the rows that the tables were made of.
 * A check that fails ends all ranks at once, so nobody waits for a rank that has left. */
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/core/fault.h"
#include "common/core/fs.h"
#include "common/core/random.h"
#include "common/core/text.h"
#include "tests/ranks/mpi_reduce.h"
#include "worker/ingest.h"
#include "worker/ingest_memory.h"

static MPI_Comm world;
static fw_reduce all;
static char folder[64], wide[96], alone[96];       /* datasets made by the world, and by rank 0 alone */

#define check(condition)                                                                                   \
    do {                                                                                                   \
        if (!(condition)) {                                                                                \
            fprintf(stderr, "rank %d of %d: %s:%d: %s\n", all.rank, all.size, __FILE__, __LINE__, #condition); \
            MPI_Abort(world, 1);                                                                           \
        }                                                                                                  \
    } while (0)

/* ---- the rows ---- */

enum { ROWS = 90000, LATER_ROWS = 9000, CATEGORIES = 40, PEOPLE = 300, DUPLICATE_EVERY = 1000 };

typedef struct row { char id[16], label[16], who[16], cat[16], note[160]; double x; bool has_x, has_cat; int64_t second; } row;

static uint32_t draw(uint64_t r, uint32_t what) { return fw_random(7, FW_RANDOM_TEST, 0, r, what).word[0]; }

/* Every 1000th row repeats the one before it, but for its id. */
static row make_row(uint64_t r)
{
    row v = {.has_x = true, .has_cat = true};
    snprintf(v.id, sizeof v.id, "r%llu", (unsigned long long)r);
    if (r % DUPLICATE_EVERY == DUPLICATE_EVERY - 1) r--;
    uint32_t label = draw(r, 0) % 100;
    snprintf(v.label, sizeof v.label, "%s",
             label < 50   ? "a"
             : label < 75 ? "b"
             : label < 85 ? "d"
             : label < 95 ? "e"
             : label < 99 ? "zwölf"
                          : "wrong");
    v.has_x = draw(r, 1) % 10 != 0;
    v.x = v.has_x ? ((double)draw(r, 2) - 2e9) / 1024 : 0;
    v.has_cat = draw(r, 3) % 50 != 0;
    if (v.has_cat) snprintf(v.cat, sizeof v.cat, "c%u", draw(r, 4) % CATEGORIES);
    snprintf(v.who, sizeof v.who, "p%u", draw(r, 5) % PEOPLE);
    v.second = 1600000000 + (int64_t)(draw(r, 6) % 5000) * 60;      /* many rows share an instant */
    size_t len = draw(r, 7) % 120;
    for (size_t i = 0; i < len; i++) v.note[i] = "abc,\"\n xyz"[draw(r, 100 + (uint32_t)i) % 10];
    if (len > 0) v.note[0] = v.note[len - 1] = 'q';                  /* no blanks at the ends */
    return v;
}

static bool is_excluded(const row *v) { return strcmp(v->label, "wrong") == 0; }
static const char *class_of(const row *v) { return v->label[0] == 'd' || v->label[0] == 'e' ? "de" : v->label; }

static void write_row(FILE *f, const row *v)
{
    char x[FW_NUMBER_TEXT] = "", t[32];
    if (v->has_x) fw_format_double(x, v->x);
    time_t s = (time_t)v->second;
    struct tm tm;
    strftime(t, sizeof t, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&s, &tm));
    fprintf(f, "%s,%s,%s,%s,%s,%s,secret-%s,\"", v->id, v->label, x, v->has_cat ? v->cat : "NA", t, v->who, v->id);
    for (const char *c = v->note; *c != '\0'; c++) fprintf(f, *c == '"' ? "\"\"" : "%c", *c);
    fprintf(f, "\"\n");
}

static void write_table(const char *name, uint64_t first, uint64_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    check(f != NULL);
    fprintf(f, "id,label,x,cat,when,who,secret,note\n");
    for (uint64_t r = first; r < first + n; r++) {
        row v = make_row(r);
        write_row(f, &v);
    }
    check(fclose(f) == 0);
}

static void write_text(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (all.rank == 0) check(fw_write_file(path, text, strlen(text), NULL) == FW_OK);
    MPI_Barrier(world);
}

/* ---- running it ---- */

typedef struct talk { char text[16384]; } talk;

static void keep(void *context, const char *line)
{
    talk *t = context;
    size_t len = strlen(t->text);
    snprintf(t->text + len, sizeof t->text - len, "%s\n", line);
}

static fw_project *load(const char *yaml)
{
    fw_project *p = NULL;
    fw_error err = {0};
    fw_status s = fw_project_parse(&p, yaml, "test.yaml", folder, &err);
    if (s != FW_OK) fprintf(stderr, "%s\n", err.text);
    check(s == FW_OK);
    return p;
}

static fw_status ingest(const char *yaml, worker_ingest_result *out, talk *said, fw_error *err)
{
    FW_AUTO(fw_project) *p = load(yaml);
    return worker_ingest(p, wide, &all, said != NULL ? keep : NULL, said, out, err);
}

static void same_bytes(void)
{
    char *a = NULL, *b = NULL;
    size_t na, nb;
    check(fw_read_file(&a, &na, wide, (size_t)1 << 30, NULL) == FW_OK);
    check(fw_read_file(&b, &nb, alone, (size_t)1 << 30, NULL) == FW_OK);
    check(na == nb && memcmp(a, b, na) == 0);
    free(a);
    free(b);
}

static size_t count_left_overs(void)
{
    size_t n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) n += strstr(e->d_name, ".tmp.") != NULL;
    closedir(d);
    return n;
}

/* ---- against the reference (rank 0) ---- */

typedef struct seen { uint64_t rows, missing_x, missing_cat, classes[FW_N_SPLITS]; } seen;
typedef void examine(void *context, fw_split s, uint64_t r, const row *v);

static void compare_row(const fw_block *b, size_t i, const fw_schema *s, const row *v)
{
    const fw_cells *c = b->cells;
    int at;
    check(fw_schema_find(s, "secret") < 0);
    at = fw_schema_find(s, "id");
    check(c[at].text_at[i + 1] - c[at].text_at[i] == strlen(v->id) && memcmp(c[at].text_bytes + c[at].text_at[i], v->id, strlen(v->id)) == 0);
    at = fw_schema_find(s, "label");
    check(strcmp(fw_dict_text(s->columns[at].dict, c[at].code[i], NULL), class_of(v)) == 0);
    at = fw_schema_find(s, "x");
    check(c[at].missing[i] == !v->has_x && c[at].number[i] == v->x);
    at = fw_schema_find(s, "cat");
    check(c[at].missing[i] == !v->has_cat && (!v->has_cat || strcmp(fw_dict_text(s->columns[at].dict, c[at].code[i], NULL), v->cat) == 0));
    at = fw_schema_find(s, "when");
    check(c[at].time_us[i] == v->second * 1000000);
    at = fw_schema_find(s, "note");
    check(c[at].missing[i] == (v->note[0] == '\0'));
    check(c[at].text_at[i + 1] - c[at].text_at[i] == strlen(v->note) && memcmp(c[at].text_bytes + c[at].text_at[i], v->note, strlen(v->note)) == 0);
}

/* Each row that is not excluded stands in the file once, with the cells it was made with. */
static void compare_with_rows(uint64_t n, examine *each, void *context)
{
    fw_dataset *d = NULL;
    fw_block *b = NULL;
    fw_error err = {0};
    check(fw_dataset_open(&d, wide, &err) == FW_OK);
    check(fw_block_create(&b, fw_dataset_schema(d), 1000, &err) == FW_OK);
    uint8_t *times = calloc(n, 1);
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++)
        for (uint64_t at = 0; at < fw_dataset_rows(d, s); at += b->n_rows) {
            uint64_t left = fw_dataset_rows(d, s) - at;
            check(fw_dataset_read(d, s, at, left < 1000 ? (size_t)left : 1000, NULL, b, &err) == FW_OK);
            for (size_t i = 0; i < b->n_rows; i++) {
                check(b->row[i] < n);
                row v = make_row(b->row[i]);
                check(times[b->row[i]]++ == 0 && !is_excluded(&v));
                compare_row(b, i, fw_dataset_schema(d), &v);
                each(context, s, b->row[i], &v);
            }
        }
    for (uint64_t r = 0; r < n; r++) {
        row v = make_row(r);
        check(times[r] == !is_excluded(&v));
    }
    free(times);
    fw_block_destroy(&b);
    fw_dataset_destroy(&d);
}

/* Missing values, moments and duplicates of n rows, counted plainly. */
static void compare_statistics(uint64_t n, const worker_ingest_result *out)
{
    fw_dataset *d = NULL;
    check(fw_dataset_open(&d, wide, NULL) == FW_OK);
    const fw_schema *s = fw_dataset_schema(d);
    const fw_column_stats *x = &fw_dataset_stats(d)[fw_schema_find(s, "x")], *cat = &fw_dataset_stats(d)[fw_schema_find(s, "cat")];
    uint64_t no_x = 0, no_cat = 0, rows = 0, duplicates = 0;
    long double sum = 0, squares = 0;
    double low = INFINITY, high = -INFINITY;
    for (uint64_t r = 0; r < n; r++) {
        row v = make_row(r);
        if (is_excluded(&v)) continue;
        rows++;
        no_x += !v.has_x;
        no_cat += !v.has_cat;
        duplicates += r % DUPLICATE_EVERY == DUPLICATE_EVERY - 1;
        if (!v.has_x) continue;
        sum += v.x;
        low = fmin(low, v.x);
        high = fmax(high, v.x);
    }
    long double mean = sum / (long double)(rows - no_x);
    for (uint64_t r = 0; r < n; r++) {
        row v = make_row(r);
        if (!is_excluded(&v) && v.has_x) squares += ((long double)v.x - mean) * ((long double)v.x - mean);
    }
    double stddev = (double)sqrtl(squares / (long double)(rows - no_x));
    check(out->rows == rows && out->excluded == n - rows && out->duplicates == duplicates && out->bad == 0);
    check(x->missing == no_x && cat->missing == no_cat && cat->distinct == CATEGORIES);
    check(x->min == low && x->max == high);
    check(fabs(x->mean - (double)mean) <= 4e-16 * fabs(high) && fabs(x->stddev - stddev) <= 1e-14 * stddev);
    check(fabs((double)x->distinct - (double)(rows - no_x)) < 0.02 * (double)rows);      /* above 65,536 an estimate; collisions of draws */
    fw_dataset_destroy(&d);
}

/* ---- splits, each with what must hold ---- */

#define HEAD "project: t\nproblem: {task: classification, target: label}\nfeatures: {\"*\": auto, who: category, note: text}\n"
#define DATA(tables, split)                                                                                                                          \
    "data: {tables: " tables ", id: id, private: [secret], labels: {exclude: [wrong], merge: {de: [d, e]}}, split: " split "}\n"

typedef struct split_facts {
    uint64_t rows[FW_N_SPLITS], by_class[4][FW_N_SPLITS];
    int64_t first[FW_N_SPLITS], last[FW_N_SPLITS];
    uint8_t person[PEOPLE];            /* bit s: has rows in split s */
    bool later_elsewhere, earlier_in_test;
    uint8_t *split_of;                 /* by row */
} split_facts;

static void gather_facts(void *context, fw_split s, uint64_t r, const row *v)
{
    split_facts *f = context;
    const char *names[] = {"a", "b", "de", "zwölf"};
    f->rows[s]++;
    for (size_t c = 0; c < 4; c++) f->by_class[c][s] += strcmp(class_of(v), names[c]) == 0;
    if (f->rows[s] == 1 || v->second < f->first[s]) f->first[s] = v->second;
    if (f->rows[s] == 1 || v->second > f->last[s]) f->last[s] = v->second;
    f->person[atoi(v->who + 1)] |= (uint8_t)(1u << s);
    f->later_elsewhere |= r >= ROWS && s != FW_TEST;
    f->earlier_in_test |= r < ROWS && s == FW_TEST;
    f->split_of[r] = (uint8_t)(s + 1);
}

static void near_shares(const split_facts *f, double train, double validation, double test)
{
    double share[] = {train, validation, test}, n = (double)(f->rows[0] + f->rows[1] + f->rows[2]);
    for (size_t s = 0; s < FW_N_SPLITS; s++) check(fabs((double)f->rows[s] - share[s] * n) <= 5 * sqrt(n * share[s] * (1 - share[s])));
}

static void holds_random(const split_facts *f) { near_shares(f, 0.8, 0.1, 0.1); }

static void holds_stratified(const split_facts *f)
{
    for (size_t c = 0; c < 4; c++) {
        uint64_t n = f->by_class[c][0] + f->by_class[c][1] + f->by_class[c][2];
        check(n > 0 && f->by_class[c][FW_TRAIN] == (uint64_t)floor(0.7 * (double)n + 0.5));
        check(f->by_class[c][FW_TEST] == n - (uint64_t)floor((0.7 + 0.2) * (double)n + 0.5));
    }
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void holds_time(const split_facts *f)
{
    check(f->last[FW_TRAIN] < f->first[FW_VALIDATION] && f->last[FW_VALIDATION] < f->first[FW_TEST]);
    int64_t *t = malloc(ROWS * sizeof *t);
    size_t n = 0;
    for (uint64_t r = 0; r < ROWS; r++) {
        row v = make_row(r);
        if (!is_excluded(&v)) t[n++] = v.second;
    }
    qsort(t, n, sizeof *t, by_value);
    double share[] = {0.8, 0.9};
    uint64_t before[] = {f->rows[FW_TRAIN], f->rows[FW_TRAIN] + f->rows[FW_VALIDATION]};
    for (size_t i = 0; i < 2; i++) {
        size_t k = (size_t)(share[i] * (double)(n - 1)) + 1;           /* rows before the cut, unless an instant straddles it */
        while (k > 0 && t[k] == t[k - 1]) k--;
        check(before[i] == k);
    }
    free(t);
}

static void holds_group(const split_facts *f)
{
    for (size_t i = 0; i < PEOPLE; i++) check(f->person[i] == 1 || f->person[i] == 2 || f->person[i] == 4);
    check(f->rows[FW_TRAIN] > 0 && f->rows[FW_VALIDATION] > 0 && f->rows[FW_TEST] > 0);
}

static void holds_given(const split_facts *f)
{
    check(!f->later_elsewhere && !f->earlier_in_test);
    double n = (double)(f->rows[FW_TRAIN] + f->rows[FW_VALIDATION]);
    check(fabs((double)f->rows[FW_VALIDATION] - 0.1 * n) <= 5 * sqrt(n * 0.1 * 0.9));
}

static void holds_given_stratified(const split_facts *f)
{
    check(!f->later_elsewhere && !f->earlier_in_test);
    for (size_t c = 0; c < 4; c++) {
        uint64_t n = f->by_class[c][FW_TRAIN] + f->by_class[c][FW_VALIDATION];
        check(f->by_class[c][FW_TRAIN] == (uint64_t)floor(0.9 * (double)n + 0.5));
    }
}

static void every_split_is_the_same_on_any_number_of_ranks(void)
{
    const struct { const char *name, *yaml; uint64_t rows; void (*holds)(const split_facts *);
    } cases[] = {
        {"random", HEAD DATA("{t: t.csv}", "{by: random, stratify: false}"), ROWS, holds_random},
        {"stratified", HEAD DATA("{t: t.csv}", "{by: random, stratify: true, train: 0.7, validation: 0.2, test: 0.1}"), ROWS, holds_stratified},
        {"time", HEAD DATA("{t: t.csv}", "{by: time, column: when}"), ROWS, holds_time},
        {"group", HEAD DATA("{t: t.csv}", "{by: group, column: who}"), ROWS, holds_group},
        {"given", HEAD DATA("{t: t.csv, later: later.csv}", "{by: given, train: [t], test: [later], validation: 0.1}"), ROWS + LATER_ROWS,
         holds_given},
        {"given, stratified", HEAD DATA("{t: t.csv, later: later.csv}", "{by: given, train: [t], test: [later], validation: 0.1, stratify: true}"),
         ROWS + LATER_ROWS, holds_given_stratified},
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        worker_ingest_result out, single;
        fw_error err = {0};
        fw_status s = ingest(cases[c].yaml, &out, NULL, &err);
        if (s != FW_OK) fprintf(stderr, "%s: %s\n", cases[c].name, err.text);
        check(s == FW_OK);
        if (all.rank == 0) {
            FW_AUTO(fw_project) *p = load(cases[c].yaml);
            check(worker_ingest(p, alone, &fw_reduce_alone, NULL, NULL, &single, &err) == FW_OK);
            check(strcmp(out.digest, single.digest) == 0);
            same_bytes();
            split_facts f = {.split_of = calloc(cases[c].rows, 1)};
            compare_with_rows(cases[c].rows, gather_facts, &f);
            cases[c].holds(&f);
            for (size_t i = 0; i < FW_N_SPLITS; i++) check(f.rows[i] == out.rows_by_split[i]);
            compare_statistics(cases[c].rows, &out);
            free(f.split_of);
            check(count_left_overs() == 0);
        }
        MPI_Barrier(world);
    }
}

static void rows_that_are_appended_keep_the_split_of_the_others(void)
{
    worker_ingest_result out;
    uint8_t *split_of[2] = {NULL, NULL};
    const char *tables[] = {HEAD DATA("{t: t.csv}", "{stratify: false}"), HEAD DATA("{t: t.csv, later: later.csv}", "{stratify: false}")};
    for (size_t i = 0; i < 2; i++) {
        check(ingest(tables[i], &out, NULL, NULL) == FW_OK);
        if (all.rank == 0) {
            split_facts f = {.split_of = calloc(ROWS + LATER_ROWS, 1)};
            compare_with_rows(i == 0 ? ROWS : ROWS + LATER_ROWS, gather_facts, &f);
            split_of[i] = f.split_of;
        }
        MPI_Barrier(world);
    }
    if (all.rank == 0) check(memcmp(split_of[0], split_of[1], ROWS) == 0);
    free(split_of[0]);
    free(split_of[1]);
}

/* The digest is of the content: a column's order in the file or a value changes it, the seed of the split too; block rows and chunks do not. */
static void the_digest_tells_contents_apart(void)
{
    worker_ingest_result a, b, c;
    write_text("one.csv", "y,x\np,1\nq,2\np,3\nq,4\n");
    write_text("two.csv", "y,x\np,1\nq,2\np,3\nq,5\n");
    check(ingest("project: t\nproblem: {task: classification, target: y}\ndata: {tables: {t: one.csv}, split: {train: 1, validation: 0, test: 0}}\n",
                 &a, NULL, NULL) == FW_OK);
    check(ingest("project: t\nproblem: {task: classification, target: y}\ndata: {tables: {t: two.csv}, split: {train: 1, validation: 0, test: 0}}\n",
                 &b, NULL, NULL) == FW_OK);
    check(ingest("project: u\nproblem: {task: classification, target: y}\ndata: {tables: {z: one.csv}, split: {train: 1, validation: 0, test: 0}}\n",
                 &c, NULL, NULL) == FW_OK);
    check(strcmp(a.digest, b.digest) != 0 && strcmp(a.digest, c.digest) == 0);
}

/* ---- what the data may be told about ---- */

static void tells_what_looks_wrong(void)
{
    FW_AUTO(fw_text) t = {0};
    fw_text_add(&t, "y,same,key,copy,hole,nothing,v\n");
    for (int i = 0; i < 60; i++) fw_text_format(&t, "%c,7,%d,%c,%s,,%d.5\n", "pq"[i % 2], 1000 + i, "pq"[i % 2], i % 3 == 0 ? "1" : "", i % 4);
    write_text("odd.csv", t.data);
    worker_ingest_result out;
    talk *said = calloc(1, sizeof *said);
    fw_error err = {0};
    check(ingest("project: t\nproblem: {task: classification, target: y}\ndata: {tables: {t: odd.csv}, labels: {exclude: [r], merge: {pp: [s]}}}\n",
                 &out, said, &err) == FW_OK);
    const char *lines[] = {"column 'same' is the same in every row", "column 'key' looks like an id", "column 'copy' equals the target",
                           "column 'hole' is missing in 66.7 %",     "column 'nothing' has no value", "label 'r' never occurs",
                           "label 's' (into 'pp') never occurs",     "type found: number: same, key", "missing: hole 40, nothing 60"};
    for (size_t i = 0; all.rank == 0 && i < sizeof lines / sizeof *lines; i++) {
        if (strstr(said->text, lines[i]) == NULL) fprintf(stderr, "'%s' is not in:\n%s", lines[i], said->text);
        check(strstr(said->text, lines[i]) != NULL);
    }
    if (all.rank == 0) check(strstr(said->text, "column 'v'") == NULL);
    if (all.rank != 0) check(said->text[0] == '\0');
    free(said);
}

static void writes_the_types_it_found_into_the_project(void)
{
    worker_ingest_result out;
    check(ingest("project: t\nproblem: {task: classification, target: y}\ndata: {tables: {t: one.csv}, split: {train: 1, validation: 0, test: 0}}\n",
                 &out, NULL, NULL) == FW_OK);
    if (all.rank != 0) return;
    fw_dataset *d = NULL;
    fw_project *p = NULL;
    check(fw_dataset_open(&d, wide, NULL) == FW_OK);
    check(fw_project_parse(&p, fw_dataset_resolved(d), "resolved", folder, NULL) == FW_OK);
    bool found = false;
    for (size_t i = 0; i < p->features.n; i++) found |= strcmp(p->features.v[i].column, "x") == 0 && p->features.v[i].type == FW_FEATURE_NUMBER;
    check(found);
    fw_project_destroy(&p);
    fw_dataset_destroy(&d);
}

static void more_ranks_than_rows_and_one_row_of_each(void)
{
    worker_ingest_result out;
    check(ingest("project: t\nproblem: {task: regression, target: x}\ndata: {tables: {t: one.csv}, split: {train: 1, validation: 0, test: 0}}\n",
                 &out, NULL, NULL) == FW_OK);
    check(out.rows == 4 && out.rows_by_split[FW_TRAIN] == 4);
}

/* ---- what is refused: the same on all ranks, and nothing is left behind ---- */

static void expect_refusal(const char *what, const char *yaml, fw_status status, const char *text)
{
    worker_ingest_result out = {.rows = 99};
    fw_error err = {0};
    fw_status s = ingest(yaml, &out, NULL, &err);
    if (s != status || strstr(err.text, text) == NULL) fprintf(stderr, "%s: %s: %s\n", what, fw_status_name(s), err.text);
    check(s == status && strstr(err.text, text) != NULL && out.rows == 99);
    MPI_Barrier(world);
    check(count_left_overs() == 0);
    MPI_Barrier(world);
}

#define SMALL(task, target, data, rest) "project: t\nproblem: {task: " task ", target: " target "}\ndata: {" data "}\n" rest

static void refuses_what_cannot_be_with_one_text_on_all_ranks(void)
{
    write_text("same.csv", "y,x\np,1\np,2\n");
    write_text("hole.csv", "y,x\np,1\n,2\nq,3\n");
    write_text("other.csv", "y,z\np,1\nq,2\n");
    const struct { const char *what, *yaml; fw_status status; const char *text;
    } cases[] = {
        {"constant target", SMALL("classification", "y", "tables: {t: same.csv}", ""), FW_ERR_DATA, "is 'p' in every row"},
        {"target of words", SMALL("regression", "y", "tables: {t: one.csv}", ""), FW_ERR_DATA, "regression needs numbers"},
        {"target not there", SMALL("classification", "yy", "tables: {t: one.csv}", ""), FW_ERR_CONFIG, "'yy' is no column"},
        {"feature not there", SMALL("classification", "y", "tables: {t: one.csv}", "features: {xx: number}"), FW_ERR_CONFIG, "did you mean 'x'"},
        {"missing target", SMALL("classification", "y", "tables: {t: hole.csv}", ""), FW_ERR_DATA, "record 2: target 'y' is missing"},
        {"all excluded", SMALL("classification", "y", "tables: {t: one.csv}, labels: {exclude: [p, q]}", ""), FW_ERR_DATA, "no row is left"},
        {"other columns", SMALL("classification", "y", "tables: {t: one.csv, u: other.csv}", ""), FW_ERR_DATA, "has no column 'x'"},
        {"no such table", SMALL("classification", "y", "tables: {t: nowhere.csv}", ""), FW_ERR_CONFIG, "nowhere.csv"},
        {"time of words", SMALL("classification", "x", "tables: {t: one.csv}, split: {by: time, column: y}", ""), FW_ERR_DATA,
         "split by time needs times"},
        {"words as numbers", SMALL("classification", "x", "tables: {t: one.csv}", "features: {y: number}"), FW_ERR_DATA, "one.csv:2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) expect_refusal(cases[i].what, cases[i].yaml, cases[i].status, cases[i].text);
}

/* Bad rows in three chunks: the first of the file is the one that is shown, whoever reads it. */
static void write_bad_table(uint64_t *first, uint64_t *rows)
{
    *first = 60000;
    *rows = 200000;
    if (all.rank != 0) return;
    char path[128];
    snprintf(path, sizeof path, "%s/bad.csv", folder);
    FILE *f = fopen(path, "w");
    fprintf(f, "y,x,pad\n");
    for (uint64_t r = 0; r < *rows; r++) {
        const char *x = r == 60000 || r == 120000 || r == 180000 ? "oops" : "1.5";
        fprintf(f, "%c,%s,%060llu\n", r == 100000 ? ' ' : "pq"[r % 2], x, (unsigned long long)(r % 9));
    }
    check(fclose(f) == 0);
}

static void the_first_bad_row_is_shown_or_bad_rows_are_counted(void)
{
    uint64_t first, rows;
    write_bad_table(&first, &rows);
    MPI_Barrier(world);
    char text[64];
    snprintf(text, sizeof text, "bad.csv:%llu", (unsigned long long)first + 2);
    expect_refusal("bad row", SMALL("classification", "y", "tables: {t: bad.csv}", "features: {x: number, pad: ignore}"), FW_ERR_DATA, text);
    worker_ingest_result out;
    talk *said = calloc(1, sizeof *said);
    check(ingest(SMALL("classification", "y", "tables: {t: bad.csv}, bad_rows: skip", "features: {x: number, pad: ignore}"), &out, said, NULL) ==
          FW_OK);
    check(out.bad == 4 && out.rows == rows - 4);
    if (all.rank == 0) {
        const char *lines[] = {"4 bad rows", "bad.csv:60002", "record 100001: target 'y' is missing", "bad.csv:120002", "bad.csv:180002"},
                   *at = said->text;
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
            at = strstr(at, lines[i]);
            check(at != NULL);
        }
    }
    free(said);
}

/* ---- faults ---- */

static void a_fault_on_one_rank_ends_all_and_keeps_the_old_dataset(void)
{
    const char *points[] = {"ingest.chunk", "ingest.distribute", "ingest.write_block", "ingest.before_rename", "fs.before_fsync"};
    const char *good = HEAD DATA("{t: t.csv}", "{by: random}");
    worker_ingest_result out;
    check(ingest(good, &out, NULL, NULL) == FW_OK);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        char schedule[64];
        snprintf(schedule, sizeof schedule, "%s@rank=0,fail", points[i]);
        setenv("FW_FAULTS", schedule, 1);
        check(fw_fault_init(all.rank, NULL) == FW_OK);
        expect_refusal(points[i], good, FW_ERR_IO, points[i]);
        unsetenv("FW_FAULTS");
        check(fw_fault_init(all.rank, NULL) == FW_OK);
        fw_dataset *d = NULL;
        check(fw_dataset_open(&d, wide, NULL) == FW_OK && strcmp(fw_dataset_digest(d), out.digest) == 0);
        fw_dataset_destroy(&d);
        MPI_Barrier(world);
    }
}

/* Rows that find no room in memory go through files: the same file comes out, and the same is refused. */
static void less_memory_than_rows_gives_the_same_bytes(void)
{
    const char *yaml = HEAD DATA("{t: t.csv, later: later.csv}", "{by: given, train: [t], test: [later], validation: 0.1, stratify: true}");
    const char *limits[] = {"0", "16", "5000", "200000", "3000000", "100000000"};
    worker_ingest_result out;
    char *whole = NULL;
    size_t n = 0;
    check(ingest(yaml, &out, NULL, NULL) == FW_OK);
    check(fw_read_file(&whole, &n, wide, (size_t)1 << 30, NULL) == FW_OK);
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        char *bytes = NULL;
        size_t len;
        MPI_Barrier(world);
        setenv(WORKER_MEMORY_SWITCH, limits[i], 1);
        check(ingest(yaml, &out, NULL, NULL) == FW_OK);
        MPI_Barrier(world);
        check(count_left_overs() == 0);
        check(fw_read_file(&bytes, &len, wide, (size_t)1 << 30, NULL) == FW_OK);
        check(len == n && memcmp(bytes, whole, n) == 0);
        free(bytes);
    }
    free(whole);
    setenv(WORKER_MEMORY_SWITCH, "much", 1);
    expect_refusal("memory", yaml, FW_ERR_CONFIG, "a number of bytes is expected");
    unsetenv(WORKER_MEMORY_SWITCH);
}

/* A limit on the length of files stands for a full disk, on all ranks or on the last: at the spool, at the buckets, at the dataset itself. */
static void a_full_disk_ends_all_ranks_with_one_text(void)
{
    struct rlimit before;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    const rlim_t limits[] = {100 << 10, 700 << 10, 3 << 20, 9 << 20};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        for (int everybody = 0; everybody < 2; everybody++) {
            struct rlimit small = {limits[i], before.rlim_max};
            if (everybody || all.rank == all.size - 1) setrlimit(RLIMIT_FSIZE, &small);
            worker_ingest_result out;
            fw_error err = {0};
            fw_status s = ingest(HEAD DATA("{t: t.csv}", "{by: random}"), &out, NULL, &err);
            setrlimit(RLIMIT_FSIZE, &before);
            if (s != FW_OK) check(s == FW_ERR_IO && err.text[0] != '\0');
            if (everybody || all.size == 1) check(s == FW_ERR_IO);
            MPI_Barrier(world);
            check(count_left_overs() == 0);
            MPI_Barrier(world);
        }
}

static void removes_what_a_killed_run_left_and_needs_a_folder(void)
{
    worker_ingest_result out;
    fw_error err = {0};
    write_text("wide.h5.tmp.4711.rows.3", "stale");
    write_text("wide.h5.tmpfile", "mine");
    check(ingest(SMALL("regression", "x", "tables: {t: one.csv}", ""), &out, NULL, &err) == FW_OK);
    MPI_Barrier(world);
    check(count_left_overs() == 0);
    char other[128];
    snprintf(other, sizeof other, "%s/wide.h5.tmpfile", folder);
    check(fw_path_exists(other));
    FW_AUTO(fw_project) *p = load(SMALL("regression", "x", "tables: {t: one.csv}", ""));
    check(worker_ingest(p, "/nonexistent/folder/x.h5", &all, NULL, NULL, &out, &err) == FW_ERR_IO);
    check(strstr(err.text, "/nonexistent/folder") != NULL);
    MPI_Barrier(world);
}

/* ---- all of them ---- */

static void make_folder(void)
{
    if (all.rank == 0) {
        const char *base = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%.40s/flywheel-XXXXXX", base != NULL ? base : "/tmp");
        check(mkdtemp(folder) != NULL);
        write_table("t.csv", 0, ROWS);
        write_table("later.csv", ROWS, LATER_ROWS);
    }
    MPI_Bcast(folder, sizeof folder, MPI_BYTE, 0, world);
    snprintf(wide, sizeof wide, "%s/wide.h5", folder);
    snprintf(alone, sizeof alone, "%s/alone.h5", folder);
}

static void remove_folder(void)
{
    DIR *d = opendir(folder);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    const struct { const char *name; void (*run)(void); } tests[] = {
        {"every_split_is_the_same_on_any_number_of_ranks", every_split_is_the_same_on_any_number_of_ranks},
        {"rows_that_are_appended_keep_the_split_of_the_others", rows_that_are_appended_keep_the_split_of_the_others},
        {"the_digest_tells_contents_apart", the_digest_tells_contents_apart},
        {"tells_what_looks_wrong", tells_what_looks_wrong},
        {"writes_the_types_it_found_into_the_project", writes_the_types_it_found_into_the_project},
        {"more_ranks_than_rows_and_one_row_of_each", more_ranks_than_rows_and_one_row_of_each},
        {"refuses_what_cannot_be_with_one_text_on_all_ranks", refuses_what_cannot_be_with_one_text_on_all_ranks},
        {"the_first_bad_row_is_shown_or_bad_rows_are_counted", the_first_bad_row_is_shown_or_bad_rows_are_counted},
        {"a_fault_on_one_rank_ends_all_and_keeps_the_old_dataset", a_fault_on_one_rank_ends_all_and_keeps_the_old_dataset},
        {"less_memory_than_rows_gives_the_same_bytes", less_memory_than_rows_gives_the_same_bytes},
        {"a_full_disk_ends_all_ranks_with_one_text", a_full_disk_ends_all_ranks_with_one_text},
        {"removes_what_a_killed_run_left_and_needs_a_folder", removes_what_a_killed_run_left_and_needs_a_folder},
    };
    MPI_Init(&argc, &argv);
    world = MPI_COMM_WORLD;
    all = mpi_reduce_make(&world);
    make_folder();
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        tests[i].run();
        MPI_Barrier(world);
        if (all.rank == 0) printf("ok %s\n", tests[i].name);
    }
    if (all.rank == 0) remove_folder();
    MPI_Finalize();
    return 0;
}
