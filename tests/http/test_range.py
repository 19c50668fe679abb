"""Single ranges of the raw view (RFC 9110 section 14)."""

import pytest
from support.api import OCTETS, check_problem

pytestmark = pytest.mark.smoke

VALUE = b"0123456789"


@pytest.fixture(autouse=True)
def entry(api):
    return api.put("k", VALUE, "text/plain")


@pytest.mark.parametrize("field, first, last", [
    ("bytes=0-3", 0, 3), ("bytes=0-0", 0, 0), ("bytes=4-", 4, 9), ("bytes=-3", 7, 9), ("bytes=9-9", 9, 9),
    ("bytes=0-9", 0, 9), ("bytes=0-", 0, 9), ("bytes=5-99999999999999999999", 5, 9), ("bytes=-10", 0, 9),
    ("bytes=-11", 0, 9), ("bytes=-99999999999999999999", 0, 9), ("Bytes=2-4", 2, 4), ("bytes=2-4,", 2, 4),
])
def test_a_satisfiable_range_is_206_with_these_bytes(api, field, first, last):
    answer = api.get("k", fields={"Range": field})
    if answer.status == 200 and (field.endswith(",") or field.startswith("B")):
        return  # a server may overlook what it does not take for a single range
    assert answer.status == 206
    assert answer.body == VALUE[first:last + 1]
    assert answer["Content-Range"] == f"bytes {first}-{last}/10"
    assert answer["Content-Length"] == str(last + 1 - first)
    assert answer["Content-Type"] == "text/plain"
    assert answer["X-Content-Type-Options"] == "nosniff" and answer["Content-Security-Policy"] == "sandbox"


@pytest.mark.parametrize("field", ["bytes=10-", "bytes=10-20", "bytes=99999999999999999999-", "bytes=-0"])
def test_an_unsatisfiable_range_is_416_and_tells_the_length(api, field):
    answer = api.get("k", fields={"Range": field})
    check_problem(answer, 416)
    assert answer["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("field", ["bytes=3-1", "bytes=", "bytes=-", "bytes=a-b", "bytes 0-3", "0-3", "bytes=1", "bytes",
                                   "items=0-3", "bytes=+1-2", "bytes=1--2", "bytes=0x1-2", "=0-1", "bytes=0-1-2"])
def test_a_malformed_or_foreign_range_is_overlooked(api, field):
    answer = api.get("k", fields={"Range": field})
    assert answer.status == 200 and answer.body == VALUE and not answer.all("Content-Range")


def test_several_ranges_get_the_whole_value(api):
    answer = api.get("k", fields={"Range": "bytes=0-1,4-5"})
    assert answer.status == 200 and answer.body == VALUE


def test_the_parts_of_a_large_value_make_the_whole(api):
    value = bytes(range(256)) * 2000
    api.put("k", value)
    parts = [api.get("k", fields={"Range": f"bytes={at}-{at + 99_999}"}) for at in range(0, len(value), 100_000)]
    assert {part.status for part in parts} == {206}
    assert b"".join(part.body for part in parts) == value


def test_a_range_of_an_empty_value_is_416(api):
    api.put("k", b"")
    answer = api.get("k", fields={"Range": "bytes=0-"})
    assert answer.status == 416 and answer["Content-Range"] == "bytes */0"


def test_a_range_of_a_miss_is_404(api):
    assert api.get("nothing", fields={"Range": "bytes=0-1"}).status == 404


def test_if_range_with_the_current_tag_gets_the_part_and_with_another_the_whole(api, entry):
    fields = {"Range": "bytes=0-1"}
    assert api.get("k", fields={**fields, "If-Range": entry["ETag"]}).status == 206
    for other in ('"other"', "W/" + entry["ETag"], "Sat, 01 Jan 2000 00:00:00 GMT", "garbage"):
        answer = api.get("k", fields={**fields, "If-Range": other})
        assert answer.status == 200 and answer.body == VALUE


def test_conditions_come_before_the_range(api, entry):
    assert api.get("k", fields={"Range": "bytes=0-1", "If-None-Match": entry["ETag"]}).status == 304
    assert api.get("k", fields={"Range": "bytes=99-", "If-Match": '"a"'}).status == 412


def test_a_range_of_the_stored_bytes_through_cache_works_as_on_raw(api):
    assert api.get("k", "cache", {"Range": "bytes=2-3"}, "raw=1").body == b"23"
    assert api.get("k", "cache", {"Range": "bytes=2-3", "Accept": OCTETS}).status == 206


def test_a_range_of_the_envelope_gets_the_whole_envelope(api):
    answer = api.get("k", "cache", {"Range": "bytes=0-1"})
    assert answer.status == 200 and answer.json()["value"] == VALUE.decode()


def test_head_and_put_overlook_a_range(api):
    assert api.head("k", fields={"Range": "bytes=0-1"}).status in (200, 206)
    assert api.put("k", b"new", fields={"Range": "bytes=0-1"}).status == 200
    assert api.get("k").body == b"new"
