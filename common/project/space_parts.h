/** Shared by space.c (ranges, choices) and space_when.c (conditions). */
#ifndef FW_PROJECT_SPACE_PARTS_H
#define FW_PROJECT_SPACE_PARTS_H

#include "common/project/address.h"
#include "common/project/rules.h"

/** One entry of tune.space as it is read. usable: its key is one that can be searched. */
typedef struct fw_space_entry { const fw_node *node; const char *path; fw_address at; fw_space_param *param; bool usable; } fw_space_entry;

typedef struct fw_space_reader { fw_fill *f; fw_space_entry *entry; fw_space_param *param; size_t n; } fw_space_reader;

/** The value as canonical flow YAML, when it is one of this key; else NULL and a problem. Lives as long as the project. */
char *fw_space_try(fw_space_reader *r, const fw_address *a, const char *path, const fw_node *node);
/** Conditions of entry i, when all entries are in. */
void  fw_space_read_when(fw_space_reader *r, size_t i);
void  fw_space_check_circles(fw_space_reader *r);

#endif
