"""The format of tests/http/corpus/*.txt: odd and malformed requests, what must be answered, what must not happen.

A file is a list of cases, each begun by `case:` and built from these lines (# begins a comment line):

    case: NAME            {value} in it and in the lines below stands for each value of `with`
    > TEXT                bytes to send, followed by CR LF
    + TEXT                bytes to send, nothing added
    pause: SECONDS        waits between the bytes before and after it
    finish: half-close    ends the sending side after the last byte
    finish: leave         closes without reading an answer
    expect: ANSWERS; HOW  ANSWERS: statuses in order, separated by commas, each a choice like 400|431; or `none`
                          HOW: close (the server closes), open (the connection still serves), any, or junk (bytes
                          follow that belong to no answer, then the server closes; for shortfalls only)
                          several of them, separated by ` or `: any one will do
    body: library         the last answer is an error that libmicrohttpd 0.9.75 gives by itself, before a handler can
                          see the request: the status is right, the body is not problem+json
    without: TEXT         stands in no answer
    with: VALUE           a case of its own with this value; `with: VALUE => ANSWERS; HOW` has its own expectation,
                          `~library` at the end is `body: library` for this value
    known: VERSION ANSWERS; HOW: REASON
                          a shortfall of libmicrohttpd that no handler can mend, in the series of VERSION (its first
                          two numbers) up to VERSION, and what happens there; may stand once a series

In sent text: \\r \\n \\t \\0 \\s (a blank) \\\\ \\xHH, and \\{N*TEXT} for TEXT, which has no `}`, N times.

For every case the runner also demands: the key `hidden` of namespace `corpus` never appears, the key `canary` stays,
and the server answers a good request afterwards.
"""

import re
from dataclasses import dataclass, field

SIMPLE = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "s": b" ", "\\": b"\\"}
TOKEN = re.compile(r"\\x([0-9a-fA-F]{2})|\\\{(\d+)\*([^}]*)\}|\\(.)|([^\\]+)", re.S)


class CorpusError(Exception):
    pass


@dataclass(frozen=True)
class Expectation:
    answers: tuple  # of tuples of statuses
    how: str

    @classmethod
    def parse_any(cls, text):
        return tuple(cls.parse(one) for one in text.split(" or "))

    @classmethod
    def parse(cls, text):
        answers, _, how = text.partition(";")
        how = how.strip()
        if how not in ("close", "open", "any", "junk"):
            raise CorpusError(f"expected close, open, any or junk in {text!r}")
        if answers.strip() == "none":
            return cls((), how)
        return cls(tuple(tuple(int(s) for s in one.strip().split("|")) for one in answers.split(",")), how)

    def __str__(self):
        answers = ", ".join("|".join(map(str, one)) for one in self.answers) or "none"
        return f"{answers}; {self.how}"


@dataclass
class Case:
    name: str
    where: str
    steps: list = field(default_factory=list)  # bytes to send, floats to wait
    expect: tuple = ()  # of expectations: any one will do
    finish: str = ""
    library_body: bool = False
    without: list = field(default_factory=list)
    known: dict = field(default_factory=dict)  # version: (expectations, reason)

    def known_at(self, version):
        """The shortfall of this library version, as (expectations, reason); None where there is none."""
        for until, shortfall in self.known.items():
            if version[:2] == until[:2] and version <= until:
                return shortfall
        return None


def unescape(text):
    out = b""
    at = 0
    for match in TOKEN.finditer(text):
        if match.start() != at:
            break
        at = match.end()
        hex_byte, count, repeated, simple, plain = match.groups()
        if hex_byte:
            out += bytes([int(hex_byte, 16)])
        elif count:
            out += unescape(repeated) * int(count)
        elif simple is not None:
            if simple not in SIMPLE:
                raise CorpusError(f"unknown escape \\{simple}")
            out += SIMPLE[simple]
        else:
            out += plain.encode()
    if at != len(text):
        raise CorpusError(f"bad escape in {text[at:]!r}")
    return out


class _Reader:
    def __init__(self, path):
        self.path = path
        self.cases = []
        self.lines = []  # of the case being read: (number, key, text)

    def read(self):
        with open(self.path, encoding="ascii") as file:
            for number, line in enumerate(file, 1):
                line = line.rstrip("\n")
                if line.startswith("#") or not line.strip():
                    continue
                if line[0] in ">+":
                    self.lines.append((number, line[0], line[2:]))
                    continue
                key, colon, text = line.partition(":")
                if not colon:
                    raise CorpusError(f"{self.path}:{number}: {line!r}")
                if key == "case":
                    self._finish()
                self.lines.append((number, key, text.strip()))
        self._finish()
        return self.cases

    def _finish(self):
        values = [text for _, key, text in self.lines if key == "with"]
        if self.lines:
            for value in values or [None]:
                self.cases.append(self._build(value))
        self.lines = []

    def _build(self, value):
        plain = (value or "").removesuffix("~library").strip()
        shown, _, own = plain.partition(" => ")
        case = Case("", f"{self.path}:{self.lines[0][0]}")
        for number, key, text in self.lines:
            try:
                self._take(case, key, text if value is None else text.replace("{value}", shown))
            except (CorpusError, ValueError) as fault:
                raise CorpusError(f"{self.path}:{number}: {fault}") from None
        case.library_body |= plain != (value or "")
        if own:
            case.expect = Expectation.parse_any(own)
        if not case.expect or not case.steps:
            raise CorpusError(f"{case.where}: nothing to send or nothing expected")
        return case

    @staticmethod
    def _take(case, key, text):
        if key == "case":
            case.name = text
        elif key in (">", "+"):
            case.steps.append(unescape(text) + (b"\r\n" if key == ">" else b""))
        elif key == "pause":
            case.steps.append(float(text))
        elif key == "finish":
            if text not in ("half-close", "leave"):
                raise CorpusError(f"finish: {text}")
            case.finish = text
        elif key == "expect":
            case.expect = Expectation.parse_any(text)
        elif key == "body":
            case.library_body = text == "library"
        elif key == "without":
            case.without.append(unescape(text))
        elif key == "known":
            version, rest = text.split(" ", 1)
            outcome, reason = rest.split(":", 1)
            case.known[tuple(map(int, version.split(".")))] = Expectation.parse_any(outcome), reason.strip()
        elif key != "with":
            raise CorpusError(f"unknown line {key}:")


def merged_steps(case):
    """The steps with neighbouring bytes joined, so that what has no pause between is sent at once."""
    steps = []
    for step in case.steps:
        if isinstance(step, bytes) and steps and isinstance(steps[-1], bytes):
            steps[-1] += step
        else:
            steps.append(step)
    return steps


def read_corpus(paths):
    """All cases of these files; names are unique."""
    cases = [case for path in paths for case in _Reader(path).read()]
    seen = {}
    for case in cases:
        if case.name in seen:
            raise CorpusError(f"{case.where}: the name of {seen[case.name]} again: {case.name}")
        seen[case.name] = case.where
    return cases
