#include "routes/crowd.h"

static void done(struct engine_op *op)
{
    struct crowd *crowd = op->context;

    op->context = NULL;
    engine_time_see(&crowd->longest_ns, op);
    if (--crowd->pending > 0)
        return;
    engine_time_add(crowd->time, &crowd->longest_ns);
    crowd->finish(crowd->context);
}

bool crowd_submit(struct crowd *crowd, struct engine_op *ops, size_t count, uint64_t now_ns, uint64_t deadline_ns)
{
    struct engine_op *pointers[CROWD_MAX];
    enum engine_progress progress[CROWD_MAX];

    for (size_t i = 0; i < count; i++) {
        ops[i].now_ns = now_ns;
        ops[i].deadline_ns = deadline_ns;
        ops[i].done = done;
        ops[i].context = crowd;
        pointers[i] = &ops[i];
    }
    crowd->pending = engine_submit_batch(crowd->session, pointers, count, progress);
    if (crowd->time)
        crowd->time->operations += count;
    for (size_t i = 0; i < count; i++) {
        if (progress[i] != ENGINE_DONE)
            continue;
        ops[i].context = NULL;
        engine_time_see(&crowd->longest_ns, &ops[i]);
    }
    if (crowd->pending == 0)
        engine_time_add(crowd->time, &crowd->longest_ns);
    return crowd->pending > 0;
}

void crowd_cancel(struct crowd *crowd, struct engine_op *ops, size_t count)
{
    for (size_t i = 0; crowd->pending > 0 && i < count; i++) {
        if (ops[i].context != crowd)
            continue;
        ops[i].context = NULL;
        crowd->pending--;
        (void)engine_cancel(crowd->session, &ops[i]);
    }
}
