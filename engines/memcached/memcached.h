/* memcached.h - the Memcached engine: what a process gives to open one.
 *
 * One engine serves the whole process. libmemcached has no asynchronous
 * interface, so each server has a lane: a bounded queue and a few threads, each
 * with one connection. A session gathers what one turn of its loop brings and
 * hands it to the lanes; what a lane's thread takes from the queue leaves as
 * one multi-get; results come home with one wake-up. A server that is slow or
 * dead occupies the threads of its own lane and nobody else's.
 *
 * How an entry is stored:
 *
 *   <prefix>:e:<ns>:<key>       an entry whose key is short and printable
 *   <prefix>:h:<64 hex digits>  any other entry; the digits are BLAKE2b-256 of
 *                               namespace and key, which the item repeats
 *   <prefix>:g:<ns>             the generation of a namespace, on each server
 *   <prefix>:g:                 the generation of all, on each server
 *   <prefix>:t:<ns>:<tag>       the generation of a tag, on each server
 *   <prefix>:c:<ns>:<key>       a counter; :l: a limit, :k: a lock
 *
 * Tags, counters, limits and locks with other names are at :th:, :ch:, :lh:,
 * :kh: and a digest. An entry is a header (item.h), tags, the content type, the
 * value; a counter, limit or lock a header (cell_item.h) and its cell. Which
 * server has it is decided by libmemcached's ketama over the item's name.
 *
 * Flush. A generation is eight random bytes. An entry carries the two of its
 * server that held when it was written, and stands only while both do. Reads
 * fetch entries and then generations in one multi-get, and those of the tags
 * that were found in a second one. A flush sets a new generation on every
 * server, or removes that of a tag, and succeeds when all have confirmed it.
 *
 * Writes. Each reads first and then stores with the CAS token it has read, or
 * with `add` where nothing was; what another writer has changed meanwhile is
 * read again. So conditions are atomic, and a write that a server carries out
 * late, after its answer was given up, cannot replace a newer one. Leases and
 * the steps of counters, limits and locks (engines/primitives) are such writes.
 *
 * Threading: memcached_open() and close on one thread; ready on any. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engines/engine.h"

/* Strings are copied; NULL or empty: not set. */
struct memcached_options {
    const char *servers;          /* host:port,host:port; port 11211 if none; NULL: 127.0.0.1 */
    const char *username;         /* SASL; with a password or not at all */
    const char *password;
    const char *key_prefix;       /* NULL: "cubby" */
    unsigned threads;             /* for each server; 0: 2 */
    uint64_t connect_timeout_ms;  /* 0: 1000; from the look-up to the end of the handshake, each wait */
    bool dead_server_is_miss;     /* reads of a dead server's entries miss; its writes still fail */
    size_t max_value_bytes;       /* what the service accepts at most; longer replies are refused. 0: 8 MiB */
};

/* Starts the lanes' threads, which connect at once. On failure NULL, and
 * `*error` is a text to free(), or NULL when out of memory. */
struct engine *memcached_open(const struct memcached_options *options, char **error) MUST_CHECK;
