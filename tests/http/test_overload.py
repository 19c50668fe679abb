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


def test_a_large_answer_being_escaped_makes_no_other_request_late(start_service, ns):
    """Two clients, one entry: the thread they keep busy must not blame the engine (504) to the others."""
    service = start_service(HTTP_THREADS="1")
    service.request("PUT", f"/raw/{ns}/large", {"Content-Type": "text/plain"}, b"\x01" * (8 * MIB))
    until, faults = threading.Event(), []
    busy = [threading.Thread(target=_ask_for_heads, args=(service.connect(), f"/cache/{ns}/large", until, faults))
            for _ in range(4)]
    for thread in busy:
        thread.start()
    statuses = []
    try:
        with service.connect(timeout=60) as connection:
            for i in range(12):
                statuses.append(connection.request("PUT", f"/raw/{ns}/k{i}", {}, b"v").status)
    finally:
        until.set()
        for thread in busy:
            thread.join()
    assert not faults, faults
    assert set(statuses) == {201}, statuses
