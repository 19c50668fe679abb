#include "routes/entry/entry_put.h"

#include <sodium.h>

#include "routes/entry/tags.h"
#include "routes/policy.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "routes/text/hex.h"

static bool refuse(struct http_exchange *ex, struct bytes name, const char *fault)
{
    if (fault)
        problem_send_about(ex, PROBLEM_BAD_REQUEST, name, fault);
    return fault == NULL;
}

/* ---- The single operands ---- */

static bool read_stale(struct http_exchange *ex, struct bytes text)
{
    struct route_state *state = route_state(ex);
    const char *fault;

    if (!text.ptr)
        return true;
    fault = ttl_parse(text, &state->put.stale_ms);
    if (!fault && state->put.stale_ms == TTL_NONE)
        fault = "must be a time";
    else if (!fault && state->idle_ms != ENGINE_NO_IDLE)
        fault = "not together with a sliding TTL";
    else if (!fault && state->ttl_ms == ENGINE_NO_EXPIRY)
        fault = "needs a TTL: an entry that never expires is never stale";
    return refuse(ex, BYTES("stale"), fault);
}

static bool read_fence(struct http_exchange *ex)
{
    struct bytes text = http_request(ex)->fields[HTTP_FIELD_FENCE_TOKEN];
    unsigned long long fence = 0;

    if (!text.ptr)
        return true;
    if (!bytes_to_u64(text, ENTRY_FENCE_MAX, &fence) || fence == 0)
        return refuse(ex, BYTES("Fence-Token"), "must be a decimal number from 1 to 2^63");
    route_state(ex)->put.fence = fence;
    return true;
}

uint64_t entry_lease_token_read(struct bytes text)
{
    bool good = text.len == 16;
    uint64_t token = 0;

    for (size_t i = 0; good && i < text.len; i++) {
        int digit = hex_digit(text.ptr[i]);

        good = digit >= 0;
        token = token << 4 | (uint64_t)(digit & 15);
    }
    /* The engine is asked all the same: what else it has to say goes first. */
    if (!good)
        token = 0;
    while (token == 0)
        randombytes_buf(&token, sizeof token);
    return token;
}

static void read_lease(struct http_exchange *ex)
{
    struct bytes text = http_request(ex)->fields[HTTP_FIELD_LEASE_TOKEN];

    if (text.ptr)
        route_state(ex)->put.lease = entry_lease_token_read(text);
}

/* ---- Tags ---- */

/* Both places may be used, but must agree. */
static const char *read_groups(struct tag_list *list, bool have_query, struct bytes field)
{
    struct tag_list groups;
    const char *fault;

    if (!have_query)
        return tag_list_read_groups(list, field);
    tag_list_init(&groups);
    fault = tag_list_read_groups(&groups, field);
    return fault || tag_list_equal(list, &groups) ? fault : "other tags than the parameter tags gives";
}

static bool read_tags(struct http_exchange *ex, struct bytes query)
{
    struct bytes field = http_request(ex)->fields[HTTP_FIELD_CACHE_GROUPS];
    struct route_state *state = route_state(ex);
    struct tag_list *list;

    if (!query.ptr && !field.ptr)
        return true;
    list = route_begin_work(ex, sizeof *list, NULL);
    if (!list)
        return false;
    tag_list_init(list);
    if ((query.ptr && !refuse(ex, BYTES("tags"), tag_list_read_query(list, query))) ||
        (field.ptr && !refuse(ex, BYTES("Cache-Groups"), read_groups(list, query.ptr != NULL, field))))
        return false;
    state->put.tags = list->items;
    state->put.tag_count = list->count;
    return true;
}

/* ---- All ---- */

static bool engine_can(struct http_exchange *ex)
{
    const struct engine_put *put = &route_state(ex)->put;
    unsigned capabilities = route_thread(ex)->session->engine->capabilities;
    const char *fault = NULL;

    if (put->tag_count > 0 && !(capabilities & ENGINE_CAN_TAG))
        fault = "this engine has no tags; see GET /capabilities";
    else if ((put->stale_ms > 0 || put->lease > 0) && !(capabilities & ENGINE_CAN_LEASE))
        fault = "this engine has no leases and serves nothing stale; see GET /capabilities";
    else if (put->fence > 0 && !(capabilities & ENGINE_CAN_FENCE))
        fault = "this engine has no fenced writes; see GET /capabilities";
    if (fault)
        problem_send(ex, PROBLEM_NOT_SUPPORTED_BY_ENGINE, fault);
    return fault == NULL;
}

bool entry_put_read(struct http_exchange *ex, const struct policy *policy, struct bytes stale, struct bytes tags)
{
    const struct bytes *fields = http_request(ex)->fields;
    struct route_state *state = route_state(ex);

    if (!policy && !stale.ptr && !tags.ptr && !fields[HTTP_FIELD_CACHE_GROUPS].ptr &&
        !fields[HTTP_FIELD_FENCE_TOKEN].ptr && !fields[HTTP_FIELD_LEASE_TOKEN].ptr)
        return true;
    state->put = (struct engine_put){ .tags = NULL };
    read_lease(ex);
    if (!read_stale(ex, stale) || !read_fence(ex) || !read_tags(ex, tags) || !engine_can(ex))
        return false;
    (void)policy_bounds(policy, &state->put);
    state->op.put = &state->put;
    return true;
}
