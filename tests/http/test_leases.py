"""?lease= on a miss: one caller refills, the others are told to come back."""

import re
import threading
import time

import pytest
from support.api import Api, check_problem, flush

WON = re.compile(r"won;token=([0-9a-f]{16})")


@pytest.fixture
def leasing(api, capabilities):
    if not capabilities["supports"]["leases"]:
        pytest.skip("this engine has no leases")
    return api


def win(api, key="k", view="raw", lease="10s"):
    answer = api.get(key, view=view, query=f"lease={lease}")
    match = WON.fullmatch(answer["Cache-Lease"])
    assert match, answer
    return match.group(1)


def fill(api, token, body=b"filled", view="raw"):
    return api.put("k", body, view=view, fields={"Lease-Token": token})


def test_without_leases_the_answer_is_501(api, capabilities, view):
    if capabilities["supports"]["leases"]:
        pytest.skip("this engine can")
    check_problem(api.get("k", view=view, query="lease=10s"), 501)
    check_problem(api.put("k", b"v", view=view, fields={"Lease-Token": "0123456789abcdef"}), 501)
    assert not api.stands("k")


def test_one_wins_and_the_others_are_told_to_wait(leasing, view):
    token = win(leasing, view=view)
    for _ in range(3):
        answer = leasing.get("k", view=view, query="lease=10s")
        assert answer.status == 404 and answer["Cache-Lease"] == "held"
        assert answer["Retry-After"] == "1", "as long as it takes to fill, not to give up"
    assert fill(leasing, token, view=view).status == 201
    answer = leasing.get("k", view=view, query="lease=10s")
    assert answer.status == 200 and not answer.all("Cache-Lease") and not answer.all("Retry-After")


def test_a_plain_reader_sees_a_miss_and_a_plain_miss_wins_nothing(leasing):
    assert not leasing.get("k").all("Cache-Lease")
    win(leasing)
    answer = leasing.get("k")
    assert answer.status == 404 and not answer.all("Cache-Lease")
    assert leasing.head("k").status == 404


def test_a_token_fills_once(leasing):
    token = win(leasing)
    assert fill(leasing, token).status == 201
    problem = check_problem(fill(leasing, token, b"again"), 412)
    assert "lease" in problem["detail"]
    assert leasing.get("k").body == b"filled"


def test_a_token_that_nobody_won_fills_nothing(leasing):
    check_problem(fill(leasing, "0123456789abcdef"), 412)
    token = win(leasing)
    check_problem(fill(leasing, f"{int(token, 16) ^ 1:016x}"), 412)
    assert fill(leasing, token.upper()).status == 201


@pytest.mark.parametrize("between", ["put", "put-delete", "flush", "flush-all", "delete", "flush-prefix"])
def test_what_happens_in_between_voids_the_lease(leasing, service, ns, capabilities, between):
    if between == "flush-prefix" and not capabilities["supports"]["flush_prefix"]:
        pytest.skip("this engine cannot list keys")
    token = win(leasing)
    if between.startswith("put"):
        leasing.put("k", b"newer")
    if between.endswith("delete"):
        leasing.delete("k")
    if between == "flush":
        flush(service, query=f"namespace={ns}")
    if between == "flush-all":
        flush(service)
    if between == "flush-prefix":
        assert flush(service, query=f"namespace={ns}&prefix=k").json()["deleted"] == 0
    check_problem(fill(leasing, token, b"older"), 412)
    assert leasing.get("k").status == (200 if between == "put" else 404)


def test_a_failed_condition_voids_nothing(leasing):
    token = win(leasing)
    check_problem(leasing.put("k", b"v", fields={"If-Match": "*"}), 412)
    check_problem(leasing.patch("k", b'{"ttl":60}'), 404)
    assert leasing.get("k", query="lease=1s")["Cache-Lease"] == "held"
    assert fill(leasing, token).status == 201


def test_a_lease_ends_by_itself(leasing):
    token = win(leasing, lease="900ms")
    answer = leasing.get("k", query="lease=900ms")
    assert answer["Cache-Lease"] == "held" and answer["Retry-After"] == "1"
    time.sleep(1.1)
    check_problem(fill(leasing, token), 412)
    second = win(leasing)
    check_problem(fill(leasing, token), 412)
    assert fill(leasing, second).status == 201


@pytest.mark.parametrize("lease", ["", "0", "-1", "x", "none", "301", "6m", "0.0"])
def test_a_malformed_lease_is_400(api, view, lease):
    problem = check_problem(api.get("k", view=view, query=f"lease={lease}"), 400)
    assert "lease" in problem["detail"]


@pytest.mark.parametrize("token", ["", "0", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg", "0" * 16,
                                   '"0123456789abcdef"'])
def test_what_is_no_token_is_a_void_one_and_stores_nothing(leasing, view, token):
    problem = check_problem(leasing.put("k", b"v", view=view, fields={"Lease-Token": token}), 412)
    assert "lease" in problem["detail"]
    assert not leasing.stands("k")
    good = win(leasing)
    check_problem(leasing.put("k", b"v", view=view, fields={"Lease-Token": token}), 412)
    assert fill(leasing, good).status == 201
    check_problem(leasing.put("k", b"v", view=view, fields={"Lease-Token": token}), 412)
    assert leasing.get("k").body == b"filled"


def test_a_lease_is_asked_with_get_alone(api, view):
    assert api.head("k", view=view, query="lease=10s").status == 400
    check_problem(api.request("DELETE", view, "k", None, {"Lease-Token": "0123456789abcdef"}), 400)
    check_problem(api.patch("k", b'{"ttl":1}', {"Lease-Token": "0123456789abcdef"}), 400)


def _race(services, ns, key):
    """What each of 16 racing readers was told."""
    barrier, told = threading.Barrier(16), []

    def read(service):
        api = Api(service, ns)
        api.get("warm-up")
        barrier.wait(20)
        told.append(api.get(key, query="lease=30s")["Cache-Lease"].partition(";")[0])
        api.close()

    threads = [threading.Thread(target=read, args=(services[n % len(services)],)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return sorted(told)


def test_of_racing_readers_exactly_one_wins(leasing, service, ns):
    for number in range(10):
        assert _race([service], ns, f"race-{number}") == ["held"] * 15 + ["won"]


@pytest.mark.shared
def test_of_readers_racing_at_both_replicas_exactly_one_wins(leasing, service, start_service, capabilities, ns):
    if not capabilities["supports"]["shared"]:
        pytest.skip("each replica of this engine has entries of its own")
    replica = start_service()
    for number in range(10):
        assert _race([service, replica], ns, f"race-{number}") == ["held"] * 15 + ["won"]
    there = Api(replica, ns)
    token = win(leasing)
    assert fill(there, token).status == 201
    assert leasing.get("k").body == b"filled"
    there.close()
