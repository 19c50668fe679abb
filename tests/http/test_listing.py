"""GET /cache/{ns}: the keys of a namespace, a page at a time."""

import base64
import re
import threading

import pytest
from support.api import Api, check_any_answer, check_problem, flush
from support.wire import build_request

ODD_KEYS = ["a", "a/b", "a b", "\0", "\r\n", '"quoted"', "\\", "\u00e9", "\U0001f600", "k" * 1024, "a/c", "//"]


@pytest.fixture
def listing(api, capabilities):
    if not capabilities["supports"]["list"]:
        pytest.skip("this engine cannot list keys")
    return api


def page(service, ns, query="", method="GET"):
    answer = service.request(method, f"/cache/{ns}" + (f"?{query}" if query else ""))
    check_any_answer(answer, method)
    return answer


def walk(service, ns, query="", limit=None):
    """All keys of all pages: key to item."""
    found, cursor = {}, None
    for _ in range(10000):
        parts = [query] if query else []
        parts += [f"limit={limit}"] if limit else []
        parts += [f"cursor={cursor}"] if cursor else []
        answer = page(service, ns, "&".join(parts))
        assert answer.status == 200, answer
        body = answer.json()
        assert set(body) == {"keys", "cursor"}
        assert limit is None or len(body["keys"]) <= limit
        for item in body["keys"]:
            key = base64.b64decode(item["key_base64"]) if "key_base64" in item else item["key"].encode()
            found[key] = item
        cursor = body["cursor"]
        if cursor is None:
            return found
        assert re.fullmatch(r"[A-Za-z0-9_-]+", cursor)
    raise AssertionError("the listing has no end")


def test_without_listing_the_answer_is_501(service, capabilities, ns):
    if capabilities["supports"]["list"]:
        pytest.skip("this engine can")
    for query in ("", "prefix=a", "limit=1"):
        problem = check_problem(page(service, ns, query), 501)
        assert problem["type"] == "/problems/not-supported-by-engine"


def test_a_namespace_that_holds_nothing_has_no_keys(listing, service, ns):
    assert walk(service, ns) == {}
    assert page(service, ns).json()["cursor"] is None or walk(service, ns) == {}


def test_an_item_tells_key_bytes_and_ttl(listing, service, ns):
    listing.put("short", b"12345", query="ttl=60")
    listing.put("long", b"", query="ttl=none")
    items = walk(service, ns)
    assert set(items) == {b"short", b"long"}
    assert items[b"short"]["bytes"] == 5 and 50 < items[b"short"]["ttl"] <= 60
    assert items[b"long"] == {"key": "long", "bytes": 0, "ttl": None}
    answer = page(service, ns)
    assert answer["Content-Type"] == "application/json" and answer["Cache-Control"] == "no-store"
    assert answer["Vary"] == "Accept"


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_keys_of_any_bytes_are_listed(listing, service, ns, limit):
    for key in ODD_KEYS:
        listing.put(key, b"v")
    listing.put(b"\xff\xfe", b"v")
    items = walk(service, ns, limit=limit)
    assert set(items) == {key.encode() for key in ODD_KEYS} | {b"\xff\xfe"}
    assert items[b"\xff\xfe"]["key_base64"] == "//4=" and "key" not in items[b"\xff\xfe"]


@pytest.mark.parametrize("prefix, expected", [
    ("a", {"a", "a/b", "a b", "a/c"}), ("a/", {"a/b", "a/c"}), ("%C3", {"\u00e9"}), ("%00", {"\0"}), ("z", set()),
    ("*", set()), ("[", set()), ("%5C", {"\\"}), ("", set(ODD_KEYS)), ("k" * 1024, {"k" * 1024}),
])
def test_a_prefix_picks_the_keys_that_begin_so(listing, service, ns, prefix, expected):
    for key in ODD_KEYS:
        listing.put(key, b"v")
    assert set(walk(service, ns, f"prefix={prefix}", limit=2)) == {key.encode() for key in expected}


def test_other_namespaces_and_what_is_gone_are_not_listed(listing, service, ns):
    other = Api(service, ns + "x")
    other.put("other", b"v")
    listing.put("here", b"v")
    listing.put("deleted", b"v")
    listing.delete("deleted")
    assert set(walk(service, ns)) == {b"here"}
    flush(service, query=f"namespace={ns}")
    assert walk(service, ns) == {}
    assert set(walk(service, ns + "x")) == {b"other"}
    other.close()


def test_a_lease_is_no_key(listing, service, capabilities, ns):
    if not capabilities["supports"]["leases"]:
        pytest.skip("this engine has no leases")
    assert listing.get("k", query="lease=10s").status == 404
    assert walk(service, ns) == {}


def test_entries_that_a_flush_of_a_tag_dropped_are_not_listed(listing, service, capabilities, ns):
    if not capabilities["supports"]["tags"]:
        pytest.skip("this engine has no tags")
    listing.put("tagged", b"v", query="tags=a")
    listing.put("bare", b"v")
    flush(service, query=f"namespace={ns}&tag=a")
    assert set(walk(service, ns)) == {b"bare"}


def test_what_stands_all_the_while_appears_whatever_else_happens(listing, service, ns):
    with service.connect() as connection:
        for start in range(0, 2000, 100):
            connection.send(b"".join(build_request("PUT", f"/raw/{ns}/stay{n}", {}, b"v")
                                     for n in range(start, start + 100)))
            assert {connection.read().status for _ in range(100)} == {201}
    done = threading.Event()

    def stir():
        api = Api(service, ns)
        number = 0
        while not done.is_set():
            number += 1
            api.put(f"come{number}", b"v")
            if number > 50:
                api.delete(f"come{number - 50}")
        api.close()

    stirrer = threading.Thread(target=stir)
    stirrer.start()
    try:
        keys = walk(service, ns, limit=50)
    finally:
        done.set()
        stirrer.join(30)
    assert {b"stay%d" % n for n in range(2000)} <= set(keys)
    flush(service, query=f"namespace={ns}")


def test_the_default_limit_is_100(listing, service, ns):
    for n in range(150):
        listing.put(f"k{n}", b"v")
    first = page(service, ns).json()
    assert 0 < len(first["keys"]) <= 100 and first["cursor"] is not None
    assert len(walk(service, ns)) == 150


def test_head_has_the_fields_alone(listing, service, ns):
    listing.put("k", b"v", query="ttl=none")
    got, head = page(service, ns), page(service, ns, method="HEAD")
    assert head.status == 200 and head["Content-Length"] == got["Content-Length"]


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "keys=1",
                                   "prefix=%zz", "prefix=" + "a" * 1025, "cursor=", "cursor=x", "cursor=AAAAAAAAAAAA",
                                   "cursor=!!!!", "cursor=" + "A" * 500])
def test_malformed_parameters_are_400(listing, service, ns, query):
    problem = check_problem(page(service, ns, query), 400)
    assert query.partition("=")[0] in problem["detail"]


def test_a_cursor_belongs_to_its_namespace_and_prefix(listing, service, ns):
    for n in range(5):
        listing.put(f"k{n}", b"v")
    cursor = page(service, ns, "limit=2&prefix=k").json()["cursor"]
    assert page(service, ns, f"limit=2&prefix=k&cursor={cursor}").status == 200
    for target in (f"/cache/{ns}?cursor={cursor}", f"/cache/{ns}?prefix=k0&cursor={cursor}",
                   f"/cache/{ns}x?prefix=k&cursor={cursor}", f"/namespaces?cursor={cursor}",
                   f"/cache/{ns}?prefix=k&cursor={cursor[:-2]}", f"/cache/{ns}?prefix=k&cursor=A{cursor}"):
        check_problem(service.request("GET", target), 400)


def test_a_cursor_whose_inside_was_changed_is_400_or_a_page_and_never_harm(listing, service, ns):
    for n in range(20):
        listing.put(f"k{n}", b"v")
    cursor = page(service, ns, "limit=2").json()["cursor"]
    for at in range(11, len(cursor)):
        for letter in "Az9_":
            changed = cursor[:at] + letter + cursor[at + 1:]
            assert page(service, ns, f"limit=2&cursor={changed}").status in (200, 400)


@pytest.mark.parametrize("path", ["/cache/", "/cache/.x", "/cache/a%20b"])
def test_a_bad_namespace_is_400(service, path):
    check_problem(service.request("GET", path), 400)


def test_what_cannot_be_done_to_a_namespace_is_405(service, ns):
    answer = service.request("DELETE", f"/cache/{ns}")
    check_problem(answer, 405)
    assert {"GET", "HEAD"} <= set(re.split(", *", answer["Allow"]))


@pytest.mark.shared
def test_a_cursor_of_one_replica_goes_on_at_the_other(listing, service, start_service, capabilities, ns):
    if not capabilities["supports"]["shared"]:
        pytest.skip("each replica of this engine has entries of its own")
    replicas, cursor, keys = [service, start_service()], None, set()
    for n in range(50):
        listing.put(f"k{n}", b"v")
    for turn in range(1000):
        body = page(replicas[turn % 2], ns, "limit=7" + (f"&cursor={cursor}" if cursor else "")).json()
        keys |= {item["key"] for item in body["keys"]}
        cursor = body["cursor"]
        if cursor is None:
            break
    assert keys == {f"k{n}" for n in range(50)}
