"""What tools of others make of the document: a linter, a generator of clients, a browser."""

import os
import shutil
import subprocess

import pytest

from support.document import PATH
from support.service import ROOT

HERE = os.path.join(ROOT, "tests", "openapi")
pytestmark = pytest.mark.npm


def run(tools, *command, **how):
    # No tool of these is to talk to anybody.
    environment = {"PATH": os.environ["PATH"], "HOME": tools, "REDOCLY_TELEMETRY": "off",
                   "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "CI": "true"}
    done = subprocess.run(command, cwd=tools, env=environment, text=True, stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=180, check=False, **how)
    return done.returncode, done.stdout + done.stderr


def tool(tools, name):
    return os.path.join(tools, "node_modules", ".bin", name)


def lint(tools, path):
    return run(tools, tool(tools, "redocly"), "lint", "--max-problems=100", "--format=json",
               f"--config={HERE}/redocly.yaml", path)


def test_the_linter_has_nothing_to_say(tools):
    status, said = lint(tools, PATH)
    assert status == 0 and '"errors": 0' in said and '"warnings": 0' in said, said


def test_the_linter_would_say_something(tools, tmp_path):
    with open(PATH, encoding="utf-8") as file:
        text = file.read()
    broken = tmp_path / "openapi.json"
    broken.write_text(text.replace('"operationId": "flush"', '"operationId": "readEntry"', 1), encoding="utf-8")
    assert lint(tools, str(broken))[0] != 0


def test_a_generated_client_compiles_and_makes_a_round_trip(tools, service):
    folder = os.path.join(tools, "client")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(os.path.join(HERE, "client"), folder)
    status, said = run(tools, tool(tools, "openapi-typescript"), PATH, "--output", os.path.join(folder, "document.d.ts"))
    assert status == 0, said
    status, said = run(tools, tool(tools, "tsc"), "--project", folder)
    assert status == 0, said
    status, said = run(tools, "node", os.path.join(folder, "out", "roundtrip.js"), f"http://127.0.0.1:{service.port}")
    assert status == 0 and "round trip done" in said, said


def test_the_page_works_in_a_browser(tools, service):
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("no chromium")
    service.request("POST", "/flush")
    shutil.copy(os.path.join(HERE, "page.mjs"), tools)
    status, said = run(tools, "node", "page.mjs", f"http://127.0.0.1:{service.port}", browser)
    assert status == 0 and "page done" in said, said
