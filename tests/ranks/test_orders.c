/** What a group answers to orders, sent as a coordinator sends them: by a thread beside rank 0, over a line. What ends one training is an ordinary answer:
 *  the group takes the next. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/random.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "proto/command.h"
#include "tests/ranks/checks.h"
#include "tests/unit/scratch.h"
#include "worker/worker.h"

#define ROWS     600
#define ANSWER_S 60.0
#define MEMORY   ((rlim_t)6 << 30)      /* of a rank: less than the parameters of the largest model here */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_LIMITED false            /* they take more addresses than that for themselves */
#else
#define MEMORY_LIMITED true
#endif

static scratch place;
static fw_line *line;              /* the coordinator's end */
static uint64_t number;
static bool share;                 /* the rows with other groups */
static int nodes;
static char dataset[512], checkpoint[512], model[512];

/* ---- asking ------------------------------------------------------------------------------------------------------------------------- */

/* The last answer; NULL: none came in time. */
static fw_answer *ask(fw_order o)
{
    fw_error err = {0};
    void *bytes = NULL;
    const void *received = NULL;
    size_t len = 0;
    fw_answer *a = NULL;
    const fw_mono deadline = fw_mono_after(fw_mono_now(), ANSWER_S);
    o.number = ++number;
    fw_status s = fw_order_pack(&bytes, &len, &o, &err);
    if (s == FW_OK) s = fw_line_send(line, bytes, len, deadline, &err);
    while (s == FW_OK && (a == NULL || !a->last)) {
        fw_answer_destroy(&a);
        s = fw_line_receive(line, &received, &len, deadline, &err);
        if (s == FW_OK) s = fw_answer_unpack(&a, received, len, &err);
    }
    CHECK(s == FW_OK && a->number == number, "order %d: %s", (int)o.kind, err.text);
    free(bytes);
    if (s != FW_OK) exit(1);
    return a;
}

/* *text, unless it is NULL, is part of the answer's. */
static void expect(fw_order o, fw_status status, const char *text)
{
    FW_AUTO(fw_answer) *a = ask(o);
    CHECK(a->status == status, "order %d: %s, \"%s\"", (int)o.kind, fw_status_name(a->status), a->text);
    if (text != NULL) CHECK(strstr(a->text, text) != NULL, "it says \"%s\"", a->text);
}

static char *project_text(const char *more)
{
    static char text[2048];
    snprintf(text, sizeof text,
             "project: p\nproblem: {task: classification, target: label}\ndata: {tables: {t: t.csv}, split: {train: 0.8, validation: 0.1, test: 0.1}}\n"
             "%s", more);
    return text;
}

#define WITH(more) "model: {learner: mlp, hidden: [8], dropout: 0.1}\ntrain: {epochs: 4, global_batch_size: 64, learning_rate: 0.01" more "}\n"
#define PLAIN WITH("")

static fw_order open_order(const char *more)
{
    return (fw_order){.kind = FW_ORDER_OPEN, .project = project_text(more), .directory = place.dir, .dataset = dataset};
}

static void open_plain(void) { expect(open_order(PLAIN), FW_OK, NULL); }

static void create(void) { expect((fw_order){.kind = FW_ORDER_CREATE, .path = checkpoint}, FW_OK, NULL); }

static void advance(int rounds)
{
    for (int i = 0; i < rounds; i++) expect((fw_order){.kind = FW_ORDER_ADVANCE, .rounds = 1}, FW_OK, NULL);
}

static void save(char digest[static FW_DIGEST_TEXT])
{
    FW_AUTO(fw_answer) *a = ask((fw_order){.kind = FW_ORDER_SAVE, .path = model});
    CHECK(a->status == FW_OK, "%s", a->text);
    snprintf(digest, FW_DIGEST_TEXT, "%s", a->digest);
}

/* A training of four rounds from the beginning. */
static void train_plainly(char digest[static FW_DIGEST_TEXT])
{
    open_plain();
    create();
    advance(4);
    save(digest);
}

/* ---- checkpoints -------------------------------------------------------------------------------------------------------------------- */

static void a_checkpoint_is_on_the_disk_when_it_is_answered(void)
{
    char whole[FW_DIGEST_TEXT], resumed[FW_DIGEST_TEXT];
    train_plainly(whole);
    open_plain();
    expect((fw_order){.kind = FW_ORDER_CHECKPOINT}, FW_ERR_ARG, "before create");
    expect((fw_order){.kind = FW_ORDER_CREATE, .path = (char *)""}, FW_OK, NULL);
    expect((fw_order){.kind = FW_ORDER_CHECKPOINT}, FW_ERR_ARG, "without a path");
    create();
    advance(2);
    CHECK(!fw_path_exists(checkpoint), "a checkpoint that nobody asked for");
    expect((fw_order){.kind = FW_ORDER_CHECKPOINT}, FW_OK, NULL);
    CHECK(fw_path_exists(checkpoint), "there is no checkpoint");
    advance(1);                                        /* what came behind the checkpoint is given up */
    {
        FW_AUTO(fw_answer) *a = ask((fw_order){.kind = FW_ORDER_RESTORE, .path = checkpoint, .dataset = checkpoint});
        CHECK(a->status == FW_OK && a->position.round == 2 && a->n_rounds == 2, "%s, round %llu", a->text, (unsigned long long)a->position.round);
    }
    advance(2);
    save(resumed);
    CHECK(strcmp(whole, resumed) == 0, "the resumed training ends in other bits");
    remove(checkpoint);
}

/* ---- what ends one training ----------------------------------------------------------------------------------------------------------- */

static void a_group_lives_on(void)
{
    char before[FW_DIGEST_TEXT], after[FW_DIGEST_TEXT];
    train_plainly(before);
    for (int i = 0; i < 2; i++) {
        expect(open_order("model: {learner: mlp, hidden: [8]}\ntrain: {global_batch_size: 64, optimizer: sgd, learning_rate: 1000, momentum: 0.99}\n"), FW_OK, NULL);
        create();
        FW_AUTO(fw_answer) *a = NULL;
        for (int r = 0; r < 5 && (a == NULL || a->status == FW_OK); r++) {
            fw_answer_destroy(&a);
            a = ask((fw_order){.kind = FW_ORDER_ADVANCE, .rounds = 1});
        }
        CHECK(a->status == FW_ERR_NUMERIC, "it did not diverge: %s", fw_status_name(a->status));
    }
    expect(open_order("model: {learner: mlp, hidden: [32000, 32000]}\ntrain: {global_batch_size: 64}\n"), FW_OK, NULL);
    if (MEMORY_LIMITED) expect((fw_order){.kind = FW_ORDER_CREATE, .path = checkpoint}, FW_ERR_NOMEM, "parameters: ");
    expect((fw_order){.kind = FW_ORDER_ADVANCE, .rounds = 1}, FW_ERR_ARG, "before create");
    expect(open_order(WITH(", class_weights: {nobody: 2.0}")), FW_ERR_CONFIG, "nobody");
    expect(open_order("model: {learner: nonsense}\n"), FW_ERR_CONFIG, NULL);
    open_plain();
    expect((fw_order){.kind = FW_ORDER_RESTORE, .path = checkpoint, .dataset = model}, FW_ERR_FORMAT, NULL);
    train_plainly(after);
    CHECK(strcmp(before, after) == 0, "the next training ends in other bits");
}

/* ---- rows that stay ------------------------------------------------------------------------------------------------------------------- */

/* Of two rounds on a fold. kept: whether the rows were there. */
static void train_on_fold(char digest[static FW_DIGEST_TEXT], const char *more, uint32_t fold, bool kept)
{
    fw_order o = open_order(more);
    o.folds = 3;
    o.fold = fold;
    o.shared = share;
    {
        FW_AUTO(fw_answer) *a = ask(o);
        CHECK(a->status == FW_OK && (fw_answer_value(a, "kept", -1.0) > 0.0) == kept, "%s, kept %g", a->text, fw_answer_value(a, "kept", -1.0));
        CHECK(fw_answer_value(a, "shared", -1.0) == (share && nodes == 1 ? 1.0 : 0.0), "shared %g", fw_answer_value(a, "shared", -1.0));
        CHECK(fw_answer_value(a, "train", 0.0) == 2.0 * fw_answer_value(a, "validation", 0.0), "a third is validated on");
    }
    create();
    advance(2);
    save(digest);
}

static void rows_that_stay_give_the_bits_of_fresh_ones(void)
{
    static const char weighted[] = WITH(", class_weights: balanced"), other[] = PLAIN "features: {x: {scale: minmax}}\n";
    enum { N = 5 };
    const struct { const char *more; uint32_t fold; bool kept; int as; } rows[] = {
        {PLAIN, 0, false, 0}, {weighted, 0, true, 1}, {PLAIN, 0, true, 0}, {PLAIN, 1, false, 2}, {weighted, 1, true, 3},
        {weighted, 0, false, 1}, {other, 0, false, 4}, {PLAIN, 0, false, 0}, {PLAIN, 0, true, 0}};
    char seen[N][FW_DIGEST_TEXT] = {{0}}, shared[FW_DIGEST_TEXT];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char digest[FW_DIGEST_TEXT];
        train_on_fold(digest, rows[i].more, rows[i].fold, rows[i].kept);
        if (seen[rows[i].as][0] == '\0') memcpy(seen[rows[i].as], digest, sizeof digest);
        CHECK(strcmp(seen[rows[i].as], digest) == 0, "training %zu ends in other bits", i);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < i; k++) CHECK(strcmp(seen[i], seen[k]) != 0, "trainings %zu and %zu are the same", k, i);
    expect((fw_order){.kind = FW_ORDER_CHECKPOINT}, FW_OK, NULL);
    share = true;                                      /* in a file in memory, where the group is on one node */
    train_on_fold(shared, PLAIN, 1, false);
    CHECK(strcmp(shared, seen[2]) == 0, "shared rows give other bits");
    share = false;
    expect((fw_order){.kind = FW_ORDER_RESTORE, .path = checkpoint, .dataset = checkpoint}, FW_ERR_DATA, "fold 0 of 3");
    expect((fw_order){.kind = FW_ORDER_INGEST, .project = project_text(PLAIN), .directory = place.dir, .output = dataset}, FW_OK, NULL);
    train_on_fold(seen[0], PLAIN, 1, false);           /* another file, though of the same rows */
    remove(checkpoint);
}

/* ---- life ----------------------------------------------------------------------------------------------------------------------------- */

static void write_table(void)
{
    static const char *const labels[] = {"no", "yes", "perhaps"};
    FW_AUTO(fw_text) t = {0};
    fw_text_add(&t, "label,x,y,colour\n");
    for (uint64_t r = 0; r < ROWS; r++) {
        const fw_philox draw = fw_random(7, FW_RANDOM_TEST, 0, r, 0);
        const double x = fw_random_unit(draw), y = fw_random_unit2(draw);
        const char *label = labels[x + 0.3 * y > 0.9 ? 2 : x > 0.3];
        if (draw.word[3] % 17 == 0) fw_text_format(&t, "%s,,%.6f,red\n", label, y);
        else fw_text_format(&t, "%s,%.6f,%.6f,%s\n", label, x, y, draw.word[2] % 3 ? "blue" : "green");
    }
    CHECK(fw_write_file(scratch_path(&place, "t.csv"), t.data, strlen(t.data), NULL) == FW_OK, "no table");
}

static void *coordinate(void *none)
{
    (void)none;
    write_table();
    expect((fw_order){.kind = FW_ORDER_INGEST, .project = project_text(PLAIN), .directory = place.dir, .output = dataset}, FW_OK, NULL);
    a_checkpoint_is_on_the_disk_when_it_is_answered();
    a_group_lives_on();
    rows_that_stay_give_the_bits_of_fresh_ones();
    FW_FREE void *bytes = NULL;
    size_t len = 0;
    const fw_order close = {.kind = FW_ORDER_CLOSE, .number = ++number};
    if (fw_order_pack(&bytes, &len, &close, NULL) == FW_OK) fw_line_send(line, bytes, len, fw_mono_after(fw_mono_now(), ANSWER_S), NULL);
    return NULL;
}

static fw_line *start_coordinator(fw_bus **bus, pthread_t *thread)
{
    fw_line *theirs = NULL;
    if (!scratch_make(&place)) abort();
    snprintf(dataset, sizeof dataset, "%s/p.dataset.h5", place.dir);
    snprintf(checkpoint, sizeof checkpoint, "%s/checkpoint.h5", place.dir);
    snprintf(model, sizeof model, "%s/model.h5", place.dir);
    if (fw_bus_create(bus, NULL) != FW_OK || fw_line_bind(&theirs, *bus, "inproc://orders", NULL) != FW_OK ||
        fw_line_connect(&line, *bus, "inproc://orders", NULL) != FW_OK || pthread_create(thread, NULL, coordinate, NULL) != 0)
        abort();
    return theirs;
}

int main(int argc, char **argv)
{
    worker_group *g = NULL;
    fw_bus *bus = NULL;
    fw_line *orders = NULL;
    fw_error err = {0};
    pthread_t thread;
    worker_end end;
    const struct rlimit memory = {MEMORY, MEMORY};
    if (MEMORY_LIMITED && setrlimit(RLIMIT_AS, &memory) != 0) return 1;
    if (!checks_start(&g, &argc, &argv)) return 1;
    nodes = worker_group_nodes(g);
    if (worker_group_rank(g) == 0) orders = start_coordinator(&bus, &thread);
    CHECK(worker_serve(g, orders, &end, &err) == FW_OK, "%s", err.text);
    if (orders != NULL) {
        pthread_join(thread, NULL);
        fw_line_destroy(&line);
        fw_line_destroy(&orders);
        fw_bus_destroy(&bus);
        scratch_remove(&place);
    }
    return checks_end(g);
}
