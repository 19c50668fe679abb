"""Requests that wait for an engine: suspended and resumed, late, abandoned by their clients, and drained."""

import json
import os
import signal
import threading
import time

import pytest

from support.api import check_any_answer
from support.service import Service, binary_path
from support.wire import Connection


@pytest.fixture
def slow():
    """Starts the service over a memory engine with the fault rules given."""
    started = []

    def start(rules, **settings):
        binary = os.path.join(os.path.dirname(binary_path()), "tests", "support", "slow_service")
        service = Service({"FAULT_RULES": rules, "CACHE_DEADLINE_MS": 5000, **settings}, binary=binary).start()
        started.append(service)
        return service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.stop()


def test_an_answer_that_comes_later_is_the_right_one(slow):
    service = slow("get:delay=50")
    assert service.request("PUT", "/raw/n/k", body=b"value").status == 201
    began = time.monotonic()
    answer = service.request("GET", "/raw/n/k")
    assert (answer.status, answer.body) == (200, b"value")
    assert time.monotonic() - began >= 0.045


def test_requests_wait_side_by_side_not_one_after_the_other(slow):
    service = slow("get:delay=300", HTTP_THREADS=1)
    for n in range(40):
        service.request("PUT", f"/raw/n/{n}", body=b"v%d" % n)
    connections = [Connection(service.port) for _ in range(40)]
    began = time.monotonic()
    for n, connection in enumerate(connections):
        connection.send(b"GET /raw/n/%d HTTP/1.1\r\nHost: h\r\n\r\n" % n)
    bodies = [connection.read().body for connection in connections]
    assert bodies == [b"v%d" % n for n in range(40)]
    assert time.monotonic() - began < 5
    for connection in connections:
        connection.close()


def test_a_connection_serves_on_after_a_request_that_waited(slow):
    service = slow("get:delay=20")
    with Connection(service.port) as connection:
        for n in range(10):
            assert connection.request("PUT", f"/raw/n/{n}", body=b"x").status == 201
            assert connection.request("GET", f"/raw/n/{n}").body == b"x"


def test_pipelined_requests_are_answered_in_order_though_the_first_waits(slow):
    service = slow("get:delay=100:every=2")
    service.request("PUT", "/raw/n/a", body=b"1")
    service.request("PUT", "/raw/n/b", body=b"2")
    with Connection(service.port) as connection:
        connection.send(b"".join(b"GET /raw/n/%s HTTP/1.1\r\nHost: h\r\n\r\n" % key for key in (b"a", b"b", b"a", b"b")))
        assert [connection.read().body for _ in range(4)] == [b"1", b"2", b"1", b"2"]


def test_a_read_that_the_engine_never_answers_is_504_at_the_deadline(slow):
    service = slow("get:drop", CACHE_DEADLINE_MS=150)
    began = time.monotonic()
    answer = service.request("GET", "/cache/n/k")
    assert answer.status == 504
    assert answer.json()["type"] == "/problems/engine-timeout"
    assert "outcome" not in answer.json()
    assert time.monotonic() - began >= 0.14


@pytest.mark.parametrize("method, target, body", [
    ("PUT", "/cache/n/k", b"v"), ("DELETE", "/cache/n/k", None), ("PATCH", "/cache/n/k", b'{"ttl":5}'),
    ("POST", "/flush", None), ("PUT", "/raw/n/k", b"v"), ("DELETE", "/raw/n/k", None),
])
def test_a_late_write_says_that_its_outcome_is_unknown(slow, method, target, body):
    service = slow("*:drop", CACHE_DEADLINE_MS=50)
    answer = service.request(method, target, body=body)
    assert answer.status == 504
    assert answer.json()["outcome"] == "unknown"


def test_an_answer_after_the_deadline_reaches_nobody(slow):
    service = slow("get:delay=200", CACHE_DEADLINE_MS=50)
    service.request("PUT", "/raw/n/k", body=b"old")
    with Connection(service.port) as connection:
        assert connection.request("GET", "/raw/n/k").status == 504
        time.sleep(0.3)
        assert connection.request("GET", "/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize("op, done", [({"op": "get"}, 404), ({"op": "put", "value": 1}, 201)])
def test_a_batch_that_names_a_key_often_has_one_deadline_for_all(slow, op, done):
    service = slow(f"{op['op']}:delay=400", CACHE_DEADLINE_MS=1000)
    ops = [{**op, "key": "k"}] * 10 + [{**op, "key": "other"}]
    answer = service.request("POST", "/cache/n", {"Content-Type": "application/json"}, json.dumps({"ops": ops}).encode())
    check_any_answer(answer, "POST")
    results = answer.json()["results"]
    late = next(n for n, result in enumerate(results) if result["status"] == 504)
    assert answer.status == 200 and late >= 1 and results[0]["status"] == done
    assert all(result["status"] < 300 or result["status"] == 404 for result in results[:late])
    for result in results[late:]:
        assert result["status"] == 504 and result["error"]["type"] == "/problems/engine-timeout"
        assert result.get("outcome") == (None if op["op"] == "get" else "unknown")
    assert "before the engine was asked" in results[-1]["error"]["detail"]


JSON = {"Content-Type": "application/json"}
GET, PUT = {"op": "get", "key": "a"}, {"op": "put", "key": "b", "value": 1}


def batch(service, *ops):
    answer = service.request("POST", "/cache/n", JSON, json.dumps({"ops": ops}).encode())
    check_any_answer(answer, "POST")
    return answer


@pytest.mark.parametrize("rules, ops, status, slug, unknown", [
    ("*:fail=unavailable", [GET, PUT], 503, "engine-unavailable", False),
    ("*:fail=refused", [PUT], 503, "engine-unavailable", False),
    ("*:fail=busy", [GET, PUT, GET], 503, "overloaded", False),
    ("*:fail=failed", [GET], 503, "engine-unavailable", False),
    ("*:fail=failed", [GET, PUT], 503, "engine-unavailable", True),
    ("*:drop", [GET, GET], 504, "engine-timeout", False),
    ("*:drop", [GET, PUT, PUT], 504, "engine-timeout", True),
    ("get:fail=unavailable;put:fail=failed", [GET, PUT], 503, "engine-unavailable", True),
])
def test_a_batch_of_which_the_engine_answers_nothing_fails_as_one_request_does(slow, rules, ops, status, slug, unknown):
    answer = batch(slow(rules, CACHE_DEADLINE_MS=150), *ops)
    problem = answer.json()
    assert (answer.status, problem["type"]) == (status, f"/problems/{slug}")
    assert problem.get("outcome") == ("unknown" if unknown else None)
    assert (int(answer["Retry-After"]) >= 1) if status == 503 else not answer.all("Retry-After")


@pytest.mark.parametrize("rules, statuses", [
    ("get:fail=unavailable", [503, 201]), ("put:fail=failed", [404, 503]), ("put:fail=full;get:fail=busy", [503, 507]),
    ("put:drop", [404, 504]),
])
def test_a_batch_of_which_the_engine_answers_anything_has_a_status_an_operation(slow, rules, statuses):
    answer = batch(slow(rules, CACHE_DEADLINE_MS=500), GET, PUT)
    assert answer.status == 200
    assert [result["status"] for result in answer.json()["results"]] == statuses


def test_an_import_that_names_a_key_often_takes_the_time_it_needs(slow):
    service = slow("put:delay=200", CACHE_DEADLINE_MS=500)
    body = b"".join(b'{"key":"k","value":%d}\n' % n for n in range(6))
    answer = service.request("POST", "/cache/n", {"Content-Type": "application/x-ndjson"}, body)
    assert answer.status == 200 and answer.json() == {"stored": 6, "lines": 6}
    assert service.request("GET", "/raw/n/k").body == b"5"


@pytest.mark.parametrize("status, expected", [
    ("busy", 503), ("unavailable", 503), ("refused", 503), ("failed", 503), ("full", 507), ("too-large", 413),
])
def test_an_engine_failure_is_never_a_miss(slow, status, expected):
    service = slow(f"*:fail={status}")
    for method, body in (("GET", None), ("DELETE", None), ("PUT", b"v")):
        answer = service.request(method, "/cache/n/k", body=body)
        assert answer.status == expected
        assert "fwd=miss" not in answer.get("Cache-Status", "")
        if expected == 503:
            assert int(answer["Retry-After"]) >= 1


def test_a_client_that_leaves_while_its_request_waits_does_no_harm(slow):
    service = slow("*:delay=200")
    for _ in range(20):
        connection = Connection(service.port)
        connection.send(b"PUT /raw/n/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
        connection.close()
    time.sleep(0.5)
    assert service.request("GET", "/raw/n/k").status in (200, 404)


def test_more_requests_in_flight_than_allowed_are_turned_away_with_503(slow):
    service = slow("get:delay=2000", HTTP_THREADS=1, HTTP_MAX_IN_FLIGHT=3)
    connections = [Connection(service.port) for _ in range(5)]
    for connection in connections:
        connection.send(b"GET /raw/n/k HTTP/1.1\r\nHost: h\r\n\r\n")
    answers = [connection.read() for connection in connections]
    assert sorted(answer.status for answer in answers) == [404, 404, 404, 503, 503]
    turned_away = next(answer for answer in answers if answer.status == 503)
    assert turned_away.json()["type"] == "/problems/overloaded"
    assert int(turned_away["Retry-After"]) >= 1
    for connection in connections:
        connection.close()


def test_drain_finishes_what_waits_for_the_engine(slow):
    service = slow("get:delay=400")
    service.request("PUT", "/raw/n/k", body=b"value")
    answers = []
    with Connection(service.port) as connection:
        connection.send(b"GET /raw/n/k HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(0.1)
        service.process.send_signal(signal.SIGTERM)
        reader = threading.Thread(target=lambda: answers.append(connection.read()))
        reader.start()
        reader.join(10)
        assert (answers[0].status, answers[0].body) == (200, b"value")
        assert answers[0].closes
    service.wait()


def test_the_drain_timeout_ends_what_would_wait_for_ever(slow):
    service = slow("get:drop", CACHE_DEADLINE_MS=60000, HTTP_DRAIN_TIMEOUT_MS=300)
    with Connection(service.port) as connection:
        connection.send(b"GET /raw/n/k HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(0.1)
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        service.wait()
        assert time.monotonic() - began < 10
