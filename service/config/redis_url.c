#include "service/config/redis_url.h"

#include <stdlib.h>

#include "service/config/host.h"

#define DB_MAX 65535

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* `text` percent-decoded, to free(); NULL on a bad escape or a NUL. */
static char *decode(struct bytes text, const char **why)
{
    char *out = malloc(text.len + 1), *end = out;

    *why = out ? "has a percent escape that is none" : "found no memory";
    for (size_t i = 0; out && i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.ptr[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text.ptr[i + 2]) : -1;

            if (low < 0 || (high == 0 && low == 0)) {
                free(out);
                return NULL;
            }
            c = (char)(high * 16 + low);
            i += 2;
        }
        *end++ = c;
    }
    if (out) {
        *end = '\0';
        *why = NULL;
    }
    return out;
}

static bool read_user(struct bytes text, struct redis_url *url, const char **why)
{
    struct bytes rest = text, user = bytes_cut(&rest, ':');

    if (user.len > 0) {
        url->username = decode(user, why);
        if (!url->username)
            return false;
    }
    if (!rest.ptr)
        return true;
    if (rest.len == 0) {
        *why = "has an empty password";
        return false;
    }
    url->password = decode(rest, why);
    return url->password != NULL;
}

static bool read_db(struct bytes text, struct redis_url *url, const char **why)
{
    unsigned long long db;

    if (!bytes_to_u64(text, DB_MAX, &db)) {
        *why = "has a database that is not a number from 0 to 65535";
        return false;
    }
    url->has_db = true;
    url->db = db;
    return true;
}

static bool read_server(struct bytes authority, struct bytes path, struct redis_url *url, const char **why)
{
    struct bytes host;

    if (!host_port_parse(authority, &host, &url->port, why))
        return false;
    url->host = strndup(host.ptr, host.len);
    if (!url->host) {
        *why = "found no memory";
        return false;
    }
    if (path.len <= 1)
        return true;
    return read_db(bytes_of(path.ptr + 1, path.len - 1), url, why);
}

static bool read_socket(struct bytes path, struct bytes query, struct redis_url *url, const char **why)
{
    if (path.len < 2) {
        *why = "names no socket";
        return false;
    }
    url->socket = decode(path, why);
    if (!url->socket)
        return false;
    if (!query.ptr)
        return true;
    if (!bytes_starts_with(query, BYTES("db="))) {
        *why = "has a query other than db=";
        return false;
    }
    return read_db(bytes_of(query.ptr + 3, query.len - 3), url, why);
}

/* Cuts the scheme off. False for one that is not known. */
static bool cut_scheme(struct bytes *rest, bool *tls, bool *socket)
{
    static const char *const schemes[] = { "redis://", "rediss://", "unix://" };

    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(schemes[i]);

        if (rest->len < len || !bytes_equal_nocase(bytes_of(rest->ptr, len), bytes_of(schemes[i], len)))
            continue;
        *rest = bytes_of(rest->ptr + len, rest->len - len);
        *tls = i == 1;
        *socket = i == 2;
        return true;
    }
    return false;
}

/* Splits `user:password@host:port/path` (without its query). A password may
 * hold an unescaped @: the last one counts. */
static void split(struct bytes text, struct bytes *user, struct bytes *authority, struct bytes *path)
{
    const char *slash = text.len > 0 ? memchr(text.ptr, '/', text.len) : NULL;
    const char *at;

    *path = slash ? bytes_of(slash, text.len - (size_t)(slash - text.ptr)) : BYTES_NONE;
    *authority = bytes_of(text.ptr, text.len - path->len);
    *user = BYTES_NONE;
    at = authority->len > 0 ? memrchr(authority->ptr, '@', authority->len) : NULL;
    if (at) {
        *user = bytes_of(authority->ptr, (size_t)(at - authority->ptr));
        *authority = bytes_of(at + 1, authority->len - user->len - 1);
    }
}

bool redis_url_parse(const char *text, struct redis_url *url, const char **why)
{
    struct bytes rest = bytes_str(text), hierarchy, user, authority, path;
    bool socket = false;

    *url = (struct redis_url){ 0 };
    *why = "does not begin with redis://, rediss:// or unix://";
    if (!cut_scheme(&rest, &url->tls, &socket))
        return false;
    *why = "has a fragment (# is written %23)";
    if (strchr(text, '#'))
        return false;
    hierarchy = bytes_cut(&rest, '?');
    split(hierarchy, &user, &authority, &path);
    *why = NULL;
    if (user.ptr && !read_user(user, url, why))
        return false;
    *why = socket ? "has a host, where unix:// has none" : "has a query, which redis:// has none of";
    if (socket)
        return authority.len == 0 && read_socket(path, rest, url, why);
    return !rest.ptr && read_server(authority, path, url, why);
}

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void redis_url_release(struct redis_url *url)
{
    wipe(url->username);
    wipe(url->password);
    wipe(url->host);
    wipe(url->socket);
    *url = (struct redis_url){ 0 };
}
