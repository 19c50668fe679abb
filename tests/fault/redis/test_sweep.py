"""What a flush left behind is removed in the background, and nothing else is."""

import json
import re
import time

import pytest
from support.redis_servers import ClusterSet, RedisServer, wait_until


@pytest.mark.parametrize("kind", [RedisServer, ClusterSet])
def test_flushed_entries_without_a_ttl_are_removed_and_others_stay(kind, start_service):
    servers = kind().start()
    try:
        _check(servers, start_service)
    finally:
        servers.stop()


def _all(servers):
    return servers.servers if isinstance(servers, ClusterSet) else [servers]


def _names(servers):
    found = set()
    for server in _all(servers):
        with server.client() as client:
            found |= {key for key in client.call("KEYS", "*") if b"::gen:" not in key}
    return found


def _put(connection, target):
    assert connection.request("PUT", target, (), b"v").status in (200, 201, 204)


def _calls(client):
    """How often each command was called since CONFIG RESETSTAT."""
    text = client.call("INFO", "commandstats").decode()
    return {name: int(count) for name, count in re.findall(r"cmdstat_(\w+):calls=(\d+)", text)}


def _check(servers, start_service):
    service = start_service(servers.settings())
    with service.connect() as connection:
        for index in range(1500):
            assert connection.request("PUT", f"/raw/gone/k{index}?ttl=none", (), b"v").status == 201
        for index in range(200):
            assert connection.request("PUT", f"/raw/kept/k{index}?ttl=none", (), b"v").status == 201
        if isinstance(servers, RedisServer):
            with servers.client() as client:
                client.call("SET", "cubby:gone:foreign", "v")
                client.call("SET", "gone:k1", "v")
                client.call("LPUSH", "cubby:gone:list", "v")
        assert connection.request("POST", "/flush?namespace=gone", (), b"").status == 200
        assert connection.request("PUT", "/raw/gone/k7?ttl=none", (), b"new").status == 201

        def swept():
            return sum(b":gone:k" in name for name in _names(servers)) == 1

        wait_until(swept, timeout=30, what="sweep")
        names = _names(servers)
        assert sum(b":kept:" in name for name in names) == 200
        if isinstance(servers, RedisServer):
            assert {b"cubby:gone:foreign", b"gone:k1", b"cubby:gone:list"} <= names
        assert connection.request("GET", "/raw/gone/k7").body == b"new"
        assert connection.request("POST", "/flush", (), b"").status == 200
        wait_until(lambda: not any(b":kept:" in name or b":gone:k" in name for name in _names(servers)
                                   if name != b"gone:k1"), timeout=30, what="sweep of all")


def _take(connection, path, body, wanted=200):
    answer = connection.request("POST", path, {"Content-Type": "application/json"}, body)
    assert answer.status == wanted, answer
    return answer.json()


@pytest.mark.parametrize("kind", [RedisServer, ClusterSet])
def test_counters_limits_and_locks_outlive_flush_and_sweep(kind, start_service):
    servers = kind().start()
    try:
        service = start_service(servers.settings())
        with service.connect() as connection:
            _take(connection, "/counters/n/x", b'{"by":5}')
            _take(connection, "/limits/n/x", b'{"limit":10,"window":600,"cost":2}')
            _take(connection, "/locks/n/x", b'{"ttl":600}', 201)
            for index in range(50):
                assert connection.request("PUT", f"/raw/n/k{index}?ttl=none", (), b"v").status == 201
            for target in ("/flush?namespace=n", "/flush"):
                assert connection.request("POST", target, (), b"").status == 200
            wait_until(lambda: not any(b":n:k" in name for name in _names(servers)), timeout=30, what="sweep")
            assert connection.request("GET", "/counters/n/x").json()["value"] == 5
            assert _take(connection, "/limits/n/x", b'{"limit":10,"window":600,"cost":1}')["remaining"] == 7
            _take(connection, "/locks/n/x", b'{"ttl":600}', 409)
            kinds = {name.split(b"::")[1].split(b":")[0] for name in _names(servers) if b"::" in name}
            assert {b"counter", b"limit", b"lock"} <= kinds, kinds
    finally:
        servers.stop()


def test_entries_of_every_kind_are_removed(start_service, tmp_path):
    """With tags, in a bounded namespace (and its index), stale, under a lease; beside what was written since."""
    server = RedisServer().start()
    policies = tmp_path / "namespaces.json"
    policies.write_text(json.dumps({"small": {"max_entries": 500}}))
    try:
        service = start_service({**server.settings(), "CACHE_NAMESPACES_FILE": str(policies)})
        with service.connect() as connection:
            for index in range(200):
                _put(connection, f"/raw/gone/t{index}?ttl=none&tags=red,blue")
                _put(connection, f"/raw/small/k{index}?ttl=none")
                _put(connection, f"/raw/gone/s{index}?ttl=3600&stale=3600")
                assert connection.request("GET", f"/raw/gone/l{index}?lease=50s").status == 404
            assert b"cubby::len:small" in _names(server)
            for namespace in ("gone", "small"):
                assert connection.request("POST", f"/flush?namespace={namespace}", (), b"").status == 200
            _put(connection, "/raw/gone/t7?ttl=none&tags=red")
            _put(connection, "/raw/gone/s7?ttl=3600")
            left = {b"cubby:gone:t7", b"cubby:gone:s7"}

            def swept():
                names = _names(server)
                return not {name for name in names if name.startswith((b"cubby:gone:", b"cubby:small:", b"cubby::len:"))} - left

            wait_until(swept, timeout=30, what="sweep")
            assert left <= _names(server)
            assert connection.request("GET", "/raw/gone/t7").status == 200
    finally:
        server.stop()


def test_a_sweep_goes_on_when_redis_forgot_its_script(start_service):
    server = RedisServer().start()
    try:
        service = start_service(server.settings())
        with service.connect() as connection:
            for index in range(300):
                _put(connection, f"/raw/gone/k{index}?ttl=none")
            with server.client() as client:
                client.call("SCRIPT", "FLUSH")
            assert connection.request("POST", "/flush?namespace=gone", (), b"").status == 200
            wait_until(lambda: not any(b":gone:" in name for name in _names(server)), timeout=30, what="sweep")
    finally:
        server.stop()


def test_a_sweep_takes_small_steps_and_is_not_thrown_back_by_the_next_flush(start_service):
    """What the steps take of the server is counted in commands, not in time: so many keys a SCAN, so many a script."""
    server = RedisServer().start()
    try:
        service = start_service(server.settings())
        with service.connect() as connection, server.client() as client:
            for start in range(0, 20_000, 1000):
                lines = "".join(f'{{"key":"k{index}","value":1}}\n' for index in range(start, start + 1000))
                assert connection.request("POST", "/cache/gone", {"Content-Type": "application/x-ndjson"},
                                          lines.encode()).status == 200
            client.call("CONFIG", "RESETSTAT")
            left, flushes = 20_000, 0
            while left > 0 and flushes < 1000:
                assert connection.request("POST", "/flush?namespace=gone", (), b"").status == 200
                flushes += 1
                time.sleep(0.02)
                left = sum(b":gone:" in name for name in _names(server))
            assert left == 0
            calls = _calls(client)
            assert calls["scan"] >= 20_000 / 150
            assert calls["evalsha"] >= 20_000 / 64
    finally:
        server.stop()
