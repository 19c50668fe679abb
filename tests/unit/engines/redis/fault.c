#include "engines/redis/fault.h"

#include <criterion/criterion.h>

static void expect(const char *error, enum engine_status status, enum fault_action action)
{
    struct redis_fault fault = redis_fault_of_error(bytes_str(error));

    cr_assert_eq(fault.status, status, "%s: %s", error, engine_status_name(fault.status));
    cr_assert_eq(fault.action, action, "%s", error);
    cr_assert_not_null(fault.detail);
}

Test(redis_fault, each_error_has_its_outcome)
{
    expect("LOADING Redis is loading the dataset in memory", ENGINE_UNAVAILABLE, FAULT_ANSWER);
    expect("BUSY Redis is busy running a script.", ENGINE_UNAVAILABLE, FAULT_ANSWER);
    expect("MASTERDOWN Link with MASTER is down", ENGINE_UNAVAILABLE, FAULT_DROP);
    expect("READONLY You can't write against a read only replica.", ENGINE_UNAVAILABLE, FAULT_DROP);
    expect("OOM command not allowed when used memory > 'maxmemory'.", ENGINE_FULL, FAULT_ANSWER);
    expect("NOAUTH Authentication required.", ENGINE_REFUSED, FAULT_DROP);
    expect("WRONGPASS invalid username-password pair", ENGINE_REFUSED, FAULT_DROP);
    expect("NOPERM this user has no permissions", ENGINE_REFUSED, FAULT_ANSWER);
    expect("NOSCRIPT No matching script.", ENGINE_UNAVAILABLE, FAULT_NO_SCRIPT);
    expect("MOVED 1 127.0.0.1:7000", ENGINE_UNAVAILABLE, FAULT_MOVED);
    expect("ASK 1 127.0.0.1:7000", ENGINE_UNAVAILABLE, FAULT_ASK);
    expect("TRYAGAIN Multiple keys request", ENGINE_UNAVAILABLE, FAULT_TRY_AGAIN);
    expect("CLUSTERDOWN Hash slot not served", ENGINE_UNAVAILABLE, FAULT_CLUSTER_DOWN);
    expect("WRONGTYPE Operation against a key", ENGINE_UNAVAILABLE, FAULT_ANSWER);
}

Test(redis_fault, an_unknown_error_is_a_failure_and_never_a_miss)
{
    expect("", ENGINE_FAILED, FAULT_ANSWER);
    expect("ERR unknown command", ENGINE_FAILED, FAULT_ANSWER);
    expect("LOADINGX", ENGINE_FAILED, FAULT_ANSWER);
    expect("loading", ENGINE_FAILED, FAULT_ANSWER);
}

Test(redis_fault, errors_inside_of_scripts_are_seen_through)
{
    expect("ERR Error running script (call to f_ab): @user_script:3: @user_script: 3: -OOM command not allowed",
           ENGINE_FULL, FAULT_ANSWER);
    expect("ERR Error running script (call to f_ab): @user_script:3: -READONLY You", ENGINE_UNAVAILABLE, FAULT_DROP);
    expect("ERR Error running script (call to f_ab)", ENGINE_FAILED, FAULT_ANSWER);
}
