#include "engines/page.h"

#include <stdlib.h>

void page_builder_init(struct page_builder *builder)
{
    *builder = (struct page_builder){ .items = NULL };
}

static bool reserve(struct page_builder *builder, size_t key_len)
{
    if (builder->count == builder->capacity) {
        size_t capacity = builder->capacity ? 2 * builder->capacity : 64;
        struct engine_listed *items = realloc(builder->items, capacity * sizeof *items);
        if (!items)
            return false;
        builder->items = items;
        builder->capacity = capacity;
    }
    if (key_len > builder->text_capacity - builder->text_len) {
        size_t capacity = 2 * builder->text_capacity + key_len + 1024;
        char *text = realloc(builder->text, capacity);
        if (!text)
            return false;
        builder->text = text;
        builder->text_capacity = capacity;
    }
    return true;
}

void page_builder_add(struct page_builder *builder, const struct engine_listed *item)
{
    if (builder->failed || !reserve(builder, item->key.len)) {
        builder->failed = true;
        return;
    }
    builder->items[builder->count] = *item;
    builder->items[builder->count++].key.ptr = NULL;
    if (item->key.len > 0)
        memcpy(builder->text + builder->text_len, item->key.ptr, item->key.len);
    builder->text_len += item->key.len;
}

struct engine_page *page_builder_finish(struct page_builder *builder, struct bytes cursor)
{
    size_t items_len = builder->count * sizeof *builder->items;
    struct engine_page *page =
        builder->failed ? NULL : malloc(sizeof *page + items_len + builder->text_len + cursor.len);
    char *text;

    if (page) {
        page->count = builder->count;
        page->items = (struct engine_listed *)(void *)(page + 1);
        text = (char *)page->items + items_len;
        if (items_len > 0)
            memcpy(page->items, builder->items, items_len);
        if (builder->text_len > 0)
            memcpy(text, builder->text, builder->text_len);
        for (size_t i = 0; i < page->count; i++) {
            page->items[i].key.ptr = text;
            text += page->items[i].key.len;
        }
        if (cursor.len > 0)
            memcpy(text, cursor.ptr, cursor.len);
        page->cursor = bytes_of(text, cursor.len);
    }
    page_builder_release(builder);
    return page;
}

void page_builder_release(struct page_builder *builder)
{
    free(builder->items);
    free(builder->text);
    page_builder_init(builder);
}
