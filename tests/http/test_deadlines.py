"""Slow clients, idle ones, and too many of them."""

import os
import time

import pytest
from support.api import check_any_answer, check_problem
from support.wire import Closed, Connection, build_request

TIMEOUT_MS = 1000


@pytest.fixture(scope="module")
def hasty(engine):
    """A replica that gives a request one second."""
    from support.service import Service

    replica = Service({**engine.settings(), "HTTP_REQUEST_TIMEOUT_MS": str(TIMEOUT_MS),
                       "HTTP_IDLE_TIMEOUT_MS": "2000"}).start()
    yield replica
    replica.stop()


def _trickle(connection, data, step=0.1, at_most=8.0):
    """Sends byte after byte until the server answers or closes; gives how long that took."""
    began = time.monotonic()
    connection.sock.setblocking(False)
    for byte in data:
        if time.monotonic() - began > at_most:
            break
        try:
            connection.sock.send(bytes([byte]))
        except BlockingIOError:
            pass
        except OSError:
            break
        time.sleep(step)
        try:
            piece = connection.sock.recv(65536)
            connection.buffer += piece
            break
        except BlockingIOError:
            pass
        except OSError:
            break
    connection.sock.setblocking(True)
    return time.monotonic() - began


def _expect_408(connection):
    answer = connection.read(timeout=10)
    check_problem(answer, 408)
    check_any_answer(answer, "PUT")
    assert answer.closes
    assert connection.closed_within(5)


def test_a_body_that_never_comes_is_408_and_the_connection_closes(hasty, ns, view):
    with hasty.connect() as connection:
        connection.send(build_request("PUT", f"/{view}/{ns}/k", {"Content-Length": "10"}) + b"half")
        began = time.monotonic()
        _expect_408(connection)
        assert 0.5 < time.monotonic() - began < 6
    assert hasty.request("GET", f"/raw/{ns}/k").status == 404


@pytest.mark.parametrize("fields, body", [({"Content-Length": "1000"}, b"x" * 1000),
                                          ({"Transfer-Encoding": "chunked"}, b"1\r\nx\r\n" * 200)])
def test_a_body_that_trickles_is_408_after_the_time_in_total(hasty, ns, fields, body):
    with hasty.connect() as connection:
        connection.send(build_request("PUT", f"/raw/{ns}/k", fields))
        took = _trickle(connection, body)
        assert 0.5 < took < 6
        _expect_408(connection)


def test_a_header_section_that_trickles_is_cut_off_too(hasty):
    request = build_request("GET", "/healthz", {"X-Padding": "x" * 500})
    for start in (0, 20):
        with hasty.connect() as connection:
            connection.send(request[:start])
            took = _trickle(connection, request[start:])
            assert 0.5 < took < 7
            try:
                assert connection.read(timeout=5).status == 408
            except Closed:
                pass
            assert connection.closed_within(5)


def test_a_second_request_that_trickles_is_cut_off_like_a_first(hasty):
    request = build_request("GET", "/healthz", {"X-Padding": "x" * 500})
    with hasty.connect() as connection:
        assert connection.request("GET", "/healthz").status == 200
        connection.send(request[:30])
        took = _trickle(connection, request[30:], at_most=10)
        assert took < 9
        try:
            assert connection.read(timeout=5).status == 408
        except Closed:
            pass


def test_a_finished_request_is_not_cut_off_by_the_time_of_an_earlier_one(hasty):
    with hasty.connect() as connection:
        for _ in range(4):
            assert connection.request("GET", "/healthz").status == 200
            time.sleep(0.5)


def test_an_idle_connection_is_closed_after_the_idle_time_without_an_answer(hasty):
    with hasty.connect() as connection:
        assert connection.request("GET", "/healthz").status == 200
        began = time.monotonic()
        assert connection.closed_within(15), "closed, and nothing was sent"
        assert time.monotonic() - began > 1.2


def test_a_connection_that_never_says_anything_is_closed(hasty):
    with hasty.connect() as connection:
        assert connection.closed_within(15)


def _cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("stuck", [b"5;" + b"x" * 100_000, b"0" * 100_000 + b"5", b"5\r\nhel"],
                         ids=["extension", "size", "data"])
def test_a_client_that_is_stuck_in_the_middle_of_a_body_costs_no_cpu(start_service, ns, stuck):
    # The end of what came behind so many bytes is noticed late.
    service = start_service(HTTP_DRAIN_TIMEOUT_MS="500")
    with service.connect() as connection:
        connection.send(build_request("PUT", f"/raw/{ns}/k", {"Transfer-Encoding": "chunked"}))
        connection.send_tolerant(stuck)
        time.sleep(0.3)
        before = _cpu_seconds(service.process)
        time.sleep(2)
        assert _cpu_seconds(service.process) - before < 0.3


def test_two_hundred_slow_clients_do_not_keep_others_waiting(hasty, ns):
    slow = [hasty.connect() for _ in range(200)]
    try:
        for connection in slow:
            connection.send(build_request("PUT", f"/raw/{ns}/slow", {"Content-Length": "10"}) + b"h")
        for _ in range(20):
            assert hasty.request("GET", "/healthz", timeout=5).status == 200
        assert hasty.request("GET", f"/raw/{ns}/slow").status == 404
    finally:
        for connection in slow:
            connection.close()


def test_connections_over_the_limit_are_refused_and_those_within_it_served(start_service):
    service = start_service(HTTP_MAX_CONNECTIONS="8", HTTP_THREADS="2")
    kept = service.take_connections(8)
    for _ in range(5):
        with Connection(service.port) as extra:
            extra.send_tolerant(build_request("GET", "/healthz"))
            try:
                answer = extra.read(timeout=5)
                assert answer.status == 503 and answer["Retry-After"]
                check_problem(answer)
            except Closed:
                pass
            assert extra.closed_within(5)
    for connection in kept:
        assert connection.request("GET", "/healthz").status == 200
        connection.close()
    deadline = time.monotonic() + 20
    while True:
        try:
            assert service.request("GET", "/healthz").status == 200
            break
        except (Closed, AssertionError):
            assert time.monotonic() < deadline, "room is not given back"
            time.sleep(0.05)


def test_requests_over_the_limit_in_flight_are_503_with_retry_after(start_service, ns):
    service = start_service(HTTP_MAX_IN_FLIGHT="2", HTTP_THREADS="1")
    busy = [service.connect() for _ in range(2)]
    for connection in busy:
        connection.send(build_request("PUT", f"/raw/{ns}/k", {"Content-Length": "4"}) + b"ha")
    deadline = time.monotonic() + 20
    with service.connect() as extra:
        while (answer := extra.request("GET", f"/raw/{ns}/k")).status == 404:
            assert time.monotonic() < deadline
        check_any_answer(answer, "GET")
        check_problem(answer, 503)
    for connection in busy:
        connection.send(b"lf")
        assert connection.read().status in (200, 201)
        connection.close()
    assert service.request("GET", f"/raw/{ns}/k").body == b"half"


def test_bodies_over_the_limit_of_memory_are_503_and_those_within_it_stored(start_service, ns):
    service = start_service(HTTP_MAX_BUFFERED_BYTES="65536", HTTP_THREADS="1")
    with service.connect() as first:
        first.send(build_request("PUT", f"/raw/{ns}/a", {"Content-Length": "60000"}) + b"x" * 59_999)
        deadline = time.monotonic() + 20
        while True:
            with service.connect() as second:
                second.send_tolerant(build_request("PUT", f"/raw/{ns}/early", {}, b"y" * 30_000))
                answer = second.read(timeout=10)
            if answer.status not in (200, 201):
                break
            assert time.monotonic() < deadline
        check_problem(answer, 503)
        check_any_answer(answer, "PUT")
        first.send(b"x")
        assert first.read().status == 201
    assert service.request("PUT", f"/raw/{ns}/b", {}, b"y" * 30_000).status == 201
