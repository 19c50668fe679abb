/* slow_service.c - the service over a memory engine that is slow, failing or
 * silent on demand; for the HTTP tests of suspension, deadlines and drain.
 *
 *   FAULT_RULES   rules separated by ';', each of a verb (or *) and words:
 *                 "put:delay=200;get:drop;delete:fail=unavailable:every=2"
 *   FAULT_UNREADY what /readyz is told
 *
 * All settings of the service apply. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engines/fault.h"
#include "engines/memory/memory.h"
#include "service/service.h"

static void die(const char *what, const char *text)
{
    fprintf(stderr, "slow_service: %s: %s\n", what, text);
    exit(EXIT_FAILURE);
}

static unsigned verb_flags(const char *name)
{
    if (strcmp(name, "*") == 0)
        return FAULT_ALL_VERBS;
    for (int verb = ENGINE_GET; verb < ENGINE_VERBS; verb++)
        if (strcmp(name, engine_verb_name((enum engine_verb)verb)) == 0)
            return FAULT_VERB(verb);
    die("no such verb", name);
    return 0;
}

static enum engine_status status_named(const char *name)
{
    for (int status = 0; status < ENGINE_STATUSES; status++)
        if (strcmp(name, engine_status_name((enum engine_status)status)) == 0)
            return (enum engine_status)status;
    die("no such status", name);
    return ENGINE_FAILED;
}

static void read_word(struct fault_rule *rule, const char *word)
{
    if (strncmp(word, "delay=", 6) == 0) {
        rule->delay_ms = strtoull(word + 6, NULL, 10);
    } else if (strncmp(word, "every=", 6) == 0) {
        rule->every = (unsigned)strtoul(word + 6, NULL, 10);
    } else if (strncmp(word, "fail=", 5) == 0) {
        rule->fail = true;
        rule->status = status_named(word + 5);
    } else if (strcmp(word, "drop") == 0) {
        rule->drop = true;
    } else {
        die("no such word", word);
    }
}

static void read_rules(struct engine *engine, char *text)
{
    struct fault_rule rules[FAULT_RULES_MAX] = { 0 };
    size_t count = 0;
    char *outer, *inner;

    for (char *rule = strtok_r(text, ";", &outer); rule; rule = strtok_r(NULL, ";", &outer)) {
        if (count == FAULT_RULES_MAX)
            die("too many rules", rule);
        rules[count].verbs = verb_flags(strtok_r(rule, ":", &inner));
        for (char *word = strtok_r(NULL, ":", &inner); word; word = strtok_r(NULL, ":", &inner))
            read_word(&rules[count], word);
        count++;
    }
    fault_set_rules(engine, rules, count);
}

int main(void)
{
    struct settings_report report;
    const struct settings *settings;
    struct engine *engine;

    settings_report_init(&report);
    settings = settings_load(environ, &report);
    if (!settings)
        settings_report_print(&report, stderr);
    settings_report_release(&report);
    if (!settings)
        return SETTINGS_EXIT_STATUS;
    const struct memory_options options = { .max_bytes = settings->memory_max_bytes };
    engine = fault_open(memory_open(&options));
    if (!engine)
        die("engine", "out of memory");
    if (getenv("FAULT_RULES"))
        read_rules(engine, getenv("FAULT_RULES"));
    fault_set_unready(engine, getenv("FAULT_UNREADY"));
    return service_run(engine, settings, settings->http_threads > 0 ? (unsigned)settings->http_threads : 2);
}
