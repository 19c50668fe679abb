"""What a memcached server cannot take, and how long it keeps what it took."""

import re
import time

from support.memcached_peer import MemcachedPeer
from support.memcached_servers import ServerSet


def test_a_value_over_the_item_limit_is_413_names_the_limit_and_leaves_the_old_entry(start, one, open_api):
    api = open_api(start(one))
    assert api.put("k", b"old").status == 201
    answer = api.put("k", b"x" * (1 << 20))
    assert answer.status == 413
    limit = int(re.search(r"at most ([0-9]+) bytes", answer.json()["detail"]).group(1))
    assert 1_047_000 < limit < 1 << 20
    assert api.get("k").body == b"old"
    assert api.put("k", b"x" * limit).status == 200
    assert api.get("k").body == b"x" * limit
    assert api.put("k", b"x" * (limit + 1)).status == 413


def test_each_length_around_the_chunks_is_stored_or_413_and_never_an_error(start, one, open_api):
    api = open_api(start(one))
    for size in [0, 1, *range(524288 - 300, 524288 + 10, 37), *range(1048576 - 600, 1048576, 29)]:
        status = api.put("k", b"y" * size).status
        assert status in (200, 201, 413), size
        if status != 413:
            assert len(api.get("k").body) == size


def test_a_server_that_may_not_evict_is_507_and_the_old_entry_stands(start, cleanup, open_api):
    servers = ServerSet(1, "-M", "-m", "8").start()
    cleanup.append(servers)
    api = open_api(start(servers))
    value = b"z" * 500_000
    assert api.put("k", b"old").status == 201
    statuses = [api.put(f"fill-{number}", value).status for number in range(40)]
    assert set(statuses) == {201, 507}, statuses
    assert api.put("k", value).status == 507
    assert api.get("k").body == b"old"


def test_more_than_thirty_days_are_not_read_as_a_date(start, one, open_api):
    api = open_api(start(one))
    for days in (29, 30, 31, 365, 3650):
        assert api.put(f"d{days}", b"v", query=f"ttl={days}d").status == 201
        answer = api.get(f"d{days}")
        assert answer.status == 200 and abs(float(answer["Cache-TTL"]) - days * 86400) < 5


def test_an_entry_ends_within_50_ms_though_the_server_counts_seconds(start, one, open_api):
    api = open_api(start(one))
    for ttl in (0.3, 1.25, 2.7):
        assert api.put("k", b"v", query=f"ttl={ttl}").status in (200, 201)
        stored = time.monotonic()
        while api.stands("k"):
            last = time.monotonic() - stored
        assert ttl - 0.05 <= last <= ttl + 0.05, (ttl, last)


def test_names_and_password_are_used_and_a_wrong_password_is_503(start, cleanup, open_api):
    peer = MemcachedPeer(credentials=b"user\0user\0secret")
    cleanup.append(peer)
    api = open_api(start(peer, MEMCACHED_USERNAME="user", MEMCACHED_PASSWORD="secret"))
    assert api.put("k", b"v").status == 201
    assert api.get("k").body == b"v"
    peer.credentials = b"user\0user\0another"
    peer.drop()
    answer = api.get("k")
    assert answer.status == 503 and "secret" not in answer.body.decode()
