/* fault.h - what an error reply or a lost connection means.
 *
 * Redis names the kind of an error by its first word; redis_fault_of_error() maps it
 * to an outcome, a text for people and what to do about the connection. */
#pragma once

#include <stdbool.h>

#include "engines/engine.h"
#include "service/base/bytes.h"

enum fault_action {
    FAULT_ANSWER,      /* tell the submitter */
    FAULT_DROP,        /* tell, and give the connection up: it is to the wrong server, or not let in */
    FAULT_NO_SCRIPT,   /* send the script's text */
    FAULT_MOVED,       /* cluster: ask elsewhere, and learn the slots anew */
    FAULT_ASK,         /* cluster: ask elsewhere this once */
    FAULT_TRY_AGAIN,   /* cluster: the slot is being moved, soon */
    FAULT_CLUSTER_DOWN /* tell, and learn the slots anew */
};

struct redis_fault {
    enum engine_status status;
    enum fault_action action;
    const char *detail; /* static */
};

struct redis_fault redis_fault_of_error(struct bytes error);
