"""POST /flush: everything, or one namespace."""

import threading

import pytest
from support.api import Api, check_problem, flush
from support.wire import build_request

pytestmark = pytest.mark.smoke


@pytest.fixture
def two(service, ns):
    """Two namespaces with entries in them."""
    pair = Api(service, ns), Api(service, ns + "x")
    for api in pair:
        for key in ("a", "a/b", "\0", "k" * 1024):
            api.put(key, b"v")
    yield pair
    for api in pair:
        api.close()


def _stand(api):
    return [api.stands(key) for key in ("a", "a/b", "\0", "k" * 1024)]


@pytest.mark.parametrize("body", [None, b"", b"{}", b" { } "])
def test_flush_without_a_namespace_drops_every_entry(service, two, body):
    answer = flush(service, body)
    assert answer.status == 200 and answer.json() == {"flushed": "*"}
    for api in two:
        assert _stand(api) == [False] * 4


def test_flush_without_body_needs_no_length(service, two):
    with service.connect() as connection:
        connection.send(b"POST /flush HTTP/1.1\r\nHost: h\r\n\r\n")
        assert connection.read().json() == {"flushed": "*"}
    assert not any(_stand(two[0]))


def test_flush_of_a_namespace_drops_its_entries_and_no_others(service, two):
    answer = flush(service, b'{"namespace":"%s"}' % two[0].ns.encode())
    assert answer.status == 200 and answer.json() == {"flushed": two[0].ns}
    assert _stand(two[0]) == [False] * 4
    assert _stand(two[1]) == [True] * 4


def test_a_namespace_may_be_named_as_a_query_parameter(service, two):
    answer = flush(service, query=f"namespace={two[0].ns}")
    assert answer.status == 200 and answer.json() == {"flushed": two[0].ns}
    assert not any(_stand(two[0])) and all(_stand(two[1]))


def test_a_body_without_a_content_type_is_taken(service, two):
    body = b'{"namespace":"%s"}' % two[0].ns.encode()
    assert service.request("POST", "/flush", {}, body).status == 200
    assert not any(_stand(two[0])) and all(_stand(two[1]))


def test_flush_of_a_namespace_that_holds_nothing_succeeds(service, ns):
    assert flush(service, b'{"namespace":"%s"}' % ns.encode()).status == 200


@pytest.mark.parametrize("body", [
    b"{", b"[]", b'"users"', b"null", b'{"namespace":1}', b'{"namespace":null}', b'{"namespace":""}',
    b'{"namespace":".x"}', b'{"namespace":"a b"}', b'{"namespace":"*"}', b'{"namespace":["a"]}', b'{"name":"users"}',
    b'{"namespace":"a","namespace":"b"}', b'{"namespace":"a"} {}', b'{"namespace":"%s"}' % (b"a" * 65), b"\xff",
    b'{"namespace":"a\\u0000b"}',
])
def test_a_malformed_flush_is_400_and_drops_nothing(service, two, body):
    check_problem(flush(service, body), 400)
    assert all(_stand(two[0])) and all(_stand(two[1]))


@pytest.mark.parametrize("query", ["namespace=", "namespace=.x", "namespace=a%20b", "name=users", "namespace=%zz",
                                   "namespace=a&namespace=b"])
def test_a_malformed_parameter_is_400_and_drops_nothing(service, two, query):
    check_problem(flush(service, query=query), 400)
    assert all(_stand(two[0]))


def test_parameter_and_body_that_name_different_namespaces_are_400(service, two):
    check_problem(flush(service, b'{"namespace":"%s"}' % two[0].ns.encode(), f"namespace={two[1].ns}"), 400)
    assert all(_stand(two[0])) and all(_stand(two[1]))


@pytest.mark.parametrize("member", ["tag", "prefix"])
def test_what_the_engine_cannot_select_by_is_501_and_drops_nothing(service, two, capabilities, member):
    if _supports(capabilities, "tags" if member == "tag" else "list"):
        pytest.skip("this engine can")
    problem = check_problem(flush(service, b'{"namespace":"%s","%s":"a"}' % (two[0].ns.encode(), member.encode())), 501)
    assert problem["type"] == "/problems/not-supported-by-engine"
    assert all(_stand(two[0]))


def _supports(capabilities, name):
    return bool(capabilities.get("supports", {}).get(name))


# ---- By prefix ----

@pytest.fixture
def listed(api, capabilities):
    """Entries below a/ and others."""
    if not _supports(capabilities, "flush_prefix"):
        pytest.skip("this engine cannot list keys")
    for key in ("a/", "a/1", "a/b/2", "a/\xff\0", "a", "b", "A/1", "aa/"):
        api.put(key, b"v")
    return api


def _left(api):
    return [key for key in ("a/", "a/1", "a/b/2", "a/\xff\0", "a", "b", "A/1", "aa/") if api.stands(key)]


@pytest.mark.parametrize("how", ["body", "query"])
def test_a_flush_of_a_prefix_drops_the_keys_that_begin_so(service, listed, how):
    body = b'{"namespace":"%s","prefix":"a/"}' % listed.ns.encode() if how == "body" else None
    answer = flush(service, body, "" if body else f"namespace={listed.ns}&prefix=a%2F")
    assert answer.status == 200
    assert answer.json() == {"flushed": listed.ns, "prefix": "a/", "deleted": 4}
    assert _left(listed) == ["a", "b", "A/1", "aa/"]


def test_a_prefix_of_another_namespace_is_left_alone(service, listed):
    other = Api(service, listed.ns + "x")
    other.put("a/1", b"v")
    flush(service, query=f"namespace={listed.ns}&prefix=a/")
    assert other.stands("a/1")
    other.close()


def test_a_prefix_that_nothing_has_drops_nothing(service, listed):
    answer = flush(service, query=f"namespace={listed.ns}&prefix=zz")
    assert answer.status == 200 and answer.json()["deleted"] == 0 and len(_left(listed)) == 8


def test_a_prefix_may_hold_any_bytes(service, listed):
    answer = flush(service, query=f"namespace={listed.ns}&prefix=a/%C3%BF%00")
    assert answer.json() == {"flushed": listed.ns, "prefix": "a/\xff\0", "deleted": 1}
    listed.put(b"\xff\xfe", b"v")
    answer = flush(service, query=f"namespace={listed.ns}&prefix=%FF")
    assert answer.json() == {"flushed": listed.ns, "prefix_base64": "/w==", "deleted": 1}


@pytest.mark.parametrize("query", ["prefix=a", "namespace={ns}&prefix=", "namespace={ns}&prefix=" + "a" * 1025,
                                   "namespace={ns}&prefix=a&tag=b", "namespace={ns}&prefix=%zz"])
def test_a_malformed_flush_of_a_prefix_is_400_and_drops_nothing(service, two, query):
    check_problem(flush(service, query=query.format(ns=two[0].ns)), 400)
    assert all(_stand(two[0])) and all(_stand(two[1]))


def test_a_prefix_of_thousands_leaves_thousands(service, capabilities, ns):
    if not _supports(capabilities, "flush_prefix"):
        pytest.skip("this engine cannot list keys")
    with service.connect() as connection:
        for stem in ("drop", "keep"):
            for start in range(0, 3000, 100):
                connection.send(b"".join(build_request("PUT", f"/raw/{ns}/{stem}{n}", {}, b"v")
                                         for n in range(start, start + 100)))
                assert {connection.read().status for _ in range(100)} == {201}
        assert flush(service, query=f"namespace={ns}&prefix=drop").json()["deleted"] == 3000
        for stem, expected in (("drop", 404), ("keep", 200)):
            connection.send(b"".join(build_request("GET", f"/raw/{ns}/{stem}{n}") for n in range(0, 3000, 30)))
            assert {connection.read().status for _ in range(100)} == {expected}
    flush(service, query=f"namespace={ns}")


def test_a_client_that_leaves_a_long_flush_does_no_harm(service, capabilities, ns):
    if not _supports(capabilities, "flush_prefix"):
        pytest.skip("this engine cannot list keys")
    api = Api(service, ns)
    for n in range(600):
        api.put(f"k{n}", b"v")
    for _ in range(5):
        with service.connect() as connection:
            connection.send(b"POST /flush?namespace=%s&prefix=k HTTP/1.1\r\nHost: h\r\n\r\n" % ns.encode())
    assert flush(service, query=f"namespace={ns}&prefix=k").status == 200
    assert not any(api.stands(f"k{n}") for n in range(0, 600, 60))
    api.close()


def test_an_entry_written_after_the_flush_stands(service, ns):
    api = Api(service, ns)
    for _ in range(20):
        api.put("k", b"old")
        flush(service, b'{"namespace":"%s"}' % ns.encode())
        assert api.put("k", b"new").status == 201
        assert api.get("k").body == b"new"
    api.close()


def test_a_tag_from_before_the_flush_matches_nothing_after_it(service, ns):
    api = Api(service, ns)
    tag = api.put("k", b"old")["ETag"]
    flush(service, query=f"namespace={ns}")
    check_problem(api.put("k", b"new", fields={"If-Match": tag}), 412)
    check_problem(api.patch("k", b'{"ttl":60}'), 404)
    assert api.put("k", b"new", fields={"If-None-Match": "*"}).status == 201
    api.close()


def test_a_flush_drops_thousands_of_entries_and_leaves_thousands(service, ns):
    spaces = (ns + "-drop", ns + "-keep")
    with service.connect() as connection:
        for space in spaces:
            for start in range(0, 4000, 100):
                connection.send(b"".join(build_request("PUT", f"/raw/{space}/{n}", {}, b"v")
                                         for n in range(start, start + 100)))
                assert {connection.read().status for _ in range(100)} == {201}
        assert flush(service, query=f"namespace={spaces[0]}").status == 200
        for space, expected in zip(spaces, (404, 200)):
            for start in range(0, 4000, 100):
                connection.send(b"".join(build_request("GET", f"/raw/{space}/{n}")
                                         for n in range(start, start + 100)))
                assert {connection.read().status for _ in range(100)} == {expected}
    flush(service, query=f"namespace={spaces[1]}")


def test_no_reader_sees_an_entry_from_before_a_flush_that_has_answered(service, ns):
    api = Api(service, ns)
    flushed = -1  # the last generation that a flush has answered for
    faults, done = [], threading.Event()

    def read():
        reader = Api(service, ns)
        while not done.is_set():
            before = flushed
            answer = reader.get("k")
            if answer.status == 200 and int(answer.body) <= before:
                faults.append((int(answer.body), before))
        reader.close()

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for generation in range(100):
        api.put("k", b"%d" % generation)
        assert flush(service, query=f"namespace={ns}").status == 200
        flushed = generation
    done.set()
    for reader in readers:
        reader.join(30)
    api.close()
    assert not faults
