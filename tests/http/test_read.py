"""GET and HEAD in both views: the envelope, the raw bytes, and their fields."""

import base64

import pytest
from support.api import JSON, OCTETS, check_problem, ttl_of

pytestmark = pytest.mark.smoke

ENVELOPE = {"namespace", "key", "content_type", "bytes", "ttl", "etag", "value"}


def test_the_envelope_names_the_entry_and_holds_its_value(api):
    put = api.put("k", b'{"a":[1,2.50,"\\u00e9"]}', JSON, "cache", query="ttl=60")
    answer = api.get("k", "cache")
    assert answer["Content-Type"].split(";")[0] == JSON
    body = answer.json()
    assert set(body) == ENVELOPE
    assert body["namespace"] == api.ns and body["key"] == "k"
    assert body["content_type"] == JSON and body["bytes"] == 23
    assert 30 < body["ttl"] <= 60
    assert body["etag"] == answer["ETag"] == put["ETag"]
    assert body["value"] == {"a": [1, 2.5, "\u00e9"]}
    assert b'{"a":[1,2.50,"\\u00e9"]}' in answer.body, "the JSON itself, not a rendering of it"


def test_text_is_a_string_in_the_envelope(api):
    for text in ("plain", "", "quote \" backslash \\ slash /", "tab\t cr\r lf\n nul\0 bell\a esc\x1b del\x7f",
                 "\u00e9\u6f22\U0001f600\uffff\u2028", "\ufeffbom"):
        api.put("k", text.encode(), "text/plain", "cache")
        body = api.get("k", "cache").json()
        assert set(body) == ENVELOPE and body["value"] == text


@pytest.mark.parametrize("octets", [
    b"\xff", b"\x80", b"a\xc3", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xed\xbf\xbf",
    b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xfe\xff", b"x" * 1000 + b"\x80",
    bytes(range(256)), b"\xff\xfe", b"\xff\xfe\xfd", b"\xff\xfe\xfd\xfc",
])
def test_what_is_not_utf_8_is_base64_in_the_envelope(api, octets):
    api.put("k", octets, OCTETS, "cache")
    body = api.get("k", "cache").json()
    assert set(body) == ENVELOPE | {"encoding"}
    assert body["encoding"] == "base64"
    assert base64.b64decode(body["value"], validate=True) == octets
    assert body["bytes"] == len(octets)


def test_octets_that_are_utf_8_are_a_string(api):
    api.put("k", b"only text", OCTETS, "cache")
    assert api.get("k", "cache").json()["value"] == "only text"


def test_malformed_json_that_came_in_raw_still_makes_a_good_envelope(api):
    api.put("k", b'{"broken": ', JSON)
    body = api.get("k", "cache").json()
    assert body["content_type"] == JSON and body["value"] == '{"broken": '
    api.put("k", b'"\xff"', JSON)
    body = api.get("k", "cache").json()
    assert body["encoding"] == "base64" and base64.b64decode(body["value"]) == b'"\xff"'


def test_json_that_came_in_raw_is_json_in_the_envelope(api):
    api.put("k", b'{"a":1}', JSON)
    assert api.get("k", "cache").json()["value"] == {"a": 1}


def test_a_content_type_with_quotes_makes_a_good_envelope(api):
    content_type = 'text/plain; x="a\\"b"'
    api.put("k", b"v", content_type)
    assert api.get("k", "cache").json()["content_type"] == content_type


def test_no_expiry_is_a_null_ttl_and_none_in_the_field(api):
    api.put("k", b"v", query="ttl=none")
    answer = api.get("k", "cache")
    assert answer.json()["ttl"] is None and answer["Cache-TTL"] == "none"


def test_the_remaining_seconds_are_the_same_in_body_and_field(api):
    api.put("k", b"v", query="ttl=60")
    answer = api.get("k", "cache")
    assert abs(answer.json()["ttl"] - ttl_of(answer)) <= 1


def test_raw_answers_exactly_the_stored_bytes_and_type(api):
    api.put("k", b"\x00\x01two\xff", "image/png")
    answer = api.get("k")
    assert answer.status == 200 and answer.body == b"\x00\x01two\xff"
    assert answer["Content-Type"] == "image/png" and answer["Content-Length"] == "6"


def test_raw_bytes_are_never_sniffed_and_sandboxed(api):
    api.put("k", b"<script>", "text/html")
    for answer in (api.get("k"), api.head("k"), api.get("k", "cache", query="raw=1"),
                   api.get("k", "cache", {"Accept": OCTETS})):
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "sandbox"


def test_both_views_name_the_same_version(api, view):
    put = api.put("k", b"v", view=view)
    assert put["ETag"] == api.get("k", "raw")["ETag"] == api.get("k", "cache")["ETag"]


def test_a_miss_is_a_404_problem_in_both_views(api, view):
    problem = check_problem(api.get("nothing", view), 404)
    assert problem["type"] != check_problem(api.service.request("GET", "/no/such/route"), 404)["type"], \
        "a miss and an unknown route are told apart"


def test_a_key_of_another_namespace_is_a_miss(api, service):
    api.put("k", b"v")
    assert service.request("GET", f"/raw/{api.ns}x/k").status == 404
    assert service.request("GET", f"/raw/{api.ns}/k/").status == 404


def test_head_answers_as_get_without_a_body(api, view):
    api.put("k", b'{"a":1}', JSON, query="ttl=none")
    get, head = api.get("k", view), api.head("k", view)
    assert head.status == 200 and head.body == b""
    for name in ("Content-Length", "Content-Type", "ETag", "Cache-TTL", "Cache-Control", "Cache-Status"):
        assert head[name] == get[name], name
    assert int(head["Content-Length"]) == len(get.body)
    assert head.all("Vary") == get.all("Vary")


def test_head_of_a_miss_is_404_without_a_body_and_the_connection_stays_usable(api, view):
    assert api.head("nothing", view).status == 404
    api.put("k", b"v")
    assert api.get("k").body == b"v"


def test_head_of_an_empty_value_says_length_zero(api):
    api.put("k", b"")
    assert api.head("k")["Content-Length"] == "0"


def test_head_does_not_send_a_large_value(api):
    api.put("k", b"x" * 3_000_000)
    assert api.head("k")["Content-Length"] == "3000000"
    assert api.get("k", fields={"Range": "bytes=0-1"}).body == b"xx"


def test_reading_does_not_change_version_or_ttl(api):
    put = api.put("k", b"v", query="ttl=60")
    ttls = [ttl_of(api.get("k")) for _ in range(3)]
    assert ttls == sorted(ttls, reverse=True) and ttls[0] <= 60
    assert api.get("k")["ETag"] == put["ETag"]
