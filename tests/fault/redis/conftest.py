"""Fixtures of the fault suite: the service on real Redis servers that are broken on purpose.

CUBBY_BINARY   the binary under test (build/dev/cubby)
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from support.redis_servers import RedisServer  # noqa: E402
from support.service import Service  # noqa: E402


@pytest.fixture
def redis():
    server = RedisServer("--enable-debug-command", "yes").start()
    yield server
    server.stop()


@pytest.fixture
def start_service():
    """Starts replicas; each is stopped and judged at the end (status 0, no sanitizer spoke)."""
    started = []

    def start(settings, **more):
        replica = Service({"HTTP_THREADS": "2", "LOG_ACCESS": "off", **settings, **more}).start()
        started.append(replica)
        return replica

    yield start
    faults = []
    for replica in started:
        try:
            replica.stop()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)
