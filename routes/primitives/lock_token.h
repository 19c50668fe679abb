/* lock_token.h - the name of one grant of a lock, as clients carry it.
 *
 * Threading: pure. */
#pragma once

#include "engines/engine.h"

/* 32 lower-case hexadecimal digits and a NUL. */
#define LOCK_TOKEN_TEXT_SIZE (2 * ENGINE_LOCK_TOKEN_BYTES + 1)

void lock_token_format(const unsigned char token[ENGINE_LOCK_TOKEN_BYTES], char out[LOCK_TOKEN_TEXT_SIZE]);

/* Reads exactly 32 digits of either case; false: `token` is undefined. */
bool lock_token_parse(struct bytes text, unsigned char token[ENGINE_LOCK_TOKEN_BYTES]) MUST_CHECK;
