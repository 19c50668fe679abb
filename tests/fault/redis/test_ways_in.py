"""Every way to a server: unix socket, URL, database, an ACL user with no more than the documented permissions."""

import os
import subprocess

import pytest
from support.redis_servers import ClusterSet, RedisServer
from support.service import run_once

COMMANDS = ["MGET", "GET", "SET", "GETRANGE", "SETRANGE", "STRLEN", "EXISTS", "UNLINK", "DEL", "PTTL", "PEXPIRE", "PERSIST",
            "TIME", "EVAL", "EVALSHA", "SCRIPT|LOAD", "SCAN", "INFO", "INCRBY", "ZADD", "ZRANGE", "CLIENT|SETNAME"]


def use(service):
    """One of each operation."""
    with service.connect() as connection:
        assert connection.request("PUT", "/raw/n/k", (), b"v").status == 201
        assert connection.request("PUT", "/raw/n/k", [("If-Match", "*")], b"w").status == 200
        assert connection.request("GET", "/raw/n/k").body == b"w"
        assert connection.request("PATCH", "/cache/n/k", [("Content-Type", "application/json")],
                                  b'{"ttl":60}').status == 200
        assert connection.request("PUT", "/raw/n/s?idle=60", (), b"v").status == 201
        assert connection.request("GET", "/raw/n/s").status == 200
        assert connection.request("GET", "/raw/n/s").status == 200
        assert connection.request("DELETE", "/cache/n/k").status == 200
        assert connection.request("PUT", "/raw/n/t?tags=a,b&ttl=60&stale=60", (), b"v").status == 201
        assert connection.request("GET", "/raw/n/t").status == 200
        assert connection.request("POST", "/flush?namespace=n&tag=b", (), b"").status == 200
        assert connection.request("GET", "/raw/n/t?lease=10s").status == 404
        assert connection.request("PUT", "/raw/n/t", [("Fence-Token", "7")], b"v").status == 201
        assert connection.request("GET", "/cache/n").status == 200
        assert connection.request("GET", "/namespaces").status == 200
        assert connection.request("POST", "/counters/n/c", (), b"").status == 200
        assert connection.request("POST", "/flush", (), b"").status == 200
        assert connection.request("GET", "/raw/n/s").status == 404


def test_a_unix_socket(start_service):
    server = RedisServer()
    path = os.path.join(server.folder, "s")
    server.options += ["--unixsocket", path]
    server.start()
    try:
        use(start_service({"CACHE_ENGINE": "redis", "REDIS_UNIX_SOCKET": path}))
        use(start_service({"REDIS_URL": f"unix://{path}?db=2"}))
    finally:
        server.stop()


def test_a_url_with_user_password_and_database(redis, start_service):
    with redis.client() as client:
        client.call("ACL", "SETUSER", "me", "on", ">p@ss:word", "~*", "+@all")
    service = start_service({"REDIS_URL": f"redis://me:p%40ss%3Aword@127.0.0.1:{redis.port}/3"})
    assert service.request("PUT", "/raw/n/k", (), b"v").status == 201
    with redis.client() as client:
        assert client.call("EXISTS", "cubby:n:k") == 0
        client.call("SELECT", 3)
        assert client.call("EXISTS", "cubby:n:k") == 1
    assert "p@ss" not in service.output() and "p%40ss" not in service.output()


def test_the_documented_permissions_suffice(redis, start_service):
    with redis.client() as client:
        client.call("ACL", "SETUSER", "cubby", "on", ">secret", "~cubby:*", "-@all", *[f"+{c}" for c in COMMANDS])
    use(start_service(redis.settings(), REDIS_USERNAME="cubby", REDIS_PASSWORD="secret"))
    with redis.client() as client:
        denied = [line for line in client.call("ACL", "LOG")]
    assert denied == [], denied


def test_the_documented_permissions_suffice_in_a_cluster(start_service):
    cluster = ClusterSet().start()
    try:
        for server in cluster.servers:
            with server.client() as client:
                client.call("ACL", "SETUSER", "cubby", "on", ">secret", "~cubby:*", "-@all",
                            *[f"+{c}" for c in [*COMMANDS, "CLUSTER|SLOTS", "ASKING"]])
        use(start_service(cluster.settings(), REDIS_USERNAME="cubby", REDIS_PASSWORD="secret"))
    finally:
        cluster.stop()


def test_a_missing_permission_is_503_with_its_reason(redis, start_service):
    with redis.client() as client:
        client.call("ACL", "SETUSER", "cubby", "on", ">secret", "~cubby:*", "+@all", "-mget")
    service = start_service(redis.settings(), REDIS_USERNAME="cubby", REDIS_PASSWORD="secret")
    answer = service.request("GET", "/raw/n/k")
    assert answer.status == 503 and b"permission" in answer.body, answer


def test_two_prefixes_on_one_server_are_two_caches(redis, start_service):
    one = start_service(redis.settings(), CACHE_KEY_PREFIX="one")
    two = start_service(redis.settings(), CACHE_KEY_PREFIX="one-two")
    assert one.request("PUT", "/raw/n/k", (), b"1").status == 201
    assert two.request("PUT", "/raw/n/k", (), b"2").status == 201
    assert two.request("POST", "/flush", (), b"").status == 200
    assert one.request("GET", "/raw/n/k").body == b"1"
    assert two.request("GET", "/raw/n/k").status == 404


def test_tls_without_a_library_for_it_is_a_start_up_error():
    try:
        done = run_once(settings={"HTTP_PORT": "0", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": "1", "REDIS_TLS": "on"},
                        timeout=10)
    except subprocess.TimeoutExpired:
        pytest.skip("this build has TLS")
    assert done.returncode != 0
    assert "REDIS_TLS=on: this build's hiredis has no TLS" in done.stdout + done.stderr
