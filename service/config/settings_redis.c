/* settings_redis.c - which Redis, and how: REDIS_URL, mode, credentials, TLS.
 * Threading: the thread that makes the settings. */
#include "service/config/settings_private.h"

#include <stdlib.h>

#include "service/config/host.h"
#include "service/config/redis_url.h"

/* ---- REDIS_URL ---- */

/* One text part of the URL: into its field, unless that says something else. */
static void take_text(struct settings *s, enum option_id id, char **part, struct settings_report *report)
{
    struct option_reading reading;
    const char *given = s->private->texts[id];
    char *text = *part;

    if (!text)
        return;
    *part = NULL;
    if (given && strcmp(given, text) != 0)
        settings_report_fault(report, "%s: differs from what REDIS_URL says", option_rows[id].name);
    else if (!option_read(s, id, text, &reading))
        settings_report_fault(report, "REDIS_URL: its part for %s %s", option_rows[id].name, reading.why);
    settings_put_text(s, id, text, report);
}

static void take_number(struct settings *s, enum option_id id, uint64_t part, struct settings_report *report)
{
    uint64_t *field = option_field(s, id);

    if (settings_given(s, id) && *field != part)
        settings_report_fault(report, "%s: differs from what REDIS_URL says", option_rows[id].name);
    *field = part;
}

static void take_parts(struct settings *s, struct redis_url *url, struct settings_report *report)
{
    if (url->socket && settings_given(s, OPT_redis_host))
        settings_report_fault(report, "REDIS_HOST: REDIS_URL names a unix socket");
    if (url->host && settings_given(s, OPT_redis_unix_socket))
        settings_report_fault(report, "REDIS_UNIX_SOCKET: REDIS_URL names a host");
    if (!url->socket && settings_given(s, OPT_redis_tls) && s->redis_tls != url->tls)
        settings_report_fault(report, "REDIS_TLS: differs from what REDIS_URL says (rediss:// is with TLS)");
    s->redis_tls = url->tls;
    take_text(s, OPT_redis_host, &url->host, report);
    take_text(s, OPT_redis_unix_socket, &url->socket, report);
    take_text(s, OPT_redis_username, &url->username, report);
    take_text(s, OPT_redis_password, &url->password, report);
    if (url->port > 0)
        take_number(s, OPT_redis_port, url->port, report);
    if (url->has_db)
        take_number(s, OPT_redis_db, url->db, report);
}

void settings_settle_redis_url(struct settings *s, struct settings_report *report)
{
    struct redis_url url;
    const char *why;

    if (!s->redis_url)
        return;
    if (redis_url_parse(s->redis_url, &url, &why))
        take_parts(s, &url, report);
    else
        settings_report_fault(report, "REDIS_URL: the value %s", why);
    redis_url_release(&url);
}

/* ---- Mode ---- */

static void settle_mode(struct settings *s, struct settings_report *report)
{
    bool sentinels = settings_given(s, OPT_redis_sentinels), nodes = settings_given(s, OPT_redis_nodes);

    if (sentinels && nodes)
        settings_report_fault(report, "REDIS_SENTINELS, REDIS_NODES: both set; Sentinels or a cluster?");
    if (s->redis_mode == REDIS_MODE_AUTO)
        s->redis_mode = sentinels ? REDIS_MODE_SENTINEL : nodes ? REDIS_MODE_CLUSTER : REDIS_MODE_STANDALONE;
    if (sentinels && s->redis_mode != REDIS_MODE_SENTINEL)
        settings_report_fault(report, "REDIS_SENTINELS: set, but REDIS_MODE is not sentinel");
    if (nodes && s->redis_mode != REDIS_MODE_CLUSTER)
        settings_report_fault(report, "REDIS_NODES: set, but REDIS_MODE is not cluster");
    if (!sentinels && s->redis_mode == REDIS_MODE_SENTINEL)
        settings_report_fault(report, "REDIS_MODE: sentinel needs REDIS_SENTINELS");
}

/* Sentinels and nodes on one hand, one server on the other. */
static void check_one_server(const struct settings *s, struct settings_report *report)
{
    static const enum option_id one[] = { OPT_redis_host, OPT_redis_url, OPT_redis_unix_socket };
    const char *many = settings_given(s, OPT_redis_sentinels) ? "REDIS_SENTINELS"
                       : settings_given(s, OPT_redis_nodes)   ? "REDIS_NODES"
                                                              : NULL;

    for (size_t i = 0; many && i < sizeof one / sizeof one[0]; i++)
        if (settings_given(s, one[i]))
            settings_report_fault(report, "%s: names one server, beside %s", option_rows[one[i]].name, many);
    if (settings_given(s, OPT_redis_host) && settings_given(s, OPT_redis_unix_socket))
        settings_report_fault(report, "REDIS_HOST, REDIS_UNIX_SOCKET: both set; choose one");
}

/* A cluster that is named by one host: that is its first node. */
static void settle_cluster(struct settings *s, struct settings_report *report)
{
    bool host = settings_given(s, OPT_redis_host) || (settings_given(s, OPT_redis_url) && !s->redis_unix_socket);
    struct buffer node;

    if (s->redis_mode != REDIS_MODE_CLUSTER)
        return;
    if (s->redis_db != 0)
        settings_report_fault(report, "REDIS_DB: a cluster has only database 0");
    if (settings_given(s, OPT_redis_nodes))
        return;
    if (!host) {
        settings_report_fault(report, "REDIS_MODE: cluster needs REDIS_NODES");
        return;
    }
    buffer_init(&node, 512);
    host_port_write(&node, bytes_str(s->redis_host), s->redis_port);
    settings_put_text(s, OPT_redis_nodes, buffer_take_string(&node), report);
    buffer_release(&node);
}

/* ---- What needs something else ---- */

static void check_credentials(const struct settings *s, struct settings_report *report)
{
    bool password = settings_given(s, OPT_redis_password) || s->redis_password;
    bool sentinel_password = settings_given(s, OPT_redis_sentinel_password);

    if (s->redis_username && !password)
        settings_report_fault(report, "REDIS_USERNAME: needs REDIS_PASSWORD");
    if (s->redis_sentinel_username && !sentinel_password)
        settings_report_fault(report, "REDIS_SENTINEL_USERNAME: needs REDIS_SENTINEL_PASSWORD");
    for (const char *c = s->redis_client_name; *c; c++)
        if (*c == ' ') {
            settings_report_fault(report, "REDIS_CLIENT_NAME: \"%s\" has blanks", s->redis_client_name);
            break;
        }
}

static void check_tls(const struct settings *s, struct settings_report *report)
{
    static const enum option_id details[] = { OPT_redis_tls_ca, OPT_redis_tls_cert, OPT_redis_tls_key,
                                              OPT_redis_tls_server_name, OPT_redis_tls_verify };

    /* Who sets these believes the connection to be safe. */
    for (size_t i = 0; !s->redis_tls && i < sizeof details / sizeof details[0]; i++)
        if (settings_given(s, details[i]))
            settings_report_fault(report, "%s: set, but REDIS_TLS is off", option_rows[details[i]].name);
    if (settings_given(s, OPT_redis_tls_cert) != settings_given(s, OPT_redis_tls_key))
        settings_report_fault(report, "REDIS_TLS_CERT, REDIS_TLS_KEY: one needs the other");
    if (s->redis_tls && s->redis_unix_socket)
        settings_report_fault(report, "REDIS_TLS: not over a unix socket");
}

void settings_settle_redis(struct settings *s, struct settings_report *report)
{
    settle_mode(s, report);
    check_one_server(s, report);
    settle_cluster(s, report);
    check_credentials(s, report);
    check_tls(s, report);
}
