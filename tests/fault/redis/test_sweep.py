"""What a flush left behind is removed in the background, and nothing else is."""

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
