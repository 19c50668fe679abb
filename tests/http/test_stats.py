"""GET /stats: what /metrics tells, for people."""

from support.api import check_any_answer


def _stats(service):
    answer = service.request("GET", "/stats")
    check_any_answer(answer, "GET")
    assert answer.status == 200 and answer["Content-Type"] == "application/json"
    return answer.json()


def test_it_tells_requests_hits_and_durations(start_service, engine, ns):
    service = start_service(HTTP_THREADS="1")  # which counts a request before it takes the next
    service.request("PUT", f"/raw/{ns}/k", {}, b"v")
    for _ in range(3):
        service.request("GET", f"/raw/{ns}/k")
    service.request("GET", f"/raw/{ns}/none")
    stats = _stats(service)
    probes = stats["http"]["by_route"]["GET /readyz"]["count"]
    assert stats["uptime_seconds"] < 60 and stats["http"]["requests"] == 5 + probes
    assert stats["http"]["requests_per_second"] > 0
    by_status = stats["http"]["by_status"]
    assert by_status["201"] == by_status["404"] == 1
    assert by_status["200"] + by_status.get("503", 0) == 3 + probes, "a probe may come before the engine is ready"
    read = stats["http"]["by_route"]["GET /raw/{ns}/{key}"]
    assert read["count"] == 4 and 0 < read["p50_ms"] <= read["p99_ms"]
    assert stats["cache"]["by_namespace"][ns] == {"hits": 3, "misses": 1, "stale": 0, "hit_ratio": 0.75}
    assert stats["engine"]["name"] == engine.settings()["CACHE_ENGINE"]
    assert stats["engine"]["ready"] is True and stats["engine"]["by_verb"]["get"]["count"] == 4


def test_where_nothing_was_read_there_is_no_ratio(start_service):
    assert _stats(start_service())["cache"]["hit_ratio"] is None


def test_head_tells_the_type_alone(service):
    for target in ("/stats", "/metrics"):
        answer = service.request("HEAD", target)
        assert answer.status == 200 and answer.body == b"" and answer["Cache-Control"] == "no-store"
