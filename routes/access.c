#include "routes/access.h"

#include <sodium.h>
#include <string.h>

#include "routes/problem.h"
#include "service/base/access_log.h"

_Static_assert(TOKEN_NAME_MAX <= ROUTE_CALLER_MAX, "a label fits");
_Static_assert(TOKEN_NAME_MAX <= ACCESS_TEXT_MAX, "and is not cut in the access log");

/* ---- The token ---- */

/* user-id ":" password; the user's name does not matter. */
static bool read_basic(struct bytes credentials, char decoded[ACCESS_SECRET_MAX], struct bytes *secret)
{
    const char *end, *colon;
    size_t len;

    if (sodium_base642bin((unsigned char *)decoded, ACCESS_SECRET_MAX, credentials.ptr, credentials.len, NULL, &len,
                          &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != credentials.ptr + credentials.len)
        return false;
    colon = memchr(decoded, ':', len);
    if (!colon)
        return false;
    *secret = bytes_of(colon + 1, (size_t)(decoded + len - (colon + 1)));
    return true;
}

enum access_scheme access_read(struct bytes field, char decoded[ACCESS_SECRET_MAX], struct bytes *secret)
{
    struct bytes scheme, rest = field;
    enum access_scheme kind = ACCESS_SCHEME_NONE;

    *secret = BYTES_NONE;
    if (!field.ptr)
        return ACCESS_SCHEME_NONE;
    scheme = bytes_cut(&rest, ' ');
    rest = rest.ptr ? bytes_trim(rest) : BYTES("");
    if (bytes_equal_nocase(scheme, BYTES("bearer")) && rest.len <= ACCESS_SECRET_MAX) {
        *secret = rest;
        kind = ACCESS_SCHEME_BEARER;
    } else if (bytes_equal_nocase(scheme, BYTES("basic")) && read_basic(rest, decoded, secret)) {
        kind = ACCESS_SCHEME_BASIC;
    }
    return secret->len > 0 ? kind : ACCESS_SCHEME_NONE;
}

/* The token that the request shows, or NULL. */
static const struct token *find_token(struct http_exchange *ex, const struct tokens *tokens,
                                      enum access_scheme *scheme)
{
    char decoded[ACCESS_SECRET_MAX];
    struct bytes secret;
    const struct token *token = NULL;

    *scheme = access_read(http_request(ex)->fields[HTTP_FIELD_AUTHORIZATION], decoded, &secret);
    if (*scheme != ACCESS_SCHEME_NONE)
        token = tokens_find(tokens, secret);
    if (*scheme == ACCESS_SCHEME_BASIC)
        sodium_memzero(decoded, sizeof decoded);
    return token;
}

/* ---- What is needed ---- */

unsigned access_needs(enum route_access access, enum http_method method, bool *all)
{
    *all = true;
    switch (access) {
    case ROUTE_ACCESS_ADMIN:
        return TOKEN_ADMIN;
    case ROUTE_ACCESS_OPEN:
    case ROUTE_ACCESS_ANY:
        return 0;
    case ROUTE_ACCESS_BATCH:
        if (method == HTTP_POST)
            return TOKEN_READ | TOKEN_WRITE;
        break;
    case ROUTE_ACCESS_FLUSH:
        *all = false;
        return TOKEN_WRITE | TOKEN_ADMIN;
    case ROUTE_ACCESS_DATA:
        break;
    }
    return method == HTTP_GET || method == HTTP_HEAD ? TOKEN_READ : TOKEN_WRITE;
}

/* ---- Refusals ---- */

static void refuse_unknown(struct http_exchange *ex)
{
    bool tried = http_request(ex)->fields[HTTP_FIELD_AUTHORIZATION].ptr != NULL;

    metrics_denied(route_thread(ex)->metrics, tried ? METRICS_DENIED_UNKNOWN : METRICS_DENIED_MISSING);
    http_reply_field(ex, "WWW-Authenticate", "Bearer realm=\"cubby\", Basic realm=\"cubby\", charset=\"UTF-8\"");
    problem_send(ex, PROBLEM_UNAUTHORIZED,
                 tried ? "this token is not known" : "a token is needed, as Authorization: Bearer");
}

static bool refuse_as(struct http_exchange *ex, enum metrics_denial reason, const char *detail)
{
    metrics_denied(route_thread(ex)->metrics, reason);
    problem_send(ex, PROBLEM_FORBIDDEN, detail);
    return false;
}

static bool refuse(struct http_exchange *ex, const char *detail)
{
    return refuse_as(ex, METRICS_DENIED_SCOPE, detail);
}

bool access_is_foreign(struct bytes site, struct bytes origin, struct bytes host)
{
    const char *authority;

    if (site.ptr)
        return !bytes_equal(site, BYTES("same-origin")) && !bytes_equal(site, BYTES("none"));
    if (!origin.ptr)
        return false;
    authority = memmem(origin.ptr, origin.len, "://", 3);
    if (!authority)
        return true;
    authority += 3;
    return !bytes_equal_nocase(bytes_of(authority, (size_t)(origin.ptr + origin.len - authority)), host);
}

/* Whether a browser made this request for a page of another site: with the
 * password that it remembers, or from within the network it is in. */
static bool is_foreign(struct http_exchange *ex)
{
    const struct bytes *fields = http_request(ex)->fields;

    return access_is_foreign(fields[HTTP_FIELD_SEC_FETCH_SITE], fields[HTTP_FIELD_ORIGIN], fields[HTTP_FIELD_HOST]);
}

static bool is_safe(enum http_method method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS;
}

static const char *missing_scope(unsigned needed)
{
    return needed == TOKEN_READ    ? "the token does not grant read"
           : needed == TOKEN_WRITE ? "the token does not grant write"
           : needed == TOKEN_ADMIN ? "the token does not grant admin"
                                   : "the token does not grant this: a batch takes read and write, a flush write";
}

/* ---- Decisions ---- */

/* A copy: a reload may take the token away before the logs ask. */
static void note_caller(struct http_exchange *ex, const struct token *token)
{
    struct route_state *state = route_state(ex);

    state->caller_len = strlen(token->name);
    memcpy(state->caller, token->name, state->caller_len);
    http_note_caller(ex, bytes_of(state->caller, state->caller_len));
}

static bool check_without_tokens(struct http_exchange *ex)
{
    if (route_thread(ex)->settings->cache_auth && !http_request(ex)->from_loopback)
        return refuse_as(ex, METRICS_DENIED_MISSING,
                         "without access control only loopback clients are served; see CACHE_TOKENS_FILE");
    if (!is_safe(http_request(ex)->method) && is_foreign(ex))
        return refuse(ex, "another site's page may not change anything here");
    return true;
}

static bool check_token(struct http_exchange *ex, const struct tokens *tokens)
{
    const struct route_state *state = route_state(ex);
    const struct token *token;
    enum access_scheme scheme;
    unsigned needed, granted;
    bool all;

    token = find_token(ex, tokens, &scheme);
    if (!token) {
        refuse_unknown(ex);
        return false;
    }
    note_caller(ex, token);
    if (scheme == ACCESS_SCHEME_BASIC && is_foreign(ex))
        return refuse(ex, "a password that a browser remembers is not taken from another site's page");
    needed = access_needs(state->route->access, http_request(ex)->method, &all);
    granted = token->scopes & needed;
    if (all ? granted != needed : granted == 0)
        return refuse(ex, missing_scope(needed));
    if (state->route->names != ROUTE_NAMES_NOTHING && !token_covers(token, state->entry.ns))
        return refuse(ex, "the token is not for this namespace");
    return true;
}

bool access_check(struct http_exchange *ex)
{
    const struct tokens *tokens = route_thread(ex)->settings->tokens;

    if (route_state(ex)->route->access == ROUTE_ACCESS_OPEN || http_request(ex)->admin)
        return true;
    return tokens ? check_token(ex, tokens) : check_without_tokens(ex);
}

bool access_check_flush(struct http_exchange *ex, struct bytes ns)
{
    const struct access access = access_of(ex, route_thread(ex)->settings);

    if (access.open)
        return true;
    if (!access.token) { /* revoked while the body came */
        refuse_unknown(ex);
        return false;
    }
    if (ns.len == 0) {
        if (access.token->scopes & TOKEN_ADMIN && access.token->everywhere)
            return true;
        return refuse(ex, "a flush of everything takes admin, on every namespace");
    }
    if (!(access.token->scopes & TOKEN_WRITE))
        return refuse(ex, missing_scope(TOKEN_WRITE));
    return token_covers(access.token, ns) || refuse(ex, "the token is not for this namespace");
}

struct access access_of(struct http_exchange *ex, const struct settings *settings)
{
    struct access access = { .open = settings->tokens == NULL };
    enum access_scheme scheme;

    if (!access.open)
        access.token = find_token(ex, settings->tokens, &scheme);
    return access;
}

bool access_sees(const struct access *access, struct bytes ns)
{
    return access->open || (access->token && token_covers(access->token, ns));
}
