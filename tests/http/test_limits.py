"""/limits: granted or refused in one step, with the fields that tell a client how to behave."""

import re
import threading
import time

import pytest
from support.api import check_problem
from support.primitives import ODD_BODIES, ODD_KEYS, Space, skip_unless_supported
from support.service import Service

ALGORITHMS = ["fixed-window", "sliding-window", "token-bucket"]


@pytest.fixture(autouse=True, scope="module")
def _supported(service):
    skip_unless_supported(service, "limits", {"limit": 1, "window": 1, "cost": 0})


@pytest.fixture
def limits(service, ns):
    space = Space(service, "limits", ns)
    yield space
    space.close()


def judge(answer, limit, window):
    """Holds an answer to its own members and fields; gives (allowed, remaining)."""
    body = answer.json()
    assert answer.status in (200, 429), answer
    assert answer["RateLimit-Policy"] == f'"default";q={limit};w={window}', answer
    state = re.fullmatch(r'"default";r=([0-9]+);t=([0-9]+)', answer["RateLimit"])
    assert state, answer
    assert body["limit"] == limit and 0 <= body["remaining"] <= limit and body["reset"] >= 0, answer
    assert int(state[1]) == body["remaining"], answer
    if answer.status == 429:
        assert check_problem(answer)["type"] == "/problems/rate-limited" and body["allowed"] is False, answer
        assert int(answer["Retry-After"]) >= 1, answer
        assert int(state[2]) <= int(answer["Retry-After"]), answer
    else:
        assert answer.all("Retry-After") == [], answer
        assert set(body) <= {"allowed", "limit", "remaining", "reset", "shadow"}, answer
        if body["allowed"]:
            assert body["reset"] <= int(state[2]) < body["reset"] + 1, answer
    return body["allowed"], body["remaining"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_limit_is_granted_and_no_more(limits, algorithm):
    asked = {"limit": 5, "window": 60, "algorithm": algorithm}
    for left in (4, 3, 2, 1, 0):
        assert judge(limits.post("k", asked), 5, 60) == (True, left)
    refused = limits.post("k", asked)
    assert judge(refused, 5, 60) == (False, 0)
    wait = int(refused["Retry-After"])
    assert wait <= (12 if algorithm == "token-bucket" else 60)
    assert judge(limits.post("another", asked), 5, 60) == (True, 4)


def test_the_sliding_window_is_what_is_meant_when_nothing_is_said(limits):
    judge(limits.post("k", {"limit": 3, "window": 60, "algorithm": "sliding-window"}), 3, 60)
    assert judge(limits.post("k", {"limit": 3, "window": 60}), 3, 60) == (True, 1)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_after_the_time_it_told_it_grants_again(limits, algorithm):
    asked = {"limit": 2, "window": "1s", "algorithm": algorithm}
    while judge(limits.post("k", asked), 2, 1)[0]:
        pass
    time.sleep(1.05)
    assert judge(limits.post("k", asked), 2, 1)[0]


def test_a_cost_takes_as_many_and_none_only_looks(limits):
    asked = {"limit": 10, "window": 60}
    assert judge(limits.post("k", {**asked, "cost": 0}), 10, 60) == (True, 10)
    assert judge(limits.post("k", {**asked, "cost": 7}), 10, 60) == (True, 3)
    assert judge(limits.post("k", {**asked, "cost": 4}), 10, 60) == (False, 3)
    assert judge(limits.post("k", {**asked, "cost": 3}), 10, 60) == (True, 0)
    assert judge(limits.post("k", {**asked, "cost": 0}), 10, 60) == (True, 0)


def test_a_shadow_limit_tells_and_never_refuses(limits):
    asked = {"limit": 1, "window": 60, "shadow": True}
    for expected in (True, False, False):
        answer = limits.post("k", asked)
        assert answer.status == 200 and answer.json()["shadow"] is True
        assert judge(answer, 1, 60) == (expected, 0)
    assert limits.post("k", {**asked, "shadow": False}).status == 429
    assert "shadow" not in limits.post("new", {**asked, "shadow": False}).json()


@pytest.mark.parametrize("window, seconds", [(60, 60), ("90s", 90), ("1500ms", 2), (0.001, 1), ("2m", 120), (2.5, 3),
                                             ("30d", 2592000), (2592000, 2592000)])
def test_windows_are_seconds_or_text_and_shown_rounded_up(limits, window, seconds):
    judge(limits.post("k", {"limit": 10, "window": window}), 10, seconds)


@pytest.mark.parametrize("member, value", [
    *[("limit", value) for value in (0, -1, 10**9 + 1, 1.5, "5", None, True, [], 2**63, 10**30)],
    *[("window", value) for value in (0, "0", -1, 2592001, "31d", "none", None, True, "soon", "", {})],
    *[("cost", value) for value in (-1, 11, 10**9 + 1, 0.5, "1", None, 2**64)],
    *[("algorithm", value) for value in ("leaky-bucket", "", "Sliding-Window", 1, None)],
    *[("shadow", value) for value in (1, 0, "true", None)]])
def test_members_out_of_their_bounds_are_named(limits, member, value):
    limits.refused("POST", "k", {"limit": 10, "window": 60, member: value}, member)


def test_limit_and_window_are_needed(limits):
    limits.refused("POST", "k", {"window": 60}, "limit")
    limits.refused("POST", "k", {"limit": 10}, "window")
    limits.refused("POST", "k", b"", "limit")
    limits.refused("POST", "k", None, "limit")
    limits.refused("POST", "k", {"limit": 10, "window": 60, "burst": 3}, "burst")
    limits.refused("POST", "k", {"limit": 10, "window": 60}, "limit", query="limit=3")


@pytest.mark.parametrize("body", ODD_BODIES)
def test_odd_bodies_are_refused(limits, body):
    limits.refused("POST", "k", body, None)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_allowed(limits, method):
    answer = limits.request(method, "k")
    assert answer.status == 405
    assert {item.strip() for item in answer["Allow"].split(",")} == {"POST", "OPTIONS"}


def test_any_key_names_a_limit_of_its_own(limits):
    asked = {"limit": 1, "window": 60}
    assert [limits.post(key, asked).status for key in ODD_KEYS] == [200] * len(ODD_KEYS)
    assert [limits.post(key, asked).status for key in ODD_KEYS] == [429] * len(ODD_KEYS)
    assert limits.post("k" * 1025, asked).status == 414


def _take_at_once(services, ns, asked, clients=8, each=20):
    statuses = []

    def client(service):
        space = Space(service, "limits", ns)
        statuses.extend(space.post("k", asked).status for _ in range(each))
        space.close()

    threads = [threading.Thread(target=client, args=(services[n % len(services)],)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return statuses


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_of_many_at_once_exactly_the_limit_is_granted(service, ns, algorithm):
    statuses = _take_at_once([service], ns, {"limit": 50, "window": 3600, "algorithm": algorithm})
    assert statuses.count(200) == 50 and statuses.count(429) == 110


@pytest.mark.shared
def test_two_replicas_share_one_limit(engine, capabilities, ns):
    if not capabilities["supports"].get("shared"):
        pytest.skip("each replica of this engine has limits of its own")
    replicas = [Service(engine.settings()).start() for _ in range(2)]
    try:
        statuses = _take_at_once(replicas, ns, {"limit": 50, "window": 3600})
        assert statuses.count(200) == 50 and statuses.count(429) == 110
    finally:
        for replica in replicas:
            replica.stop()
