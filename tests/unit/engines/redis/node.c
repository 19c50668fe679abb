/* Which of a server's links a command takes. */
#include "engines/redis/session.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct fixture {
    struct redis_config config;
    struct redis_session session;
    struct redis_node node;
};

static struct fixture *ready_node(unsigned wait_replicas)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    cr_assert_not_null(fixture);
    fixture->config.wait_replicas = wait_replicas;
    fixture->session.config = &fixture->config;
    fixture->node.session = &fixture->session;
    fixture->node.link_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        redis_outbox_init(&fixture->node.links[i].outbox);
        fixture->node.links[i].state = LINK_READY;
    }
    return fixture;
}

Test(redis_node, ordered_commands_share_a_link_where_reads_and_writes_do_not)
{
    struct fixture *fixture = ready_node(1);
    struct redis_node *node = &fixture->node;

    cr_assert_neq(redis_node_link(node, true), redis_node_link(node, false));
    cr_assert_eq(redis_node_ordered_link(node), redis_node_link(node, true), "a WAIT holds up no other read");
    free(fixture);
}

Test(redis_node, ordered_commands_stay_on_a_link_that_is_held_up)
{
    struct fixture *fixture = ready_node(0);
    struct redis_node *node = &fixture->node;
    struct redis_link *link = redis_node_ordered_link(node);

    link->outbox.appended = 1024 * 1024;
    cr_assert_eq(redis_node_ordered_link(node), link);
    link->outbox.appended = LINK_UNSENT_MAX;
    cr_assert_null(redis_node_ordered_link(node), "no room is no reason to overtake");
    link->doomed = true;
    cr_assert_neq(redis_node_ordered_link(node), link);
    cr_assert_not_null(redis_node_ordered_link(node));
    free(fixture);
}
