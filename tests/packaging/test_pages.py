"""Every block of code on every page is run as it is printed, or held to the program; support/printed.py says which is where.

Commands run in a network of their own, so that `localhost:8080` of a page is the service that the page started. Lines that
need what a test has not (a cluster, a container engine) are in test_lines.py and tests/deploy.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess

import pytest
from stage import Stage, build_alone, project_file
from support import pages, printed
from support.own_network import NoLeave
from support.service import ROOT, binary_path, run_once

BLOCKS = pages.all_blocks()
RUNS = {}


def runs(name):
    def keep(function):
        RUNS[name] = function
        return function
    return keep


@pytest.fixture
def stage(tmp_path):
    pages.need("curl")
    try:
        stage = Stage(tmp_path)
    except NoLeave:
        pytest.skip("no leave to make a network of its own")
    yield stage
    stage.close()


# ---- Nothing is left out ----

def unplaced(blocks):
    return [name for name, block in blocks.items() if not printed.is_placed(block)]


def test_every_block_has_somebody_who_runs_it_or_says_why_not():
    assert unplaced(BLOCKS) == []


def test_what_is_listed_is_printed_somewhere():
    listed = set().union(printed.DRAWINGS, *printed.SUITES.values())
    assert [name for name in listed if name not in BLOCKS] == []
    commands = {command for block in BLOCKS.values() for _, command in printed.lines_of(block.text)}
    assert [command for command in printed.NOT_RUN if command not in commands] == []


def test_a_block_and_a_line_that_nobody_runs_are_found():
    page = project_file("docs/deployment.md")
    before = page.index("## Plain")
    for text, missing in (
            ("## New\n```sh\ncubby --help\n```\n", ["docs/deployment.md#New"]),
            ("## New\n```\nnothing\n```\n", ["docs/deployment.md#New"]),
            ("## New\n```sh\nhelm test cubby --namespace cubby\n```\n", []),
            ("## New\n```sh\nhelm test cubby --namespace cubby\nhelm history\n```\n", ["docs/deployment.md#New"]),
            ("```yaml\nnew: one\n```\n", ["docs/deployment.md#systemd (3)"])):
        found = pages.read_blocks("docs/deployment.md", page[:before] + text + page[before:])
        assert unplaced({block.name: block for block in found}) == missing


def test_each_block_of_this_suite_has_its_test():
    assert set(RUNS) == printed.SUITES[printed.PACKAGING]


# ---- README ----

def transcript(text):
    """[(command, [what it prints])] of a console block."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line:
            found[-1][1].append(line)
    return found


def same_in_each_run(text):
    """Tags and ids by when they first appear, times by their form."""
    seen = {}
    text = re.sub(r"\b[0-9a-f]{16}\b", lambda found: f"<{seen.setdefault(found[0], len(seen))}>", text)
    text = re.sub(r"\b35[0-9]{2}\.[0-9]{1,3}\b", "<less than an hour>", text)
    return re.sub(r"\bDate: [A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT\b", "<date>", text)


def start_release(stage, script):
    """Runs a script that builds the release and serves; where it listens."""
    if os.path.realpath(binary_path()) == os.path.join(ROOT, "build", "package", "cubby"):
        pytest.skip("the package is under test: one release build is enough")
    with build_alone("release") as configured:
        return stage.start(script, ROOT, **configured).listening()


@runs("README.md#Cubby")
def start_as_printed(stage, _):
    """From a tree whose release build may be old, or not be there."""
    start = printed.runnable(BLOCKS["README.md#Cubby"])
    assert start.split()[0] == "deploy/run.sh" and start.count("\n") == 1
    at = start_release(stage, start)
    assert (at["host"], at["port"]) == ("127.0.0.1", 8080)


@runs("README.md#Cubby (2)")
def run_the_first_minute(stage, block):
    start_as_printed(stage, block)
    wanted = transcript(block.text)
    assert len(wanted) == 5
    got = [(command, stage.run(command).replace("\r", "").strip().splitlines()) for command, _ in wanted]
    assert same_in_each_run(json.dumps(got, indent=0)) == same_in_each_run(json.dumps(wanted, indent=0))


def test_the_readme_is_read_in_three_minutes():
    """By somebody who reads 230 words a minute, code and tables included."""
    assert len(project_file("README.md").split()) <= 690


# ---- Other pages ----

@runs("docs/deployment.md#Plain")
@runs("docs/deployment.md#Plain (2)")
def run_plain(stage, block):
    wants_redis = "REDIS_HOST" in block.text
    if wants_redis:
        stage.run("redis-server --port 6379 --bind 127.0.0.1 --save '' --daemonize yes >/dev/null\n"
                  "until redis-cli ping >/dev/null 2>&1; do sleep 0.1; done")
    port = start_release(stage, block.text)["port"]
    assert port == (9000 if wants_redis else 8080)
    stage.run(f"curl -X PUT -d hello localhost:{port}/raw/greetings/1")
    if wants_redis:
        assert stage.run("redis-cli exists cubby:greetings:1; redis-cli shutdown nosave").split() == ["1"]


@runs("docs/engines.md#One on this machine")
def run_with_a_redis(stage, block):
    stage.start(block.text)
    stage.run("until curl -q -s -f -o /dev/null localhost:8080/readyz; do sleep 0.1; done\n"
              "curl -X PUT -d hello localhost:8080/raw/greetings/1")
    assert stage.run("redis-cli exists cubby:greetings:1").split() == ["1"]


@runs("docs/deployment.md#Tokens")
@runs("docs/deployment.md#Kubernetes (4)")
def run_with_tokens(stage, block):
    make = BLOCKS["docs/deployment.md#Tokens"].text + 'printf %s "$token"'
    token = stage.run(make)
    stage.serve(CACHE_TOKENS_FILE=stage.folder / "tokens.json")
    status = "curl -q -s -o /dev/null -w '%{http_code}' "
    bearer = f"-H 'Authorization: Bearer {token}' "
    assert stage.run(status + "localhost:8080/raw/users/1") == "401"
    assert stage.run(status + bearer + "localhost:8080/raw/users/1") == "404"
    assert stage.run(status + bearer + "localhost:8080/raw/team-7/1") == "404"
    assert stage.run(status + bearer + "localhost:8080/raw/others/1") == "403"
    if block.name != "docs/deployment.md#Tokens":
        assert stage.run(printed.runnable(block), token=token) == "hello"


@runs("docs/deployment.md#Compose")
@runs("docs/deployment.md#systemd")
def run_what_is_asked_of_it(stage, block):
    """The containers' and the unit's settings leave the port as it is."""
    stage.serve()
    assert printed.runnable(block).startswith("curl -X PUT")
    stage.run(printed.runnable(block))
    assert stage.run("curl localhost:8080/raw/greetings/1") == "hello"


@runs("docs/security.md#Tokens")
def run_digest(stage, block):
    printed_digest, token = stage.run(block.text + 'printf %s "$token"').split("-")
    assert printed_digest.strip() == hashlib.sha256(token.strip().encode()).hexdigest()


def check(stage, name, text):
    file = stage.folder / "file.json"
    file.write_text(text)
    return run_once("--check", settings={name: file})


@runs("docs/security.md#Tokens (2)")
def take_tokens(stage, block):
    taken = check(stage, "CACHE_TOKENS_FILE", block.text)
    assert taken.returncode == 0, taken.stderr
    assert check(stage, "CACHE_TOKENS_FILE", block.text.replace('"read"', '"reed"')).returncode == 78


@runs("docs/namespaces.md#Policies")
def take_policies(stage, block):
    taken = check(stage, "CACHE_NAMESPACES_FILE", block.text)
    assert taken.returncode == 0, taken.stderr
    assert check(stage, "CACHE_NAMESPACES_FILE", block.text.replace("max_ttl", "max_tll")).returncode == 78


@runs("docs/namespaces.md#Looking")
def answer_as_printed(stage, block):
    """With the policies that the page begins with, and as many entries as it says, of as many bytes."""
    wanted = json.loads(block.text)
    (stage.folder / "policies.json").write_text(BLOCKS["docs/namespaces.md#Policies"].text)
    stage.serve(CACHE_NAMESPACES_FILE=stage.folder / "policies.json")
    entries, size = wanted["entries"], wanted["bytes"] // wanted["entries"]
    assert entries * size == wanted["bytes"]
    stage.run(f"for i in $(seq {entries}); do\n"
              f"  printf '%0{size}d' 0 | curl -X PUT --data-binary @- localhost:8080/raw/{wanted['namespace']}/$i\ndone")
    got = stage.run(f"curl localhost:8080/namespaces/{wanted['namespace']}")
    assert got.strip() == block.text.replace("\n ", "").strip()


@runs("docs/deployment.md#Monitoring")
def take_scrape_configuration(stage, block):
    """A real Prometheus' judge, with the rules beside it; and the port is the one that other pages give the service."""
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    (stage.folder / "prometheus.yml").write_text(block.text)
    shutil.copy(os.path.join(ROOT, "deploy/monitoring/alerts.yml"), stage.folder)
    stage.run("promtool check config prometheus.yml")
    stage.serve(ADMIN_PORT=9180)
    target = re.search(r'targets: \["(.*)"\]', block.text)[1]
    assert "cubby_build_info" in stage.run(f"curl http://{target}/metrics")


@runs("CONTRIBUTING.md#Contributing (2)")
def build_as_printed(stage, block):
    if os.path.realpath(binary_path()) != os.path.join(ROOT, "build", "dev", "cubby"):
        pytest.skip("the service under test is not of the build that the page makes")
    with build_alone("dev") as configured:
        stage.run(printed.runnable(block), ROOT, **configured)


@pytest.mark.parametrize("name", sorted(RUNS))
def test_it_runs_as_printed(name, stage):
    RUNS[name](stage, BLOCKS[name])


# ---- Lines that take minutes ----

LONG_CHECKS = {
    "tests/run.sh": lambda words: all(f"step_{word}() {{" in project_file("tests/run.sh") for word in words[1:]),
    "tests/bench/run.sh": lambda words: (f" = {words[1]} ]" in project_file("tests/bench/run.sh")
                                         or options_are_known("tests/bench/bench.py", words[1:])),
    "tests/history/run.py": lambda words: options_are_known("tests/history/run.py", words[1:]),
    "ctest": lambda words: "step_unit" in project_file("tests/run.sh") and words[1:3] == ["--test-dir", "build/dev"],
    "/usr/bin/python3": lambda words: words[1:3] == ["-m", "pytest"] and os.path.isdir(os.path.join(ROOT, words[-1])),
}


def options_are_known(program, words):
    said = subprocess.run(["/usr/bin/python3", os.path.join(ROOT, program), "--help"], text=True, capture_output=True,
                          check=True).stdout
    return all(re.search(rf"{word}\b", said) for word in words if word.startswith("--"))


@pytest.mark.parametrize("command", printed.near(printed.LONG))
def test_the_words_of_what_takes_minutes_are_known(command):
    words = [word for word in command.split() if not re.match(r"[A-Z_]+=", word)]
    assert os.access(words[0] if words[0][0] == "/" else os.path.join(ROOT, words[0]), os.X_OK) or shutil.which(words[0])
    assert LONG_CHECKS[words[0]](words)
    assert not options_are_known("tests/history/run.py", ["--operation-count"])
