/* decimal.h - whole numbers as decimal text, for what every response carries:
 * printf's machinery costs more than the rest of a header.
 * Threading: pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The most digits a uint64_t has. */
#define DECIMAL_DIGITS_MAX 20

/* Writes `number` without a NUL; returns how many digits it took. */
size_t decimal_format(uint64_t number, char *out);
