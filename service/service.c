#include "service/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "routes/app.h"
#include "service/base/access_log.h"
#include "service/base/clock.h"
#include "service/base/log.h"
#include "service/config/policies.h"
#include "service/config/tokens.h"
#include "service/http/server.h"
#include "service/notify.h"

/* How often the files that settings name are looked at. */
#define LOOK_EVERY_MS 1000

/* A file that counts when it changes. */
struct watched {
    const char *path;       /* NULL: it is not set */
    struct file_stamp seen; /* as it was last tried */
};

enum watched_file { WATCHED_POLICIES, WATCHED_TOKENS, WATCHED_CERT, WATCHED_KEY, WATCHED_CLIENT_CA, WATCHED_FILES };

struct service {
    const struct settings *settings;
    struct engine *engine;
    struct loop *loop;
    struct access_log *access_log;
    struct routes *routes;
    struct http_server *server;
    struct http_tls *tls; /* as the server was started with */
    struct loop_timer *look;
    struct watched watched[WATCHED_FILES];
};

static bool is_draining(void *context)
{
    return http_server_draining(context);
}

/* ---- Settings, again ---- */

static void log_faults(const char *message, const struct settings_texts *texts)
{
    char *joined = settings_texts_join(texts, "; ");

    if (joined)
        log_error(message, LOG_STRING("detail", joined));
    free(joined);
}

/* Policies that ask for more are faults. */
static struct policies_abilities abilities_of(const struct engine *engine)
{
    return (struct policies_abilities){
        .engine = engine->name,
        .quota = (engine->capabilities & ENGINE_CAN_QUOTA) != 0,
        .slide = (engine->capabilities & ENGINE_CAN_SLIDE) != 0,
    };
}

/* The files of these settings, as they were read. What `old` (NULL: none) has
 * too was not read from the file of now: that was looked at and refused. */
static void watch(struct service *service, const struct settings *settings, const struct settings *old)
{
    struct watched *watched = service->watched;

    watched[WATCHED_POLICIES].path = settings->cache_namespaces_file;
    watched[WATCHED_TOKENS].path = settings->cache_tokens_file;
    watched[WATCHED_CERT].path = settings->http_tls_cert;
    watched[WATCHED_KEY].path = settings->http_tls_key;
    watched[WATCHED_CLIENT_CA].path = settings->http_tls_client_ca;
    if (settings->policies && (!old || settings->policies != old->policies))
        watched[WATCHED_POLICIES].seen = *policies_stamp(settings->policies);
    if (settings->tokens && (!old || settings->tokens != old->tokens))
        watched[WATCHED_TOKENS].seen = *tokens_stamp(settings->tokens);
}

static void take(struct service *service, const struct settings *fresh)
{
    watch(service, fresh, service->settings);
    log_set_level((enum log_level)fresh->log_level);
    access_log_set(service->access_log, (enum access_log_mode)fresh->log_access, fresh->log_access_rate);
    settings_unref(service->settings);
    service->settings = fresh;
}

/* Each of the settings' files on its own: what was not taken is the old one's. */
static void count_reload(struct service *service, const struct settings *fresh)
{
    const struct settings *old = service->settings;

    if (old->policies)
        routes_count_reload(service->routes, METRICS_FILE_NAMESPACES, fresh && fresh->policies != old->policies);
    if (old->tokens)
        routes_count_reload(service->routes, METRICS_FILE_TOKENS, fresh && fresh->tokens != old->tokens);
}

static bool brings_something(const struct settings *fresh, const struct settings *old)
{
    return fresh->policies != old->policies || fresh->tokens != old->tokens;
}

static void reload_settings(struct service *service)
{
    const struct policies_abilities abilities = abilities_of(service->engine);
    struct settings_report report;
    const struct settings *fresh;

    settings_report_init(&report);
    fresh = settings_reload(service->settings, &abilities, &report);
    if (fresh)
        routes_reload(service->routes, fresh);
    count_reload(service, fresh);
    if (settings_report_has_faults(&report))
        log_faults(fresh ? "files at fault not read again; the old ones stay"
                         : "settings not read again; the old ones stay", &report.faults);
    if (fresh && (!settings_report_has_faults(&report) || brings_something(fresh, service->settings)))
        log_info("settings read again");
    if (fresh)
        take(service, fresh);
    settings_report_release(&report);
}

/* NULL: `*error` says why, or is NULL when out of memory; the caller frees it. */
static struct http_tls *read_tls(const struct settings *settings, char **error)
{
    return http_tls_read(settings->http_tls_cert, settings->http_tls_key, settings->http_tls_client_ca, error);
}

static void reload_tls(struct service *service)
{
    char *error = NULL;
    struct http_tls *tls = read_tls(service->settings, &error);
    bool taken = tls && http_server_set_tls(service->server, tls);

    routes_count_reload(service->routes, METRICS_FILE_TLS, taken);
    if (!taken)
        log_error("certificates not read again; the old ones stay",
                  LOG_STRING("detail", error ? error : "out of memory"));
    free(error);
    http_tls_unref(tls);
}

static void reload(struct service *service)
{
    for (int i = 0; i < WATCHED_FILES; i++)
        if (service->watched[i].path)
            file_stamp_take(&service->watched[i].seen, service->watched[i].path);
    reload_settings(service);
    if (service->settings->http_tls_cert)
        reload_tls(service);
}

/* A file at fault is tried again when it has changed again. */
static void look_at_files(void *context)
{
    struct service *service = context;
    bool changed = false;

    for (int i = 0; i < WATCHED_FILES; i++) {
        const struct watched *watched = &service->watched[i];
        struct file_stamp now;

        if (!watched->path)
            continue;
        file_stamp_take(&now, watched->path);
        changed |= !file_stamp_equal(&now, &watched->seen);
    }
    if (changed)
        reload(service);
}

/* ---- Signals ---- */

static void on_signal(void *context, int number)
{
    struct service *service = context;

    if (number == SIGHUP) {
        notify_reloading(clock_monotonic_ns());
        reload(service);
        notify_ready();
        return;
    }
    log_info("draining", LOG_STRING("signal", number == SIGTERM ? "SIGTERM" : "SIGINT"));
    notify_stopping();
    http_server_drain(service->server);
}

/* ---- Start ---- */

/* Every connection is a descriptor; what the system allows is taken. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool start_server(struct service *service, unsigned threads)
{
    const struct settings *settings = service->settings;
    const struct http_options options = {
        .host = settings->http_host,
        .port = (uint16_t)settings->http_port,
        .admin_host = settings->has_admin_port ? settings->admin_host : NULL,
        .admin_port = (uint16_t)settings->admin_port,
        .threads = threads,
        .max_connections = (unsigned)settings->http_max_connections,
        .max_in_flight = (unsigned)settings->http_max_in_flight,
        .request_timeout_ms = settings->http_request_timeout_ms,
        .idle_timeout_ms = settings->http_idle_timeout_ms,
        .drain_delay_ms = settings->http_drain_delay_ms,
        .drain_timeout_ms = settings->http_drain_timeout_ms,
        .max_buffered_bytes = settings->http_max_buffered_bytes,
        .tls = service->tls,
        .access_log = service->access_log,
    };
    char *error;

    service->server = http_server_start(&options, routes_app(service->routes), service->loop, &error);
    if (!service->server) {
        fprintf(stderr, "cubby: %s\n", error ? error : "out of memory");
        free(error);
        return false;
    }
    routes_set_draining(service->routes, is_draining, service->server);
    return true;
}

/* Without files there is nothing to look at. */
static bool start_looking(struct service *service)
{
    bool any = false;

    watch(service, service->settings, NULL);
    for (int i = 0; i < WATCHED_FILES; i++)
        any |= service->watched[i].path != NULL;
    if (!any)
        return true;
    service->look = loop_timer_create(service->loop, look_at_files, service);
    if (service->look)
        loop_timer_every(service->look, LOOK_EVERY_MS);
    return service->look != NULL;
}

static bool start(struct service *service, unsigned threads)
{
    const struct settings *settings = service->settings;

    log_set_level((enum log_level)settings->log_level);
    raise_descriptor_limit();
    signal(SIGPIPE, SIG_IGN);
    service->loop = loop_create();
    service->access_log = access_log_create(threads, (enum access_log_mode)settings->log_access,
                                            settings->log_access_rate, STDOUT_FILENO);
    service->routes = routes_create(service->engine, settings);
    if (!service->loop || !service->access_log || !service->routes ||
        !loop_signal_add(service->loop, SIGTERM, on_signal, service) ||
        !loop_signal_add(service->loop, SIGINT, on_signal, service) ||
        !loop_signal_add(service->loop, SIGHUP, on_signal, service) || !start_looking(service) ||
        !access_log_start(service->access_log)) {
        fputs("cubby: out of memory, threads or descriptors\n", stderr);
        return false;
    }
    return start_server(service, threads);
}

static void release(struct service *service)
{
    unsigned cut_off = http_server_destroy(service->server);

    if (cut_off > 0)
        log_warn("requests cut off by the drain timeout", LOG_U64("count", cut_off));
    access_log_destroy(service->access_log);
    routes_destroy(service->routes);
    engine_close(service->engine);
    http_tls_unref(service->tls);
    loop_timer_destroy(service->look);
    loop_destroy(service->loop);
    settings_unref(service->settings);
}

static bool policies_fit(const struct engine *engine, const struct settings *settings)
{
    const struct policies_abilities abilities = abilities_of(engine);
    struct settings_report report;
    bool fit;

    settings_report_init(&report);
    policies_check(settings->policies, &abilities, &report);
    fit = !settings_report_has_faults(&report);
    settings_report_print(&report, stderr);
    settings_report_release(&report);
    return fit;
}

/* NULL: told on standard error. */
static struct http_tls *read_tls_at_start(const struct settings *settings)
{
    char *error = NULL;
    struct http_tls *tls = read_tls(settings, &error);

    if (!tls)
        fprintf(stderr, "%s\n", error ? error : "out of memory");
    free(error);
    return tls;
}

bool service_check(const struct engine *engine, const struct settings *settings)
{
    struct http_tls *tls = settings->http_tls_cert ? read_tls_at_start(settings) : NULL;
    bool good = !settings->http_tls_cert || tls;

    http_tls_unref(tls);
    return policies_fit(engine, settings) && good;
}

/* Stamps first: what changes while it is read is read again. */
static bool certificates_fit(struct service *service)
{
    const struct settings *settings = service->settings;

    if (!settings->http_tls_cert)
        return true;
    watch(service, settings, NULL);
    for (int i = WATCHED_CERT; i <= WATCHED_CLIENT_CA; i++)
        if (service->watched[i].path)
            file_stamp_take(&service->watched[i].seen, service->watched[i].path);
    service->tls = read_tls_at_start(settings);
    return service->tls != NULL;
}

int service_run(struct engine *engine, const struct settings *settings, unsigned threads)
{
    struct service service = { .settings = settings, .engine = engine };
    bool fit = policies_fit(engine, settings) && certificates_fit(&service);
    bool started = fit && start(&service, threads);

    if (started) {
        if (settings->has_admin_port)
            log_info("admin port", LOG_STRING("host", settings->admin_host),
                     LOG_U64("port", http_server_admin_port(service.server)));
        log_info("listening", LOG_STRING("host", settings->http_host),
                 LOG_U64("port", http_server_port(service.server)), LOG_U64("threads", threads),
                 LOG_STRING("engine", engine->name), LOG_STRING("version", CUBBY_VERSION));
        notify_ready();
        loop_run(service.loop);
    }
    release(&service);
    if (started)
        log_info("stopped");
    return started ? EXIT_SUCCESS : fit ? EXIT_FAILURE : SETTINGS_EXIT_STATUS;
}
