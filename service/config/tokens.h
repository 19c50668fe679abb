/* tokens.h - who may do what: CACHE_TOKENS_FILE, read.
 *
 *   {"tokens": [
 *     {"sha256": "<64 hexadecimal digits>", "namespaces": ["users", "team-*"],
 *      "scopes": ["read", "write"], "name": "billing"},
 *     {"sha256": "...", "namespaces": "*", "scopes": ["admin"]}]}
 *
 *   sha256      of the token's bytes, as `printf %s "$token" | sha256sum` has it;
 *               needed, and different in each
 *   namespaces  a list of namespaces and of beginnings of some with a `*`
 *               behind; or "*", all; needed
 *   scopes      a list of read, write, admin; none implies another; needed
 *   name        a label for people, optional
 *
 * All tokens of the file are valid at once. An empty list is no fault: whoever
 * wants to revoke everything must get his way. The file holds no secret, but
 * one may be put there by mistake: no fault shows any text of it.
 *
 * Ownership: tokens_read() gives one reference, which settings then own.
 * Threading: immutable once made, but for the count, which is atomic. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "service/base/bytes.h"
#include "service/config/settings_report.h"
#include "service/config/text_file.h"

#define TOKENS_MAX 1024                /* in the file */
#define TOKENS_FILE_MAX (1024 * 1024)  /* its bytes */
#define TOKEN_NAMES_MAX 256            /* namespaces of one token */
#define TOKEN_NAME_MAX 64              /* a namespace without the `*`; a label */
#define TOKEN_HASH_BYTES 32

enum token_scope { TOKEN_READ = 1 << 0, TOKEN_WRITE = 1 << 1, TOKEN_ADMIN = 1 << 2 };

/* A namespace, or the beginning of some. */
struct token_reach {
    char text[TOKEN_NAME_MAX];
    unsigned char len; /* without the `*` */
    bool is_prefix;
};

struct token {
    unsigned char hash[TOKEN_HASH_BYTES];
    char name[TOKEN_NAME_MAX + 1]; /* "" without one */
    unsigned scopes;               /* enum token_scope, together */
    bool everywhere;               /* every namespace */
    size_t reach_count;
    struct token_reach *reaches;
};

struct tokens;

/* Reads the file at `path`. NULL when `report` then holds a fault; all that is
 * wrong is named. */
struct tokens *tokens_read(const char *path, struct settings_report *report) MUST_CHECK;

/* The same from the text of a file that is called `path` in faults. */
struct tokens *tokens_parse(struct bytes text, const char *path, struct settings_report *report) MUST_CHECK;

struct tokens *tokens_ref(struct tokens *tokens);
void tokens_unref(struct tokens *tokens); /* NULL is allowed */

size_t tokens_count(const struct tokens *tokens);

/* The token whose hash is that of `secret`, or NULL. The hash of `secret` leads
 * to its place in a table; whole hashes are compared in a time that does not
 * depend on where they differ.
 *
 * How long it takes may tell whether the table has something at the place of a
 * hash that the asker can compute: at the most the first bits of hashes that
 * are in it. From these no token follows: what has to be sent is something with
 * the whole hash, so he would have to find a preimage of SHA-256. They only rule
 * out guesses before they are sent, which is no help against random tokens, the
 * only ones that a plain SHA-256 is enough for. */
const struct token *tokens_find(const struct tokens *tokens, struct bytes secret) MUST_CHECK;

/* Whether the token is for namespace `ns`. */
bool token_covers(const struct token *token, struct bytes ns) MUST_CHECK;

/* Which file was read. */
const struct file_stamp *tokens_stamp(const struct tokens *tokens);
