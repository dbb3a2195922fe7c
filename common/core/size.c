#include "common/core/size.h"

#include <string.h>

fw_status fw_size_mul(size_t *out, size_t a, size_t b, const char *what, fw_error *err)
{
    size_t product;
    if (__builtin_mul_overflow(a, b, &product)) return fw_fail(err, FW_ERR_NOMEM, "%s: %zu x %zu is more than a size can hold", what, a, b);
    *out = product;
    return FW_OK;
}

fw_status fw_size_add(size_t *out, size_t a, size_t b, const char *what, fw_error *err)
{
    size_t sum;
    if (__builtin_add_overflow(a, b, &sum)) return fw_fail(err, FW_ERR_NOMEM, "%s: %zu + %zu is more than a size can hold", what, a, b);
    *out = sum;
    return FW_OK;
}

fw_status fw_alloc_zeroed(void **out, size_t n, size_t element_bytes, const char *what, fw_error *err)
{
    size_t bytes = 0, padded = 0;
    FW_TRY(fw_size_mul(&bytes, n, element_bytes, what, err));
    FW_TRY(fw_size_add(&padded, bytes == 0 ? 1 : bytes, FW_ALIGN - 1, what, err));
    padded -= padded % FW_ALIGN;
    void *array = aligned_alloc(FW_ALIGN, padded);
    if (array == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: %zu bytes cannot be had", what, padded);
    memset(array, 0, padded);
    memcpy(out, &array, sizeof array);      /* callers pass (void **)&typed_pointer */
    return FW_OK;
}

fw_status fw_grow(void **array, size_t *capacity, size_t need, size_t element_bytes, const char *what, fw_error *err)
{
    if (need <= *capacity) return FW_OK;
    size_t wanted = *capacity > SIZE_MAX / 2 ? need : FW_MAX(need, *capacity * 2);
    wanted = FW_MAX(wanted, (size_t)8);
    size_t bytes = 0;
    FW_TRY(fw_size_mul(&bytes, wanted, element_bytes, what, err));
    void *old;
    memcpy(&old, array, sizeof old);
    void *grown = realloc(old, bytes == 0 ? 1 : bytes);
    if (grown == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: %zu bytes cannot be had", what, bytes);
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return FW_OK;
}

fw_status fw_copy_text(char **out, const char *text, fw_error *err)
{
    char *copy = strdup(text);
    if (copy == NULL) return fw_fail(err, FW_ERR_NOMEM, "a text of %zu bytes cannot be copied", strlen(text));
    *out = copy;
    return FW_OK;
}

void fw_free_pointer(void *pointer_to_pointer)
{
    void *p;
    memcpy(&p, pointer_to_pointer, sizeof p);
    free(p);
    p = NULL;
    memcpy(pointer_to_pointer, &p, sizeof p);
}
