"""`cubby --probe` against services that are well, are not, are no services, or do not answer."""

import socket
import subprocess
import threading
import time

import pytest
from listening import ListeningService
from support.service import binary_path, clean_environment, run_once

PATIENCE = 2.0


def probe(*arguments, **settings):
    began = time.monotonic()
    run = run_once("--probe", *arguments, settings=settings)
    assert time.monotonic() - began < PATIENCE + 3, "far beyond its bound"
    return run


def test_a_ready_service_is_0_and_nothing_is_said(start_service):
    service = start_service()
    run = probe(HTTP_PORT=service.port)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert probe("/healthz", HTTP_PORT=service.port).returncode == 0
    assert probe(f"http://127.0.0.1:{service.port}").returncode == 0
    assert probe(f"http://localhost:{service.port}/healthz", HTTP_PORT=1).returncode == 0


def test_a_service_on_all_addresses_is_asked_on_loopback(start_service):
    service = start_service()
    assert probe(HTTP_HOST="0.0.0.0", HTTP_PORT=service.port).returncode == 0


def test_a_service_on_all_addresses_of_version_6_is_asked_on_loopback():
    if not _has_loopback_6():
        pytest.skip("no IPv6 loopback here")
    with ListeningService({"CACHE_ENGINE": "memory", "HTTP_HOST": "::1"}) as service:
        assert probe(HTTP_HOST="::", HTTP_PORT=service.port).returncode == 0
        assert probe(f"http://[::1]:{service.port}/readyz").returncode == 0


def _has_loopback_6():
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
            return True
    except OSError:
        return False


def test_a_host_and_port_from_files_are_followed(start_service, tmp_path):
    service = start_service()
    port = tmp_path / "port"
    port.write_text(f"{service.port}\n")
    assert probe(HTTP_PORT_FILE=port).returncode == 0


def test_settings_that_are_none_of_a_probes_business_do_not_fail_it(start_service):
    service = start_service()
    run = probe(HTTP_PORT=service.port, CACHE_NAMESPACES_FILE="/nonexistent", REDIS_PASSWORD_FILE="/nonexistent")
    assert run.returncode == 0, run.stderr


def test_what_is_not_200_is_1_and_said(start_service):
    service = start_service()
    run = probe("/cache/users/nobody", HTTP_PORT=service.port)
    assert run.returncode == 1 and "404" in run.stderr and "/cache/users/nobody" in run.stderr


def test_an_engine_that_is_gone_is_1_for_readiness_and_0_for_life(start_service):
    with socket.socket() as refused:
        refused.bind(("127.0.0.1", 0))
        engine = {"CACHE_ENGINE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(refused.getsockname()[1])}
        with ListeningService(engine) as service:
            run = probe(HTTP_PORT=service.port)
            assert run.returncode == 1 and "503" in run.stderr
            assert probe("/healthz", HTTP_PORT=service.port).returncode == 0


def test_nobody_there_is_1_and_says_who_was_asked():
    with socket.socket() as refused:
        refused.bind(("127.0.0.1", 0))
        port = refused.getsockname()[1]
        run = probe(HTTP_PORT=port)
    assert run.returncode == 1 and str(port) in run.stderr


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200", b"220 mail.example ESMTP\r\n", b"HTTP/1.1 2000 OK\r\n\r\n",
                                    b"\0" * 5000])
def test_what_speaks_something_else_is_1(answer):
    with _peer(lambda connection: (connection.recv(4096), connection.sendall(answer))) as port:
        assert probe(HTTP_PORT=port).returncode == 1


@pytest.mark.parametrize("silent", ["says nothing", "trickles", "never ends"])
def test_a_peer_that_takes_its_time_is_1_within_the_bound(silent):
    over = threading.Event()

    def serve(connection):
        if silent == "says nothing":
            over.wait(30)
        while not over.wait(0.1 if silent == "trickles" else 0):
            connection.sendall(b"H" if silent == "trickles" else b"x" * 65536)

    with _peer(serve) as port:
        run = probe(HTTP_PORT=port)
        over.set()
    assert run.returncode == 1 and "in time" in run.stderr


class _peer:
    """One connection's worth of a server of another kind."""

    def __init__(self, serve):
        self.serve = serve
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        try:
            connection, _ = self.listener.accept()
            with connection:
                self.serve(connection)
        except OSError:
            pass

    def __enter__(self):
        self.thread.start()
        return self.listener.getsockname()[1]

    def __exit__(self, *_):
        self.listener.close()
        self.thread.join(10)


@pytest.mark.parametrize("word", ["https:/127.0.0.1/", "readyz", "/a b", "http://127.0.0.1:70000/"])
def test_what_cannot_be_asked_is_1_and_says_why(word):
    run = probe(word)
    assert run.returncode == 1 and word in run.stderr


def test_the_probe_needs_no_home_path_or_locale():
    environment = {key: value for key, value in clean_environment({}).items() if key.endswith("SAN_OPTIONS")}
    run = subprocess.run([binary_path(), "--probe", "http://127.0.0.1:1/"], env=environment, timeout=10, check=False,
                         capture_output=True)
    assert run.returncode == 1
