"""A request that goes through a large namespace lets the thread serve others meanwhile."""

import select

import pytest
from support.service import Service
from support.wire import build_request

ENTRIES = 200_000
LINES = 50_000
ROUNDS = 5


@pytest.fixture(scope="module")
def crowded(engine, capabilities):
    """A replica with one thread, and a namespace that takes long to go through."""
    if not capabilities["supports"]["list"]:
        pytest.skip("this engine cannot list keys")
    replica = Service({**engine.settings(), "HTTP_THREADS": "1"}).start()
    with replica.connect(timeout=60) as connection:
        for first in range(0, ENTRIES, LINES):
            lines = b"".join(b'{"key":"e%d","value":1}\n' % number for number in range(first, first + LINES))
            for _ in range(10):  # a busy machine may be late for the engine's deadline
                answer = connection.request("POST", "/cache/crowded", {"Content-Type": "application/x-ndjson"}, lines)
                if answer.status == 200:
                    break
            assert answer.status == 200, answer
    yield replica
    replica.request("POST", "/flush?namespace=crowded")
    replica.stop()


@pytest.mark.parametrize("method, target, fields", [
    ("GET", "/cache/crowded?prefix=none", {}),
    ("GET", "/cache/crowded?prefix=none", {"Accept": "application/x-ndjson"}),
    ("POST", "/flush?namespace=crowded&prefix=none", {}),
])
def test_others_are_served_while_a_large_namespace_is_gone_through(crowded, method, target, fields):
    overtaken = 0
    for _ in range(ROUNDS):
        with crowded.connect(timeout=60) as slow, crowded.connect() as quick:
            assert quick.request("GET", "/healthz").status == 200
            slow.send(build_request(method, target, list(fields.items()), b"" if method == "POST" else None))
            # The first may come in the same turn as the slow one.
            for _ in range(3):
                assert quick.request("GET", "/healthz").status == 200
            overtaken += not select.select([slow.sock], [], [], 0)[0]
            assert slow.read(method).status == 200
    # A machine with much else to do may look too late now and then.
    assert overtaken > ROUNDS // 2, f"{overtaken} of {ROUNDS}"
