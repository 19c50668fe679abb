"""The rows of batches, import, flushes, counters, locks and limits; each names its engine."""

import concurrent.futures
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
LOADERS = 4  # connections that bring the entries to be flushed
OTHERS_RATE = 1000  # requests a second beside a flush
OTHERS_SECONDS = 2
# A busy machine may keep an import waiting for longer than the default deadline.
ROOM = {"MEMORY_MAX_BYTES": str(2 << 30), "CACHE_DEADLINE_MS": "10000"}


def open_engine(run, group, name):
    """A service on an engine of its own, without limits that the rows would meet."""
    if name == "memory":
        return group.start(cubby.cubby_server(run.binary, run.folder, run.threads, ROOM))
    if name == "redis":
        return group.start(redis_cubby(run, group.start(stores.redis_server(run.folder)), ROOM))
    memcached = group.start(stores.memcached_server(run.folder, run.threads, megabytes=2048))
    return group.start(memcached_cubby(run, [memcached], [memcached], ROOM))


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

def lines_of(numbers, **members):
    """Lines of 100 bytes, newline included (longer with more members)."""
    tail = "".join(f',"{name}":{json.dumps(value)}' for name, value in members.items())
    pieces = []
    for number in numbers:
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
    lines = lines_of(range(count))
    for name, wanted in IMPORTED.items():
        rates, grown = [], 0
        with Group() as group:
            service = open_engine(run, group, name)
            cubby.wait_ready(service)
            for _ in range(min(run.rounds, 3)):
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

def load_entries(service, pieces):
    """Imports all pieces at once, each over a connection of its own."""
    with concurrent.futures.ThreadPoolExecutor(len(pieces)) as pool:
        answers = list(pool.map(lambda lines: post_lines(service, "flushed", lines)[1], pieces))
    if any(answer["stored"] != answer["lines"] for answer in answers):
        raise RuntimeError(f"entries to be flushed were not stored: {answers}")


def slowest_beside(run, service, act):
    """The slowest of some seconds of other requests in milliseconds, `act` being done in their midst, and its time."""
    others, took = [], 0.0
    paths = [f"/raw/{cubby.NAMESPACE}/{number}" for number in range(1, cubby.KEYS + 1)]
    load = threading.Thread(target=lambda: others.append(run_pace(run, service, paths, OTHERS_RATE, OTHERS_SECONDS)))
    load.start()
    time.sleep(OTHERS_SECONDS / 4)
    began = time.perf_counter()
    act()
    took = (time.perf_counter() - began) * 1e3
    load.join()
    return others[0].max_us / 1e3, took


def flush_samples(run, name, pieces, body):
    """For each sample (ms of the flush, slowest beside it, slowest of the same load just before it)."""
    samples = []
    # Memcached reclaims nothing, Redis not what a tag's flush left: there the entries are loaded once.
    reclaims = name == "memory" or (name == "redis" and "tag" not in body)
    with Group() as group:
        service = open_engine(run, group, name)
        cubby.wait_ready(service)
        cubby.fill(service)
        for number in range(3 if run.rounds >= 5 else 1):
            if number == 0 or reclaims:
                load_entries(service, pieces)
            time.sleep(0.5)
            quiet, _ = slowest_beside(run, service, lambda: None)
            slowest, took = slowest_beside(
                run, service, lambda: cubby.expect(service, "POST", "/flush", (200,), json.dumps(body), JSON))
            samples.append((took, slowest, quiet))
    return samples


def flush_rows(section, run):
    count = FLUSHED if run.rounds >= 5 else FLUSHED // 10
    for what, members, body in (("namespace", {}, {"namespace": "flushed"}),
                                ("tag", {"tags": ["t"]}, {"namespace": "flushed", "tag": "t"})):
        pieces = [lines_of(range(first, count, LOADERS), ttl=3600, **members) for first in range(LOADERS)]
        for name in ("memory", "redis", "memcached"):
            took, slowest, quiet = map(statistics.median, zip(*flush_samples(run, name, pieces, body)))
            section.rows.append(Row(
                f"flush of a {what} of {count:,} entries, {name}: answer; slowest of other requests meanwhile",
                "≤ 5 ms; ≤ 10 ms", f"{took:.2f} ms; {slowest:.2f} ms (without a flush {quiet:.2f} ms)",
                took <= 5 and slowest <= max(10, 1.25 * quiet)))


def measure(run):
    section = Section("Many at once, and primitives")
    for part in (batch_row, primitive_rows, import_rows, flush_rows):
        if run.wants(part.__name__):
            part(section, run)
    section.remarks.append(f"Beside a flush {OTHERS_RATE:,} GETs a second of other entries are sent for {OTHERS_SECONDS} s, and as long "
                           "without one just before it. The slowest of each is told (medians of the samples): what the machine does "
                           "besides is in both. Where the second is above 10 ms, the first may be a quarter above it.")
    return section
