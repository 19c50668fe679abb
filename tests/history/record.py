"""What a client did and saw: the entries of a history.

Times are monotonic nanoseconds of one machine, so they compare across processes. An operation took effect at some time
between `start` and `end`; one whose outcome is not known has the end NEVER and the result None: it may have taken effect
at any time after its start, or not at all.
"""

from typing import Any, NamedTuple

NEVER = 1 << 62
SECOND = 1_000_000_000


class Op(NamedTuple):
    kind: str
    key: str
    start: int
    end: int
    args: Any = None
    result: Any = None

    @property
    def known(self):
        return self.end != NEVER


class Violation(Exception):
    """The history has no legal order, or breaks a rule."""


class TooHard(Exception):
    """The history was not judged: more orders are possible than can be looked at."""
