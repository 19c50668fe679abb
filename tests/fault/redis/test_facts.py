"""What Redis servers say of themselves, in /metrics and /stats: true while they are up, absent when they are not."""

import time

import pytest
from support.redis_servers import ClusterSet, RedisServer, SentinelSet, slot_of, wait_until
from support.waiting import scrape_until

SERVER_FACTS = {f"cubby_redis_server_{name}" for name in (
    "used_memory_bytes", "max_memory_bytes", "evicted_keys_total", "connected_replicas", "connections", "uptime_seconds")}
LAG = "cubby_redis_server_replication_lag_seconds"


def address(server):
    return f"127.0.0.1:{server.port}"


def facts_of(metrics, server):
    """{name: value} of the facts that this server itself has told."""
    return {name: metrics.get(name, default=None, server=address(server)) for name in SERVER_FACTS
            if metrics.get(name, default=None, server=address(server)) is not None}


def is_up(metrics, server):
    return metrics.get("cubby_redis_server_up", default=None, server=address(server))


def roles(metrics):
    return {labels["server"]: labels["role"] for labels, value in metrics.all("cubby_redis_server_role") if value == 1}


def all_told(*servers):
    return lambda found: all(set(facts_of(found, server)) == SERVER_FACTS for server in servers)


def info(server):
    with server.client() as client:
        lines = client.call("INFO").decode().splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def names_in(server):
    with server.client() as client:
        return client.call("KEYS", "*")


def put(service, key, value=b"v"):
    return service.request("PUT", f"/raw/n/{key}", (), value).status


def test_they_are_what_the_server_says(redis, start_service):
    with redis.client() as client:
        client.call("CONFIG", "SET", "maxmemory", 50_000_000)
    service = start_service(redis.settings())
    metrics, said = scrape_until(service, all_told(redis)), info(redis)
    facts = facts_of(metrics, redis)
    assert facts["cubby_redis_server_max_memory_bytes"] == 50_000_000
    assert abs(facts["cubby_redis_server_used_memory_bytes"] - float(said["used_memory"])) < 1 << 20
    assert facts["cubby_redis_server_evicted_keys_total"] == facts["cubby_redis_server_connected_replicas"] == 0
    assert 1 <= facts["cubby_redis_server_connections"] <= float(said["connected_clients"])
    assert 0 <= float(said["uptime_in_seconds"]) - facts["cubby_redis_server_uptime_seconds"] <= 10
    assert is_up(metrics, redis) == 1 and roles(metrics) == {address(redis): "master"}
    assert not metrics.all(LAG), "without a replica there is none"


def test_evictions_are_counted(redis, start_service):
    service = start_service(redis.settings())
    scrape_until(service, all_told(redis))
    with redis.client() as client:
        client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        client.call("CONFIG", "SET", "maxmemory", int(info(redis)["used_memory"]) + 2_000_000)
    for number in range(100):
        assert put(service, f"k{number}", b"v" * 100_000) == 201
    name = "cubby_redis_server_evicted_keys_total"
    metrics = scrape_until(service, lambda found: facts_of(found, redis)[name] > 0)
    assert facts_of(metrics, redis)[name] == float(info(redis)["evicted_keys"]) > 50


def test_a_dead_server_has_none_and_comes_back_with_its_own(redis, start_service):
    service = start_service(redis.settings())
    name = "cubby_redis_server_uptime_seconds"
    before = scrape_until(service, lambda found: facts_of(found, redis).get(name, 0) >= 12, timeout=40)
    redis.kill()
    metrics = scrape_until(service, lambda found: is_up(found, redis) == 0)
    assert facts_of(metrics, redis) == {} and roles(metrics) == {}, "neither what was, nor 0"
    told = service.request("GET", "/stats").json()["engine"]["servers"][address(redis)]
    assert told["server_up"] is False and "is_master" not in told
    redis.start()
    # The first that are told are those of the new one.
    after = scrape_until(service, all_told(redis))
    assert facts_of(after, redis)[name] < facts_of(before, redis)[name] and is_up(after, redis) == 1


def test_a_server_that_hangs_is_found_out_and_holds_no_scrape_up(redis, start_service):
    service = start_service(redis.settings())
    scrape_until(service, all_told(redis))
    redis.pause()
    try:
        began = time.monotonic()
        metrics = scrape_until(service, lambda found: is_up(found, redis) == 0, timeout=30)
        assert facts_of(metrics, redis) == {}
        print(f"found out after {time.monotonic() - began:.1f} s")
        began = time.monotonic()
        scrape_until(service, lambda _: True)
        assert time.monotonic() - began < 2.0, "a scrape asks no server"
    finally:
        redis.resume()
    scrape_until(service, all_told(redis))


def test_a_user_who_may_not_ask_has_none_and_is_served(redis, start_service):
    with redis.client() as client:
        client.call("ACL", "SETUSER", "me", "on", ">secret", "~*", "+@all", "-info")
    service = start_service({**redis.settings(), "REDIS_USERNAME": "me", "REDIS_PASSWORD": "secret"})
    metrics = scrape_until(service, lambda found: is_up(found, redis) == 0)
    assert facts_of(metrics, redis) == {}
    assert put(service, "k") == 201
    assert metrics.get("cubby_redis_connections", server=address(redis)) >= 1


# ---- Sentinel ----

@pytest.fixture
def sentinel():
    servers = SentinelSet(down_after_ms=1000).start()
    yield servers
    servers.stop()


def failovers(metrics):
    return metrics.get("cubby_redis_failovers_total", default=None)


def test_a_failover_counts_once_and_the_old_master_is_no_longer_told_of(sentinel, start_service):
    # Two threads follow, each for itself.
    service = start_service(sentinel.settings())
    old = sentinel.server_at(sentinel.master_port())
    metrics = scrape_until(service, lambda found: facts_of(found, old).get("cubby_redis_server_connected_replicas") == 1)
    assert failovers(metrics) == 0 and roles(metrics) == {address(old): "master"}
    assert 0 <= metrics.get(LAG, default=-1, server=address(old)) <= 2
    old.kill()
    wait_until(lambda: sentinel.master_port() != old.port, what="another master")
    new = sentinel.server_at(sentinel.master_port())
    metrics = scrape_until(service, lambda found: all_told(new)(found) and failovers(found) == 1)
    assert roles(metrics) == {address(new): "master"}
    assert facts_of(metrics, new)["cubby_redis_server_connected_replicas"] == 0
    # It is dead for good, which is nobody's alarm any more.
    gone = scrape_until(service, lambda found: is_up(found, old) is None)
    assert gone.get("cubby_redis_breaker_open", default=None, server=address(old)) is None
    assert put(service, "k") == 201
    time.sleep(6)
    assert failovers(scrape_until(service, lambda _: True)) == 1


def test_a_replica_that_hangs_lags(sentinel, start_service):
    service = start_service(sentinel.settings())
    master = sentinel.server_at(sentinel.master_port())
    replica = next(server for server in sentinel.servers if server is not master)
    scrape_until(service, lambda found: found.get(LAG, default=-1, server=address(master)) >= 0)
    replica.pause()
    try:
        scrape_until(service, lambda found: found.get(LAG, server=address(master)) >= 3)
    finally:
        replica.resume()
    scrape_until(service, lambda found: 0 <= found.get(LAG, default=9, server=address(master)) <= 2)


# ---- Cluster ----

def test_each_master_of_a_cluster_tells_of_itself(start_service):
    cluster = ClusterSet().start()
    try:
        service = start_service(cluster.settings())
        for number in range(300):
            assert put(service, f"k{number}", b"v" * 1000) == 201
        metrics = scrape_until(service, all_told(*cluster.servers))
        assert roles(metrics) == {address(server): "master" for server in cluster.servers}
        assert failovers(metrics) == 0
        cluster.servers[1].kill()
        metrics = scrape_until(service, lambda found: is_up(found, cluster.servers[1]) == 0)
        assert facts_of(metrics, cluster.servers[1]) == {}
        assert all_told(cluster.servers[0], cluster.servers[2])(metrics)
    finally:
        cluster.stop()


def test_redirections_are_counted(start_service):
    cluster = ClusterSet().start()
    try:
        service = start_service(cluster.settings())
        for number in range(50):
            assert put(service, f"k{number}") == 201
        assert scrape_until(service, lambda _: True).get("cubby_redis_redirections_total", default=None) == 0
        slot = slot_of(next(name for server in cluster.servers for name in names_in(server) if name.endswith(b"k0")))
        source = cluster.owner(slot)
        target = next(server for server in cluster.servers if server is not source)
        cluster.move(slot, source, target)
        assert put(service, "k0") == 200
        metrics = scrape_until(service, lambda found: found.get("cubby_redis_redirections_total") >= 1)
        assert failovers(metrics) == 0
    finally:
        cluster.stop()


def test_a_server_that_is_no_redis_has_no_facts(start_service):
    """One that takes the greeting's commands and calls INFO unknown."""
    server = RedisServer("--rename-command", "INFO", "").start()
    try:
        service = start_service(server.settings())
        assert put(service, "k") == 201
        metrics = scrape_until(service, lambda found: is_up(found, server) == 0)
        assert facts_of(metrics, server) == {}
    finally:
        server.stop()
