"""POST /cache/{ns} as application/x-ndjson: one put a line, streamed."""

import json
import os
import socket
import threading
import time

import pytest
from support.api import check_any_answer, check_problem
from support.service import Service, binary_path
from support.wire import Closed, WireError, build_request, chunked

FIELDS = {"Content-Type": "application/x-ndjson"}
MIB = 1024 * 1024
SMALL_QUARANTINE = ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"


@pytest.fixture
def slow():
    """The service over a memory engine with the fault rules given."""
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


def send(service, ns, body, fields=None):
    with service.connect() as connection:
        connection.send_tolerant(build_request("POST", f"/cache/{ns}", {**FIELDS, **(fields or {})}, body))
        answer = connection.read(timeout=60)
        check_any_answer(answer, "POST")
        return answer


def line(key, value, **more):
    return json.dumps({"key": key, "value": value, **more}).encode() + b"\n"


def stored(service, ns, key):
    answer = service.request("GET", f"/raw/{ns}/{key}")
    return answer.body if answer.status == 200 else None


def test_lines_are_stored_and_counted(service, ns):
    body = line("a", {"n": 1}) + line("b", "x", ttl=5, op="put") + b'{"key":"c","value_base64":"AP8="}\n'
    answer = send(service, ns, body)
    assert answer.status == 200 and answer.json() == {"stored": 3, "lines": 3}
    assert answer["Content-Type"] == "application/json"
    assert [stored(service, ns, key) for key in "abc"] == [b'{"n": 1}', b'"x"', b"\x00\xff"]
    assert float(service.request("GET", f"/raw/{ns}/b")["Cache-TTL"]) <= 5.0011  # in whole milliseconds


@pytest.mark.parametrize("body, count", [
    (b"", 0), (b"\n", 0), (b"\n\r\n  \t\n", 0), (b'{"key":"a","value":1}', 1), (b'{"key":"a","value":1}\r\n', 1),
    (b'\n\n{"key":"a","value":1}\r\n\r\n{"key":"b","value":2}', 2), (b' { "key" : "a" , "value" : 1 } \n', 1),
])
def test_empty_lines_crlf_and_a_last_line_without_newline_are_taken(service, ns, body, count):
    for fields, framed in (({}, body), ({"Transfer-Encoding": "chunked"}, chunked([body[i:i + 3] for i in range(0, len(body), 3)]))):
        answer = send(service, ns, framed, fields)
        assert answer.status == 200 and answer.json() == {"stored": count, "lines": count}


def test_lines_may_come_in_any_pieces(service, ns):
    body = b"".join(line(f"k{n}", "v" * (n % 50)) for n in range(60))
    with service.connect() as connection:
        connection.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Content-Length": str(len(body))}))
        for byte in body:
            connection.send(bytes([byte]))
        assert connection.read().json() == {"stored": 60, "lines": 60}
        assert connection.request("GET", f"/raw/{ns}/k7").body == b'"vvvvvvv"'


def test_of_lines_with_one_key_the_last_one_stands(service, ns):
    body = b"".join(line(f"k{n % 7}", n) for n in range(3000))
    assert send(service, ns, body).json() == {"stored": 3000, "lines": 3000}
    assert [stored(service, ns, f"k{n}") for n in range(7)] == [b"%d" % max(m for m in range(3000) if m % 7 == n)
                                                                  for n in range(7)]


def test_an_expectation_gets_100_continue(service, ns):
    body = line("a", 1)
    with service.connect() as connection:
        connection.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Expect": "100-continue",
                                                              "Content-Length": str(len(body))}))
        assert connection.read_interim() == 100
        connection.send(body)
        assert connection.read().json()["stored"] == 1


@pytest.mark.parametrize("bad, words", [
    (b'{"key":"x"}', '"value": missing'), (b"nonsense", "neither"), (b'{"key":"x","value":1', "well-formed"),
    (b'{"op":"delete","key":"x"}', "put only"), (b'{"key":"x","value":1,"ttl":0}', '"ttl"'), (b"[]", "object"),
    (b'{"key":"x","value":1}{"key":"y","value":1}', "well-formed"), (b'{"key":"x","value":1,"key":"x"}', "twice"),
    (b'{"key":"x","value":1,"colour":2}', "unknown"), (b'{"key":"x\xff","value":1}', "UTF-8"),
])
@pytest.mark.parametrize("before", [0, 3, 1500])
def test_a_bad_line_is_400_with_its_number_and_earlier_lines_stay(service, ns, bad, words, before):
    lines = [line(f"k{n}", n) for n in range(before)]
    lines.insert(before // 2, b"\n")
    answer = send(service, ns, b"".join(lines) + bad + b"\n" + line("after", 1))
    problem = check_problem(answer, 400)
    assert problem["line"] == before + 2 and problem["stored"] == before and words in problem["detail"], problem
    assert stored(service, ns, "after") is None
    assert all(stored(service, ns, f"k{n}") == b"%d" % n for n in range(0, before, 97))


def test_a_bad_last_line_without_newline_is_400_too(service, ns):
    problem = check_problem(send(service, ns, line("a", 1) + b'{"key":'), 400)
    assert (problem["line"], problem["stored"]) == (2, 1)


def test_a_client_that_sends_on_after_a_bad_line_reads_its_400(service, ns):
    answer = send(service, ns, b"bad\n" + line("k", "x" * 1000) * 5000)
    problem = check_problem(answer, 400)
    assert (problem["line"], problem["stored"]) == (1, 0)


def test_a_line_over_the_limit_is_413(start_service, ns):
    service = start_service(CACHE_MAX_VALUE_BYTES="100000")
    assert send(service, ns, line("a", "x" * 99_000)).json()["stored"] == 1
    problem = check_problem(send(service, ns, line("b", 1) + line("a", "x" * 100_001)), 413)
    assert (problem["line"], problem["stored"]) == (2, 1)
    for body in (b'{"key":"' + b"x" * 300_000, line("b", 2) + b" " * 300_000 + b"\n", b"\\" * 300_000):
        problem = check_problem(send(service, ns, body), 413)
        assert problem["line"] == (2 if body.startswith(b'{"key": "b') else 1), problem


def test_large_values_are_taken(service, ns):
    value = os.urandom(3_000_000).hex()
    assert send(service, ns, line("big", value) + line("small", 1) + line("big2", value)).json()["stored"] == 3
    assert stored(service, ns, "big") == b'"' + value.encode() + b'"'
    assert stored(service, ns, "big2") == b'"' + value.encode() + b'"'


def test_a_failed_condition_is_412_with_its_line(service, ns):
    body = line("a", 1, if_none_match="*")
    assert send(service, ns, body).json()["stored"] == 1
    problem = check_problem(send(service, ns, line("b", 1) + body + line("c", 1)), 412)
    assert (problem["line"], problem["stored"]) == (2, 1)


def _rss(service):
    with open(f"/proc/{service.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def test_a_large_import_does_not_grow_the_process(start_service, ns, engine):
    """300 MB over a thousand keys: whatever grows beyond their values is the import's."""
    own = {"MEMORY_MAX_BYTES": str(16 * MIB)} if engine.settings().get("CACHE_ENGINE") == "memory" else {}
    service = start_service(HTTP_THREADS="1", ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + SMALL_QUARANTINE, **own)
    block = b"".join(line(f"k{n}", "v" * 1000) for n in range(1000))
    send(service, ns, block * 20)
    before, highest, rounds = _rss(service), 0, 300 * 1000 * 1000 // len(block)
    with service.connect() as connection:
        connection.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Content-Length": str(rounds * len(block))}))
        for _ in range(rounds):
            connection.send(block)
            highest = max(highest, _rss(service))
        answer = connection.read(timeout=60)
    assert answer.json() == {"stored": rounds * 1000, "lines": rounds * 1000}
    assert highest - before < 32 * MIB, f"{(highest - before) / MIB:.1f} MiB"


def test_many_idle_imports_hold_little(service, ns):
    before, clients = _rss(service), []
    for _ in range(20):
        client = service.connect()
        client.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Content-Length": "1000"}) + b'{"key":')
        clients.append(client)
    time.sleep(0.5)
    grown = _rss(service) - before
    for client in clients:
        client.close()
    assert grown < 32 * MIB


# ---- Time ----

def test_a_body_that_does_not_go_on_is_408_with_what_is_stored(start_service, ns):
    service = start_service(HTTP_REQUEST_TIMEOUT_MS="800")
    with service.connect() as connection:
        began = time.monotonic()
        connection.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Content-Length": "100000"}) + line("a", 1) + b"{")
        answer = connection.read()
        check_any_answer(answer, "POST")
        problem = check_problem(answer, 408)
        assert 0.5 < time.monotonic() - began < 6
        assert problem["stored"] == 1 and answer.closes
        assert connection.closed_within(5)
    assert stored(service, ns, "a") == b"1"


def test_an_import_may_take_longer_than_the_timeout_of_a_request_while_it_goes_on(start_service, ns):
    service = start_service(HTTP_REQUEST_TIMEOUT_MS="1500")
    lines = [line(f"k{n}", "v" * 2000) for n in range(20)]
    with service.connect() as connection:
        connection.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Transfer-Encoding": "chunked"}))
        for one in lines:
            connection.send(b"%x\r\n%s\r\n" % (len(one), one))
            time.sleep(0.12)
        connection.send(b"0\r\n\r\n")
        assert connection.read().json()["stored"] == 20


def test_a_trickle_is_408(start_service, ns):
    service = start_service(HTTP_REQUEST_TIMEOUT_MS="800")
    with service.connect() as connection:
        connection.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Content-Length": "100000"}))
        began = time.monotonic()
        while time.monotonic() - began < 6 and connection.send_tolerant(b" "):
            time.sleep(0.05)
            connection.sock.setblocking(False)
            try:
                connection.buffer += connection.sock.recv(65536)
                break
            except BlockingIOError:
                pass
            finally:
                connection.sock.settimeout(10)
        check_problem(connection.read(), 408)


def test_a_client_that_goes_away_ends_the_import(service, ns):
    for rest in (b'{"key":', b""):
        with service.connect() as connection:
            connection.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Content-Length": "100000"}) + line("a", 1) + rest)
            time.sleep(0.2)
            connection.end_sending()
            with pytest.raises((Closed, WireError)):
                connection.read(timeout=5)
    assert stored(service, ns, "a") == b"1"
    assert send(service, ns, line("b", 1)).status == 200


def test_it_counts_as_one_request_in_flight(start_service, ns):
    service = start_service(HTTP_MAX_IN_FLIGHT="1", HTTP_THREADS="1")
    with service.connect() as connection:
        connection.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Content-Length": "22"}))
        deadline = time.monotonic() + 20
        while (answer := service.request("GET", f"/raw/{ns}/k")).status == 404:
            assert time.monotonic() < deadline
        check_problem(answer, 503)
        connection.send(b'{"key":"a","value":1}\n')
        assert connection.read().json()["stored"] == 1
    while (answer := service.request("GET", f"/raw/{ns}/a")).status == 503:
        assert time.monotonic() < deadline
    assert answer.body == b"1"


def test_imports_over_the_limit_of_memory_are_503(start_service, ns):
    service = start_service(HTTP_MAX_BUFFERED_BYTES="65536")
    check_problem(send(service, ns, line("a", 1)), 503)


# ---- A slow, failing, draining engine ----

def test_a_slow_engine_holds_the_client_up_and_all_is_stored(slow):
    service = slow("put:delay=30", HTTP_THREADS="1")
    body = b"".join(line(f"k{n}", "x" * 1000) for n in range(4000))
    answer = send(service, "n", body)
    assert answer.json() == {"stored": 4000, "lines": 4000}
    assert stored(service, "n", "k3999") is not None


def test_a_chunked_body_is_held_up_too(slow):
    service = slow("put:delay=30", HTTP_THREADS="1")
    body = b"".join(line(f"k{n}", "x" * 1000) for n in range(2000))
    pieces = [body[i:i + 777] for i in range(0, len(body), 777)]
    answer = send(service, "n", chunked(pieces), {"Transfer-Encoding": "chunked"})
    assert answer.json() == {"stored": 2000, "lines": 2000}


def test_other_requests_are_served_meanwhile(slow):
    service = slow("put:delay=100", HTTP_THREADS="1")
    body = b"".join(line(f"k{n}", "x" * 1000) for n in range(2000))
    done = []
    thread = threading.Thread(target=lambda: done.append(send(service, "n", body)))
    thread.start()
    for _ in range(20):
        assert service.request("GET", "/raw/n/none").status == 404
        time.sleep(0.02)
    thread.join(30)
    assert done[0].status == 200


@pytest.mark.parametrize("rule, status, outcome", [("put:fail=unavailable:every=700", 503, None),
                                                   ("put:fail=failed:every=700", 503, "unknown"),
                                                   ("put:fail=full:every=700", 507, None)])
def test_a_failure_of_the_engine_is_told_with_its_line(slow, rule, status, outcome):
    service = slow(rule, HTTP_THREADS="1")
    body = b"".join(line(f"k{n}", "x" * 100) for n in range(5000))
    problem = check_problem(send(service, "n", body), status)
    assert (problem["line"], problem["stored"], problem.get("outcome")) == (700, 699, outcome)
    assert stored(service, "n", "k698") is not None


def test_an_engine_that_does_not_answer_is_504(slow):
    service = slow("put:drop", CACHE_DEADLINE_MS=100)
    problem = check_problem(send(service, "n", line("a", 1) * 5000), 504)
    assert (problem["line"], problem["stored"], problem["outcome"]) == (1, 0, "unknown")


def test_a_client_that_goes_away_while_it_is_held_up(slow):
    service = slow("put:delay=200", HTTP_THREADS="1")
    body = b"".join(line(f"k{n}", "x" * 1000) for n in range(3000))
    with service.connect() as connection:
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.sock.settimeout(0.3)
        try:
            connection.send(build_request("POST", "/cache/n", FIELDS, body))
        except (TimeoutError, socket.timeout):
            pass
    time.sleep(0.5)
    assert service.request("GET", "/raw/n/none").status == 404


def test_a_drain_lets_an_import_finish(start_service, ns):
    service = start_service()
    body = line("a", 1) + line("b", 2)
    with service.connect() as connection:
        connection.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Content-Length": str(len(body))}) + body[:30])
        time.sleep(0.2)
        service.terminate()
        time.sleep(0.3)
        assert service.process.poll() is None
        connection.send(body[30:])
        answer = connection.read()
        assert answer.json() == {"stored": 2, "lines": 2} and answer.closes
    assert service.wait() == 0


def test_what_the_drain_timeout_cuts_off_is_answered_503(start_service, ns):
    service = start_service(HTTP_DRAIN_TIMEOUT_MS="400")
    with service.connect() as connection:
        connection.send(build_request("POST", f"/cache/{ns}", {**FIELDS, "Content-Length": "1000"}) + line("a", 1))
        time.sleep(0.2)
        service.terminate()
        problem = check_problem(connection.read(timeout=10), 503)
        assert problem["stored"] == 1
    assert service.wait() == 0


def test_an_import_at_the_engine_when_the_drain_timeout_ends_is_answered_503(slow):
    service = slow("put:drop", CACHE_DEADLINE_MS=60000, HTTP_DRAIN_TIMEOUT_MS=300, HTTP_THREADS="1")
    with service.connect() as connection:
        connection.send(build_request("POST", "/cache/n", {**FIELDS, "Content-Length": "1000"}) + line("a", 1))
        time.sleep(0.2)
        service.terminate()
        problem = check_problem(connection.read(timeout=10), 503)
        assert problem["stored"] == 0
    assert service.wait() == 0


def test_the_access_log_has_a_line_for_each(start_service, ns):
    service = start_service(LOG_ACCESS="on", HTTP_THREADS="1")
    send(service, ns, line("a", 1))
    send(service, ns, b"bad\n")
    wanted = [(200, len(line("a", 1))), (400, 0)]
    for status, at_least in wanted:
        entry = service.wait_for_log(lambda e, status=status: e.get("status") == status and
                                     e.get("route") == "/cache/{ns}", 10)
        assert entry["method"] == "POST" and entry["ns"] == ns
