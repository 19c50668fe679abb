/* page.h - builds the page of a listing: one block that free() frees.
 *
 * Threading: a builder belongs to one thread. */
#pragma once

#include "engines/engine.h"

struct page_builder {
    struct engine_listed *items; /* keys are offsets into `text` until the end */
    size_t count, capacity;
    char *text;
    size_t text_len, text_capacity;
    bool failed; /* out of memory; everything that is added is dropped */
};

void page_builder_init(struct page_builder *builder);

/* Copies `item` and its key. */
void page_builder_add(struct page_builder *builder, const struct engine_listed *item);

/* The page, with a copy of `cursor`; NULL when out of memory. The builder is
 * released in either case. */
struct engine_page *page_builder_finish(struct page_builder *builder, struct bytes cursor) MUST_CHECK;

/* Releases a builder that is not finished. */
void page_builder_release(struct page_builder *builder);
