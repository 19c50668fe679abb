#include "engines/memcached/peer.h"

#include <libmemcached/memcached.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "service/base/clock.h"

/* Where the server does not tell: memcached's own default. */
#define ITEM_MAX_DEFAULT (1024 * 1024)
/* A buffer that held more than this is not kept for the next hit. */
#define KEEP_MAX (64 * 1024)
/* A call may wait more than once; all its waits together may take this many
 * times its patience. */
#define WAITS_MAX 3
/* Handed over rather than copied from this size on. */
#define TAKE_MIN (16 * 1024)

struct peer {
    const struct peer_address *address;
    memcached_st *memc; /* NULL: closed */
    memcached_result_st hit;
    _Atomic bool connected; /* read by any thread */
    bool has_hit;
    uint64_t patience_ms;
    size_t item_max;
    struct reply_guard guard;
};

struct peer *peer_create(const struct peer_address *address)
{
    struct peer *peer = calloc(1, sizeof *peer);

    if (!peer)
        return NULL;
    peer->address = address;
    peer->item_max = ITEM_MAX_DEFAULT;
    peer->patience_ms = address->connect_timeout_ms;
    peer->guard.max_value = address->max_reply;
    return peer;
}

static void drop_hit(struct peer *peer)
{
    if (peer->has_hit)
        memcached_result_free(&peer->hit);
    peer->has_hit = false;
}

void peer_close(struct peer *peer)
{
    drop_hit(peer);
    if (peer->memc)
        memcached_free(peer->memc);
    peer->memc = NULL;
    atomic_store_explicit(&peer->connected, false, memory_order_relaxed);
    guard_watch(NULL);
}

void peer_destroy(struct peer *peer)
{
    if (!peer)
        return;
    peer_close(peer);
    free(peer);
}

bool peer_is_connected(const struct peer *peer)
{
    return atomic_load_explicit(&peer->connected, memory_order_relaxed);
}

bool peer_is_open(const struct peer *peer)
{
    return peer->memc != NULL;
}

size_t peer_item_max(const struct peer *peer)
{
    return peer->item_max;
}

void peer_set_patience(struct peer *peer, uint64_t ms)
{
    if (peer->patience_ms == ms)
        return;
    peer->patience_ms = ms;
    if (peer->memc)
        memcached_behavior_set(peer->memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, ms);
}

static void expect(struct peer *peer, enum guard_mode mode)
{
    guard_watch(&peer->guard);
    guard_expect(&peer->guard, mode, clock_monotonic_ns() + peer->patience_ms * WAITS_MAX * NS_PER_MS);
}

/* What a failure means. The guard has seen the server's status; the library
 * folds several into one code. */
static enum peer_result failure_of(const struct peer *peer, memcached_return_t code)
{
    if (code == MEMCACHED_TIMEOUT)
        return PEER_SILENT;
    if (code == MEMCACHED_AUTH_PROBLEM || code == MEMCACHED_AUTH_FAILURE)
        return PEER_REFUSED;
    switch (peer->guard.status) {
    case GUARD_STATUS_AUTH:
        return PEER_REFUSED;
    case GUARD_STATUS_NO_MEMORY:
        return PEER_FULL;
    case GUARD_STATUS_TOO_LARGE:
        return PEER_TOO_LARGE;
    case GUARD_STATUS_OK:
        return peer->guard.fault ? PEER_ERRED : PEER_LOST;
    default:
        return PEER_ERRED;
    }
}

static enum peer_result fail(struct peer *peer, memcached_return_t code)
{
    enum peer_result result = failure_of(peer, code);

    peer_close(peer);
    return result;
}

/* ---- Connecting ---- */

static memcached_return_t note_setting(const memcached_instance_st *server, const char *key, size_t key_len,
                                       const char *value, size_t value_len, void *context)
{
    struct peer *peer = context;
    unsigned long long number;

    (void)server;
    /* What a server may say here: 1 KiB to 1 GiB. */
    if (bytes_equal(bytes_of(key, key_len), BYTES("item_size_max")) &&
        bytes_to_u64(bytes_of(value, value_len), 1ULL << 30, &number) && number >= 1024)
        peer->item_max = (size_t)number;
    return MEMCACHED_SUCCESS;
}

static memcached_st *make_handle(const struct peer_address *address)
{
    memcached_st *memc = memcached_create(NULL);

    if (!memc)
        return NULL;
    memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_BINARY_PROTOCOL, 1);
    memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_NO_BLOCK, 1);
    memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_TCP_NODELAY, 1);
    memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_TCP_KEEPALIVE, 1);
    memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT, address->connect_timeout_ms);
    memcached_behavior_set(memc, MEMCACHED_BEHAVIOR_POLL_TIMEOUT, address->connect_timeout_ms);
    if ((address->username && memcached_failed(memcached_set_sasl_auth_data(memc, address->username,
                                                                            address->password))) ||
        memcached_failed(memcached_server_add(memc, address->host, address->port))) {
        memcached_free(memc);
        return NULL;
    }
    return memc;
}

enum peer_result peer_open(struct peer *peer)
{
    memcached_return_t code;

    peer_close(peer);
    peer->memc = make_handle(peer->address);
    if (!peer->memc)
        return PEER_LOST;
    peer->patience_ms = peer->address->connect_timeout_ms;
    expect(peer, GUARD_GREETING);
    code = memcached_stat_execute(peer->memc, "settings", note_setting, peer);
    /* The library calls it a success when a later reply was refused. */
    if (memcached_failed(code) || peer->guard.fault || peer->guard.status != GUARD_STATUS_OK)
        return fail(peer, code);
    if (!memcached_result_create(peer->memc, &peer->hit))
        return fail(peer, MEMCACHED_MEMORY_ALLOCATION_FAILURE);
    peer->has_hit = true;
    atomic_store_explicit(&peer->connected, true, memory_order_relaxed);
    return PEER_OK;
}

/* ---- Looking at it ---- */

static memcached_return_t note_fact(const memcached_instance_st *server, const char *key, size_t key_len,
                                    const char *value, size_t value_len, void *context)
{
    static const struct bytes names[PEER_FACTS] = {
        [PEER_USED_BYTES] = { "bytes", 5 },        [PEER_MAX_BYTES] = { "limit_maxbytes", 14 },
        [PEER_EVICTIONS] = { "evictions", 9 },     [PEER_ITEMS] = { "curr_items", 10 },
        [PEER_CONNECTIONS] = { "curr_connections", 16 }, [PEER_UPTIME] = { "uptime", 6 },
    };
    uint64_t *facts = context;
    unsigned long long number;

    (void)server;
    for (int i = 0; i < PEER_FACTS; i++)
        if (bytes_equal(bytes_of(key, key_len), names[i]) &&
            bytes_to_u64(bytes_of(value, value_len), PEER_UNTOLD - 1, &number))
            facts[i] = number;
    return MEMCACHED_SUCCESS;
}

enum peer_result peer_look(struct peer *peer, uint64_t facts[PEER_FACTS])
{
    memcached_return_t code;

    for (int i = 0; i < PEER_FACTS; i++)
        facts[i] = PEER_UNTOLD;
    expect(peer, GUARD_GREETING);
    code = memcached_stat_execute(peer->memc, NULL, note_fact, facts);
    if (memcached_failed(code) || peer->guard.fault || peer->guard.status != GUARD_STATUS_OK)
        return fail(peer, code);
    return PEER_OK;
}

/* ---- Reading ---- */

enum peer_result peer_ask(struct peer *peer, const char *const *names, const size_t *lengths, size_t count)
{
    memcached_return_t code;

    expect(peer, GUARD_READS);
    code = memcached_mget(peer->memc, names, lengths, count);
    return code == MEMCACHED_SUCCESS ? PEER_OK : fail(peer, code);
}

static bool keep_buffer(struct peer *peer)
{
    if (memcached_result_length(&peer->hit) <= KEEP_MAX)
        return true;
    drop_hit(peer);
    peer->has_hit = memcached_result_create(peer->memc, &peer->hit) != NULL;
    return peer->has_hit;
}

enum peer_result peer_next(struct peer *peer, struct peer_item *item)
{
    memcached_return_t code = MEMCACHED_MEMORY_ALLOCATION_FAILURE;

    if (keep_buffer(peer) && memcached_fetch_result(peer->memc, &peer->hit, &code)) {
        item->name = bytes_of(memcached_result_key_value(&peer->hit), memcached_result_key_length(&peer->hit));
        item->data = bytes_of(memcached_result_value(&peer->hit), memcached_result_length(&peer->hit));
        item->cas = memcached_result_cas(&peer->hit);
        return PEER_OK;
    }
    /* The library says "not found" or "end" for several kinds of failure as
     * well: only the reply that ends a multi-get proves a miss. */
    if ((code == MEMCACHED_END || code == MEMCACHED_NOTFOUND) && peer->guard.ended && !peer->guard.fault)
        return PEER_ABSENT;
    return fail(peer, code);
}

char *peer_take_data(struct peer *peer)
{
    if (memcached_result_length(&peer->hit) < TAKE_MIN)
        return NULL;
    return memcached_result_take_value(&peer->hit);
}

/* ---- Writing ---- */

static memcached_return_t send_write(struct peer *peer, const struct peer_write *w)
{
    time_t expiry = (time_t)w->expiry;

    switch (w->verb) {
    case PEER_ADD:
        return memcached_add(peer->memc, w->name.ptr, w->name.len, w->data.ptr, w->data.len, expiry, 0);
    case PEER_REPLACE:
        return memcached_cas(peer->memc, w->name.ptr, w->name.len, w->data.ptr, w->data.len, expiry, 0, w->cas);
    case PEER_SET:
        break;
    }
    return memcached_set(peer->memc, w->name.ptr, w->name.len, w->data.ptr, w->data.len, expiry, 0);
}

enum peer_result peer_store(struct peer *peer, const struct peer_write *write)
{
    memcached_return_t code;

    expect(peer, GUARD_STORE);
    code = send_write(peer, write);
    if (!peer->guard.ended || peer->guard.fault)
        return fail(peer, memcached_failed(code) ? code : MEMCACHED_UNKNOWN_READ_FAILURE);
    switch (code) {
    case MEMCACHED_SUCCESS:
        return PEER_OK;
    case MEMCACHED_NOTFOUND:
        return PEER_ABSENT;
    case MEMCACHED_DATA_EXISTS:
    case MEMCACHED_NOTSTORED:
        return PEER_EXISTS;
    case MEMCACHED_E2BIG:
        return PEER_TOO_LARGE;
    default:
        return fail(peer, code);
    }
}

/* ---- Where an item stands ---- */

struct ring {
    memcached_st *memc; /* knows the servers and never connects; NULL: there is one */
};

struct ring *ring_create(const struct peer_address *addresses, size_t count)
{
    struct ring *ring = calloc(1, sizeof *ring);

    if (!ring || count < 2)
        return ring;
    ring->memc = memcached_create(NULL);
    if (!ring->memc)
        goto fail;
    for (size_t i = 0; i < count; i++)
        if (memcached_failed(memcached_server_add(ring->memc, addresses[i].host, addresses[i].port)))
            goto fail;
    if (memcached_failed(memcached_behavior_set(ring->memc, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1)))
        goto fail;
    return ring;

fail:
    ring_destroy(ring);
    return NULL;
}

void ring_destroy(struct ring *ring)
{
    if (!ring)
        return;
    if (ring->memc)
        memcached_free(ring->memc);
    free(ring);
}

size_t ring_find(struct ring *ring, const struct item_name *name)
{
    return ring->memc ? memcached_generate_hash(ring->memc, name->text, name->len) : 0;
}
