"""Time to live: the grammar, the conflict of parameter and field, expiry to within 50 ms, sliding."""

import math
import time

import pytest
from support.api import check_problem, ttl_of

YEAR = 365 * 86400
SLACK = 5.0  # seconds a slow machine may take between a write and its answer

GOOD = [
    ("60", 60), ("0.5", 0.5), ("1.25", 1.25), ("60.0", 60), ("500ms", 0.5), ("60s", 60), ("2m", 120), ("2h", 7200),
    ("1d", 86400), ("1.5h", 5400), ("0.5d", 43200), ("none", math.inf), ("31d", 31 * 86400), ("3650d", 3650 * 86400),
    ("315360000", 10 * YEAR), ("1ms", 0.001), ("0060", 60),
]
BAD = ["0", "0.0", "0ms", "-1", "-0.5", "+5", "abc", "60x", "60 s", "1h30m", "1e3", "inf", "nan", "0x10", "1.2.3", ".",
       "s", "ms", "60S", "None", "NONE", "null", "3651d", "315360001", "99999999999999999999999999", "1,5", "60;",
       "\u0661", "60s ", "--1", "1.d"]


@pytest.mark.parametrize("text, seconds", GOOD)
def test_a_good_ttl_is_taken_as_parameter_and_as_field(api, view, text, seconds):
    for how in ({"query": f"ttl={text}"}, {"fields": {"Cache-TTL": text}}):
        answer = api.put("k", b"v", view=view, **how)
        assert answer.status in (200, 201), (how, answer)
        assert ttl_of(answer) == pytest.approx(seconds, abs=0.0011) or ttl_of(answer) == seconds
        if view == "cache":
            assert answer.json()["ttl"] == (None if seconds == math.inf else pytest.approx(seconds, abs=0.0011))


@pytest.mark.parametrize("text", BAD)
def test_a_bad_ttl_is_400_and_stores_nothing(api, view, text):
    encoded = "".join(f"%{byte:02X}" for byte in text.encode())
    problem = check_problem(api.put("k", b"v", view=view, query=f"ttl={encoded}"), 400)
    assert "ttl" in problem["detail"].lower()
    if text == text.strip() and text.isascii():
        check_problem(api.put("k", b"v", view=view, fields={"Cache-TTL": text}), 400)
    assert not api.stands("k")


def test_an_empty_ttl_is_400(api, view):
    check_problem(api.put("k", b"v", view=view, query="ttl="), 400)
    check_problem(api.put("k", b"v", view=view, query="ttl"), 400)
    assert not api.stands("k")


def test_parameter_and_field_may_agree(api, view):
    assert ttl_of(api.put("k", b"v", view=view, query="ttl=60", fields={"Cache-TTL": "60"})) == 60
    assert ttl_of(api.put("k", b"v", view=view, query="ttl=1m", fields={"Cache-TTL": "60s"})) == 60


def test_parameter_and_field_that_differ_are_400_and_store_nothing(api, view):
    check_problem(api.put("k", b"v", view=view, query="ttl=60", fields={"Cache-TTL": "61"}), 400)
    check_problem(api.put("k", b"v", view=view, query="ttl=60", fields={"Cache-TTL": "none"}), 400)
    assert not api.stands("k")


def test_without_a_ttl_the_default_of_an_hour_rules(api, view):
    assert ttl_of(api.put("k", b"v", view=view)) == 3600


def test_cache_default_ttl_is_a_setting(start_service, ns):
    service = start_service(CACHE_DEFAULT_TTL="90")
    answer = service.request("PUT", f"/raw/{ns}/k", {}, b"v")
    assert answer.status == 201 and ttl_of(answer) == 90


def test_a_put_always_sets_the_ttl_anew(api):
    api.put("k", b"v", query="ttl=60")
    assert ttl_of(api.put("k", b"v")) == 3600
    api.put("k", b"v", query="ttl=none")
    assert ttl_of(api.put("k", b"v", query="ttl=5")) == 5


def test_x_ttl_is_taken_on_raw_as_cache_ttl(api):
    assert ttl_of(api.put("k", b"v", fields={"X-TTL": "77"})) == 77
    check_problem(api.put("k", b"v", fields={"X-TTL": "soon"}), 400)
    check_problem(api.put("k", b"v", fields={"X-TTL": "0"}), 400)
    check_problem(api.put("k", b"v", query="ttl=5", fields={"X-TTL": "6"}), 400)


def _watch(api, key, written, answered, seconds):
    """Reads an entry over and over past its end: never gone before its time less 50 ms, never there 50 ms after."""
    seen_gone = False
    while not seen_gone or time.monotonic() < answered + seconds + 0.2:
        began = time.monotonic()
        stands = api.stands(key)
        ended = time.monotonic()
        if ended < written + seconds - 0.05:
            assert stands, f"gone {written + seconds - ended:.3f} s before its time"
        if began > answered + seconds + 0.05:
            assert not stands, f"there {began - answered - seconds:.3f} s after its time"
        seen_gone = seen_gone or not stands
        assert not (seen_gone and stands), "an expired entry came back"
        assert began < answered + seconds + SLACK
        time.sleep(0.005)


@pytest.mark.parametrize("text, seconds", [("0.4", 0.4), ("700ms", 0.7), ("1.3", 1.3)])
def test_an_entry_is_gone_at_its_time_to_within_50_ms(api, text, seconds):
    written = time.monotonic()
    api.put("k", b"v", query=f"ttl={text}")
    _watch(api, "k", written, time.monotonic(), seconds)


def test_no_view_method_or_condition_sees_an_expired_entry(api):
    tag = api.put("k", b"v", query="ttl=100ms")["ETag"]
    time.sleep(0.2)
    for view in ("cache", "raw"):
        assert api.get("k", view).status == 404
        assert api.head("k", view).status == 404
        assert api.get("k", view, {"If-None-Match": tag}).status == 404
    check_problem(api.patch("k", b'{"ttl":60}'), 404)
    check_problem(api.put("k", b"w", fields={"If-Match": tag}), 412)
    check_problem(api.delete("k", "cache"), 404)
    assert api.put("k", b"w", fields={"If-None-Match": "*"}).status == 201


def test_remaining_seconds_count_down(api):
    written = time.monotonic()
    api.put("k", b"v", query="ttl=60")
    answered = time.monotonic()
    time.sleep(0.5)
    began = time.monotonic()
    left = api.get("k", "cache").json()["ttl"]
    ended = time.monotonic()
    assert 60 - (ended - written) - 0.06 <= left <= 60 - (began - answered) + 0.06


def test_a_sliding_entry_lives_as_long_as_it_is_read(api):
    api.put("k", b"v", query="ttl=60&idle=1500ms")
    for _ in range(7):
        time.sleep(0.3)
        assert api.stands("k"), "each read extends it (unless this machine slept over 1200 ms)"
    last_read = time.monotonic()
    time.sleep(1.65)
    assert time.monotonic() > last_read + 1.55
    assert not api.stands("k")


def test_a_sliding_entry_that_nobody_reads_goes_after_its_idle_time(api):
    written = time.monotonic()
    api.put("k", b"v", query="ttl=60&idle=400ms")
    answered = time.monotonic()
    time.sleep(max(0, answered + 0.46 - time.monotonic()))
    assert time.monotonic() > written
    assert not api.stands("k")


def test_sliding_never_goes_past_ttl(api):
    written = time.monotonic()
    api.put("k", b"v", query="ttl=900ms&idle=600ms")
    _watch(api, "k", written, time.monotonic(), 0.9)


@pytest.mark.parametrize("idle", ["0", "-1", "abc", "", "1e3", "3651d"])
def test_a_bad_idle_is_400_and_names_the_parameter(api, view, idle):
    problem = check_problem(api.put("k", b"v", view=view, query=f"idle={idle}"), 400)
    assert "idle" in problem["detail"]
    assert not api.stands("k")


def test_a_put_without_idle_stops_the_sliding(api):
    api.put("k", b"v", query="ttl=60&idle=300ms")
    api.put("k", b"v", query="ttl=60")
    time.sleep(0.5)
    assert api.stands("k")
