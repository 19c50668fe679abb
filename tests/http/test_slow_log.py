"""The log of slow requests: LOG_SLOW_MS."""

import os
import time

import pytest
from support.prometheus import scrape
from support.service import Service, binary_path

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def slow():
    """The service over a memory engine with the fault rules given."""
    started = []

    def start(rules, **settings):
        binary = os.path.join(os.path.dirname(binary_path()), "tests", "support", "slow_service")
        started.append(Service({"FAULT_RULES": rules, **settings}, binary=binary).start())
        return started[-1]

    yield start
    for service in started:
        service.stop()


def _lines(service):
    return [entry for entry in service.log() if entry["msg"] == "slow"]


def test_a_request_that_waits_for_the_engine_gets_a_line(slow):
    service = slow("get:delay=1500", LOG_SLOW_MS="1000", CACHE_DEADLINE_MS="20000")
    service.request("PUT", "/raw/ns-1/k", {}, b"v")
    fields = {"X-Request-Id": "slow-1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    assert service.request("GET", "/raw/ns-1/k", fields).status == 200
    entry = service.wait_for_log(lambda entry: entry["msg"] == "slow", 10)
    assert entry["level"] == "warn" and entry["method"] == "GET" and entry["route"] == "/raw/{ns}/{key}"
    assert entry["ns"] == "ns-1" and entry["verb"] == "get" and entry["request_id"] == "slow-1"
    assert entry["trace_id"] == TRACE
    assert 1500 <= entry["engine_ms"] <= entry["ms"] < 15000
    assert scrape(service).get("cubby_slow_operations_total") == 1
    assert len(_lines(service)) == 1, "the PUT was quick"


def test_below_the_threshold_and_without_one_there_is_no_line(slow):
    for threshold in ("5000", "0"):
        service = slow("get:delay=150", LOG_SLOW_MS=threshold)
        service.request("GET", "/raw/a/k")
        assert scrape(service).get("cubby_slow_operations_total") == 0
        assert _lines(service) == []


def test_a_slow_client_is_not_a_slow_request(start_service, ns):
    service = start_service(LOG_SLOW_MS="1000")
    with service.connect() as connection:
        connection.send(b"PUT /raw/%s/k HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx" % ns.encode())
        time.sleep(2)
        connection.send(b"y")
        assert connection.read("PUT").status == 201
    assert scrape(service).get("cubby_slow_operations_total") == 0


def test_a_lock_that_was_waited_for_is_not_slow(start_service, capabilities, ns):
    if not capabilities["supports"]["locks"]:
        pytest.skip("no locks")
    # What the engine takes for all tries of a busy machine stays far below the threshold, and that below the wait.
    service = start_service(LOG_SLOW_MS="1500")
    body, fields = b'{"ttl":3}', {"Content-Type": "application/json"}
    with service.connect() as connection:
        assert connection.request("POST", f"/locks/{ns}/l", fields, body).status == 201
        began = time.monotonic()
        assert connection.request("POST", f"/locks/{ns}/l", fields, b'{"ttl":1,"wait":15}').status == 201
        assert time.monotonic() - began > 1.5, "it waited for longer than the threshold"
    assert scrape(service).get("cubby_slow_operations_total") == 0


def test_there_are_five_lines_a_second_at_most(slow):
    service = slow("get:delay=60", LOG_SLOW_MS="50", HTTP_THREADS="1", LOG_ACCESS="off")
    connections = [service.connect() for _ in range(30)]
    for connection in connections:
        connection.send(b"GET /raw/a/k HTTP/1.1\r\nHost: h\r\n\r\n")
    for connection in connections:
        assert connection.read("GET").status == 404
        connection.close()
    assert scrape(service).get("cubby_slow_operations_total") == 30
    deadline = time.monotonic() + 10
    while len(_lines(service)) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)  # and more, were there no bound
    assert 5 <= len(_lines(service)) <= 15
