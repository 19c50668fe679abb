#include "engines/redis/keys.h"

#include <stdio.h>

bool redis_keys_prefix_is_good(struct bytes prefix)
{
    if (prefix.len == 0 || prefix.len > KEYS_PREFIX_MAX)
        return false;
    for (size_t i = 0; i < prefix.len; i++) {
        unsigned char c = (unsigned char)prefix.ptr[i];
        if (c <= ' ' || c == 127 || strchr(":{}*?[]\\", c))
            return false;
    }
    return true;
}

uint16_t redis_keys_crc16(uint16_t crc, struct bytes bytes)
{
    /* Four bits at a time: the table is small, the run a key's length. */
    static const uint16_t step[16] = { 0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
                                       0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef };

    for (size_t i = 0; i < bytes.len; i++) {
        unsigned byte = (unsigned char)bytes.ptr[i];
        crc = (uint16_t)((crc << 4) ^ step[(crc >> 12) ^ (byte >> 4)]);
        crc = (uint16_t)((crc << 4) ^ step[(crc >> 12) ^ (byte & 15)]);
    }
    return crc;
}

/* Each bucket takes the smallest number whose slot lies in it; 478 suffice. */
static void choose_tags(struct redis_keys *keys)
{
    bool chosen[KEYS_BUCKETS] = { false };
    unsigned left = KEYS_BUCKETS;

    for (unsigned number = 0; left > 0; number++) {
        char text[16];
        int len = snprintf(text, sizeof text, "%u", number);
        unsigned slot = redis_keys_crc16(0, bytes_of(text, (size_t)len)) % KEYS_SLOTS;
        unsigned bucket = slot / KEYS_BUCKET_SLOTS;
        if (chosen[bucket])
            continue;
        chosen[bucket] = true;
        keys->tags[bucket] = (uint16_t)number;
        keys->slots[bucket] = (uint16_t)slot;
        left--;
    }
}

void redis_keys_init(struct redis_keys *keys, struct bytes prefix, bool clustered)
{
    *keys = (struct redis_keys){ .prefix = prefix, .clustered = clustered };
    if (clustered)
        choose_tags(keys);
}

unsigned redis_keys_bucket(const struct redis_keys *keys, struct bytes ns, struct bytes key)
{
    uint16_t crc;

    if (!keys->clustered)
        return 0;
    crc = redis_keys_crc16(redis_keys_crc16(redis_keys_crc16(0, ns), BYTES(":")), key);
    return crc % KEYS_SLOTS / KEYS_BUCKET_SLOTS;
}

static void add(struct redis_name *name, struct bytes bytes)
{
    if (bytes.len > 0)
        memcpy(name->text + name->len, bytes.ptr, bytes.len);
    name->len += bytes.len;
}

static bool begin(const struct redis_keys *keys, unsigned bucket, struct bytes ns, size_t key_len,
                  struct redis_name *out)
{
    char tag[16];

    out->len = 0;
    if (ns.len > 64 || key_len > 1024)
        return false;
    add(out, keys->prefix);
    if (keys->clustered)
        add(out, bytes_of(tag, (size_t)snprintf(tag, sizeof tag, ":{%u}", keys->tags[bucket])));
    return true;
}

bool redis_keys_entry(const struct redis_keys *keys, unsigned bucket, struct bytes ns, struct bytes key,
                struct redis_name *out)
{
    if (!begin(keys, bucket, ns, key.len, out))
        return false;
    add(out, BYTES(":"));
    add(out, ns);
    add(out, BYTES(":"));
    add(out, key);
    return true;
}

bool redis_keys_tag(const struct redis_keys *keys, unsigned bucket, struct bytes ns, struct bytes tag,
                    struct redis_name *out)
{
    if (!begin(keys, bucket, ns, tag.len, out))
        return false;
    add(out, BYTES("::tag:"));
    add(out, ns);
    add(out, BYTES(":"));
    add(out, tag);
    return true;
}

static bool name_of(const struct redis_keys *keys, unsigned bucket, struct bytes word, struct bytes ns,
                    struct redis_name *out)
{
    if (!begin(keys, bucket, ns, 0, out))
        return false;
    add(out, word);
    add(out, ns);
    return true;
}

bool redis_keys_index(const struct redis_keys *keys, unsigned bucket, struct bytes ns, struct redis_name *ends,
                      struct redis_name *sizes)
{
    return name_of(keys, bucket, BYTES("::end:"), ns, ends) && name_of(keys, bucket, BYTES("::len:"), ns, sizes);
}

bool redis_keys_generation(const struct redis_keys *keys, unsigned bucket, struct bytes ns, struct redis_name *out)
{
    return name_of(keys, bucket, BYTES("::gen:"), ns, out);
}
