"""PUT: what is stored and what is answered."""

import pytest
from support.api import JSON, OCTETS, check_problem, ttl_of
from support.wire import Connection

pytestmark = pytest.mark.smoke


def test_put_answers_201_where_nothing_stood_and_200_where_it_replaced(api, view):
    assert api.put("k", b"one", view=view).status == 201
    assert api.put("k", b"two", view=view).status == 200
    assert api.get("k").body == b"two"


def test_put_on_cache_answers_namespace_key_created_bytes_ttl_and_etag_and_nothing_else(api):
    answer = api.put("some key", b'{"a": [1, 2]}', JSON, "cache", query="ttl=60")
    assert answer["Content-Type"].split(";")[0] == JSON
    body = answer.json()
    assert body == {"namespace": api.ns, "key": "some key", "created": True, "bytes": 13, "ttl": 60.0,
                    "etag": answer["ETag"]}
    assert isinstance(body["ttl"], float)
    assert api.put("some key", b"{}", JSON, "cache").json()["created"] is False


def test_put_on_raw_answers_an_empty_body_with_the_same_fields(api):
    answer = api.put("k", b"v", query="ttl=60")
    assert answer.body == b"" and answer["Content-Length"] == "0"
    assert ttl_of(answer) == 60
    assert answer["ETag"] == api.get("k")["ETag"]


def test_put_of_no_expiry_answers_a_null_ttl(api):
    answer = api.put("k", b"v", view="cache", query="ttl=none")
    assert answer.json()["ttl"] is None
    assert answer["Cache-TTL"] == "none"


def test_an_empty_body_is_a_value_and_not_a_miss(api, view):
    assert api.put("k", b"", "text/plain", view).status == 201
    answer = api.get("k")
    assert (answer.status, answer.body, answer["Content-Length"]) == (200, b"", "0")
    assert api.get("k", "cache").json()["value"] == ""
    assert api.get("k", "cache").json()["bytes"] == 0


def test_put_stores_the_content_type_as_it_was_sent(api, view):
    for content_type in ("text/html; charset=iso-8859-1", "image/png", 'multipart/mixed; boundary="a b"', "x/y"):
        api.put("k", b"v", content_type, view)
        assert api.get("k")["Content-Type"] == content_type
        assert api.get("k", "cache").json()["content_type"] == content_type


def test_put_on_raw_without_a_content_type_stores_octets(api):
    assert api.put("k", b"v", None).status == 201
    assert api.get("k")["Content-Type"] == OCTETS


def test_a_replaced_entry_has_the_new_content_type(api):
    api.put("k", b"v", "text/plain")
    api.put("k", b"v", None)
    assert api.get("k")["Content-Type"] == OCTETS


@pytest.mark.parametrize("text", [
    b"{}", b"[]", b"null", b"true", b"false", b"0", b"-0", b"1.5e-7", b'""', b'"\\u00e9\\ud83d\\ude00"', b'"\\u0000"',
    b' \t\r\n[1 , {"a":null}]\n', "\"\u00e9\U0001f600\"".encode(), b"[" * 100 + b"]" * 100,
    b"123456789012345678901234567890", b"1e400", b'{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t"}', b'{"":0}',
])
def test_json_of_rfc_8259_is_taken_and_comes_back_byte_for_byte(api, text):
    assert api.put("k", text, JSON, "cache").status == 201
    assert api.get("k").body == text
    assert text.strip() in api.get("k", "cache").body, "the envelope holds the JSON itself"


MALFORMED_JSON = [
    b"", b" ", b"{", b"[", b"]", b"{]", b'{"a"}', b'{"a":}', b'{"a":1,}', b"[1,]", b"[,1]", b"{a:1}", b"{'a':1}",
    b"nul", b"nulll", b"True", b"NaN", b"Infinity", b"-", b"+1", b"01", b"1.", b".5", b"1e", b"0x10", b'"', b'"a',
    b'"\\x"', b'"\\u12g4"', b'"\n"', b'"\x00"', b'"\x1f"', b"1 2", b"{} {}", b"[] x", b'"\xff"', b'"\xc0\x80"',
    b'"\xed\xa0\x80"', b"// c\n1", b"\x00", b"[1\x00]",
]


@pytest.mark.parametrize("text", MALFORMED_JSON)
def test_malformed_json_on_cache_is_400_and_nothing_is_stored(api, text):
    check_problem(api.put("k", text, JSON, "cache"), 400)
    assert not api.stands("k")


def test_malformed_json_leaves_the_entry_that_stood(api):
    before = api.put("k", b'{"good":1}', JSON, "cache")
    check_problem(api.put("k", b"{", JSON, "cache"), 400)
    after = api.get("k")
    assert after.body == b'{"good":1}' and after["ETag"] == before["ETag"]


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "application/ld+json",
                                          "image/x+json", "application/problem+JSON ; a=b"])
def test_every_json_type_is_checked_on_cache(api, content_type):
    check_problem(api.put("k", b"{", content_type, "cache"), 400)
    assert api.put("k", b"{}", content_type, "cache").status == 201


@pytest.mark.parametrize("content_type", ["text/plain", "application/jsonp", "application/json-seq", "text/json+xml",
                                          OCTETS])
def test_other_types_are_not_checked(api, content_type):
    assert api.put("k", b"{", content_type, "cache").status == 201


def test_json_is_taken_as_it_is_on_raw(api):
    assert api.put("k", b"{ not json", JSON).status == 201
    assert api.get("k").body == b"{ not json"


def test_json_nested_a_hundred_thousand_deep_is_answered_and_harmless(api):
    assert api.put("k", b"[" * 100_000, JSON, "cache").status == 400
    assert api.put("k", b"[" * 100_000 + b"]" * 100_000, JSON, "cache").status in (201, 400)
    assert api.put("other", b"1", JSON, "cache").status == 201


def test_two_writes_of_the_same_bytes_are_two_versions(api, view):
    first = api.put("k", b"same", view=view)
    second = api.put("k", b"same", view=view)
    assert first["ETag"] != second["ETag"]


def test_a_megabyte_of_every_byte_value_comes_back_exactly(api):
    value = bytes(range(256)) * 4096
    assert api.put("k", value).status == 201
    assert api.get("k").body == value


def test_the_value_of_the_default_maximum_fits(api, capabilities):
    value = b"\xa5" * (8 * 1024 * 1024)
    answer = api.put("k", value)
    if capabilities["engine"] == "memcached":
        pytest.skip("the server's item size rules")
    assert answer.status == 201
    assert api.get("k").body == value
    assert api.delete("k").status == 204


def test_what_one_connection_writes_another_reads(api, service):
    api.put("k", b"v")
    with Connection(service.port) as other:
        assert other.request("GET", api.target("raw", "k")).body == b"v"
