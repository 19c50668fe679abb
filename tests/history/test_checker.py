"""The checker itself: right histories pass, and each of these wrong ones is turned down."""

import os
import random
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from history.checks import COUNTER, ENTRY, LEASE, LIMIT, LOCK, check_history, unknown  # noqa: E402
from history.models import Put  # noqa: E402
from history.record import SECOND, Op, Violation  # noqa: E402

MS = SECOND // 1000
WORST = (-(2**63), 2**63 - 1)


def put(id, start, end, result="replaced", **how):
    return Op("put", "k", start * MS, end * MS, Put(id, **how), result)


def get(start, end, result):
    return Op("get", "k", start * MS, end * MS, None, result)


def delete(start, end, stood):
    return Op("delete", "k", start * MS, end * MS, None, stood)


def flush(start, end):
    return Op("flush", "*", start * MS, end * MS, None, True)


def add(start, end, result, by=1, least=WORST[0], most=WORST[1]):
    return Op("add", "k", start * MS, end * MS, (by, 0, least, most), result)


def acquire(start, end, result, ttl=1000):
    return Op("acquire", "k", start * MS, end * MS, ttl * MS, result)


def release(start, end, token, done=True):
    return Op("release", "k", start * MS, end * MS, token, done)


def take(start, end, allowed, algorithm="sliding-window", limit=2, window=1000):
    return Op("take", "k", start * MS, end * MS, (algorithm, limit, window * MS, 1), allowed)


def lease(start, end, result, ttl=10_000):
    return Op("lease", "k", start * MS, end * MS, ttl * MS, result)


def fill(start, end, token, id, done=True):
    return Op("fill", "k", start * MS, end * MS, (token, Put(id), "created"), done)


def judge(subject, ops):
    return check_history([(subject, "ns", op) for op in ops])


WRONG = {
    "a read of what was never written": (ENTRY, [get(0, 1, 7)]),
    "a read of nothing after a confirmed write": (ENTRY, [put(1, 0, 1, "created"), get(2, 3, "absent")]),
    "a stale read": (ENTRY, [put(1, 0, 1, "created"), put(2, 2, 3), get(4, 5, 1)]),
    "reads that go back in time": (ENTRY, [put(1, 0, 1, "created"), put(2, 2, 9), get(3, 4, 2), get(5, 6, 1)]),
    "a read of a flushed entry": (ENTRY, [put(1, 0, 1, "created"), flush(2, 3), get(4, 5, 1)]),
    "a read of a deleted entry": (ENTRY, [put(1, 0, 1, "created"), delete(2, 3, True), get(4, 5, 1)]),
    "two winners of create-if-absent": (ENTRY, [put(1, 0, 5, "created", if_none=True), put(2, 1, 6, "created", if_none=True)]),
    "two winners of one If-Match": (ENTRY, [put(1, 0, 1, "created"), put(2, 2, 6, "replaced", if_match=1),
                                            put(3, 3, 7, "replaced", if_match=1)]),
    "a refusal without a reason": (ENTRY, [put(1, 0, 1, "created"), put(2, 2, 3, "refused", if_match=1)]),
    "a lost update": (ENTRY, [put(1, 0, 1, "created"), put(2, 2, 3, "replaced", if_match=1), get(4, 5, 1)]),
    "created where something stood": (ENTRY, [put(1, 0, 1, "created"), put(2, 2, 3, "created")]),
    "a delete of nothing that found something": (ENTRY, [delete(0, 1, True)]),
    "a fenced write that came too late": (ENTRY, [put(1, 0, 1, "created", fence=5), put(2, 2, 3, "replaced", fence=4)]),
    "a fence that a plain write forgot": (ENTRY, [put(1, 0, 1, "created", fence=5), put(2, 2, 3), put(3, 4, 5, fence=4)]),
    "an unknown write that came and went": (ENTRY, [put(1, 0, 1, "created"), unknown(put(2, 2, 3)), get(4, 5, 2),
                                                     get(6, 7, 1)]),
    "a lost increment": (COUNTER, [add(0, 1, 1), add(2, 3, 2), Op("get", "k", 4 * MS, 5 * MS, None, 1)]),
    "two increments with one result": (COUNTER, [add(0, 5, 1), add(1, 6, 1)]),
    "an increment too many": (COUNTER, [add(0, 1, 1), add(2, 3, 3)]),
    "a bound that was passed": (COUNTER, [add(0, 1, 1, most=1), add(2, 3, 2, most=1)]),
    "a bound without a reason": (COUNTER, [add(0, 1, 1, most=9), add(2, 3, ("bound", 1), most=9)]),
    "a counter that came back": (COUNTER, [add(0, 1, 1), Op("delete", "k", 2 * MS, 3 * MS, None, True), add(4, 5, 2)]),
    "two holders of a lock": (LOCK, [acquire(0, 1, ("a", 1)), acquire(2, 3, ("b", 2))]),
    "a lock granted before it was released": (LOCK, [acquire(0, 1, ("a", 1)), acquire(100, 101, ("b", 2)),
                                                     release(300, 301, "a")]),
    "a fence that does not grow": (LOCK, [acquire(0, 1, ("a", 2)), release(2, 3, "a"), acquire(4, 5, ("b", 1))]),
    "one fence for two": (LOCK, [acquire(0, 1, ("a", 2)), release(2, 3, "a"), acquire(4, 5, ("b", 2))]),
    "a release by a stranger": (LOCK, [acquire(0, 1, ("a", 1)), release(2, 3, "z")]),
    "a release after the time was over": (LOCK, [acquire(0, 1, ("a", 1)), release(5000, 5001, "a")]),
    "two releases of one grant": (LOCK, [acquire(0, 1, ("a", 1)), release(2, 3, "a"), release(4, 5, "a")]),
    "held by nobody": (LOCK, [acquire(0, 1, ("a", 1)), release(2, 3, "a"), acquire(400, 401, "held")]),
    "more than a sliding window allows": (LIMIT, [take(0, 1, True), take(2, 3, True), take(900, 901, True)]),
    "more than a bucket holds": (LIMIT, [take(n, n + 1, True, "token-bucket") for n in range(0, 40, 10)]),
    "more than two fixed windows allow": (LIMIT, [take(n, n + 1, True, "fixed-window") for n in range(0, 50, 10)]),
    "a refusal while nothing was taken": (LIMIT, [take(0, 1, False)]),
    "two leases at one time": (LEASE, [lease(0, 1, ("won", "a")), lease(2, 3, ("won", "b"))]),
    "a fill of a voided lease": (LEASE, [lease(0, 1, ("won", "a")), delete(2, 3, False), fill(4, 5, "a", 1)]),
    "a fill after a flush": (LEASE, [lease(0, 1, ("won", "a")), flush(2, 3), fill(4, 5, "a", 1)]),
    "a fill without a lease": (LEASE, [fill(0, 1, "a", 1)]),
    "a fill after the lease's time": (LEASE, [lease(0, 1, ("won", "a"), ttl=100), fill(500, 501, "a", 1)]),
}

RIGHT = {
    "a read of either of two writes at one time": (ENTRY, [put(1, 0, 9, "created"), put(2, 1, 8, "replaced"), get(10, 11, 2)]),
    "a read that overtakes": (ENTRY, [put(1, 0, 1, "created"), put(2, 2, 9), get(3, 4, 1), get(5, 6, 2)]),
    "an unknown write that happened late": (ENTRY, [put(1, 0, 1, "created"), unknown(put(2, 2, 3)), get(4, 5, 1), get(6, 7, 2)]),
    "an unknown write that never happened": (ENTRY, [put(1, 0, 1, "created"), unknown(put(2, 2, 3)), get(4, 5, 1)]),
    "an equal fence": (ENTRY, [put(1, 0, 1, "created", fence=5), put(2, 2, 3, fence=5), put(3, 4, 5, "refused", fence=4)]),
    "a fence that a delete forgot": (ENTRY, [put(1, 0, 1, "created", fence=5), delete(2, 3, True), put(2, 4, 5, "created", fence=1)]),
    "a flush in the middle of a write": (ENTRY, [put(1, 0, 9, "created"), flush(2, 3), get(10, 11, "absent")]),
    "increments in any order": (COUNTER, [add(0, 9, 2), add(1, 8, 1), add(10, 11, 3)]),
    "an increment that nobody knows of": (COUNTER, [add(0, 1, 1), unknown(add(2, 3, 2)), add(4, 5, 3)]),
    "a lock from hand to hand": (LOCK, [acquire(0, 1, ("a", 1)), acquire(2, 3, "held"), release(4, 5, "a"), acquire(6, 7, ("b", 2))]),
    "a lock whose time was over": (LOCK, [acquire(0, 1, ("a", 1), ttl=100), acquire(200, 201, ("b", 2))]),
    "as many as the window allows": (LIMIT, [take(0, 1, True), take(2, 3, True), take(4, 5, False), take(1010, 1012, True)]),
    "a bucket that refills": (LIMIT, [take(n, n + 1, True, "token-bucket") for n in (0, 1, 510, 1020)]),
    "a lease that is filled": (LEASE, [lease(0, 1, ("won", "a")), lease(2, 3, "held"), fill(4, 5, "a", 1), lease(6, 7, ("hit", 1))]),
    "a lease after a delete": (LEASE, [lease(0, 1, ("won", "a")), delete(2, 3, False), lease(4, 5, ("won", "b")),
                                       fill(6, 7, "a", 1, False), fill(8, 9, "b", 2)]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_history_is_turned_down(name):
    with pytest.raises(Violation):
        judge(*WRONG[name])


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_history_passes(name):
    judge(*RIGHT[name])


def simulate(seed, clients=6, count=400):
    """A correct store: each operation takes effect at a random instant within its span."""
    chance, events, ops = random.Random(seed), [], []
    for client in range(clients):
        now = chance.random()
        for number in range(count // clients):
            start, middle, end = now, now + chance.random() * 3, 0
            end = middle + chance.random() * 3
            now = end + chance.random()
            events.append((middle, start, end, client * 1_000_000 + number + 1))
    stands = None
    for _, start, end, id in sorted(events):
        what = chance.random()
        if what < 0.5:
            result = "absent" if stands is None else stands
            ops.append(Op("get", "k", int(start * MS), int(end * MS), None, result))
        elif what < 0.9:
            wanted = chance.choice([None, None, stands, 12345])
            if wanted is not None and wanted != stands:
                ops.append(Op("put", "k", int(start * MS), int(end * MS), Put(id, if_match=wanted), "refused"))
                continue
            ops.append(Op("put", "k", int(start * MS), int(end * MS), Put(id, if_match=wanted),
                          "created" if stands is None else "replaced"))
            stands = id
        else:
            ops.append(Op("delete", "k", int(start * MS), int(end * MS), None, stands is not None))
            stands = None
    return ops


@pytest.mark.parametrize("seed", range(20))
def test_what_a_correct_store_did_passes_whatever_the_order(seed):
    ops = simulate(seed)
    random.Random(seed).shuffle(ops)
    judge(ENTRY, ops)


@pytest.mark.parametrize("seed", range(20))
def test_one_wrong_read_in_a_long_history_is_found(seed):
    ops = simulate(seed)
    reads = [n for n, op in enumerate(ops) if op.kind == "get"]
    victim = reads[len(reads) // 2]
    ops[victim] = ops[victim]._replace(result=987654321)
    with pytest.raises(Violation):
        judge(ENTRY, ops)
