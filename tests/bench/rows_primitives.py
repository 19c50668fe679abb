"""The rows of batches, import, flushes, counters, locks and limits; each names its engine."""

import json
import socket
import statistics
import threading
import time

from kit import cubby, stores
from kit.load import Load, run_wrk
from kit.pace import run_pace
from kit.procs import Group
from kit.report import Row, Section, at_most
from kit.rounds import Figure, interleave, median_ratio
from rows_memcached import memcached_cubby
from rows_redis import redis_cubby

JSON = {"Content-Type": "application/json"}
MANY = 100
FLUSHED = 1_000_000
IMPORTED = {"memory": 300_000, "redis": 150_000}  # lines a second to reach
NDJSON = "application/x-ndjson"
OTHERS_RATE = 1000  # requests a second beside a flush
ROOM = {"MEMORY_MAX_BYTES": str(2 << 30)}


def open_engine(run, group, name):
    """A service on an engine of its own, without limits that the rows would meet."""
    if name == "memory":
        return group.start(cubby.cubby_server(run.binary, run.folder, run.threads, ROOM))
    if name == "redis":
        return group.start(redis_cubby(run, group.start(stores.redis_server(run.folder))))
    memcached = group.start(stores.memcached_server(run.folder, run.threads, megabytes=2048))
    return group.start(memcached_cubby(run, [memcached], [memcached]))


# ---- Batches ----

def batch_row(section, run):
    keys = [str(number) for number in range(1, MANY + 1)]
    batch = json.dumps({"ops": [{"op": "get", "key": key} for key in keys]})
    with Group() as group:
        redis = group.start(stores.redis_server(run.folder))
        service = group.start(redis_cubby(run, redis))
        cubby.wait_ready(service)
        cubby.fill(service, MANY)
        loads = {"GET /cache on redis": Load(f"/cache/{cubby.NAMESPACE}/", keys=MANY),
                 f"batch of {MANY} gets on redis": Load(f"/cache/{cubby.NAMESPACE}", "POST", batch, JSON)}
        takes = [(name, lambda l=load: run_wrk(service, l, run.seconds, run.wrk_threads)) for name, load in loads.items()]
        samples = interleave(takes, run.rounds, run.note("batch"))
    single, many = loads
    ratio = median_ratio(samples, many, single, lambda s: s.cpu_us)
    per_key = Figure([ratio.median / MANY, ratio.low / MANY, ratio.high / MANY])
    section.rows.append(at_most(f"batch of {MANY} gets on Redis: CPU per key, with redis-server, against single gets", 0.15, per_key, 3))
    for name in loads:
        section.detail(name, samples[name])


# ---- Primitives ----

def primitive_rows(section, run):
    """Each against a PUT of 100 bytes, with redis-server. A lock is another one each time: all are granted."""
    limit = {"limit": 1_000_000_000, "window": 60}
    with Group() as group:
        redis = group.start(stores.redis_server(run.folder))
        service = group.start(redis_cubby(run, redis))
        cubby.wait_ready(service)
        loads = {
            "PUT": Load(f"/raw/{cubby.NAMESPACE}/", "PUT", cubby.JSON_BODY.decode(), JSON, cubby.KEYS),
            "counter": Load("/counters/bench/", "POST", '{"by":1}', JSON, cubby.KEYS),
            "lock": Load("/locks/bench/", "POST", '{"ttl":1}', JSON, 200_000),
        }
        for algorithm in ("sliding-window", "fixed-window", "token-bucket"):
            loads[f"limit, {algorithm}"] = Load(f"/limits/{algorithm}/", "POST",
                                                json.dumps({**limit, "algorithm": algorithm}), JSON, cubby.KEYS)
        takes = [(name, lambda l=load: run_wrk(service, l, run.seconds, run.wrk_threads)) for name, load in loads.items()]
        samples = interleave(takes, run.rounds, run.note("primitives"))
    for name in list(loads)[1:]:
        section.rows.append(at_most(f"{name} on Redis: CPU per request, with redis-server, against a PUT", 1.3,
                                    median_ratio(samples, name, "PUT", lambda s: s.cpu_us)))
    for name in loads:
        section.detail(f"{name} on redis", samples[name])


# ---- Import ----

def lines_of(count, **members):
    """Lines of 100 bytes, newline included (longer with more members)."""
    tail = "".join(f',"{name}":{json.dumps(value)}' for name, value in members.items())
    pieces = []
    for number in range(count):
        head = f'{{"key":"k{number:09d}","value":"'
        pieces.append(head + "x" * (97 - len(head)) + '"' + tail + "}\n")
    return "".join(pieces).encode()


def post_lines(service, ns, lines):
    """(seconds, answer) of one import over one connection."""
    with socket.create_connection(("127.0.0.1", service.port), 120) as connection:
        head = (f"POST /cache/{ns} HTTP/1.1\r\nHost: bench\r\nContent-Type: {NDJSON}\r\n"
                f"Content-Length: {len(lines)}\r\nConnection: close\r\n\r\n")
        began = time.perf_counter()
        connection.sendall(head.encode())
        connection.sendall(lines)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        seconds = time.perf_counter() - began
    body = answer.partition(b"\r\n\r\n")[2]
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"import answered {answer[:300]!r}")
    return seconds, json.loads(body)


def import_rows(section, run):
    count = 1_000_000 if run.rounds >= 5 else 200_000
    lines = lines_of(count)
    for name, wanted in IMPORTED.items():
        rates, grown = [], 0
        with Group() as group:
            service = open_engine(run, group, name)
            cubby.wait_ready(service)
            for _ in range(min(run.rounds, 5)):
                seconds, answer = post_lines(service, "lines", lines)
                if answer["stored"] != count:
                    raise RuntimeError(f"{answer} of {count} lines")
                rates.append(count / seconds)
            if name == "redis":
                grown = service.memory()[0]
        figure = Figure(rates)
        section.rows.append(Row(f"import of NDJSON lines of 100 B, {name}, one connection: lines a second", f"≥ {wanted:,}",
                                f"{figure.median:,.0f} ({figure.low:,.0f}–{figure.high:,.0f})", figure.median >= wanted))
        if grown:
            section.remarks.append(f"After the imports into Redis the service's memory is {grown / 1e6:.0f} MB RSS.")


# ---- Flush ----

def measure_flush(run, service, body):
    """Milliseconds of the flush, and the slowest of other requests from a second before to some seconds after it."""
    others = []
    paths = [f"/raw/{cubby.NAMESPACE}/{number}" for number in range(1, cubby.KEYS + 1)]
    seconds = 5
    load = threading.Thread(target=lambda: others.append(run_pace(run, service, paths, OTHERS_RATE, seconds)))
    load.start()
    time.sleep(1)
    began = time.perf_counter()
    cubby.expect(service, "POST", "/flush", (200,), json.dumps(body), JSON)
    took = (time.perf_counter() - began) * 1e3
    load.join()
    return took, others[0].max_us / 1e3


def flush_rows(section, run):
    count = FLUSHED if run.rounds >= 5 else FLUSHED // 10
    for name in ("memory", "redis", "memcached"):
        for what, members, body in (("namespace", {}, {"namespace": "flushed"}),
                                    ("tag", {"tags": ["t"]}, {"namespace": "flushed", "tag": "t"})):
            times, slowest = [], []
            with Group() as group:
                service = open_engine(run, group, name)
                cubby.wait_ready(service)
                cubby.fill(service)
                lines = lines_of(count, ttl=3600, **members)
                for _ in range(3 if run.rounds >= 5 else 1):
                    post_lines(service, "flushed", lines)
                    time.sleep(1)
                    took, spike = measure_flush(run, service, body)
                    times.append(took)
                    slowest.append(spike)
            section.rows.append(Row(
                f"flush of a {what} of {count:,} entries, {name}: answer; slowest of other requests meanwhile",
                "≤ 5 ms; ≤ 10 ms", f"{statistics.median(times):.2f} ms; {statistics.median(slowest):.2f} ms",
                statistics.median(times) <= 5 and statistics.median(slowest) <= 10))


def measure(run):
    section = Section("Many at once, and primitives")
    for part in (batch_row, primitive_rows, import_rows, flush_rows):
        if run.wants(part.__name__):
            part(section, run)
    section.remarks.append(f"Beside a flush {OTHERS_RATE:,} GETs a second of other entries are sent for 5 s; their slowest one is "
                           "told, so whatever else the machine does is in it.")
    return section
