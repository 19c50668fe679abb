#include "engines/memcached/memcached.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "engines/memcached/session.h"

#define DEFAULT_PORT 11211
#define DEFAULT_SERVERS "127.0.0.1"
#define DEFAULT_PREFIX "cubby"
#define DEFAULT_THREADS 2
#define DEFAULT_CONNECT_MS 1000
#define DEFAULT_MAX_VALUE (8 << 20)
/* Entries may have been written under another limit. */
#define MAX_REPLY_LEAST (64 << 20)
#define ERROR_MAX 512

/* ---- Servers ---- */

static bool set_host(struct peer_address *address, struct bytes host)
{
    /* libmemcached takes a path for a Unix socket. */
    if (host.len == 0 || host.len >= sizeof address->host || host.ptr[0] == '/' || memchr(host.ptr, '\0', host.len))
        return false;
    memcpy(address->host, host.ptr, host.len);
    address->host[host.len] = '\0';
    return true;
}

/* host, host:port, [v6], [v6]:port */
static bool read_server(struct bytes text, struct peer_address *address)
{
    unsigned long long port = DEFAULT_PORT;
    struct bytes host = text, digits = BYTES_NONE;

    if (text.len > 0 && text.ptr[0] == '[') {
        host = bytes_cut(&text, ']');
        host = bytes_of(host.ptr + 1, host.len - 1);
        if (!text.ptr || (text.len > 0 && text.ptr[0] != ':'))
            return false;
        if (text.len > 0)
            digits = bytes_of(text.ptr + 1, text.len - 1);
    } else {
        host = bytes_cut(&text, ':');
        digits = text;
    }
    if (digits.ptr && (!bytes_to_u64(digits, 65535, &port) || port == 0))
        return false;
    address->port = (uint16_t)port;
    return set_host(address, host);
}

static bool is_known(const struct peer_address *addresses, size_t count, const struct peer_address *one)
{
    for (size_t i = 0; i < count; i++)
        if (addresses[i].port == one->port && strcmp(addresses[i].host, one->host) == 0)
            return true;
    return false;
}

static bool read_servers(const char *list, struct peer_address *addresses, size_t *count, char error[ERROR_MAX])
{
    struct bytes rest = bytes_str(list);

    *count = 0;
    while (rest.ptr) {
        struct bytes text = bytes_trim(bytes_cut(&rest, ','));
        struct peer_address *address = &addresses[*count];
        if (*count == SERVERS_MAX) {
            snprintf(error, ERROR_MAX, "MEMCACHED_SERVERS: more than %d servers", SERVERS_MAX);
            return false;
        }
        if (!read_server(text, address)) {
            snprintf(error, ERROR_MAX, "MEMCACHED_SERVERS: \"%.*s\" is not host:port", (int)(text.len & 0xff),
                     text.ptr);
            return false;
        }
        if (is_known(addresses, *count, address)) {
            snprintf(error, ERROR_MAX, "MEMCACHED_SERVERS: \"%.*s\" is there twice", (int)(text.len & 0xff), text.ptr);
            return false;
        }
        (*count)++;
    }
    return true;
}

/* ---- The engine ---- */

static bool is_ready(struct engine *base, const char **reason)
{
    struct memcached_engine *engine = (struct memcached_engine *)base;

    *reason = "connecting to memcached";
    for (size_t i = 0; i < engine->lane_count; i++) {
        enum lane_state state = lane_state(engine->lanes[i]);
        if (state == LANE_UP)
            return true;
        if (state == LANE_DOWN)
            *reason = atomic_load(&engine->lanes[i]->down_reason);
    }
    return false;
}

static void tell_facts(struct engine *base, engine_fact_fn *fn, void *context)
{
    const struct memcached_engine *engine = (const struct memcached_engine *)base;

    for (size_t i = 0; i < engine->lane_count; i++)
        lane_tell(engine->lanes[i], fn, context);
}

static void wipe(char *secret)
{
    if (secret)
        sodium_memzero(secret, strlen(secret));
    free(secret);
}

static void close_engine(struct engine *base)
{
    struct memcached_engine *engine = (struct memcached_engine *)base;
    bool all = true;

    for (size_t i = 0; i < engine->lane_count; i++)
        lane_stop(engine->lanes[i]);
    for (size_t i = 0; i < engine->lane_count; i++)
        all &= lane_destroy(engine->lanes[i]);
    /* A thread that hangs in a name look-up may still read these. */
    if (!all)
        return;
    free(engine->prefix);
    free(engine->username);
    wipe(engine->password);
    free(engine);
}

static const struct engine_table memcached_table = {
    .name = "memcached",
    .attach = memcached_attach,
    .detach = memcached_detach,
    .submit = memcached_submit,
    .cancel = memcached_cancel,
    .ready = is_ready,
    .close = close_engine,
    .facts = tell_facts,
};

static bool is_set(const char *text)
{
    return text && *text;
}

/* NULL where `text` is not set; `*failed` when out of memory. */
static char *copy_text(const char *text, const char *otherwise, bool *failed)
{
    const char *source = is_set(text) ? text : otherwise;
    char *copy = source ? strdup(source) : NULL;

    if (source && !copy)
        *failed = true;
    return copy;
}

static struct memcached_engine *create_engine(const struct memcached_options *options)
{
    struct memcached_engine *engine = calloc(1, sizeof *engine);
    bool failed = false;

    if (!engine)
        return NULL;
    engine->base.table = &memcached_table;
    engine->base.name = "memcached";
    engine->base.capabilities = ENGINE_CAN_STORE | ENGINE_CAN_CONDITIONS | ENGINE_CAN_SLIDE | ENGINE_CAN_FLUSH |
                                ENGINE_CAN_TAG | ENGINE_CAN_LEASE | ENGINE_CAN_FENCE | ENGINE_CAN_COUNT |
                                ENGINE_CAN_LIMIT | ENGINE_CAN_LOCK | ENGINE_IS_SHARED | ENGINE_IS_PERSISTENT;
    engine->prefix = copy_text(options->key_prefix, DEFAULT_PREFIX, &failed);
    engine->username = copy_text(options->username, NULL, &failed);
    engine->password = copy_text(options->password, NULL, &failed);
    if (!failed)
        return engine;
    close_engine(&engine->base);
    return NULL;
}

static bool start_lanes(struct memcached_engine *engine, const struct memcached_options *options,
                        struct peer_address *addresses, size_t count)
{
    size_t max_value = options->max_value_bytes > 0 ? options->max_value_bytes : DEFAULT_MAX_VALUE;
    unsigned threads = options->threads > 0 ? options->threads : DEFAULT_THREADS;

    if (threads > LANE_THREADS_MAX)
        threads = LANE_THREADS_MAX;
    for (size_t i = 0; i < count; i++) {
        struct lane *lane;
        addresses[i].username = engine->username;
        addresses[i].password = engine->password;
        addresses[i].connect_timeout_ms =
            options->connect_timeout_ms > 0 ? options->connect_timeout_ms : DEFAULT_CONNECT_MS;
        addresses[i].max_reply = (max_value > MAX_REPLY_LEAST ? max_value : MAX_REPLY_LEAST) + ITEM_HEAD_MAX;
        lane = lane_create(&addresses[i], bytes_str(engine->prefix), threads, options->dead_server_is_miss);
        if (!lane)
            return false;
        engine->lanes[engine->lane_count++] = lane;
    }
    return true;
}

static bool check_options(const struct memcached_options *options, char error[ERROR_MAX])
{
    if (is_set(options->username) != is_set(options->password))
        snprintf(error, ERROR_MAX, "MEMCACHED_USERNAME, MEMCACHED_PASSWORD: one needs the other");
    else if (is_set(options->key_prefix) && !names_prefix_is_good(bytes_str(options->key_prefix)))
        snprintf(error, ERROR_MAX, "CACHE_KEY_PREFIX: 1 to %d printable characters without colon", NAMES_PREFIX_MAX);
    else
        return true;
    return false;
}

struct engine *memcached_open(const struct memcached_options *options, char **error)
{
    const char *servers = is_set(options->servers) ? options->servers : DEFAULT_SERVERS;
    struct peer_address *addresses = calloc(SERVERS_MAX, sizeof *addresses);
    struct memcached_engine *engine = NULL;
    char text[ERROR_MAX] = "";
    size_t count;

    *error = NULL;
    if (!addresses || sodium_init() < 0)
        goto out;
    if (!check_options(options, text) || !read_servers(servers, addresses, &count, text)) {
        *error = strdup(text);
        goto out;
    }
    engine = create_engine(options);
    if (engine && !start_lanes(engine, options, addresses, count)) {
        close_engine(&engine->base);
        engine = NULL;
    }

out:
    free(addresses);
    return engine ? &engine->base : NULL;
}
