#include "proto/budget.h"

#include <stdlib.h>

static void *budget_alloc(void *left, size_t bytes)
{
    size_t *budget = left;
    if (bytes > *budget) return NULL;
    *budget -= bytes;
    return malloc(bytes);
}

static void budget_free(void *left, void *pointer)
{
    (void)left;
    free(pointer);
}

ProtobufCAllocator fw_budget_allocator(size_t *left)
{
    return (ProtobufCAllocator){.alloc = budget_alloc, .free = budget_free, .allocator_data = left};
}
