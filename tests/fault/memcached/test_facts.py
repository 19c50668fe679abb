"""What memcached servers say of themselves, in /metrics and /stats: true while they are up, absent when they are not."""

import time

import pytest
from support.api import Api
from support.memcached_peer import STAT, reply
from support.memcached_servers import MemcachedServer
from support.waiting import scrape_until

SERVER_FACTS = {f"cubby_memcached_server_{name}" for name in (
    "used_memory_bytes", "max_memory_bytes", "evictions_total", "items", "connections", "uptime_seconds")}


class Alone:
    """One server with options of the test's own."""

    def __init__(self, *options):
        self.server = MemcachedServer(*options)

    def start(self):
        self.server.start()
        return self

    def stop(self):
        self.server.stop()

    def settings(self):
        return {"CACHE_ENGINE": "memcached", "MEMCACHED_SERVERS": self.server.address()}


def facts_of(metrics, server):
    """{name: value} of the facts that this server itself has told."""
    return {name: metrics.get(name, default=None, server=server.address()) for name in SERVER_FACTS
            if metrics.get(name, default=None, server=server.address()) is not None}


def is_up(metrics, server):
    return metrics.get("cubby_memcached_server_up", default=None, server=server.address())


def test_they_are_what_the_server_says(start, one):
    service, server = start(one), one[0]
    api = Api(service, "n")
    for number in range(50):
        assert api.put(f"k{number}", b"v" * 1000).status == 201
    metrics = scrape_until(service, lambda found: set(facts_of(found, server)) == SERVER_FACTS)
    with server.client() as client:
        said = client.stats()
    facts = facts_of(metrics, server)
    assert facts["cubby_memcached_server_items"] == float(said["curr_items"]) >= 50
    assert facts["cubby_memcached_server_used_memory_bytes"] == float(said["bytes"]) > 50000
    assert facts["cubby_memcached_server_max_memory_bytes"] == float(said["limit_maxbytes"]) == 64 << 20
    assert facts["cubby_memcached_server_evictions_total"] == 0
    assert 0 <= float(said["curr_connections"]) - facts["cubby_memcached_server_connections"] <= 1, "the test's own"
    assert 0 <= float(said["uptime"]) - facts["cubby_memcached_server_uptime_seconds"] <= 10
    assert is_up(metrics, server) == 1


def test_evictions_are_counted(start, cleanup):
    alone = Alone("-m", "2").start()
    cleanup.append(alone)
    service = start(alone)
    api = Api(service, "n")
    scrape_until(service, lambda found: set(facts_of(found, alone.server)) == SERVER_FACTS)
    for number in range(120):
        assert api.put(f"k{number}", b"v" * 100_000).status == 201
    metrics = scrape_until(service, lambda found: facts_of(found, alone.server)["cubby_memcached_server_evictions_total"] > 0)
    with alone.server.client() as client:
        said = client.stats()
    assert facts_of(metrics, alone.server)["cubby_memcached_server_evictions_total"] == float(said["evictions"]) > 50
    assert facts_of(metrics, alone.server)["cubby_memcached_server_max_memory_bytes"] == 2 << 20


def test_a_dead_server_has_none_and_the_others_theirs(start, three):
    service = start(three)
    all_up = scrape_until(service, lambda found: all(set(facts_of(found, server)) == SERVER_FACTS
                                                     for server in three.servers))
    assert {labels["server"] for labels, _ in all_up.all("cubby_memcached_server_items")} == \
        {server.address() for server in three.servers}
    three[1].kill()
    # Nobody but the look asks it for anything.
    metrics = scrape_until(service, lambda found: is_up(found, three[1]) == 0)
    assert facts_of(metrics, three[1]) == {}, "neither what was, nor 0"
    assert metrics.get("cubby_memcached_breaker_open", server=three[1].address()) == 1
    for server in (three[0], three[2]):
        assert set(facts_of(metrics, server)) == SERVER_FACTS and is_up(metrics, server) == 1


def test_a_server_that_was_started_again_is_told_by_its_uptime(start, one):
    service, server = start(one), one[0]
    name = "cubby_memcached_server_uptime_seconds"
    # Longer than the time between two looks, whatever the machine has to do besides.
    before = scrape_until(service, lambda found: facts_of(found, server).get(name, 0) >= 12, timeout=40)
    server.kill()
    server.start()
    after = scrape_until(service, lambda found: facts_of(found, server).get(name, 1e9) < facts_of(before, server)[name])
    assert is_up(after, server) == 1


@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_server_that_hangs_is_found_out_and_holds_no_scrape_up(start, one, threads):
    service, server = start(one, MEMCACHED_THREADS=threads), one[0]
    scrape_until(service, lambda found: set(facts_of(found, server)) == SERVER_FACTS)
    server.pause()
    try:
        slowest, deadline = 0.0, time.monotonic() + 20
        while True:
            began = time.monotonic()
            metrics = scrape_until(service, lambda _: True)
            slowest = max(slowest, time.monotonic() - began)
            if is_up(metrics, server) == 0:
                break
            assert time.monotonic() < deadline, "not found out"
            time.sleep(0.1)
        assert facts_of(metrics, server) == {}
        assert slowest < 2.0, "a scrape asks no server"
    finally:
        server.resume()
    metrics = scrape_until(service, lambda found: set(facts_of(found, server)) == SERVER_FACTS)
    assert is_up(metrics, server) == 1


def test_jobs_go_on_while_the_server_is_looked_at(start, one):
    service, server = start(one, MEMCACHED_THREADS="1"), one[0]
    api = Api(service, "n")
    scrape_until(service, lambda found: set(facts_of(found, server)) == SERVER_FACTS)
    with server.client() as client:
        before = int(client.stats()["cmd_get"])
    end, answered = time.monotonic() + 11, 0
    while time.monotonic() < end:  # two looks at the least
        assert api.put("k", b"%d" % answered).status in (200, 201)
        assert api.get("k").body == b"%d" % answered
        answered += 1
    metrics = scrape_until(service, lambda found: set(facts_of(found, server)) == SERVER_FACTS)
    with server.client() as client:
        assert int(client.stats()["cmd_get"]) > before
    assert metrics.get("cubby_memcached_connect_failures_total", server=server.address()) == 0
    assert is_up(metrics, server) == 1


def test_stats_tells_them_too(start, one):
    service, server = start(one), one[0]
    scrape_until(service, lambda found: set(facts_of(found, server)) == SERVER_FACTS)
    told = service.request("GET", "/stats").json()["engine"]["servers"][server.address()]
    assert told["server_up"] is True and told["server_max_memory_bytes"] == 64 << 20
    assert {name.removeprefix("cubby_memcached_").removesuffix("_total") for name in SERVER_FACTS} <= set(told)
    server.kill()
    scrape_until(service, lambda found: is_up(found, server) == 0)
    told = service.request("GET", "/stats").json()["engine"]["servers"][server.address()]
    assert told["server_up"] is False and "server_items" not in told


def test_nobody_who_scrapes_no_looks(start, one):
    service, server = start(one), one[0]
    Api(service, "n").put("k", b"v")
    with server.client() as client:
        before = client.stats()
        time.sleep(6)
        after = client.stats()
    read = int(after["bytes_read"]) - int(before["bytes_read"])
    # The test's own question is 24 bytes.
    assert read == 24, f"{read} bytes came from somewhere"
    assert service.request("GET", "/readyz").status == 200


def broken(request, good):
    """An honest answer to all but `stats` without a word, which nothing but a look asks for."""
    return reply(request, 0x81, value=b"Unknown command") if request.opcode == STAT and not request.key else good


def silent(request, good):
    return b"" if request.opcode == STAT and not request.key else good


@pytest.mark.parametrize("script", [broken, silent])
def test_a_server_whose_statistics_fail_has_no_facts_and_serves(start, peer, script):
    peer.script = script
    service = start(peer, MEMCACHED_THREADS="1", CACHE_DEADLINE_MS="3000")
    api = Api(service, "n")
    end = time.monotonic() + 7
    while time.monotonic() < end:
        metrics = scrape_until(service, lambda _: True)
        assert not metrics.all("cubby_memcached_server_items")
        assert api.put("k", b"v").status in (200, 201) and api.get("k").status == 200
        time.sleep(0.1)
    assert any(request.opcode == STAT and not request.key for request in peer.requests), "nobody looked"


def test_numbers_that_are_none_are_left_out(start, peer):
    def strange(request, good):
        if request.opcode != STAT or request.key:
            return good
        pairs = {b"bytes": b"-1", b"evictions": b"99999999999999999999999", b"curr_items": b"7", b"uptime": b""}
        return b"".join(reply(request, key=key, value=value) for key, value in pairs.items()) + reply(request)

    peer.script = strange
    service = start(peer)
    metrics = scrape_until(service, lambda found: found.all("cubby_memcached_server_items"))
    assert [value for _, value in metrics.all("cubby_memcached_server_items")] == [7]
    for name in SERVER_FACTS - {"cubby_memcached_server_items"}:
        assert not metrics.all(name), name
