#include "service/base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAPACITY 256

void buffer_init(struct buffer *buffer, size_t max)
{
    *buffer = (struct buffer){ .max = max };
}

void buffer_init_fixed(struct buffer *buffer, char *memory, size_t size)
{
    *buffer = (struct buffer){ .ptr = memory, .capacity = size, .max = size, .fixed = true };
}

void buffer_release(struct buffer *buffer)
{
    if (!buffer->fixed)
        free(buffer->ptr);
    *buffer = (struct buffer){ .max = buffer->max, .fixed = false };
}

void buffer_clear(struct buffer *buffer)
{
    buffer_rewind(buffer, 0);
}

void buffer_rewind(struct buffer *buffer, size_t len)
{
    buffer->len = len;
    buffer->failed = false;
}

/* Makes room for `len` more bytes. */
static bool grow(struct buffer *buffer, size_t len)
{
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;
    char *ptr;

    if (buffer->fixed || len > buffer->max - buffer->len)
        return false;
    while (capacity - buffer->len < len)
        capacity = capacity > buffer->max / 2 ? buffer->max : capacity * 2;
    if (capacity > buffer->max)
        capacity = buffer->max;
    ptr = realloc(buffer->ptr, capacity);
    if (!ptr)
        return false;
    buffer->ptr = ptr;
    buffer->capacity = capacity;
    return true;
}

char *buffer_extend(struct buffer *buffer, size_t len)
{
    char *room;

    if (buffer->failed)
        return NULL;
    if (buffer->capacity - buffer->len < len && !grow(buffer, len)) {
        buffer->failed = true;
        return NULL;
    }
    room = buffer->ptr + buffer->len;
    buffer->len += len;
    return room;
}

void buffer_add(struct buffer *buffer, struct bytes bytes)
{
    char *room;

    if (bytes.len == 0)
        return;
    room = buffer_extend(buffer, bytes.len);
    if (room)
        memcpy(room, bytes.ptr, bytes.len);
}

void buffer_add_string(struct buffer *buffer, const char *string)
{
    buffer_add(buffer, bytes_str(string));
}

void buffer_add_char(struct buffer *buffer, char c)
{
    buffer_add(buffer, bytes_of(&c, 1));
}

void buffer_add_u64(struct buffer *buffer, uint64_t number)
{
    char digits[FORMAT_U64_MAX];

    buffer_add(buffer, bytes_of(digits, format_u64(digits, number)));
}

void buffer_add_i64(struct buffer *buffer, int64_t number)
{
    char digits[FORMAT_I64_MAX];

    buffer_add(buffer, bytes_of(digits, format_i64(digits, number)));
}

void buffer_add_format(struct buffer *buffer, const char *format, ...)
{
    char small[256];
    char *text = small;
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (len >= (int)sizeof small) {
        va_start(arguments, format);
        len = vasprintf(&text, format, arguments);
        va_end(arguments);
    }
    if (len < 0) {
        buffer->failed = true;
        return;
    }
    buffer_add(buffer, bytes_of(text, (size_t)len));
    if (text != small)
        free(text);
}

char *buffer_take_string(struct buffer *buffer)
{
    char *string = NULL;

    if (!buffer->failed && !buffer->fixed)
        string = realloc(buffer->ptr, buffer->len + 1);
    if (!string)
        return NULL;
    string[buffer->len] = '\0';
    buffer_init(buffer, buffer->max);
    return string;
}

size_t format_u64(char *out, uint64_t number)
{
    static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940"
                                "4142434445464748495051525354555657585960616263646566676869707172737475767778798081"
                                "828384858687888990919293949596979899";
    char digits[FORMAT_U64_MAX];
    char *at = digits + sizeof digits;

    while (number >= 100) {
        at -= 2;
        memcpy(at, pairs + number % 100 * 2, 2);
        number /= 100;
    }
    if (number >= 10) {
        at -= 2;
        memcpy(at, pairs + number * 2, 2);
    } else {
        *--at = (char)('0' + number);
    }
    size_t len = (size_t)(digits + sizeof digits - at);
    memcpy(out, at, len);
    return len;
}

size_t format_i64(char *out, int64_t number)
{
    if (number >= 0)
        return format_u64(out, (uint64_t)number);
    *out = '-';
    /* Negation in unsigned arithmetic: INT64_MIN has no positive twin. */
    return 1 + format_u64(out + 1, 0 - (uint64_t)number);
}

void format_hex64(char *out, uint64_t number)
{
    static const char digits[] = "0123456789abcdef";

    for (int i = FORMAT_HEX64_LEN - 1; i >= 0; i--) {
        out[i] = digits[number & 15];
        number >>= 4;
    }
}
