/* script.h - the atomic operations, as Lua scripts.
 *
 * Each is loaded once a connection (SCRIPT LOAD) and called by the digest that
 * the server answered; a server that forgot it (NOSCRIPT) is sent the text.
 *
 * All take KEYS[1] the entry, KEYS[2] and KEYS[3] the generations of its
 * namespace and of all. Conditions are two arguments, If-Match and
 * If-None-Match: "" not given, "*", or "L" and 8 bytes a version. Versions and
 * generations are raw bytes (record.h). Replies:
 *
 *   any      {2, version}   a condition failed; the version that stands, or ""
 *   PUT      n | {n, generations}   n 0 replaced, 1 created; generations when
 *            those in the entry's header had to be corrected
 *            ARGV: entry, PX or "0", the generations in its header
 *   PUT_IF   the same; two more arguments: conditions
 *   READ     nil | {version, PTTL, sliding step, length, stored bytes or ""}
 *            extends a sliding entry, removes a flushed one; ARGV: "1" with, "0" without the bytes
 *   DELETE   n   0 removed, 1 nothing stood; ARGV: conditions
 *   TOUCH    {0, version, PTTL, sliding step, length} | 1 nothing stood
 *            ARGV: ttl in ms or "0" for never, conditions
 *   REAP     n   1: it was flushed and is removed; 0: it stands */
#pragma once

enum redis_script { SCRIPT_PUT, SCRIPT_PUT_IF, SCRIPT_READ, SCRIPT_DELETE, SCRIPT_TOUCH, SCRIPT_REAP, SCRIPTS };

#define SCRIPT_DIGEST_LEN 40

/* The script's Lua text. */
const char *redis_script_text(enum redis_script script);
