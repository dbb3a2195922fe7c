#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/report/report.h"
#include "coordinator/report/words.h"

static bool holds(fw_gate_op op, double value, double bound)
{
    switch (op) {
    case FW_AT_LEAST: return value >= bound;
    case FW_AT_MOST: return value <= bound;
    case FW_ABOVE: return value > bound;
    case FW_BELOW: return value < bound;
    }
    return false;
}

static fw_status judge(coord_gate_result *out, const fw_gate *gate, const fw_metrics *m, const char *const *class_names, fw_error *err)
{
    fw_error why = {0};
    *out = (coord_gate_result){.metric = gate->metric, .op = gate->op, .bound = gate->bound};
    fw_status s = fw_metrics_get(&out->value, m, gate->metric, class_names, &why);
    if (s == FW_ERR_DATA) return FW_OK;
    if (s == FW_ERR_NOTFOUND) return fw_fail(err, FW_ERR_CONFIG, "problem.success: %s", why.text);
    if (s < 0) return fw_fail(err, s, "problem.success: %s", why.text);
    out->has_value = true;
    out->passed = holds(gate->op, out->value, gate->bound);
    return FW_OK;
}

fw_status coord_report_gates(coord_gate_result **out, size_t *n, const fw_project *p, const fw_metrics *m, const char *const *class_names, fw_error *err)
{
    FW_FREE coord_gate_result *gates = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&gates, p->problem.n_success, sizeof *gates, "gates", err));
    for (size_t i = 0; i < p->problem.n_success; i++) FW_TRY(judge(&gates[i], &p->problem.success[i], m, class_names, err));
    *out = gates;
    *n = p->problem.n_success;
    gates = NULL;
    return FW_OK;
}
