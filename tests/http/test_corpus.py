"""Malformed and odd requests from corpus/*.txt, byte for byte; see support/corpus.py for the format.

Every case is held to three promises besides its own: a request hidden inside another is never carried out, what
stood before still stands, and the server goes on serving.
"""

import concurrent.futures
import functools
import glob
import os
import random
import re
import subprocess
import time

import pytest
from support.api import check_problem
from support.corpus import Expectation, merged_steps, read_corpus
from support.service import Service, run_once
from support.wire import Closed, WireError, build_request

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = read_corpus(sorted(glob.glob(os.path.join(HERE, "corpus", "*.txt"))))
# The version for which the corpus says which refusals are the library's own.
FULLY_LISTED = (0, 9, 75)
CANARY = "/raw/corpus/canary"
HIDDEN = "/raw/corpus/hidden"


@functools.lru_cache
def _library_version():
    """The version of libmicrohttpd, as the binary or pkg-config tells it."""
    found = re.search(r"microhttpd ([0-9.]+)", run_once("--version").stdout)
    text = found[1] if found else subprocess.run(["pkg-config", "--modversion", "libmicrohttpd"], text=True,
                                                 capture_output=True, check=True).stdout
    return tuple(int(part) for part in text.strip().split("."))


@pytest.fixture(scope="module")
def replica(engine):
    """A replica that waits two seconds for the rest of a request."""
    replica = Service({**engine.settings(), "HTTP_REQUEST_TIMEOUT_MS": "2000"}).start()
    yield replica
    replica.stop()


@pytest.fixture
def target(replica):
    """The replica with the canary in it."""
    _set_canary(replica)
    return replica


def _set_canary(service):
    assert service.request("PUT", CANARY + "?ttl=none", {}, b"alive").status in (200, 201)
    service.request("DELETE", HIDDEN)


def _play(case, connection):
    """Sends the case's bytes as written; a server that hangs up in the middle is no fault here."""
    for step in merged_steps(case):
        if isinstance(step, float):
            time.sleep(step)
        elif not connection.send_tolerant(step):
            break
    if case.finish == "half-close":
        connection.end_sending()


def _method_of(case):
    first = next(step for step in case.steps if isinstance(step, bytes))
    return first.split(b" ")[0].decode("latin-1")


def _read_answers(case, connection, expectations, answers):
    """Reads answers as long as one is due. Gives the expectation they meet, or a sentence about what came instead."""
    left = list(expectations)
    while any(len(one.answers) > len(answers) for one in left):
        at = len(answers)
        due = " or ".join(map(str, left))
        try:
            answer = connection.read(_method_of(case) if at == 0 else "GET", timeout=10)
        except Closed:
            left = [one for one in left if len(one.answers) == at]
            return left[0] if left else f"closed where answer {at + 1} of {due} was due"
        except (WireError, TimeoutError) as fault:
            return f"{fault} where answer {at + 1} of {due} was due"
        left = [one for one in left if len(one.answers) > at and answer.status in one.answers[at]]
        if not left:
            return f"answer {at + 1} is {answer.status}, expected {due}: {answer.body[:200]!r}"
        for text in case.without:
            if text in answer.body or any(text in value.encode("latin-1") for _, value in answer.fields):
                return f"{text!r} stands in the answer"
        answers.append(answer)
    return left[0]


def _check_end(connection, how):
    """Gives None, or a sentence that says why the connection is not as it should be."""
    if how == "open":
        try:
            answer = connection.request("GET", "/healthz", {"X-Request-Id": "after-the-case"}, timeout=10)
        except (WireError, OSError, TimeoutError) as fault:
            return f"the connection should still serve: {fault}"
        if answer.status != 200 or answer["X-Request-Id"] != "after-the-case":
            return f"another answer came before the one to the next request: {answer!r}"
    elif how in ("close", "junk"):
        if not connection.closed_within(8) and not connection.buffer:
            return "not closed"
        if bool(connection.buffer) != (how == "junk"):
            return f"after the last answer: {connection.buffer[:200]!r}"
    elif how == "any":
        connection.send_tolerant(build_request("GET", "/healthz", {"X-Request-Id": "after-the-case"}))
        try:
            answer = connection.read(timeout=10)
            if answer.get("X-Request-Id") != "after-the-case":
                return f"another answer came: {answer!r}"
        except Closed:
            pass
    return None


def _run(case, service, expectations, bodies=True):
    """Plays a case; None when one of the expectations is met, else a sentence about what came instead."""
    answers = []
    with service.connect() as connection:
        _play(case, connection)
        if case.finish == "leave":
            return None
        met = _read_answers(case, connection, expectations, answers)
        if isinstance(met, str):
            return met
        fault = _check_end(connection, met.how)
    if fault is None and bodies and _library_version() <= FULLY_LISTED:
        fault = _check_bodies(case, answers)
    return fault


def _check_bodies(case, answers):
    """Errors are problems; those marked as the library's own are not, so that the marks stay honest."""
    for number, answer in enumerate(answers):
        is_problem = answer.get("Content-Type", "").startswith("application/problem+json")
        library = case.library_body and number == len(answers) - 1
        if answer.status < 400 or (is_problem and not library):
            continue
        if is_problem:
            return f"{answer.status} is a problem document: not `library`"
        if not library:
            return f"{answer.status} is no problem document: {answer.get('Content-Type')} {answer.body[:120]!r}"
    for answer in answers:
        if answer.get("Content-Type", "").startswith("application/problem+json"):
            check_problem(answer)
    return None


def _check_server(service):
    assert service.request("GET", "/healthz").status == 200, "the server serves no longer"
    assert service.request("GET", CANARY).body == b"alive", "a hidden request was carried out"
    assert service.request("GET", HIDDEN).status == 404, "a hidden request was carried out"


def _expected(case):
    """What the case expects. Later libraries refuse more by themselves, and some of it by hanging up."""
    refused = all(status >= 400 for one in case.expect for statuses in one.answers[-1:] for status in statuses)
    if _library_version() <= FULLY_LISTED or not refused or any(len(one.answers) != 1 for one in case.expect):
        return case.expect
    return (*case.expect, Expectation((), "close"))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_corpus(case, target):
    known = case.known_at(_library_version())
    fault = _run(case, target, _expected(case))
    if fault is None:
        _check_server(target)
        assert known is None, f"{case.where}: no shortfall any more, take the `known` line out"
        return
    if known is None:
        pytest.fail(f"{case.where}: {fault}")
    expectations, reason = known
    _set_canary(target)
    instead = _run(case, target, expectations, bodies=False)
    assert target.request("GET", "/healthz").status == 200, "the server serves no longer"
    assert instead is None, f"{case.where}: not even the known shortfall: {instead}"
    pytest.xfail(f"libmicrohttpd {'.'.join(map(str, _library_version()))}: {reason}")


def test_the_corpus_holds_at_least_150_cases():
    assert len(CASES) >= 150


def test_an_early_close_at_every_byte_of_a_request_harms_nobody(target):
    request = build_request("PUT", "/raw/corpus/cut", {"Expect": "100-continue"}, b"hello")
    for at in range(len(request) + 1):
        with target.connect() as connection:
            connection.send(request[:at])
    _check_server(target)


def _mutate(dice, good):
    mutant = bytearray(good)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(mutant))
        action = dice.randrange(4)
        if action == 0:
            mutant[at] = dice.randrange(256)
        elif action == 1:
            del mutant[at:at + dice.randint(1, 8)]
        elif action == 2:
            mutant[at:at] = bytes(dice.randrange(256) for _ in range(dice.randint(1, 8)))
        else:
            mutant[at:at] = mutant[at:at + dice.randint(1, 40)]
    return bytes(mutant)


def _answer_to(service, mutant):
    """None when an answer is well-formed and no failure of the server's, or none came."""
    with service.connect() as connection:
        connection.send_tolerant(mutant)
        connection.end_sending()
        try:
            answer = connection.read(timeout=20)
        except Closed:
            return None
        except (WireError, TimeoutError) as fault:
            return f"{fault} after {mutant!r}"
        good = answer.status < 500 or answer.status in (501, 505)
        return None if good else f"{answer!r} after {mutant!r}"


def test_random_changes_of_a_good_request_never_bring_the_server_down(target):
    seed = int(os.environ.get("CUBBY_TEST_SEED", "20240521"))
    dice = random.Random(seed)
    good = build_request("PUT", "/raw/corpus/mutant?ttl=60", [("Content-Type", "text/plain"), ("If-Match", '"a"'),
                                                              ("Range", "bytes=0-1"), ("Accept", "*/*")], b"hello")
    mutants = [_mutate(dice, good) for _ in range(1000)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        faults = [fault for fault in pool.map(lambda mutant: _answer_to(target, mutant), mutants) if fault]
    assert not faults, f"seed {seed}: {faults[:3]}"
    _check_server(target)
