#include "engines/redis/record.h"

#include <endian.h>

static const char MAGIC[4] = { (char)0x9d, 'C', 'b', 2 };

void redis_record_put_u64(char *out, uint64_t number)
{
    number = htobe64(number);
    memcpy(out, &number, sizeof number);
}

uint64_t redis_record_get_u64(const char *in)
{
    uint64_t number;

    memcpy(&number, in, sizeof number);
    return be64toh(number);
}

size_t redis_record_write_tags(const struct bytes *tags, size_t count, char out[RECORD_TAGS_MAX])
{
    char *p = out;

    for (size_t i = 0; i < count && i < ENGINE_TAGS_MAX; i++) {
        size_t len = tags[i].len < ENGINE_TAG_BYTES_MAX ? tags[i].len : ENGINE_TAG_BYTES_MAX;
        *p = (char)len;
        memcpy(p + 1, tags[i].ptr, len);
        memset(p + 1 + len, 0, 8);
        p += 1 + len + 8;
    }
    return (size_t)(p - out);
}

static size_t append(char *out, size_t at, struct bytes bytes)
{
    if (bytes.len > 0)
        memcpy(out + at, bytes.ptr, bytes.len);
    return at + bytes.len;
}

size_t redis_record_write_head(const struct redis_record *record, char out[RECORD_HEAD_MAX])
{
    memcpy(out, MAGIC, sizeof MAGIC);
    out[4] = (char)(record->flags | (record->tags.len > 0 ? RECORD_TAGGED : 0));
    out[5] = (char)record->content_type.len;
    out[6] = (char)(record->tags.len >> 8);
    out[7] = (char)(record->tags.len & 0xff);
    redis_record_put_u64(out + 8, record->version);
    memcpy(out + 16, record->generations, RECORD_GENERATIONS_BYTES);
    redis_record_put_u64(out + 32, record->end_ms);
    redis_record_put_u64(out + 40, record->idle_ms);
    redis_record_put_u64(out + 48, record->fence);
    redis_record_put_u64(out + 56, record->stale_ms);
    memset(out + 64, 0, 16); /* no lease is out */
    return append(out, append(out, RECORD_HEADER_BYTES, record->content_type), record->tags);
}

enum record_kind redis_record_parse(struct bytes stored, struct redis_record *out)
{
    const char *p = stored.ptr;
    size_t type_len, tags_len, head;

    *out = (struct redis_record){ .data = stored };
    if (!bytes_starts_with(stored, bytes_of(MAGIC, sizeof MAGIC)) || stored.len < RECORD_HEADER_BYTES)
        return RECORD_FOREIGN;
    type_len = (unsigned char)p[5];
    tags_len = (size_t)(unsigned char)p[6] << 8 | (unsigned char)p[7];
    head = RECORD_HEADER_BYTES + type_len + tags_len;
    out->version = redis_record_get_u64(p + 8);
    if (stored.len < head || out->version == 0)
        return RECORD_BROKEN;
    out->flags = (unsigned char)p[4];
    memcpy(out->generations, p + 16, RECORD_GENERATIONS_BYTES);
    out->end_ms = redis_record_get_u64(p + 32);
    out->idle_ms = redis_record_get_u64(p + 40);
    out->fence = redis_record_get_u64(p + 48);
    out->stale_ms = redis_record_get_u64(p + 56);
    out->content_type = bytes_of(p + RECORD_HEADER_BYTES, type_len);
    out->tags = bytes_of(p + RECORD_HEADER_BYTES + type_len, tags_len);
    out->data = bytes_of(p + head, stored.len - head);
    return RECORD_OURS;
}

bool redis_record_is_entry(const struct redis_record *record, uint64_t now_ms)
{
    if (record->flags & RECORD_ABSENT)
        return false;
    /* Others are removed by Redis at their end; its clock is known a little
     * less well here than there. */
    return record->stale_ms == 0 || record->end_ms == 0 || now_ms < record->end_ms;
}
