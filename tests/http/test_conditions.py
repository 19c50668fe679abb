"""ETag, If-Match and If-None-Match (RFC 9110 section 13)."""

import threading

import pytest
from support.api import Api, check_problem

pytestmark = pytest.mark.smoke


def test_if_none_match_any_on_put_creates_only_where_nothing_stands(api, view):
    assert api.put("k", b"first", view=view, fields={"If-None-Match": "*"}).status == 201
    check_problem(api.put("k", b"second", view=view, fields={"If-None-Match": "*"}), 412)
    assert api.get("k").body == b"first"


def test_if_match_any_on_put_replaces_only_where_something_stands(api, view):
    check_problem(api.put("k", b"v", view=view, fields={"If-Match": "*"}), 412)
    assert not api.stands("k")
    api.put("k", b"first")
    assert api.put("k", b"second", view=view, fields={"If-Match": "*"}).status == 200
    assert api.get("k").body == b"second"


def test_if_match_with_the_current_tag_replaces_and_with_an_older_one_is_412(api, view):
    old = api.put("k", b"one")["ETag"]
    new = api.put("k", b"two")["ETag"]
    check_problem(api.put("k", b"three", view=view, fields={"If-Match": old}), 412)
    assert api.get("k").body == b"two"
    assert api.put("k", b"three", view=view, fields={"If-Match": new}).status == 200


def test_if_match_takes_a_list_in_which_one_matches(api, view):
    tag = api.put("k", b"one")["ETag"]
    for form in ('"a", TAG, "b"', '"a",TAG', 'TAG,"a"', ', "a" ,, TAG ,'):
        answer = api.put("k", b"next", view=view, fields={"If-Match": form.replace("TAG", tag)})
        assert answer.status == 200, form
        tag = answer["ETag"]
    check_problem(api.put("k", b"no", view=view, fields={"If-Match": '"a", "b,c"'}), 412)


def test_a_list_over_several_field_lines_is_one_list(api, service):
    tag = api.put("k", b"one")["ETag"]
    fields = [("Content-Type", "text/plain"), ("If-Match", '"a"'), ("If-Match", tag)]
    assert service.request("PUT", api.target("raw", "k"), fields, b"two").status == 200
    fields = [("If-None-Match", '"a"'), ("If-None-Match", api.get("k")["ETag"])]
    assert service.request("GET", api.target("raw", "k"), fields).status == 304


def test_a_comma_inside_a_tag_does_not_split_it(api):
    tag = api.put("k", b"one")["ETag"]
    assert api.get("k", fields={"If-None-Match": f'"x,{tag[1:-1]}"'}).status == 200
    assert api.get("k", fields={"If-None-Match": f'"x,y", {tag}'}).status == 304


def test_if_match_compares_strongly_so_a_weak_tag_never_matches(api, view):
    tag = api.put("k", b"one")["ETag"]
    check_problem(api.put("k", b"two", view=view, fields={"If-Match": "W/" + tag}), 412)
    check_problem(api.get("k", view, {"If-Match": "W/" + tag}), 412)
    assert api.get("k").body == b"one"


def test_if_none_match_compares_weakly_so_a_weak_tag_matches(api, view):
    tag = api.put("k", b"one")["ETag"]
    assert api.get("k", view, {"If-None-Match": "W/" + tag}).status == 304
    check_problem(api.put("k", b"two", view=view, fields={"If-None-Match": "W/" + tag}), 412)


def test_get_with_the_current_tag_is_304_with_no_body_and_the_same_tag(api, view):
    tag = api.put("k", b"one")["ETag"]
    for given in (tag, f'"a", {tag}', "*"):
        answer = api.get("k", view, {"If-None-Match": given})
        assert answer.status == 304 and answer["ETag"] == tag
    assert api.get("k", view, {"If-None-Match": '"a", "b"'}).status == 200


def test_a_304_of_cache_still_varies_by_accept(api):
    tag = api.put("k", b"one")["ETag"]
    assert "accept" in api.get("k", "cache", {"If-None-Match": tag})["Vary"].lower()


def test_head_is_conditional_too(api, view):
    tag = api.put("k", b"one")["ETag"]
    assert api.head("k", view, {"If-None-Match": tag}).status == 304
    assert api.head("k", view, {"If-Match": '"a"'}).status == 412
    assert api.head("k", view, {"If-Match": tag}).status == 200


def test_get_with_if_match_of_another_version_is_412(api, view):
    tag = api.put("k", b"one")["ETag"]
    check_problem(api.get("k", view, {"If-Match": '"a"'}), 412)
    assert api.get("k", view, {"If-Match": f'"a", {tag}'}).status == 200
    assert api.get("k", view, {"If-Match": "*"}).status == 200


def test_a_miss_stays_a_miss_whatever_if_none_match_says(api, view):
    for given in ("*", '"a"'):
        assert api.get("nothing", view, {"If-None-Match": given}).status == 404


def test_both_conditions_must_hold_and_if_match_comes_first(api):
    tag = api.put("k", b"one")["ETag"]
    check_problem(api.put("k", b"two", fields={"If-Match": tag, "If-None-Match": "*"}), 412)
    check_problem(api.put("k", b"two", fields={"If-Match": '"a"', "If-None-Match": '"b"'}), 412)
    assert api.get("k").body == b"one"
    check_problem(api.get("k", fields={"If-Match": '"a"', "If-None-Match": tag}), 412)
    assert api.get("k", fields={"If-Match": tag, "If-None-Match": tag}).status == 304
    assert api.put("k", b"two", fields={"If-Match": tag, "If-None-Match": '"b"'}).status == 200


def test_a_malformed_condition_is_400_and_writes_nothing(api, view):
    api.put("k", b"one")
    for given in ("abc", '"abc', 'abc"', "W/abc", "w/\"abc\"", '"a" "b"', '*, "a"', '"a", *', "**", '"a b"c'):
        for name in ("If-Match", "If-None-Match"):
            check_problem(api.put("k", b"two", view=view, fields={name: given}), 400)
    assert api.get("k").body == b"one"


def test_a_failed_condition_leaves_the_ttl_as_it_was(api):
    api.put("k", b"one", query="ttl=60")
    api.put("k", b"two", query="ttl=6000", fields={"If-Match": '"a"'})
    assert float(api.get("k")["Cache-TTL"]) <= 60


def test_a_tag_never_matches_another_key_s_entry(api):
    tag = api.put("k", b"one")["ETag"]
    api.put("other", b"one")
    assert api.get("other", fields={"If-None-Match": tag}).status in (200, 304)
    api.delete("k")
    api.put("k", b"one")
    check_problem(api.put("k", b"two", fields={"If-Match": tag}), 412)


def _race(service, ns, threads, attempt):
    """Lets `attempt(api, number)` run at the same moment on connections of their own; gives what each returned."""
    barrier = threading.Barrier(threads)
    results = [None] * threads

    def run(number):
        api = Api(service, ns)
        api.get("warm-up")
        barrier.wait(20)
        results[number] = attempt(api, number)
        api.close()

    runners = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(60)
    assert None not in results
    return results


def test_of_sixteen_racing_creators_exactly_one_gets_201(service, ns):
    for number in range(20):
        key = f"race-{number}"
        statuses = _race(service, ns, 16, lambda api, me, key=key: api.put(
            key, b"%d" % me, fields={"If-None-Match": "*"}).status)
        assert sorted(statuses) == [201] + [412] * 15
        reader = Api(service, ns)
        assert reader.get(key).body == b"%d" % statuses.index(201)
        reader.close()


def test_of_sixteen_racing_replacers_of_one_version_exactly_one_gets_200(service, ns):
    writer = Api(service, ns)
    for number in range(10):
        key = f"race-{number}"
        tag = writer.put(key, b"start")["ETag"]
        statuses = _race(service, ns, 16, lambda api, me, key=key, tag=tag: api.put(
            key, b"%d" % me, fields={"If-Match": tag}).status)
        assert sorted(statuses) == [200] + [412] * 15
        assert writer.get(key).body == b"%d" % statuses.index(200)
    writer.close()


def test_increments_by_compare_and_swap_from_eight_clients_are_never_lost(service, ns):
    writer = Api(service, ns)
    writer.put("sum", b"0", "text/plain")

    def add(api, _me):
        for _ in range(10):
            while True:
                seen = api.get("sum")
                answer = api.put("sum", b"%d" % (int(seen.body) + 1), "text/plain", fields={"If-Match": seen["ETag"]})
                if answer.status == 200:
                    break
                assert answer.status == 412
        return True

    _race(service, ns, 8, add)
    assert writer.get("sum").body == b"80"
    writer.close()
