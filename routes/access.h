/* access.h - whether a request may do what it asks for: tokens, scopes,
 * namespaces (service/config/tokens.h).
 *
 * Without CACHE_TOKENS_FILE everything is granted to clients of this machine, or
 * with CACHE_AUTH=off to all; but what changes something is not granted to a
 * page of another site in somebody's browser. Decided in begin, from the header
 * section and the row of the table (enum route_access), before any of the body
 * is read. A request that has begun is not asked again when the tokens change.
 *
 * Threading: the exchange's. */
#pragma once

#include "routes/route.h"
#include "service/config/tokens.h"

/* For app.c, with state->route and the namespace of the path known. False:
 * answered with 401 or 403. */
bool access_check(struct http_exchange *ex) MUST_CHECK;

/* Whether the caller may flush `ns`, or everything where that is empty, for the
 * namespace may stand in the body. False: answered. */
bool access_check_flush(struct http_exchange *ex, struct bytes ns) MUST_CHECK;

/* Whether the caller may know of namespace `ns`, by the tokens of `settings`.
 * Answers nothing. The token is looked up each time: ask access_of() once for
 * many. */
struct access {
    bool open;                 /* all is granted */
    const struct token *token; /* of those settings; NULL: none is good any more */
};
struct access access_of(struct http_exchange *ex, const struct settings *settings);
bool access_sees(const struct access *access, struct bytes ns) MUST_CHECK;

/* ---- Pure ---- */

/* What the scheme of an Authorization field was. */
enum access_scheme { ACCESS_SCHEME_NONE, ACCESS_SCHEME_BEARER, ACCESS_SCHEME_BASIC };

/* The longest token that is looked at. */
#define ACCESS_SECRET_MAX 1024

/* The token of an Authorization field: what follows Bearer (RFC 6750 section
 * 2.1), or the password of Basic (RFC 7617), decoded into `decoded`, which the
 * caller wipes. NONE: absent, malformed, too long, or another scheme. */
enum access_scheme access_read(struct bytes field, char decoded[ACCESS_SECRET_MAX], struct bytes *secret) MUST_CHECK;

/* Whether a browser sends a request for a page of another site than `host`, the
 * Host field. Sec-Fetch-Site says so where there is one (Fetch Metadata Request
 * Headers, section 2.4), else Origin (RFC 6454 section 7); a page can change
 * neither. Programs send none of them. */
bool access_is_foreign(struct bytes site, struct bytes origin, struct bytes host) MUST_CHECK;

/* The scopes that a method of a row takes, of which `*all` says whether all of
 * them are needed, or one; 0: any token will do. Not for OPEN rows. */
unsigned access_needs(enum route_access access, enum http_method method, bool *all) MUST_CHECK;
