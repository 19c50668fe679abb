"""The rows of the memcached engine: cost beside nginx's memcached_pass, PUT beside the Redis engine, a dead server."""

import time

from kit import cubby, stores
from kit.load import Load, run_wrk
from kit.nginx import nginx_server
from kit.pace import run_pace
from kit.procs import Group
from kit.report import Section, at_least, at_most
from kit.rounds import Figure, interleave, median_ratio

RAW = f"/raw/{cubby.NAMESPACE}/"
JSON = {"Content-Type": "application/json"}
TEXT = cubby.JSON_BODY.decode()
DEAD_KEYS = 300


def memcached_cubby(run, servers, also=(), more=None):
    listed = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return cubby.cubby_server(run.binary, run.folder, run.threads,
                              {"CACHE_ENGINE": "memcached", "MEMCACHED_SERVERS": listed, **(more or {})}, "cubby-memcached", also)


def nginx_memcached(run, memcached):
    upstream = f"upstream store {{ server 127.0.0.1:{memcached.port}; keepalive 64; }}"
    location = "location / { set $memcached_key $uri; memcached_pass store; }"
    return nginx_server(run.folder, run.threads, location, upstream, "nginx-memcached", [memcached])


def request_rows(section, run):
    """CPU of each front and memcached together."""
    with Group() as group:
        memcached = group.start(stores.memcached_server(run.folder, run.threads))
        nginx = group.start(nginx_memcached(run, memcached))
        service = group.start(memcached_cubby(run, [memcached], [memcached]))
        cubby.wait_ready(service)
        cubby.fill(service)
        for number in range(1, cubby.KEYS + 1):
            stores.memcached_set(memcached.port, f"{RAW}{number}", cubby.JSON_BODY)
        cubby.expect(nginx, "GET", RAW + "1", (200,), answer=cubby.JSON_BODY)
        loads = {"nginx memcached_pass": (nginx, Load(RAW, keys=cubby.KEYS)),
                 "GET /raw": (service, Load(RAW, keys=cubby.KEYS))}
        takes = [(name, lambda s=server, l=load: run_wrk(s, l, run.seconds, run.wrk_threads))
                 for name, (server, load) in loads.items()]
        samples = interleave(takes, run.rounds, run.note("memcached: requests"))
    section.rows.append(at_most(
        "GET 100 B, 64 connections: CPU per request, with memcached, against nginx `memcached_pass`", 0.75,
        median_ratio(samples, "GET /raw", "nginx memcached_pass", lambda s: s.cpu_us)))
    for name in loads:
        section.detail(name, samples[name])


def put_row(section, run):
    with Group() as group:
        memcached = group.start(stores.memcached_server(run.folder, run.threads))
        redis = group.start(stores.redis_server(run.folder))
        env = {"CACHE_ENGINE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(redis.port)}
        services = {
            "PUT, Redis engine": cubby.cubby_server(run.binary, run.folder, run.threads, env, "cubby-redis", [redis]),
            "PUT, memcached engine": memcached_cubby(run, [memcached], [memcached]),
        }
        for service in services.values():
            group.start(service)
            cubby.wait_ready(service)
            cubby.fill(service)
        load = Load(RAW, "PUT", TEXT, JSON, cubby.KEYS)
        takes = [(name, lambda s=service: run_wrk(s, load, run.seconds, run.wrk_threads))
                 for name, service in services.items()]
        samples = interleave(takes, run.rounds, run.note("memcached: PUT"))
    section.rows.append(at_least("PUT 100 B: throughput against the Redis engine's", 0.6, median_ratio(
        samples, "PUT, memcached engine", "PUT, Redis engine", lambda s: s.rate)))
    for name in services:
        section.detail(name, samples[name])


# ---- One of three servers dead ----

def store_all(service):
    for number in range(1, DEAD_KEYS + 1):
        cubby.expect(service, "PUT", f"{RAW}{number}?ttl=none", (200, 201), cubby.JSON_BODY, JSON)


def keys_of_the_living(service, settle=3):
    """Paths that still answer 200 once one server is gone; those of the dead one must not be a false 404."""
    time.sleep(settle)
    living, dead = [], 0
    for number in range(1, DEAD_KEYS + 1):
        status = cubby.ask(service, "GET", f"{RAW}{number}")[0]
        if status == 200:
            living.append(f"{RAW}{number}")
        elif status == 503:
            dead += 1
        else:
            raise RuntimeError(f"with a dead server a key answered {status}, neither 200 nor 503")
    if not living or not dead:
        raise RuntimeError(f"{len(living)} keys on living servers and {dead} on the dead one: nothing to compare")
    return living


def wait_all(service, timeout=30):
    """Until every key can be stored again."""
    until = time.monotonic() + timeout
    while True:
        try:
            return store_all(service)
        except (RuntimeError, OSError):
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def dead_server_row(section, run):
    with Group() as group:
        servers = [group.start(stores.memcached_server(run.folder, 1)) for _ in range(3)]
        service = group.start(memcached_cubby(run, servers))
        cubby.wait_ready(service)
        store_all(service)
        servers[2].stop()
        living = keys_of_the_living(service)
        rate = run_wrk(service, Load(living[0]), run.seconds, run.wrk_threads).rate / 2
        ratios, before_us, after_us = [], [], []
        note = run.note("memcached: one of three dead")
        for number in range(run.rounds):
            servers[2].start()
            wait_all(service)
            before = run_pace(run, service, living, rate, run.seconds)
            servers[2].stop()
            after = run_pace(run, service, living, rate, run.seconds)
            ratios.append(after.p99_us / before.p99_us)
            before_us.append(before.p99_us)
            after_us.append(after.p99_us)
            if note:
                note(number + 1, run.rounds)
    section.rows.append(at_most("one of three servers dead: p99 of GET for the other two's keys, against before", 1.5,
                                Figure(ratios)))
    section.remarks.append(f"p99 with one of three dead taken at {rate:,.0f} requests/s, half of peak: before "
                           f"{Figure(before_us).median:,.0f} µs, after {Figure(after_us).median:,.0f} µs (medians).")


def measure(run):
    section = Section("Memcached engine")
    for part in (request_rows, put_row, dead_server_row):
        if run.wants(part.__name__):
            part(section, run)
    section.remarks.append(f"memcached, service and nginx with {run.threads} threads or workers each; nginx keeps 64 "
                           "connections to memcached alive.")
    return section
