/* buffer.h - a growing run of bytes with a ceiling, and number formatting.
 *
 * Every buffer names the most it may hold. An append that does not fit, or
 * finds no memory, adds nothing and marks the buffer failed; later appends
 * then do nothing, so a caller checks once, at the end.
 *
 * Ownership: a buffer owns its bytes, unless buffer_init_fixed() lent them.
 * Threading: belongs to one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/base/bytes.h"

struct buffer {
    char *ptr;
    size_t len;
    size_t capacity;
    size_t max;
    bool failed;
    bool fixed; /* the memory is the caller's: never grown, never freed */
};

/* Holds `max` bytes at most; allocates on first use. */
void buffer_init(struct buffer *buffer, size_t max);

/* Uses the caller's `size` bytes and no others. */
void buffer_init_fixed(struct buffer *buffer, char *memory, size_t size);

void buffer_release(struct buffer *buffer);

/* Empties it and clears the failure; memory is kept. */
void buffer_clear(struct buffer *buffer);

/* Back to `len` bytes (at most what it holds), failure cleared: undoes
 * appends that did not fit. */
void buffer_rewind(struct buffer *buffer, size_t len);

/* `len` more bytes to write at the result, already counted; NULL on failure. */
char *buffer_extend(struct buffer *buffer, size_t len) MUST_CHECK;

void buffer_add(struct buffer *buffer, struct bytes bytes);
void buffer_add_string(struct buffer *buffer, const char *string);
void buffer_add_char(struct buffer *buffer, char c);
void buffer_add_u64(struct buffer *buffer, uint64_t number);
void buffer_add_i64(struct buffer *buffer, int64_t number);
void buffer_add_format(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The inside of a JSON string (RFC 8259 section 7), without the quotes:
 * quotation mark, backslash and all control characters (U+007F to U+009F too)
 * are escaped; bytes that are not UTF-8 (RFC 3629) become U+FFFD, one for each
 * maximal ill-formed run (Unicode 15, section 3.9). */
void buffer_add_json_escaped(struct buffer *buffer, struct bytes text);

/* The same in quotation marks. */
void buffer_add_json_string(struct buffer *buffer, struct bytes text);

static inline struct bytes buffer_bytes(const struct buffer *buffer)
{
    return bytes_of(buffer->ptr, buffer->len);
}

/* The bytes as a NUL-terminated string for free(); NULL when the buffer has
 * failed or is fixed. The buffer is empty afterwards. */
char *buffer_take_string(struct buffer *buffer) MUST_CHECK;

/* ---- Numbers into character arrays; nothing is terminated ---- */

#define FORMAT_U64_MAX 20
#define FORMAT_I64_MAX 20
#define FORMAT_HEX64_LEN 16

/* Decimal, without leading zeros. Returns the length, at most FORMAT_U64_MAX. */
size_t format_u64(char *out, uint64_t number);
size_t format_i64(char *out, int64_t number);

/* Sixteen lower-case hexadecimal digits. */
void format_hex64(char *out, uint64_t number);
