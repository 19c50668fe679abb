"""The rows of the Redis engine: cost and latency beside webdis on the same Redis, and the length of a failover."""

import threading
import time

from kit import cubby, stores
from kit.load import Load, run_wrk
from kit.pace import run_pace
from kit.procs import Group
from kit.report import Section, at_least, at_most
from kit.rounds import Figure, interleave, median_of, median_ratio

RAW = f"/raw/{cubby.NAMESPACE}/"
JSON = {"Content-Type": "application/json"}
TEXT = cubby.JSON_BODY.decode()


def redis_cubby(run, redis, more=None):
    env = {"CACHE_ENGINE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port), **(more or {})}
    return cubby.cubby_server(run.binary, run.folder, run.threads, env, "cubby-redis", [redis])


def start_trio(run, group):
    """Redis, webdis and the service on it, filled with the same values under keys of their own."""
    redis = group.start(stores.redis_server(run.folder))
    webdis = group.start(stores.webdis_server(run.folder, redis, run.threads))
    service = group.start(redis_cubby(run, redis))
    cubby.wait_ready(service)
    cubby.fill(service)
    for number in range(1, cubby.KEYS + 1):
        cubby.expect(webdis, "PUT", f"/SET/plain:{number}", (200,), cubby.JSON_BODY)
    cubby.expect(webdis, "GET", "/GET/plain:1.txt", (200,), answer=cubby.JSON_BODY)
    return redis, webdis, service


def request_rows(section, run):
    """CPU of each front and Redis together; the throughput of redis-benchmark in the same run."""
    with Group() as group:
        redis, webdis, service = start_trio(run, group)
        bare = stores.RedisBenchmark(redis)
        bare.take(1)
        loads = {
            "webdis GET": (webdis, Load("/GET/plain:", keys=cubby.KEYS, suffix=".txt")),
            "GET /raw": (service, Load(RAW, keys=cubby.KEYS)),
            "webdis PUT": (webdis, Load("/SET/plain:", "PUT", TEXT, keys=cubby.KEYS)),
            "PUT /raw": (service, Load(RAW, "PUT", TEXT, JSON, cubby.KEYS)),
        }
        takes = [(name, lambda s=server, l=load: run_wrk(s, l, run.seconds, run.wrk_threads))
                 for name, (server, load) in loads.items()]
        takes.append(("redis-benchmark", lambda: bare.take(run.seconds)))
        samples = interleave(takes, run.rounds, run.note("redis: requests"))
    section.rows.append(at_most("GET 100 B, 64 connections: CPU per request, with redis-server, against webdis", 0.60,
                                median_ratio(samples, "GET /raw", "webdis GET", lambda s: s.cpu_us)))
    section.rows.append(at_most("PUT 100 B: CPU per request, with redis-server, against webdis", 0.70,
                                median_ratio(samples, "PUT /raw", "webdis PUT", lambda s: s.cpu_us)))
    section.rows.append(at_least(
        "throughput of GET over HTTP against `redis-benchmark -c 64` without pipelining", 0.75,
        median_ratio(samples, "GET /raw", "redis-benchmark", lambda s: s.rate)))
    for name in loads:
        section.detail(name, samples[name])
    section.remarks.append(f"redis-benchmark -c 64, GET: {median_of(samples, 'redis-benchmark', lambda s: s.rate):,.0f} "
                           "requests/s (median).")


def latency_row(section, run):
    """p99 at one rate for both: half of what the slower of the two reaches at its peak."""
    with Group() as group:
        _, webdis, service = start_trio(run, group)
        webdis_load = Load("/GET/plain:", keys=cubby.KEYS, suffix=".txt")
        peaks = [run_wrk(webdis, webdis_load, run.seconds, run.wrk_threads).rate,
                 run_wrk(service, Load(RAW, keys=cubby.KEYS), run.seconds, run.wrk_threads).rate]
        rate = min(peaks) / 2
        numbers = range(1, cubby.KEYS + 1)
        takes = [
            ("webdis", lambda: run_pace(run, webdis, [f"/GET/plain:{n}.txt" for n in numbers], rate, run.seconds)),
            ("service", lambda: run_pace(run, service, [f"{RAW}{n}" for n in numbers], rate, run.seconds)),
        ]
        samples = interleave(takes, run.rounds, run.note("redis: latency"))
    section.rows.append(at_most("p99 of GET at half of peak load against the same through webdis", 0.7,
                                median_ratio(samples, "service", "webdis", lambda s: s.p99_us)))
    section.remarks.append(
        f"p99 taken at {rate:,.0f} requests/s, half of the slower one's peak: service "
        f"{median_of(samples, 'service', lambda s: s.p99_us):,.0f} µs, webdis "
        f"{median_of(samples, 'webdis', lambda s: s.p99_us):,.0f} µs (medians), counted from the time each was due.")


# ---- Failover ----

class Writer(threading.Thread):
    """Writes without pause; notes the times at which a write was answered with 2xx."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.successes, self.going = server, [], True

    def run(self):
        number = 0
        while self.going:
            number += 1
            try:
                status = cubby.ask(self.server, "PUT", f"{RAW}f{number % 100}", cubby.JSON_BODY, JSON)[0]
            except OSError:
                status = 0
            if 200 <= status < 300:
                self.successes.append(time.monotonic())
            else:
                time.sleep(0.01)

    def stop(self):
        self.going = False
        self.join()


def failover_seconds(run):
    """Kills the master under writes; the gap between the last write before and the first after."""
    with Group() as group:
        master = group.start(stores.redis_server(run.folder, "master"))
        replica = group.start(stores.redis_server(run.folder, "replica", replica_of=master.port))
        stores.wait_for_replica(replica.port)
        sentinels = [group.start(stores.sentinel_server(run.folder, master.port, 1000)) for _ in range(3)]
        stores.wait_for_sentinels([s.port for s in sentinels])
        service = group.start(cubby.cubby_server(run.binary, run.folder, run.threads, {
            "CACHE_ENGINE": "redis", "REDIS_MODE": "sentinel", "REDIS_MASTER_NAME": "mymaster",
            "REDIS_SENTINELS": ",".join(f"127.0.0.1:{s.port}" for s in sentinels)}, "cubby-sentinel"))
        cubby.wait_ready(service)
        writer = Writer(service)
        writer.start()
        time.sleep(1)
        killed = time.monotonic()
        master.process.kill()
        while time.monotonic() < killed + 30 and not any(t > killed + 0.5 for t in writer.successes):
            time.sleep(0.01)
        writer.stop()
    before = [t for t in writer.successes if t <= killed + 0.5]
    after = [t for t in writer.successes if t > killed + 0.5]
    if not before or not after:
        raise RuntimeError("no successful write before the master was killed, or none within 30 s after")
    if after[0] - before[-1] < 0.5:
        raise RuntimeError("writes went on as if the killed master were alive")
    return after[0] - before[-1]


def failover_row(section, run):
    trials = 1 if run.rounds < 5 else 5
    section.rows.append(at_most(f"failover under Sentinel, down-after 1 s: time without successful writes, {trials} time(s)",
                                4, Figure([failover_seconds(run) for _ in range(trials)]), 2, " s"))


def measure(run):
    section = Section("Redis engine")
    for part in (request_rows, latency_row, failover_row):
        if run.wants(part.__name__):
            part(section, run)
    section.remarks.append(f"One redis-server without persistence; service and webdis with {run.threads} threads each. "
                           "webdis answers `/GET/key.txt`, the service `/raw/bench/key`.")
    return section
