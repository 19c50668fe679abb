#include "engines/memcached/names.h"

#include <sodium.h>

#include "engines/memcached/item.h"

static bool is_printable(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 127)
            return false;
    return true;
}

bool names_prefix_is_good(struct bytes prefix)
{
    return prefix.len > 0 && prefix.len <= NAMES_PREFIX_MAX && is_printable(prefix) &&
           !memchr(prefix.ptr, ':', prefix.len);
}

static void add(struct item_name *name, struct bytes bytes)
{
    if (bytes.len > 0)
        memcpy(name->text + name->len, bytes.ptr, bytes.len);
    name->len += bytes.len;
}

static void add_digest(struct item_name *name, struct bytes ns, struct bytes key)
{
    unsigned char digest[crypto_generichash_BYTES];
    unsigned char ns_len = (unsigned char)ns.len;
    char hex[2 * sizeof digest + 1];
    crypto_generichash_state state;

    /* With the length in front, no two pairs are the same text. */
    crypto_generichash_init(&state, NULL, 0, sizeof digest);
    crypto_generichash_update(&state, &ns_len, 1);
    crypto_generichash_update(&state, (const unsigned char *)ns.ptr, ns.len);
    crypto_generichash_update(&state, (const unsigned char *)key.ptr, key.len);
    crypto_generichash_final(&state, digest, sizeof digest);
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    add(name, bytes_of(hex, 2 * sizeof digest));
}

bool names_item(struct bytes prefix, enum name_kind kind, struct bytes ns, struct bytes key, struct item_name *out)
{
    static const struct { struct bytes plain, digest; } marks[] = {
        [NAME_ENTRY] = { { ":e:", 3 }, { ":h:", 3 } },   [NAME_TAG] = { { ":t:", 3 }, { ":th:", 4 } },
        [NAME_COUNTER] = { { ":c:", 3 }, { ":ch:", 4 } }, [NAME_LIMIT] = { { ":l:", 3 }, { ":lh:", 4 } },
        [NAME_LOCK] = { { ":k:", 3 }, { ":kh:", 4 } },
    };

    if (ns.len == 0 || ns.len > ITEM_NAMESPACE_MAX || key.len == 0 || key.len > ITEM_KEY_MAX)
        return false;
    out->len = 0;
    add(out, prefix);
    out->digested = prefix.len + 3 + ns.len + 1 + key.len > NAMES_MAX || !is_printable(key) || !is_printable(ns) ||
                    memchr(ns.ptr, ':', ns.len);
    if (out->digested) {
        add(out, marks[kind].digest);
        add_digest(out, ns, key);
        return true;
    }
    add(out, marks[kind].plain);
    add(out, ns);
    add(out, BYTES(":"));
    add(out, key);
    return true;
}

bool names_generation(struct bytes prefix, struct bytes ns, struct item_name *out)
{
    if (ns.len > ITEM_NAMESPACE_MAX || !is_printable(ns))
        return false;
    out->len = 0;
    out->digested = false;
    add(out, prefix);
    add(out, BYTES(":g:"));
    add(out, ns);
    return true;
}
