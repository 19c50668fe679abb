"""Fixtures of the packaging tests: the real binary (CUBBY_BINARY) as an operator's tools meet it."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.service import Service  # noqa: E402


@pytest.fixture
def start_service():
    """Starts replicas; each is stopped and judged at the end."""
    started = []

    def start(**settings):
        replica = Service({"CACHE_ENGINE": "memory", "HTTP_THREADS": "1", **settings}).start()
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
