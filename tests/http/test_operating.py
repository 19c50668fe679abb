"""Health, readiness, capabilities, request ids, problems, unknown routes and methods."""

import re

import pytest
from support.api import check_any_answer, check_problem
from support.wire import quote

pytestmark = pytest.mark.smoke


def _ask(service, method, target, fields=(), body=None):
    answer = service.request(method, target, fields, body)
    check_any_answer(answer, method)
    return answer


def _allowed(answer):
    return {method.strip() for method in answer["Allow"].split(",")}


@pytest.mark.parametrize("target", ["/healthz", "/readyz", "/capabilities"])
def test_the_operating_routes_answer_get_and_head(service, target):
    get, head = _ask(service, "GET", target), _ask(service, "HEAD", target)
    assert get.status == head.status == 200
    assert head["Content-Length"] == str(len(get.body)) and head["Content-Type"] == get["Content-Type"]


@pytest.mark.parametrize("target", ["/healthz", "/readyz", "/capabilities"])
def test_the_operating_routes_overlook_nothing_of_the_state(service, target):
    assert "no-" in _ask(service, "GET", target).get("Cache-Control", "no-"), "never served from a cache in between"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", ["/capabilities", "/stats", "/openapi.json", "/docs", "/namespaces", "/namespaces/n"])
def test_a_parameter_that_is_not_known_is_400_and_named(service, target, method):
    answer = _ask(service, method, f"{target}?colour=red")
    assert answer.status == 400
    assert method == "HEAD" or answer.json()["detail"] == '"colour": unknown parameter'


@pytest.mark.parametrize("query", ["?", "?colour=red", "?colour=%zz&&=", "?a=1&a=1"])
@pytest.mark.parametrize("target", ["/healthz", "/readyz", "/metrics"])
def test_what_probes_and_scrapers_add_is_overlooked(service, target, query):
    assert _ask(service, "GET", target + query).status == _ask(service, "HEAD", target + query).status == 200


def test_capabilities_tell_engine_version_support_and_limits(service, engine):
    answer = _ask(service, "GET", "/capabilities")
    assert answer["Content-Type"].split(";")[0] == "application/json"
    body = answer.json()
    assert body["engine"] == engine.settings()["CACHE_ENGINE"]
    assert re.match(r"[0-9]+\.[0-9]+", body["version"])
    assert isinstance(body["supports"], dict) and all(isinstance(yes, bool) for yes in body["supports"].values())
    assert any(value == 8 * 1024 * 1024 for value in body["limits"].values()), "the limit of a value's size"


def test_capabilities_follow_the_settings(start_service):
    service = start_service(CACHE_MAX_VALUE_BYTES="12345")
    assert 12345 in service.request("GET", "/capabilities").json()["limits"].values()


@pytest.mark.parametrize("target", ["/", "/nothing", "/cachex/a/b", "/Cache/a/b", "/RAW/a/b", "/healthz/", "/healthz/x",
                                    "/flush/x", "//healthz", "/./healthz", "/x/../healthz", "/%68ealthz", "/raw", "/*"])
def test_an_unknown_route_is_a_404_problem(service, target):
    problem = check_problem(_ask(service, "GET", target), 404)
    assert problem["title"]


@pytest.mark.parametrize("target, allowed", [
    ("/cache/a/b", {"GET", "HEAD", "PUT", "DELETE", "PATCH"}), ("/raw/a/b", {"GET", "HEAD", "PUT", "DELETE"}),
    ("/flush", {"POST"}), ("/healthz", {"GET", "HEAD"}), ("/readyz", {"GET", "HEAD"}),
    ("/capabilities", {"GET", "HEAD"}),
])
def test_a_method_that_a_route_does_not_have_is_405_and_allow_names_those_it_has(service, target, allowed):
    for method in {"GET", "HEAD", "PUT", "DELETE", "PATCH", "POST"} - allowed:
        answer = _ask(service, method, target, {}, b"" if method in ("PUT", "PATCH", "POST") else None)
        assert answer.status == 405, (method, answer)
        assert allowed <= _allowed(answer) <= allowed | {"OPTIONS"}


@pytest.mark.parametrize("method", ["BREW", "get", "PROPFIND", "TRACE", "X"])
def test_a_method_this_service_does_not_know_is_refused(service, method):
    answer = _ask(service, method, "/raw/a/b")
    assert answer.status in (405, 501)


def test_a_problem_has_every_member_and_names_the_request(service):
    answer = _ask(service, "GET", "/raw/a/nothing-here", {"X-Request-Id": "my-id-1"})
    assert check_problem(answer, 404)["request_id"] == "my-id-1"


@pytest.mark.parametrize("identity", ["a", "0af7651916cd43dd8448eb211c80319c", "req-1_2.3", "A" * 64,
                                      "01890a5d-ac96-774b-bcce-b302099a8057"])
def test_a_sane_request_id_is_echoed(service, identity):
    for target in ("/healthz", "/raw/a/nothing", "/nothing"):
        assert _ask(service, "GET", target, {"X-Request-Id": identity})["X-Request-Id"] == identity


@pytest.mark.parametrize("identity", ["", "a b", "x" * 200, "<script>", 'a"b', "a\\b", "caf\xe9", "a,b;c", "a\tb", "{}"])
def test_an_odd_request_id_is_replaced(service, identity):
    answer = _ask(service, "GET", "/healthz", {"X-Request-Id": identity})
    assert answer.status in (200, 400)
    assert answer["X-Request-Id"] not in ("", identity)


def test_every_request_gets_an_id_of_its_own(service):
    with service.connect() as connection:
        seen = [connection.request("GET", "/healthz")["X-Request-Id"] for _ in range(100)]
    seen += [_ask(service, "GET", "/healthz")["X-Request-Id"] for _ in range(20)]
    assert len(set(seen)) == 120


def test_two_request_ids_are_not_both_believed(service):
    answer = _ask(service, "GET", "/healthz", [("X-Request-Id", "one"), ("X-Request-Id", "two")])
    assert answer["X-Request-Id"] not in ("one,two", "one, two")


def test_a_problem_shows_nothing_of_the_request_unescaped(service):
    hostile = '"}\r\n<script>alert(1)</script>\0\x7f'
    answer = _ask(service, "GET", "/cache/a/k?" + quote(hostile) + "=1")
    check_problem(answer, 400)
    assert b"<script>" not in answer.body or answer["Content-Type"].startswith("application/problem+json")


def test_healthz_and_readyz_are_quick_and_need_no_host_of_ours(service):
    for target in ("/healthz", "/readyz"):
        assert service.request("GET", target, {}, host="probe.example:1").status == 200


def test_no_answer_names_the_library_it_is_made_with(service):
    for target in ("/healthz", "/nothing", "/raw/a/%zz"):
        for name, value in _ask(service, "GET", target).fields:
            assert "microhttpd" not in value.lower(), name
