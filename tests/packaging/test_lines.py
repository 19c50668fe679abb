"""Lines of pages that need what a test has not, a container engine or a service manager: read by the programs that they are
for, as far as these get without.
"""

import os
import re
import shutil
import subprocess

import pytest
from stage import project_file
from support import printed
from support.service import ROOT


def operands_of(command, option):
    return re.findall(rf" {option} (\S+)", command)


@pytest.mark.parametrize("command", printed.near(printed.ENGINE))
def test_a_line_for_a_container_engine_names_what_is_there(command):
    for file in operands_of(command, "-f"):
        assert os.path.isfile(os.path.join(ROOT, file)), file
    for profile in operands_of(command, "--profile"):
        assert f"profiles: [{profile}]" in project_file("deploy/compose/compose.yaml") or profile == "'*'"


@pytest.mark.parametrize("command", [one for one in printed.near(printed.ENGINE) if " compose " not in one])
def test_a_line_for_a_container_engine_is_read_by_its_client(command):
    """It gets as far as asking for the engine, which is told to be where none is."""
    if not shutil.which("docker"):
        pytest.skip("no docker client here")
    for spoiled in (False, True):
        line = command.replace("docker ", "docker --host tcp://127.0.0.1:1 ", 1)
        line = re.sub(r"(build|push|run) ", r"\1 --no-such-option ", line, count=1) if spoiled else line
        done = subprocess.run(["sh", "-c", line], cwd=ROOT, text=True, capture_output=True, timeout=60, check=False,
                              env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "DOCKER_BUILDKIT": "0"})
        assert done.returncode != 0
        assert bool(re.search(r"unknown flag", done.stderr)) == spoiled, done.stderr
        assert bool(re.search(r"[Cc]annot connect|connection refused", done.stderr)) != spoiled, done.stderr


@pytest.mark.parametrize("command", [one for one in printed.near(printed.ENGINE) if " compose " in one])
def test_a_line_for_compose_is_read_by_compose(command):
    """Its options before the verb, with the one verb that needs no engine; test_compose.py looks at what comes of it."""
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed")
    line = re.sub(r" (up|down)\b.*", " config --quiet", command.replace("docker compose", "docker-compose"))
    subprocess.run(["sh", "-c", line], cwd=ROOT, check=True, timeout=60)


@pytest.mark.parametrize("command", printed.near(printed.MANAGER))
def test_a_line_for_the_service_manager_is_read_by_its_programs(command):
    words = command.removeprefix("sudo ").replace("/usr/bin/cubby", "/bin/true").split()
    if not shutil.which(words[0]) or os.path.isdir("/run/systemd/system"):
        pytest.skip("systemd's programs are not here, or a manager is, whom a test leaves alone")
    for spoiled in ([], ["--no-such-option"]):
        done = subprocess.run([words[0], *spoiled, *words[1:]], text=True, capture_output=True, timeout=30, check=False)
        assert bool(re.search("not been booted with systemd|connect to bus|in chroot", done.stderr)) != bool(spoiled), done.stderr


def test_the_package_is_built_and_installed_as_printed_by_the_tests_in_debian_13():
    build, install = printed.near(printed.RELEASE)
    assert f"/src/{build}\n" in project_file("tests/packaging/debian13.sh")
    assert "docs/deployment.md" in project_file("tests/packaging/test_deb.sh") and install.startswith("sudo apt install ")


def test_the_compose_file_begins_with_the_lines_of_the_page():
    at_its_head = re.findall(r"^#   (docker compose .*?)(?:  .*)?$", project_file("deploy/compose/compose.yaml"), re.MULTILINE)
    assert len(at_its_head) == 3 and set(at_its_head) <= set(printed.near(printed.ENGINE))
