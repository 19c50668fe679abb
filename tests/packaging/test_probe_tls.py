"""`cubby --probe` against services that speak TLS, with and without clients' certificates."""

import shutil
import socket
import ssl
import subprocess
import threading

import pytest
from listening import ListeningService
from support.service import run_once

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make certificates with")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A folder with an authority `ca` and a pair `server` of it, a `stranger`, and a pair `late` whose time is over."""
    folder = tmp_path_factory.mktemp("pki")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "stranger"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")
    # Over at once: OpenSSL 3.5 takes no days before today.
    for name, days in (("server", "30"), ("late", "0")):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.pem", "-days", days)
    return folder


@pytest.fixture
def serve(pki):
    """Starts replicas that listen with TLS; gives the settings that a probe beside them has."""
    started = []

    def start(pair="server", **settings):
        settings = {"CACHE_ENGINE": "memory", "HTTP_THREADS": "1", "HTTP_TLS_CERT": str(pki / f"{pair}.pem"),
                    "HTTP_TLS_KEY": str(pki / f"{pair}.key"), **settings}
        started.append(ListeningService(settings).start())
        return {**settings, "HTTP_PORT": str(started[-1].port)}

    yield start
    for replica in started:
        replica.stop()


def free_port():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return str(trial.getsockname()[1])


def probe(*arguments, settings):
    return run_once("--probe", *arguments, settings=settings)


def test_the_health_check_of_a_service_with_tls_needs_nothing_more(serve):
    settings = serve()
    run = probe(settings=settings)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert probe("/healthz", settings=settings).returncode == 0
    run = probe("/cache/users/nobody", settings=settings)
    assert run.returncode == 1 and "404" in run.stderr


def test_an_https_url_is_asked_with_tls_and_an_http_one_without(serve):
    settings = serve()
    assert probe(f"https://127.0.0.1:{settings['HTTP_PORT']}/healthz", settings={}).returncode == 0
    assert probe(f"https://localhost:{settings['HTTP_PORT']}", settings={}).returncode == 0
    assert probe(f"http://127.0.0.1:{settings['HTTP_PORT']}", settings=settings).returncode == 1


def test_a_certificate_that_is_over_or_of_nobody_is_still_a_sign_of_life(serve):
    """Whether clients would trust it is not what a restart could mend."""
    assert probe(settings=serve("late")).returncode == 0
    assert probe(settings=serve("stranger")).returncode == 0


def test_where_clients_show_certificates_the_probe_shows_the_services_own(serve, pki):
    settings = serve(HTTP_TLS_CLIENT_CA=str(pki / "ca.pem"))
    assert probe(settings=settings).returncode == 0
    without = {key: value for key, value in settings.items() if key != "HTTP_TLS_CLIENT_CA"}
    assert probe(settings=without).returncode == 1, "nothing was asked for"
    run = probe("/cache/users/nobody", settings=settings)
    assert run.returncode == 1 and "404" in run.stderr


def test_where_the_own_certificate_is_not_taken_it_says_what_helps(serve, pki):
    settings = serve(HTTP_TLS_CLIENT_CA=str(pki / "stranger.pem"))
    run = probe(settings=settings)
    assert run.returncode == 1 and "ADMIN_PORT" in run.stderr and settings["HTTP_PORT"] in run.stderr, run


def test_where_the_own_certificate_is_not_taken_the_admin_port_is_asked(serve, pki):
    settings = serve(HTTP_TLS_CLIENT_CA=str(pki / "stranger.pem"), ADMIN_PORT=free_port())
    assert probe(settings=settings).returncode == 0
    assert probe("/healthz", settings=settings).returncode == 0
    assert probe("/capabilities", settings=settings).returncode == 1, "not on the admin port"


def test_a_readiness_of_503_is_1_through_tls_too(serve):
    settings = serve(CACHE_ENGINE="redis", REDIS_HOST="127.0.0.1", REDIS_PORT=free_port())
    run = probe(settings=settings)
    assert run.returncode == 1 and "503" in run.stderr
    assert probe("/healthz", settings=settings).returncode == 0


def test_a_service_without_tls_is_1_and_said(start_service, pki):
    service = start_service()
    pair = {"HTTP_TLS_CERT": str(pki / "server.pem"), "HTTP_TLS_KEY": str(pki / "server.key")}
    run = probe(settings={"HTTP_PORT": service.port, **pair})
    assert run.returncode == 1 and str(service.port) in run.stderr


@pytest.mark.parametrize("silent", ["in the handshake", "after it"])
def test_a_peer_that_stalls_is_1_within_the_bound(pki, silent):
    over = threading.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.pem", pki / "server.key")
    listener = socket.create_server(("127.0.0.1", 0))

    def stall():
        connection, _ = listener.accept()
        with connection:
            if silent == "after it":
                connection = context.wrap_socket(connection, server_side=True)
            over.wait(30)
            connection.close()

    thread = threading.Thread(target=stall, daemon=True)
    thread.start()
    run = probe(f"https://127.0.0.1:{listener.getsockname()[1]}/", settings={})
    over.set()
    thread.join(10)
    listener.close()
    assert run.returncode == 1 and "in time" in run.stderr


def test_files_that_are_gone_do_not_fail_the_probe_of_a_service_that_has_read_them(serve, pki, tmp_path):
    for suffix in ("pem", "key"):
        shutil.copy(pki / f"server.{suffix}", tmp_path / f"own.{suffix}")
    settings = serve(HTTP_TLS_CERT=str(tmp_path / "own.pem"), HTTP_TLS_KEY=str(tmp_path / "own.key"))
    for suffix in ("pem", "key"):
        (tmp_path / f"own.{suffix}").unlink()
    assert probe(settings=settings).returncode == 0
