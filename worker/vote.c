#include "worker/vote.h"

#include <stdio.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"

#define MOST_NAMES 8

typedef enum kind { NODES, RANKS } kind;       /* whose copy: a node's floats, a rank's integers */

/* ---- judging ------------------------------------------------------------------------------------------------------------------------ */

static bool votes(const worker_ballot *b, size_t rank, kind k) { return k == RANKS || b[rank].leader == (int32_t)rank; }

static fw_digest digest_of(const worker_ballot *b, kind k) { return k == RANKS ? b->seal.own : b->seal.node; }

static size_t count_equal(const worker_ballot *b, size_t n, fw_digest d, kind k)
{
    size_t equal = 0;
    for (size_t r = 0; r < n; r++) equal += votes(b, r, k) && fw_digest_equal(digest_of(&b[r], k), d);
    return equal;
}

/* The digest of more than half of the votes. */
static bool find_majority(fw_digest *out, const worker_ballot *b, size_t n, kind k)
{
    size_t all = 0;
    for (size_t r = 0; r < n; r++) all += votes(b, r, k);
    for (size_t r = 0; r < n; r++) {
        if (!votes(b, r, k) || 2 * count_equal(b, n, digest_of(&b[r], k), k) <= all) continue;
        *out = digest_of(&b[r], k);
        return true;
    }
    return false;
}

static void add_name(fw_text *t, const worker_ballot *b, size_t rank, kind k)
{
    fw_text_format(t, "%srank %zu (host %s", t->len > 0 ? ", " : "", rank, b[rank].host);
    if (k == NODES && b[rank].node_size > 1) fw_text_format(t, ", the copy of its node's %d ranks", b[rank].node_size);
    fw_text_format(t, ")");
}

/* Who differs in copies of this kind; nothing is said when nobody does. */
static fw_status judge(const worker_ballot *b, size_t n, kind k, fw_error *err)
{
    FW_AUTO(fw_text) names = {0};
    fw_digest right = {0};
    size_t named = 0;
    const bool majority = find_majority(&right, b, n, k);
    for (size_t r = 0; r < n; r++) {
        if (!votes(b, r, k) || (majority && fw_digest_equal(digest_of(&b[r], k), right))) continue;
        if (++named <= MOST_NAMES) add_name(&names, b, r, k);
    }
    if (named == 0) return FW_OK;
    if (named > MOST_NAMES) fw_text_format(&names, " and %zu more", named - MOST_NAMES);
    FW_TRY(fw_text_check(&names, err));
    return fw_fail(err, FW_ERR_LOST, "silent corruption: %s of %s %s; start the same command again: it goes on from the last checkpoint, on which all agreed, "
                   "and have the memory of that host tested",
                   k == NODES ? "the weights or the optimizer's state" : "the exponents of the sums", names.data,
                   majority ? "differ from those of all others" : "differ from each other, and no majority says who is right");
}

fw_status worker_vote_judge(const worker_ballot *ballots, size_t n, fw_error *err)
{
    FW_TRY(judge(ballots, n, NODES, err));
    return judge(ballots, n, RANKS, err);
}

/* ---- comparing ---------------------------------------------------------------------------------------------------------------------- */

/* Whether all ranks have the same 256 bits: their 32-bit parts are exact as doubles, so that one merge gives the largest and, negated, the smallest. */
static fw_status all_equal(bool *out, worker_group *g, const worker_seal *mine, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    const uint64_t words[4] = {mine->node.lo, mine->node.hi, mine->own.lo, mine->own.hi};
    double part[16];
    for (size_t i = 0; i < 8; i++) {
        part[i] = (double)(uint32_t)(words[i / 2] >> 32 * (i % 2));
        part[8 + i] = -part[i];
    }
    FW_TRY(reduce->max_f64(reduce->context, part, 16, err));
    *out = true;
    for (size_t i = 0; i < 8; i++) *out = *out && part[i] == -part[8 + i];
    return FW_OK;
}

fw_status worker_vote(worker_group *g, const worker_seal *mine, int leader, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    const size_t size = (size_t)worker_group_size(g);
    bool equal = true;
    if (size > 1) FW_TRY(all_equal(&equal, g, mine, err));
    if (equal) return FW_OK;
    FW_FREE char *all = NULL;
    FW_FREE size_t *offset = NULL;
    worker_ballot ballot = {.seal = *mine, .leader = leader, .node_size = worker_group_node_size(g)};
    snprintf(ballot.host, sizeof ballot.host, "%.*s", WORKER_BALLOT_HOST - 1, worker_group_host(g));
    FW_TRY(reduce->agree(reduce->context, fw_alloc_zeroed((void **)&offset, size + 1, sizeof *offset, "the ballots", err), err));
    FW_TRY(reduce->gather_all(reduce->context, &ballot, sizeof ballot, &all, offset, err));
    return worker_vote_judge((const worker_ballot *)(const void *)all, size, err);
}
