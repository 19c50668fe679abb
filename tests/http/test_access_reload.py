"""CACHE_TOKENS_FILE read again while the service runs, each file on its own; and whose token it was, in the logs."""

import json
import os
import signal
import time

import pytest
from guarding import OTHER, ROOT_TOKEN, TOKEN, ask, basic, bearer, check_401, entry, wait_for_status
from guarding import file_fixture, guarded_fixture  # noqa: F401, pytest finds them here
from support.service import Service, binary_path


# ---- Read again ----

@pytest.mark.parametrize("how", ["in place", "renamed", "signal"])
def test_a_changed_file_counts(guarded, file, ns, how):
    service = guarded(entry(TOKEN))
    path = service.settings["CACHE_TOKENS_FILE"]
    target = f"/raw/{ns}/k"
    assert ask(service, "GET", target, bearer(TOKEN)).status == 404
    fresh = [entry(OTHER)]
    if how == "renamed":
        os.replace(file(fresh, "fresh.json"), path)
    else:
        file(fresh)
    if how == "signal":
        service.process.send_signal(signal.SIGHUP)
    wait_for_status(service, target, bearer(OTHER), 404)
    check_401(ask(service, "GET", target, bearer(TOKEN)))


def test_an_emptied_list_revokes_everything(guarded, file, ns):
    service = guarded(entry(TOKEN))
    file([])
    wait_for_status(service, f"/raw/{ns}/k", bearer(TOKEN), 401)


@pytest.mark.parametrize("bad", ["{", '{"tokens":[{}]}', None])
def test_a_bad_file_is_refused_and_the_old_tokens_stay(guarded, file, ns, bad):
    service = guarded(entry(TOKEN))
    path = service.settings["CACHE_TOKENS_FILE"]
    if bad is None:
        os.unlink(path)
    else:
        file(bad)
    warning = service.wait_for_log(lambda line: "old ones stay" in line.get("msg", ""), 10)
    assert warning["level"] == "error" and "CACHE_TOKENS_FILE" in warning["detail"]
    assert ask(service, "GET", f"/raw/{ns}/k", bearer(TOKEN)).status == 404
    file([entry(OTHER)])
    wait_for_status(service, f"/raw/{ns}/k", bearer(OTHER), 404)


def reloads(service, name, outcome):
    metrics = service.request("GET", "/metrics", bearer(ROOT_TOKEN)).body.decode()
    line = next(line for line in metrics.splitlines()
                if line.startswith(f'cubby_reloads_total{{file="{name}",outcome="{outcome}"}}'))
    return int(line.split()[-1])


def wait_until(condition, service, timeout=10):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, service.output()
        time.sleep(0.05)


def test_a_file_at_fault_does_not_keep_the_other_back(guarded, file, tmp_path, ns):
    policies = tmp_path / "namespaces.json"
    policies.write_text(json.dumps({ns: {"max_ttl": 60}}))
    service = guarded(entry(TOKEN), entry(ROOT_TOKEN, scopes=["admin"]), CACHE_NAMESPACES_FILE=str(policies))
    target = f"/raw/{ns}/k"

    policies.write_text("{\n  nonsense")
    fault = service.wait_for_log(lambda line: "old ones stay" in line.get("msg", ""), 10)
    assert fault["level"] == "error" and f"{policies}: " in fault["detail"] and "line 2" in fault["detail"], fault
    assert "CACHE_TOKENS_FILE" not in fault["detail"]
    file([entry(OTHER), entry(ROOT_TOKEN, scopes=["admin"])])
    wait_for_status(service, target, bearer(OTHER), 404)
    check_401(ask(service, "GET", target, bearer(TOKEN)))
    assert ask(service, "PUT", target + "?ttl=61", bearer(OTHER), b"v").status == 400, "the old policies stay"
    assert reloads(service, "namespaces", "refused") >= 1 and reloads(service, "namespaces", "ok") == 0
    assert reloads(service, "tokens", "refused") == 0 and reloads(service, "tokens", "ok") >= 1

    file('{"tokens":[{}]}')
    wait_until(lambda: reloads(service, "tokens", "refused") >= 1, service)
    policies.write_text(json.dumps({ns: {"max_ttl": 600}}))
    wait_until(lambda: ask(service, "PUT", target + "?ttl=61", bearer(OTHER), b"v").status == 201, service)
    assert reloads(service, "namespaces", "ok") >= 1
    time.sleep(2.5)  # what is at fault is not tried again until something changes
    seen = reloads(service, "tokens", "refused")
    time.sleep(1.5)
    assert reloads(service, "tokens", "refused") == seen


def test_tokens_that_change_under_load_harm_nobody(guarded, file, ns):
    service = guarded(entry(TOKEN), HTTP_THREADS="2")
    deadline = time.monotonic() + 3
    number = 0
    while time.monotonic() < deadline:
        number += 1
        if number % 50 == 0:
            file([entry(TOKEN), *[entry(str(n)) for n in range(number % 300)]], "fresh.json")
            os.replace(os.path.join(os.path.dirname(service.settings["CACHE_TOKENS_FILE"]), "fresh.json"),
                       service.settings["CACHE_TOKENS_FILE"])
            service.process.send_signal(signal.SIGHUP)
        assert ask(service, "PUT", f"/raw/{ns}/k", bearer(TOKEN), b"v").status in (200, 201)
        assert ask(service, "POST", f"/flush?namespace={ns}", bearer(TOKEN)).status == 200
        assert ask(service, "GET", "/namespaces", bearer(TOKEN)).status == 200


# ---- Who it was ----

def test_the_access_log_says_whose_token_it_was(guarded, ns):
    service = guarded(entry(TOKEN, [ns], name="billing, nightly"), entry(OTHER, [ns]), LOG_ACCESS="on")

    def line_of(identity, fields, target=f"/raw/{ns}/k"):
        ask(service, "GET", target, {**fields, "X-Request-Id": identity})
        return service.wait_for_log(lambda line: line.get("request_id") == identity and line["msg"] == "request", 10)

    assert line_of("known", bearer(TOKEN))["caller"] == "billing, nightly"
    assert line_of("basic", basic(TOKEN, "mallory"))["caller"] == "billing, nightly"
    refused = line_of("refused", bearer(TOKEN), f"/raw/{ns}x/k")
    assert refused["status"] == 403 and refused["caller"] == "billing, nightly"
    for identity, fields in (("unlabelled", bearer(OTHER)), ("unknown", bearer("nobody")), ("without", {})):
        assert "caller" not in line_of(identity, fields)
    assert "mallory" not in service.output()


def test_the_slow_log_says_whose_token_it_was(file, ns):
    binary = os.path.join(os.path.dirname(binary_path()), "tests", "support", "slow_service")
    tokens = file([entry(TOKEN, name="reports"), entry(OTHER)])
    service = Service({"FAULT_RULES": "get:delay=300", "CACHE_TOKENS_FILE": tokens, "LOG_SLOW_MS": "100",
                       "CACHE_DEADLINE_MS": "20000"}, binary=binary).start()
    try:
        for identity, token, label in (("one", TOKEN, "reports"), ("two", OTHER, None)):
            service.request("GET", f"/raw/{ns}/k", {**bearer(token), "X-Request-Id": identity})
            line = service.wait_for_log(lambda line, identity=identity: line["msg"] == "slow"
                                        and line["request_id"] == identity, 10)
            assert line["caller"] == label
    finally:
        service.stop()
    assert TOKEN not in service.output() and OTHER not in service.output()


def test_a_label_outlives_a_reload_in_the_middle_of_a_request(guarded, file, ns):
    service = guarded(entry(TOKEN, name="importer"), LOG_ACCESS="on")
    with service.connect() as connection:
        connection.send((f"PUT /raw/{ns}/k HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {TOKEN}\r\n"
                         "X-Request-Id: long\r\nContent-Length: 2\r\n\r\nx").encode())
        file([entry(OTHER, name="x" * 64)])
        wait_for_status(service, f"/raw/{ns}/other", bearer(OTHER), 404)
        connection.send(b"y")
        assert connection.read("PUT").status == 201
    line = service.wait_for_log(lambda line: line.get("request_id") == "long", 10)
    assert line["caller"] == "importer"
