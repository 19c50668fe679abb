"""/counters: exact signed 64-bit numbers, added to in one step, with bounds and a TTL."""

import json
import threading
import time

import pytest
from support.api import check_problem, flush
from support.primitives import ODD_BODIES, ODD_KEYS, Space, skip_unless_supported
from support.service import Service

HIGHEST = 9223372036854775807
LOWEST = -9223372036854775808


@pytest.fixture(autouse=True, scope="module")
def _supported(service):
    skip_unless_supported(service, "counters", {})


@pytest.fixture
def counters(service, ns):
    space = Space(service, "counters", ns)
    yield space
    space.close()


def value_of(answer, status=200):
    assert answer.status == status, answer
    assert set(answer.json()) == {"value", "ttl"}, answer
    return answer.json()["value"]


def test_a_counter_begins_at_its_initial_value_and_adds_one(counters):
    for expected in (1, 2, 3):
        assert counters.post("k").json() == {"value": expected, "ttl": None}
    assert value_of(counters.post("other", {"initial": 40, "by": 2})) == 42
    assert value_of(counters.post("other", {"initial": 7, "by": -50})) == -8, "it stands: initial means nothing"


@pytest.mark.parametrize("body", [None, b"", {}], ids=["none", "empty", "object"])
def test_a_body_is_not_needed(counters, body):
    assert value_of(counters.post("k", body)) == 1


def test_get_tells_the_value_and_misses_what_is_not_there(counters):
    check_problem(counters.request("GET", "k"), 404)
    assert counters.request("HEAD", "k").status == 404
    counters.post("k", {"by": 5, "ttl": 60})
    got = counters.request("GET", "k")
    assert value_of(got) == 5 and 59 < got.json()["ttl"] <= 60
    forever = counters.request("PUT", "k", {"value": 12}).body
    head = counters.request("HEAD", "k")
    assert head.status == 200 and int(head["Content-Length"]) == len(forever)


def test_put_sets_value_and_ttl_anew(counters):
    assert value_of(counters.request("PUT", "k", {"value": 5}), 201) == 5
    assert counters.request("PUT", "k", {"value": -6, "ttl": "2m"}).json() == {"value": -6, "ttl": 120.0}
    assert counters.post("k").json()["ttl"] > 100, "POST leaves the TTL alone"
    assert counters.request("PUT", "k", {"value": 1, "ttl": None}).json() == {"value": 1, "ttl": None}
    counters.refused("PUT", "k", {}, "value")
    counters.refused("PUT", "k", b"", "value")


def test_delete_removes_it_once(counters):
    counters.post("k")
    assert counters.request("DELETE", "k").json() == {"deleted": True}
    check_problem(counters.request("DELETE", "k"), 404)
    assert value_of(counters.post("k")) == 1


def test_the_ttl_counts_from_the_creation_on(counters):
    first = counters.post("k", {"ttl": 2}).json()["ttl"]
    assert 1 < first <= 2
    time.sleep(0.3)
    assert counters.post("k", {"ttl": 60}).json()["ttl"] < 1.8, "it was created before"
    time.sleep(1.9)
    check_problem(counters.request("GET", "k"), 404)
    assert value_of(counters.post("k")) == 1


def test_the_ends_of_64_bits_are_exact(counters):
    assert value_of(counters.request("PUT", "k", {"value": HIGHEST}), 201) == HIGHEST
    assert value_of(counters.post("k", {"by": 0})) == HIGHEST
    assert check_problem(counters.post("k"), 409)["value"] == HIGHEST
    assert value_of(counters.post("k", {"by": LOWEST})) == -1
    assert value_of(counters.post("k", {"by": LOWEST + 1})) == LOWEST
    problem = check_problem(counters.post("k", {"by": -1}), 409)
    assert problem["value"] == LOWEST and problem["type"] == "/problems/counter-bound"
    assert value_of(counters.request("GET", "k")) == LOWEST
    for big in (2**53 + 1, -(2**53) - 1, HIGHEST - 1):
        counters.request("PUT", "big", {"value": big})
        assert value_of(counters.request("GET", "big")) == big


def test_bounds_refuse_and_change_nothing(counters):
    assert value_of(counters.post("k", {"by": 9, "max": 10})) == 9
    assert check_problem(counters.post("k", {"by": 2, "max": 10}), 409)["value"] == 9
    assert value_of(counters.post("k", {"max": 10})) == 10
    assert check_problem(counters.post("k", {"by": -11, "min": 0}), 409)["value"] == 10
    assert value_of(counters.post("k", {"by": -10, "min": 0})) == 0
    check_problem(counters.post("new", {"max": 0}), 409)
    check_problem(counters.request("GET", "new"), 404)
    assert "max" in counters.refused("POST", "k", {"min": 5, "max": 4}, "min")
    assert value_of(counters.post("same", {"min": 1, "max": 1})) == 1


@pytest.mark.parametrize("member", ["by", "initial", "min", "max"])
@pytest.mark.parametrize("value", [b"9223372036854775808", b"-9223372036854775809", b"1" + b"0" * 400, b"1.5", b"1e3",
                                   b"1.0", b'"1"', b"true", b"null", b"[1]", b"{}"])
def test_only_whole_numbers_of_64_bits_are_taken(counters, member, value):
    body = b'{"%s":%s}' % (member.encode(), value)
    counters.refused("POST", "k", body, member if len(value) < 100 else None)
    check_problem(counters.request("GET", "k"), 404)


@pytest.mark.parametrize("ttl", [0, -1, "0", "soon", "1 s", 315360001, True, [], {}, ""])
def test_a_bad_ttl_is_refused(counters, ttl):
    counters.refused("POST", "k", {"ttl": ttl}, "ttl")
    counters.refused("PUT", "k", {"value": 1, "ttl": ttl}, "ttl")


@pytest.mark.parametrize("body", ODD_BODIES)
def test_odd_bodies_are_refused(counters, body):
    counters.refused("POST", "k", body, None)
    counters.refused("PUT", "k", body, None)


def test_unknown_members_and_parameters_are_named(counters):
    counters.refused("POST", "k", {"By": 1}, "By")
    counters.refused("POST", "k", {"value": 1}, "value")
    counters.refused("PUT", "k", {"value": 1, "by": 1}, "by")
    counters.refused("POST", "k", b'{"x":99999999999999999999}', "x")
    for method in ("POST", "GET", "DELETE", "PUT"):
        counters.refused(method, "k", None if method == "GET" else b"{}", "by", query="by=2")
    assert counters.post("k", b'{"by":1' + b" " * 5000 + b"}").status == 413


def test_other_methods_are_not_allowed(counters):
    answer = counters.request("PATCH", "k", b"{}")
    check_problem(answer, 405)
    assert {item.strip() for item in answer["Allow"].split(",")} == {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"}


def test_any_key_names_a_counter_of_its_own(counters):
    for number, key in enumerate(ODD_KEYS):
        assert value_of(counters.post(key, {"initial": number, "by": 0})) == number
    for number, key in enumerate(ODD_KEYS):
        assert value_of(counters.request("GET", key)) == number
    assert counters.post("k" * 1025).status == 414
    for target in (f"/counters/{counters.ns}/", f"/counters/{counters.ns}/%zz", "/counters/.x/k", "/counters//k"):
        check_problem(counters.service.request("POST", target), 400)
    check_problem(counters.service.request("POST", f"/counters/{counters.ns}"), 404)


def test_counters_and_entries_never_touch_and_no_flush_reaches_a_counter(counters):
    counters.post("k")
    target = f"/raw/{counters.ns}/k"
    assert counters.service.request("GET", target).status == 404
    assert counters.service.request("PUT", target, {}, b"entry").status == 201
    assert value_of(counters.post("k")) == 2
    flush(counters.service, query=f"namespace={counters.ns}")
    assert counters.service.request("GET", target).status == 404
    assert value_of(counters.post("k")) == 3


def test_a_policy_of_the_namespace_has_a_say_in_the_ttl(start_service, ns, tmp_path):
    policies = {ns: {"default_ttl": 60, "max_ttl": 100}, f"{ns}-strict": {"require_ttl": True}}
    (tmp_path / "policies.json").write_text(json.dumps(policies))
    service = start_service(CACHE_NAMESPACES_FILE=str(tmp_path / "policies.json"))
    counters = Space(service, "counters", ns)
    assert 59 < counters.post("k").json()["ttl"] <= 60
    assert 99 < counters.post("other", {"ttl": 100}).json()["ttl"] <= 100
    counters.refused("POST", "k", {"ttl": 101}, "ttl")
    counters.refused("PUT", "k", {"value": 1, "ttl": None}, "ttl")
    strict = Space(service, "counters", f"{ns}-strict")
    strict.refused("POST", "k", {}, "ttl")
    assert value_of(strict.post("k", {"ttl": 5})) == 1
    counters.close()
    strict.close()


def _add_at_once(services, ns, clients, each, body):
    answers = []

    def client(service):
        space = Space(service, "counters", ns)
        answers.extend(space.post("k", body) for _ in range(each))
        space.close()

    threads = [threading.Thread(target=client, args=(services[n % len(services)],)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def test_increments_at_once_all_count_and_each_sees_a_value_of_its_own(service, ns):
    answers = _add_at_once([service], ns, 8, 50, {})
    assert sorted(value_of(answer) for answer in answers) == list(range(1, 401))


def test_a_bound_holds_against_increments_at_once(service, ns):
    answers = _add_at_once([service], ns, 8, 10, {"max": 25})
    granted = sorted(value_of(answer) for answer in answers if answer.status == 200)
    assert granted == list(range(1, 26))
    assert all(answer.json()["value"] == 25 for answer in answers if answer.status == 409)


@pytest.mark.shared
def test_increments_through_two_replicas_add_up(engine, capabilities, ns):
    if not capabilities["supports"].get("shared"):
        pytest.skip("each replica of this engine has counters of its own")
    replicas = [Service(engine.settings()).start() for _ in range(2)]
    try:
        answers = _add_at_once(replicas, ns, 8, 50, {"initial": 1000})
        assert sorted(value_of(answer) for answer in answers) == list(range(1001, 1401))
        for replica in replicas:
            assert value_of(Space(replica, "counters", ns).request("GET", "k")) == 1400
    finally:
        for replica in replicas:
            replica.stop()
