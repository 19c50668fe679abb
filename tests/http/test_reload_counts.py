"""cubby_reloads_total: each file for itself, with its outcome."""

import shutil
import signal

import pytest
from support.prometheus import Metrics
from support.waiting import scrape_until
from test_tls import pki, replace, secure, wait_for_server  # noqa: F401 (fixtures)

FILES = ("namespaces", "tokens", "tls")
pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make certificates with")


def counts(metrics):
    """{(file, outcome): count}, all six there from the start."""
    found = {(labels["file"], labels["outcome"]): value for labels, value in metrics.all("cubby_reloads_total")}
    assert set(found) == {(file, outcome) for file in FILES for outcome in ("ok", "refused")}
    return found


def scraped(service):
    answer = service.request("GET", "/metrics")
    assert answer.status == 200, answer
    return counts(Metrics(answer.body.decode()))


def wait_for(service, file, outcome, count=1):
    metrics = scrape_until(service, lambda found: counts(found)[file, outcome] >= count, what=f"{file} {outcome}")
    # Each thread takes what was read in a turn of its own: let all have one.
    for _ in range(8):
        assert service.request("GET", "/healthz").status == 200
    return counts(metrics)


def test_certificates_are_counted_and_nothing_else_is(secure, pki):  # noqa: F811
    service = secure()
    assert set(scraped(service).values()) == {0}
    replace(service, "HTTP_TLS_CERT", pki / "a.pem")  # another file, the same certificate
    found = wait_for(service, "tls", "ok")
    assert found["tls", "refused"] == 0
    assert {found[file, outcome] for file in FILES[:2] for outcome in ("ok", "refused")} == {0}, "there are no such files"


def test_a_certificate_without_its_key_is_refused_and_both_together_are_not(secure, pki):  # noqa: F811
    service = secure()
    replace(service, "HTTP_TLS_CERT", pki / "b.pem")
    assert wait_for(service, "tls", "refused")["tls", "ok"] == 0
    replace(service, "HTTP_TLS_KEY", pki / "b.key")
    wait_for_server(service, "b")
    assert scraped(service)["tls", "ok"] >= 1


def test_a_signal_reads_all_files_once(start_service, tmp_path):
    policies = tmp_path / "namespaces.json"
    policies.write_text('{"namespaces":{}}')
    service = start_service(CACHE_NAMESPACES_FILE=str(policies))
    for times in (1, 2):
        service.process.send_signal(signal.SIGHUP)
        assert wait_for(service, "namespaces", "ok", times)["namespaces", "ok"] == times
    found = scraped(service)
    assert sum(found.values()) == 2, "no other file is there"


def test_files_share_a_signal_and_each_has_its_own_outcome(secure, tmp_path):  # noqa: F811
    policies = tmp_path / "namespaces.json"
    policies.write_text('{"namespaces":{}}')
    service = secure(CACHE_NAMESPACES_FILE=str(policies))
    policies.write_text("{")
    service.process.send_signal(signal.SIGHUP)
    found = wait_for(service, "namespaces", "refused")
    assert found["namespaces", "ok"] == found["tls", "refused"] == 0
    assert wait_for(service, "tls", "ok")["tokens", "ok"] == 0
