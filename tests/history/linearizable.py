"""Is there an order of the operations on one key that explains all results?

Linearizability (Herlihy and Wing 1990): each operation takes effect at one instant between its start and its end. The
search goes through the starts and ends in the order of time and keeps every configuration that is still possible: the
state of the model, and which of the operations under way have taken effect already (as in Wing and Gong 1993, and Lowe's
just-in-time variant of 2017). At an operation's end only those configurations go on in which it has taken effect.
"""

from history.record import NEVER, TooHard, Violation

CONFIGURATIONS_MAX = 200_000


def _orders_that_end_with(wanted, state, effected, under_way, step):
    """All (state, effected) after any of the operations under way and then `wanted` took effect."""
    reached, seen, stack = set(), set(), [(state, effected)]
    while stack:
        configuration = stack.pop()
        if configuration in seen:
            continue
        seen.add(configuration)
        if len(seen) > CONFIGURATIONS_MAX:
            raise TooHard("one operation has too many possible orders")
        state, effected = configuration
        after = step(state, under_way[wanted])
        if after is not None:
            reached.add((after, effected | {wanted}))
        for number, op in under_way.items():
            if number == wanted or number in effected:
                continue
            after = step(state, op)
            if after is not None:
                stack.append((after, effected | {number}))
    return reached


def check_linearizable(ops, initial, step):
    """Raises Violation when no order explains the results.

    step(state, op) gives the state after `op` if its result is right for `state`, else None. States are hashable.
    """
    ops = sorted(ops, key=lambda op: op.start)
    events = [(op.start, 0, number) for number, op in enumerate(ops)]
    events += [(op.end, 1, number) for number, op in enumerate(ops) if op.end != NEVER]
    events.sort()
    configurations, under_way = {(initial, frozenset())}, {}
    for _, ends, number in events:
        if not ends:
            under_way[number] = ops[number]
            continue
        after = set()
        for state, effected in configurations:
            if number in effected:
                after.add((state, effected - {number}))
                continue
            for state_then, effected_then in _orders_that_end_with(number, state, effected, under_way, step):
                after.add((state_then, effected_then - {number}))
        if not after:
            raise Violation(_describe(ops, number, configurations))
        if len(after) > CONFIGURATIONS_MAX:
            raise TooHard(f"{ops[number].key}: too many possible orders")
        del under_way[number]
        configurations = after


def _describe(ops, number, configurations):
    op = ops[number]
    states = sorted({repr(state) for state, _ in configurations})[:8]
    near = [other for other in ops if other.end >= op.start - 1_000_000 and other.start <= op.end][:20]
    return "\n".join([f"{op.key}: nothing explains {op}", f"possible states before: {', '.join(states)}",
                      "near it:", *(f"  {other}" for other in near)])
