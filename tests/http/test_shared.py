"""Two replicas on one engine behave as one; for engines whose entries are shared."""

import threading

import pytest
from support.api import Api, check_problem, flush
from support.service import Service

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def replicas(engine, capabilities):
    if not capabilities["supports"].get("shared"):
        pytest.skip("each replica of this engine has entries of its own")
    pair = [Service(engine.settings()).start() for _ in range(2)]
    yield pair
    for replica in pair:
        replica.stop()


@pytest.fixture
def both(replicas, ns):
    pair = [Api(replica, ns) for replica in replicas]
    yield pair
    for api in pair:
        api.close()


def test_what_one_replica_writes_the_other_reads_with_the_same_tag(both):
    one, two = both
    put = one.put("k", b"v", "text/plain", query="ttl=60")
    got = two.get("k")
    assert got.body == b"v" and got["ETag"] == put["ETag"] and got["Content-Type"] == "text/plain"
    two.delete("k")
    assert not one.stands("k")


def test_a_tag_of_one_replica_is_a_condition_at_the_other(both):
    one, two = both
    old = one.put("k", b"one")["ETag"]
    new = two.put("k", b"two", fields={"If-Match": old})["ETag"]
    check_problem(one.put("k", b"three", fields={"If-Match": old}), 412)
    assert one.put("k", b"three", fields={"If-Match": new}).status == 200


def test_after_a_flush_has_answered_no_replica_serves_an_older_entry(both, replicas):
    one, two = both
    for number in range(50):
        one.put("k", b"%d" % number)
        two.get("k")
        flush(replicas[number % 2], query=f"namespace={one.ns}")
        assert not one.stands("k") and not two.stands("k")


def test_of_creators_racing_at_both_replicas_exactly_one_gets_201(replicas, ns):
    for number in range(20):
        barrier = threading.Barrier(16)
        statuses = []

        def create(replica, key=f"race-{number}", barrier=barrier, statuses=statuses):
            api = Api(replica, ns)
            api.get("warm-up")
            barrier.wait(20)
            statuses.append(api.put(key, b"v", fields={"If-None-Match": "*"}).status)
            api.close()

        threads = [threading.Thread(target=create, args=(replicas[me % 2],)) for me in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(statuses) == [201] + [412] * 15
