#include "routes/app.h"

#include <stdlib.h>

#include "routes/access.h"
#include "routes/outcome.h"
#include "routes/pause.h"
#include "routes/primitives/lock_wait.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "service/base/clock.h"

#define THREADS_MAX 256

struct routes {
    struct http_app app;
    struct engine *engine;
    const struct settings *settings;
    bool (*draining)(void *context);
    void *draining_context;
    struct metrics *metrics;
    unsigned thread_count;
    struct routes_thread *threads[THREADS_MAX];
};

/* ---- Threads ---- */

static void sample(void *context)
{
    struct routes_thread *thread = context;

    metrics_sample(thread->routes->metrics, loop_now(thread->loop));
}

/* One thread does it for all. */
static bool start_sampling(struct routes_thread *thread)
{
    if (thread->routes->thread_count > 0)
        return true;
    thread->sample_timer = loop_timer_create(thread->loop, sample, thread);
    if (thread->sample_timer)
        loop_timer_every(thread->sample_timer, METRICS_SAMPLE_MS);
    return thread->sample_timer != NULL;
}

static void join_ring(struct routes *routes, struct routes_thread *thread)
{
    struct routes_thread *first = routes->thread_count > 0 ? routes->threads[0] : thread;

    thread->next = first->next;
    first->next = thread;
}

static void take_settings(struct loop_message *message)
{
    struct routes_thread *thread =
        (struct routes_thread *)(void *)((char *)message - offsetof(struct routes_thread, reload));

    settings_unref(thread->settings);
    thread->settings = atomic_exchange(&thread->fresh, NULL);
}

static void *thread_start(void *context, struct loop *loop)
{
    struct routes *routes = context;
    struct routes_thread *thread;

    if (routes->thread_count >= THREADS_MAX)
        return NULL;
    thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    thread->routes = routes;
    thread->loop = loop;
    thread->session = engine_attach(routes->engine, loop);
    if (!thread->session) {
        free(thread);
        return NULL;
    }
    thread->metrics = metrics_attach(routes->metrics, thread->session);
    if (!thread->metrics || !start_sampling(thread)) {
        engine_detach(thread->session);
        free(thread);
        return NULL;
    }
    engine_observe(thread->session, metrics_operation, thread->metrics);
    thread->settings = settings_ref(routes->settings);
    thread->reload.fn = take_settings;
    join_ring(routes, thread);
    routes->threads[routes->thread_count++] = thread;
    return thread;
}

static void thread_abandon(void *context)
{
    struct routes_thread *thread = context;

    engine_detach(thread->session);
    thread->session = NULL;
    lock_wait_abandon(thread);
    pause_abandon(thread);
}

static void thread_stop(void *context)
{
    struct routes_thread *thread = context;

    engine_detach(thread->session);
    loop_timer_destroy(thread->sample_timer);
    settings_unref(thread->settings);
    settings_unref(atomic_load(&thread->fresh)); /* the loop ended before it came */
    free(thread);
}

void routes_reload(struct routes *routes, const struct settings *settings)
{
    for (unsigned i = 0; i < routes->thread_count; i++) {
        struct routes_thread *thread = routes->threads[i];
        const struct settings *overtaken = atomic_exchange(&thread->fresh, settings_ref(settings));

        if (overtaken)
            settings_unref(overtaken); /* the message is still on its way */
        else
            loop_post(thread->loop, &thread->reload);
    }
}

/* ---- Exchanges ---- */

static void answer_options(struct http_exchange *ex, const struct route *route)
{
    static _Thread_local char allow[ROUTE_ALLOW_SIZE];

    route_allow(route, allow);
    http_reply_field(ex, "Allow", allow);
    http_send_empty(ex, 204);
}

static void answer_not_allowed(struct http_exchange *ex, const struct route *route)
{
    static _Thread_local char allow[ROUTE_ALLOW_SIZE];

    route_allow(route, allow);
    http_reply_field(ex, "Allow", allow);
    problem_send(ex, PROBLEM_METHOD_NOT_ALLOWED, "this method is not for this resource; see Allow");
}

/* With an admin port, what needs admin is there, and nothing else but the
 * probes. */
static bool is_served_here(struct http_exchange *ex, const struct route *route)
{
    bool for_admin = route->access == ROUTE_ACCESS_ADMIN;

    if (http_request(ex)->admin)
        return for_admin || route->is_probe;
    return !for_admin || !route_thread(ex)->settings->has_admin_port;
}

/* May it, and is there room for it? The way to a method's own begin. */
static void begin_method(struct http_exchange *ex)
{
    const struct route *route = route_state(ex)->route;
    const struct http_request *request = http_request(ex);

    if (!access_check(ex))
        return;
    if (!route->is_probe && !request->admin && !http_admit(ex))
        problem_send(ex, PROBLEM_OVERLOADED, "too many requests in flight");
    else if (route->methods[request->method].begin)
        route->methods[request->method].begin(ex);
}

static void begin(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    const struct http_request *request = http_request(ex);
    struct bytes rest = BYTES_NONE;
    const struct route *route;

    memset(state, 0, offsetof(struct route_state, if_match));
    if (request->method == HTTP_OPTIONS && bytes_equal(request->path, BYTES("*"))) {
        http_send_empty(ex, 204);
        return;
    }
    route = route_find(request->path, &rest);
    if (!route || !is_served_here(ex, route)) {
        problem_send(ex, PROBLEM_NO_ROUTE, "no such route; GET /capabilities tells what there is");
        return;
    }
    state->route = route;
    http_note_route(ex, route->name, BYTES_NONE);
    if (route->names != ROUTE_NAMES_NOTHING) {
        enum path_outcome outcome = route->names == ROUTE_NAMES_ENTRY
                                        ? path_parse_entry(rest, &state->scratch, &state->entry)
                                        : path_parse_namespace(rest, &state->scratch, &state->entry.ns);
        state->is_raw = route->is_raw;
        http_note_route(ex, route->name, state->entry.ns);
        if (outcome != PATH_OK) {
            problem_send(ex, outcome == PATH_KEY_TOO_LONG ? PROBLEM_URI_TOO_LONG : PROBLEM_BAD_REQUEST,
                         path_outcome_detail(outcome));
            return;
        }
    }
    if (!route->methods[request->method].complete)
        request->method == HTTP_OPTIONS ? answer_options(ex, route) : answer_not_allowed(ex, route);
    else
        begin_method(ex);
}

static void complete(struct http_exchange *ex)
{
    route_state(ex)->route->methods[http_request(ex)->method].complete(ex);
}

/* The client may have gone while the engine was at work. */
static void end(struct http_exchange *ex)
{
    if (route_state(ex)->pending)
        (void)engine_cancel(route_thread(ex)->session, &route_state(ex)->op);
    value_unref(route_state(ex)->op.entry.value);
    if (route_state(ex)->end_work)
        route_state(ex)->end_work(ex);
}

static void record(struct http_exchange *ex, const struct http_record *how)
{
    const struct http_request *request = http_request(ex);
    const struct route *route = how->begun ? route_state(ex)->route : NULL;

    metrics_request(route_thread(ex)->metrics, route_number(route),
                    request->method_name.ptr ? request->method : HTTP_METHOD_OTHER, how);
    if (how->begun)
        slow_log_record(ex, how);
}

/* ---- Operations ---- */

static void finish_pending(struct engine_op *op)
{
    struct http_exchange *ex = op->context;

    route_state(ex)->pending = false;
    route_state(ex)->engine_time.ns += op->took_ns;
    route_state(ex)->finish(ex);
}

static void free_work(struct http_exchange *ex)
{
    free(route_state(ex)->work);
}

void *route_begin_work(struct http_exchange *ex, size_t bytes, route_fn *end_work)
{
    struct route_state *state = route_state(ex);

    state->work = calloc(1, bytes);
    if (!state->work) {
        problem_send(ex, PROBLEM_OVERLOADED, "out of memory");
        return NULL;
    }
    state->end_work = end_work ? end_work : free_work;
    return state->work;
}

void route_submit(struct http_exchange *ex, enum engine_verb verb, void (*finish)(struct http_exchange *ex))
{
    struct route_state *state = route_state(ex);
    struct routes_thread *thread = route_thread(ex);
    struct engine_op *op = &state->op;

    op->verb = verb;
    op->ns = state->entry.ns;
    op->key = state->entry.key;
    op->now_ns = loop_now(thread->loop);
    op->deadline_ns = op->now_ns + thread->settings->cache_deadline_ms * NS_PER_MS;
    op->done = finish_pending;
    op->context = ex;
    state->finish = finish;
    state->submissions++;
    state->engine_time.operations += verb == ENGINE_ATOMIC ? op->atomic->count : 1;
    state->pending = engine_submit(thread->session, op) == ENGINE_PENDING;
    if (state->pending)
        return;
    state->engine_time.ns += op->took_ns;
    finish(ex);
}

/* ---- Making ---- */

struct routes *routes_create(struct engine *engine, const struct settings *settings)
{
    struct routes *routes = calloc(1, sizeof *routes);

    if (!routes)
        return NULL;
    routes->metrics = metrics_create();
    if (!routes->metrics) {
        free(routes);
        return NULL;
    }
    routes->engine = engine;
    routes->settings = settings_ref(settings);
    routes->app = (struct http_app){
        .state_bytes = sizeof(struct route_state),
        .thread_start = thread_start,
        .thread_abandon = thread_abandon,
        .thread_stop = thread_stop,
        .begin = begin,
        .complete = complete,
        .end = end,
        .record = record,
        .refuse = problem_refuse,
        .context = routes,
    };
    return routes;
}

void routes_set_draining(struct routes *routes, bool (*draining)(void *context), void *context)
{
    routes->draining_context = context;
    routes->draining = draining;
}

bool routes_draining(const struct routes *routes)
{
    return routes->draining && routes->draining(routes->draining_context);
}

void routes_destroy(struct routes *routes)
{
    if (!routes)
        return;
    metrics_destroy(routes->metrics);
    settings_unref(routes->settings);
    free(routes);
}

void routes_count_reload(struct routes *routes, enum metrics_file file, bool taken)
{
    metrics_reloaded(routes->metrics, file, taken);
}

const struct http_app *routes_app(struct routes *routes)
{
    return &routes->app;
}
