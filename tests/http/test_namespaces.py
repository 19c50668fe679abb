"""GET /namespaces and GET /namespaces/{ns}: policies and counts."""

import json

import pytest
from support.api import Api, check_any_answer, check_problem

MEMBERS = {"namespace", "policy", "entries", "bytes"}
POLICY = {"default_ttl", "min_ttl", "max_ttl", "idle", "require_ttl", "max_value_bytes", "max_entries", "max_bytes",
          "tier", "matched_by"}


def get(service, path):
    answer = service.request("GET", path)
    check_any_answer(answer, "GET")
    assert answer.status == 200, answer
    return answer.json()


def walk(service, limit=None):
    """All namespaces of all pages, each once."""
    found, cursor = {}, None
    for _ in range(1000):
        parts = [f"limit={limit}"] if limit else []
        parts += [f"cursor={cursor}"] if cursor else []
        body = get(service, "/namespaces" + ("?" + "&".join(parts) if parts else ""))
        assert set(body) == {"namespaces", "cursor"}
        assert limit is None or len(body["namespaces"]) <= limit
        for item in body["namespaces"]:
            assert set(item) == MEMBERS and set(item["policy"]) == POLICY
            found[item["namespace"]] = item
        cursor = body["cursor"]
        if cursor is None:
            return found
    raise AssertionError("the listing has no end")


@pytest.fixture
def governed(start_service, tmp_path, ns):
    """A replica with policies: two names and a prefix."""
    path = tmp_path / "namespaces.json"
    path.write_text(json.dumps({
        ns + "-b": {"default_ttl": 600, "max_ttl": "1d"},
        ns + "-a": {"tier": "ephemeral"},
        ns + "-p*": {"require_ttl": True, "max_value_bytes": 100},
    }))
    return start_service(CACHE_NAMESPACES_FILE=str(path))


def test_a_namespace_without_a_policy_has_the_services_own(service, ns):
    body = get(service, f"/namespaces/{ns}")
    assert set(body) == MEMBERS and body["namespace"] == ns
    assert body["policy"] == {
        "default_ttl": 3600, "min_ttl": None, "max_ttl": None, "idle": None, "require_ttl": False,
        "max_value_bytes": body["policy"]["max_value_bytes"], "max_entries": None, "max_bytes": None, "tier": None,
        "matched_by": None,
    }


def test_counts_follow_the_entries(api, service, capabilities, ns):
    if not capabilities["supports"]["list"]:
        body = get(service, f"/namespaces/{ns}")
        assert body["entries"] is None and body["bytes"] is None
        return
    assert get(service, f"/namespaces/{ns}")["entries"] in (0, None)
    for key, body in (("a", b"12345"), ("b", b"123"), ("c", b"")):
        api.put(key, body)
    api.put("a", b"1")
    api.delete("b")
    counted = get(service, f"/namespaces/{ns}")
    if counted["entries"] is not None:
        assert counted["entries"] == 2 and counted["bytes"] == 1
    if capabilities["supports"]["leases"]:
        api.get("miss", query="lease=10s")
        assert get(service, f"/namespaces/{ns}")["entries"] == counted["entries"]


def test_the_policy_that_holds_is_shown(governed, ns):
    policy = get(governed, f"/namespaces/{ns}-a")["policy"]
    assert (policy["tier"], policy["default_ttl"], policy["min_ttl"], policy["max_ttl"]) == ("ephemeral", 60, 5, 3600)
    assert policy["matched_by"] == ns + "-a"
    policy = get(governed, f"/namespaces/{ns}-b")["policy"]
    assert (policy["default_ttl"], policy["max_ttl"], policy["tier"]) == (600, 86400, None)
    policy = get(governed, f"/namespaces/{ns}-pat")["policy"]
    assert policy["require_ttl"] is True and policy["max_value_bytes"] == 100 and policy["matched_by"] == ns + "-p*"


@pytest.mark.parametrize("limit", [None, 1, 2])
def test_all_that_are_named_or_known_are_listed(governed, capabilities, ns, limit):
    for space in (ns + "-b", ns + "-pat", ns):
        api = Api(governed, space)
        api.put("k", b"12345", query="ttl=60")
        api.close()
    found = walk(governed, limit)
    assert {ns + "-a", ns + "-b"} <= set(found) and ns + "-p*" not in found
    if not capabilities["supports"]["list"]:
        assert all(item["entries"] is None and item["bytes"] is None for item in found.values())
        return
    assert {ns + "-pat", ns} <= set(found)
    assert found[ns + "-pat"]["policy"]["matched_by"] == ns + "-p*"
    if found[ns + "-b"]["entries"] is not None:
        assert (found[ns + "-b"]["entries"], found[ns + "-b"]["bytes"]) == (1, 5)
        assert found[ns + "-a"]["entries"] == 0


def test_without_policies_and_without_listing_there_are_none(service, capabilities):
    if capabilities["supports"]["list"]:
        pytest.skip("this engine knows its namespaces")
    assert walk(service) == {}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "cursor=", "cursor=AAAA", "cursor=~", "ns=a"])
def test_malformed_parameters_are_400(service, query):
    problem = check_problem(service.request("GET", f"/namespaces?{query}"), 400)
    assert query.partition("=")[0] in problem["detail"]


@pytest.mark.parametrize("path", ["/namespaces/", "/namespaces/.a", "/namespaces/a%20b", "/namespaces/a?x=1"])
def test_a_malformed_namespace_is_400(service, path):
    check_problem(service.request("GET", path), 400)


def test_head_has_the_fields_alone(service, ns):
    for path in ("/namespaces", f"/namespaces/{ns}"):
        answer = service.request("HEAD", path)
        check_any_answer(answer, "HEAD")
        assert answer.status == 200 and answer["Content-Type"] == "application/json"


def test_what_cannot_be_done_is_405(service, ns):
    for path in ("/namespaces", f"/namespaces/{ns}"):
        answer = service.request("POST", path)
        check_problem(answer, 405)
        assert "GET" in answer["Allow"]
