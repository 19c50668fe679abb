"""What stands in deploy/ agrees with the program and with each other."""

import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from support.service import run_once

import dockerfile_steps

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def version():
    return re.search(r"project\(cubby VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))[1]


def words_of_help():
    return set(re.findall(r"^  (--[a-z-]+)", run_once("--help").stdout, re.MULTILINE)) | {"--help-markdown"}


def complete(*words):
    script = f"""source {DEPLOY}/completion/cubby.bash
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _cubby; printf '%s\\n' "${{COMPREPLY[@]}}" """
    said = subprocess.run(["bash", "-c", script, "bash", *words], check=True, capture_output=True, text=True).stdout
    return set(said.split())


def test_completion_knows_every_word_of_the_command_line():
    assert complete("cubby", "--") == words_of_help()
    assert complete("cubby", "--pr") == {"--probe"}
    assert complete("cubby", "--probe", "/") == {"/readyz", "/healthz"}
    assert complete("cubby", "--check", "--") == set()


def manual_page():
    binary = os.environ.get("CUBBY_BINARY", str(ROOT / "build" / "dev" / "cubby"))
    run = subprocess.run([DEPLOY / "man" / "make.sh", binary, "9.8.7", "/etc/elsewhere"], check=True,
                         capture_output=True, text=True)
    return run.stdout.replace("\\-", "-")


def test_the_manual_page_has_every_option_and_setting():
    page = manual_page()
    for word in words_of_help():
        assert word in page, word
    names = re.findall(r"^\| `([A-Z_]+)`", run_once("--help-markdown").stdout, re.MULTILINE)
    assert len(names) > 30
    for name in names:
        assert re.search(rf"^\\fB{name}\\fR", page, re.MULTILINE), name
    assert "cubby 9.8.7" in page and "/etc/elsewhere/cubby.env" in page
    assert not re.search(r"@[A-Z_]+@", page), "a place that was not filled"


def test_versions_agree():
    assert f"ARG VERSION={version()}\n" in (DEPLOY / "container" / "Dockerfile").read_text(encoding="utf-8")
    changelog = (DEPLOY / "debian" / "changelog").read_text(encoding="utf-8")
    assert changelog.startswith(f"cubby ({version()}) ")
    contact = re.search(r"^ -- (.*>)  ", changelog, re.MULTILINE)[1]
    assert f'"{contact}"' in (ROOT / "cmake" / "packaging.cmake").read_text(encoding="utf-8")


def test_what_is_said_of_the_licence_is_the_same_everywhere():
    """None has been chosen. Whoever chooses one finds here the places that say so; CONTRIBUTING.md lists them."""
    info = json.loads((ROOT / "openapi" / "openapi.json").read_text(encoding="utf-8"))["info"]
    terms = (DEPLOY / "debian" / "copyright").read_text(encoding="utf-8")
    own = re.search(r"^Files: \*\n(.*?)\n\n", terms, re.MULTILINE | re.DOTALL)[1]
    name = re.search(r"^License: (.*)$", own, re.MULTILINE)[1]
    assert info["license"]["identifier"] in (name, f"LicenseRef-{name}")
    assert (name == "unpublished") == (not list(ROOT.glob("LICEN[CS]E*")))
    assert (name == "unpublished") == ("All rights are with the authors." in own)
    assert (name == "unpublished") == ("## Licence\n\nNone has been chosen" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    for file in ("deploy/container/Dockerfile", "deploy/helm/cubby/Chart.yaml", "tests/deploy/package.json", "tests/openapi/package.json",
                 "cmake/packaging.cmake", "README.md"):
        assert not re.search(r"licen[cs]es?\b", (ROOT / file).read_text(encoding="utf-8"), re.IGNORECASE), file
    contact = re.search(r"^Upstream-Contact: (.*)$", terms, re.MULTILINE)[1]
    assert f'"{contact}"' in (ROOT / "cmake" / "packaging.cmake").read_text(encoding="utf-8")


def test_what_came_from_others_keeps_its_terms():
    terms = (DEPLOY / "debian" / "copyright").read_text(encoding="utf-8")
    viewer = terms.partition("Files: openapi/viewer/*\n")[2]
    notice = (ROOT / "openapi" / "viewer" / "NOTICE").read_text(encoding="utf-8")
    assert re.search(r"Copyright ([0-9-]+ .*)", notice)[1] in viewer and "License: Apache-2.0" in viewer
    installed = (ROOT / "openapi" / "CMakeLists.txt").read_text(encoding="utf-8")
    collected = (DEPLOY / "container" / "collect.sh").read_text(encoding="utf-8")
    for file in ("LICENSE", "NOTICE", "swagger-ui-bundle.js.LICENSE.txt"):
        assert f"viewer/{file}" in installed and file in collected, file


def test_the_settings_file_of_the_package_is_good_as_it_is_and_with_every_line_of_it(tmp_path):
    lines = (DEPLOY / "systemd" / "cubby.env").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if line and not line.startswith("#")], "nothing is set"
    settings = dict(line[1:].split("=", 1) for line in lines if re.match(r"#[A-Z_]+=", line))
    assert len(settings) > 3
    assert run_once("--check", settings=settings).returncode == 0


def test_the_unit_waits_longer_than_the_drain():
    unit = (DEPLOY / "systemd" / "cubby.service.in").read_text(encoding="utf-8")
    page = run_once("--help-markdown").stdout
    drain = sum(int(re.search(rf"`{name}` \| `(\d+)`", page)[1])
                for name in ("HTTP_DRAIN_DELAY_MS", "HTTP_DRAIN_TIMEOUT_MS"))
    assert int(re.search(r"^TimeoutStopSec=(\d+)s$", unit, re.MULTILINE)[1]) * 1000 > drain
    assert "Type=notify\n" in unit and "RestartPreventExitStatus=64 78\n" in unit


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_the_unit_is_as_closed_as_it_says_and_systemd_knows_every_line_of_it(tmp_path):
    unit = (DEPLOY / "systemd" / "cubby.service.in").read_text(encoding="utf-8")
    unit = unit.replace("@CUBBY_CONFIG_FOLDER@", "/etc/cubby").replace("@CMAKE_INSTALL_FULL_BINDIR@/cubby", "/bin/true")

    def analyze(text, *words):
        (tmp_path / "cubby.service").write_text(text, encoding="utf-8")
        return subprocess.run(["systemd-analyze", *words, tmp_path / "cubby.service"], capture_output=True, text=True, check=False)

    def exposure(text):
        said = analyze(text, "security", "--offline=true").stdout
        return float(re.search(r"Overall exposure level for cubby.service: ([0-9.]+)", said)[1])

    def complaints(text):
        return [line for line in analyze(text, "verify", "--man=no").stderr.splitlines() if "cubby.service" in line]

    assert exposure(unit) <= 1.5 < exposure(unit.replace("PrivateUsers=yes", "").replace("CapabilityBoundingSet=\n", ""))
    assert complaints(unit) == []
    assert complaints(unit.replace("PrivateTmp=", "PrivatTmp=")) != []


def test_an_unknown_step_of_a_dockerfile_is_refused():
    text = (DEPLOY / "container" / "Dockerfile").read_text(encoding="utf-8")
    steps = dockerfile_steps.build_steps(text)
    assert [step[0] for step in steps].count("RUN") == 3
    for odd in ("ADD x y", "RUN --mount=type=cache x", "SHELL [\"x\"]", "USER 1"):
        with pytest.raises(ValueError):
            dockerfile_steps.build_steps(text.replace("WORKDIR /src", f"WORKDIR /src\n{odd}"))


def test_what_is_ignored_needs_no_more_than_tar_understands():
    lines = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
             if line and not line.startswith("#")]
    assert ".git" in lines and "build" in lines
    for line in lines:
        assert re.fullmatch(r"(\*\*/)?(\*\.)?[\w.]+", line), line


def test_the_packages_manual_page_is_that_of_the_binary():
    made = pathlib.Path(os.environ.get("CUBBY_BINARY", "/nonexistent")).parent / "documents" / "cubby.1.gz"
    if not made.exists():
        pytest.skip("this build makes no manual page")
    page = gzip.decompress(made.read_bytes()).decode().replace("\\-", "-")
    assert f"cubby {version()}" in page and "HTTP_PORT" in page
