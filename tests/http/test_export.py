"""GET /cache/{ns} as application/x-ndjson: the entries of a namespace, one a line, as an import takes them."""

import base64
import json
import os
import time

import pytest
from support.api import check_any_answer, check_problem
from support.service import Service, binary_path
from support.wire import WireError, build_request, quote

NDJSON = "application/x-ndjson"


@pytest.fixture(autouse=True)
def _lists(capabilities, request):
    if not capabilities["supports"].get("list") and "cannot" not in request.node.name:
        pytest.skip("the engine cannot list")


def export(service, ns, query="", **how):
    answer = service.request("GET", f"/cache/{ns}{query}", {"Accept": NDJSON}, **how)
    check_any_answer(answer, "GET")
    return answer


def lines(answer):
    assert answer.status == 200 and answer["Content-Type"] == NDJSON, answer
    assert answer.body == b"" or answer.body.endswith(b"\n")
    return [json.loads(line) for line in answer.body.split(b"\n")[:-1]]


def do_import(service, ns, body):
    return service.request("POST", f"/cache/{ns}", {"Content-Type": NDJSON}, body)


def test_an_engine_that_cannot_list_says_501(service, capabilities, ns):
    if capabilities["supports"].get("list"):
        pytest.skip("it can")
    assert check_problem(export(service, ns), 501)["type"] == "/problems/not-supported-by-engine"


VALUES = [
    ("application/json", b'{ "n":1e400, "n":2, "s":"\\u0000" }'), ("application/json", b'{\n "a": 1\r\n}'),
    ("application/vnd.x+json", b"[]"), ("application/json", b"not json"), ("application/json", b'"text"'),
    ("text/plain; charset=utf-8", "h\u00e9 \"\\\n\0\x7f\u2028".encode()), ("text/plain", b"\xff\xfe"),
    ("text/plain", b""), ("application/octet-stream", b"\x00" * 5000), ("image/png", os.urandom(100_000)),
    ("text/html", b"x" * 70_000), ("text/plain", b"\x01\x02" * 3000), ("application/octet-stream", os.urandom(7)),
]


def test_what_is_exported_is_imported_back_exactly(service, ns):
    keys = [b"plain", "k\u00e9y \"\\\n".encode(), b"\xff\x00\r\n", b"a/b", b"x" * 1024]
    keys += [b"more-%d" % n for n in range(len(VALUES) - len(keys))]
    for key, (content_type, value) in zip(keys, VALUES):
        answer = service.request("PUT", f"/raw/{ns}/{quote(key)}?ttl=500", {"Content-Type": content_type}, value)
        assert answer.status == 201
    service.request("PATCH", f"/cache/{ns}/plain", {"Content-Type": "application/json"}, b'{"ttl":null}')
    exported = export(service, ns)
    found = {base64.b64decode(line["key_base64"]) if "key_base64" in line else line["key"].encode(): line
             for line in lines(exported)}
    assert set(found) == set(keys)
    assert found[b"plain"]["ttl"] is None and 490 < found[b"a/b"]["ttl"] <= 500
    assert b"1e400" in exported.body
    other = ns + "-b"
    answer = do_import(service, other, exported.body)
    assert answer.status == 200 and answer.json() == {"stored": len(keys), "lines": len(keys)}
    for key, (content_type, value) in zip(keys, VALUES):
        stored = service.request("GET", f"/raw/{other}/{quote(key)}")
        assert (stored.status, stored["Content-Type"], stored.body) == (200, content_type, value), key
    again = {line.get("key", line.get("key_base64")): {**line, "ttl": 0} for line in lines(export(service, other))}
    assert again == {line.get("key", line.get("key_base64")): {**line, "ttl": 0} for line in found.values()}


def test_many_pages_are_one_answer(service, ns):
    body = b"".join(b'{"key":"k%05d","value":%d}\n' % (n, n) for n in range(3000))
    assert do_import(service, ns, body).json()["stored"] == 3000
    found = {line["key"]: line["value"] for line in lines(export(service, ns))}
    assert found == {"k%05d" % n: n for n in range(3000)}
    found = {line["key"] for line in lines(export(service, ns, "?prefix=k0012"))}
    assert found == {"k%05d" % n for n in range(120, 130)}


def test_nothing_there_is_an_empty_answer(service, ns):
    assert lines(export(service, ns)) == []


def test_only_prefix_is_known_and_only_this_accept_exports(service, ns):
    check_problem(export(service, ns, "?limit=5"), 400)
    service.request("PUT", f"/raw/{ns}/k", {}, b"v")
    for accept in ("*/*", "application/json", "application/*", "application/x-ndjson;q=0"):
        answer = service.request("GET", f"/cache/{ns}", {"Accept": accept})
        assert answer["Content-Type"] == "application/json", accept
    for accept in ("text/html, Application/X-NDJSON;q=0.5", "application/x-ndjson; charset=utf-8"):
        answer = service.request("GET", f"/cache/{ns}", {"Accept": accept})
        assert answer["Content-Type"] == NDJSON, accept


def test_head_has_the_fields_alone(service, ns):
    answer = service.request("HEAD", f"/cache/{ns}", {"Accept": NDJSON})
    assert answer.status == 200 and answer["Content-Type"] == NDJSON and answer.body == b""


def test_http_1_0_gets_it_ended_by_the_close(service, ns):
    do_import(service, ns, b'{"key":"a","value":1}\n{"key":"b","value":2}\n')
    with service.connect() as connection:
        connection.send(build_request("GET", f"/cache/{ns}", {"Accept": NDJSON}, version="1.0"))
        answer = connection.read()
        assert answer.get("Transfer-Encoding") is None
        assert {line["key"] for line in lines(answer)} == {"a", "b"}


def test_a_connection_serves_on_after_an_export(service, ns):
    do_import(service, ns, b"".join(b'{"key":"k%d","value":"%s"}\n' % (n, b"x" * 100) for n in range(1000)))
    with service.connect() as connection:
        for _ in range(3):
            answer = connection.request("GET", f"/cache/{ns}", {"Accept": NDJSON})
            assert len(lines(answer)) == 1000


def _rss(service):
    with open(f"/proc/{service.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def test_a_reader_that_stalls_holds_little_and_gets_all_in_the_end(start_service, ns):
    # What a sanitizer keeps of freed memory is not the service's.
    service = start_service(ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") +
                            ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64")
    value = b"y" * 20_000
    for n in range(1000):
        assert service.request("PUT", f"/raw/{ns}/{n}", {}, value).status == 201
    before = _rss(service)
    clients = []
    for _ in range(10):
        client = service.connect()
        client.send(build_request("GET", f"/cache/{ns}", {"Accept": NDJSON}))
        clients.append(client)
    time.sleep(1.5)
    assert service.request("GET", "/healthz").status == 200
    assert _rss(service) - before < 32 * 1024 * 1024
    for client in clients[1:]:
        client.close()
    answer = clients[0].read(timeout=60)
    clients[0].close()
    assert {line["key"] for line in lines(answer)} == {str(n) for n in range(1000)}


@pytest.fixture
def failing():
    """The memory engine under the fault rules given; the process's own, as in test_slow_engine.py."""
    started = []

    def start(rules, **settings):
        binary = os.path.join(os.path.dirname(binary_path()), "tests", "support", "slow_service")
        service = Service({"FAULT_RULES": rules, "CACHE_DEADLINE_MS": 5000, **settings}, binary=binary).start()
        started.append(service)
        return service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.stop()


def _fill(service, count):
    body = b"".join(b'{"key":"k%d","value":"%s"}\n' % (n, b"x" * 200) for n in range(count))
    assert do_import(service, "n", body).json() == {"stored": count, "lines": count}


def test_an_export_waits_for_its_engine(failing):
    service = failing("get:delay=20")
    _fill(service, 700)
    assert len(lines(export(service, "n"))) == 700


def test_a_failure_at_the_beginning_is_told(failing):
    service = failing("get:fail=unavailable")
    _fill(service, 10)
    check_problem(export(service, "n"), 503)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_failure_in_the_middle_is_no_good_end(failing, version):
    service = failing("get:fail=unavailable:every=300")
    _fill(service, 1000)
    with service.connect() as connection:
        connection.send(build_request("GET", "/cache/n", {"Accept": NDJSON}, version=version))
        if version == "1.1":
            with pytest.raises(WireError):
                connection.read()
        else:
            received = b""
            with pytest.raises(ConnectionResetError):
                while piece := connection.sock.recv(65536):
                    received += piece
            assert received.startswith(b"HTTP/1.1 200")
    assert service.request("GET", "/healthz").status == 200
