#include "engines/redis/slots.h"

#include "engines/redis/hiredis_compat.h"
#include "engines/redis/keys.h"

size_t redis_slots_count(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
}

static bool read_number(const struct redisReply *reply, long long max, unsigned *out)
{
    if (reply->type != REDIS_REPLY_INTEGER || reply->integer < 0 || reply->integer > max)
        return false;
    *out = (unsigned)reply->integer;
    return true;
}

static bool read_server(const struct redisReply *reply, const char *asked, struct redis_endpoint *out)
{
    struct bytes host = bytes_str(asked);
    unsigned port;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        !read_number(reply->element[1], UINT16_MAX, &port) || port == 0)
        return false;
    if (reply->element[0]->type == REDIS_REPLY_STRING && reply->element[0]->len > 0)
        host = bytes_of(reply->element[0]->str, reply->element[0]->len);
    else if (reply->element[0]->type != REDIS_REPLY_NIL && reply->element[0]->type != REDIS_REPLY_STRING)
        return false;
    if (bytes_equal(host, BYTES("?")) || !redis_endpoint_set(out, host, port))
        return false;
    out->told = true;
    return true;
}

bool redis_slots_read(const struct redisReply *reply, size_t index, const char *asked, struct redis_slot_range *out)
{
    const struct redisReply *range = reply->element[index];

    return range->type == REDIS_REPLY_ARRAY && range->elements >= 3 &&
           read_number(range->element[0], KEYS_SLOTS - 1, &out->first) &&
           read_number(range->element[1], KEYS_SLOTS - 1, &out->last) && out->first <= out->last &&
           read_server(range->element[2], asked, &out->master);
}

bool redis_slots_read_redirect(struct bytes error, const char *asked, struct redis_endpoint *out)
{
    struct bytes rest = error, host;
    const char *colon;
    unsigned long long port;

    (void)bytes_cut(&rest, ' ');
    (void)bytes_cut(&rest, ' ');
    if (!rest.ptr)
        return false;
    /* The last colon: an IPv6 address comes without brackets. */
    colon = rest.len > 0 ? memrchr(rest.ptr, ':', rest.len) : NULL;
    if (!colon)
        return false;
    host = bytes_of(rest.ptr, (size_t)(colon - rest.ptr));
    if (!bytes_to_u64(bytes_of(colon + 1, rest.len - host.len - 1), UINT16_MAX, &port) || port == 0)
        return false;
    if (host.len == 0)
        host = bytes_str(asked);
    if (!redis_endpoint_set(out, host, (unsigned)port))
        return false;
    out->told = true;
    return true;
}
