#include "routes/problem.h"
#include "routes/route.h"

/* What the rows of openapi/CMakeLists.txt's paths have in common. */
#define DOCUMENT_METHODS                                                                                             \
    { [HTTP_GET] = { document_begin, document_answer }, [HTTP_HEAD] = { document_begin, document_answer } }

static const struct route table[] = {
    {
        .name = "/cache/{ns}/{key}",
        .path = { "/cache/", 7 },
        .names = ROUTE_NAMES_ENTRY,
        .access = ROUTE_ACCESS_DATA,
        .methods = {
            [HTTP_GET] = { entry_read_begin, entry_read },
            [HTTP_HEAD] = { entry_read_begin, entry_read },
            [HTTP_PUT] = { entry_put_begin, entry_put },
            [HTTP_DELETE] = { entry_delete_begin, entry_delete },
            [HTTP_PATCH] = { entry_patch_begin, entry_patch },
        },
    },
    {
        .name = "/raw/{ns}/{key}",
        .path = { "/raw/", 5 },
        .names = ROUTE_NAMES_ENTRY,
        .is_raw = true,
        .access = ROUTE_ACCESS_DATA,
        .methods = {
            [HTTP_GET] = { entry_read_begin, entry_read },
            [HTTP_HEAD] = { entry_read_begin, entry_read },
            [HTTP_PUT] = { entry_put_begin, entry_put },
            [HTTP_DELETE] = { entry_delete_begin, entry_delete },
        },
    },
    {
        .name = "/cache/{ns}",
        .path = { "/cache/", 7 },
        .names = ROUTE_NAMES_NAMESPACE,
        .access = ROUTE_ACCESS_BATCH,
        .methods = {
            [HTTP_POST] = { batch_begin, batch_complete },
            [HTTP_GET] = { NULL, listing_answer },
            [HTTP_HEAD] = { NULL, listing_answer },
        },
    },
    {
        .name = "/namespaces",
        .path = { "/namespaces", 11 },
        .access = ROUTE_ACCESS_DATA,
        .methods = { [HTTP_GET] = { NULL, namespaces_answer }, [HTTP_HEAD] = { NULL, namespaces_answer } },
    },
    {
        .name = "/namespaces/{ns}",
        .path = { "/namespaces/", 12 },
        .names = ROUTE_NAMES_NAMESPACE,
        .access = ROUTE_ACCESS_DATA,
        .methods = { [HTTP_GET] = { NULL, namespace_answer }, [HTTP_HEAD] = { NULL, namespace_answer } },
    },
    {
        .name = "/flush",
        .path = { "/flush", 6 },
        .access = ROUTE_ACCESS_FLUSH,
        .methods = { [HTTP_POST] = { flush_begin, flush_complete } },
    },
    {
        .name = "/counters/{ns}/{key}",
        .path = { "/counters/", 10 },
        .names = ROUTE_NAMES_ENTRY,
        .access = ROUTE_ACCESS_DATA,
        .methods = {
            [HTTP_GET] = { primitive_begin, counter_read },
            [HTTP_HEAD] = { primitive_begin, counter_read },
            [HTTP_PUT] = { primitive_body_begin, counter_set },
            [HTTP_POST] = { primitive_body_begin, counter_add },
            [HTTP_DELETE] = { primitive_begin, counter_delete },
        },
    },
    {
        .name = "/limits/{ns}/{key}",
        .path = { "/limits/", 8 },
        .names = ROUTE_NAMES_ENTRY,
        .access = ROUTE_ACCESS_DATA,
        .methods = { [HTTP_POST] = { primitive_body_begin, limit_take } },
    },
    {
        .name = "/locks/{ns}/{name}",
        .path = { "/locks/", 7 },
        .names = ROUTE_NAMES_ENTRY,
        .access = ROUTE_ACCESS_DATA,
        .methods = {
            [HTTP_GET] = { primitive_begin, lock_read },
            [HTTP_HEAD] = { primitive_begin, lock_read },
            [HTTP_POST] = { primitive_body_begin, lock_acquire },
            [HTTP_DELETE] = { primitive_begin, lock_release },
            [HTTP_PATCH] = { primitive_body_begin, lock_renew },
        },
    },
    {
        .name = "/healthz",
        .path = { "/healthz", 8 },
        .is_probe = true,
        .access = ROUTE_ACCESS_OPEN,
        .methods = { [HTTP_GET] = { NULL, health_answer }, [HTTP_HEAD] = { NULL, health_answer } },
    },
    {
        .name = "/readyz",
        .path = { "/readyz", 7 },
        .is_probe = true,
        .access = ROUTE_ACCESS_OPEN,
        .methods = { [HTTP_GET] = { NULL, ready_answer }, [HTTP_HEAD] = { NULL, ready_answer } },
    },
    {
        .name = "/capabilities",
        .path = { "/capabilities", 13 },
        .access = ROUTE_ACCESS_ANY,
        .methods = { [HTTP_GET] = { NULL, capabilities_answer }, [HTTP_HEAD] = { NULL, capabilities_answer } },
    },
    {
        .name = "/metrics",
        .path = { "/metrics", 8 },
        .is_probe = true,
        .methods = { [HTTP_GET] = { NULL, metrics_answer }, [HTTP_HEAD] = { NULL, metrics_answer } },
    },
    {
        .name = "/stats",
        .path = { "/stats", 6 },
        .is_probe = true,
        .methods = { [HTTP_GET] = { NULL, stats_answer }, [HTTP_HEAD] = { NULL, stats_answer } },
    },
    {
        .name = "/openapi.json",
        .path = { "/openapi.json", 13 },
        .access = ROUTE_ACCESS_OPEN,
        .methods = DOCUMENT_METHODS,
    },
    {
        .name = "/docs",
        .path = { "/docs", 5 },
        .access = ROUTE_ACCESS_OPEN,
        .methods = DOCUMENT_METHODS,
    },
    {
        .name = "/docs/page.css",
        .path = { "/docs/page.css", 14 },
        .access = ROUTE_ACCESS_OPEN,
        .methods = DOCUMENT_METHODS,
    },
    {
        .name = "/docs/start.js",
        .path = { "/docs/start.js", 14 },
        .access = ROUTE_ACCESS_OPEN,
        .methods = DOCUMENT_METHODS,
    },
    {
        .name = "/docs/swagger-ui.css",
        .path = { "/docs/swagger-ui.css", 20 },
        .access = ROUTE_ACCESS_OPEN,
        .methods = DOCUMENT_METHODS,
    },
    {
        .name = "/docs/swagger-ui-bundle.js",
        .path = { "/docs/swagger-ui-bundle.js", 26 },
        .access = ROUTE_ACCESS_OPEN,
        .methods = DOCUMENT_METHODS,
    },
};

_Static_assert(sizeof table / sizeof table[0] <= METRICS_NO_ROUTE, "each row has a number of its own");

unsigned route_number(const struct route *route)
{
    return route ? (unsigned)(route - table) : METRICS_NO_ROUTE;
}

const char *route_name(unsigned number)
{
    return number < sizeof table / sizeof table[0] ? table[number].name : "none";
}

/* A namespace's own path ends before the slash that a key comes after. */
static bool matches(const struct route *route, struct bytes path, struct bytes *rest)
{
    if (route->names == ROUTE_NAMES_NOTHING)
        return bytes_equal(path, route->path);
    if (!path_under(path, route->path, rest))
        return false;
    return (rest->len > 0 && memchr(rest->ptr, '/', rest->len)) == (route->names == ROUTE_NAMES_ENTRY);
}

const struct route *route_find(struct bytes path, struct bytes *rest)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (matches(&table[i], path, rest))
            return &table[i];
    }
    return NULL;
}

void route_allow(const struct route *route, char out[ROUTE_ALLOW_SIZE])
{
    char *end = out;

    for (int method = 0; method < HTTP_METHOD_OTHER; method++) {
        if (!route->methods[method].complete && method != HTTP_OPTIONS)
            continue;
        if (end != out)
            end = stpcpy(end, ", ");
        end = stpcpy(end, http_method_name((enum http_method)method));
    }
}
