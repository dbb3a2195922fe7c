#include "proto/telemetry_outcomes.h"

#include <math.h>

#include "common/core/size.h"
#include "proto/telemetry_parts.h"

static fw_status check_size(size_t n, const char *name, const char *of, fw_error *err)
{
    if (name == NULL || *name == '\0') return fw_fail(err, FW_ERR_ARG, "telemetry: %s without a name", of);
    if (n > FW_TELEMETRY_MAX_ROWS) return fw_fail(err, FW_ERR_ARG, "telemetry: a batch of %zu %s; at most %u fit", n, of, FW_TELEMETRY_MAX_ROWS);
    return fw_telemetry_check_own(name, "a name", err);
}

static fw_status check_time(int64_t at_us, const char *id, fw_error *err)
{
    if (at_us >= 0 && at_us <= FW_TELEMETRY_LAST_TIME_US) return FW_OK;
    return fw_fail(err, FW_ERR_ARG, "telemetry: the time of '%.100s' is not in the years 1970 to 9999", id != NULL ? id : "");
}

static fw_status check_outcome(const fw_outcome *o, fw_error *err)
{
    if (o->id == NULL || *o->id == '\0') return fw_fail(err, FW_ERR_ARG, "telemetry: an outcome without an id");
    FW_TRY(fw_telemetry_check_own(o->id, "the id of an outcome", err));
    FW_TRY(fw_telemetry_check_own(o->outcome, "an outcome", err));
    return check_time(o->at_us, o->id, err);
}

fw_status fw_telemetry_pack_outcomes(fw_text *out, const fw_telemetry_outcomes *o, fw_error *err)
{
    FW_FREE Flywheel__Outcome *rows = NULL;
    FW_FREE Flywheel__Outcome **list = NULL;
    FW_TRY(check_size(o->n, o->model, "outcomes", err));
    FW_TRY(fw_alloc_zeroed((void **)&rows, o->n, sizeof *rows, "telemetry", err));
    FW_TRY(fw_alloc_zeroed((void **)&list, o->n, sizeof(Flywheel__Outcome *), "telemetry", err));
    for (size_t i = 0; i < o->n; i++) {
        FW_TRY(check_outcome(&o->rows[i], err));
        flywheel__outcome__init(&rows[i]);
        rows[i].id = fw_telemetry_unconst(o->rows[i].id);
        rows[i].outcome = fw_telemetry_unconst(o->rows[i].outcome);
        rows[i].time_us = o->rows[i].at_us;
        list[i] = &rows[i];
    }
    Flywheel__Outcomes message;
    flywheel__outcomes__init(&message);
    message.model = fw_telemetry_unconst(o->model);
    message.n_rows = o->n;
    message.rows = list;
    const size_t before = out->len;
    fw_text_buffer buffer = fw_text_buffer_on(out);
    flywheel__outcomes__pack_to_buffer(&message, &buffer.base);
    return fw_telemetry_check_packed(out, before, err);
}

static fw_status check_event(const fw_kpi_event *e, fw_error *err)
{
    FW_TRY(fw_telemetry_check_own(e->id, "the id of a KPI event", err));
    if (!isfinite(e->value)) return fw_fail(err, FW_ERR_NUMERIC, "telemetry: the value of KPI event '%.100s' is not finite", e->id != NULL ? e->id : "");
    return check_time(e->at_us, e->id, err);
}

fw_status fw_telemetry_pack_kpi(fw_text *out, const fw_telemetry_kpi *k, fw_error *err)
{
    FW_FREE Flywheel__KpiEvent *rows = NULL;
    FW_FREE Flywheel__KpiEvent **list = NULL;
    FW_TRY(check_size(k->n, k->name, "KPI events", err));
    FW_TRY(fw_telemetry_check_own(k->project, "the project's name", err));
    FW_TRY(fw_alloc_zeroed((void **)&rows, k->n, sizeof *rows, "telemetry", err));
    FW_TRY(fw_alloc_zeroed((void **)&list, k->n, sizeof(Flywheel__KpiEvent *), "telemetry", err));
    for (size_t i = 0; i < k->n; i++) {
        FW_TRY(check_event(&k->rows[i], err));
        flywheel__kpi_event__init(&rows[i]);
        rows[i].id = fw_telemetry_unconst(k->rows[i].id);
        rows[i].value = k->rows[i].value;
        rows[i].time_us = k->rows[i].at_us;
        list[i] = &rows[i];
    }
    Flywheel__Kpi message;
    flywheel__kpi__init(&message);
    message.project = fw_telemetry_unconst(k->project);
    message.name = fw_telemetry_unconst(k->name);
    message.n_rows = k->n;
    message.rows = list;
    const size_t before = out->len;
    fw_text_buffer buffer = fw_text_buffer_on(out);
    flywheel__kpi__pack_to_buffer(&message, &buffer.base);
    return fw_telemetry_check_packed(out, before, err);
}

/* ---- of a peer ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status judge_size(size_t n, const char *name, fw_error *err)
{
    if (*name == '\0') return fw_fail(err, FW_ERR_FORMAT, "telemetry: outcomes of a model, or a KPI, without a name");
    if (n > FW_TELEMETRY_MAX_ROWS) return fw_fail(err, FW_ERR_FORMAT, "telemetry: a batch of %zu outcomes; at most %u are accepted", n, FW_TELEMETRY_MAX_ROWS);
    return fw_telemetry_check_text(name, "a name", err);
}

static fw_status judge_time(int64_t at_us, fw_error *err)
{
    if (at_us >= 0 && at_us <= FW_TELEMETRY_LAST_TIME_US) return FW_OK;
    return fw_fail(err, FW_ERR_FORMAT, "telemetry: an outcome whose time is not in the years 1970 to 9999");
}

fw_status fw_telemetry_check_outcomes(fw_telemetry_outcomes *to, fw_outcome **rows, const Flywheel__Outcomes *m, fw_error *err)
{
    FW_TRY(judge_size(m->n_rows, m->model, err));
    FW_TRY(fw_alloc_zeroed((void **)rows, m->n_rows, sizeof **rows, "telemetry rows", err));
    for (size_t i = 0; i < m->n_rows; i++) {
        const Flywheel__Outcome *o = m->rows[i];
        if (*o->id == '\0') return fw_fail(err, FW_ERR_FORMAT, "telemetry: an outcome without an id");
        FW_TRY(fw_telemetry_check_text(o->id, "the id of an outcome", err));
        FW_TRY(fw_telemetry_check_text(o->outcome, "an outcome", err));
        FW_TRY(judge_time(o->time_us, err));
        (*rows)[i] = (fw_outcome){.id = o->id, .outcome = o->outcome, .at_us = o->time_us};
    }
    *to = (fw_telemetry_outcomes){.model = m->model, .rows = *rows, .n = m->n_rows};
    return FW_OK;
}

fw_status fw_telemetry_check_kpi(fw_telemetry_kpi *to, fw_kpi_event **rows, const Flywheel__Kpi *m, fw_error *err)
{
    FW_TRY(judge_size(m->n_rows, m->name, err));
    FW_TRY(fw_telemetry_check_text(m->project, "the project's name", err));
    FW_TRY(fw_alloc_zeroed((void **)rows, m->n_rows, sizeof **rows, "telemetry rows", err));
    for (size_t i = 0; i < m->n_rows; i++) {
        const Flywheel__KpiEvent *e = m->rows[i];
        FW_TRY(fw_telemetry_check_text(e->id, "the id of a KPI event", err));
        if (!isfinite(e->value)) return fw_fail(err, FW_ERR_FORMAT, "telemetry: a KPI event whose value is not finite");
        FW_TRY(judge_time(e->time_us, err));
        (*rows)[i] = (fw_kpi_event){.id = e->id, .value = e->value, .at_us = e->time_us};
    }
    *to = (fw_telemetry_kpi){.project = m->project, .name = m->name, .rows = *rows, .n = m->n_rows};
    return FW_OK;
}
