/* lock.c - /locks/{ns}/{name}: locks that end by themselves.
 *
 * A lock's time is its only guarantee of progress, so a grant whose answer
 * could not be delivered is left to it. The fence that comes with a grant is
 * for what the lock guards: it must refuse one lower than it has seen.
 * lock_wait.h says how a request waits. Threading: the exchange's. */
#include <sodium.h>
#include <stdlib.h>

#include "routes/answer.h"
#include "routes/json_members.h"
#include "routes/outcome.h"
#include "routes/primitives/limit_fields.h"
#include "routes/primitives/lock_token.h"
#include "routes/primitives/lock_wait.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "service/base/buffer.h"
#include "service/base/clock.h"

#define LOCK_TEXT_MAX 192
#define LOCK_TTL_DEFAULT_MS 10000
#define LOCK_TTL_LONGEST_MS (INT64_C(24) * 3600 * 1000)
#define LOCK_WAIT_LONGEST_MS 30000

struct lock_work {
    struct engine_lock lock;
    int64_t ttl_ms;         /* asked for; that of `lock` is overwritten by each try */
    uint64_t held_until_ns; /* the other's grant, as last heard */
    struct lock_wait *wait; /* NULL: it does not wait */
};

static struct lock_work *work_of(struct http_exchange *ex)
{
    return route_state(ex)->work;
}

static void end_work(struct http_exchange *ex)
{
    lock_wait_destroy(work_of(ex)->wait);
    free(route_state(ex)->work);
}

static struct lock_work *begin_work(struct http_exchange *ex)
{
    struct lock_work *work = route_begin_work(ex, sizeof *work, end_work);

    if (!work)
        return NULL;
    work->ttl_ms = LOCK_TTL_DEFAULT_MS;
    route_state(ex)->op.lock = &work->lock;
    return work;
}

/* ---- Answers ---- */

/* `head` opens the object and ends with a comma, if it has members. */
static void send_lock(struct http_exchange *ex, unsigned status, const char *head, const char *token)
{
    const struct engine_lock *lock = &work_of(ex)->lock;
    char memory[LOCK_TEXT_MAX], ttl[TTL_TEXT_SIZE];
    struct buffer text;

    ttl_format_json(lock->ttl_ms, ttl);
    buffer_init_fixed(&text, memory, sizeof memory);
    buffer_add_string(&text, head);
    if (token)
        buffer_add_format(&text, "\"token\":\"%s\",", token);
    buffer_add_string(&text, "\"fence\":");
    buffer_add_u64(&text, lock->fence);
    buffer_add_format(&text, ",\"ttl\":%s}\n", ttl);
    answer_json(ex, status, buffer_bytes(&text));
}

static void send_held(struct http_exchange *ex)
{
    struct lock_work *work = work_of(ex);
    uint64_t now_ns = loop_now(route_thread(ex)->loop);
    int64_t left_ms = work->held_until_ns > now_ns ? (int64_t)((work->held_until_ns - now_ns) / NS_PER_MS) : 0;
    char memory[64], ttl[TTL_TEXT_SIZE], retry[FORMAT_I64_MAX + 1];
    struct buffer members;

    lock_wait_destroy(work->wait);
    work->wait = NULL;
    ttl_format_json(left_ms, ttl);
    buffer_init_fixed(&members, memory, sizeof memory);
    buffer_add_format(&members, "\"ttl\":%s", ttl);
    retry[format_i64(retry, limit_retry_seconds(left_ms))] = '\0';
    http_reply_field(ex, "Retry-After", retry);
    problem_send_with(ex, PROBLEM_LOCK_HELD, "another holds this lock", buffer_bytes(&members));
}

/* The token names a grant that has ended, or another's. */
static void send_not_holder(struct http_exchange *ex)
{
    problem_send_about(ex, PROBLEM_PRECONDITION_FAILED, BYTES("Lock-Token"), "does not hold this lock, or no longer");
}

/* ---- Acquiring ---- */

static void finish_undo(struct http_exchange *ex)
{
    lock_wait_wake(route_thread(ex), &route_state(ex)->entry);
    send_held(ex);
}

static void send_granted(struct http_exchange *ex)
{
    struct lock_work *work = work_of(ex);
    bool has_waited = work->wait != NULL;
    char token[LOCK_TOKEN_TEXT_SIZE];

    lock_wait_destroy(work->wait);
    work->wait = NULL;
    if (has_waited && http_peer_gone(ex)) {
        route_submit(ex, ENGINE_LOCK_RELEASE, finish_undo);
        return;
    }
    lock_token_format(work->lock.token, token);
    send_lock(ex, 201, "{", token);
}

static void finish_acquire(struct http_exchange *ex)
{
    const struct engine_op *op = &route_state(ex)->op;
    struct lock_work *work = work_of(ex);

    if (op->status == ENGINE_OK) {
        send_granted(ex);
        return;
    }
    if (op->status != ENGINE_HELD) {
        lock_wait_destroy(work->wait);
        work->wait = NULL;
        outcome_send(ex, op);
        return;
    }
    work->held_until_ns = loop_now(route_thread(ex)->loop) + (uint64_t)work->lock.ttl_ms * NS_PER_MS;
    if (!work->wait || !lock_wait_sleep(work->wait, work->lock.ttl_ms))
        send_held(ex);
}

static void try_to_acquire(struct http_exchange *ex)
{
    struct lock_work *work = work_of(ex);

    work->lock.ttl_ms = work->ttl_ms;
    route_submit(ex, ENGINE_LOCK_ACQUIRE, finish_acquire);
}

void lock_acquire(struct http_exchange *ex)
{
    struct lock_work *work = begin_work(ex);
    int64_t wait_ms = 0;

    if (!work)
        return;
    const struct json_member members[] = {
        { "ttl", JSON_MEMBER_DURATION, false, 1, LOCK_TTL_LONGEST_MS, "must be 1 ms to 1 day", NULL, &work->ttl_ms },
        { "wait", JSON_MEMBER_DURATION, false, 0, LOCK_WAIT_LONGEST_MS, "must be 0 to 30 seconds", NULL, &wait_ms },
    };
    if (!json_members_read(ex, http_body(ex), members, sizeof members / sizeof members[0]))
        return;
    if (wait_ms > 0) {
        uint64_t until_ns = loop_now(route_thread(ex)->loop) + (uint64_t)wait_ms * NS_PER_MS;
        work->wait = lock_wait_create(ex, until_ns, try_to_acquire, send_held);
        if (!work->wait) {
            problem_send(ex, PROBLEM_OVERLOADED, "out of memory");
            return;
        }
    }
    randombytes_buf(work->lock.token, sizeof work->lock.token);
    try_to_acquire(ex);
}

/* ---- Renewing and releasing ---- */

static bool read_token(struct http_exchange *ex, struct lock_work *work)
{
    struct bytes text = http_request(ex)->fields[HTTP_FIELD_LOCK_TOKEN];

    if (!text.ptr) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("Lock-Token"), "missing");
        return false;
    }
    /* What is no token is asked about as one that no grant came with: the
     * answer is that of any other wrong one. */
    if (!lock_token_parse(text, work->lock.token))
        randombytes_buf(work->lock.token, sizeof work->lock.token);
    return true;
}

static void finish_renew(struct http_exchange *ex)
{
    const struct engine_op *op = &route_state(ex)->op;

    if (op->status == ENGINE_OK)
        send_lock(ex, 200, "{", NULL);
    else if (op->status == ENGINE_MISMATCH || op->status == ENGINE_MISS)
        send_not_holder(ex);
    else
        outcome_send(ex, op);
}

void lock_renew(struct http_exchange *ex)
{
    struct lock_work *work = begin_work(ex);

    if (!work || !read_token(ex, work))
        return;
    const struct json_member members[] = {
        { "ttl", JSON_MEMBER_DURATION, false, 1, LOCK_TTL_LONGEST_MS, "must be 1 ms to 1 day", NULL, &work->ttl_ms },
    };
    if (!json_members_read(ex, http_body(ex), members, 1))
        return;
    work->lock.ttl_ms = work->ttl_ms;
    route_submit(ex, ENGINE_LOCK_RENEW, finish_renew);
}

static void finish_release(struct http_exchange *ex)
{
    const struct engine_op *op = &route_state(ex)->op;

    if (op->status == ENGINE_OK) {
        lock_wait_wake(route_thread(ex), &route_state(ex)->entry);
        http_send_empty(ex, 204);
    } else if (op->status == ENGINE_MISMATCH || op->status == ENGINE_MISS) {
        send_not_holder(ex);
    } else {
        outcome_send(ex, op);
    }
}

void lock_release(struct http_exchange *ex)
{
    struct lock_work *work = begin_work(ex);

    if (work && read_token(ex, work))
        route_submit(ex, ENGINE_LOCK_RELEASE, finish_release);
}

/* ---- Looking ---- */

static void finish_read(struct http_exchange *ex)
{
    const struct engine_op *op = &route_state(ex)->op;

    if (op->status == ENGINE_OK)
        send_lock(ex, 200, "{\"held\":true,", NULL);
    else if (op->status == ENGINE_MISS)
        answer_json(ex, 200, BYTES("{\"held\":false}\n"));
    else
        outcome_send(ex, op);
}

void lock_read(struct http_exchange *ex)
{
    if (begin_work(ex))
        route_submit(ex, ENGINE_LOCK_GET, finish_read);
}
