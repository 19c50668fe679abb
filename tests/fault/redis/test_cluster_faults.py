"""Cluster of three masters: slots that move under load, a master that dies, flushes across slots."""

import threading
import time

import pytest
from support.redis_servers import ClusterSet, slot_of, wait_until
from support.redis_traffic import Traffic


@pytest.fixture
def cluster():
    servers = ClusterSet().start()
    yield servers
    servers.stop()


def used_slots(cluster):
    """The slots that hold keys, with their owners."""
    found = []
    for server in cluster.servers:
        with server.client() as client:
            slots = {slot_of(key) for key in client.call("KEYS", "*")}
            found += [(slot, server) for slot in sorted(slots)]
    return found


def test_the_layout_is_as_documented(cluster, start_service):
    """The tag of a key's bucket: the smallest number whose slot lies in the same 64 slots as CRC16 of ns:key."""
    service = start_service(cluster.settings())
    for index in range(50):
        key = f"key-{index}"
        assert service.request("PUT", f"/raw/users/{key}", (), b"v").status == 201
        bucket = slot_of(f"users:{key}".encode()) // 64
        tag = next(n for n in range(1000) if slot_of(str(n).encode()) // 64 == bucket)
        name = f"cubby:{{{tag}}}:users:{key}".encode()
        with cluster.owner(slot_of(name)).client() as client:
            assert client.call("EXISTS", name) == 1, name


def test_slots_that_move_under_load_cause_no_error(cluster, start_service):
    service = start_service(cluster.settings(), CACHE_DEADLINE_MS="10000")
    moved = 0
    with Traffic(service, workers=6, keys=60, batch=20) as traffic:
        traffic.wait_for_more(5000, 200, 201)
        deadline = time.monotonic() + 300
        while traffic.total() < 100_000 and time.monotonic() < deadline:
            for slot, source in used_slots(cluster)[:40]:
                target = cluster.servers[(cluster.servers.index(source) + 1) % 3]
                cluster.move(slot, source, target)
                moved += 1
    traffic.check()
    assert traffic.total() >= 100_000 and moved >= 40, (traffic.total(), moved)
    print(f"{traffic.statuses} while {moved} slots moved")
    assert traffic.count(503, 504) == 0, f"{traffic.statuses} while {moved} slots moved"
    misses = traffic.count(404)
    assert misses <= 6 * 60 * 3, f"{misses} misses: more than the reads before the first write"


def test_a_slot_that_stays_half_moved_serves_what_is_whole(cluster, start_service):
    service = start_service(cluster.settings())
    assert service.request("PUT", "/raw/n/k", (), b"v").status == 201
    slot = next(slot for slot, _ in used_slots(cluster))
    source = cluster.owner(slot)
    target = next(server for server in cluster.servers if server is not source)
    cluster.begin_move(slot, source, target)
    assert service.request("GET", "/raw/n/k").body == b"v", "not moved yet"
    absent = next(f"absent-{i}" for i in range(10000) if slot_of(f"n:absent-{i}".encode()) // 64 == slot // 64)
    assert service.request("GET", f"/raw/n/{absent}").status == 404, "a miss needs no generation"
    assert service.request("DELETE", f"/cache/n/{absent}").status == 404
    cluster.move_keys(slot, source, target)
    assert service.request("GET", "/raw/n/k").body == b"v", "moved, behind ASK"
    assert service.request("PUT", "/raw/n/k", (), b"w").status == 200
    cluster.end_move(slot, source, target)
    assert service.request("GET", "/raw/n/k").body == b"w"


def test_a_dead_master_costs_its_slots_only_and_is_never_a_miss(cluster, start_service):
    service = start_service(cluster.settings())
    for server in cluster.servers:
        with server.client() as client:
            client.call("CONFIG", "SET", "cluster-require-full-coverage", "no")
    with Traffic(service, keys=60, batch=20, pause=0.01) as traffic:
        traffic.wait_for_more(2000, 200, 201)
        victim = cluster.servers[1]
        victim.pause()
        traffic.wait_for_more(500, 503)
        traffic.wait_for_more(500, 200, 201)
        victim.resume()
        before = traffic.count(503, 504)
        wait_until(lambda: all(service.request("GET", f"/raw/fault/w0-{i}").status == 200 for i in range(60)),
                   what="all slots again")
        assert traffic.count(503, 504) >= before
    traffic.check()


def test_a_flush_reaches_every_slot_and_both_replicas_see_it(cluster, start_service):
    one, two = start_service(cluster.settings()), start_service(cluster.settings())
    keys = [f"k{i}" for i in range(300)]
    with one.connect() as first, two.connect() as second:
        for round_ in range(3):
            for key in keys:
                assert first.request("PUT", f"/raw/n/{key}", (), b"v").status == 201
                assert first.request("PUT", f"/raw/kept/{key}", (), b"v").status in (200, 201)
            target = "/flush?namespace=n" if round_ < 2 else "/flush"
            assert second.request("POST", target, (), b"").status == 200
            for key in keys:
                assert first.request("GET", f"/raw/n/{key}").status == 404
                assert first.request("GET", f"/raw/kept/{key}").status == (200 if round_ < 2 else 404)


def test_a_flush_while_slots_move_leaves_nothing_behind(cluster, start_service):
    service = start_service(cluster.settings(), CACHE_DEADLINE_MS="5000")
    ended = threading.Event()

    def keep_moving():
        while not ended.is_set():
            for slot, source in used_slots(cluster)[:20]:
                cluster.move(slot, source, cluster.servers[(cluster.servers.index(source) + 1) % 3])

    with service.connect() as connection:
        for index in range(200):
            connection.request("PUT", f"/raw/n/k{index}", (), b"v")
        mover = threading.Thread(target=keep_moving)
        mover.start()
        try:
            for _ in range(5):
                for index in range(0, 200, 7):
                    assert connection.request("PUT", f"/raw/n/k{index}", (), b"v").status in (200, 201)
                assert connection.request("POST", "/flush?namespace=n", (), b"").status == 200
                for index in range(0, 200, 7):
                    assert connection.request("GET", f"/raw/n/k{index}").status == 404
        finally:
            ended.set()
            mover.join(60)
