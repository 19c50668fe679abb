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


def pytest_configure(config):
    config.addinivalue_line("markers", "shared: two replicas side by side on one shared engine")
    config.addinivalue_line("markers", "smoke: the part that is run against the release build too")


@pytest.fixture(scope="session")
def engine():
    engine = create_engine().start()
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
