/* fuzz.h - what the fuzz targets share.
 *
 * A target is one function over arbitrary bytes. Besides the sanitizers it
 * states what must hold of every answer, with REQUIRE. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/base/bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                           \
    do {                                                                                                             \
        if (!(condition)) {                                                                                          \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                           \
            abort();                                                                                                 \
        }                                                                                                            \
    } while (0)

static inline struct bytes fuzz_bytes(const uint8_t *data, size_t size)
{
    return bytes_of((const char *)data, size);
}

/* Takes at most `size` bytes off the front of the input as a number. */
static inline uint64_t fuzz_take_number(struct bytes *input, size_t size)
{
    uint64_t number = 0;

    for (; size > 0 && input->len > 0; size--) {
        number = number << 8 | (unsigned char)input->ptr[0];
        *input = bytes_of(input->ptr + 1, input->len - 1);
    }
    return number;
}

/* Takes a text that ends before the first NUL; needed where a target has two. */
static inline struct bytes fuzz_take_text(struct bytes *input)
{
    struct bytes text = bytes_cut(input, '\0');

    if (!input->ptr)
        *input = BYTES("");
    return text;
}
