/** A job that is cut into groups, with rank 0 outside of them: who is with whom; the groups train at the same time, each by its own orders, to the same bits.
 *  FW_FAULTS may kill a rank: with `mpirun --enable-recovery` its group is answered for as lost, the others end their training, and so does the job. */
#include "worker/group_split.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/kernels.h"
#include "common/core/log.h"
#include "common/core/random.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/gang/groups.h"
#include "proto/command.h"
#include "tests/unit/scratch.h"
#include "worker/worker.h"

#define ROUNDS   3
#define ANSWER_S 100.0

static int failed;
#define CHECK(holds, ...)                                              \
    do {                                                               \
        if (!(holds)) {                                                \
            failed++;                                                  \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #holds); \
            fprintf(stderr, __VA_ARGS__);                              \
            fputc('\n', stderr);                                       \
        }                                                              \
    } while (0)

/* ---- who is with whom ----------------------------------------------------------------------------------------------------------------- */

static void groups_stay_on_a_node_where_they_fit(void)
{
    static const struct { int each, groups, left_over; const char *node, *group_of; } rows[] = {      /* a letter a node, a digit a group; rank 0 is in none */
        {1, 1, 0, "aa", ".0"},           {4, 2, 0, "aaaaaaaaa", ".00001111"},  {4, 1, 2, "aaaaaaa", ".000011"},
        {2, 3, 0, "aaaabbb", ".002112"}, {2, 2, 1, "aaabbb", ".00112"},        {3, 2, 0, "aabbccc", ".111000"},
        {2, 2, 0, "ababa", ".0101"},     {5, 1, 0, "abcdef", ".00000"},        {2, 3, 1, "aaaabbbb", ".0031122"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int node[16], group_of[16];
        worker_split s = {0};
        const int size = (int)strlen(rows[i].node);
        for (int r = 0; r < size; r++) node[r] = rows[i].node[r];
        worker_split_assign(&s, group_of, node, size, rows[i].each);
        CHECK(s.groups == rows[i].groups && s.left_over == rows[i].left_over, "row %zu: %d groups, %d left", i, s.groups, s.left_over);
        for (int r = 0; r < size; r++)
            CHECK(group_of[r] == (r == 0 ? -1 : rows[i].group_of[r] - '0'), "row %zu: rank %d is in group %d", i, r, group_of[r]);
    }
}

/* ---- the coordinator ---------------------------------------------------------------------------------------------------------------------- */

typedef struct runner { coord_groups *groups; uint32_t i; uint64_t number; fw_line *line; fw_status ended; double shared; char digest[FW_DIGEST_TEXT]; } runner;

static scratch place;
static char dataset[512];
static const char project[] =
    "project: p\nproblem: {task: classification, target: label}\ndata: {tables: {t: t.csv}, split: {train: 0.8, validation: 0.1, test: 0.1}}\n"
    "model: {learner: mlp, hidden: [8], dropout: 0.1}\ntrain: {epochs: 4, global_batch_size: 32, learning_rate: 0.01}\n";

static fw_status ask(runner *r, fw_order o)
{
    fw_error err = {0};
    FW_FREE void *bytes = NULL;
    const void *received = NULL;
    size_t len = 0;
    FW_AUTO(fw_answer) *a = NULL;
    const fw_mono deadline = fw_mono_after(fw_mono_now(), ANSWER_S);
    o.number = ++r->number;
    fw_status s = fw_order_pack(&bytes, &len, &o, &err);
    if (s == FW_OK) s = fw_line_send(r->line, bytes, len, deadline, &err);
    while (s == FW_OK && (a == NULL || !a->last)) {
        fw_answer_destroy(&a);
        s = fw_line_receive(r->line, &received, &len, deadline, &err);
        if (s == FW_OK) s = fw_answer_unpack(&a, received, len, &err);
    }
    if (s == FW_OK && a->status == FW_OK) snprintf(r->digest, sizeof r->digest, "%s", a->digest);
    if (s == FW_OK && o.kind == FW_ORDER_OPEN) r->shared = fw_answer_value(a, "shared", -1.0);
    if (s == FW_OK && a->status < 0) fprintf(stderr, "group %u: %s\n", r->i, a->text);
    return s == FW_OK ? a->status : s;
}

static void *run(void *argument)
{
    runner *r = argument;
    fw_error err = {0};
    char model[600];
    snprintf(model, sizeof model, "%s/model.%u.h5", place.dir, r->i);
    r->ended = coord_groups_line(r->groups, r->i, &r->line, &err);
    if (r->ended == FW_OK && r->i == 0 && !fw_path_exists(dataset))
        r->ended = ask(r, (fw_order){.kind = FW_ORDER_INGEST, .project = (char *)project, .directory = place.dir, .output = dataset});
    for (int ms = 0; ms < 30000 && !fw_path_exists(dataset); ms += 10) fw_sleep_ms(10);
    if (r->ended == FW_OK)
        r->ended = ask(r, (fw_order){.kind = FW_ORDER_OPEN, .project = (char *)project, .directory = place.dir, .dataset = dataset, .shared = true});
    if (r->ended == FW_OK) r->ended = ask(r, (fw_order){.kind = FW_ORDER_CREATE, .path = (char *)""});
    for (int i = 0; i < ROUNDS && r->ended == FW_OK; i++) r->ended = ask(r, (fw_order){.kind = FW_ORDER_ADVANCE, .rounds = 1});
    if (r->ended == FW_OK) r->ended = ask(r, (fw_order){.kind = FW_ORDER_SAVE, .path = model});
    return NULL;
}

static void write_table(void)
{
    FW_AUTO(fw_text) t = {0};
    fw_text_add(&t, "label,x,y\n");
    for (uint64_t r = 0; r < 400; r++) {
        const fw_philox draw = fw_random(9, FW_RANDOM_TEST, 0, r, 0);
        fw_text_format(&t, "%s,%.6f,%.6f\n", fw_random_unit(draw) > 0.4 ? "no" : "yes", fw_random_unit(draw), fw_random_unit2(draw));
    }
    if (fw_write_file(scratch_path(&place, "t.csv"), t.data, strlen(t.data), NULL) != FW_OK) abort();
}

/* All groups at once; all that are not lost have the same bits. */
static void train_in_all_groups(coord_groups *groups, bool may_lose, bool one_node)
{
    enum { MOST = 16 };
    runner r[MOST] = {0};
    pthread_t thread[MOST];
    const uint32_t n = coord_groups_count(groups);
    const char *digest = NULL;
    for (uint32_t i = 0; i < n; i++) {
        r[i] = (runner){.groups = groups, .i = i};
        if (pthread_create(&thread[i], NULL, run, &r[i]) != 0) abort();
    }
    for (uint32_t i = 0; i < n; i++) pthread_join(thread[i], NULL);
    for (uint32_t i = 0; i < n; i++) {
        fw_line_destroy(&r[i].line);
        CHECK(r[i].ended == FW_OK || (may_lose && r[i].ended == FW_ERR_LOST), "group %u ended with %s", i, fw_status_name(r[i].ended));
        if (may_lose && r[i].ended == FW_ERR_LOST) printf("group %u was lost: rank %d, %s\n", i, coord_groups_loss(groups, i)->rank, coord_groups_loss(groups, i)->how);
        if (r[i].ended != FW_OK) continue;
        if (digest == NULL) digest = r[i].digest;
        if (one_node) CHECK(r[i].shared == 1.0, "group %u has rows of its own", i);
        CHECK(strcmp(digest, r[i].digest) == 0, "group %u ends in other bits", i);
    }
    printf("%u groups, model %s\n", n, digest != NULL ? digest : "none");
}

static int lead(const worker_split *split)
{
    coord_groups *groups = NULL;
    fw_error err = {0};
    void *cards = NULL;
    size_t len = 0;
    bool lost = false;
    const coord_groups_opts opts = {.n = (uint32_t)split->groups, .ranks = (uint32_t)split->each, .left_over = (uint32_t)split->left_over,
                                    .local = split->nodes == 1};
    groups_stay_on_a_node_where_they_fit();
    if (!scratch_make(&place)) abort();
    snprintf(dataset, sizeof dataset, "%s/p.dataset.h5", place.dir);
    write_table();
    if (coord_groups_create(&groups, &opts, &err) != FW_OK || coord_groups_cards(groups, &cards, &len, &err) != FW_OK ||
        worker_split_share(&cards, &len, &err) != FW_OK) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    free(cards);
    train_in_all_groups(groups, getenv("FW_FAULTS") != NULL, split->nodes == 1);
    coord_groups_end(&groups, failed > 0 ? 1 : 0, &lost);
    scratch_remove(&place);
    printf("%d checks failed\n", failed);
    fflush(stdout);
    if (lost) _exit(failed > 0 ? 1 : 75);
    worker_mpi_end();
    return failed > 0;
}

static int follow(worker_group *g, const worker_split *split)
{
    void *cards = NULL;
    size_t len = 0;
    fw_error err = {0};
    if (worker_split_share(&cards, &len, &err) != FW_OK) abort();
    const char *card = cards;
    for (int i = 0; i < split->mine; i++) card += strlen(card) + 1;
    const int exit_code = worker_run_member(g, card, strlen(card), split->rank);
    free(cards);
    return exit_code;
}

int main(int argc, char **argv)
{
    worker_split split;
    worker_group *g = NULL;
    fw_error err = {0};
    if (worker_mpi_start(&argc, &argv, &err) != FW_OK) abort();
    const int size = worker_mpi_size(), each = size > 3 ? 2 : FW_MAX(size - 1, 1);
    const fw_status s = worker_split_create(&split, &g, size == 1 ? 1 : each, &err);
    if (size == 1) {
        CHECK(s == FW_ERR_CONFIG && strstr(err.text, "do not fit into a job of 1") != NULL, "%s", err.text);
        worker_mpi_end();
        return failed > 0;
    }
    if (s != FW_OK) abort();
    fw_log_init(split.rank, 1);
    return split.mine < 0 ? lead(&split) : follow(g, &split);
}
