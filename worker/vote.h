/** Silent corruption: each node holds one copy of a learner's floats, each rank its own integers, and all copies are the same bits (law 1). The ranks
 *  hash them and compare; who differs from the majority is named. What every copy shares (rows, sums of gradients) is not seen here. */
#ifndef WORKER_VOTE_H
#define WORKER_VOTE_H

#include "common/core/hash.h"
#include "worker/group.h"

/** What a rank found of the state at a step boundary. */
typedef struct worker_seal {
    fw_digest share;           /* of the floats that it looks after on its node */
    fw_digest node;            /* of all floats of its node's copy */
    fw_digest own;             /* of its own integers */
} worker_seal;

#define WORKER_BALLOT_HOST 64
typedef struct worker_ballot {
    worker_seal seal;
    int32_t leader, node_size; /* the rank that stands for its node, and how many ranks share that copy */
    char host[WORKER_BALLOT_HOST];
} worker_ballot;

/** Collective: FW_ERR_LOST, the same text at every rank, when not all are equal. leader: rank of this node's leader.
 *  Cost: one merge of 16 numbers while all is well. */
fw_status worker_vote(worker_group *g, const worker_seal *mine, int leader, fw_error *err);

/** Local: the ballots of ranks 0..n-1. FW_ERR_LOST names the nodes and ranks outside the majority, all of them when there is none. */
fw_status worker_vote_judge(const worker_ballot *ballots, size_t n, fw_error *err);

#endif
