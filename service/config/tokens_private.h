/* tokens_private.h - shared by tokens.c (looking up, lifetime) and
 * tokens_read.c (the file). Threading: until the object is returned it belongs
 * to one thread. */
#pragma once

#include <stdint.h>

#include "service/config/tokens.h"

/* Twice as many as there may be tokens: looking one up takes a step or two. */
#define TOKEN_SLOTS 2048
_Static_assert(TOKEN_SLOTS >= 2 * TOKENS_MAX && (TOKEN_SLOTS & (TOKEN_SLOTS - 1)) == 0, "a power of two, with room");

struct tokens {
    _Atomic unsigned refs;
    struct file_stamp stamp;
    uint16_t slots[TOKEN_SLOTS]; /* by hash: a token's index and 1; 0: none */
    size_t count;
    struct token items[];
};

/* Fills `slots`: all items have been read, no two with the same hash. */
void tokens_settle(struct tokens *tokens);
