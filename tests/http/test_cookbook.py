"""The cookbook's scripts run as printed, and print what it says."""

import os
import re
import subprocess

import pytest

from support.service import ROOT, clean_environment

PAGE = os.path.join(ROOT, "docs", "cookbook.md")
BLOCK = re.compile(r"^```sh ?([^\n]*)\n(.*?)^```\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read_page():
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    setup = re.search(r"^```sh setup\n(.*?)^```$", text, re.MULTILINE | re.DOTALL).group(1)
    recipes = {}
    for section in text.split("\n## ")[1:]:
        title = section.partition("\n")[0]
        found = BLOCK.search(section)
        assert found, f"{title}: a script and what it prints"
        needs = re.match(r"needs=(\S+)", found.group(1))
        recipes[title] = (needs.group(1).split(",") if needs else [], found.group(2), found.group(3))
    return setup, recipes


SETUP, RECIPES = read_page()


def matches(printed, expected):
    """Line by line; `…` stands for anything."""
    pattern = ".*".join(re.escape(piece) for piece in expected.split("…"))
    return re.fullmatch(pattern, printed) is not None


def test_the_cookbook_has_what_services_build():
    wanted = ["Rate limiter", "Session store", "Single-flight cache fill", "Leader lock with fencing", "Feature flags",
              "Request de-duplication", "Recent activity", "Cache warming"]
    assert [title for title in wanted if title not in RECIPES] == []


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_prints_what_the_page_says(title, start_service, capabilities):
    needs, script, expected = RECIPES[title]
    if not all(capabilities["supports"][feature] for feature in needs):
        pytest.skip("not on this engine, as the page says")
    replica = start_service()
    replica.request("POST", "/flush")
    environment = {**clean_environment({}), "CUBBY": f"http://127.0.0.1:{replica.port}"}
    # Counters, limits and locks outlive a flush and other tests: names of this run's own.
    script = re.sub(r"/(limits|locks|counters)/(\w+)", rf"/\1/\2-{os.getpid()}-{replica.port}", script)
    done = subprocess.run(["bash", "-c", SETUP + script], env=environment, stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=60, check=False)
    printed = (done.stdout + done.stderr).replace("\r", "")
    printed = printed.replace(f"-{os.getpid()}-{replica.port}", "")
    lines, wanted = printed.splitlines(), expected.splitlines()
    if title == "Single-flight cache fill":
        lines = sorted(lines)
        wanted = sorted(wanted)
    assert len(lines) == len(wanted) and all(map(matches, lines, wanted)), printed
