/** Rules between keys, and what they ask of the tree. */
#ifndef FW_PROJECT_RULES_H
#define FW_PROJECT_RULES_H

#include "common/project/keys.h"

/** The node of a key (no names with dots); NULL: not given, or null. */
const fw_node *fw_given(const fw_project *p, const char *path);
/** The same, or the section around it: a place to point at. */
const fw_node *fw_given_near(const fw_project *p, const char *path);
bool           fw_strings_have(const fw_strings *list, const char *text);

/** A problem when the task has no such metric. by_class: f1:kindle will do too. */
void           fw_rule_metric(fw_fill *f, const char *path, const fw_node *node, bool at_key, const char *metric, bool by_class);
/** Rules of data.*, of tune.*, and their defaults that depend on other keys. */
void           fw_rules_data(fw_fill *f);
void           fw_rules_tune(fw_fill *f);

#endif
