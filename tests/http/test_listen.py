"""HTTP_HOST and ADMIN_HOST: every address of a name is listened on, with one port."""

import os
import shutil
import socket
import subprocess

import pytest
from support.service import Service, binary_path, clean_environment
from support.wire import Connection

BOTH = "::1 localhost\n127.0.0.1 localhost\n127.0.0.1 localhost twice.test\n127.0.0.1 twice.test\n"
ELSEWHERE = "192.0.2.77 part.test\n127.0.0.1 part.test\n192.0.2.77 away.test\n"


@pytest.fixture
def named(tmp_path):
    """The service where names are as in this test's own /etc/hosts."""
    if not shutil.which("unshare"):
        pytest.skip("no unshare")
    (tmp_path / "hosts").write_text(BOTH + ELSEWHERE)
    script = tmp_path / "cubby"
    script.write_text(f"#!/bin/sh\nexec unshare -rm sh -c 'mount --bind {tmp_path}/hosts /etc/hosts && exec \"$@\"' sh "
                      f"{os.path.abspath(binary_path())} \"$@\"\n")
    script.chmod(0o755)
    trial = subprocess.run([script, "--version"], capture_output=True, check=False)
    if trial.returncode != 0:
        pytest.skip("no mount namespaces here")
    started = []

    def start(**settings):
        started.append(Service({"CACHE_ENGINE": "memory", "HTTP_THREADS": "1", **settings}, binary=str(script)).start())
        return started[-1]

    start.script = str(script)
    yield start
    for service in started:
        service.stop()


@pytest.fixture
def ipv6():
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 loopback here")


def status(host, port):
    with Connection(port, host=host) as connection:
        return connection.request("GET", "/healthz").status


def is_refused(host, port):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        return trial.connect_ex((host, port)) != 0


@pytest.mark.usefixtures("ipv6")
def test_localhost_with_addresses_of_both_families_is_served_at_both(named):
    service = named(HTTP_HOST="localhost", ADMIN_HOST="localhost", ADMIN_PORT="0")
    admin = int(service.wait_for_log(lambda line: line.get("msg") == "admin port", 5)["port"])
    for host in ("127.0.0.1", "::1"):
        assert status(host, service.port) == 200
        assert status(host, admin) == 200
    service.stop()
    for host in ("127.0.0.1", "::1"):
        assert is_refused(host, service.port)


def test_an_address_that_a_name_has_twice_is_listened_on_once(named):
    service = named(HTTP_HOST="twice.test")
    assert status("127.0.0.1", service.port) == 200


def test_an_address_of_another_machine_is_passed_over(named):
    service = named(HTTP_HOST="part.test")
    assert status("127.0.0.1", service.port) == 200


def start_that_fails(named, **settings):
    run = subprocess.run([named.script], env=clean_environment(settings), capture_output=True, text=True, timeout=30,
                         check=False)
    assert run.returncode == 1, run
    return run.stderr


def test_a_name_of_another_machine_alone_fails_the_start(named):
    assert "cannot listen on away.test" in start_that_fails(named, HTTP_HOST="away.test", HTTP_PORT="0")


@pytest.mark.usefixtures("ipv6")
@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
def test_a_port_that_is_taken_at_one_address_fails_the_start_and_says_where(named, taken):
    """Half of a name would be served by somebody else."""
    with socket.socket(socket.AF_INET6 if ":" in taken else socket.AF_INET) as other:
        other.bind((taken, 0))
        other.listen()
        port = other.getsockname()[1]
        told = start_that_fails(named, HTTP_HOST="localhost", HTTP_PORT=str(port))
    assert f"({taken}) port {port}" in told


@pytest.mark.usefixtures("ipv6")
def test_all_addresses_of_version_6_take_version_4_too():
    service = Service({"CACHE_ENGINE": "memory", "HTTP_HOST": "::", "CACHE_AUTH": "off"}).start()
    try:
        assert status("127.0.0.1", service.port) == 200 and status("::1", service.port) == 200
    finally:
        service.stop()
