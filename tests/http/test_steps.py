"""Requests of several steps (flush of a prefix, listings) over an engine that is slow, failing or silent."""

import json
import os
import re
import time

import pytest
from support.api import check_problem
from support.service import Service, binary_path
from support.wire import Connection, WireError, build_request


@pytest.fixture
def slow():
    """Starts the service over a memory engine with the fault rules given, and 1000 keys in namespace n."""
    started = []

    def start(rules, keys=1000, **settings):
        binary = os.path.join(os.path.dirname(binary_path()), "tests", "support", "slow_service")
        service = Service({"FAULT_RULES": rules, "CACHE_DEADLINE_MS": 5000, **settings}, binary=binary).start()
        started.append(service)
        with service.connect() as connection:
            for start in range(0, keys, 100):
                connection.send(b"".join(build_request("PUT", f"/raw/n/k{n}", {}, b"v")
                                         for n in range(start, start + 100)))
                assert {connection.read().status for _ in range(100)} == {201}
        return service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.stop()


def standing(service, keys=1000):
    with service.connect() as connection:
        connection.send(b"".join(build_request("HEAD", f"/raw/n/k{n}") for n in range(keys)))
        return sum(connection.read("HEAD").status == 200 for _ in range(keys))


def flush_prefix(service):
    return service.request("POST", "/flush?namespace=n&prefix=k")


def test_a_slow_engine_flushes_all_the_same(slow):
    service = slow("list:delay=10;delete:delay=10:every=100")
    assert flush_prefix(service).json() == {"flushed": "n", "prefix": "k", "deleted": 1000}
    assert standing(service) == 0


@pytest.mark.parametrize("status", ["unavailable", "busy", "refused"])
def test_a_failure_in_between_says_how_many_went(slow, status):
    service = slow(f"delete:fail={status}:every=700")
    problem = check_problem(flush_prefix(service), 503)
    deleted = int(re.search(r"; (\d+) entries were deleted$", problem["detail"]).group(1))
    assert "outcome" not in problem
    assert deleted >= 699 and standing(service) == 1000 - deleted


def test_a_failing_list_in_between_says_how_many_went(slow):
    service = slow("list:fail=unavailable:every=2")
    problem = check_problem(flush_prefix(service), 503)
    deleted = int(re.search(r"; (\d+) entries were deleted$", problem["detail"]).group(1))
    assert standing(service) == 1000 - deleted


def test_a_delete_that_is_never_answered_is_504_of_unknown_outcome(slow):
    service = slow("delete:drop:every=5", CACHE_DEADLINE_MS=150)
    problem = check_problem(flush_prefix(service), 504)
    assert problem["outcome"] == "unknown" and "entries were deleted" in problem["detail"]


@pytest.mark.parametrize("target", ["/cache/n", "/namespaces", "/namespaces/n"])
def test_a_listing_that_is_never_answered_is_504_and_one_that_fails_503(slow, tmp_path, target):
    path = tmp_path / "namespaces.json"
    path.write_text(json.dumps({"a": {}, "b": {}}))
    rules = "list:drop;namespaces:drop", "list:fail=unavailable;namespaces:fail=unavailable"
    for rule, status in zip(rules, (504, 503)):
        service = slow(rule, 0, CACHE_DEADLINE_MS=100, CACHE_NAMESPACES_FILE=str(path))
        assert "outcome" not in check_problem(service.request("GET", target), status)


def test_others_are_served_while_a_prefix_is_flushed(slow):
    service = slow("list:delay=50", 2000, HTTP_THREADS=1)
    with service.connect() as flushing:
        flushing.send(b"POST /flush?namespace=n&prefix=k HTTP/1.1\r\nHost: h\r\n\r\n")
        with service.connect() as other:
            for _ in range(50):
                assert other.request("PUT", "/raw/other/k", body=b"v").status in (200, 201)
        assert flushing.read().json()["deleted"] == 2000


def test_a_client_that_leaves_ends_its_flush(slow):
    service = slow("list:delay=30;delete:delay=30", 3000)
    for _ in range(10):
        with service.connect() as connection:
            connection.send(b"POST /flush?namespace=n&prefix=k HTTP/1.1\r\nHost: h\r\n\r\n")
            time.sleep(0.05)
    time.sleep(0.5)
    left = standing(service, 3000)
    time.sleep(0.5)
    assert standing(service, 3000) == left


@pytest.mark.parametrize("rules", ["list:delay=100", "delete:delay=100", ""])
def test_a_drain_that_runs_out_of_time_ends_a_long_flush(slow, rules):
    service = slow(rules, 20000, HTTP_DRAIN_TIMEOUT_MS=200)
    with Connection(service.port) as connection:
        connection.send(b"POST /flush?namespace=n&prefix=k HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(0.05 if rules else 0.01)
        service.terminate()
        try:
            answer = connection.read()
        except (WireError, OSError):
            answer = None
        assert answer is None or answer.status in (200, 503)
        assert not rules or answer is None or answer.status == 503
    service.stop()


def test_a_drain_ends_leased_and_listing_requests(slow):
    service = slow("list:delay=5000;get:delay=5000;namespaces:delay=5000", 0, HTTP_DRAIN_TIMEOUT_MS=100,
                   CACHE_DEADLINE_MS=10000)
    connections = []
    for target in ("/cache/n", "/raw/n/k?lease=10s", "/namespaces", "/namespaces/n"):
        connections.append(Connection(service.port))
        connections[-1].send(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % target.encode())
    time.sleep(0.1)
    service.stop()
    for connection in connections:
        connection.close()
