"""Fixtures of the Memcached fault suite: the real service over real servers, or over a scripted peer.

CUBBY_BINARY  the binary under test (build/dev/cubby)
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from support.api import Api  # noqa: E402
from support.memcached_peer import MemcachedPeer  # noqa: E402
from support.memcached_servers import ServerSet  # noqa: E402
from support.service import Service  # noqa: E402


@pytest.fixture
def cleanup():
    """Things to stop() at the end, in the reverse order; what they find is raised."""
    things, faults = [], []
    yield things
    for thing in reversed(things):
        try:
            thing.stop()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def start(cleanup):
    """Starts a replica over `engine`, anything that has settings()."""
    def start_one(engine, **settings):
        service = Service({**engine.settings(), "LOG_ACCESS": "off", **settings}).start()
        cleanup.append(service)
        return service
    return start_one


@pytest.fixture
def three(cleanup):
    servers = ServerSet(3).start()
    cleanup.append(servers)
    return servers


@pytest.fixture
def one(cleanup):
    servers = ServerSet(1).start()
    cleanup.append(servers)
    return servers


@pytest.fixture
def peer(cleanup):
    scripted = MemcachedPeer()
    cleanup.append(scripted)
    return scripted


@pytest.fixture
def open_api(cleanup):
    def open_one(service, ns="n"):
        return Api(service, ns)
    return open_one
