/* Who is named when copies differ: nodes by their floats, ranks by their integers; the majority is right, without one everybody is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/vote.h"

#define MOST 40

typedef struct election {
    const char *name;
    int ranks, a_node;
    const char *floats, *integers;     /* one letter a rank: ranks with the same letter have the same bits */
    const char *named;                 /* "": all agree */
    const char *verdict;
} election;

static const char OTHERS[] = "differ from those of all others", NOBODY[] = "no majority says who is right";
static const election elections[] = {
    {"alone", 1, 1, "a", "a", "", ""},
    {"all agree", 5, 1, "aaaaa", "aaaaa", "", ""},
    {"one of three", 3, 1, "aba", "aaa", "the weights or the optimizer's state of rank 1 (host h1) differ", OTHERS},
    {"the first of five", 5, 1, "baaaa", "aaaaa", "state of rank 0 (host h0) differ", OTHERS},
    {"two of five, alike", 5, 1, "abaab", "aaaaa", "state of rank 1 (host h1), rank 4 (host h4) differ", OTHERS},
    {"two of five, each otherwise", 5, 1, "abaac", "aaaaa", "state of rank 1 (host h1), rank 4 (host h4) differ", OTHERS},
    {"half", 4, 1, "aabb", "aaaa", "state of rank 0 (host h0), rank 1 (host h1), rank 2 (host h2), rank 3 (host h3) differ", NOBODY},
    {"most, but not more than half", 5, 1, "aabcd", "aaaaa", "rank 0 (host h0), rank 1 (host h1), rank 2", NOBODY},
    {"a node counts once", 5, 3, "aaabb", "aaaaa", "rank 0 (host h0, the copy of its node's 3 ranks), rank 3 (host h1, the copy of its node's 2 ranks) differ", NOBODY},
    {"a node of three", 6, 2, "aabbaa", "aaaaaa", "state of rank 2 (host h1, the copy of its node's 2 ranks) differ", OTHERS},
    {"a rank's integers", 4, 2, "aaaa", "aaab", "the exponents of the sums of rank 3 (host h1) differ", OTHERS},
    {"both: the floats are told", 4, 1, "abaa", "aaba", "state of rank 1 (host h1) differ", OTHERS},
    {"many", 40, 1, "aaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbb", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "rank 28 (host h28) and 11 more differ", OTHERS},
};

static void hold(const election *e, worker_ballot ballots[static MOST])
{
    for (int r = 0; r < e->ranks; r++) {
        const int leader = r / e->a_node * e->a_node;
        worker_ballot *b = &ballots[r];
        *b = (worker_ballot){.leader = leader, .node_size = e->ranks - leader < e->a_node ? e->ranks - leader : e->a_node};
        b->seal.share.lo = (uint64_t)r;                       /* shares differ as they may */
        b->seal.node.hi = (uint64_t)e->floats[r];
        b->seal.own.lo = (uint64_t)e->integers[r] << 40;
        snprintf(b->host, sizeof b->host, "h%d", r / e->a_node);
    }
}

static void who_differs_is_named(void **context)
{
    (void)context;
    for (size_t i = 0; i < sizeof elections / sizeof elections[0]; i++) {
        const election *e = &elections[i];
        worker_ballot ballots[MOST];
        fw_error err = {0};
        hold(e, ballots);
        const fw_status s = worker_vote_judge(ballots, (size_t)e->ranks, &err);
        if (s != (e->named[0] != '\0' ? FW_ERR_LOST : FW_OK) || strstr(err.text, e->named) == NULL || strstr(err.text, e->verdict) == NULL)
            fail_msg("%s: %s: %s", e->name, fw_status_name(s), err.text);
        assert_true(s == FW_OK || strncmp(err.text, "silent corruption: ", 19) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_differs_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
