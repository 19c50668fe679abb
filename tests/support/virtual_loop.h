/* virtual_loop.h - loop.h over a clock that only the test moves.
 *
 * A test that lists virtual_loop.c among its sources gets these definitions
 * in place of service/base/loop.c: timers fire in order when the test moves
 * the clock past them, and nothing ever waits. Descriptors, signals and name
 * resolution are not there. One thread; loop_post() included. */
#pragma once

#include "service/base/loop.h"

/* The time a new loop starts with, ns. */
#define VIRTUAL_LOOP_START UINT64_C(1000000000000)

/* Moves the clock by `ns` and fires, at its own time, each timer on the way;
 * messages posted meanwhile are served and hooks run. */
void virtual_loop_advance(struct loop *loop, uint64_t ns);

/* Timers that are set, and how often any timer was set so far. */
unsigned virtual_loop_armed(const struct loop *loop);
unsigned virtual_loop_settings(const struct loop *loop);

/* From now on loop_timer_create() fails. */
void virtual_loop_refuse_timers(struct loop *loop);
