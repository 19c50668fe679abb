"""Writes of one batch that became one command: each still has its own, true outcome."""

import json

from support.redis_servers import ClusterSet, RedisServer, slot_of, wait_until

JSON = {"Content-Type": "application/json"}
NDJSON = {"Content-Type": "application/x-ndjson"}


def put_all(service, keys, value="v"):
    """The statuses of one batch of plain PUTs. A read goes with them: as it is answered, each of them has a status."""
    ops = [{"op": "put", "key": key, "value": value} for key in keys] + [{"op": "get", "key": "nothing"}]
    answer = service.request("POST", "/cache/n", JSON, json.dumps({"ops": ops}).encode())
    assert answer.status == 200, answer
    *found, read = [result["status"] for result in answer.json()["results"]]
    assert read == 404
    return found


def read(service, key):
    answer = service.request("GET", f"/cache/n/{key}")
    return answer.json()["value"] if answer.status == 200 else answer.status


def calls_of(redis, command):
    with redis.client() as client:
        stats = client.call("INFO", "commandstats").decode()
    line = next((line for line in stats.splitlines() if line.startswith(f"cmdstat_{command}:")), None)
    return int(line.split("calls=")[1].split(",")[0]) if line else 0


def test_a_hundred_writes_are_one_command(redis, start_service):
    service = start_service(redis.settings())
    keys = [f"k{index}" for index in range(100)]
    assert put_all(service, keys) == [201] * 100
    before = calls_of(redis, "evalsha")
    assert put_all(service, keys, "w") == [200] * 100
    assert calls_of(redis, "evalsha") - before == 1
    assert {read(service, key) for key in keys} == {"w"}


def test_a_key_of_another_type_fails_alone(redis, start_service):
    service = start_service(redis.settings())
    with redis.client() as client:
        client.call("LPUSH", "cubby:n:list", "x")
        found = put_all(service, ["a", "list", "b"])
        assert found[0] == found[2] == 201 and found[1] >= 500, found
        assert client.call("TYPE", "cubby:n:list") == b"list"
    assert (read(service, "a"), read(service, "list"), read(service, "b")) == ("v", 404, "v")


def test_without_memory_every_write_says_so_and_what_stood_stands(redis, start_service):
    service = start_service(redis.settings())
    keys = [f"k{index}" for index in range(20)]
    assert put_all(service, keys[:10], "old") == [201] * 10
    with redis.client() as client:
        client.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        client.call("CONFIG", "SET", "maxmemory", "1")
        assert put_all(service, keys, "new") == [507] * 20
        assert [read(service, key) for key in keys] == ["old"] * 10 + [404] * 10
        client.call("CONFIG", "SET", "maxmemory", "0")
    assert put_all(service, keys, "new") == [200] * 10 + [201] * 10


def test_without_memory_nobody_wins_a_lease_and_a_won_one_stays(redis, start_service):
    service = start_service(redis.settings())
    won = service.request("GET", "/raw/n/won?lease=60s")["Cache-Lease"]
    assert won.startswith("won;token="), won
    with redis.client() as client:
        client.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        client.call("CONFIG", "SET", "maxmemory", "1")
        answer = service.request("GET", "/raw/n/other?lease=60s")
        assert answer.status == 404 and "won" not in repr(answer), answer
        token = [("Lease-Token", won.partition("token=")[2])]
        assert service.request("PUT", "/raw/n/won", token, b"v").status == 507
        client.call("CONFIG", "SET", "maxmemory", "0")
    assert service.request("GET", "/raw/n/won?lease=60s")["Cache-Lease"].startswith("held")
    assert service.request("PUT", "/raw/n/won", token, b"v").status == 201
    assert service.request("GET", "/raw/n/other?lease=60s")["Cache-Lease"].startswith("won")


def test_forgotten_scripts_and_foreign_flushes_are_noticed(redis, start_service):
    service, other = start_service(redis.settings()), start_service(redis.settings())
    keys = [f"k{index}" for index in range(50)]
    assert put_all(service, keys) == [201] * 50
    with redis.client() as client:
        client.call("SCRIPT", "FLUSH")
    assert other.request("POST", "/flush?namespace=n", (), b"").status == 200
    assert put_all(service, keys, "w") == [201] * 50
    assert {read(other, key) for key in keys} == {"w"}


def test_what_an_older_entry_asks_for_is_heeded(redis, start_service):
    """A fence outlives plain writes; an entry whose tag was flushed is none."""
    service = start_service(redis.settings())
    assert service.request("PUT", "/raw/n/fenced", [("Fence-Token", "7")], b"v").status == 201
    assert service.request("PUT", "/raw/n/tagged?tags=t", (), b"v").status == 201
    assert service.request("PUT", "/raw/n/kept?tags=u", (), b"v").status == 201
    assert service.request("POST", "/flush?namespace=n&tag=t", (), b"").status == 200
    assert put_all(service, ["fenced", "tagged", "kept", "none"], "w") == [200, 201, 200, 201]
    assert service.request("PUT", "/raw/n/fenced", [("Fence-Token", "6")], b"x").status == 412
    assert service.request("POST", "/flush?namespace=n&tag=u", (), b"").status == 200
    assert [read(service, key) for key in ("fenced", "tagged", "kept")] == ["w"] * 3


def test_replicas_confirm_all_that_was_written_and_nothing_else(redis, start_service):
    service = start_service(redis.settings(), REDIS_WAIT_REPLICAS="1")
    with redis.client() as client:
        client.call("LPUSH", "cubby:n:list", "x")
        late = put_all(service, ["a", "list", "b"])
        assert late[0] == late[2] == 504 and late[1] not in (200, 201, 504), late
        replica = RedisServer("--replicaof", f"127.0.0.1 {redis.port}").start()
        try:
            wait_until(lambda: b"state=online" in client.call("INFO", "replication"), what="replica")
            # It is told of as online before it acknowledges what it takes.
            wait_until(lambda: put_all(service, ["first"])[0] in (200, 201), what="an acknowledged write")
            found = put_all(service, ["a", "list", "c"])
            assert (found[0], found[2]) == (200, 201) and found[1] >= 500, found
            with replica.client() as copy:
                assert copy.call("EXISTS", "cubby:n:a", "cubby:n:b", "cubby:n:c") == 3
        finally:
            replica.stop()


def test_a_killed_server_fails_an_import_and_it_goes_on_with_the_next(redis, start_service):
    service = start_service(redis.settings())
    lines = b"".join(b'{"key":"k%d","value":1}\n' % index for index in range(1000))
    assert service.request("POST", "/cache/n", NDJSON, lines).status == 200
    redis.kill()
    assert service.request("POST", "/cache/n", NDJSON, lines).status in (503, 504)
    redis.start()
    wait_until(lambda: service.request("POST", "/cache/n", NDJSON, lines).status == 200, what="recovery")
    assert read(service, "k999") == 1


def test_writes_into_a_slot_that_is_being_moved(start_service):
    """Those whose entry is where its generations are succeed; all do when the slot has moved."""
    cluster = ClusterSet().start()
    try:
        service = start_service(cluster.settings(), CACHE_DEADLINE_MS="2000")
        wanted = slot_of(b"n:k0") // 64
        keys = [key for key in (f"k{index}" for index in range(8000)) if slot_of(f"n:{key}".encode()) // 64 == wanted]
        assert len(keys) > 10 and put_all(service, keys[:10], "old") == [201] * 10
        slot = next(slot_of(f"{{{n}}}".encode()) for n in range(1000) if slot_of(str(n).encode()) // 64 == wanted)
        source = cluster.owner(slot)
        target = cluster.servers[(cluster.servers.index(source) + 1) % 3]
        cluster.begin_move(slot, source, target)
        assert put_all(service, keys[:10], "new") == [200] * 10
        with source.client() as client:
            moved = next(key for key in client.call("CLUSTER", "GETKEYSINSLOT", slot, 100) if key.endswith(b":k0"))
            client.call("MIGRATE", "127.0.0.1", target.port, moved, 0, 5000)
        found = put_all(service, keys[:10], "newer")
        assert found[1:] == [200] * 9 and found[0] >= 500, found
        cluster.move_keys(slot, source, target)
        cluster.end_move(slot, source, target)
        assert put_all(service, keys[:10], "newest") == [200] * 10
        assert {read(service, key) for key in keys[:10]} == {"newest"}
    finally:
        cluster.stop()
