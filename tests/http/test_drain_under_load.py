"""SIGTERM under load: a request that was sent before it is answered, or its connection was refused."""

import threading
import time

import pytest

from support.wire import Closed, build_request

CLIENTS = 40
ROUNDS = 6


def _work(service, ns, number, unanswered):
    """Requests one after the other on a kept connection, until the service is gone."""
    request = build_request("PUT", f"/raw/{ns}/{number}", {}, b"v")
    heavy = build_request("GET", f"/cache/{ns}/large")
    connection = service.connect(timeout=30)
    for turn in range(1000000):
        method = "GET" if (turn + number) % 30 == 0 else "PUT"
        sent = None
        try:
            connection.send(heavy if method == "GET" else request)
            sent = time.monotonic()
            answer = connection.read(method)
        except (Closed, OSError):
            # A refused send is no request; one whose time was taken after it had left surely is.
            if sent is not None:
                unanswered.append(sent)
            return
        if answer.closes:
            return


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_what_was_sent_before_sigterm_is_answered(start_service, ns, turn):
    service = start_service(HTTP_THREADS="2")
    service.request("PUT", f"/raw/{ns}/large", {"Content-Type": "text/plain"}, b'"' * (2 << 20))
    unanswered = []
    clients = [threading.Thread(target=_work, args=(service, ns, number, unanswered)) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    time.sleep(0.7 + turn * 0.03)
    asked = time.monotonic()
    service.terminate()
    for client in clients:
        client.join()
    assert service.wait() == 0
    before = [sent for sent in unanswered if sent < asked]
    assert not before, f"{len(before)} of {CLIENTS}, sent up to {(asked - min(before)) * 1000:.0f} ms before SIGTERM"
