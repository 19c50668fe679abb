#include "routes/text/path.h"

#include "routes/text/percent.h"

/* A-Z a-z 0-9 . _ - */
static const bool namespace_byte[256] = {
    ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['0' ... '9'] = true, ['.'] = true, ['_'] = true, ['-'] = true,
};

bool path_under(struct bytes path, struct bytes prefix, struct bytes *rest)
{
    if (!bytes_starts_with(path, prefix))
        return false;
    *rest = bytes_of(path.ptr + prefix.len, path.len - prefix.len);
    return true;
}

bool path_namespace_valid(struct bytes ns)
{
    if (ns.len == 0 || ns.len > PATH_NAMESPACE_MAX || ns.ptr[0] == '.')
        return false;
    for (size_t i = 0; i < ns.len; i++)
        if (!namespace_byte[(unsigned char)ns.ptr[i]])
            return false;
    return true;
}

enum path_outcome path_parse_namespace(struct bytes segment, struct path_scratch *scratch, struct bytes *ns)
{
    *ns = BYTES_NONE;
    if (percent_escaped(segment)) {
        size_t len = 0;

        switch (percent_decode(segment, scratch->ns, sizeof scratch->ns, &len)) {
        case PERCENT_OK:
            break;
        case PERCENT_BAD_ESCAPE:
            return PATH_BAD_ESCAPE;
        case PERCENT_TOO_LONG:
            return PATH_BAD_NAMESPACE;
        }
        segment = bytes_of(scratch->ns, len);
    }
    if (!path_namespace_valid(segment))
        return PATH_BAD_NAMESPACE;
    *ns = segment;
    return PATH_OK;
}

static enum path_outcome parse_key(struct bytes raw, struct path_scratch *scratch, struct bytes *key)
{
    size_t len = 0;

    if (raw.len == 0)
        return PATH_EMPTY_KEY;
    if (!percent_escaped(raw)) {
        if (raw.len > PATH_KEY_MAX)
            return PATH_KEY_TOO_LONG;
        *key = raw;
        return PATH_OK;
    }
    switch (percent_decode(raw, scratch->key, sizeof scratch->key, &len)) {
    case PERCENT_OK:
        break;
    case PERCENT_BAD_ESCAPE:
        return PATH_BAD_ESCAPE;
    case PERCENT_TOO_LONG:
        return PATH_KEY_TOO_LONG;
    }
    *key = bytes_of(scratch->key, len);
    return PATH_OK;
}

enum path_outcome path_parse_entry(struct bytes rest, struct path_scratch *scratch, struct path_entry *entry)
{
    struct bytes segment = bytes_cut(&rest, '/');
    enum path_outcome outcome = path_parse_namespace(segment, scratch, &entry->ns);

    entry->key = BYTES_NONE;
    if (outcome != PATH_OK)
        return outcome;
    if (!rest.ptr)
        return PATH_NO_KEY;
    return parse_key(rest, scratch, &entry->key);
}

const char *path_outcome_detail(enum path_outcome outcome)
{
    static const char *const details[PATH_OUTCOMES] = {
        [PATH_BAD_NAMESPACE] =
            "a namespace has 1 to 64 characters of A-Z a-z 0-9 . _ - and does not start with a dot",
        [PATH_BAD_ESCAPE] = "the path has a percent sign that is not followed by two hexadecimal digits",
        [PATH_NO_KEY] = "the path names a namespace and no key",
        [PATH_EMPTY_KEY] = "the key is empty",
        [PATH_KEY_TOO_LONG] = "the key is longer than 1024 bytes",
    };

    return details[outcome];
}
