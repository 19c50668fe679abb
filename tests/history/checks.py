"""Judges a whole history: sorts its operations by what they are about, and applies the checks to each key."""

from collections import defaultdict

from history.linearizable import check_linearizable
from history.models import ABSENT, NOTHING, counter_step, entry_step
from history.record import NEVER, Op
from history.rules import check_leases, check_limits, check_locks

ENTRY, COUNTER, LOCK, LIMIT, LEASE = "entry", "counter", "lock", "limit", "lease"


def _with_flushes(ops, flushes):
    """A flush is an operation on each key of its namespace that was in use meanwhile."""
    begin = min(op.start for op in ops)
    end = max(op.end if op.known else op.start for op in ops)
    return ops + [flush for flush in flushes if flush.start <= end and flush.end >= begin]


def _as_entry(op):
    """What an operation of a lease means for the entry; None: nothing."""
    if op.kind == "lease":
        found = op.result[1] if op.result[0] == "hit" else "absent"
        return Op("get", op.key, op.start, op.end, None, found)
    if op.kind == "fill":
        if op.result is False:
            return None
        result = None if op.result is None else op.args[2]
        return Op("put", op.key, op.start, op.end, op.args[1], result)
    return op


def check_history(records):
    """`records`: (subject, namespace, Op). Returns how many operations and keys were judged; raises Violation."""
    keys, flushes = defaultdict(list), defaultdict(list)
    for subject, ns, op in records:
        if op.kind == "flush":
            flushes[subject, ns].append(op)
        else:
            keys[subject, ns, op.key].append(op)
    for (subject, ns, _), ops in keys.items():
        _check_key(subject, ops, flushes[subject, ns])
    return len(records), len(keys)


def _check_key(subject, ops, flushes):
    if subject == ENTRY:
        check_linearizable(_with_flushes(ops, flushes), NOTHING, entry_step)
    elif subject == COUNTER:
        check_linearizable(ops, ABSENT, counter_step)
    elif subject == LOCK:
        check_locks(ops)
    elif subject == LIMIT:
        check_limits(ops)
    elif subject == LEASE:
        all_ops = _with_flushes(ops, flushes)
        check_leases(all_ops)
        check_linearizable([op for op in map(_as_entry, all_ops) if op is not None], NOTHING, entry_step)
    else:
        raise ValueError(subject)


def unknown(op):
    """The same operation with an outcome that nobody knows."""
    return op._replace(end=NEVER, result=None)
