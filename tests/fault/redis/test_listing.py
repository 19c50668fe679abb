"""Listing keys while the server restarts or slots move: what stands throughout is on some page."""

from support.redis_servers import ClusterSet, RedisServer, slot_of, wait_until

NDJSON = {"Content-Type": "application/x-ndjson"}
KEYS = 2000


def fill(service):
    lines = b"".join(b'{"key":"k%d","value":1,"ttl":null}\n' % index for index in range(KEYS))
    answer = service.request("POST", "/cache/lst", NDJSON, lines)
    assert answer.status == 200, answer


def list_page(service, cursor):
    return service.request("GET", "/cache/lst?limit=100" + (f"&cursor={cursor}" if cursor else ""))


def walk(service, disturb, retry=lambda pages: None):
    """All keys; `disturb` is called after the fifth page, `retry` when a page is refused."""
    found, cursor, pages = [], None, 0
    for _ in range(2000):
        answer = list_page(service, cursor)
        if answer.status in (503, 504):
            retry(pages)
            continue
        assert answer.status == 200, answer
        page = answer.json()
        found += [item["key"] for item in page["keys"]]
        cursor, pages = page["cursor"], pages + 1
        if cursor is None:
            return found
        if pages == 5:
            disturb()
    raise AssertionError(f"no end after {pages} pages")


def test_a_restart_leaves_nothing_out(start_service):
    redis = RedisServer("--appendonly", "yes", "--appendfsync", "always").start()
    try:
        service = start_service(redis.settings())
        fill(service)

        def restart():
            redis.kill()
            redis.start()
            wait_until(lambda: service.request("GET", "/raw/lst/k1").status == 200, what="recovery")

        found = walk(service, restart)
        assert set(found) == {f"k{index}" for index in range(KEYS)}
        assert len(found) > KEYS, "the server was walked anew"
    finally:
        redis.stop()


def test_slots_that_move_leave_nothing_out(start_service):
    """Half of the first server's slots go to the third, so that they were walked neither here nor there."""
    cluster = ClusterSet().start()
    try:
        service = start_service(cluster.settings())
        fill(service)
        source, target = cluster.servers[0], cluster.servers[2]
        with source.client() as client:
            slots = sorted({slot_of(key) for key in client.call("KEYS", "*:lst:*")})
        found = walk(service, lambda: [cluster.move(slot, source, target) for slot in slots[::8]])
        assert set(found) == {f"k{index}" for index in range(KEYS)}
    finally:
        cluster.stop()


def test_a_slot_between_two_servers_is_503_and_the_same_cursor_goes_on(start_service):
    cluster = ClusterSet().start()
    try:
        service = start_service(cluster.settings(), CACHE_DEADLINE_MS="500")
        fill(service)
        source, target = cluster.servers[2], cluster.servers[0]
        with source.client() as client:
            slot = slot_of(client.call("KEYS", "*:lst:*")[0])
        refused = []

        def begin():
            cluster.begin_move(slot, source, target)
            with source.client() as client:
                for key in client.call("CLUSTER", "GETKEYSINSLOT", slot, 1000)[::2]:
                    client.call("MIGRATE", "127.0.0.1", target.port, key, 0, 5000)

        def finish(pages):
            refused.append(pages)
            if len(refused) == 3:
                cluster.move_keys(slot, source, target)
                cluster.end_move(slot, source, target)

        found = walk(service, begin, finish)
        assert len(refused) >= 3, refused
        assert set(found) == {f"k{index}" for index in range(KEYS)}
    finally:
        cluster.stop()
