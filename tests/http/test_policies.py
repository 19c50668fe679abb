"""CACHE_NAMESPACES_FILE: what a namespace asks of those who write to it, and how the file is read again."""

import json
import os
import signal
import time

import pytest
from support.api import Api, check_problem, ttl_of
from support.service import run_once

EX_CONFIG = 78


@pytest.fixture
def file(tmp_path):
    """Writes policies; `name` is the part of the file's name that differs."""

    def write(policies, name="namespaces.json"):
        path = tmp_path / name
        path.write_text(policies if isinstance(policies, str) else json.dumps(policies))
        return str(path)

    return write


@pytest.fixture
def governed(start_service, file, ns):
    """Starts a replica with these policies and gives the entries of `ns` there."""
    apis = []

    def start(policies, **settings):
        replica = start_service(CACHE_NAMESPACES_FILE=file(policies), **settings)
        apis.append(Api(replica, ns))
        return apis[-1]

    yield start
    for api in apis:
        api.close()


def policy_of(service, ns):
    return service.request("GET", f"/namespaces/{ns}").json()["policy"]


def wait_for_policy(service, ns, member, value, timeout=10):
    """A changed file counts within about a second."""
    deadline = time.monotonic() + timeout
    while policy_of(service, ns)[member] != value:
        assert time.monotonic() < deadline, f"{member} never became {value}:\n{service.output()}"
        time.sleep(0.05)


# ---- What they ask ----

def test_the_default_ttl_is_the_policys(governed, ns, view):
    api = governed({ns: {"default_ttl": 90}})
    assert 89 < ttl_of(api.put("k", b"v", view=view)) <= 90
    assert 119 < ttl_of(api.put("k", b"v", view=view, query="ttl=120")) <= 120
    other = Api(api.service, ns + "x")
    assert ttl_of(other.put("k", b"v", view=view)) > 3590
    other.close()


@pytest.mark.parametrize("text, ttl", [('"2m"', 120), ("1.5", 1.5), ('"none"', float("inf")), ("null", float("inf"))])
def test_a_ttl_is_written_as_in_requests(governed, ns, text, ttl):
    api = governed('{"%s": {"default_ttl": %s}}' % (ns, text))
    answer = api.put("k", b"v")
    assert ttl_of(answer) == ttl or ttl - 1 < ttl_of(answer) <= ttl


def test_over_max_ttl_is_400_and_stores_nothing(governed, ns, view):
    api = governed({ns: {"max_ttl": 100}})
    for query in ("ttl=100.001", "ttl=none", "ttl=1d"):
        problem = check_problem(api.put("k", b"v", view=view, query=query), 400)
        assert "max_ttl" in problem["detail"] and "100.0 s" in problem["detail"]
    assert not api.stands("k")
    assert api.put("k", b"v", view=view, query="ttl=100").status == 201
    assert ttl_of(api.put("k", b"v", view=view)) <= 100  # the service's default gives way
    check_problem(api.patch("k", b'{"ttl":101}'), 400)
    check_problem(api.patch("k", b'{"ttl":null}'), 400)
    assert api.patch("k", b'{"ttl":50}').status == 200


def test_where_a_ttl_is_required_there_is_no_default(governed, ns, view):
    api = governed({ns: {"require_ttl": True}})
    problem = check_problem(api.put("k", b"v", view=view), 400)
    assert "ttl" in problem["detail"]
    check_problem(api.put("k", b"v", view=view, query="idle=5"), 400)
    assert not api.stands("k")
    assert api.put("k", b"v", view=view, query="ttl=5").status == 201
    assert api.put("k", b"v", view=view, fields={"Cache-TTL": "none"}).status == 200


def test_a_larger_value_is_413_and_not_stored(governed, ns, view):
    api = governed({ns: {"max_value_bytes": 10}})
    assert api.put("k", b"v" * 10, view=view).status == 201
    check_problem(api.put("k", b"w" * 11, view=view), 413)
    assert api.get("k").body == b"v" * 10
    other = Api(api.service, ns + "x")
    assert other.put("k", b"w" * 11, view=view).status == 201
    other.close()


def test_tier_ephemeral(governed, ns):
    api = governed({ns: {"tier": "ephemeral"}})
    assert 59 < ttl_of(api.put("k", b"v")) <= 60
    for query in ("ttl=4.999", "ttl=3601", "ttl=none"):
        check_problem(api.put("k", b"v", query=query), 400)
    for query in ("ttl=5", "ttl=3600"):
        assert api.put("k", b"v", query=query).status == 200
    check_problem(api.patch("k", b'{"ttl":4}'), 400)


def test_a_member_overrides_the_tiers(governed, ns):
    api = governed({ns: {"tier": "ephemeral", "default_ttl": 10, "max_ttl": 20}})
    assert 9 < ttl_of(api.put("k", b"v")) <= 10
    check_problem(api.put("k", b"v", query="ttl=21"), 400)
    check_problem(api.put("k", b"v", query="ttl=4"), 400)


def test_tier_session_slides(governed, ns):
    api = governed({ns: {"tier": "session", "default_ttl": 2, "max_entries": None}})
    assert 0 < ttl_of(api.put("k", b"v")) <= 2
    for _ in range(3):
        time.sleep(0.8)
        assert api.get("k").status == 200
    time.sleep(2.2)
    assert api.get("k").status == 404
    assert api.put("k", b"v", query="idle=none").status == 201
    time.sleep(0.6)
    assert 0 < ttl_of(api.get("k")) < 1.5
    check_problem(api.put("k", b"v", query="ttl=60&stale=60"), 400)


def test_tier_session_has_half_an_hour(governed, ns):
    api = governed({ns: {"tier": "session", "max_entries": None}})
    assert 1799 < ttl_of(api.put("k", b"v")) <= 1800
    policy = policy_of(api.service, ns)
    assert (policy["default_ttl"], policy["idle"], policy["max_entries"], policy["tier"]) == (1800, 1800, None, "session")


@pytest.mark.parametrize("name, expected", [("ab", 1), ("abc", 2), ("abcd", 3), ("abx", 2), ("b", 4)])
def test_the_exact_name_goes_before_the_longest_beginning(governed, ns, name, expected):
    stem = ns + "-"
    api = governed({"*": {"default_ttl": "4h"}, stem + "ab": {"default_ttl": "1h"}, stem + "ab*": {"default_ttl": "2h"},
                    stem + "abcd*": {"default_ttl": "3h"}, stem + "a*": {"default_ttl": "9h"}})
    there = Api(api.service, stem + name)
    assert expected * 3600 - 1 < ttl_of(there.put("k", b"v")) <= expected * 3600
    there.close()


@pytest.mark.parametrize("bound", ["max_entries", "max_bytes"])
def test_a_namespace_keeps_within_its_bound(governed, capabilities, ns, bound):
    if not capabilities["supports"]["quotas"]:
        pytest.skip("this engine cannot bound a namespace")
    api = governed({ns: {bound: 10 if bound == "max_entries" else 100 * 10}})
    other = Api(api.service, ns + "x")
    other.put("k", b"v" * 100)
    for n in range(40):
        assert api.put(f"k{n}", b"v" * 100).status == 201
    standing = [n for n in range(40) if api.stands(f"k{n}")]
    assert 1 <= len(standing) <= 10 and 39 in standing
    assert other.stands("k")
    other.close()


# ---- Files at fault ----

FAULTS = [
    ("{", "not well-formed JSON"),
    ("[]", "not a JSON object"),
    ('{"a":{},"a":{}}', "not well-formed JSON"),
    ('{"a":1}', '"a": not an object'),
    ('{"a b":{}}', '"a b": neither a namespace'),
    ('{"":{}}', '"": neither a namespace'),
    ('{".a":{}}', '".a": neither a namespace'),
    ('{"a*b":{}}', '"a*b": neither a namespace'),
    ('{"%s":{}}' % ("a" * 65), "neither a namespace"),
    ('{"a":{"ttl":1}}', '"a": "ttl": unknown member'),
    ('{"a":{"max_ttl":0}}', '"a": max_ttl: '),
    ('{"a":{"max_ttl":"5x"}}', '"a": max_ttl: '),
    ('{"a":{"default_ttl":true}}', '"a": default_ttl: '),
    ('{"a":{"default_ttl":-1}}', '"a": default_ttl: '),
    ('{"a":{"default_ttl":"11y"}}', '"a": default_ttl: '),
    ('{"a":{"require_ttl":1}}', '"a": require_ttl: '),
    ('{"a":{"max_entries":0}}', '"a": max_entries: '),
    ('{"a":{"max_entries":1.5}}', '"a": max_entries: '),
    ('{"a":{"max_bytes":"1M"}}', '"a": max_bytes: '),
    ('{"a":{"max_value_bytes":-1}}', '"a": max_value_bytes: '),
    ('{"a":{"tier":"gold"}}', '"a": tier: '),
    ('{"a":{"tier":null}}', '"a": tier: '),
    ('{"a":{"default_ttl":61,"max_ttl":60}}', "default_ttl: above max_ttl"),
    ('{"a":{"default_ttl":null,"max_ttl":60}}', "default_ttl: above max_ttl"),
    ('{"a":{"tier":"ephemeral","max_ttl":4}}', "max_ttl: below the tier's least"),
    ('{"a":{"tier":"ephemeral","default_ttl":4}}', "default_ttl: below the tier's least"),
]


@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["start", "check"])
@pytest.mark.parametrize("text, fault", FAULTS)
def test_a_file_at_fault_stops_the_start(file, arguments, text, fault):
    done = run_once(*arguments, settings={"CACHE_NAMESPACES_FILE": file(text), "HTTP_PORT": "0"})
    assert done.returncode == EX_CONFIG, done
    assert "CACHE_NAMESPACES_FILE: " in done.stderr and fault in done.stderr, done.stderr


def test_every_fault_is_named(file):
    path = file('{"a":{"ttl":1,"tier":"gold"},"b c":{},"d":{"max_bytes":0},"good":{"max_ttl":5}}')
    done = run_once("--check", settings={"CACHE_NAMESPACES_FILE": path, "HTTP_PORT": "x"})
    assert done.returncode == EX_CONFIG
    for fault in ('"a": "ttl"', '"a": tier', '"b c"', '"d": max_bytes', "HTTP_PORT"):
        assert fault in done.stderr, done.stderr
    assert "good" not in done.stderr


def test_a_missing_or_empty_file_stops_the_start(file, tmp_path):
    for path in (str(tmp_path / "none.json"), str(tmp_path), file("", "empty.json")):
        done = run_once("--check", settings={"CACHE_NAMESPACES_FILE": path})
        assert done.returncode == EX_CONFIG and path in done.stderr, done


def test_a_good_file_passes_the_check(file):
    path = file({"users": {"tier": "session", "max_entries": 5}, "*": {}})
    done = run_once("--check", settings={"CACHE_NAMESPACES_FILE": path})
    assert done.returncode == 0, done


@pytest.mark.parametrize("policy", [{"max_entries": 5}, {"max_bytes": 5}, {"tier": "session"}])
def test_a_bound_that_the_engine_cannot_keep_stops_the_start(engine, file, capabilities, policy):
    if capabilities["supports"]["quotas"]:
        pytest.skip("this engine can")
    for arguments in ((), ("--check",)):
        done = run_once(*arguments, settings={**engine.settings(), "HTTP_PORT": "0",
                                              "CACHE_NAMESPACES_FILE": file({"users": policy})})
        assert done.returncode == EX_CONFIG and '"users"' in done.stderr and "cannot bound" in done.stderr, done


# ---- Read again ----

@pytest.mark.parametrize("how", ["in place", "renamed", "signal"])
def test_a_changed_file_counts(governed, file, ns, how):
    api = governed({ns: {"default_ttl": 100}})
    path = api.service.settings["CACHE_NAMESPACES_FILE"]
    assert policy_of(api.service, ns)["default_ttl"] == 100
    fresh = {ns: {"default_ttl": 2000}}
    if how == "renamed":
        os.replace(file(fresh, "fresh.json"), path)
    else:
        file(fresh)
    if how == "signal":
        api.service.process.send_signal(signal.SIGHUP)
    wait_for_policy(api.service, ns, "default_ttl", 2000)
    assert ttl_of(api.put("k", b"v")) > 1999 - 1


def test_a_swapped_symbolic_link_counts(start_service, file, tmp_path, ns):
    """As Kubernetes swaps the files of a ConfigMap: name -> ..data/name, ..data -> a folder that is replaced."""
    for number in (1, 2):
        folder = tmp_path / f"..{number}"
        folder.mkdir()
        (folder / "namespaces.json").write_text(json.dumps({ns: {"default_ttl": 100 * number}}))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "namespaces.json").symlink_to("..data/namespaces.json")
    replica = start_service(CACHE_NAMESPACES_FILE=str(tmp_path / "namespaces.json"))
    assert policy_of(replica, ns)["default_ttl"] == 100
    (tmp_path / "..data_tmp").symlink_to("..2")
    os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
    wait_for_policy(replica, ns, "default_ttl", 200)


@pytest.mark.parametrize("bad", ["{", '{"x":{"ttl":1}}', None])
def test_a_bad_file_is_refused_and_the_old_policy_stays(governed, file, ns, bad):
    api = governed({ns: {"default_ttl": 100}})
    path = api.service.settings["CACHE_NAMESPACES_FILE"]
    if bad is None:
        os.unlink(path)
    else:
        file(bad)
    warning = api.service.wait_for_log(lambda entry: "old ones stay" in entry.get("msg", ""), 10)
    assert warning["level"] == "error" and "CACHE_NAMESPACES_FILE" in warning["detail"]
    assert ttl_of(api.put("k", b"v")) <= 100
    time.sleep(2.5)  # it is not tried again, nor warned of, until it changes
    assert sum("old ones stay" in entry.get("msg", "") for entry in api.service.log()) == 1
    file({ns: {"default_ttl": 50}})
    wait_for_policy(api.service, ns, "default_ttl", 50)


def test_a_bound_that_the_engine_cannot_keep_is_refused_later_too(governed, file, capabilities, ns):
    if capabilities["supports"]["quotas"]:
        pytest.skip("this engine can")
    api = governed({ns: {"default_ttl": 100}})
    file({ns: {"default_ttl": 50, "max_entries": 5}})
    warning = api.service.wait_for_log(lambda entry: "old ones stay" in entry.get("msg", ""), 10)
    assert "cannot bound" in warning["detail"]
    assert policy_of(api.service, ns)["default_ttl"] == 100


def test_a_file_that_changes_under_load_harms_nobody(governed, file, ns):
    api = governed({ns: {"default_ttl": 100}}, HTTP_THREADS="2")
    deadline = time.monotonic() + 3
    number = 0
    while time.monotonic() < deadline:
        number += 1
        if number % 50 == 0:
            file({ns: {"default_ttl": 100 + number % 2}, **{f"p{n}*": {} for n in range(number % 300)}})
            api.service.process.send_signal(signal.SIGHUP)
        assert api.put("k", b"v").status in (200, 201)
        assert api.service.request("GET", "/namespaces").status == 200
