"""Fixtures of the black-box suites. See support/service.py for how the service is run and judged.

CUBBY_BINARY       the binary under test (build/dev/cubby)
CUBBY_TEST_ENGINE  memory (default), or another of support/engines.py
"""

import itertools
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.api import VIEWS, Api  # noqa: E402
from support.engines import create_engine  # noqa: E402
from support.service import Service  # noqa: E402

_namespace_numbers = itertools.count(1)

# What comes out the same whatever the engine is, and why. These get the mark any_engine and are run on the memory engine
# alone; everything about entries, primitives, listings and waiting for an engine is run on every one.
ANY_ENGINE = {
    "test_access": "tokens are judged before an engine is asked",
    "test_access_matrix": "the same, for every route",
    "test_admin_port": "a socket of its own, and what it serves",
    "test_corpus": "requests that no route sees",
    "test_deadlines": "the client is slow, not the engine",
    "test_drain": "what is in flight is a client's half-sent request or unread answer",
    "test_drain_under_load": "the same, with many of them",
    "test_header_room": "requests that no route sees",
    "test_listen": "the sockets it listens at",
    "test_memory_of_answers": "the limit is the memory engine's",
    "test_settings": "the command line",
    "test_tls": "the way to the service",
    "test_tracing": "a field and the access log",
}
# Fixtures that start a service over a faulty engine of their own.
OWN_ENGINE = {"slow", "failing"}


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.stem in ANY_ENGINE or OWN_ENGINE & set(item.fixturenames):
            item.add_marker("any_engine")


def pytest_configure(config):
    folder = os.path.dirname(os.path.abspath(__file__))
    assert all(os.path.exists(os.path.join(folder, f"{name}.py")) for name in ANY_ENGINE)
    config.addinivalue_line("markers", "any_engine: the same whatever the engine is, see ANY_ENGINE in conftest.py")
    config.addinivalue_line("markers", "shared: two replicas side by side on one shared engine")
    config.addinivalue_line("markers", "smoke: the part that is run against the release build too")


@pytest.fixture(scope="session")
def engine():
    """With patience: it is not late because the machine is busy. Tests of lateness say themselves what is late."""
    engine = create_engine().start()
    own_settings = engine.settings
    engine.settings = lambda: {"CACHE_DEADLINE_MS": "5000", **own_settings()}
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def service(engine):
    """The replica that most tests share, with default limits."""
    replica = Service(engine.settings()).start()
    yield replica
    replica.stop()


@pytest.fixture(scope="session")
def capabilities(service):
    return service.request("GET", "/capabilities").json()


@pytest.fixture
def start_service(engine):
    """Starts replicas with settings of the test's own; each is stopped and judged at the end."""
    started = []

    def start(**settings):
        replica = Service({**engine.settings(), **settings}).start()
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


@pytest.fixture
def ns(request):
    """A namespace that no other test uses."""
    return f"t{next(_namespace_numbers)}-{os.getpid()}"


@pytest.fixture
def api(service, ns):
    api = Api(service, ns)
    yield api
    api.close()


@pytest.fixture(params=VIEWS)
def view(request):
    """Runs the test in both views of an entry."""
    return request.param
