"""HTTP_TLS_CERT, HTTP_TLS_KEY, HTTP_TLS_CLIENT_CA: versions, clients' certificates, rotation, and that deadlines and
limits hold as without TLS."""

import contextlib
import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest
from support.api import check_problem
from support.service import Service, run_once
from support.wire import Connection, WireError, build_request

EX_CONFIG = 78
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make certificates with")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A folder with an authority `ca`, certificates `a` and `b` for 127.0.0.1, `client` and `late`, whose time is over, and
    a `stranger`."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    # What strict verification asks for (RFC 5280), the default from Python 3.13 on.
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\nsubjectKeyIdentifier=hash\n"
                                       "authorityKeyIdentifier=keyid\n")
    for name in ("ca", "stranger"):
        openssl("req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}",
                "-addext", "keyUsage=critical,digitalSignature,keyCertSign,cRLSign")
    for name in ("a", "b", "client", "late"):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.pem", "-extfile", "extensions", "-days", "0" if name == "late" else "30")
    time.sleep(1.1)  # "late" ends in the second in which it begins; OpenSSL 3.5 makes none that ended before
    return folder


class TlsConnection(Connection):
    def __init__(self, port, context, timeout=20.0):
        super().__init__(port, timeout=timeout)
        self.sock = context.wrap_socket(self.sock, server_hostname="127.0.0.1")

    @property
    def server(self):
        return dict(pair[0] for pair in self.sock.getpeercert()["subject"])["commonName"]


class TlsService(Service):
    def __init__(self, settings, pki, certificate):
        super().__init__(settings)
        self.pki = pki
        self.certificate = certificate

    def context(self, certificate=None, version=None):
        context = ssl.create_default_context(cafile=str(self.pki / "ca.pem"))
        if certificate:
            context.load_cert_chain(self.pki / f"{certificate}.pem", self.pki / f"{certificate}.key")
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def connect(self, context=None):
        return TlsConnection(self.port, context or self.context(self.certificate))

    def _wait_until_it_answers(self):
        deadline = time.monotonic() + 30
        while self.request("GET", "/readyz").status != 200:
            assert time.monotonic() < deadline, "not ready in time"
            time.sleep(0.05)

    def server(self):
        with self.connect() as connection:
            assert connection.request("GET", "/healthz").status == 200
            return connection.server


@pytest.fixture
def secure(engine, pki, tmp_path):
    """Starts replicas whose certificates are files of their own, `a` at first."""
    started = []

    def start(certificate=None, **settings):
        for suffix in ("pem", "key"):
            shutil.copy(pki / f"a.{suffix}", tmp_path / f"server.{suffix}")
        files = {"HTTP_TLS_CERT": str(tmp_path / "server.pem"), "HTTP_TLS_KEY": str(tmp_path / "server.key")}
        started.append(TlsService({**engine.settings(), **files, **settings}, pki, certificate).start())
        return started[-1]

    yield start
    for replica in started:
        replica.stop()


def replace(service, setting, source):
    path = service.settings[setting]
    shutil.copy(source, path + ".new")
    os.replace(path + ".new", path)


def wait_for_server(service, name, timeout=10):
    deadline = time.monotonic() + timeout
    while service.server() != name:
        assert time.monotonic() < deadline, service.output()
        time.sleep(0.1)


# ---- It works ----

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_are_answered(secure, ns, version):
    service = secure()
    body = os.urandom(3 * 1024 * 1024)
    with service.connect(service.context(version=version)) as connection:
        assert connection.sock.version() == version.name.replace("_", ".")
        assert connection.request("PUT", f"/raw/{ns}/k", {}, body).status == 201
        assert connection.request("GET", f"/raw/{ns}/k").body == body
        assert connection.request("PUT", f"/cache/{ns}/j", {"Content-Type": "application/json"}, b"1").status == 201
        assert connection.request("GET", f"/cache/{ns}/j").json()["value"] == 1


def test_older_versions_are_refused(secure):
    service = secure()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        service.connect(context)
    assert service.server() == "a"


def test_a_pipeline_is_answered_in_order(secure, ns):
    service = secure()
    with service.connect() as connection:
        for n in range(50):
            connection.request("PUT", f"/raw/{ns}/{n}", {}, str(n).encode())
        connection.send(b"".join(build_request("GET", f"/raw/{ns}/{n}") for n in range(50)))
        assert [connection.read().body for _ in range(50)] == [str(n).encode() for n in range(50)]


def test_more_requests_in_one_record_than_are_read_at_once_are_all_answered(secure):
    """What the session holds back does not make the socket readable."""
    service = secure(HTTP_THREADS="1")
    with service.connect() as connection:
        connection.send(build_request("GET", "/healthz") * 300)
        assert [connection.read().status for _ in range(300)] == [200] * 300


def test_many_clients_at_once(secure, ns):
    service = secure()
    faults = []

    def work(number):
        try:
            with service.connect() as connection:
                for n in range(20):
                    value = f"{number}-{n}".encode() * 1000
                    connection.request("PUT", f"/raw/{ns}/{number}", {}, value)
                    assert connection.request("GET", f"/raw/{ns}/{number}").body == value
        except Exception as fault:  # noqa: BLE001, told below
            faults.append(fault)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not faults


def test_plain_http_gets_a_clean_close(secure):
    service = secure()
    with Connection(service.port) as connection:
        connection.send(build_request("GET", "/healthz"))
        began = time.monotonic()
        assert connection.closed_within(5) and time.monotonic() - began < 2
    assert service.server() == "a"


def test_tokens_hold_under_tls(secure, tmp_path, ns):
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({"tokens": [{"sha256": hashlib.sha256(b"t").hexdigest(), "namespaces": "*",
                                            "scopes": ["read"]}]}))
    service = secure(CACHE_TOKENS_FILE=str(path))
    assert service.request("GET", f"/raw/{ns}/k").status == 401
    assert service.request("GET", f"/raw/{ns}/k", {"Authorization": "Bearer t"}).status == 404


def test_the_admin_port_stays_plain(secure, pki):
    service = secure("client", ADMIN_PORT="0", HTTP_TLS_CLIENT_CA=str(pki / "ca.pem"))
    port = int(service.wait_for_log(lambda line: line.get("msg") == "admin port", 5)["port"])
    for _ in range(3):
        with Connection(port) as connection:
            for target in ("/healthz", "/readyz", "/healthz"):
                assert connection.request("GET", target).status == 200
    assert service.server() == "a"


@pytest.mark.parametrize("version, order", [("-tls1_2", b"R\n"), ("-tls1_3", b"K\n")], ids=["handshake", "keys"])
def test_a_client_that_wants_to_negotiate_again_and_again_is_let_go(secure, pki, version, order):
    service = secure(HTTP_THREADS="1", HTTP_REQUEST_TIMEOUT_MS="2000")
    with subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{service.port}", version, "-CAfile",
                           str(pki / "ca.pem")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as client:
        try:
            while client.poll() is None:
                client.stdin.write(order)
                client.stdin.flush()
                time.sleep(0.02)
        except BrokenPipeError:
            pass
        told = client.stdout.read()
        client.stdin = None
    assert (b"RENEGOTIATING" if order == b"R\n" else b"KEYUPDATE") in told
    assert b"closed" in told or b"unexpected eof" in told  # as the end came between two orders or in the middle of one
    assert service.server() == "a"


@pytest.mark.parametrize("how", ["close_notify", "FIN", "RST"])
def test_a_client_that_goes_away_in_the_middle_leaves_nothing_behind(secure, ns, how):
    service = secure(HTTP_THREADS="1", HTTP_MAX_CONNECTIONS="8", HTTP_REQUEST_TIMEOUT_MS="60000")
    for _ in range(16):
        with service.connect() as connection:
            connection.send(f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab".encode())
            if how == "close_notify":
                connection.sock.settimeout(5)
                with contextlib.suppress(OSError):
                    connection.sock.unwrap()
            elif how == "RST":
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.monotonic() + 10
    while True:
        try:
            assert service.server() == "a"
            break
        except (OSError, WireError):  # ssl.SSLError is an OSError
            assert time.monotonic() < deadline, "places that nobody has are taken"
            time.sleep(0.1)


# ---- Clients' certificates ----

@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_with_an_authority_clients_need_a_certificate_of_it(secure, pki, version):
    service = secure("client", HTTP_TLS_CLIENT_CA=str(pki / "ca.pem"))
    with service.connect(service.context("client", version)) as connection:
        assert connection.request("GET", "/healthz").status == 200
    for certificate in (None, "stranger", "late"):
        # With TLS 1.3 the client learns of it after its own part is done.
        with pytest.raises((ssl.SSLError, OSError, WireError)):
            with service.connect(service.context(certificate, version)) as connection:
                connection.request("GET", "/healthz")
    service.stop()
    assert sum(line.get("route") == "/healthz" for line in service.log()) == 1, "a refused client was served"


# ---- Rotation ----

def test_a_changed_pair_counts_and_connections_stay(secure, pki):
    service = secure()
    with service.connect() as kept:
        assert kept.request("GET", "/healthz").status == 200
        replace(service, "HTTP_TLS_CERT", pki / "b.pem")
        service.wait_for_log(lambda line: "certificates not read again" in line.get("msg", ""), 10)
        assert service.server() == "a", "half of a pair is no pair"
        replace(service, "HTTP_TLS_KEY", pki / "b.key")
        wait_for_server(service, "b")
        assert kept.request("GET", "/healthz").status == 200 and kept.server == "a"


@pytest.mark.parametrize("setting", ["HTTP_TLS_CERT", "HTTP_TLS_KEY"])
def test_a_bad_file_is_refused_and_the_old_pair_stays(secure, pki, setting):
    service = secure()
    with open(service.settings[setting], "w", encoding="ascii") as file:
        file.write("junk")
    service.process.send_signal(signal.SIGHUP)
    warning = service.wait_for_log(lambda line: "certificates not read again" in line.get("msg", ""), 10)
    assert warning["level"] == "error" and "HTTP_TLS" in warning["detail"]
    assert service.server() == "a"
    replace(service, "HTTP_TLS_CERT", pki / "b.pem")
    replace(service, "HTTP_TLS_KEY", pki / "b.key")
    service.process.send_signal(signal.SIGHUP)
    wait_for_server(service, "b")


def test_a_changed_authority_counts(secure, pki, tmp_path):
    authority = tmp_path / "clients.pem"
    shutil.copy(pki / "ca.pem", authority)
    service = secure("client", HTTP_TLS_CLIENT_CA=str(authority))
    replace(service, "HTTP_TLS_CLIENT_CA", pki / "stranger.pem")
    service.certificate = "stranger"
    deadline = time.monotonic() + 10
    while True:
        try:
            assert service.server() == "a"
            break
        except (ssl.SSLError, OSError, WireError):
            assert time.monotonic() < deadline
            time.sleep(0.1)
    with pytest.raises((ssl.SSLError, OSError, WireError)):
        with service.connect(service.context("client")) as connection:
            connection.request("GET", "/healthz")


def test_certificates_that_change_under_load_harm_nobody(secure, pki):
    service = secure(HTTP_THREADS="2")
    deadline = time.monotonic() + 3
    number = 0
    while time.monotonic() < deadline:
        number += 1
        name = "ab"[number % 2]
        replace(service, "HTTP_TLS_CERT", pki / f"{name}.pem")
        replace(service, "HTTP_TLS_KEY", pki / f"{name}.key")
        service.process.send_signal(signal.SIGHUP)
        for _ in range(5):
            assert service.server() in ("a", "b")


# ---- Deadlines and limits, as without TLS ----

def closed_after(connection, seconds=8):
    began = time.monotonic()
    try:
        while connection.sock.recv(65536):
            pass
    except (socket.timeout, TimeoutError):
        raise AssertionError(f"still open after {seconds} s") from None
    except OSError:
        pass
    return time.monotonic() - began


def test_a_handshake_has_the_deadline_of_a_request(secure):
    service = secure(HTTP_REQUEST_TIMEOUT_MS="1000")
    for hello in (b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"):
        with Connection(service.port, timeout=8) as connection:
            connection.send(hello)
            assert 0.5 < closed_after(connection) < 4


def test_after_the_handshake_too(secure):
    service = secure(HTTP_REQUEST_TIMEOUT_MS="1000")
    with service.connect() as connection:
        assert closed_after(connection) < 4


def test_a_body_that_does_not_end_is_408(secure, ns):
    service = secure(HTTP_REQUEST_TIMEOUT_MS="1000")
    with service.connect() as connection:
        connection.send(f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab".encode())
        check_problem(connection.read("PUT", 6), 408)
        assert connection.closed_within(5)


@pytest.mark.parametrize("head", [b"", b"GET /healthz HTTP/1.1\r\nX: "], ids=["first line", "field"])
def test_a_trickle_ends(secure, head):
    service = secure(HTTP_REQUEST_TIMEOUT_MS="1000")
    with service.connect() as connection:
        connection.send(head)
        began = time.monotonic()
        try:
            while time.monotonic() - began < 10:
                connection.sock.sendall(b"G")
                time.sleep(0.05)
            raise AssertionError("a trickle is not ended")
        except OSError:
            assert time.monotonic() - began < 6


def test_limits_are_told_before_a_body_is_read(secure, ns):
    service = secure(CACHE_MAX_VALUE_BYTES="1000")
    with service.connect() as connection:
        connection.send(f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n".encode())
        connection.send_tolerant(b"x" * 200000)
        check_problem(connection.read("PUT"), 413)
    with service.connect() as connection:
        connection.send(f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        connection.send_tolerant(b"800\r\n" + b"x" * 2048 + b"\r\n")
        check_problem(connection.read("PUT"), 413)
    with service.connect() as connection:
        connection.send(b"GET /healthz?" + b"a&" * 100 + b" HTTP/1.1\r\nHost: x\r\n\r\n")
        check_problem(connection.read("GET"), 414)


def test_connections_are_bounded(secure):
    service = secure(HTTP_MAX_CONNECTIONS="3", HTTP_THREADS="1")
    time.sleep(0.3)  # the first one, that asked whether it is ready, has to go
    held = [service.connect() for _ in range(3)]
    with pytest.raises((ssl.SSLError, OSError)):
        service.connect()
    for connection in held:
        assert connection.request("GET", "/healthz").status == 200
        connection.close()
    deadline = time.monotonic() + 5
    while True:
        try:
            assert service.server() == "a"
            break
        except (ssl.SSLError, OSError):
            assert time.monotonic() < deadline


def test_a_drain_finishes_what_is_in_flight_and_ends_the_rest(secure, ns):
    service = secure(HTTP_REQUEST_TIMEOUT_MS="20000", HTTP_DRAIN_TIMEOUT_MS="20000")
    with service.connect() as busy, service.connect() as idle, service.connect() as fresh:
        assert idle.request("GET", "/healthz").status == 200
        busy.send(f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na".encode())
        time.sleep(0.3)
        began = time.monotonic()
        service.terminate()
        assert closed_after(idle) < 5 and closed_after(fresh) < 5
        busy.send(b"b")
        assert busy.read("PUT").status == 201
        assert service.wait(10) == 0 and time.monotonic() - began < 12


# ---- Settings at fault ----

@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["start", "check"])
@pytest.mark.parametrize("files, fault", [
    ({"HTTP_TLS_CERT": "a.pem"}, "one needs the other"), ({"HTTP_TLS_KEY": "a.key"}, "one needs the other"),
    ({"HTTP_TLS_CLIENT_CA": "ca.pem"}, "needs HTTP_TLS_CERT"),
    ({"HTTP_TLS_CERT": "none.pem", "HTTP_TLS_KEY": "a.key"}, "none.pem"),
    ({"HTTP_TLS_CERT": "a.pem", "HTTP_TLS_KEY": "b.key"}, "do not match"),
    ({"HTTP_TLS_CERT": "a.key", "HTTP_TLS_KEY": "a.key"}, "HTTP_TLS_CERT"),
    ({"HTTP_TLS_CERT": "a.pem", "HTTP_TLS_KEY": "a.key", "HTTP_TLS_CLIENT_CA": "a.key"}, "HTTP_TLS_CLIENT_CA"),
    ({"HTTP_TLS_CERT": "a.pem", "HTTP_TLS_KEY": "a.key", "HTTP_TLS_CLIENT_CA": "none.pem"}, "HTTP_TLS_CLIENT_CA"),
])
def test_files_at_fault_stop_the_start(pki, arguments, files, fault):
    settings = {name: str(pki / file) for name, file in files.items()}
    done = run_once(*arguments, settings={"HTTP_PORT": "0", "CACHE_ENGINE": "memory", **settings})
    assert done.returncode == EX_CONFIG and fault in done.stderr, done
    assert "BEGIN" not in done.stderr
