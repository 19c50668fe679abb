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
#include "service/http/server.h"
#include "service/notify.h"

/* How often the file of policies is looked at. */
#define LOOK_EVERY_MS 1000

struct service {
    const struct settings *settings;
    struct engine *engine;
    struct loop *loop;
    struct access_log *access_log;
    struct routes *routes;
    struct http_server *server;
    struct loop_timer *look;
    struct file_stamp seen; /* the file of policies as it was last tried */
};

static bool is_draining(void *context)
{
    return http_server_draining(context);
}

/* ---- Settings, again ---- */

static void log_texts(const char *message, const struct settings_texts *texts)
{
    char *joined = settings_texts_join(texts, "; ");

    if (joined)
        log_warn(message, LOG_STRING("detail", joined));
    free(joined);
}

/* Policies that the engine cannot keep are faults. */
static bool engine_can(const struct engine *engine, const struct settings *settings, struct settings_report *report)
{
    const struct policies_abilities abilities = {
        .engine = engine->name,
        .quota = (engine->capabilities & ENGINE_CAN_QUOTA) != 0,
        .slide = (engine->capabilities & ENGINE_CAN_SLIDE) != 0,
    };

    policies_check(settings->policies, &abilities, report);
    return !settings_report_has_faults(report);
}

static void take(struct service *service, const struct settings *fresh)
{
    log_set_level((enum log_level)fresh->log_level);
    access_log_set(service->access_log, (enum access_log_mode)fresh->log_access, fresh->log_access_rate);
    settings_unref(service->settings);
    service->settings = fresh;
    log_info("settings read again");
}

static void reload(struct service *service)
{
    const char *path = service->settings->cache_namespaces_file;
    struct settings_report report;
    const struct settings *fresh;

    settings_report_init(&report);
    if (path)
        file_stamp_take(&service->seen, path);
    fresh = settings_reload(service->settings, &report);
    if (fresh && fresh->policies)
        service->seen = *policies_stamp(fresh->policies);
    if (fresh && engine_can(service->engine, fresh, &report) && routes_reload(service->routes, fresh)) {
        take(service, fresh);
    } else {
        log_texts("settings not read again; the old ones stay", &report.faults);
        settings_unref(fresh);
    }
    settings_report_release(&report);
}

/* A file at fault is tried again when it has changed again. */
static void look_at_policies(void *context)
{
    struct service *service = context;
    struct file_stamp now;

    file_stamp_take(&now, service->settings->cache_namespaces_file);
    if (!file_stamp_equal(&now, &service->seen))
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
        .threads = threads,
        .max_connections = (unsigned)settings->http_max_connections,
        .max_in_flight = (unsigned)settings->http_max_in_flight,
        .request_timeout_ms = settings->http_request_timeout_ms,
        .idle_timeout_ms = settings->http_idle_timeout_ms,
        .drain_delay_ms = settings->http_drain_delay_ms,
        .drain_timeout_ms = settings->http_drain_timeout_ms,
        .max_buffered_bytes = settings->http_max_buffered_bytes,
        .allow_remote = !settings->cache_auth,
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

/* Without policies there is nothing to look at. */
static bool start_looking(struct service *service)
{
    if (!service->settings->policies)
        return true;
    service->seen = *policies_stamp(service->settings->policies);
    service->look = loop_timer_create(service->loop, look_at_policies, service);
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
    loop_timer_destroy(service->look);
    loop_destroy(service->loop);
    settings_unref(service->settings);
}

static bool policies_fit(const struct service *service)
{
    struct settings_report report;
    bool fit;

    settings_report_init(&report);
    fit = engine_can(service->engine, service->settings, &report);
    settings_report_print(&report, stderr);
    settings_report_release(&report);
    return fit;
}

int service_run(struct engine *engine, const struct settings *settings, unsigned threads)
{
    struct service service = { .settings = settings, .engine = engine };
    bool fit = policies_fit(&service);
    bool started = fit && start(&service, threads);

    if (started) {
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
