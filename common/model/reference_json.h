/** The reference as JSON, in model.h5 and for people:
 *    {"split": "validation", "features": n, "features_left_out": n, "scores_left_out": n, "chunk_rows": n, "chunks": n,
 *     "metrics": [{"name", "value", "mean", "deviation"}],
 *     "columns": [{"name", "kind": "number" | "score", "cuts": [], "centres": [], "counts": [], "unseen": n, "missing": n, "hits": []},
 *                 {"name", "kind": "category" | "class", "labels": [], "counts": [], "unseen": n, "missing": n}]}
 *  hits: of "confidence" and "score=" columns alone. "absolute", "square", "fourth": of a regression's "prediction" alone, the means of |e|, e^2, e^4 in each bin;
 *  models that were made before have none. */
#ifndef FW_MODEL_REFERENCE_JSON_H
#define FW_MODEL_REFERENCE_JSON_H

#include <jansson.h>

#include "common/stats/reference.h"

/** Exact round trip; NULL is null. from_json trusts nothing: FW_ERR_FORMAT. */
fw_status fw_reference_to_json(json_t **out, const fw_reference *r, fw_error *err);
fw_status fw_reference_from_json(fw_reference **out, const json_t *j, fw_error *err);

#endif
