#include "engines/redis/fault.h"

#include <stddef.h>

static const struct {
    struct bytes word; /* with the blank that ends it, or a longer beginning */
    struct redis_fault fault;
} faults[] = {
    { { "NOSCRIPT ", 9 }, { ENGINE_UNAVAILABLE, FAULT_NO_SCRIPT, "redis forgot a script" } },
    { { "MOVED ", 6 }, { ENGINE_UNAVAILABLE, FAULT_MOVED, "redis: the slot has moved" } },
    { { "ASK ", 4 }, { ENGINE_UNAVAILABLE, FAULT_ASK, "redis: the slot is being moved" } },
    { { "TRYAGAIN ", 9 }, { ENGINE_UNAVAILABLE, FAULT_TRY_AGAIN, "redis: the slot is being moved" } },
    { { "CLUSTERDOWN ", 12 }, { ENGINE_UNAVAILABLE, FAULT_CLUSTER_DOWN, "redis: the cluster is down" } },
    { { "CROSSSLOT ", 10 }, { ENGINE_FAILED, FAULT_ANSWER, "redis: keys of one command in several slots" } },
    { { "LOADING ", 8 }, { ENGINE_UNAVAILABLE, FAULT_ANSWER, "redis is loading its data" } },
    { { "BUSY ", 5 }, { ENGINE_UNAVAILABLE, FAULT_ANSWER, "redis is busy running a script" } },
    { { "MASTERDOWN ", 11 }, { ENGINE_UNAVAILABLE, FAULT_DROP, "redis: a replica without its master" } },
    { { "READONLY ", 9 }, { ENGINE_UNAVAILABLE, FAULT_DROP, "redis: a read-only replica" } },
    { { "UNBLOCKED ", 10 }, { ENGINE_UNAVAILABLE, FAULT_DROP, "redis: no longer the master" } },
    { { "MISCONF ", 8 }, { ENGINE_UNAVAILABLE, FAULT_ANSWER, "redis cannot save and refuses writes" } },
    { { "NOREPLICAS ", 11 }, { ENGINE_UNAVAILABLE, FAULT_ANSWER, "redis has too few replicas for a write" } },
    /* A tag's generation that was moved, or is not there; which of them, only a
     * settled slot can tell. */
    { { "ERR Script attempted to access a non local key", 46 },
      { ENGINE_UNAVAILABLE, FAULT_TRY_AGAIN, "redis: the slot is being moved" } },
    { { "OOM ", 4 }, { ENGINE_FULL, FAULT_ANSWER, "redis has no memory left" } },
    { { "NOAUTH ", 7 }, { ENGINE_REFUSED, FAULT_DROP, "redis asks for a password" } },
    { { "WRONGPASS ", 10 }, { ENGINE_REFUSED, FAULT_DROP, "redis refuses the password" } },
    { { "NOPERM ", 7 }, { ENGINE_REFUSED, FAULT_ANSWER, "redis refuses permission" } },
    { { "DENIED ", 7 }, { ENGINE_REFUSED, FAULT_DROP, "redis runs in protected mode" } },
    /* Told of the entry's key, before anything is written. */
    { { "WRONGTYPE ", 10 }, { ENGINE_UNAVAILABLE, FAULT_ANSWER, "the key holds another Redis type" } },
    { { "ERR max number of clients", 25 }, { ENGINE_UNAVAILABLE, FAULT_DROP, "redis has too many clients" } },
    { { "ERR invalid password", 20 }, { ENGINE_REFUSED, FAULT_DROP, "redis refuses the password" } },
    { { "ERR Client sent AUTH", 20 }, { ENGINE_REFUSED, FAULT_DROP, "redis has no password set" } },
    { { "ERR AUTH <password>", 19 }, { ENGINE_REFUSED, FAULT_DROP, "redis has no password set" } },
    { { "ERR DB index", 12 }, { ENGINE_REFUSED, FAULT_DROP, "redis has no database of that number" } },
    { { "ERR SELECT is not", 17 }, { ENGINE_REFUSED, FAULT_DROP, "a cluster has database 0 only" } },
    { { "ERR syntax error", 16 }, { ENGINE_REFUSED, FAULT_ANSWER, "redis is too old: 6.2 is needed" } },
    { { "ERR Protocol error", 18 }, { ENGINE_FAILED, FAULT_DROP, "redis reports a protocol error" } },
};

/* Before Redis 7 an error inside a script is wrapped: "ERR Error running
 * script (call to f_…): @user_script:1: -OOM command not allowed…". */
static struct bytes unwrap(struct bytes error)
{
    static const char mark[] = ": -";
    const char *inner;

    if (!bytes_starts_with(error, BYTES("ERR Error running script")))
        return error;
    inner = memmem(error.ptr, error.len, mark, sizeof mark - 1);
    if (!inner)
        return error;
    inner += sizeof mark - 1;
    return bytes_of(inner, error.len - (size_t)(inner - error.ptr));
}

struct redis_fault redis_fault_of_error(struct bytes error)
{
    error = unwrap(error);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        if (bytes_starts_with(error, faults[i].word))
            return faults[i].fault;
    return (struct redis_fault){ ENGINE_FAILED, FAULT_ANSWER, "redis reports an error" };
}
