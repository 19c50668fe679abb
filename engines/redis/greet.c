#include "engines/redis/fault.h"
#include "engines/redis/hiredis_compat.h"
#include "engines/redis/link.h"
#include "service/base/clock.h"

enum step_kind { STEP_AUTH, STEP_SELECT, STEP_NAME, STEP_ROLE, STEP_TIME, STEP_PING, STEP_LOAD };

static struct bytes reply_bytes(const struct redisReply *reply)
{
    return bytes_of(reply->str, reply->len);
}

static bool is_status(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_STATUS || reply->type == REDIS_REPLY_STRING;
}

static void doom_by_error(struct redis_link *link, const struct redisReply *reply)
{
    struct redis_fault fault;

    if (reply->type != REDIS_REPLY_ERROR) {
        redis_link_doom(link, LINK_BROKE, "redis answered the handshake with something else");
        return;
    }
    fault = redis_fault_of_error(reply_bytes(reply));
    redis_link_doom(link, fault.status == ENGINE_UNAVAILABLE ? LINK_NOT_SERVING : LINK_TURNED_AWAY, fault.detail);
}

static bool says_master(const struct redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
           reply->element[0]->type == REDIS_REPLY_STRING &&
           bytes_equal(reply_bytes(reply->element[0]), BYTES("master"));
}

static bool take_digest(struct redis_link *link, enum redis_script script, const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING || reply->len != SCRIPT_DIGEST_LEN)
        return false;
    memcpy(link->digests[script], reply->str, SCRIPT_DIGEST_LEN);
    return true;
}

void redis_link_take_time(struct redis_link *link, const struct redisReply *reply, uint64_t asked_ns)
{
    uint64_t now = clock_monotonic_ns(), middle_ms = (asked_ns + (now - asked_ns) / 2) / NS_PER_MS;
    unsigned long long seconds, micros;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING || reply->element[1]->type != REDIS_REPLY_STRING ||
        !bytes_to_u64(reply_bytes(reply->element[0]), UINT32_MAX, &seconds) ||
        !bytes_to_u64(reply_bytes(reply->element[1]), 999999, &micros))
        return;
    /* A slow answer tells little: half its time is the error. */
    if (link->clock_known && now - asked_ns > 20 * NS_PER_MS)
        return;
    link->clock_known = true;
    link->clock_offset_ms = (int64_t)(seconds * 1000 + micros / 1000) - (int64_t)middle_ms;
}

/* True: the step went well. */
static bool take_step(struct redis_link *link, unsigned kind, const struct redisReply *reply)
{
    switch (kind) {
    case STEP_NAME:
        return true; /* a name is a courtesy: an ACL may deny it */
    case STEP_AUTH:
    case STEP_SELECT:
    case STEP_PING:
        return is_status(reply);
    case STEP_ROLE:
        if (reply->type == REDIS_REPLY_ARRAY && !says_master(reply))
            redis_link_doom(link, LINK_NOT_SERVING, "redis: not the master");
        return says_master(reply);
    case STEP_TIME:
        redis_link_take_time(link, reply, link->beat_ns);
        return link->clock_known;
    default:
        return take_digest(link, (enum redis_script)(kind - STEP_LOAD), reply);
    }
}

static void on_step(struct redis_call *call, enum call_end end, struct redisReply *reply)
{
    struct redis_step *step = (struct redis_step *)(void *)call;
    struct redis_link *link = step->link;

    if (end != CALL_REPLIED)
        return; /* the link is closing and has told its owner why */
    if (!take_step(link, step->kind, reply)) {
        doom_by_error(link, reply);
        return;
    }
    if (step != &link->steps[link->step_count - 1])
        return;
    link->state = LINK_READY;
    link->owner->ready(link);
}

/* Begins a step's command of `count` arguments, its name being the first. */
static void begin_step(struct redis_link *link, unsigned kind, size_t count, struct bytes name)
{
    struct redis_step *step = &link->steps[link->step_count++];

    step->link = link;
    step->kind = kind;
    redis_link_push(link, &step->call, on_step);
    redis_outbox_command(&link->outbox, count);
    redis_outbox_bulk(&link->outbox, name);
}

static void authenticate(struct redis_link *link)
{
    const struct redis_greeting *greeting = link->greeting;

    begin_step(link, STEP_AUTH, greeting->username ? 3 : 2, BYTES("AUTH"));
    if (greeting->username)
        redis_outbox_bulk(&link->outbox, bytes_str(greeting->username));
    redis_outbox_bulk(&link->outbox, bytes_str(greeting->password ? greeting->password : ""));
}

static void load_scripts(struct redis_link *link)
{
    for (unsigned i = 0; i < SCRIPTS; i++) {
        begin_step(link, STEP_LOAD + i, 3, BYTES("SCRIPT"));
        redis_outbox_bulk(&link->outbox, BYTES("LOAD"));
        redis_outbox_bulk(&link->outbox, bytes_str(redis_script_text((enum redis_script)i)));
    }
}

void redis_link_greet(struct redis_link *link)
{
    const struct redis_greeting *greeting = link->greeting;

    link->step_count = 0;
    if (greeting->username || greeting->password)
        authenticate(link);
    if (greeting->db != 0) {
        begin_step(link, STEP_SELECT, 2, BYTES("SELECT"));
        redis_outbox_bulk_number(&link->outbox, greeting->db);
    }
    if (greeting->client_name) {
        begin_step(link, STEP_NAME, 3, BYTES("CLIENT"));
        redis_outbox_bulk(&link->outbox, BYTES("SETNAME"));
        redis_outbox_bulk(&link->outbox, bytes_str(greeting->client_name));
    }
    if (greeting->expect_master)
        begin_step(link, STEP_ROLE, 1, BYTES("ROLE"));
    if (greeting->scripts)
        load_scripts(link);
    link->beat_ns = clock_monotonic_ns();
    if (greeting->scripts)
        begin_step(link, STEP_TIME, 1, BYTES("TIME"));
    else
        begin_step(link, STEP_PING, 1, BYTES("PING"));
}
