/* fault.h - a decorator that delays, fails or drops operations by rules.
 *
 * Over the memory engine it is the slow, failing or silent engine that tests
 * need. What it holds back counts as sent: cancelled meanwhile, it is answered
 * ENGINE_LATE as by an engine that is far away, though it never takes effect.
 *
 * Threading: rules may be set at any time from any thread; each operation
 * follows those that stand when it is submitted. */
#pragma once

#include "engines/engine.h"

#define FAULT_RULES_MAX 8

/* In fault_rule.verbs. */
#define FAULT_VERB(verb) (1u << (verb))
#define FAULT_ALL_VERBS (~0u)

struct fault_rule {
    unsigned verbs;    /* FAULT_VERB() flags that it applies to */
    unsigned every;    /* the every-th such operation only, counted over all threads; 0, 1: each */
    uint64_t delay_ms; /* held back for so long before anything else happens; 0: at once */
    bool drop;         /* never answered */
    bool fail;         /* answered with `status`, without the engine below */
    enum engine_status status;
};

/* Wraps `inner`, which it closes with itself, also when it fails. `inner` may
 * be NULL (an engine that failed to open): NULL. No rules: passes all on. */
struct engine *fault_open(struct engine *inner) MUST_CHECK;

/* Replaces all rules by copies of `rules`, at most FAULT_RULES_MAX (more are
 * ignored), and starts counting anew. The first that applies is followed. */
void fault_set_rules(struct engine *engine, const struct fault_rule *rules, size_t count);

/* What /readyz is told: NULL, ready as the engine below; else a static text. */
void fault_set_unready(struct engine *engine, const char *reason);

/* Operations held back in all sessions at this moment. */
size_t fault_held(struct engine *engine);
