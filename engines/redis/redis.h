/* redis.h - the Redis engine: what a process gives to open one.
 *
 * One engine serves the whole process; each event-loop thread attaches a
 * session with connections of its own. hiredis parses the replies; sockets,
 * pipelining, deadlines and reconnection are this box's (link.h), so that
 * nothing blocks the loop and one turn's commands leave in one write.
 *
 * How an entry is stored (all modes; docs/engines.md says it for operators):
 *
 *   standalone, Sentinel                  Cluster
 *   <prefix>:<ns>:<key>                   <prefix>:{<tag>}:<ns>:<key>     an entry
 *   <prefix>::gen:<ns>                    <prefix>:{<tag>}::gen:<ns>      a namespace's generation
 *   <prefix>::gen:                        <prefix>:{<tag>}::gen:          the generation of all
 *   <prefix>::tag:<ns>:<tag>              <prefix>:{<tag>}::tag:<ns>:<tag>  a tag's generation
 *   <prefix>::end:<ns>, ::len:<ns>        none                            a bounded namespace's index
 *   <prefix>::counter:<ns>:<key>          <prefix>:{<tag>}::counter:<ns>:<key>   a counter;
 *                                                                         ::limit:, ::lock: alike
 *   <prefix>::namespaces                  <prefix>:{<tag>}::namespaces    names, at bucket 0
 *
 * A prefix holds no colon and no brace, a namespace no colon either, so the
 * colons that delimit are the first ones, whatever bytes the key has: two
 * different (namespace, key) pairs never share a name. An entry is a string:
 * a header of 80 bytes (record.h), the content type, tags, the value.
 *
 * Flush. A generation is eight random bytes. An entry carries the two that
 * held when it was written and is valid only while both stand; flushing
 * deletes a generation, the next writer makes a new one. Reads fetch the entry
 * and both generations in one command, so no replica can serve an entry
 * written before a flush that has answered; a generation that Redis evicts
 * empties its namespace, and never brings back what was flushed.
 *
 * Cluster. The 16,384 slots are cut into 256 buckets of 64. A key's bucket is
 * the one that CRC16("<ns>:<key>") falls into; its tag is the smallest decimal
 * number whose own slot lies in that bucket. An entry and its generations
 * share a tag, hence a slot, so all commands stay single-slot; a flush deletes
 * 256 small keys, pipelined to all masters at once.
 *
 * Time. Redis keeps the expiry (PX, to the millisecond); the header repeats it
 * by Redis' clock, which each connection estimates from TIME once a second, so
 * a read tells the remaining time without another command and without trust in
 * this machine's wall clock.
 *
 * Threading: redis_open() and close on one thread; ready on any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engines/engine.h"

enum redis_mode { REDIS_STANDALONE, REDIS_SENTINEL, REDIS_CLUSTER };

/* Strings may be NULL or empty for "not set"; they are copied. */
struct redis_options {
    enum redis_mode mode;
    const char *key_prefix; /* CACHE_KEY_PREFIX; NULL: "cubby" */

    /* Standalone; REDIS_URL has been taken apart by whoever fills this in. */
    const char *host;        /* NULL: 127.0.0.1 */
    uint16_t port;           /* 0: 6379 */
    const char *unix_socket; /* wins over host and port */

    const char *username; /* all modes, for the data servers */
    const char *password;
    unsigned db; /* not in a cluster */
    const char *client_name;

    const char *sentinels; /* host:port,host:port; port 26379 if none */
    const char *master_name;
    const char *sentinel_username;
    const char *sentinel_password;

    const char *nodes; /* cluster seeds: host:port,host:port */

    /* Where Sentinel and Cluster may send us besides what was configured:
     * addresses and networks, 10.0.0.0/8,fd00::/8,redis-*.internal. Not set:
     * anywhere. */
    const char *allowed_addresses;

    unsigned sessions;            /* event-loop threads that will attach */
    unsigned max_connections;     /* of the whole process; 0: two a session and server */
    uint64_t connect_timeout_ms;  /* 0: 1000; from the look-up to the end of the handshake */
    unsigned wait_replicas;       /* writes succeed when so many replicas have them */
    uint64_t wait_timeout_ms;     /* 0: 400; how long WAIT waits; below the operations' deadline */

    bool tls;
    const char *tls_ca;          /* file of CA certificates; NULL: the system's */
    const char *tls_cert;        /* client certificate and key, files */
    const char *tls_key;
    const char *tls_server_name; /* SNI and the name to verify; NULL: the host */
    bool tls_insecure;           /* does not verify the server */
};

/* Validates without touching the network. On failure NULL, and `*error` is a
 * text to free() that names the setting at fault. Sessions begin to connect
 * when they are attached; until then operations wait or are UNAVAILABLE. */
struct engine *redis_open(const struct redis_options *options, char **error) MUST_CHECK;
