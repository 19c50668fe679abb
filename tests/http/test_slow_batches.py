"""The log of slow requests tells of requests of many operations how long the engine took, and how many they were."""

import json
import os

import pytest
from support.service import Service, binary_path

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def slow():
    """The service over a memory engine with the fault rules given."""
    started = []

    def start(rules, **settings):
        binary = os.path.join(os.path.dirname(binary_path()), "tests", "support", "slow_service")
        started.append(Service({"FAULT_RULES": rules, "LOG_SLOW_MS": "100", **settings}, binary=binary).start())
        return started[-1]

    yield start
    for service in started:
        service.stop()


def slow_line(service, route):
    return service.wait_for_log(lambda entry: entry["msg"] == "slow" and entry["route"] == route, 10)


def batch(service, ops, **members):
    answer = service.request("POST", "/cache/ns", JSON, json.dumps({"ops": ops, **members}).encode())
    assert answer.status == 200, answer
    return answer.json()


def get(key):
    return {"op": "get", "key": key}


def test_a_batch_is_one_trip_however_many_it_holds(slow):
    service = slow("get:delay=200")
    batch(service, [get(f"k{i}") for i in range(40)])
    line = slow_line(service, "/cache/{ns}")
    assert line["operations"] == 40 and line["ns"] == "ns"
    assert 200 <= line["engine_ms"] <= line["ms"] < 4000, "as long as one of them, not as all"


def test_each_repetition_of_a_key_is_a_trip_more(slow):
    service = slow("get:delay=150")
    batch(service, [get("a"), get("b"), get("a"), get("a")])
    line = slow_line(service, "/cache/{ns}")
    assert line["operations"] == 4
    assert 450 <= line["engine_ms"] <= line["ms"] < 5000


def test_what_is_done_at_once_counts_too(slow):
    service = slow("get:delay=150")
    batch(service, [{"op": "put", "key": f"k{i}", "value": i} for i in range(5)] + [get("k0")])
    line = slow_line(service, "/cache/{ns}")
    assert line["operations"] == 6 and 150 <= line["engine_ms"] <= line["ms"]


def test_an_atomic_batch_counts_its_operations(slow):
    service = slow("atomic:delay=200")
    batch(service, [{"op": "put", "key": f"k{i}", "value": i} for i in range(7)], atomic=True)
    line = slow_line(service, "/cache/{ns}")
    assert line["operations"] == 7 and line["verb"] == "atomic"
    assert 200 <= line["engine_ms"] <= line["ms"]


def test_an_import_counts_all_its_trips(slow):
    service = slow("put:delay=150", HTTP_REQUEST_TIMEOUT_MS="60000")
    body = b"".join(json.dumps({"key": f"k{i}", "value": i}).encode() + b"\n" for i in range(700))
    answer = service.request("POST", "/cache/ns", {"Content-Type": "application/x-ndjson"}, body)
    assert answer.status == 200, answer
    line = slow_line(service, "/cache/{ns}")
    assert line["operations"] == 700
    assert 150 <= line["engine_ms"]


def test_an_export_counts_its_pages_and_its_reads(slow):
    service = slow("get:delay=150")
    batch(service, [{"op": "put", "key": f"k{i}", "value": i} for i in range(20)])
    answer = service.request("GET", "/cache/ns", {"Accept": "application/x-ndjson"})
    assert answer.status == 200 and len(answer.body.splitlines()) == 20
    line = slow_line(service, "/cache/{ns}")
    assert line["operations"] >= 21 and 150 <= line["engine_ms"]


def test_a_flush_by_prefix_counts_its_deletes(slow):
    service = slow("delete:delay=150")
    batch(service, [{"op": "put", "key": f"k{i}", "value": i} for i in range(20)])
    assert service.request("POST", "/flush?namespace=ns&prefix=k").status == 200
    line = slow_line(service, "/flush")
    assert line["operations"] >= 21 and 150 <= line["engine_ms"] <= line["ms"]


def test_a_single_operation_is_one(slow):
    service = slow("get:delay=150")
    service.request("GET", "/raw/ns/k")
    assert slow_line(service, "/raw/{ns}/{key}")["operations"] == 1
