#include "engines/redis/list_cursor.h"

#include "engines/redis/record.h"

enum { VERSION = 1, BITS = KEYS_BUCKETS / 8, NUMBERS = 8 + 8 + 2 + 2 + 8 + 8, CHECK = 8 };
_Static_assert(1 + 2 * BITS + NUMBERS + CHECK <= ENGINE_CURSOR_MAX, "a cursor fits");

static uint64_t hash_on(uint64_t hash, struct bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        hash = (hash ^ (unsigned char)bytes.ptr[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t mix(uint64_t hash)
{
    hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
    hash ^= hash >> 31;
    return hash ? hash : 1;
}

static const uint64_t BASIS = UINT64_C(0xcbf29ce484222325);

uint64_t redis_list_hash(struct bytes bytes)
{
    return mix(hash_on(BASIS, bytes));
}

static uint64_t check_of(struct bytes body, struct bytes ns, struct bytes prefix)
{
    uint64_t hash = hash_on(hash_on(BASIS, body), ns);

    return mix(hash_on(hash_on(hash, BYTES(":")), prefix));
}

/* ---- Encoding ---- */

static size_t put_u16(char *out, unsigned number)
{
    out[0] = (char)(number >> 8);
    out[1] = (char)number;
    return 2;
}

static uint16_t get_u16(const char *in)
{
    return (uint16_t)((unsigned char)in[0] << 8 | (unsigned char)in[1]);
}

size_t redis_list_cursor_write(const struct redis_list_cursor *cursor, bool clustered, struct bytes ns,
                               struct bytes prefix, char out[ENGINE_CURSOR_MAX])
{
    size_t len = 0;

    out[len++] = VERSION;
    if (clustered) {
        memcpy(out + len, cursor->done, BITS);
        memcpy(out + len + BITS, cursor->here, BITS);
        len += 2 * BITS;
    }
    redis_record_put_u64(out + len, cursor->server);
    redis_record_put_u64(out + len + 8, cursor->scan);
    len += 16;
    len += put_u16(out + len, cursor->count);
    len += put_u16(out + len, cursor->ties);
    redis_record_put_u64(out + len, cursor->end);
    redis_record_put_u64(out + len + 8, cursor->threshold);
    len += 16;
    redis_record_put_u64(out + len, check_of(bytes_of(out, len), ns, prefix));
    return len + CHECK;
}

bool redis_list_cursor_read(struct redis_list_cursor *out, struct bytes text, bool clustered, struct bytes ns,
                            struct bytes prefix)
{
    size_t body = 1 + (clustered ? 2 * BITS : 0) + NUMBERS;
    const char *at = text.ptr + 1;

    *out = (struct redis_list_cursor){ .server = 0 };
    if (text.len == 0)
        return true;
    if (text.len != body + CHECK || text.ptr[0] != VERSION ||
        redis_record_get_u64(text.ptr + body) != check_of(bytes_of(text.ptr, body), ns, prefix))
        return false;
    if (clustered) {
        memcpy(out->done, at, BITS);
        memcpy(out->here, at + BITS, BITS);
        at += 2 * BITS;
    }
    out->server = redis_record_get_u64(at);
    out->scan = redis_record_get_u64(at + 8);
    out->count = get_u16(at + 16);
    out->ties = get_u16(at + 18);
    out->end = redis_record_get_u64(at + 20);
    out->threshold = redis_record_get_u64(at + 28);
    if (!clustered && out->server != 0)
        redis_list_bit_set(out->here, 0);
    return out->count <= REDIS_LIST_COUNT_MAX;
}

unsigned redis_list_cursor_bucket(const struct redis_list_cursor *cursor, unsigned buckets)
{
    unsigned bucket = 0;

    while (bucket < buckets && redis_list_bit(cursor->done, bucket))
        bucket++;
    return bucket;
}

/* ---- Repeating a step ---- */

void redis_list_cut_init(struct redis_list_cut *cut, const struct redis_list_cursor *cursor, uint64_t end)
{
    *cut = (struct redis_list_cut){
        .repeats = cursor->count != 0 && cursor->end == end,
        .from = cursor->threshold,
        .from_ties = cursor->ties,
    };
}

bool redis_list_cut_skips(struct redis_list_cut *cut, uint64_t hash)
{
    cut->ties = hash == cut->hash ? (uint16_t)(cut->ties + 1) : 1;
    cut->hash = hash;
    return cut->repeats && (hash < cut->from || (hash == cut->from && cut->ties <= cut->from_ties));
}

/* ---- Patterns ---- */

static size_t add_escaped(char *out, struct bytes text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\')
            out[len++] = '\\';
        out[len++] = c;
    }
    return len;
}

static size_t add(char *out, struct bytes text)
{
    memcpy(out, text.ptr, text.len);
    return text.len;
}

size_t redis_list_pattern(const struct redis_keys *keys, struct bytes ns, struct bytes prefix,
                          char out[REDIS_LIST_PATTERN_MAX])
{
    size_t len = 0;

    if (ns.len > 64 || prefix.len > 1024)
        return 0;
    len += add_escaped(out + len, keys->prefix);
    len += add(out + len, keys->clustered ? BYTES(":{*}:") : BYTES(":"));
    len += add_escaped(out + len, ns);
    len += add(out + len, BYTES(":"));
    len += add_escaped(out + len, prefix);
    len += add(out + len, BYTES("*"));
    return len;
}
