#include "engines/memcached/item.h"

/* Expirations above this are read as absolute time (memcached's protocol.txt,
 * "Expiration times"). */
#define RELATIVE_MAX_SECONDS (UINT64_C(30) * 24 * 3600)
/* The server's clock advances once a second and counts from a rounded start. */
#define SERVER_SLACK_SECONDS 2
/* For absolute times, which the server compares with its own wall clock. */
#define SERVER_SKEW_SECONDS (UINT64_C(24) * 3600)

static const char MAGIC[4] = { (char)0x9d, 'C', 'm', 1 };

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
    end = append(end, item->ns);
    end = append(end, item->key);
    end = append(end, item->content_type);
    return (size_t)(end - out);
}

static struct bytes cut(struct bytes *rest, size_t len)
{
    struct bytes head = bytes_of(rest->ptr, len);

    *rest = bytes_of(rest->ptr + len, rest->len - len);
    return head;
}

bool item_parse(struct bytes stored, struct item *out)
{
    const char *p = stored.ptr;
    size_t ns_len, type_len, key_len;
    struct bytes rest;

    if (stored.len < ITEM_HEADER_BYTES || memcmp(p, MAGIC, sizeof MAGIC) != 0)
        return false;
    ns_len = (unsigned char)p[4];
    type_len = (unsigned char)p[5];
    key_len = (size_t)(unsigned char)p[6] << 8 | (unsigned char)p[7];
    rest = bytes_of(p + ITEM_HEADER_BYTES, stored.len - ITEM_HEADER_BYTES);
    if (ns_len > ITEM_NAMESPACE_MAX || key_len > ITEM_KEY_MAX || rest.len < ns_len + key_len + type_len)
        return false;
    *out = (struct item){
        .version = item_get_u64(p + 16),
        .stamp = { .ns = item_get_u64(p + 24), .all = item_get_u64(p + 32) },
        .expires_ms = item_get_u64(p + 40),
        .due_ms = item_get_u64(p + 48),
        .idle_ms = item_get_u64(p + 56),
    };
    out->ns = cut(&rest, ns_len);
    out->key = cut(&rest, key_len);
    out->content_type = cut(&rest, type_len);
    out->data = rest;
    return out->version != 0 && rest.len == item_get_u64(p + 8);
}

static uint64_t due_after(const struct item *item, uint64_t now_ms)
{
    if (item->idle_ms == 0)
        return item->expires_ms;
    if (item->expires_ms != 0 && item->expires_ms - now_ms < item->idle_ms)
        return item->expires_ms;
    return now_ms + item->idle_ms;
}

void item_set_time(struct item *item, int64_t ttl_ms, uint64_t idle_ms, uint64_t now_ms)
{
    item->expires_ms = ttl_ms < 0 ? 0 : now_ms + (uint64_t)ttl_ms;
    item->idle_ms = idle_ms;
    item->due_ms = due_after(item, now_ms);
}

bool item_stands(const struct item *item, const struct item_stamp *stamp, uint64_t now_ms)
{
    return stamp->ns != 0 && stamp->all != 0 && item->stamp.ns == stamp->ns && item->stamp.all == stamp->all &&
           (item->due_ms == 0 || item->due_ms > now_ms) && (item->expires_ms == 0 || item->expires_ms > now_ms);
}

uint64_t item_slide(const struct item *item, uint64_t now_ms)
{
    uint64_t due = due_after(item, now_ms);

    /* Clocks of several writers differ: never back. */
    return due > item->due_ms ? due : item->due_ms;
}

int64_t item_remaining_ms(const struct item *item, uint64_t now_ms)
{
    if (item->due_ms == 0)
        return -1;
    return item->due_ms > now_ms ? (int64_t)(item->due_ms - now_ms) : 0;
}

int64_t item_server_expiry(const struct item *item, uint64_t now_ms)
{
    uint64_t seconds;

    if (item->due_ms == 0)
        return 0;
    seconds = item->due_ms > now_ms ? (item->due_ms - now_ms + 999) / 1000 : 0;
    seconds += SERVER_SLACK_SECONDS;
    if (seconds <= RELATIVE_MAX_SECONDS)
        return (int64_t)seconds;
    return (int64_t)(now_ms / 1000 + seconds + SERVER_SKEW_SECONDS);
}
