"""DELETE, and PATCH of the time to live."""

import time

import pytest
from support.api import check_problem, ttl_of

pytestmark = pytest.mark.smoke


def test_delete_on_cache_answers_json_and_404_where_nothing_stood(api):
    api.put("k", b"v")
    answer = api.delete("k", "cache")
    assert answer.status == 200 and answer["Content-Type"].split(";")[0] == "application/json"
    body = answer.json()
    assert body["namespace"] == api.ns and body["key"] == "k"
    assert not api.stands("k")
    check_problem(api.delete("k", "cache"), 404)


def test_delete_on_raw_is_204_either_way(api):
    api.put("k", b"v")
    assert api.delete("k").status == 204
    assert not api.stands("k")
    assert api.delete("k").status == 204


def test_delete_leaves_every_other_entry(api):
    for key in ("a", "ab", "a/b", "A"):
        api.put(key, key.encode())
    api.delete("a")
    assert not api.stands("a")
    assert [api.get(key).body for key in ("ab", "a/b", "A")] == [b"ab", b"a/b", b"A"]


def test_put_after_delete_creates_under_a_tag_never_seen(api):
    tags = set()
    for _ in range(5):
        answer = api.put("k", b"v")
        assert answer.status == 201
        tags.add(answer["ETag"])
        api.delete("k")
    assert len(tags) == 5


def test_delete_with_a_tag_that_does_not_match_is_412_and_the_entry_stays(api, view):
    put = api.put("k", b"v")
    check_problem(api.delete("k", view, {"If-Match": '"other"'}), 412)
    assert api.stands("k")
    assert api.delete("k", view, {"If-Match": put["ETag"]}).status in (200, 204)
    assert not api.stands("k")


def test_delete_of_nothing_with_if_match_any_is_412_or_says_nothing_stood(api, view):
    assert api.delete("k", view, {"If-Match": "*"}).status in ((412, 404) if view == "cache" else (412,))


def test_patch_sets_the_time_to_live_and_keeps_value_and_version(api):
    put = api.put("k", b"v", "text/plain", query="ttl=60")
    answer = api.patch("k", b'{"ttl":600}')
    assert answer.status == 200
    assert 590 < ttl_of(answer) <= 600 and 590 < answer.json()["ttl"] <= 600
    assert answer["ETag"] == put["ETag"]
    after = api.get("k")
    assert after.body == b"v" and after["Content-Type"] == "text/plain" and after["ETag"] == put["ETag"]
    assert 590 < ttl_of(after) <= 600


def test_patch_of_null_makes_the_entry_never_expire(api):
    api.put("k", b"v", query="ttl=60")
    answer = api.patch("k", b'{"ttl":null}')
    assert answer.status == 200 and answer["Cache-TTL"] == "none" and answer.json()["ttl"] is None
    assert api.get("k")["Cache-TTL"] == "none"


def test_patch_can_shorten_the_life(api):
    api.put("k", b"v", query="ttl=none")
    assert api.patch("k", b'{"ttl":0.3}').status == 200
    time.sleep(0.36)
    assert not api.stands("k")


def test_patch_takes_the_whole_ttl_grammar(api):
    api.put("k", b"v")
    assert 7190 < ttl_of(api.patch("k", b'{"ttl":"2h"}')) <= 7200
    assert 1490 < ttl_of(api.patch("k", b'{"ttl":1500.5}')) <= 1500.5


def test_patch_of_nothing_is_404_and_creates_nothing(api):
    check_problem(api.patch("k", b'{"ttl":60}'), 404)
    assert not api.stands("k")


@pytest.mark.parametrize("body", [
    b"", b"{}", b"[]", b"60", b"null", b"{", b'{"ttl":0}', b'{"ttl":-1}', b'{"ttl":true}', b'{"ttl":[]}',
    b'{"ttl":"soon"}', b'{"ttl":""}', b'{"ttl":1e99}', b'{"ttl":400000000}', b'{"ttl":60,"color":"red"}',
    b'{"TTL":60}', b'{"ttl":60}x',
])
def test_patch_with_a_body_that_is_not_a_good_ttl_is_400_and_changes_nothing(api, body):
    api.put("k", b"v", query="ttl=60")
    check_problem(api.patch("k", body), 400)
    assert ttl_of(api.get("k")) <= 60


def test_patch_with_a_tag_that_does_not_match_is_412_and_changes_nothing(api):
    put = api.put("k", b"v", query="ttl=60")
    check_problem(api.patch("k", b'{"ttl":600}', {"If-Match": '"other"'}), 412)
    assert ttl_of(api.get("k")) <= 60
    assert api.patch("k", b'{"ttl":600}', {"If-Match": put["ETag"]}).status == 200


def test_patch_is_no_method_of_raw(api):
    api.put("k", b"v")
    answer = api.request("PATCH", "raw", "k", b'{"ttl":60}', {"Content-Type": "application/json"})
    assert answer.status == 405
    assert {"GET", "HEAD", "PUT", "DELETE"} <= {m.strip() for m in answer["Allow"].split(",")}
    assert "PATCH" not in answer["Allow"]
