/* script.h - the atomic operations, as Lua scripts.
 *
 * Each is loaded once a connection (SCRIPT LOAD) and called by the digest that
 * the server answered; a server that forgot it (NOSCRIPT) is sent the text.
 *
 * Those for entries take KEYS[1] the entry, KEYS[2] and KEYS[3] the generations
 * of its namespace and of all; the names of tags and of an index follow from
 * these (keys.h), and lie in the same slot. Conditions are two arguments,
 * If-Match and If-None-Match: "" not given, "*", or "L" and 8 bytes a version.
 * Versions, fences, tokens and generations are raw bytes (record.h). Replies:
 *
 *   any      {2, version}   a condition failed; the version that stands, or ""
 *            {3, version}   fenced
 *            {4, version}   the lease is void
 *   PUT      n | {n, generations}   n 0 replaced, 1 created; generations when
 *            those in the entry's header had to be corrected
 *            ARGV: entry, PX or "0", the generations in its header
 *   PUT_MANY {codes, generations or "", errors}: for each a letter, 0 replaced, 1
 *            created, E failed as the next error says; generations as PUT
 *            KEYS: both generations, the entries
 *            ARGV: the generations in all headers; for each entry it and PX or "0"
 *   PUT_IF   as PUT; more arguments: conditions, fence or "", lease or "", most
 *            entries and bytes of the namespace, or "" and ""
 *   READ     nil | {version, state, ttl, sliding step, length,
 *            stored bytes or "", lease, ms left of it} | {lease, ms left of it}
 *            state: 1 stale, 2 better read by this script than by MGET
 *            lease: as enum engine_lease
 *            extends a sliding entry, removes a flushed one
 *            ARGV: "1" with, "0" without the bytes; lease in ms or "0", its token
 *   DELETE   n   0 removed, 1 nothing stood; ARGV: conditions
 *   TOUCH    {0, version, ttl, sliding step, length} | 1 nothing stood
 *            ARGV: ttl in ms or "0" for never, conditions
 *   REAP     n   how many of them were flushed, and are removed
 *            KEYS: both generations; entries, and lengths of an index
 *   ATOMIC   a list of such replies | {-1, index of the first that failed, its
 *            reply, {5, ""} for X, or an error}
 *            KEYS: the generation of all; for each the entry and the generation of its namespace
 *            ARGV: for each a letter and arguments: P as PUT_IF, G as READ, D as
 *            DELETE, T as TOUCH, X too large, none */
#pragma once

enum redis_script {
    SCRIPT_PUT,
    SCRIPT_PUT_MANY,
    SCRIPT_PUT_IF,
    SCRIPT_READ,
    SCRIPT_DELETE,
    SCRIPT_TOUCH,
    SCRIPT_REAP,
    SCRIPT_ATOMIC,
    SCRIPT_COUNTER, /* these three: primitive_script.c */
    SCRIPT_LIMIT,
    SCRIPT_LOCK,
    SCRIPT_LIST, /* list.h */
    SCRIPTS
};

#define SCRIPT_DIGEST_LEN 40

/* The script's Lua text. */
const char *redis_script_text(enum redis_script script);
