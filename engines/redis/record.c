#include "engines/redis/record.h"

static const char MAGIC[4] = { (char)0x9d, 'C', 'b', 1 };

void redis_record_put_u64(char *out, uint64_t number)
{
    for (int i = 7; i >= 0; i--) {
        out[i] = (char)(number & 0xff);
        number >>= 8;
    }
}

uint64_t redis_record_get_u64(const char *in)
{
    uint64_t number = 0;

    for (int i = 0; i < 8; i++)
        number = number << 8 | (unsigned char)in[i];
    return number;
}

size_t redis_record_write_head(const struct redis_record *record, char out[RECORD_HEAD_MAX])
{
    memcpy(out, MAGIC, sizeof MAGIC);
    out[4] = 0;
    out[5] = (char)record->content_type.len;
    out[6] = out[7] = 0;
    redis_record_put_u64(out + 8, record->version);
    memcpy(out + 16, record->generations, RECORD_GENERATIONS_BYTES);
    redis_record_put_u64(out + 32, record->expires_ms);
    redis_record_put_u64(out + 40, record->idle_ms);
    redis_record_put_u64(out + 48, record->fence);
    if (record->content_type.len > 0)
        memcpy(out + RECORD_HEADER_BYTES, record->content_type.ptr, record->content_type.len);
    return RECORD_HEADER_BYTES + record->content_type.len;
}

enum record_kind redis_record_parse(struct bytes stored, struct redis_record *out)
{
    const char *p = stored.ptr;
    size_t head;

    *out = (struct redis_record){ .data = stored };
    if (!bytes_starts_with(stored, bytes_of(MAGIC, sizeof MAGIC)) || stored.len < RECORD_HEADER_BYTES)
        return RECORD_FOREIGN;
    head = RECORD_HEADER_BYTES + (unsigned char)p[5];
    out->version = redis_record_get_u64(p + 8);
    if (stored.len < head || out->version == 0)
        return RECORD_BROKEN;
    memcpy(out->generations, p + 16, RECORD_GENERATIONS_BYTES);
    out->expires_ms = redis_record_get_u64(p + 32);
    out->idle_ms = redis_record_get_u64(p + 40);
    out->fence = redis_record_get_u64(p + 48);
    out->content_type = bytes_of(p + RECORD_HEADER_BYTES, (unsigned char)p[5]);
    out->data = bytes_of(p + head, stored.len - head);
    return RECORD_OURS;
}
