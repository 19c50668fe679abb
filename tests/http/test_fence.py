"""Fence-Token: a writer who has lost its lock cannot overwrite the next one's work."""

import threading

import pytest
from support.api import Api, check_problem, flush

LARGEST = 2 ** 63


@pytest.fixture
def fencing(api, capabilities):
    if not capabilities["supports"]["fences"]:
        pytest.skip("this engine has no fenced writes")
    return api


def put(api, fence, body=b"v", view="raw", **more):
    return api.put("k", body, view=view, fields={"Fence-Token": str(fence), **more})


def test_without_fences_the_answer_is_501(api, capabilities, view):
    if capabilities["supports"]["fences"]:
        pytest.skip("this engine can")
    check_problem(put(api, 1, view=view), 501)
    assert not api.stands("k")


def test_a_lower_fence_is_412_and_stores_nothing(fencing, view):
    assert put(fencing, 33, b"one", view).status == 201
    assert put(fencing, 34, b"two", view).status == 200
    problem = check_problem(put(fencing, 33, b"late", view), 412)
    assert "Fence-Token" in problem["detail"]
    assert put(fencing, 34, b"again", view).status == 200
    assert fencing.get("k").body == b"again"


def test_a_write_without_one_keeps_what_was_seen(fencing):
    put(fencing, 10)
    assert fencing.put("k", b"plain").status == 200
    check_problem(put(fencing, 9, b"late"), 412)
    assert fencing.get("k").body == b"plain"


def test_an_entry_that_has_seen_none_takes_any(fencing):
    fencing.put("k", b"plain")
    assert put(fencing, 1).status == 200


@pytest.mark.parametrize("forget", ["delete", "flush"])
def test_delete_and_flush_forget(fencing, service, ns, forget):
    put(fencing, 10)
    if forget == "delete":
        fencing.delete("k")
    else:
        flush(service, query=f"namespace={ns}")
    assert put(fencing, 1).status == 201


def test_neighbours_at_the_upper_end_are_told_apart(fencing):
    assert put(fencing, LARGEST - 1).status == 201
    assert put(fencing, LARGEST).status == 200
    check_problem(put(fencing, LARGEST - 1), 412)
    assert put(fencing, LARGEST).status == 200


def test_neighbours_beyond_the_precision_of_a_double_are_told_apart(fencing):
    assert put(fencing, 2 ** 53 + 1).status == 201
    check_problem(put(fencing, 2 ** 53), 412)


@pytest.mark.parametrize("fence", ["0", "-1", "1.5", "x", str(LARGEST + 1), str(2 ** 64), "0x10", '"1"', "1, 2"])
def test_a_malformed_fence_is_400_and_stores_nothing(api, view, fence):
    problem = check_problem(put(api, fence, view=view), 400)
    assert "Fence-Token" in problem["detail"]
    assert not api.stands("k")


def test_only_a_put_is_fenced(api, view):
    api.put("k", b"v")
    check_problem(api.delete("k", view, {"Fence-Token": "1"}), 400)
    check_problem(api.patch("k", b'{"ttl":1}', {"Fence-Token": "1"}), 400)
    assert api.stands("k")


@pytest.mark.shared
def test_of_writers_racing_at_both_replicas_the_highest_fence_stays(fencing, service, start_service, capabilities, ns):
    if not capabilities["supports"]["shared"]:
        pytest.skip("each replica of this engine has entries of its own")
    replicas = [service, start_service()]

    def write(fence):
        api = Api(replicas[fence % 2], ns)
        answer = put(api, fence, b"%d" % fence)
        assert answer.status in (200, 201, 412), answer
        api.close()

    threads = [threading.Thread(target=write, args=(fence,)) for fence in range(1, 33)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert fencing.get("k").body == b"32"
