"""GET /metrics: what is counted, in a format that Prometheus and its tools take."""

import json
import os
import re
import shutil
import subprocess
import time
import urllib.request

import pytest
from support.ports import free_port
from support.prometheus import Metrics, scrape
from support.service import ROOT

ENGINE_NAMES = {"redis", "memcached", "memory"}
DOCUMENT = os.path.join(ROOT, "deploy", "monitoring", "metrics.md")


def _requests(metrics, **labels):
    return metrics.get("cubby_http_requests_total", **labels)


def test_requests_count_by_route_method_and_status(start_service, ns):
    service = start_service()
    for _ in range(3):
        service.request("PUT", f"/raw/{ns}/k", {}, b"v")
    for _ in range(4):
        service.request("GET", f"/raw/{ns}/k")
    service.request("GET", f"/raw/{ns}/none")
    service.request("HEAD", f"/cache/{ns}/k")
    service.request("GET", "/nothing")
    service.request("BREW", f"/raw/{ns}/k")
    metrics = scrape(service)
    raw = {"route": "/raw/{ns}/{key}"}
    assert _requests(metrics, **raw, method="PUT", status="201") == 1
    assert _requests(metrics, **raw, method="PUT", status="200") == 2
    assert _requests(metrics, **raw, method="GET", status="200") == 4
    assert _requests(metrics, **raw, method="GET", status="404") == 1
    assert _requests(metrics, route="/cache/{ns}/{key}", method="HEAD", status="200") == 1
    assert _requests(metrics, route="none", method="GET", status="404") == 1
    assert sum(value for labels, value in metrics.all("cubby_http_requests_total") if labels["method"] == "other") == 1
    assert metrics.get("cubby_http_request_duration_seconds_count", **raw, method="GET") == 5
    assert metrics.get("cubby_http_received_bytes_total") == 3
    assert metrics.get("cubby_http_connections_accepted_total") >= 12


def test_a_scrape_counts_itself_the_next_time(start_service):
    service = start_service()
    with service.connect() as connection:
        looks = [Metrics(connection.request("GET", "/metrics").body.decode()) for _ in range(3)]
    assert [_requests(look, route="/metrics", method="GET", status="200") for look in looks] == [0, 1, 2]


def test_reads_count_by_namespace_and_result(start_service, ns):
    service = start_service()
    service.request("PUT", f"/raw/{ns}-one/k", {}, b"v")
    for target in (f"/raw/{ns}-one/k", f"/cache/{ns}-one/k", f"/raw/{ns}-one/no", f"/raw/{ns}-two/no"):
        service.request("GET", target)
    metrics = scrape(service)
    assert metrics.get("cubby_cache_reads_total", ns=f"{ns}-one", result="hit") == 2
    assert metrics.get("cubby_cache_reads_total", ns=f"{ns}-one", result="miss") == 1
    assert metrics.get("cubby_cache_reads_total", ns=f"{ns}-two", result="miss") == 1
    assert metrics.get("cubby_engine_operations_total", verb="get", status="ok") == 2
    assert metrics.get("cubby_engine_operations_total", verb="get", status="miss") == 2
    assert metrics.get("cubby_engine_operation_duration_seconds_count", verb="get") == 4


def test_each_get_of_a_batch_is_a_read(start_service):
    service = start_service()
    body = json.dumps({"ops": [{"op": "get", "key": f"k{i}"} for i in range(7)]}).encode()
    answer = service.request("POST", "/cache/batched", {"Content-Type": "application/json"}, body)
    assert answer.status == 200
    assert scrape(service).get("cubby_cache_reads_total", ns="batched", result="miss") == 7


def test_no_more_than_a_hundred_namespaces_have_series_of_their_own(start_service):
    service = start_service()
    with service.connect() as connection:
        for number in range(130):
            connection.request("GET", f"/raw/ns-{number}/k")
    metrics = scrape(service)
    names = {labels["ns"] for labels, _ in metrics.all("cubby_cache_reads_total")}
    assert len(names) == 101 and "other" in names
    assert metrics.get("cubby_cache_reads_total", ns="other", result="miss") == 30


def test_every_bucket_takes_what_is_below_it(start_service, ns):
    service = start_service()
    for _ in range(20):
        service.request("GET", "/raw/a/k")
    metrics = scrape(service)
    labels = {"route": "/raw/{ns}/{key}", "method": "GET"}
    buckets = sorted((float(found["le"]), value) for found, value in
                     metrics.all("cubby_http_request_duration_seconds_bucket")
                     if found["route"] == labels["route"] and found["method"] == labels["method"])
    assert [bound for bound, _ in buckets] == [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                               0.1, 0.25, 0.5, 1, 2.5, 5, 10, float("inf")]
    counts = [value for _, value in buckets]
    assert counts == sorted(counts) and counts[-1] == 20
    assert 0 < metrics.get("cubby_http_request_duration_seconds_sum", **labels) < 20


def test_what_was_turned_away_is_counted_with_its_reason(start_service):
    service = start_service(HTTP_MAX_CONNECTIONS="3", HTTP_REQUEST_TIMEOUT_MS="2000")
    with service.connect() as malformed:
        malformed.send(b"GET /raw/a/k HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert malformed.read("GET").status == 400
    with service.connect() as slow:
        slow.send(b"GET /raw/a/k HTTP/1.1\r\nHos")
        assert slow.read("GET").status == 408
    held = service.take_connections(3)
    with service.connect() as refused:
        assert refused.read("GET").status == 503
    answer = held[0].request("GET", "/metrics")
    for connection in held:
        connection.close()
    metrics = Metrics(answer.body.decode())
    for reason in ("malformed", "timeout", "connections"):
        assert metrics.get("cubby_http_refused_total", reason=reason) >= 1, reason
    assert metrics.get("cubby_http_refused_total", default=None, reason="in-flight") == 0
    assert metrics.get("cubby_http_connections") == 3


def test_the_process_tells_of_itself(start_service):
    service = start_service()
    metrics = scrape(service)
    assert abs(metrics.get("process_start_time_seconds") - time.time()) < 60
    assert metrics.get("process_resident_memory_bytes") > 1 << 20
    with open(f"/proc/{service.process.pid}/limits", encoding="ascii") as limits:
        limit = re.search(r"Max open files\s+(\d+)", limits.read())[1]
    assert metrics.get("process_max_fds") == float(limit)
    opened = len(os.listdir(f"/proc/{service.process.pid}/fd"))
    assert abs(metrics.get("process_open_fds") - opened) <= 2
    assert metrics.get("cubby_engine_ready") == 1
    (build, value), = metrics.all("cubby_build_info")
    assert build["engine"] in ENGINE_NAMES and value == 1


def test_the_memory_engine_tells_what_it_holds(start_service):
    service = start_service(CACHE_ENGINE="memory")
    before = scrape(service)
    for number in range(50):
        service.request("PUT", f"/raw/a/{number}", {}, b"v" * 1000)
    after = scrape(service)
    assert after.get("cubby_memory_entries") == before.get("cubby_memory_entries") + 50
    assert after.get("cubby_memory_used_bytes") > before.get("cubby_memory_used_bytes") + 50000
    assert after.get("cubby_memory_max_bytes") == 256 * 1024 * 1024


def _documented():
    """Name, type and labels of each metric of the document's tables."""
    with open(DOCUMENT, encoding="utf-8") as document:
        rows = re.findall(r"^\| `((?:cubby|process)_\w+)` \| (\w+)[^|]*\|([^|]*)\|", document.read(), re.MULTILINE)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_what_is_exposed_is_what_the_document_lists(start_service, engine):
    service = start_service()
    service.request("PUT", "/raw/a/k", {}, b"v")
    service.request("GET", "/raw/a/k")
    metrics, documented = scrape(service), _documented()
    own = engine.settings()["CACHE_ENGINE"]
    for name, kind in metrics.types.items():
        assert name in documented, f"{name} is not in metrics.md"
        assert documented[name][0] == kind, name
    for (name, pairs) in metrics.samples:
        family = name if name in metrics.types else re.sub(r"_(bucket|sum|count)$", "", name)
        assert {label for label, _ in pairs} - {"le"} == documented[family][1], name
    missing = {name for name in documented if name not in metrics.types and "_server_" not in name and
               not any(name.startswith(f"cubby_{other}_") for other in ENGINE_NAMES - {own})}
    assert not missing, f"documented, but not exposed: {missing}; facts of servers come later"


def test_promtool_finds_nothing_to_say(start_service):
    if not shutil.which("promtool"):
        pytest.skip("no promtool: Debian's package prometheus has it")
    service = start_service()
    service.request("GET", "/raw/a/k")
    check = subprocess.run(["promtool", "check", "metrics"], input=service.request("GET", "/metrics").body,
                           capture_output=True, timeout=30, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def _query(port, expression):
    url = f"http://127.0.0.1:{port}/api/v1/query?query=" + urllib.request.quote(expression)
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)["data"]["result"]


@pytest.fixture
def prometheus(tmp_path):
    """Starts a Prometheus that scrapes a port twice a second; gives its own port."""
    if not shutil.which("prometheus"):
        pytest.skip("no prometheus: Debian's package of that name has it")
    running = []

    def start(target):
        port = free_port()
        (tmp_path / "prometheus.yml").write_text(
            "global:\n  scrape_interval: 500ms\n  scrape_timeout: 500ms\nscrape_configs:\n  - job_name: cubby\n"
            f"    static_configs:\n      - targets: ['127.0.0.1:{target}']\n", encoding="ascii")
        with open(tmp_path / "log", "wb") as log:
            running.append(subprocess.Popen(
                ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL))
        return port

    yield start
    for process in running:
        process.terminate()
        process.wait(30)


def test_a_real_prometheus_scrapes_it(start_service, prometheus, ns):
    service = start_service()
    for _ in range(5):
        service.request("GET", f"/raw/{ns}/k")
    port, result, deadline = prometheus(service.port), [], time.monotonic() + 30
    while not result and time.monotonic() < deadline:
        try:
            result = _query(port, 'cubby_http_requests_total{route="/raw/{ns}/{key}",status="404"}')
        except OSError:
            pass
        time.sleep(0.2)
    assert [sample["value"][1] for sample in result] == ["5"]
    assert _query(port, 'up{job="cubby"}')[0]["value"][1] == "1"
    quantile = _query(port, "histogram_quantile(0.5, sum by (le) (cubby_http_request_duration_seconds_bucket))")
    assert 0 < float(quantile[0]["value"][1]) < 1
