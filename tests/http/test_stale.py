"""?stale=: served for a while after its TTL, and the first ?lease reader wins the refill."""

import time

import pytest
from support.api import check_problem, ttl_of

FRESH = 0.8


@pytest.fixture
def keeping(api, capabilities):
    if not capabilities["supports"]["stale"]:
        pytest.skip("this engine serves nothing stale")
    return api


def put(api, key="k", body=b"old", view="raw", stale="60", ttl=f"{FRESH}"):
    answer = api.put(key, body, view=view, query=f"ttl={ttl}&stale={stale}")
    assert answer.status in (200, 201), answer
    return answer


def wait():
    time.sleep(FRESH + 0.1)


def is_stale(answer):
    return answer.status == 200 and answer["Cache-Status"] == "cubby; hit; detail=stale"


def test_without_it_the_answer_is_501(api, capabilities, view):
    if capabilities["supports"]["stale"]:
        pytest.skip("this engine can")
    check_problem(api.put("k", b"v", view=view, query="ttl=60&stale=60"), 501)
    assert not api.stands("k")


def test_after_its_ttl_it_is_served_as_stale(keeping, view):
    etag = put(keeping, view=view)["ETag"]
    answer = keeping.get("k", view=view)
    assert answer["Cache-Status"] == "cubby; hit" and 0 < ttl_of(answer) <= FRESH
    wait()
    answer = keeping.get("k", view=view)
    assert is_stale(answer) and ttl_of(answer) == 0 and answer["ETag"] == etag
    if view == "raw":
        assert answer.body == b"old"
    else:
        assert answer.json()["value"] == "old" and answer.json()["ttl"] == 0
    assert is_stale(keeping.head("k", view=view))
    assert keeping.get("k", view=view, fields={"If-None-Match": etag}).status == 304


def test_it_is_gone_at_the_end_of_the_window(keeping):
    put(keeping, stale="1200ms")
    wait()
    assert is_stale(keeping.get("k"))
    time.sleep(1.3)
    assert keeping.get("k").status == 404


def test_the_first_lease_reader_wins_the_refill(keeping):
    put(keeping)
    assert not keeping.get("k", query="lease=10s").all("Cache-Lease")
    wait()
    first = keeping.get("k", query="lease=10s")
    assert is_stale(first) and first["Cache-Lease"].startswith("won;token=")
    second = keeping.get("k", query="lease=10s")
    assert is_stale(second) and second["Cache-Lease"] == "held" and second["Retry-After"] == "1"
    plain = keeping.get("k")
    assert is_stale(plain) and not plain.all("Cache-Lease")
    token = first["Cache-Lease"].partition("=")[2]
    assert keeping.put("k", b"new", fields={"Lease-Token": token}, query="ttl=60").status == 200
    answer = keeping.get("k", query="lease=10s")
    assert answer.body == b"new" and answer["Cache-Status"] == "cubby; hit" and not answer.all("Cache-Lease")


def test_a_write_in_between_voids_the_refill(keeping):
    put(keeping)
    wait()
    token = keeping.get("k", query="lease=10s")["Cache-Lease"].partition("=")[2]
    keeping.put("k", b"newer")
    check_problem(keeping.put("k", b"older", fields={"Lease-Token": token}), 412)
    assert keeping.get("k").body == b"newer"


def test_a_stale_entry_stands(keeping):
    etag = put(keeping)["ETag"]
    wait()
    check_problem(keeping.put("k", b"new", fields={"If-None-Match": "*"}), 412)
    assert keeping.put("k", b"new", fields={"If-Match": etag}).status == 200


def test_a_new_ttl_makes_it_fresh_and_keeps_the_window(keeping):
    put(keeping)
    wait()
    assert keeping.patch("k", b'{"ttl":%.1f}' % FRESH).status == 200
    answer = keeping.get("k")
    assert answer["Cache-Status"] == "cubby; hit" and 0 < ttl_of(answer) <= FRESH
    wait()
    assert is_stale(keeping.get("k"))


def test_without_a_window_nothing_is_stale(keeping):
    put(keeping)
    keeping.put("k", b"v", query=f"ttl={FRESH}")
    wait()
    assert keeping.get("k").status == 404


@pytest.mark.parametrize("query", ["ttl=60&stale=", "ttl=60&stale=0", "ttl=60&stale=x", "ttl=60&stale=none",
                                   "ttl=none&stale=60", "ttl=60&idle=5&stale=60", "ttl=60&stale=1&stale=1",
                                   "ttl=60&stale=4000d"])
def test_what_makes_no_sense_is_400_and_stores_nothing(api, view, query):
    problem = check_problem(api.put("k", b"v", view=view, query=query), 400)
    assert "stale" in problem["detail"]
    assert not api.stands("k")


def test_the_default_ttl_will_do(keeping):
    assert keeping.put("k", b"v", query="stale=60").status == 201
