/** What `check` says of tune.*. Nothing when there is no tune.space. */
#ifndef COORD_COMMANDS_CHECK_SEARCH_H
#define COORD_COMMANDS_CHECK_SEARCH_H

#include "common/core/text.h"
#include "common/project/project.h"

/** What is wrong with the space, a line each. */
void coord_search_check(fw_text *errors, const fw_project *p);
/** The search and its space, on stdout. */
void coord_search_print(const fw_project *p);

#endif
