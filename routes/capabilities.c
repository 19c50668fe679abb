#include <jansson.h>
#include <stdlib.h>

#include "routes/answer.h"
#include "routes/problem.h"
#include "routes/route.h"

static json_t *features(unsigned capabilities)
{
    static const struct {
        const char *name;
        unsigned needs;
    } rows[] = {
        { "store", ENGINE_CAN_STORE },
        { "conditions", ENGINE_CAN_CONDITIONS },
        { "sliding_ttl", ENGINE_CAN_SLIDE },
        { "batch", ENGINE_CAN_STORE },
        { "atomic_batch", ENGINE_CAN_ATOMIC },
        { "list", ENGINE_CAN_LIST },
        { "export", ENGINE_CAN_LIST },
        { "flush", ENGINE_CAN_FLUSH },
        { "flush_tag", ENGINE_CAN_FLUSH | ENGINE_CAN_TAG },
        { "flush_prefix", ENGINE_CAN_LIST },
        { "tags", ENGINE_CAN_TAG },
        { "leases", ENGINE_CAN_LEASE },
        { "stale", ENGINE_CAN_LEASE },
        { "fences", ENGINE_CAN_FENCE },
        { "counters", ENGINE_CAN_COUNT },
        { "limits", ENGINE_CAN_LIMIT },
        { "locks", ENGINE_CAN_LOCK },
        { "quotas", ENGINE_CAN_QUOTA },
        { "shared", ENGINE_IS_SHARED },
        { "persistent", ENGINE_IS_PERSISTENT },
    };
    json_t *object = json_object();

    for (size_t i = 0; object && i < sizeof rows / sizeof rows[0]; i++)
        if (json_object_set_new(object, rows[i].name, json_boolean((capabilities & rows[i].needs) == rows[i].needs)))
            break;
    return object;
}

static json_t *limits(const struct routes_thread *thread)
{
    const struct settings *settings = thread->settings;
    size_t engine_max = thread->session->engine->max_value_bytes;
    json_int_t value_max = (json_int_t)settings->cache_max_value_bytes;
    json_t *default_ttl = settings->cache_default_ttl_ms == TTL_NONE
                              ? json_null()
                              : json_real((double)settings->cache_default_ttl_ms / 1000);

    if (engine_max > 0 && (json_int_t)engine_max < value_max)
        value_max = (json_int_t)engine_max;
    return json_pack("{s:i,s:i,s:I,s:o,s:I,s:I,s:I,s:i,s:i,s:i,s:i,s:i,s:i}",      /* */
                     "namespace_bytes", PATH_NAMESPACE_MAX, "key_bytes", PATH_KEY_MAX, /* */
                     "value_bytes", value_max,                                     /* */
                     "default_ttl", default_ttl,                                   /* */
                     "max_ttl", (json_int_t)(TTL_MAX_MS / 1000),                   /* */
                     "deadline_ms", (json_int_t)settings->cache_deadline_ms,       /* */
                     "request_timeout_ms", (json_int_t)settings->http_request_timeout_ms, /* */
                     "batch_ops", ENGINE_ATOMIC_MAX, "list_keys", 1000,            /* */
                     "tags", ENGINE_TAGS_MAX, "tag_bytes", ENGINE_TAG_BYTES_MAX,   /* */
                     "lease_seconds", 300, "lock_wait_seconds", 30);
}

void capabilities_answer(struct http_exchange *ex)
{
    if (!route_no_parameters(ex))
        return;

    const struct routes_thread *thread = route_thread(ex);
    const struct engine *engine = thread->session->engine;
    json_t *document = json_pack("{s:s,s:s,s:o,s:o}", "engine", engine->name, "version", CUBBY_VERSION,
                                 "supports", features(engine->capabilities), "limits", limits(thread));

    answer_json_document(ex, document, JSON_COMPACT | JSON_REAL_PRECISION(15));
}
