#include "engines/memcached/item.h"

/* Expirations above this are read as absolute time (memcached's protocol.txt,
 * "Expiration times"). */
#define RELATIVE_MAX_SECONDS (UINT64_C(30) * 24 * 3600)
/* The server's clock advances once a second and counts from a rounded start. */
#define SERVER_SLACK_SECONDS 2
/* For absolute times, which the server compares with its own wall clock. */
#define SERVER_SKEW_SECONDS (UINT64_C(24) * 3600)

static const char MAGIC[4] = { (char)0x9d, 'C', 'm', 2 };

#define FLAG_ABSENT 1
#define TAG_EXTRA (1 + 8)

void item_put_u64(char *out, uint64_t number)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (char)(number & 0xff);
        number >>= 8;
    }
}

uint64_t item_get_u64(const char *in)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | (unsigned char)in[i];
    return number;
}

static char *append(char *out, struct bytes bytes)
{
    if (bytes.len > 0)
        memcpy(out, bytes.ptr, bytes.len);
    return out + bytes.len;
}

size_t item_write_head(const struct item *item, char out[ITEM_HEAD_MAX])
{
    char *end = out + ITEM_HEADER_BYTES;

    memset(out, 0, ITEM_HEADER_BYTES);
    memcpy(out, MAGIC, sizeof MAGIC);
    out[4] = (char)item->ns.len;
    out[5] = (char)item->content_type.len;
    out[6] = (char)(item->key.len >> 8);
    out[7] = (char)(item->key.len & 0xff);
    item_put_u64(out + 8, item->data.len);
    item_put_u64(out + 16, item->version);
    item_put_u64(out + 24, item->stamp.ns);
    item_put_u64(out + 32, item->stamp.all);
    item_put_u64(out + 40, item->expires_ms);
    item_put_u64(out + 48, item->due_ms);
    item_put_u64(out + 56, item->idle_ms);
    item_put_u64(out + 64, item->stale_ms);
    item_put_u64(out + 72, item->fence);
    item_put_u64(out + 80, item->lease_token);
    item_put_u64(out + 88, item->lease_until_ms);
    out[96] = (char)(item->tags.len >> 8);
    out[97] = (char)(item->tags.len & 0xff);
    out[98] = item->absent ? FLAG_ABSENT : 0;
    end = append(end, item->ns);
    end = append(end, item->key);
    end = append(end, item->tags);
    end = append(end, item->content_type);
    return (size_t)(end - out);
}

static struct bytes cut(struct bytes *rest, size_t len)
{
    struct bytes head = bytes_of(rest->ptr, len);

    *rest = bytes_of(rest->ptr + len, rest->len - len);
    return head;
}

size_t item_write_tag(const struct item_tag *tag, char *out)
{
    out[0] = (char)tag->name.len;
    item_put_u64(append(out + 1, tag->name), tag->generation);
    return tag->name.len + TAG_EXTRA;
}

bool item_next_tag(struct bytes *rest, struct item_tag *out)
{
    size_t len = rest->len > 0 ? (unsigned char)rest->ptr[0] : 0;

    if (len == 0 || len > ENGINE_TAG_BYTES_MAX || rest->len < len + TAG_EXTRA)
        return false;
    (void)cut(rest, 1);
    out->name = cut(rest, len);
    out->generation = item_get_u64(cut(rest, 8).ptr);
    return true;
}

static bool tags_are_sound(struct bytes tags)
{
    struct item_tag tag;
    size_t count = 0;

    while (item_next_tag(&tags, &tag))
        count++;
    return tags.len == 0 && count <= ENGINE_TAGS_MAX;
}

static size_t get_u16(const char *in)
{
    return (size_t)(unsigned char)in[0] << 8 | (unsigned char)in[1];
}

static bool rest_is_known(const char *p)
{
    static const char zeroes[5] = { 0 };

    return (p[98] & ~FLAG_ABSENT) == 0 && memcmp(p + 99, zeroes, sizeof zeroes) == 0;
}

static void read_numbers(const char *p, struct item *out)
{
    *out = (struct item){
        .version = item_get_u64(p + 16),
        .stamp = { .ns = item_get_u64(p + 24), .all = item_get_u64(p + 32) },
        .expires_ms = item_get_u64(p + 40),
        .due_ms = item_get_u64(p + 48),
        .idle_ms = item_get_u64(p + 56),
        .stale_ms = item_get_u64(p + 64),
        .fence = item_get_u64(p + 72),
        .lease_token = item_get_u64(p + 80),
        .lease_until_ms = item_get_u64(p + 88),
        .absent = p[98] & FLAG_ABSENT,
    };
}

bool item_parse(struct bytes stored, struct item *out)
{
    size_t ns_len, type_len, key_len, tags_len;
    const char *p = stored.ptr;
    struct bytes rest;

    if (stored.len < ITEM_HEADER_BYTES || memcmp(p, MAGIC, sizeof MAGIC) != 0 || !rest_is_known(p))
        return false;
    ns_len = (unsigned char)p[4];
    type_len = (unsigned char)p[5];
    key_len = get_u16(p + 6);
    tags_len = get_u16(p + 96);
    rest = bytes_of(p + ITEM_HEADER_BYTES, stored.len - ITEM_HEADER_BYTES);
    if (ns_len > ITEM_NAMESPACE_MAX || key_len > ITEM_KEY_MAX || tags_len > ITEM_TAGS_MAX ||
        rest.len < ns_len + key_len + tags_len + type_len)
        return false;
    read_numbers(p, out);
    out->ns = cut(&rest, ns_len);
    out->key = cut(&rest, key_len);
    out->tags = cut(&rest, tags_len);
    out->content_type = cut(&rest, type_len);
    out->data = rest;
    return out->version != 0 && rest.len == item_get_u64(p + 8) && tags_are_sound(out->tags);
}

static uint64_t due_after(const struct item *item, uint64_t now_ms)
{
    if (item->idle_ms == 0)
        return item->expires_ms;
    if (item->expires_ms != 0 && item->expires_ms - now_ms < item->idle_ms)
        return item->expires_ms;
    return now_ms + item->idle_ms;
}

void item_set_time(struct item *item, int64_t ttl_ms, uint64_t idle_ms, uint64_t stale_ms, uint64_t now_ms)
{
    item->expires_ms = ttl_ms < 0 ? 0 : now_ms + (uint64_t)ttl_ms + stale_ms;
    item->idle_ms = idle_ms;
    item->stale_ms = stale_ms;
    item->due_ms = due_after(item, now_ms);
}

bool item_holds(const struct item *item, const struct item_stamp *stamp)
{
    return stamp->ns != 0 && stamp->all != 0 && item->stamp.ns == stamp->ns && item->stamp.all == stamp->all;
}

bool item_stands(const struct item *item, uint64_t now_ms)
{
    return !item->absent && (item->due_ms == 0 || item->due_ms > now_ms) &&
           (item->expires_ms == 0 || item->expires_ms > now_ms);
}

bool item_is_stale(const struct item *item, uint64_t now_ms)
{
    return item->stale_ms != 0 && item_remaining_ms(item, now_ms) == 0;
}

int64_t item_lease_left_ms(const struct item *item, uint64_t now_ms)
{
    if (item->lease_token == 0 || item->lease_until_ms <= now_ms)
        return 0;
    return (int64_t)(item->lease_until_ms - now_ms);
}

uint64_t item_slide(const struct item *item, uint64_t now_ms)
{
    uint64_t due = due_after(item, now_ms);

    /* Clocks of several writers differ: never back. */
    return due > item->due_ms ? due : item->due_ms;
}

int64_t item_remaining_ms(const struct item *item, uint64_t now_ms)
{
    uint64_t fresh_until;

    if (item->due_ms == 0)
        return -1;
    fresh_until = item->due_ms > item->stale_ms ? item->due_ms - item->stale_ms : 0;
    return fresh_until > now_ms ? (int64_t)(fresh_until - now_ms) : 0;
}

int64_t item_expiry_at(uint64_t end_ms, uint64_t now_ms)
{
    uint64_t seconds;

    if (end_ms == 0)
        return 0;
    seconds = end_ms > now_ms ? (end_ms - now_ms + 999) / 1000 : 0;
    seconds += SERVER_SLACK_SECONDS;
    if (seconds <= RELATIVE_MAX_SECONDS)
        return (int64_t)seconds;
    return (int64_t)(now_ms / 1000 + seconds + SERVER_SKEW_SECONDS);
}

int64_t item_server_expiry(const struct item *item, uint64_t now_ms)
{
    uint64_t end_ms = item->due_ms;

    if (end_ms != 0 && item->lease_token != 0 && item->lease_until_ms > end_ms)
        end_ms = item->lease_until_ms;
    return item_expiry_at(end_ms, now_ms);
}
