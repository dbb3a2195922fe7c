/** Rules between keys, and what they ask of the tree. */
#ifndef FW_PROJECT_RULES_H
#define FW_PROJECT_RULES_H

#include "common/project/keys.h"

/** The node of a key (no names with dots); NULL: not given, or null. */
const fw_node *fw_given(const fw_project *p, const char *path);
/** The same, or the section around it: a place to point at. */
const fw_node *fw_given_near(const fw_project *p, const char *path);
bool           fw_strings_have(const fw_strings *list, const char *text);

#endif
