"""Which view GET /cache answers with, and the query parameters of both views."""

import pytest
from support.api import JSON, OCTETS, check_problem

pytestmark = pytest.mark.smoke


def _is_envelope(answer):
    assert answer.status == 200
    if answer["Content-Type"].split(";")[0] == JSON and b'"namespace"' in answer.body:
        return True
    assert answer.body == b"hello" and answer["Content-Type"] == "text/plain"
    return False


@pytest.fixture(autouse=True)
def entry(api):
    return api.put("k", b"hello", "text/plain")


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/*", "application/json, text/plain;q=0.9",
                                    "text/plain;q=0.1, application/json;q=0.2", "text/html", "image/png", "", "garbage",
                                    "text/plain;q=0", "application/octet-stream;q=0, */*", ";;;,,,", "a/b;q=x",
                                    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"])
def test_json_answers_unless_another_type_is_preferred(api, accept):
    assert _is_envelope(api.get("k", "cache", {"Accept": accept} if accept is not None else None))


@pytest.mark.parametrize("accept", ["application/octet-stream", "text/plain", "text/*", "TEXT/Plain",
                                    "application/json;q=0.5, text/plain", "text/plain, */*;q=0.1",
                                    "application/json;q=0.1,application/octet-stream;q=0.2", "application/json;q=0, */*"])
def test_the_stored_bytes_answer_where_their_type_or_octets_are_preferred(api, accept):
    assert not _is_envelope(api.get("k", "cache", {"Accept": accept}))


def test_raw_1_answers_as_raw_whatever_is_accepted(api):
    assert not _is_envelope(api.get("k", "cache", {"Accept": JSON}, "raw=1"))


def test_the_answer_varies_by_accept_in_either_form(api):
    for answer in (api.get("k", "cache"), api.get("k", "cache", {"Accept": OCTETS}), api.head("k", "cache")):
        assert "accept" in [item.strip().lower() for item in ",".join(answer.all("Vary")).split(",")]


def test_no_accept_is_ever_refused(api, view):
    for accept in ("image/png", "application/json;q=0", "*/*;q=0", "text/plain;q=0, */*;q=0", "nonsense", "x" * 2000):
        assert api.get("k", view, {"Accept": accept}).status == 200


def test_raw_answers_the_stored_type_whatever_is_accepted(api):
    assert not _is_envelope(api.get("k", "raw", {"Accept": JSON}))


def test_the_tag_is_the_same_in_either_form(api, entry):
    for fields in ({}, {"Accept": OCTETS}):
        assert api.get("k", "cache", fields)["ETag"] == entry["ETag"]


@pytest.mark.parametrize("query, name", [
    ("color=red", "color"), ("raw=1&colour=red", "colour"), ("TTL=60", "TTL"), ("=x", ""), ("ttll=1", "ttll"),
    ("_=1", "_"), ("%63olor=red", "color"), ("raw=2", "raw"), ("raw=", "raw"), ("raw=true%20", "raw"),
])
def test_an_unknown_or_malformed_parameter_on_cache_is_400_and_is_named(api, query, name):
    problem = check_problem(api.get("k", "cache", query=query), 400)
    decoded_or_not = (name, query.split("&")[-1].split("=")[0])
    assert any(form in problem["detail"] for form in decoded_or_not)


@pytest.mark.parametrize("query", ["color=red", "idle=soon", "ttl=%zz", "raw=%4", "ttl=60&ttl=70"])
def test_a_put_with_a_bad_parameter_on_cache_stores_nothing(api, query):
    check_problem(api.put("new", b"v", view="cache", query=query), 400)
    assert not api.stands("new")


def test_a_parameter_that_does_not_belong_to_the_method_is_400_on_cache(api):
    check_problem(api.request("DELETE", "cache", "k", query="ttl=60"), 400)
    assert api.stands("k")


def test_the_name_of_a_parameter_is_escaped_where_it_is_shown(api):
    problem = check_problem(api.get("k", "cache", query="%22%0d%0a%00%ff<b>=1"), 400)
    assert "\r" not in problem["detail"] and "\0" not in problem["detail"]


def test_an_unknown_parameter_on_raw_is_ignored_and_no_part_of_the_key(api):
    for query in ("color=red", "a=%zz", "a", "&&&", "=", "?", "a=b=c", "utm_source=x&v=2", "%00=%00"):
        assert api.get("k", query=query).body == b"hello", query
    assert api.put("k", b"two", query="version=7&ttl=60").status == 200
    assert api.get("k").body == b"two"


def test_a_long_unknown_parameter_is_ignored_on_raw_and_named_on_cache(api):
    query = "signature=" + "x" * 1500
    assert api.get("k", query=query).body == b"hello"
    assert api.put("k", b"two", query=query + "&ttl=%360").status == 200
    assert "signature" in check_problem(api.get("k", "cache", query=query), 400)["detail"]


def test_a_known_parameter_on_raw_is_still_checked(api):
    check_problem(api.put("new", b"v", query="ttl=soon"), 400)
    check_problem(api.put("new", b"v", query="idle=soon&x=y"), 400)
    assert not api.stands("new")


def test_an_empty_query_is_no_query(api, view):
    assert api.request("GET", view, "k", target=api.target(view, "k") + "?").status == 200
