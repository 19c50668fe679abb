"""Fixtures of the document's tests.

CUBBY_BINARY         the binary under test (build/dev/cubby)
CUBBY_OPENAPI_TOOLS  where tests/openapi/tools.sh put the tools from npm (build/openapi)
"""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.document import document as the_document  # noqa: E402
from support.service import ROOT, Service  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "npm: needs what tests/openapi/tools.sh installs")


@pytest.fixture(scope="session")
def document():
    return the_document()


@pytest.fixture(scope="session")
def service():
    replica = Service({"CACHE_ENGINE": "memory"}).start()
    yield replica
    replica.stop()


@pytest.fixture(scope="session")
def tools():
    folder = os.environ.get("CUBBY_OPENAPI_TOOLS", os.path.join(ROOT, "build", "openapi"))
    if not os.path.isdir(os.path.join(folder, "node_modules")):
        pytest.skip("no tools: run tests/openapi/tools.sh")
    return folder
