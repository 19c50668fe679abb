"""Sequential models for linearizable.py: what a correct entry, or counter, does.

An entry's state is (id, fence): the id of the write that stands, None for nothing, and the highest fence seen. Each write
stores an id of its own, so a read tells exactly which write it saw. A counter's state is its value, or ABSENT.
"""

NOTHING = (None, 0)
ABSENT = "absent"


class Put:
    """What a write asked for; hashable parts only."""

    __slots__ = ("fence", "id", "if_match", "if_none")

    def __init__(self, id, if_match=None, if_none=False, fence=0):
        self.id, self.if_match, self.if_none, self.fence = id, if_match, if_none, fence

    def __repr__(self):
        return f"Put(id={self.id}, if_match={self.if_match}, if_none={self.if_none}, fence={self.fence})"


def _put(state, op):
    stands, fence = state
    args = op.args
    holds = ((args.if_match is None or stands == args.if_match) and (not args.if_none or stands is None)
             and (args.fence == 0 or args.fence >= fence))
    if op.result == "refused":
        return None if holds else state
    if not holds or (op.result == "created" and stands is not None) or (op.result == "replaced" and stands is None):
        return None
    return (args.id, max(fence, args.fence))


def entry_step(state, op):
    """put: Put, result created, replaced, refused. get: result the id, or "absent". delete: result True (stood) or
    False. flush: no result. A result of None is not known."""
    if op.kind == "put":
        return _put(state, op)
    if op.kind == "get":
        return state if state[0] == (None if op.result == "absent" else op.result) else None
    if op.kind == "delete":
        return NOTHING if op.result is None or op.result == (state[0] is not None) else None
    if op.kind == "flush":
        return NOTHING
    raise ValueError(op.kind)


def counter_step(state, op):
    """add: args (by, initial, min, max), result the value, or ("bound", value). get: the value or "absent".
    set: args value. delete: result True or False."""
    if op.kind == "add":
        by, initial, least, most = op.args
        before = initial if state == ABSENT else state
        fits = least <= before + by <= most
        if op.result is None:
            return before + by if fits else None
        if isinstance(op.result, tuple):
            return state if not fits and op.result[1] == before else None
        return op.result if fits and op.result == before + by else None
    if op.kind == "get":
        return state if op.result == state else None
    if op.kind == "set":
        return op.args
    if op.kind == "delete":
        return ABSENT if op.result is None or op.result == (state != ABSENT) else None
    raise ValueError(op.kind)

