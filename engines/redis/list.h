/* list.h - pages of keys and of namespaces.
 *
 *   list.c         the keys of a namespace: steps of SCAN until a page is full
 *   list_script.c  one step, as a script
 *   list_cursor.c  where a listing goes on
 *   list_errand.c  how a step gets to a server
 *   namespaces.c   the namespaces, from a registry
 *
 * A page is a bounded number of steps; it may hold fewer keys than asked for,
 * or none, and not be the last. A key that stands throughout a listing is on
 * one of its pages at least; where the keyspace changes meanwhile it may be on
 * two. A server that restarts or fails over is walked anew.
 *
 * Threading: a session's thread. */
#pragma once

#include "engines/engine.h"

struct redis_session;

/* As submit and cancel of an engine's table, for ENGINE_LIST and
 * ENGINE_NAMESPACES. */
enum engine_progress redis_list_start(struct redis_session *session, struct engine_op *op);
enum engine_status redis_list_cancel(struct engine_op *op);

/* SCRIPT_LIST. */
const char *redis_list_script_text(void);
