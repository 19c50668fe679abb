"""Tags of entries (?tags=, Cache-Groups) and what a flush of one drops."""

import pytest
from support.api import Api, check_problem, flush

TAG64 = "t" * 64


@pytest.fixture
def tagging(api, capabilities):
    """Tags at work; elsewhere the only thing to say is 501."""
    if not capabilities["supports"]["tags"]:
        pytest.skip("this engine has no tags")
    return api


def drop(service, ns, tag):
    answer = flush(service, query=f"namespace={ns}&tag={tag}")
    assert answer.status == 200, answer
    return answer


@pytest.mark.parametrize("how", [{"query": "tags=a"}, {"fields": {"Cache-Groups": '"a"'}}])
def test_without_tags_the_answer_is_501_and_nothing_is_stored(api, capabilities, view, how):
    if capabilities["supports"]["tags"]:
        pytest.skip("this engine can")
    problem = check_problem(api.put("k", b"v", view=view, **how), 501)
    assert problem["type"] == "/problems/not-supported-by-engine"
    assert not api.stands("k")


def test_a_flush_of_a_tag_drops_its_entries_and_no_others(tagging, service, ns, view):
    api = tagging
    api.put("one", b"v", view=view, query="tags=team-7,team-8")
    api.put("two", b"v", view=view, fields={"Cache-Groups": '"team-7"'})
    api.put("other", b"v", view=view, query="tags=team-8")
    api.put("bare", b"v", view=view)
    assert drop(service, ns, "team-7").json() == {"flushed": ns, "tag": "team-7"}
    assert [api.stands(key) for key in ("one", "two", "other", "bare")] == [False, False, True, True]
    assert api.put("one", b"new", view=view, query="tags=team-7").status == 201
    assert api.stands("one")


def test_a_tag_of_one_namespace_is_not_that_of_another(tagging, service, ns):
    other = Api(service, ns + "x")
    other.put("k", b"v", query="tags=a")
    tagging.put("k", b"v", query="tags=a")
    drop(service, ns, "a")
    assert not tagging.stands("k") and other.stands("k")
    other.close()


def test_a_later_put_sets_the_tags_anew(tagging, service, ns):
    tagging.put("k", b"v", query="tags=old")
    tagging.put("k", b"v", query="tags=new")
    drop(service, ns, "old")
    assert tagging.stands("k")
    drop(service, ns, "new")
    assert not tagging.stands("k")


def test_a_flush_of_a_tag_that_nothing_has_succeeds(tagging, service, ns):
    tagging.put("k", b"v")
    drop(service, ns, "nobody")
    assert tagging.stands("k")


@pytest.mark.parametrize("query, tag", [
    ("tags=a%252Cb", "a%252Cb"), ("tags=a%26b%3Dc", "a%26b%3Dc"), ("tags=%C3%A9", "%C3%A9"), ("tags=%FF%00", "%FF%00"),
    ("tags=+%20", "+%20"), (f"tags={TAG64}", TAG64), ("tags=a;b", "a;b"),
])
def test_a_tag_may_hold_any_bytes(tagging, service, ns, query, tag):
    tagging.put("k", b"v", query=query)
    drop(service, ns, "a")
    assert tagging.stands("k")
    drop(service, ns, tag)
    assert not tagging.stands("k")


@pytest.mark.parametrize("query", ["tags=x%2Cy%2cz", "tags=x%2Cy,z", "%74ags=x,%79%2Cz"])
def test_a_comma_separates_tags_however_it_is_sent(tagging, service, ns, view, query):
    """Many clients escape it, as requests for Python and URLSearchParams do."""
    for tag in "xyz":
        assert tagging.put("k", b"v", view=view, query=query).status == 201
        drop(service, ns, "x%2Cy")
        assert tagging.stands("k"), "to a flush it is one tag"
        drop(service, ns, tag)
        assert not tagging.stands("k")


def test_a_flush_may_name_a_tag_with_a_nul_in_its_body(tagging, service, ns):
    tagging.put("k", b"v", query="tags=a%00b")
    body = b'{"namespace":"%s","tag":"a\\u0000b"}' % ns.encode()
    assert service.request("POST", "/flush", {"Content-Type": "application/json"}, body).status == 200
    assert not tagging.stands("k")


def test_a_tag_that_is_not_text_is_answered_as_base64(tagging, service, ns):
    assert drop(service, ns, "%FF%00").json() == {"flushed": ns, "tag_base64": "/wA="}


@pytest.mark.parametrize("field", ['"a,b"', '"x", "a,b"', '"a,b";p, "x"', '  "x" ,\t"a,b";q=1;r="s,\\"";t=?0  '])
def test_cache_groups_is_a_list_of_strings(tagging, service, ns, field):
    assert tagging.put("k", b"v", fields={"Cache-Groups": field}).status == 201
    drop(service, ns, "a%2Cb")
    assert not tagging.stands("k")


def test_escapes_in_cache_groups_are_read(tagging, service, ns):
    tagging.put("k", b"v", fields={"Cache-Groups": r'"say \"a\\b\""'})
    drop(service, ns, "say%20%22a%5Cb%22")
    assert not tagging.stands("k")


def test_both_places_may_say_the_same(tagging, view):
    fields = {"Cache-Groups": '"b", "a", "a"'}
    assert tagging.put("k", b"v", view=view, query="tags=a,b", fields=fields).status == 201
    check_problem(tagging.put("k", b"w", view=view, query="tags=a", fields=fields), 400)
    check_problem(tagging.put("k", b"w", view=view, query="tags=a,c", fields=fields), 400)
    assert tagging.get("k").body == b"v"


def test_as_many_tags_as_there_may_be(tagging, service, ns):
    many = [f"{n:02}" for n in range(32)]
    assert tagging.put("k", b"v", query="tags=" + ",".join(many + many[:5])).status == 201
    check_problem(tagging.put("k", b"w", query="tags=" + ",".join(many + ["x"])), 400)
    drop(service, ns, many[31])
    assert not tagging.stands("k")


def test_tags_as_long_as_they_may_be(tagging, service, ns):
    many = [f'"{n:064}"' for n in range(32)]
    assert tagging.put("k", b"v", fields={"Cache-Groups": ",".join(many)}).status == 201
    check_problem(tagging.put("k", b"w", fields={"Cache-Groups": ",".join(many + ['"x"'])}), 400)
    drop(service, ns, many[31].strip('"'))
    assert not tagging.stands("k")


@pytest.mark.parametrize("query", ["tags=", "tags=a,", "tags=,a", "tags=a,,b", "tags=a%2C", "tags=%2ca", "tags=%zz", "tags=%4", f"tags={TAG64}x",
                                   "tags=a&tags=b", "tags"])
def test_malformed_tags_are_400_and_store_nothing(api, view, query):
    problem = check_problem(api.put("k", b"v", view=view, query=query), 400)
    assert "tags" in problem["detail"]
    assert not api.stands("k")


@pytest.mark.parametrize("field", ["a", '"a" "b"', '"a",', '"a', '"a\\n"', '"a";', '"a";A=1', '("a")', '""', "1",
                                   f'"{TAG64}x"', '"\u00e9"'])
def test_a_malformed_cache_groups_is_400_and_stores_nothing(api, view, field):
    problem = check_problem(api.put("k", b"v", view=view, fields={"Cache-Groups": field}), 400)
    assert "Cache-Groups" in problem["detail"]
    assert not api.stands("k")


@pytest.mark.parametrize("query", ["namespace={ns}&tag=", "namespace={ns}&tag=" + TAG64 + "x", "tag=a",
                                   "namespace={ns}&tag=a&prefix=b"])
def test_a_malformed_flush_of_a_tag_is_400_and_drops_nothing(api, service, ns, query):
    api.put("k", b"v")
    check_problem(flush(service, query=query.format(ns=ns)), 400)
    assert api.stands("k")


def test_a_condition_after_the_flush_finds_nothing(tagging, service, ns):
    etag = tagging.put("k", b"v", query="tags=a")["ETag"]
    drop(service, ns, "a")
    check_problem(tagging.put("k", b"w", fields={"If-Match": etag}), 412)
    check_problem(tagging.patch("k", b'{"ttl":60}'), 404)
    assert tagging.put("k", b"w", fields={"If-None-Match": "*"}).status == 201


@pytest.mark.shared
def test_no_replica_serves_what_a_flush_of_a_tag_has_dropped(tagging, start_service, capabilities, ns):
    if not capabilities["supports"]["shared"]:
        pytest.skip("each replica of this engine has entries of its own")
    replica = start_service()
    there = Api(replica, ns)
    for number in range(20):
        tagging.put("k", b"%d" % number, query="tags=a")
        assert there.stands("k")
        drop(replica if number % 2 else tagging.service, ns, "a")
        assert not tagging.stands("k") and not there.stands("k")
    there.close()
