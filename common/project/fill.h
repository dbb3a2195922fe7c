/** From the tree to the struct. Used by project.c alone. */
#ifndef FW_PROJECT_FILL_H
#define FW_PROJECT_FILL_H

#include "common/project/kinds.h"

/** Text of a default, an override: flow YAML when it begins with [ { " or ', else the text as it stands. */
fw_status fw_value_node(fw_node **out, const char *text, const char *name, fw_error *err);
/** Short forms become maps: features: "*", age: number, schedule: cosine, calls: calls.csv. */
fw_status fw_tree_widen(fw_node *root, fw_error *err);
/** Every value and default into f->p; problems are collected. */
void      fw_project_fill(fw_fill *f, const fw_node *root);

/** Sets one key of the tree ("a.b=value" cut before). parts as of fw_key_split. Maps on the way are made. */
fw_status fw_tree_set(fw_node *root, char *const *parts, size_t n, const char *value, fw_origin origin, fw_error *err);
/** FLYWHEEL_A__B=value of the environment, then the command line's texts; errors are collected. */
fw_status fw_tree_override(fw_node *root, const char *const *overrides, size_t n, fw_problems *problems, fw_error *err);
/** The texts "a.b=value" alone. */
fw_status fw_tree_set_texts(fw_node *root, const char *const *overrides, size_t n, fw_origin origin, fw_problems *problems, fw_error *err);

#endif
