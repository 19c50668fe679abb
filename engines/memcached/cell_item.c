#include "engines/memcached/cell_item.h"

static const char MAGIC[4] = { (char)0x9d, 'C', 'c', 1 };

static void put_u16(char *out, size_t number)
{
    out[0] = (char)(number >> 8);
    out[1] = (char)(number & 0xff);
}

static size_t get_u16(const char *in)
{
    return (size_t)(unsigned char)in[0] << 8 | (unsigned char)in[1];
}

static char *append(char *out, const void *from, size_t len)
{
    if (len > 0)
        memcpy(out, from, len);
    return out + len;
}

size_t cell_item_write(const struct cell *cell, enum cell_kind kind, struct bytes ns, struct bytes key,
                       char out[CELL_ITEM_MAX])
{
    char *end = out + CELL_HEADER_BYTES;

    memcpy(out, MAGIC, sizeof MAGIC);
    out[4] = (char)kind;
    out[5] = (char)ns.len;
    put_u16(out + 6, key.len);
    item_put_u64(out + 8, cell->expires_ms);
    put_u16(out + 16, cell->len);
    end = append(end, ns.ptr, ns.len);
    end = append(end, key.ptr, key.len);
    end = append(end, cell->bytes, cell->len);
    return (size_t)(end - out);
}

bool cell_item_parse(struct bytes stored, enum cell_kind kind, struct bytes ns, struct bytes key, struct cell *out)
{
    const char *p = stored.ptr;
    size_t len;

    if (stored.len < CELL_HEADER_BYTES || memcmp(p, MAGIC, sizeof MAGIC) != 0 || (unsigned char)p[4] != kind ||
        (unsigned char)p[5] != ns.len || get_u16(p + 6) != key.len)
        return false;
    len = get_u16(p + 16);
    if (len == 0 || len > CELL_BYTES_MAX || stored.len != CELL_HEADER_BYTES + ns.len + key.len + len)
        return false;
    out->expires_ms = item_get_u64(p + 8);
    p += CELL_HEADER_BYTES;
    if (!bytes_equal(bytes_of(p, ns.len), ns) || !bytes_equal(bytes_of(p + ns.len, key.len), key))
        return false;
    memcpy(out->bytes, p + ns.len + key.len, len);
    out->len = len;
    return true;
}
