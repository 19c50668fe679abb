"""The rows of the memory engine: cost of a request, big values, idle connections, start-up."""

import resource
import signal
import socket
import struct
import subprocess
import time

from kit import cubby
from kit.load import Load, run_wrk
from kit.nginx import nginx_server, return_location
from kit.procs import Group, raise_open_files
from kit.report import Row, Section, at_least, at_most
from kit.rounds import Figure, interleave, median_ratio

MIB = 1 << 20
IDLE = 10000
RAW, CACHE = f"/raw/{cubby.NAMESPACE}/", f"/cache/{cubby.NAMESPACE}/"
JSON = {"Content-Type": "application/json"}
TEXT = cubby.JSON_BODY.decode()


def request_rows(section, run):
    """The cost of small requests; nginx and all kinds of request take turns in one run."""
    with Group() as group:
        nginx = group.start(nginx_server(run.folder, run.threads, return_location(100)))
        service = group.start(cubby.cubby_server(run.binary, run.folder, run.threads))
        cubby.expect(nginx, "GET", RAW + "1", (200,), answer=b"x" * 100)
        cubby.fill(service)
        loads = {
            "nginx return 200": (nginx, Load(RAW, keys=cubby.KEYS)),
            "nginx return 200 to a PUT": (nginx, Load(RAW, "PUT", TEXT, JSON, cubby.KEYS)),
            "GET /raw": (service, Load(RAW, keys=cubby.KEYS)),
            "GET /cache": (service, Load(CACHE, keys=cubby.KEYS)),
            "PUT /raw": (service, Load(RAW, "PUT", TEXT, JSON, cubby.KEYS)),
            "PUT /cache": (service, Load(CACHE, "PUT", TEXT, JSON, cubby.KEYS)),
        }
        takes = [(name, lambda s=server, l=load: run_wrk(s, l, run.seconds, run.wrk_threads))
                 for name, (server, load) in loads.items()]
        samples = interleave(takes, run.rounds, run.note("memory: requests"))
        cubby.expect(service, "GET", CACHE + "1", (200,))
    for name, limit in (("GET /raw", 1.25), ("GET /cache", 1.40), ("PUT /raw", 1.80), ("PUT /cache", 1.80)):
        section.rows.append(at_most(f"{name}, 100 B, 64 connections: CPU per request against nginx `return 200`", limit,
                                    median_ratio(samples, name, "nginx return 200", lambda s: s.cpu_us)))
    for name in loads:
        section.detail(name, samples[name])


def big_value_row(section, run):
    (run.folder / "big").mkdir(exist_ok=True)
    (run.folder / "big" / "value").write_bytes(b"x" * MIB)
    with Group() as group:
        nginx = group.start(nginx_server(run.folder, run.threads, f"location / {{ root {run.folder}/big; }}"))
        service = group.start(cubby.cubby_server(run.binary, run.folder, run.threads))
        cubby.expect(nginx, "GET", "/value", (200,), answer=b"x" * MIB)
        cubby.expect(service, "PUT", RAW + "big?ttl=none", (201,), b"x" * MIB)
        cubby.expect(service, "GET", RAW + "big", (200,), answer=b"x" * MIB)
        loads = {"nginx, 1 MiB file": (nginx, Load("/value")), "GET /raw, 1 MiB": (service, Load(RAW + "big"))}
        takes = [(name, lambda s=server, l=load: run_wrk(s, l, run.seconds, run.wrk_threads))
                 for name, (server, load) in loads.items()]
        samples = interleave(takes, run.rounds, run.note("memory: 1 MiB"))
    section.rows.append(at_least(
        "GET of a 1 MiB value: throughput against nginx serving a 1 MiB file", 0.9,
        median_ratio(samples, "GET /raw, 1 MiB", "nginx, 1 MiB file", lambda s: s.bytes_rate)))
    for name in loads:
        section.detail(name, samples[name])


# ---- Idle connections ----

def read_answer(connection):
    """Reads one answer with a Content-Length; returns its status."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise RuntimeError("the connection was closed before its answer")
        data += piece
    head, body = data.split(b"\r\n\r\n", 1)
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                  if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1])


def connect(server, number):
    """From one of several loopback addresses, so that ports do not run out; closing resets, leaving no TIME_WAIT."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.settimeout(5)
    connection.bind((f"127.0.0.{2 + number % 8}", 0))
    connection.connect(("127.0.0.1", server.port))
    return connection


def one_request(connection):
    connection.sendall(f"GET {RAW}1 HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
    if read_answer(connection) != 200:
        raise RuntimeError("an idle connection's request was not answered with 200")


def fresh_latencies(server, held, count=201):
    """Milliseconds of requests on new connections and on held ones, in turn."""
    new, old = [], []
    for number in range(count):
        start = time.perf_counter()
        connection = connect(server, number)
        one_request(connection)
        new.append((time.perf_counter() - start) * 1e3)
        connection.close()
        start = time.perf_counter()
        one_request(held[number * 37 % len(held)])
        old.append((time.perf_counter() - start) * 1e3)
    return new, old


def idle_rows(section, run):
    raise_open_files()
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < IDLE + 200:
        section.rows.append(Row(f"{IDLE:,} idle connections", "≤ 100 MB, ≤ 50 ms",
                                "the limit of open files is too low here", None))
        return
    held = []
    with Group() as group:
        service = group.start(cubby.cubby_server(run.binary, run.folder, run.threads))
        cubby.fill(service)
        before, _ = service.memory()
        try:
            for number in range(IDLE):
                held.append(connect(service, number))
                one_request(held[-1])
            rss, pss = service.memory()
            new, old = fresh_latencies(service, held)
        finally:
            for connection in held:
                connection.close()
    mb = 1e6
    section.rows.append(Row(f"{IDLE:,} idle keep-alive connections after one request each: memory", "≤ 100 MB",
                            f"{rss / mb:.1f} MB RSS, {pss / mb:.1f} MB PSS (before: {before / mb:.1f} MB RSS)",
                            rss <= 100 * mb))
    slowest = max(new + old)
    section.rows.append(Row(f"a fresh request beside {IDLE:,} idle connections: slowest of {len(new + old)}", "≤ 50 ms",
                            f"{slowest:.2f} ms (median {Figure(new).median:.2f} ms on a new connection, "
                            f"{Figure(old).median:.2f} ms on an idle one)", slowest <= 50))


# ---- Start-up ----

def start_once(run):
    """Milliseconds from exec to the first 200 of /readyz."""
    server = cubby.cubby_server(run.binary, run.folder, run.threads)
    start = time.perf_counter()
    with subprocess.Popen([str(run.binary)], env=server.env, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            while time.perf_counter() - start < 10:
                try:
                    with socket.create_connection(("127.0.0.1", server.port), 1) as connection:
                        connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: bench\r\n\r\n")
                        if read_answer(connection) == 200:
                            return (time.perf_counter() - start) * 1e3
                except ConnectionError:
                    time.sleep(0.0005)
            raise RuntimeError("no answer within 10 s of exec")
        finally:
            process.send_signal(signal.SIGTERM)


def start_row(section, run):
    times = Figure([start_once(run) for _ in range(3 * run.rounds)])
    section.rows.append(at_most("from exec to the first answer (`/readyz` 200)", 50, times, 1, " ms"))


def measure(run):
    section = Section("Memory engine")
    for part in (request_rows, big_value_row, idle_rows, start_row):
        if run.wants(part.__name__):
            part(section, run)
    section.remarks += [
        "Each request names one of 64 keys with values of 100 bytes (JSON), as nginx does with its one answer.",
        f"Loads of 64 connections from wrk; service and nginx with {run.threads} thread(s) or worker(s) each; "
        "the service with its default settings, access log included.",
    ]
    return section
