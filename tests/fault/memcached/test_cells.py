"""Counters, limits, locks, leases and tags over a memcached that loses answers, races or holds something else.

A step may be lost with an honest answer. It is never carried out twice, never begun anew on something unknown.
"""

import time

import pytest

from support import memcached_peer as mc
from support.memcached_peer import MemcachedPeer, reply


@pytest.fixture
def peer(cleanup):
    one = MemcachedPeer()
    cleanup.append(one)
    return one


@pytest.fixture
def client(start, peer):
    return start(peer)


def post(client, path, body="{}"):
    return client.request("POST", path, [("Content-Type", "application/json")], body.encode())


def stores_of(peer, name):
    return [r for r in peer.requests if r.opcode in (mc.SET, mc.ADD, mc.REPLACE) and r.key == name]


PRIMITIVES = {
    "/counters/n/k": (b"cubby:c:n:k", "{}", 200),
    "/limits/n/k": (b"cubby:l:n:k", '{"limit":5,"window":60}', 200),
    "/locks/n/k": (b"cubby:k:n:k", '{"ttl":60}', 201),
}


@pytest.mark.parametrize("path", PRIMITIVES)
def test_what_is_foreign_or_damaged_is_no_fresh_beginning(client, peer, path):
    name, body, done = PRIMITIVES[path]
    assert post(client, path, body).status == done
    good = peer.items[name][0]
    for foreign in (b"1", b"\x9dCc\x01", good[:-1], good + b"x", b"\x9dCc\x02" + good[4:], bytes(len(good))):
        peer.items[name] = (foreign, peer.items[name][1])
        assert post(client, path, body).status == 503, foreign
        assert peer.items[name][0] == foreign


@pytest.mark.parametrize("loss", ["before", "after"])
def test_an_increment_whose_answer_is_lost_is_unknown_and_not_repeated(client, peer, loss):
    name = b"cubby:c:n:k"
    assert post(client, "/counters/n/k").json()["value"] == 1
    before = peer.items[name]

    def lose(request, good):
        if request.opcode != mc.REPLACE:
            return good
        if loss == "before":
            peer.items[name] = before
        return None

    peer.script = lose
    answer = post(client, "/counters/n/k")
    assert answer.status in (503, 504) and answer.json()["outcome"] == "unknown", answer
    assert len(stores_of(peer, name)) == 2
    peer.script = None
    assert client.request("GET", "/counters/n/k").json()["value"] == (1 if loss == "before" else 2)


def test_a_lost_race_is_run_again_and_counts_once(client, peer):
    assert post(client, "/counters/n/k").json()["value"] == 1
    lost = []

    def race(request, good):
        if request.opcode == mc.REPLACE and len(lost) < 5:
            # Another writer was faster, and what this one sent did not happen.
            value = peer.items[request.key][0]
            lost.append(value)
            peer.items[request.key] = (good_before[0], 1000 + len(lost))
            return reply(request, mc.EXISTS, value=b"Data exists for key.")
        return good

    good_before = peer.items[b"cubby:c:n:k"]
    peer.script = race
    assert post(client, "/counters/n/k").json()["value"] == 2
    assert len(lost) == 5


def test_a_race_that_is_always_lost_ends_in_time_and_changes_nothing(client, peer):
    assert post(client, "/counters/n/k").json()["value"] == 1
    before = peer.items[b"cubby:c:n:k"]

    def race(request, good):
        if request.opcode != mc.REPLACE:
            return good
        peer.items[request.key] = before
        return reply(request, mc.EXISTS, value=b"Data exists for key.")

    peer.script = race
    answer = post(client, "/counters/n/k")
    assert answer.status == 503 and "outcome" not in answer.json(), answer
    peer.script = None
    assert client.request("GET", "/counters/n/k").json()["value"] == 1


def test_a_lease_whose_answer_is_lost_is_no_miss_and_not_won(client, peer):
    assert client.request("PUT", "/raw/n/other", [], b"v").status == 201
    peer.script = lambda request, good: None if request.opcode == mc.ADD else good
    answer = client.request("GET", "/raw/n/k?lease=20s")
    assert answer.status in (503, 504) and not answer.all("Cache-Lease"), answer
    peer.script = None
    answer = client.request("GET", "/raw/n/k?lease=20s")
    assert answer.status == 404 and answer["Cache-Lease"].startswith("held"), answer


def test_a_server_without_room_is_507_for_a_counter_and_gives_a_read_no_lease(client, peer):
    assert post(client, "/counters/n/k").json()["value"] == 1
    assert client.request("PUT", "/raw/n/old?ttl=0.05&stale=60", [], b"v").status == 201
    before = dict(peer.items)

    def be_full(request, good):
        if request.opcode not in (mc.ADD, mc.REPLACE):
            return good
        peer.items = dict(before)
        return reply(request, 0x82, value=b"Out of memory")

    peer.script = be_full
    assert post(client, "/counters/n/k").status == 507
    assert post(client, "/counters/n/other").status == 507
    time.sleep(0.1)
    for path, status in (("/raw/n/missing", 404), ("/raw/n/old", 200)):
        answer = client.request("GET", path + "?lease=1s")
        assert answer.status == status and not answer.all("Cache-Lease"), answer
    peer.script = None
    assert client.request("GET", "/counters/n/k").json()["value"] == 1
    assert client.request("GET", "/counters/n/other").status == 404


def test_tags_of_any_bytes_reach_the_wire_as_harmless_names(client, peer):
    tags = ["a", "a%20b", "%0D%0Aflush_all%0D%0A", "%00", "%FF", "cubby:g:n"]
    for tag in tags:
        assert client.request("PUT", f"/raw/n/k?tags={tag}", [], b"v").status == 201, tag
        assert client.request("GET", "/raw/n/k").body == b"v"
        generation = next(name for name in peer.items if name.startswith((b"cubby:t:n:", b"cubby:th:")))
        del peer.items[generation]
        assert client.request("GET", "/raw/n/k").status == 404, tag
    for name in peer.keys_sent():
        assert 1 <= len(name) <= 250 and all(0x20 < byte < 0x7F for byte in name), name
