"""The pages of the project: what they print as code, and who runs it.

Each block between ``` belongs to a page and a section. tests/support/printed.py says for every one of them who runs it.
The pages docs/api.md and docs/cookbook.md are scripts with what they print; Page runs them. A page of that kind has one
block ```sh setup that comes before each script, and in each section one script with what it prints:

    ```sh needs=list,tags     (features of /capabilities; may be left out)
    script
    ```
    ```text
    what it prints, line by line; … stands for anything
    ```
"""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

from support.service import ROOT, clean_environment

BLOCK = re.compile(r"^```sh ?([^\n]*)\n(.*?)^```\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANY_SCRIPT = re.compile(r"^```(?:sh|console|bash)\b(?! setup)", re.MULTILINE)
PAGES = ("*.md", "docs/*.md", "deploy/**/*.md", "tests/*/*.md")


def need(program):
    """Fails at once where a program that pages call is missing: their loops would wait for its answer for ever."""
    if not shutil.which(program):
        pytest.fail(f"{program} is not installed, and the pages' scripts call it", pytrace=False)


class Code:
    """One block of a page. `name` is `page#section`, the second of a section `page#section (2)`."""

    def __init__(self, name, language, text):
        self.name = name
        self.language = language
        self.text = text


def read_blocks(page, text):
    """All blocks of a page, in order. A block that does not end is an error."""
    found, section, numbers, language, lines = [], "", {}, None, []
    for line in text.splitlines(keepends=True):
        if line.startswith("```") and language is None:
            language, lines = line[3:].strip(), []
        elif line.startswith("```"):
            number = numbers[section] = numbers.get(section, 0) + 1
            name = f"{page}#{section}" + (f" ({number})" if number > 1 else "")
            found.append(Code(name, language.partition(" ")[0], "".join(lines)))
            language = None
        elif language is not None:
            lines.append(line)
        elif line.startswith("#"):
            section = line.strip("# \n")
    assert language is None, f"{page}: a block that does not end"
    return found


def all_blocks(root=ROOT):
    """Every block of every page, by name."""
    found = {}
    for pattern in PAGES:
        for path in sorted(pathlib.Path(root).glob(pattern)):
            page = str(path.relative_to(root))
            for block in read_blocks(page, path.read_text(encoding="utf-8")):
                assert block.name not in found, f"{block.name}: two sections of this name"
                found[block.name] = block
    return found


class Script:
    def __init__(self, needs, text, expected):
        self.needs = needs
        self.text = text
        self.expected = expected


class Page:
    """`name` is a file of docs/; `scripts` are by the title of their section, the second of one as `title (2)`."""

    def __init__(self, name):
        with open(os.path.join(ROOT, "docs", name), encoding="utf-8") as file:
            text = file.read()
        self.name = name
        self.setup = re.search(r"^```sh setup\n(.*?)^```$", text, re.MULTILINE | re.DOTALL).group(1)
        self.scripts = {}
        self.titles = []
        for section in text.split("\n## ")[1:]:
            title = section.partition("\n")[0]
            self.titles.append(title)
            found = list(BLOCK.finditer(section))
            assert len(found) == len(ANY_SCRIPT.findall(section)), f"{title}: a script without what it prints"
            for number, block in enumerate(found, 1):
                needs = re.match(r"needs=(\S+)", block.group(1))
                self.scripts[title if number == 1 else f"{title} ({number})"] = Script(
                    needs.group(1).split(",") if needs else [], block.group(2), block.group(3))

    def run(self, title, replica, supports, unordered=False):
        """Runs one script against a replica of its own, and compares what it prints. Skips what the engine cannot do."""
        need("curl")
        script = self.scripts[title]
        if not all(supports[feature] for feature in script.needs):
            pytest.skip("not on this engine, as the page says")
        replica.request("POST", "/flush")
        environment = {**clean_environment({}), "CUBBY": f"http://127.0.0.1:{replica.port}"}
        # Counters, limits and locks outlive a flush and other tests: names of this run's own.
        mark = f"-{os.getpid()}-{replica.port}"
        text = re.sub(r"/(limits|locks|counters)/(\w+)", rf"/\1/\2{mark}", script.text)
        done = subprocess.run(["bash", "-c", self.setup + text], env=environment, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=60, check=False)
        printed = (done.stdout + done.stderr).replace("\r", "").replace(mark, "")
        lines, wanted = printed.splitlines(), script.expected.splitlines()
        if unordered:
            lines, wanted = sorted(lines), sorted(wanted)
        assert len(lines) == len(wanted) and all(map(matches, lines, wanted)), printed


def matches(printed, expected):
    """`…` stands for anything."""
    pattern = ".*".join(re.escape(piece) for piece in expected.split("…"))
    return re.fullmatch(pattern, printed) is not None
