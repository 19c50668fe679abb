"""deploy/monitoring/metrics.md against a service that has done everything once: names, types, labels and their values,
both ways; on every engine. The dashboard and the alert rules ask for what is listed there (tests/deploy)."""

import json
import os
import re

import pytest
from support.service import ROOT
from support.waiting import scrape_until

FOLDER = os.path.join(ROOT, "deploy", "monitoring")
ENGINES = ("memory", "redis", "memcached")
# Any text; the others take a value that the table lists.
OPEN = {"ns", "server", "version", "engine", "route", "le"}
JSON = {"Content-Type": "application/json"}


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def rows():
    """{name: (type, labels, is there from the start)}."""
    found = re.findall(r"^\| `((?:cubby|process)_\w+)` \| (\w+)( \*\*0\*\*)? \|([^|]*)\|", read("metrics.md"), re.MULTILINE)
    names = [name for name, *_ in found]
    assert len(names) == len(set(names)) > 60
    return {name: (kind, set(re.findall(r"`(\w+)`", labels)), bool(zero)) for name, kind, zero, labels in found}


def values():
    """{label: what it may be}; `status` is that of HTTP, or of an engine operation."""
    table, found = read("metrics.md").partition("## Labels")[2].partition("\n## ")[0], {}
    for label, listed in re.findall(r"^\| `([a-z]+)`[^|]*\| (.*) \|$", table, re.MULTILINE):
        found.setdefault(label, set()).update(re.findall(r"`([^`]+)`", listed))
    return found


@pytest.fixture
def busy(start_service, capabilities, ns):
    """A service that has answered one request of each kind, well or not."""
    service = start_service()
    supports = capabilities["supports"]
    service.request("PUT", f"/raw/{ns}/k", {}, b"v")
    for target in (f"/raw/{ns}/k", f"/cache/{ns}/none", "/nothing", f"/cache/{ns}", "/capabilities", "/openapi.json", "/docs"):
        service.request("GET", target)
    service.request("BREW", f"/raw/{ns}/k")
    service.request("HEAD", f"/raw/{ns}/k")
    service.request("PATCH", f"/cache/{ns}/k", JSON, b'{"ttl":60}')
    service.request("POST", f"/cache/{ns}", JSON, json.dumps({"ops": [{"op": "get", "key": "k"}]}).encode())
    service.request("OPTIONS", f"/cache/{ns}/k")
    if supports["counters"]:
        service.request("POST", f"/counters/{ns}/c", {}, b"")
    if supports["locks"]:
        service.request("POST", f"/locks/{ns}/l", JSON, b'{"ttl":1}')
        service.request("POST", f"/locks/{ns}/l", JSON, b'{"ttl":1}')
    if supports["limits"]:
        service.request("POST", f"/limits/{ns}/r", JSON, b'{"limit":1,"window":1}')
    service.request("DELETE", f"/cache/{ns}/k")
    service.request("POST", f"/flush?namespace={ns}", {}, b"")
    return service


def of_engine(name, own):
    """Whether a service on the engine `own` may have a metric of this name."""
    return not any(name.startswith(f"cubby_{other}_") for other in ENGINES if other != own)


def test_what_is_exposed_is_what_is_listed(busy, engine):
    listed, own = rows(), engine.settings()["CACHE_ENGINE"]
    wanted = {name for name in listed if of_engine(name, own)}
    lag = "cubby_redis_server_replication_lag_seconds"
    if "REDIS_SENTINELS" not in engine.settings():
        wanted.discard(lag)  # there are no replicas
    metrics = scrape_until(busy, lambda found: wanted <= set(found.types), what="all that is listed")
    assert set(metrics.types) == wanted, "and no more than that"
    assert {name: kind for name, kind in metrics.types.items() if kind != listed[name][0]} == {}
    for name, pairs in metrics.samples:
        family = name if name in metrics.types else re.sub(r"_(bucket|sum|count)$", "", name)
        le = {"le"} if name.endswith("_bucket") and listed[family][0] == "histogram" else set()
        assert {label for label, _ in pairs} == listed[family][1] | le, (name, pairs)


def test_labels_take_what_is_listed(busy):
    allowed, routes = values(), set()
    metrics = scrape_until(busy, lambda found: found.all("cubby_engine_operations_total"))
    for name, pairs in metrics.samples:
        for label, value in pairs:
            if label == "route":
                routes.add(value)
            elif label == "status" and name == "cubby_http_requests_total":
                assert re.fullmatch(r"[1-5]\d\d|other", value), (name, value)
            elif label not in OPEN:
                assert value in allowed[label], (name, label, value)
    with open(os.path.join(ROOT, "openapi", "openapi.json"), encoding="utf-8") as file:
        paths = set(json.load(file)["paths"])
    assert "none" in routes and routes - paths - {"none"} == set(), "a route is called as in the interface's document"


def test_what_is_marked_is_there_from_the_start(start_service, engine):
    own, allowed = engine.settings()["CACHE_ENGINE"], values()
    marked = {name: labels for name, (_, labels, zero) in rows().items() if zero and of_engine(name, own)}
    answer = start_service().request("GET", "/metrics")
    text = answer.body.decode()
    assert len(marked) > 8
    for name, labels in marked.items():
        assert re.search(rf"^{name}[ {{]", text, re.MULTILINE), f"{name} has to be there with its first scrape"
    for file in allowed["file"]:
        for outcome in allowed["outcome"]:
            assert f'cubby_reloads_total{{file="{file}",outcome="{outcome}"}} 0' in text
    for reason in ("missing", "unknown", "scope"):
        assert f'cubby_access_denied_total{{reason="{reason}"}} 0' in text
    for reason in ("connections", "in-flight", "memory", "timeout", "malformed", "protected", "draining"):
        assert f'cubby_http_refused_total{{reason="{reason}"}} ' in text


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yml", "alerts_test.yml", "alerts_engine_test.yml"])
def test_what_is_asked_for_is_listed(name):
    listed, text = rows(), read(name)
    histograms = {f"{name}_{part}" for name, (kind, *_) in listed.items() if kind == "histogram"
                  for part in ("bucket", "sum", "count")}
    # A name, but no alert, job or panel of that beginning: those have no underscore or no metric's ending.
    asked = set(re.findall(r"\b(?:cubby|process)_[a-z0-9_]+", text))
    assert asked, name
    assert asked - set(listed) - histograms == set()
