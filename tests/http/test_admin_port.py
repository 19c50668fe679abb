"""ADMIN_PORT: a second port for those who watch and probe, without a token."""

import hashlib
import json
import os
import threading
import time

import pytest
from support import document
from support.api import check_any_answer, check_problem
from support.service import ROOT, run_once
from support.wire import Closed, Connection, WireError

EX_CONFIG = 78

with open(os.path.join(ROOT, "routes", "table.c"), encoding="utf-8") as table:
    TABLE = table.read()
# The routes that only admin may ask for, as far as this build has them.
FOR_ADMIN = [route for route in ("/metrics", "/stats") if f'"{route}"' in TABLE]
PROBES = ["/healthz", "/readyz"]


@pytest.fixture(autouse=True)
def undocumented(monkeypatch):
    """The interface's document is of the main port."""
    monkeypatch.setattr(document, "ENABLED", False)


@pytest.fixture
def watched(start_service):
    def start(**settings):
        service = start_service(ADMIN_PORT="0", **settings)
        service.admin = int(service.wait_for_log(lambda line: line.get("msg") == "admin port", 5)["port"])
        return service

    return start


def ask_admin(service, target, method="GET", fields=(), body=None):
    with Connection(service.admin) as connection:
        answer = connection.request(method, target, fields, body)
    check_any_answer(answer, method)
    return answer


@pytest.mark.parametrize("guarded", [False, True], ids=["open", "tokens"])
def test_it_answers_probes_and_watchers_without_a_token(watched, tmp_path, guarded):
    settings = {}
    if guarded:
        path = tmp_path / "tokens.json"
        path.write_text('{"tokens":[]}')
        settings["CACHE_TOKENS_FILE"] = str(path)
    service = watched(**settings)
    for target in PROBES + FOR_ADMIN:
        assert ask_admin(service, target).status == 200, target
        assert ask_admin(service, target, "HEAD").status == 200, target
        assert ask_admin(service, target, fields={"Authorization": "Bearer wrong"}).status == 200, target


def test_nothing_else_is_there(watched, ns):
    service = watched()
    for method, target in (("GET", f"/raw/{ns}/k"), ("PUT", f"/raw/{ns}/k"), ("POST", "/flush"), ("GET", "/namespaces"),
                           ("GET", "/capabilities"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/"),
                           ("OPTIONS", f"/raw/{ns}/k")):
        check_problem(ask_admin(service, target, method, {}, b"v" if method == "PUT" else None), 404)
    assert service.request("GET", f"/raw/{ns}/k").status == 404
    assert service.request("GET", "/capabilities").status == 200
    assert ask_admin(service, "/healthz", "DELETE").status == 405


def test_what_is_there_is_not_on_the_main_port(watched, start_service, monkeypatch):
    service, without = watched(), start_service()
    monkeypatch.setattr(document, "ENABLED", True)  # that it is not there is documented
    for target in FOR_ADMIN:
        check_problem(service.request("GET", target), 404)
        assert without.request("GET", target).status == 200
    for target in PROBES:
        assert service.request("GET", target).status == 200


def test_a_token_for_admin_is_no_way_around_it(watched, tmp_path):
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({"tokens": [{"sha256": hashlib.sha256(b"t").hexdigest(), "namespaces": "*",
                                            "scopes": ["admin"]}]}))
    service = watched(CACHE_TOKENS_FILE=str(path))
    for target in FOR_ADMIN:
        check_problem(service.request("GET", target, {"Authorization": "Bearer t"}), 404)


def test_it_is_on_loopback_alone_unless_told_otherwise(watched):
    service = watched()
    with open("/proc/net/tcp", encoding="ascii") as listening:
        rows = [line.split()[1] for line in listening.readlines()[1:] if line.split()[3] == "0A"]
    assert [row for row in rows if int(row.split(":")[1], 16) == service.admin] == [f"0100007F:{service.admin:04X}"]


def test_it_answers_when_all_connections_and_places_are_taken(watched, ns):
    service = watched(HTTP_MAX_CONNECTIONS="3", HTTP_MAX_IN_FLIGHT="1", HTTP_THREADS="1")
    held = service.take_connections(3)
    try:
        held[0].send(f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n".encode())
        deadline = time.monotonic() + 20
        while held[1].request("GET", f"/raw/{ns}/k").status != 503:
            assert time.monotonic() < deadline
        with service.connect() as refused:
            assert refused.read("GET").status == 503, "the main port is full"
        for target in PROBES + FOR_ADMIN:
            assert ask_admin(service, target).status == 200, target
    finally:
        for connection in held:
            connection.close()


def test_its_own_connections_are_bounded_too(watched):
    service = watched(HTTP_MAX_CONNECTIONS="2", HTTP_THREADS="1")
    held = [Connection(service.admin) for _ in range(60)]
    answered = 0
    for connection in held:
        try:
            answered += connection.request("GET", "/healthz", timeout=5).status == 200
        except (WireError, OSError):
            pass
        time.sleep(0)
    assert 10 <= answered <= 20
    for connection in held:
        connection.close()


def test_it_answers_while_the_service_drains(watched, ns):
    service = watched(HTTP_DRAIN_TIMEOUT_MS="10000", HTTP_REQUEST_TIMEOUT_MS="20000")
    held = service.connect()
    held.send(f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na".encode())
    time.sleep(0.3)
    service.terminate()
    deadline = time.monotonic() + 20
    while True:  # the main port closes
        try:
            service.connect().close()
        except ConnectionRefusedError:
            break
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with Connection(service.admin) as late:
        time.sleep(0.4)  # a client's way to its first request may be long
        assert late.request("GET", "/healthz").status == 200
    for _ in range(20):
        assert ask_admin(service, "/healthz").status == 200
        check_problem(ask_admin(service, "/readyz"), 503)
        for target in FOR_ADMIN:
            assert ask_admin(service, target).status == 200
    held.send(b"b")
    assert held.read("PUT").status == 201
    assert service.wait(5) == 0


def test_idle_watchers_do_not_hold_up_the_end(watched):
    service = watched(HTTP_DRAIN_TIMEOUT_MS="20000")
    with Connection(service.admin) as kept, Connection(service.admin) as silent:
        assert kept.request("GET", "/healthz").status == 200
        began = time.monotonic()
        service.terminate()
        assert service.wait(10) == 0
        assert time.monotonic() - began < 10
        assert kept.closed_within(1) and silent.closed_within(1)


def test_watchers_that_go_on_asking_do_not_hold_up_the_end(watched):
    service = watched(HTTP_DRAIN_TIMEOUT_MS="5000")
    stop = threading.Event()

    def ask():
        while not stop.is_set():
            try:
                with Connection(service.admin, timeout=5) as connection:
                    connection.request("GET", "/healthz")
            except (OSError, Closed, WireError):
                pass

    askers = [threading.Thread(target=ask) for _ in range(2)]
    for asker in askers:
        asker.start()
    time.sleep(0.3)
    service.terminate()
    try:
        assert service.wait(15) == 0
    finally:
        stop.set()
        for asker in askers:
            asker.join()


@pytest.mark.parametrize("settings, fault", [
    ({"ADMIN_PORT": "65536"}, "ADMIN_PORT"), ({"ADMIN_PORT": "x"}, "ADMIN_PORT"),
    ({"ADMIN_HOST": "not a host", "ADMIN_PORT": "1"}, "ADMIN_HOST"), ({"ADMIN_PROT": "1"}, "ADMIN_PORT"),
    ({"ADMIN_PORT": "8080"}, "the same as HTTP_PORT"),
])
def test_settings_at_fault_stop_the_start(settings, fault):
    done = run_once("--check", settings=settings)
    assert done.returncode == EX_CONFIG and fault in done.stderr, done


def test_variables_of_others_are_left_alone(start_service):
    service = start_service(ADMIN_PASSWORD="x", ADMIN_SERVICE_HOST="10.0.0.1", ADMIN_PORT="tcp://10.0.0.1:80",
                            ADMIN_PORT_80_TCP_ADDR="10.0.0.1", ADMIN_EMAIL="a@b")
    assert service.request("GET", "/healthz").status == 200
    assert not [line for line in service.log() if line.get("msg") == "admin port"]


def test_a_port_that_is_taken_is_an_error(watched):
    service = watched()
    done = run_once(settings={"HTTP_PORT": "0", "ADMIN_PORT": str(service.admin), "CACHE_ENGINE": "memory"})
    assert done.returncode not in (0, EX_CONFIG) and "in use" in (done.stderr + done.stdout).lower(), done
