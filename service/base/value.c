#include "service/base/value.h"

#include <malloc.h>
#include <stdlib.h>

static struct value *allocate(struct bytes content_type, size_t inline_len)
{
    struct value *value;

    if (content_type.len > VALUE_CONTENT_TYPE_MAX || inline_len > SIZE_MAX / 2)
        return NULL;
    value = malloc(sizeof *value + content_type.len + inline_len);
    if (!value)
        return NULL;
    atomic_init(&value->refs, 1);
    atomic_init(&value->sending, 0);
    atomic_init(&value->form, VALUE_FORM_UNKNOWN);
    value->content_type_len = (uint8_t)content_type.len;
    value->content_type = value->inline_bytes;
    if (content_type.len > 0)
        memcpy(value->inline_bytes, content_type.ptr, content_type.len);
    value->release = NULL;
    value->owner = NULL;
    return value;
}

static void point_inline(struct value *value, size_t len)
{
    value->content_type = value->inline_bytes;
    value->data = value->inline_bytes + value->content_type_len;
    value->len = len;
}

struct value *value_create(struct bytes content_type, size_t len)
{
    struct value *value = allocate(content_type, len);

    if (value)
        point_inline(value, len);
    return value;
}

struct value *value_adopt(struct bytes content_type, struct bytes data, void (*release)(void *owner),
                          void *owner)
{
    struct value *value = allocate(content_type, 0);

    if (!value)
        return NULL;
    value->data = data.ptr;
    value->len = data.len;
    value->release = release;
    value->owner = owner;
    return value;
}

struct value *value_resize(struct value *value, size_t len)
{
    struct value *resized;

    if (len > SIZE_MAX / 2)
        return NULL;
    resized = realloc(value, sizeof *value + value->content_type_len + len);
    if (resized)
        point_inline(resized, len);
    return resized;
}

char *value_writable(struct value *value)
{
    return value->inline_bytes + value->content_type_len;
}

struct value *value_ref(struct value *value)
{
    atomic_fetch_add_explicit(&value->refs, 1, memory_order_relaxed);
    return value;
}

void value_unref(struct value *value)
{
    if (!value || atomic_fetch_sub_explicit(&value->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (value->release)
        value->release(value->owner);
    free(value);
}

size_t value_footprint(const struct value *value)
{
    /* Adopted bytes are somebody else's allocation: count their length. */
    return malloc_usable_size((void *)(uintptr_t)value) + sizeof(size_t) + (value->release ? value->len : 0);
}
