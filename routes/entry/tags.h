/* tags.h - the tags that a PUT gives an entry, as ?tags= or as Cache-Groups.
 *
 * Each is 1 to ENGINE_TAG_BYTES_MAX bytes, at most ENGINE_TAGS_MAX of them;
 * one that is given twice counts once.
 * Threading: pure. Ownership: tags borrow what they were read from where it
 * needs no decoding, else the list's own text; both must outlive them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engines/engine.h"
#include "service/base/bytes.h"

struct tag_list {
    struct bytes items[ENGINE_TAGS_MAX];
    size_t count;
    size_t used; /* of `text` */
    char text[(ENGINE_TAGS_MAX + 1) * ENGINE_TAG_BYTES_MAX]; /* one more, to find that it is there already */
};

/* An empty list; the text is not cleared. */
void tag_list_init(struct tag_list *list);

/* Each of these gives NULL, or a static sentence that says what is wrong. */

/* One tag, borrowed. */
const char *tag_list_add(struct tag_list *list, struct bytes tag) MUST_CHECK;

/* The value of ?tags= as it was sent: percent-decoded, then parts between
 * commas. So a tag with a comma in it cannot be given here. */
const char *tag_list_read_query(struct tag_list *list, struct bytes value) MUST_CHECK;

/* Cache-Groups (RFC 9875 section 2): a List of Strings (RFC 9651 sections 3.1
 * and 4.2), whose parameters are ignored. A field without members adds none. */
const char *tag_list_read_groups(struct tag_list *list, struct bytes field) MUST_CHECK;

/* Whether both hold the same tags, in any order. */
bool tag_list_equal(const struct tag_list *a, const struct tag_list *b);
