/* value.h - an immutable, reference-counted value with its content type.
 *
 * The bytes a client stores are copied once, from the socket into a value
 * that is still being built; from then on the same bytes are shared by the
 * engine that stores them and every response that sends them.
 *
 * Ownership: value_create() and value_adopt() return one reference;
 * value_unref() drops one and frees with the last.
 * Threading: the count is atomic, the contents never change after the value
 * is first shared, so any thread may read what it holds a reference to. */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "service/base/bytes.h"

/* The longest content type an entry keeps. */
#define VALUE_CONTENT_TYPE_MAX 255

/* What the JSON view shows for a value; found once, on first need, and kept
 * (see routes/entry/value_form.h). VALUE_FORM_UNKNOWN means not looked at yet. */
enum value_form {
    VALUE_FORM_UNKNOWN = 0,
    VALUE_FORM_JSON,       /* well-formed JSON text, embedded as it is */
    VALUE_FORM_TEXT_PLAIN, /* UTF-8 that needs no escape in a JSON string */
    VALUE_FORM_TEXT,       /* UTF-8 with characters to escape */
    VALUE_FORM_BINARY,     /* shown as base64 */
};

struct value {
    _Atomic uint32_t refs;
    _Atomic uint32_t sending; /* answers that hold it; see service/http/reply.c */
    _Atomic uint8_t form;     /* enum value_form */
    uint8_t content_type_len;
    size_t len;
    const char *data;
    const char *content_type;
    void (*release)(void *owner); /* frees adopted bytes; NULL: they are inline */
    void *owner;
    char inline_bytes[];
};

/* A value of `len` bytes, contents undefined until the creator has filled
 * value_writable(). `content_type` is copied; over VALUE_CONTENT_TYPE_MAX
 * bytes or out of memory: NULL. */
struct value *value_create(struct bytes content_type, size_t len) MUST_CHECK;

/* A value over bytes that somebody else allocated: `release(owner)` is called
 * with the last unref. NULL as above, and the bytes stay the caller's. */
struct value *value_adopt(struct bytes content_type, struct bytes data, void (*release)(void *owner),
                          void *owner) MUST_CHECK;

/* Grows or shrinks a value that its creator has not shared yet. On failure
 * NULL is returned and `value` is unchanged, else `value` is gone and the
 * result takes its place. Only for values of value_create(). */
struct value *value_resize(struct value *value, size_t len) MUST_CHECK;

/* The bytes to fill; only before the value is shared, and only for values of
 * value_create(). */
char *value_writable(struct value *value);

struct value *value_ref(struct value *value);

/* NULL is allowed. */
void value_unref(struct value *value);

static inline struct bytes value_bytes(const struct value *value)
{
    return bytes_of(value->data, value->len);
}

static inline struct bytes value_content_type(const struct value *value)
{
    return bytes_of(value->content_type, value->content_type_len);
}

/* Heap bytes a value of these lengths takes, for accounting: what malloc was
 * asked for, rounded up as the allocator does. */
size_t value_footprint(const struct value *value);
