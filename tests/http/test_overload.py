"""What overload must not touch: /healthz, and requests whose engine is well."""

import threading
import time

from support.wire import build_request

MIB = 1024 * 1024


def test_healthz_is_served_with_every_request_slot_taken(start_service, ns):
    service = start_service(HTTP_MAX_IN_FLIGHT="2", HTTP_THREADS="2")
    uploads = [service.connect() for _ in range(8)]
    try:
        for upload in uploads:
            upload.send(build_request("PUT", f"/raw/{ns}/k", {"Content-Length": "10"}, b"half"))
        time.sleep(0.3)
        assert [service.request("GET", "/healthz").status for _ in range(4)] == [200] * 4
    finally:
        for upload in uploads:
            upload.close()


def _ask_for_heads(connection, target, until, faults):
    try:
        while not until.is_set():
            assert connection.request("HEAD", target, timeout=60).status in (200, 504)
    except Exception as fault:  # pylint: disable=broad-except
        faults.append(fault)


def _puts_beside_escaping(service, ns, count):
    """Statuses of PUTs while four clients keep the service's only thread busy."""
    until, faults = threading.Event(), []
    busy = [threading.Thread(target=_ask_for_heads, args=(service.connect(), f"/cache/{ns}/large", until, faults))
            for _ in range(4)]
    for thread in busy:
        thread.start()
    try:
        with service.connect(timeout=60) as connection:
            statuses = [connection.request("PUT", f"/raw/{ns}/k{i}", {}, b"v").status for i in range(count)]
    finally:
        until.set()
        for thread in busy:
            thread.join()
    assert not faults, faults
    return statuses


def test_a_large_answer_being_escaped_makes_no_other_request_late(start_service, engine, ns):
    """Four clients, one entry: the thread they keep busy must not blame the engine (504) to the others."""
    # From a server the large value has to come for each of them, before what is asked behind it.
    deadline = "500" if engine.settings()["CACHE_ENGINE"] == "memory" else "2500"
    service = start_service(HTTP_THREADS="1", CACHE_DEADLINE_MS=deadline)
    service.request("PUT", f"/raw/{ns}/large", {"Content-Type": "text/plain"}, b"\x01" * (8 * MIB))
    # On a busy machine an engine may be late of itself; a thread that blames it does so each time.
    seen = []
    for _ in range(4):
        seen.append(_puts_beside_escaping(service, ns, 12))
        if seen[-1].count(201) + seen[-1].count(200) >= 11:
            return
    assert False, seen
