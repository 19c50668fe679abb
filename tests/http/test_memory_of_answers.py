"""Memory that answers hold is bounded too: clients that ask for large values and never read must not grow the process."""

import os
import socket
import time

import pytest

MIB = 1024 * 1024
VALUE = 8 * MIB
LIMIT = 32 * MIB
READERS = 24
# What a sanitizer keeps of freed memory is not the service's.
SMALL_QUARANTINE = ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
# Twice the sum of both limits and room for a sanitizer's own memory.
CEILING = 2 * (2 * LIMIT) + 64 * MIB


def _rss(service):
    with open(f"/proc/{service.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


def _ask_and_never_read(service, target):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", service.port))
    client.sendall(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    return client


def _settled_rss(service):
    """Once it has not grown by a MiB, a part of an answer, for two seconds; they are prepared one after the other. The
    highest seen."""
    highest, settled, calm = 0, 0, 0
    while calm < 4:
        time.sleep(0.5)
        now = _rss(service)
        highest = max(highest, now)
        calm = calm + 1 if highest < settled + MIB else 0
        settled = max(settled, highest) if calm == 0 else settled
    return highest


@pytest.fixture
def small(start_service, engine):
    if engine.settings().get("CACHE_ENGINE") != "memory":
        pytest.skip("the limit is the memory engine's")
    return start_service(MEMORY_MAX_BYTES=LIMIT, HTTP_MAX_BUFFERED_BYTES=LIMIT, HTTP_DRAIN_TIMEOUT_MS="1000",
                         HTTP_THREADS="2", ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + SMALL_QUARANTINE)


def test_readers_that_stall_do_not_keep_replaced_values_without_bound(small, ns):
    clients = []
    for _ in range(READERS):
        assert small.request("PUT", f"/raw/{ns}/k", {}, os.urandom(VALUE)).status in (200, 201)
        clients.append(_ask_and_never_read(small, f"/raw/{ns}/k"))
        time.sleep(0.02)
    rss = _settled_rss(small)
    for client in clients:
        client.close()
    assert rss < CEILING, f"{rss // MIB} MiB resident with {READERS} readers"


@pytest.mark.parametrize("content_type, body", [("text/plain", b"\x01" * VALUE),
                                                ("application/octet-stream", b"\xff" * VALUE)],
                         ids=["escaped", "base64"])
def test_readers_that_stall_do_not_hold_a_rewritten_copy_each(small, ns, content_type, body):
    assert small.request("PUT", f"/raw/{ns}/k", {"Content-Type": content_type}, body).status == 201
    clients = [_ask_and_never_read(small, f"/cache/{ns}/k") for _ in range(READERS)]
    rss = _settled_rss(small)
    for client in clients:
        client.close()
    assert rss < CEILING, f"{rss // MIB} MiB resident with {READERS} readers"


def test_memory_of_answers_is_given_back(small, ns):
    """Of the release build above all, whose allocator keeps what it likes."""
    assert small.request("PUT", f"/raw/{ns}/k", {}, os.urandom(VALUE)).status == 201
    clients = [_ask_and_never_read(small, f"/cache/{ns}/k") for _ in range(READERS)]
    _settled_rss(small)
    for client in clients:
        client.close()
    for _ in range(60):
        time.sleep(0.2)
        small.request("PUT", f"/raw/{ns}/small", {}, b"x")
        if _rss(small) < CEILING:
            return
    assert False, f"{_rss(small) // MIB} MiB resident with nobody connected"
