#include "routes/problem.h"
#include "routes/route.h"

static const struct route table[] = {
    {
        .name = "/cache/{ns}/{key}",
        .path = { "/cache/", 7 },
        .names = ROUTE_NAMES_ENTRY,
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
        .methods = {
            [HTTP_GET] = { entry_read_begin, entry_read },
            [HTTP_HEAD] = { entry_read_begin, entry_read },
            [HTTP_PUT] = { entry_put_begin, entry_put },
            [HTTP_DELETE] = { entry_delete_begin, entry_delete },
        },
    },
    {
        .name = "/flush",
        .path = { "/flush", 6 },
        .methods = { [HTTP_POST] = { flush_begin, flush_complete } },
    },
    {
        .name = "/healthz",
        .path = { "/healthz", 8 },
        .is_probe = true,
        .methods = { [HTTP_GET] = { NULL, health_answer }, [HTTP_HEAD] = { NULL, health_answer } },
    },
    {
        .name = "/readyz",
        .path = { "/readyz", 7 },
        .is_probe = true,
        .methods = { [HTTP_GET] = { NULL, ready_answer }, [HTTP_HEAD] = { NULL, ready_answer } },
    },
    {
        .name = "/capabilities",
        .path = { "/capabilities", 13 },
        .methods = { [HTTP_GET] = { NULL, capabilities_answer }, [HTTP_HEAD] = { NULL, capabilities_answer } },
    },
};

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
