"""Rules for what time decides: locks, rate limits, leases. Each raises Violation.

An operation took effect somewhere between its start and its end, so every rule counts only what is certain: a lock is
certainly held from the end of its grant to a time to live after the grant's *start*; a grant lies certainly in a window
when both its start and its end do. SLACK allows for the service's coarse clocks.
"""

from collections import defaultdict

from history.record import NEVER, SECOND, Violation

SLACK = SECOND // 20


# ---- Locks: acquire args ttl_ns, result (token, fence), "held" or None; release and renew args token, result True, False ----

def _releases(ops):
    found = {}
    for op in ops:
        if op.kind == "release" and op.result is not False:
            found[op.args] = op
    return found


def _renewals(ops):
    found = defaultdict(list)
    for op in ops:
        if op.kind == "renew" and op.result is not False:
            found[op.args[0]].append(op)
    return found


def check_locks(ops):
    """At most one holder; fences strictly grow; nobody but the holder releases; "held" only while it may be held."""
    grants = sorted((op for op in ops if op.kind == "acquire" and isinstance(op.result, tuple)), key=lambda op: op.end)
    releases, renewals = _releases(ops), _renewals(ops)
    _check_fences(grants)
    _check_single_holder(grants, releases, renewals)
    _check_releases(ops, grants, renewals)
    _check_refusals(ops, grants, releases, renewals)


def _check_fences(grants):
    seen, highest, later = {}, None, sorted(grants, key=lambda op: op.start)
    for op in grants:
        fence = op.result[1]
        if fence in seen:
            raise Violation(f"{op.key}: fence {fence} was granted twice: {seen[fence]} and {op}")
        seen[fence] = op
    ended = 0
    for op in later:
        while ended < len(grants) and grants[ended].end < op.start:
            if highest is None or grants[ended].result[1] > highest.result[1]:
                highest = grants[ended]
            ended += 1
        if highest is not None and op.result[1] <= highest.result[1]:
            raise Violation(f"{op.key}: the fence did not grow: {highest}, then {op}")


def _certain_end(grant, releases, renewals):
    """Until when it was certainly held."""
    token, _ = grant.result
    end = grant.start + grant.args - SLACK
    for renewal in sorted(renewals[token], key=lambda op: op.start):
        if renewal.result is True and renewal.end != NEVER:
            end = renewal.start + renewal.args[1] - SLACK
        else:
            end = min(end, renewal.start)  # not known what it did
    release = releases.get(token)
    return min(end, release.start) if release else end


def _check_single_holder(grants, releases, renewals):
    held = sorted((op.end, _certain_end(op, releases, renewals), op) for op in grants)
    last_end, last = 0, None
    for begin, end, op in held:
        if end <= begin:
            continue
        if begin < last_end:
            raise Violation(f"{op.key}: two holders at one time: {last} and {op}")
        if end > last_end:
            last_end, last = end, op


def _possible_end(grant, releases, renewals):
    token, _ = grant.result
    release = releases.get(token)
    end = grant.end + grant.args
    for renewal in renewals[token]:
        end = max(end, NEVER if renewal.end == NEVER else renewal.end + renewal.args[1])
    if release and release.result is True and release.end != NEVER:
        end = min(end, release.end)
    return end + SLACK


def _check_releases(ops, grants, renewals):
    by_token = {op.result[0]: op for op in grants}
    done = {}
    for op in sorted(ops, key=lambda op: op.start):
        if op.kind not in ("release", "renew") or op.result is not True:
            continue
        token = op.args if op.kind == "release" else op.args[0]
        grant = by_token.get(token)
        if grant is None or op.end < grant.start:
            raise Violation(f"{op.key}: {op} succeeded with a token that was never granted")
        if token in done and done[token].end < op.start:
            raise Violation(f"{op.key}: {op} succeeded after {done[token]}")
        if op.start > _possible_end(grant, {}, renewals):
            raise Violation(f"{op.key}: {op} succeeded after the time of {grant} was over")
        if op.kind == "release":
            done[token] = op


def _check_refusals(ops, grants, releases, renewals):
    unknown = any(op.kind == "acquire" and op.result is None for op in ops)
    if unknown:
        return  # it may be that one which holds the lock
    spans = [(op.start, _possible_end(op, releases, renewals)) for op in grants]
    for op in ops:
        if op.kind == "acquire" and op.result == "held":
            if not any(begin <= op.end and end >= op.start for begin, end in spans):
                raise Violation(f"{op.key}: held, but by nobody: {op}")


# ---- Rate limits: take args (algorithm, limit, window_ns, cost), result True, False, or None ----

def check_limits(ops):
    """Never more grants than the limit allows, and no refusal while nothing was taken."""
    takes = [op for op in ops if op.kind == "take"]
    if not takes:
        return
    algorithm, limit, window, _ = takes[0].args
    grants = sorted((op for op in takes if op.result is True), key=lambda op: op.start)
    for first in range(len(grants)):
        _check_window(grants[first:], algorithm, limit, window)
    possible = [op for op in takes if op.result is not False]
    for op in takes:
        if op.result is False and op.args[3] <= limit:
            if not any(other.start <= op.end and other.end + 2 * window + SLACK >= op.start for other in possible):
                raise Violation(f"{op.key}: refused though nothing was taken: {op}")


def _allowance(algorithm, limit, window, span):
    """The most that may be granted within `span`, a time that both ends of which lie in."""
    if algorithm == "sliding-window":
        return limit * (span // window + 1)
    if algorithm == "fixed-window":
        return limit * (span // window + 2)
    return limit + span * limit / window + 1e-6


def _check_window(grants, algorithm, limit, window):
    begin, taken = grants[0].start, 0
    for op in sorted(grants, key=lambda op: op.end):
        taken += op.args[3]
        if taken > _allowance(algorithm, limit, window, op.end - begin):
            raise Violation(f"{op.key}: {taken} granted within {(op.end - begin) / SECOND:.3f} s, up to {op}")
        if op.end - begin > 3 * window:
            return


# ---- Leases: lease args ttl_ns, result ("won", token), "held", ("hit", id); fill args (token, id), result True, False, None;
#      put, delete, flush as for entries ----

def _voids(op):
    """A delete of nothing does, too."""
    return op.kind in ("delete", "flush") or (op.kind in ("put", "fill") and op.result not in ("refused", False))


def check_leases(ops):
    """One lease at a time; a fill succeeds only while its lease holds and nothing was written in between."""
    wins = {op.result[1]: op for op in ops if op.kind == "lease" and isinstance(op.result, tuple) and op.result[0] == "won"}
    writes = [op for op in ops if _voids(op)]
    for op in ops:
        if op.kind == "fill" and op.result is True:
            _check_fill(op, wins, writes)
    ordered = sorted(wins.values(), key=lambda op: op.start)
    for first, second in zip(ordered, ordered[1:]):
        _check_single_lease(first, second, writes)


def _check_fill(fill, wins, writes):
    win = wins.get(fill.args[0])
    if win is None:
        raise Violation(f"{fill.key}: {fill} succeeded without a lease")
    if fill.start > win.end + win.args + SLACK:
        raise Violation(f"{fill.key}: {fill} succeeded after the time of {win} was over")
    for op in writes:
        if op is not fill and op.known and op.start > win.end and op.end < fill.start:
            raise Violation(f"{fill.key}: {fill} succeeded although {op} came after {win}")


def _check_single_lease(first, second, writes):
    if not first.end < second.start or second.end >= first.start + first.args - SLACK:
        return
    if not any(op.start <= second.end and op.end >= first.start for op in writes):
        raise Violation(f"{first.key}: two leases at one time: {first} and {second}")
