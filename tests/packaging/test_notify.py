"""What a service manager is told (sd_notify(3)), with a socket of the test's own as the manager's."""

import os
import signal
import socket

import pytest


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path):
    address = str(tmp_path / "notify") if request.param == "path" else f"@cubby-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(address.replace("@", "\0"))
        end.settimeout(10)
        yield address, lambda: end.recv(4096).decode()


def test_ready_reloading_ready_stopping(start_service, manager):
    address, told = manager
    service = start_service(NOTIFY_SOCKET=address)
    assert told() == "READY=1"
    service.process.send_signal(signal.SIGHUP)
    first, second = told().split("\n")
    assert first == "RELOADING=1" and second.startswith("MONOTONIC_USEC=") and int(second.split("=")[1]) > 0
    assert told() == "READY=1"
    service.terminate()
    assert told() == "STOPPING=1"
    assert service.wait() == 0


def test_ready_is_said_when_connections_are_taken_and_not_before(start_service, manager):
    address, told = manager
    service = start_service(NOTIFY_SOCKET=address)
    assert told() == "READY=1"
    assert any(entry.get("msg") == "listening" for entry in service.log())


def test_a_manager_that_is_not_there_is_a_warning(start_service):
    service = start_service(NOTIFY_SOCKET="/nonexistent/notify")
    entry = service.wait_for_log(lambda entry: entry.get("msg") == "service manager not told", 10)
    assert entry["level"] == "warn" and entry["state"] == "READY=1"
    assert service.request("GET", "/healthz").status == 200


def test_without_a_manager_nothing_is_said(start_service):
    service = start_service()
    service.terminate()
    service.wait()
    assert "service manager" not in service.output()
