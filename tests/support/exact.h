/* exact.h - inputs without a terminator, in memory of exactly their length, so
 * that AddressSanitizer sees each read beyond the end. */
#pragma once

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>

#include "service/base/bytes.h"

/* A heap copy; pass its ptr to exact_free(). */
static inline struct bytes exact_copy(struct bytes text)
{
    char *copy = malloc(text.len > 0 ? text.len : 1);

    cr_assert_not_null(copy);
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    return bytes_of(copy, text.len);
}

static inline void exact_free(struct bytes text)
{
    free((void *)(uintptr_t)text.ptr);
}

/* The bytes of a literal as an initialiser. */
#define B(literal)                                                                                                   \
    {                                                                                                                \
        literal, sizeof(literal) - 1                                                                                 \
    }

#define SHOW(text) (int)(text).len, (text).ptr

#define COUNT(array) (sizeof(array) / sizeof *(array))
