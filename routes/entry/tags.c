#include "routes/entry/tags.h"

#include "routes/text/field.h"
#include "routes/text/percent.h"

static const char BAD_LENGTH[] = "a tag has 1 to 64 bytes";
static const char TOO_MANY[] = "more than 32 tags";

void tag_list_init(struct tag_list *list)
{
    list->count = 0;
    list->used = 0;
}

static bool holds(const struct tag_list *list, struct bytes tag)
{
    for (size_t i = 0; i < list->count; i++)
        if (bytes_equal(list->items[i], tag))
            return true;
    return false;
}

const char *tag_list_add(struct tag_list *list, struct bytes tag)
{
    if (tag.len == 0 || tag.len > ENGINE_TAG_BYTES_MAX)
        return BAD_LENGTH;
    if (holds(list, tag))
        return NULL;
    if (list->count == ENGINE_TAGS_MAX)
        return TOO_MANY;
    list->items[list->count++] = tag;
    return NULL;
}

/* Room for one tag; NULL when there cannot be another: only tags that were
 * added keep theirs. */
static char *room(struct tag_list *list)
{
    return sizeof list->text - list->used >= ENGINE_TAG_BYTES_MAX ? list->text + list->used : NULL;
}

/* Adds a tag that was decoded into room(). */
static const char *add_decoded(struct tag_list *list, size_t len)
{
    size_t count = list->count;
    const char *fault = tag_list_add(list, bytes_of(list->text + list->used, len));

    if (list->count > count)
        list->used += len;
    return fault;
}

/* ---- ?tags= ---- */

static const char *add_escaped(struct tag_list *list, struct bytes part)
{
    char *out = room(list);
    size_t len = 0;

    if (!out)
        return TOO_MANY;
    switch (percent_decode(part, out, ENGINE_TAG_BYTES_MAX, &len)) {
    case PERCENT_OK:
        break;
    case PERCENT_BAD_ESCAPE:
        return "percent sign not followed by two hexadecimal digits";
    case PERCENT_TOO_LONG:
        return BAD_LENGTH;
    }
    return add_decoded(list, len);
}

/* How long the comma is that `text` begins with, as it is or escaped: many
 * clients escape whatever may have a meaning. 0: it begins with none. */
static size_t comma_length(struct bytes text)
{
    if (bytes_starts_with(text, BYTES(",")))
        return 1;
    return bytes_starts_with(text, BYTES("%2C")) || bytes_starts_with(text, BYTES("%2c")) ? 3 : 0;
}

/* As bytes_cut(). Every percent sign begins an escape, or is a fault, so the
 * three bytes are never in the middle of something else. */
static struct bytes cut_part(struct bytes *value)
{
    struct bytes whole = *value;

    for (size_t i = 0; i < whole.len; i++) {
        size_t len = comma_length(bytes_of(whole.ptr + i, whole.len - i));

        if (len == 0)
            continue;
        *value = bytes_of(whole.ptr + i + len, whole.len - i - len);
        return bytes_of(whole.ptr, i);
    }
    *value = BYTES_NONE;
    return whole;
}

const char *tag_list_read_query(struct tag_list *list, struct bytes value)
{
    const char *fault = NULL;

    do {
        struct bytes part = cut_part(&value);

        fault = percent_escaped(part) ? add_escaped(list, part) : tag_list_add(list, part);
    } while (!fault && value.ptr);
    return fault;
}

/* ---- Cache-Groups ---- */

static const char MALFORMED[] = "not a list of strings in quotation marks, as in \"a\", \"b\" (RFC 9651)";

static void skip(struct bytes *rest, size_t len)
{
    *rest = bytes_of(rest->ptr + len, rest->len - len);
}

/* The inside of a String (section 4.2.5): printable ASCII, with \" and \\ as
 * the only escapes. */
static bool take_string(struct bytes *rest, struct bytes *inside, bool *escaped)
{
    size_t len = 0;

    if (!field_take_char(rest, '"'))
        return false;
    *escaped = false;
    for (; len < rest->len && rest->ptr[len] != '"'; len++) {
        if (rest->ptr[len] == '\\') {
            *escaped = true;
            if (++len == rest->len || (rest->ptr[len] != '"' && rest->ptr[len] != '\\'))
                return false;
        } else if (rest->ptr[len] < ' ' || rest->ptr[len] > '~') {
            return false;
        }
    }
    if (len == rest->len)
        return false;
    *inside = bytes_of(rest->ptr, len);
    skip(rest, len + 1);
    return true;
}

static const char *add_string(struct tag_list *list, struct bytes inside, bool escaped)
{
    char *out;
    size_t len = 0;

    if (!escaped)
        return tag_list_add(list, inside);
    out = room(list);
    if (!out)
        return TOO_MANY;
    for (size_t i = 0; i < inside.len; i++) {
        if (inside.ptr[i] == '\\')
            i++;
        if (len == ENGINE_TAG_BYTES_MAX)
            return BAD_LENGTH;
        out[len++] = inside.ptr[i];
    }
    return add_decoded(list, len);
}

/* The bytes that may stand in a parameter's key (section 3.1.2); behind the
 * first, which is a lower-case letter or an asterisk. */
static bool is_key_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '*';
}

/* A parameter's value that is no String: numbers, Tokens, Byte Sequences,
 * Booleans, Dates. Nobody looks at it, so only its end is found: none of them
 * can hold a blank, a comma, a semicolon or a quotation mark. */
static bool skip_bare_item(struct bytes *rest)
{
    size_t len = 0;

    while (len < rest->len && rest->ptr[len] > ' ' && rest->ptr[len] <= '~' && rest->ptr[len] != ',' &&
           rest->ptr[len] != ';' && rest->ptr[len] != '"')
        len++;
    skip(rest, len);
    return len > 0;
}

static bool skip_parameters(struct bytes *rest)
{
    struct bytes inside;
    bool escaped;

    while (field_take_char(rest, ';')) {
        size_t len = 0;

        while (field_take_char(rest, ' '))
            continue;
        while (len < rest->len && is_key_byte(rest->ptr[len]))
            len++;
        if (len == 0 || (rest->ptr[0] != '*' && (rest->ptr[0] < 'a' || rest->ptr[0] > 'z')))
            return false;
        skip(rest, len);
        if (!field_take_char(rest, '='))
            continue;
        if (rest->len > 0 && rest->ptr[0] == '"' ? !take_string(rest, &inside, &escaped) : !skip_bare_item(rest))
            return false;
    }
    return true;
}

const char *tag_list_read_groups(struct tag_list *list, struct bytes field)
{
    struct bytes inside;
    const char *fault;
    bool escaped;

    field_skip_blanks(&field);
    while (field.len > 0) {
        if (!take_string(&field, &inside, &escaped) || !skip_parameters(&field))
            return MALFORMED;
        fault = add_string(list, inside, escaped);
        if (fault)
            return fault;
        field_skip_blanks(&field);
        if (field.len == 0)
            break;
        if (!field_take_char(&field, ','))
            return MALFORMED;
        field_skip_blanks(&field);
        if (field.len == 0) /* a comma at the end */
            return MALFORMED;
    }
    return NULL;
}

bool tag_list_equal(const struct tag_list *a, const struct tag_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!holds(b, a->items[i]))
            return false;
    return true;
}
