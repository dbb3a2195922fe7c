/** flywheel ingest: tables -> dataset.h5. */
#include <stdio.h>
#include <stdlib.h>

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/project/project.h"
#include "coordinator/commands/command.h"
#include "coordinator/gang/group.h"

static void print_result(const fw_answer *a, const char *path)
{
    const double rows = fw_answer_value(a, "rows", 0.0), seconds = fw_answer_value(a, "seconds", 0.0);
    printf("ingested %.0f rows in %.2f s on %u rank%s\n", rows, seconds, a->ranks, a->ranks == 1 ? "" : "s");
    printf("  dataset    %s  (%s)\n", path, a->digest);
    printf("  splits     train %.0f, validation %.0f, test %.0f\n", fw_answer_value(a, "train", 0.0), fw_answer_value(a, "validation", 0.0),
           fw_answer_value(a, "test", 0.0));
    const double duplicates = fw_answer_value(a, "duplicates", 0.0);
    printf("  left out   %.0f bad, %.0f with an excluded label; %.0f duplicate%s kept\n", fw_answer_value(a, "bad", 0.0), fw_answer_value(a, "excluded", 0.0),
           duplicates, duplicates == 1.0 ? " was" : "s were");
}

static fw_status ingest(coord_call *call, fw_project *p, fw_error *err)
{
    FW_FREE char *yaml = NULL;
    FW_FREE char *path = NULL;
    FW_AUTO(fw_answer) *a = NULL;
    FW_TRY(fw_project_available(p, err));
    FW_FREE char *unused = fw_project_unused_sections(p);
    if (unused != NULL) fw_log_info("not used by this command: %s", unused);
    if (coord_option_set(call, "output")) FW_TRY(fw_copy_text(&path, coord_option_value(call, "output"), err));
    else FW_TRY(fw_project_dataset_path(&path, p, err));
    FW_TRY(fw_project_resolved(&yaml, p, err));
    fw_order o = {.kind = FW_ORDER_INGEST, .project = yaml, .directory = p->dir, .output = path};
    FW_TRY(coord_group_order(call->group, &o, coord_print_notes, NULL, &a, err));
    print_result(a, path);
    return FW_OK;
}

static fw_status run(coord_call *call, fw_error *err)
{
    FW_AUTO(fw_project) *p = NULL;
    FW_TRY(fw_project_load(&p, call->positional[0], call->overrides, call->n_overrides, err));
    return ingest(call, p, err);
}

static const coord_option options[] = {
    {"output", 'o', "FILE", "where the dataset goes (default: data.dataset, or <project>.dataset.h5 beside the project file)"},
};

const coord_command coord_command_ingest = {
    .name = "ingest",
    .arguments = "FILE [key=value ...]",
    .summary = "read the tables of a project file into dataset.h5",
    .description = "Ranks parse the tables in parallel; memory does not grow with them. Types that are not declared are found and printed. The digest\n"
                   "of the dataset depends on the data and the data section alone, not on ranks.\n\n"
                   "  flywheel ingest callcenter.yaml\n"
                   "  mpirun -n 8 flywheel ingest callcenter.yaml data.bad_rows=skip\n",
    .min_positional = 1, .max_positional = 1, .needs_group = true,
    .options = options, .n_options = sizeof options / sizeof *options,
    .run = run,
};
