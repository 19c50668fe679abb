/* swar.h - eight bytes of text at a time in one register.
 *
 * The tests set the top bit of each byte that meets them. A borrow may set it
 * wrongly in bytes *after* one that does, never before: a result of 0 and the
 * lowest bit set are exact, and those are all that may be used.
 * Threading: pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SWAR_BYTES sizeof(uint64_t)
#define SWAR_ONES UINT64_C(0x0101010101010101)
#define SWAR_TOPS UINT64_C(0x8080808080808080)

/* The first byte of the text ends up lowest, whatever the machine. */
static inline uint64_t swar_load(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* Bytes above 0x7F. */
static inline uint64_t swar_non_ascii(uint64_t word)
{
    return word & SWAR_TOPS;
}

/* Bytes equal to `c`, which is ASCII. */
static inline uint64_t swar_equal(uint64_t word, unsigned char c)
{
    uint64_t differing = word ^ (SWAR_ONES * c);

    return (differing - SWAR_ONES) & ~differing & SWAR_TOPS;
}

/* Bytes below 0x20. */
static inline uint64_t swar_control(uint64_t word)
{
    return (word - SWAR_ONES * 0x20) & ~word & SWAR_TOPS;
}

/* Bytes that a JSON string cannot hold as they are: control, `"` and `\`. */
static inline uint64_t swar_escapable(uint64_t word)
{
    return swar_control(word) | swar_equal(word, '"') | swar_equal(word, '\\');
}

/* How many bytes stand before the first that met a test; `found` is not 0. */
static inline size_t swar_index(uint64_t found)
{
    return (size_t)__builtin_ctzll(found) / 8;
}
