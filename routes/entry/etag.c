#include "routes/entry/etag.h"

#define MALFORMED "the field must be * or a list of entity tags, each in double quotes"
#define TOO_MANY "the field lists more than 64 entity tags"

void etag_format(engine_version version, char out[ETAG_TEXT_SIZE])
{
    out[0] = '"';
    format_hex64(out + 1, version);
    out[17] = '"';
    out[18] = '\0';
}

void etag_add_member(struct buffer *text, engine_version version)
{
    char digits[FORMAT_HEX64_LEN];

    format_hex64(digits, version);
    buffer_add(text, BYTES(",\"etag\":\"\\\""));
    buffer_add(text, bytes_of(digits, sizeof digits));
    buffer_add(text, BYTES("\\\"\""));
}

/* The version that the text between the quotes names, or 0. */
static engine_version parse_opaque(struct bytes opaque)
{
    engine_version version = 0;

    if (opaque.len != 16)
        return 0;
    for (unsigned i = 0; i < 16; i++) {
        char c = opaque.ptr[i];
        unsigned digit;

        if (c >= '0' && c <= '9')
            digit = (unsigned)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (unsigned)(c - 'a' + 10);
        else
            return 0;
        version = version << 4 | digit;
    }
    return version;
}

/* etagc of RFC 9110 section 8.8.3. */
static bool is_etagc(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte == 0x21 || (byte >= 0x23 && byte != 0x7F);
}

struct tag {
    bool weak;
    engine_version version; /* 0: none of ours */
};

/* Takes one entity-tag off the front of `*rest`. */
static bool take_tag(struct bytes *rest, struct tag *tag)
{
    struct bytes s = *rest;
    size_t len = 0;

    tag->weak = bytes_starts_with(s, BYTES("W/"));
    if (tag->weak)
        s = bytes_of(s.ptr + 2, s.len - 2);
    if (s.len == 0 || s.ptr[0] != '"')
        return false;
    s = bytes_of(s.ptr + 1, s.len - 1);
    while (len < s.len && is_etagc(s.ptr[len]))
        len++;
    if (len == s.len || s.ptr[len] != '"')
        return false;
    tag->version = parse_opaque(bytes_of(s.ptr, len));
    *rest = bytes_of(s.ptr + len + 1, s.len - len - 1);
    return true;
}

engine_version etag_parse(struct bytes text)
{
    struct tag tag;

    if (text.len != ETAG_LEN || !take_tag(&text, &tag) || text.len > 0 || tag.weak)
        return 0;
    return tag.version;
}

/* Skips blanks and commas, and tells whether the next member may follow: there
 * was a comma, or there is no next member. */
static bool skip_separator(struct bytes *rest)
{
    bool comma = false;

    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t' || rest->ptr[0] == ',')) {
        if (rest->ptr[0] == ',')
            comma = true;
        *rest = bytes_of(rest->ptr + 1, rest->len - 1);
    }
    return comma || rest->len == 0;
}

static const char *parse_members(struct bytes rest, enum etag_comparison comparison,
                                 engine_version versions[ETAG_LIST_MAX], size_t *count)
{
    size_t members = 0;

    (void)skip_separator(&rest);
    while (rest.len > 0) {
        struct tag tag;

        if (!take_tag(&rest, &tag) || !skip_separator(&rest))
            return MALFORMED;
        if (++members > ETAG_LIST_MAX)
            return TOO_MANY;
        if (tag.version != 0 && !(tag.weak && comparison == ETAG_STRONG))
            versions[(*count)++] = tag.version;
    }
    return NULL;
}

const char *etag_parse_list(struct bytes field, enum etag_comparison comparison,
                            engine_version versions[ETAG_LIST_MAX], struct engine_tags *tags)
{
    struct engine_tags read = { .given = true, .versions = versions };
    const char *fault = NULL;

    *tags = (struct engine_tags){ .given = false };
    if (!field.ptr)
        return NULL;
    if (bytes_equal(bytes_trim(field), BYTES("*")))
        read.any = true;
    else
        fault = parse_members(field, comparison, versions, &read.count);
    if (!fault)
        *tags = read;
    return fault;
}

unsigned etag_judge_read(const struct engine_condition *condition, engine_version version)
{
    struct engine_condition if_match = { .if_match = condition->if_match };

    if (!engine_condition_holds(&if_match, version))
        return 412;
    return engine_condition_holds(condition, version) ? 200 : 304;
}

bool etag_if_range_holds(struct bytes if_range, engine_version version)
{
    return !if_range.ptr || (version != 0 && etag_parse(if_range) == version);
}
