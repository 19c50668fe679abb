"""SIGTERM: what is in flight finishes, nothing new begins, the exit status is 0."""

import signal
import threading
import time

import pytest
from support.api import check_problem
from support.wire import Closed, Connection, WireError, build_request


def _refuses(port):
    try:
        with Connection(port, timeout=5) as connection:
            connection.request("GET", "/healthz", timeout=2)
    except (OSError, WireError, TimeoutError):
        return True
    return False


def _wait_until(what, seconds=10):
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "never came"
        time.sleep(0.02)


def test_a_replica_with_nothing_to_do_ends_at_once_with_status_0(start_service):
    service = start_service()
    began = time.monotonic()
    service.terminate()
    assert service.wait() == 0
    assert time.monotonic() - began < 10


def test_sigint_ends_it_like_sigterm(start_service):
    service = start_service()
    service.process.send_signal(signal.SIGINT)
    assert service.wait() == 0


def test_a_request_in_flight_is_finished_with_connection_close(start_service, ns):
    service = start_service()
    with service.connect() as connection:
        connection.send(build_request("PUT", f"/cache/{ns}/k", {"Content-Length": "10", "Content-Type": "text/plain"})
                        + b"half ")
        time.sleep(0.2)
        service.terminate()
        _wait_until(lambda: _refuses(service.port))
        assert service.process.poll() is None, "it waits for the request"
        connection.send(b"whole")
        answer = connection.read()
        assert answer.status == 201 and answer.closes
        assert answer.json()["bytes"] == 10
        assert connection.closed_within(5)
    assert service.wait() == 0


def test_idle_connections_are_closed_and_do_not_keep_it_alive(start_service):
    service = start_service()
    kept = [service.connect() for _ in range(20)]
    for connection in kept[:15]:
        assert connection.request("GET", "/healthz").status == 200
    service.terminate()
    for connection in kept:
        assert connection.closed_within(10)
        connection.close()
    assert service.wait(10) == 0


@pytest.mark.parametrize("sent", [b"GET /raw/", b"GET /healthz HTTP/1.1\r\nHost: h\r\n",
                                  b"PUT /raw/n/k HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf"],
                         ids=["request-line", "fields", "body"])
def test_a_client_that_left_in_the_middle_of_a_request_does_not_hold_it_up(start_service, sent):
    service = start_service(HTTP_REQUEST_TIMEOUT_MS="60000")
    connection = service.connect()
    connection.send(sent)
    connection.close()
    time.sleep(0.3)
    service.terminate()
    assert service.wait(15) == 0


def test_a_large_answer_on_its_way_is_sent_to_the_end(start_service, ns):
    service = start_service()
    value = bytes(range(256)) * 20_000
    service.request("PUT", f"/raw/{ns}/big", {}, value)
    with service.connect() as connection:
        connection.send(build_request("GET", f"/raw/{ns}/big"))
        time.sleep(0.3)
        service.terminate()
        time.sleep(0.3)
        assert connection.read().body == value
    assert service.wait() == 0


def test_during_the_drain_delay_readyz_is_503_and_others_are_served_with_connection_close(start_service, ns):
    service = start_service(HTTP_DRAIN_DELAY_MS="2000")
    began = time.monotonic()
    service.terminate()
    _wait_until(lambda: service.request("GET", "/readyz").status == 503)
    ready = service.request("GET", "/readyz")
    problem = check_problem(ready, 503)
    assert "drain" in (problem["detail"] + problem["title"] + problem["type"]).lower()
    assert ready["Retry-After"] and ready.closes
    health = service.request("GET", "/healthz")
    assert health.status == 200 and health.closes
    assert service.request("PUT", f"/raw/{ns}/k", {}, b"v").status == 201
    assert service.wait() == 0
    assert time.monotonic() - began >= 1.9


def test_a_second_sigterm_skips_the_delay(start_service):
    service = start_service(HTTP_DRAIN_DELAY_MS="60000")
    service.terminate()
    _wait_until(lambda: service.request("GET", "/readyz").status == 503)
    service.terminate()
    assert service.wait(20) == 0


def test_what_does_not_finish_is_cut_off_at_the_drain_timeout(start_service, ns):
    service = start_service(HTTP_DRAIN_TIMEOUT_MS="700", HTTP_REQUEST_TIMEOUT_MS="60000")
    with service.connect() as connection:
        connection.send(build_request("PUT", f"/raw/{ns}/k", {"Content-Length": "10"}) + b"half")
        time.sleep(0.2)
        began = time.monotonic()
        service.terminate()
        service.wait(20)
        assert 0.5 < time.monotonic() - began < 15
        try:
            assert connection.read(timeout=5).status in (408, 503)
        except Closed:
            pass


def _flood(connections, request, until):
    """Sends on all of them and waits for nothing, so that there is always more to read."""
    for connection in connections:
        connection.sock.setblocking(False)
    while not until.is_set():
        for connection in connections:
            for step in (lambda sock: sock.send(request), lambda sock: sock.recv(65536)):
                try:
                    step(connection.sock)
                except OSError:
                    pass


def test_requests_that_arrive_as_the_drain_timeout_passes_do_no_harm(start_service, ns):
    request = build_request("PUT", f"/raw/{ns}/k", {}, b"v")
    for _ in range(3):
        service = start_service(HTTP_DRAIN_TIMEOUT_MS="0", HTTP_THREADS="2")
        ended = threading.Event()
        connections = [service.connect() for _ in range(100)]
        flood = [threading.Thread(target=_flood, args=(connections[i::2], request, ended)) for i in range(2)]
        for thread in flood:
            thread.start()
        time.sleep(0.3)
        service.terminate()
        try:
            assert service.wait(20) == 0, service.output()
        finally:
            ended.set()
            for thread in flood:
                thread.join()
            for connection in connections:
                connection.close()


def test_sigterm_under_load_never_breaks_an_answer(start_service, ns):
    service = start_service()
    service.request("PUT", f"/raw/{ns}/k", {}, b"x" * 2000)
    connections = [service.connect() for _ in range(20)]
    whole = broken = 0
    for round_number in range(30):
        if round_number == 10:
            service.terminate()
        for connection in list(connections):
            try:
                connection.send(build_request("GET", f"/raw/{ns}/k"))
                answer = connection.read(timeout=5)
                assert answer.status == 200 and len(answer.body) == 2000
                whole += 1
                if answer.closes:
                    connections.remove(connection)
            except (Closed, OSError):
                connections.remove(connection)
            except WireError:
                broken += 1
                connections.remove(connection)
    assert whole >= 200 and broken == 0
    assert service.wait() == 0


def test_sighup_is_survived(start_service):
    service = start_service()
    service.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert service.request("GET", "/healthz").status == 200


def test_sigpipe_is_survived(start_service):
    service = start_service()
    service.process.send_signal(signal.SIGPIPE)
    time.sleep(0.2)
    assert service.request("GET", "/healthz").status == 200
