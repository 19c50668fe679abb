"""/locks: one holder at a time, fences that grow, and requests that wait without holding a thread."""

import json
import os
import re
import threading
import time

import pytest
from support.api import check_problem, flush
from support.primitives import ODD_BODIES, ODD_KEYS, Space, skip_unless_supported
from support.prometheus import Metrics
from support.service import Service, binary_path
from support.wire import Closed, build_request

NOBODY = "0" * 32


@pytest.fixture(autouse=True, scope="module")
def _supported(service):
    skip_unless_supported(service, "locks", {"ttl": 0.001})


@pytest.fixture
def locks(service, ns):
    space = Space(service, "locks", ns)
    yield space
    space.close()


def grant_of(answer):
    assert answer.status == 201, answer
    grant = answer.json()
    assert set(grant) == {"token", "fence", "ttl"}, grant
    assert re.fullmatch(r"[0-9a-f]{32}", grant["token"]) and 0 < grant["fence"] < 2**53, grant
    return grant


def check_held(answer):
    problem = check_problem(answer, 409)
    assert problem["type"] == "/problems/lock-held" and problem["ttl"] >= 0, problem
    assert problem["ttl"] <= int(answer["Retry-After"]) < problem["ttl"] + 2, answer
    return problem


def release(locks, name, token):
    return locks.request("DELETE", name, fields={"Lock-Token": token})


def test_one_holds_it_and_others_do_not(locks):
    grant = grant_of(locks.post("k", {"ttl": 30}))
    assert grant["ttl"] == 30.0
    held = check_held(locks.post("k", {"ttl": 1}))
    assert 28 < held["ttl"] <= 30
    assert release(locks, "k", grant["token"]).status == 204
    again = grant_of(locks.post("k"))
    assert again["ttl"] == 10.0 and again["fence"] > grant["fence"] and again["token"] != grant["token"]


def test_get_tells_whether_it_is_held(locks):
    assert locks.request("GET", "k").json() == {"held": False}
    grant = grant_of(locks.post("k", {"ttl": "1m"}))
    state = locks.request("GET", "k")
    assert state.json()["held"] is True and state.json()["fence"] == grant["fence"]
    assert 58 < state.json()["ttl"] <= 60 and grant["token"] not in state.body.decode()
    assert locks.request("HEAD", "k").status == 200
    release(locks, "k", grant["token"])
    assert locks.request("GET", "k").json() == {"held": False}


def test_only_its_holder_renews_and_releases_it(locks):
    grant = grant_of(locks.post("k", {"ttl": 30}))
    for method, body in (("PATCH", {"ttl": 5}), ("DELETE", None)):
        answer = locks.request(method, "k", body, {"Lock-Token": NOBODY})
        assert check_problem(answer, 412)["type"] == "/problems/precondition-failed"
        assert "missing" in locks.refused(method, "k", body, "Lock-Token")
        for token in ("", "x", grant["token"][:-1], grant["token"] + "0", f'"{grant["token"]}"', "g" * 32):
            wrong = check_problem(locks.request(method, "k", body, {"Lock-Token": token}), 412)
            assert {**wrong, "request_id": ""} == {**answer.json(), "request_id": ""}, "as any other wrong one"
        assert check_held(locks.post("k"))["ttl"] > 10
    mine = {"Lock-Token": grant["token"].upper()}
    renewed = locks.request("PATCH", "k", {"ttl": 20}, mine)
    assert renewed.status == 200 and renewed.json() == {"fence": grant["fence"], "ttl": 20.0}
    assert locks.request("PATCH", "k", None, mine).json()["ttl"] == 10.0
    assert check_held(locks.post("k"))["ttl"] <= 10
    assert release(locks, "k", grant["token"]).status == 204
    check_problem(release(locks, "k", grant["token"]), 412)
    check_problem(locks.request("PATCH", "k", {"ttl": 5}, mine), 412)


def test_a_grant_ends_by_its_time_and_the_late_holder_finds_out(locks):
    first = grant_of(locks.post("k", {"ttl": 0.2}))
    time.sleep(0.3)
    assert locks.request("GET", "k").json() == {"held": False}
    check_problem(locks.request("PATCH", "k", {"ttl": 5}, {"Lock-Token": first["token"]}), 412)
    second = grant_of(locks.post("k", {"ttl": 30}))
    assert second["fence"] > first["fence"]
    check_problem(release(locks, "k", first["token"]), 412)
    check_held(locks.post("k"))


def test_fences_grow_with_every_grant(locks):
    fences = []
    for _ in range(30):
        grant = grant_of(locks.post("k"))
        fences.append(grant["fence"])
        release(locks, "k", grant["token"])
    assert fences == sorted(set(fences))


def test_locks_and_entries_never_touch_and_no_flush_reaches_a_lock(locks):
    grant_of(locks.post("k", {"ttl": 30}))
    assert locks.service.request("GET", f"/raw/{locks.ns}/k").status == 404
    flush(locks.service, query=f"namespace={locks.ns}")
    check_held(locks.post("k"))


@pytest.mark.parametrize("member, value", [
    *[("ttl", value) for value in (0, -1, 86401, "25h", "none", None, True, "soon", [], 10**30)],
    *[("wait", value) for value in (-1, 30.1, 31, "31s", "1m", "none", None, True, "x", {})]])
def test_members_out_of_their_bounds_are_named(locks, member, value):
    locks.refused("POST", "k", {member: value}, member)
    assert locks.request("GET", "k").json() == {"held": False}


@pytest.mark.parametrize("body", [{"ttl": "1d"}, {"ttl": 0.001}, {"wait": 0}, {"wait": "0"}, {"wait": "0ms"},
                                  {"wait": 30}, {"wait": "30s"}, {"ttl": 86400, "wait": 0.25}, {}, None, b""])
def test_what_is_within_bounds_is_taken(locks, body):
    grant_of(locks.post("k", body))


@pytest.mark.parametrize("body", ODD_BODIES)
def test_odd_bodies_are_refused(locks, body):
    locks.refused("POST", "k", body, None)
    for token in (NOBODY, "x"):
        locks.refused("PATCH", "k", body, None, fields={"Lock-Token": token})


def test_unknown_members_parameters_and_methods_are_refused(locks):
    locks.refused("POST", "k", {"token": "x"}, "token")
    locks.refused("PATCH", "k", {"wait": 1}, "wait", fields={"Lock-Token": NOBODY})
    for method in ("POST", "PATCH", "GET", "DELETE"):
        locks.refused(method, "k", None, "ttl", query="ttl=1", fields={"Lock-Token": NOBODY})
    answer = locks.request("PUT", "k", b"{}")
    assert check_problem(answer, 405)
    allowed = {item.strip() for item in answer["Allow"].split(",")}
    assert allowed == {"GET", "HEAD", "POST", "DELETE", "PATCH", "OPTIONS"}


def test_any_name_is_a_lock_of_its_own(locks):
    tokens = [grant_of(locks.post(key))["token"] for key in ODD_KEYS]
    for key, token in zip(ODD_KEYS, tokens):
        check_held(locks.post(key))
        assert release(locks, key, token).status == 204


# ---- Waiting ----


def test_a_wait_that_is_in_vain_ends_with_409_at_its_time(locks):
    grant_of(locks.post("k", {"ttl": 60}))
    began = time.monotonic()
    held = check_held(locks.post("k", {"wait": 0.5}))
    assert 0.45 < time.monotonic() - began < 5 and 50 < held["ttl"] < 60


def test_who_waits_gets_it_when_it_is_released(service, ns, locks):
    waiter = Space(service, "locks", ns)
    for hold in (0.003, 0.03, 0.3):
        grant = grant_of(locks.post("k", {"ttl": 60}))
        waiter.send("POST", "k", {"ttl": 5, "wait": 20})
        time.sleep(hold)
        assert release(locks, "k", grant["token"]).status == 204
        began = time.monotonic()
        second = grant_of(waiter.read("POST"))
        assert time.monotonic() - began < 5
        assert second["fence"] > grant["fence"] and second["ttl"] == 5.0
        release(locks, "k", second["token"])
    waiter.close()


def test_who_waits_gets_it_when_the_holders_time_is_over(locks):
    began = time.monotonic()
    first = grant_of(locks.post("k", {"ttl": 0.4}))
    second = grant_of(locks.post("k", {"wait": "10s"}))
    assert 0.35 < time.monotonic() - began < 5
    assert second["fence"] > first["fence"]


def _hold_in_turn(services, ns, clients):
    """Each client takes the lock once, waiting for it; gives the fences in the order of holding."""
    fences, faults, holders = [], [], []

    def client(service):
        locks = Space(service, "locks", ns)
        try:
            while (answer := locks.post("k", {"ttl": 20, "wait": 30})).status == 409:
                pass
            grant = grant_of(answer)
            holders.append(grant["token"])
            if len(holders) != 1:
                faults.append(f"held by {len(holders)}")
            fences.append(grant["fence"])
            time.sleep(0.002)
            holders.remove(grant["token"])
            if release(locks, "k", grant["token"]).status != 204:
                faults.append("a holder that could not release")
        except AssertionError as fault:
            faults.append(str(fault))
        finally:
            locks.close()

    threads = [threading.Thread(target=client, args=(services[n % len(services)],)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults, faults
    return fences


def test_of_fifty_that_wait_each_gets_it_once_one_at_a_time(service, ns):
    fences = _hold_in_turn([service], ns, 50)
    assert len(fences) == 50 and fences == sorted(set(fences))


@pytest.mark.shared
def test_the_same_through_two_replicas(engine, capabilities, ns):
    if not capabilities["supports"].get("shared"):
        pytest.skip("each replica of this engine has locks of its own")
    replicas = [Service(engine.settings()).start() for _ in range(2)]
    try:
        fences = _hold_in_turn(replicas, ns, 50)
        assert len(fences) == 50 and fences == sorted(set(fences))
    finally:
        for replica in replicas:
            replica.stop()


def _wait_for_lock(service, ns, count, body, name="k"):
    """So many requests that wait, each on a connection of its own."""
    connections = [service.connect(timeout=60) for _ in range(count)]
    for connection in connections:
        connection.send(build_request("POST", f"/locks/{ns}/{name}", {}, json.dumps(body).encode()))
    return connections


def test_three_hundred_that_wait_hold_no_thread(start_service, ns):
    service = start_service(HTTP_THREADS="2")
    locks = Space(service, "locks", ns)
    grant = grant_of(locks.post("k", {"ttl": 60}))
    waiters = _wait_for_lock(service, ns, 300, {"ttl": 0.001, "wait": 30})
    time.sleep(0.5)
    slowest = 0.0
    with service.connect() as other:
        for number in range(50):
            began = time.monotonic()
            assert other.request("GET", "/healthz").status == 200
            assert other.request("PUT", f"/raw/{ns}/{number}", {}, b"v").status == 201
            slowest = max(slowest, time.monotonic() - began)
    assert slowest < 5, "the others wait for half a minute"
    assert release(locks, "k", grant["token"]).status == 204
    fences = [grant_of(connection.read("POST"))["fence"] for connection in waiters]
    assert len(set(fences)) == 300
    for connection in waiters:
        connection.close()
    locks.close()


def test_a_request_that_waits_counts_as_in_flight(start_service, ns):
    service = start_service(HTTP_THREADS="1", HTTP_MAX_IN_FLIGHT="2")
    locks = Space(service, "locks", ns)
    grant = grant_of(locks.post("k", {"ttl": 60}))
    waiters = _wait_for_lock(service, ns, 2, {"wait": 30})
    deadline = time.monotonic() + 20
    # Asked where nothing counts: a request here could take the second one's place.
    while Metrics(service.request("GET", "/metrics").body.decode()).get("cubby_http_requests_in_flight") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    check_problem(locks.request("GET", "k"), 503)
    assert service.request("GET", "/healthz").status == 200
    waiters[0].close()
    deadline = time.monotonic() + 20
    while (answer := release(locks, "k", grant["token"])).status == 503:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert answer.status == 204, "the place of a client that left is free again"
    grant_of(waiters[1].read("POST"))
    waiters[1].close()
    locks.close()


@pytest.mark.parametrize("behind", [b"", b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"], ids=["alone", "pipelined"])
def test_a_client_that_left_is_not_granted_the_lock(service, ns, locks, behind):
    grant = grant_of(locks.post("k", {"ttl": 60}))
    for connection in _wait_for_lock(service, ns, 20, {"ttl": 60, "wait": 30}):
        connection.send(behind)
        connection.close()
    time.sleep(0.3)
    assert release(locks, "k", grant["token"]).status == 204
    time.sleep(0.3)
    grant_of(locks.post("k"))


def test_a_longer_wait_than_the_idle_timeout_is_answered_on_a_connection_that_goes_on(start_service, ns):
    service = start_service(HTTP_IDLE_TIMEOUT_MS="1000", HTTP_REQUEST_TIMEOUT_MS="1000")
    locks = Space(service, "locks", ns)
    grant_of(locks.post("k", {"ttl": 3}))
    waiter = Space(service, "locks", ns)
    second = grant_of(waiter.post("k", {"ttl": 20, "wait": 20}))
    assert release(waiter, "k", second["token"]).status == 204
    locks.close()
    waiter.close()


def test_pipelined_requests_behind_one_that_waits_are_answered_in_order(service, ns, locks):
    grant = grant_of(locks.post("k", {"ttl": 60}))
    with service.connect() as connection:
        connection.send(build_request("POST", f"/locks/{ns}/k", {}, b'{"wait":20}')
                        + build_request("GET", f"/locks/{ns}/k"))
        time.sleep(0.3)
        release(locks, "k", grant["token"])
        second = grant_of(connection.read("POST"))
        assert connection.read().json()["fence"] == second["fence"]


def test_a_drain_ends_the_waiting_promptly(start_service, ns):
    service = start_service(HTTP_THREADS="2")
    locks = Space(service, "locks", ns)
    grant_of(locks.post("k", {"ttl": 60}))
    waiters = _wait_for_lock(service, ns, 50, {"wait": 30})
    time.sleep(0.3)
    began = time.monotonic()
    service.terminate()
    answers = [connection.read("POST") for connection in waiters]
    assert {answer.status for answer in answers} <= {409, 503} and all(answer.closes for answer in answers)
    locks.close()
    for connection in waiters:
        connection.close()
    assert service.wait() == 0
    assert time.monotonic() - began < 10


def test_a_drain_without_patience_answers_those_who_wait(start_service, ns):
    for name in ("one", "two", "three"):
        service = start_service(HTTP_THREADS="2", HTTP_DRAIN_TIMEOUT_MS="0")
        locks = Space(service, "locks", ns)
        grant_of(locks.post(name, {"ttl": 60}))
        waiters = _wait_for_lock(service, ns, 50, {"wait": 30}, name)
        time.sleep(0.2)
        service.terminate()
        for connection in waiters:
            try:
                assert connection.read("POST").status in (409, 503)
            except Closed:
                pass
            connection.close()
        locks.close()
        assert service.wait() == 0, service.output()


# ---- An engine that is slow, silent or failing ----


@pytest.fixture
def slow():
    """Starts the service over a memory engine with the fault rules given."""
    started = []

    def start(rules, **settings):
        binary = os.path.join(os.path.dirname(binary_path()), "tests", "support", "slow_service")
        started.append(Service({"FAULT_RULES": rules, "CACHE_DEADLINE_MS": 5000, **settings}, binary=binary).start())
        return started[-1]

    yield start
    for service in started:
        if service.process.poll() is None:
            service.stop()


def test_waiting_works_while_every_try_takes_its_time(slow, ns):
    service = slow("lock-acquire:delay=30;lock-release:delay=30", HTTP_THREADS=1)
    fences = _hold_in_turn([service], ns, 8)
    assert len(fences) == 8 and fences == sorted(set(fences))


def test_a_grant_that_nobody_can_confirm_is_504_with_an_unknown_outcome(slow, ns):
    service = slow("lock-acquire:drop", CACHE_DEADLINE_MS=150)
    locks = Space(service, "locks", ns)
    began = time.monotonic()
    assert check_problem(locks.post("k", {"wait": 10}), 504)["outcome"] == "unknown"
    assert time.monotonic() - began < 5, "a failure is not waited for"
    locks.close()


def test_an_engine_that_fails_is_not_a_lock_that_is_held(slow, ns):
    service = slow("lock-acquire:fail=unavailable;counter-add:fail=unavailable;limit-take:fail=busy")
    for kind, body in (("locks", {"wait": 10}), ("counters", {}), ("limits", {"limit": 1, "window": 1})):
        space = Space(service, kind, ns)
        check_problem(space.post("k", body), 503)
        space.close()


def test_an_engine_without_them_says_so(slow, ns):
    service = slow("lock-acquire:fail=unsupported;counter-add:fail=unsupported;limit-take:fail=unsupported")
    for kind, body in (("locks", {"wait": 10}), ("counters", {}), ("limits", {"limit": 1, "window": 1})):
        space = Space(service, kind, ns)
        assert check_problem(space.post("k", body), 501)["type"] == "/problems/not-supported-by-engine"
        space.close()


def test_clients_that_leave_during_a_try_do_no_harm(slow, ns):
    service = slow("lock-acquire:delay=40", HTTP_THREADS=1)
    locks = Space(service, "locks", ns)
    grant = grant_of(locks.post("k", {"ttl": 60}))
    for number in range(30):
        _wait_for_lock(service, ns, 1, {"ttl": 60, "wait": 30})[0].close()
        time.sleep(0.003 * (number % 7))
    time.sleep(0.5)
    assert release(locks, "k", grant["token"]).status == 204
    grant_of(locks.post("k", {"wait": 5}))
    locks.close()


@pytest.mark.parametrize("patience", [0, 5000])
def test_a_drain_in_the_middle_of_tries_ends_with_status_0(slow, ns, patience):
    service = slow("lock-acquire:delay=60:every=2", HTTP_THREADS=2, HTTP_DRAIN_TIMEOUT_MS=patience)
    locks = Space(service, "locks", ns)
    grant_of(locks.post("k", {"ttl": 60}))
    waiters = _wait_for_lock(service, ns, 60, {"wait": 30})
    time.sleep(0.2)
    began = time.monotonic()
    service.terminate()
    for connection in waiters:
        try:
            assert connection.read("POST").status in (409, 503)
        except Closed:
            assert patience == 0
        connection.close()
    locks.close()
    assert service.wait() == 0, service.output()
    assert time.monotonic() - began < 10
