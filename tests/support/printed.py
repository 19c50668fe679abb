"""Who runs what the pages print as code.

Every block of every page (support/pages.py says which) belongs to a suite, which runs it as printed or, where it is no
command, holds it to the program; or all its lines are among those that need what a test has not, and then a test holds
their words to something: see `near` below. tests/packaging/test_pages.py fails for a block that is nowhere.
"""

import re

PACKAGING = "tests/packaging/test_pages.py"
DEPLOY = "tests/deploy/test_deployment_page.py"
SHELL = ("sh", "console", "bash")

# Pages that tests/http runs whole, on every engine.
SCRIPTS = ("docs/api.md", "docs/cookbook.md")

SUITES = {
    PACKAGING: {
        "README.md#Cubby",
        "README.md#Cubby (2)",
        "CONTRIBUTING.md#Contributing (2)",
        "docs/deployment.md#Tokens",
        "docs/deployment.md#Kubernetes (4)",
        "docs/deployment.md#Compose",
        "docs/deployment.md#systemd",
        "docs/deployment.md#Plain",
        "docs/deployment.md#Plain (2)",
        "docs/deployment.md#Monitoring",
        "docs/engines.md#One on this machine",
        "docs/namespaces.md#Policies",
        "docs/namespaces.md#Looking",
        "docs/security.md#Tokens",
        "docs/security.md#Tokens (2)",
    },
    DEPLOY: {
        "docs/deployment.md#Kubernetes (2)",
        "docs/deployment.md#Kubernetes (3)",
        "docs/deployment.md#Helm (2)",
    },
}

# No commands.
DRAWINGS = {"ARCHITECTURE.md#Architecture", "ARCHITECTURE.md#The path of a request"}

# What a test has not, and what is done instead.
CLUSTER = "a cluster: kubectl and helm read the line, and stop where there is none to connect to (tests/deploy)"
ENGINE = "a container engine: the client reads the line, where there is one; deploy/container/test-buildah.sh builds and runs"
MANAGER = "systemd as the first process: its programs read the line, where they are installed"
RELEASE = "Debian 13 and a build of its own: tests/packaging/debian13.sh runs it there"
PERSON = "a person"
LONG = "minutes, and tests/run.sh has it: its words are looked up"

NOT_RUN = {
    "tests/run.sh": LONG,
    "tests/run.sh unit http": LONG,
    "ctest --test-dir build/dev --output-on-failure": LONG,
    "CUBBY_BINARY=build/dev/cubby /usr/bin/python3 -m pytest -q tests/http": LONG,
    "tests/bench/run.sh --quick": LONG,
    "tests/bench/run.sh --engine memory redis memcached primitives --write": LONG,
    "tests/bench/run.sh --engine redis --only failover": LONG,
    "tests/bench/run.sh --loops": LONG,
    "CUBBY_BINARY=build/dev/cubby tests/history/run.py --engine memory redis memcached --operations 1000000": LONG,
    "/usr/bin/python3 -m pytest tests/history": LONG,
    "docker build -f deploy/container/Dockerfile -t registry.example.com/cubby:0.1.0 .": ENGINE,
    "docker push registry.example.com/cubby:0.1.0": ENGINE,
    "docker build -f deploy/container/Dockerfile -t cubby .": ENGINE,
    "docker run --read-only --cap-drop=ALL --security-opt=no-new-privileges \\\n"
    "    -p 127.0.0.1:8080:8080 -e CACHE_AUTH=off cubby": ENGINE,
    "docker compose -f deploy/compose/compose.yaml up --build --wait": ENGINE,
    "docker compose -f deploy/compose/compose.yaml --profile redis up --build --wait": ENGINE,
    "docker compose -f deploy/compose/compose.yaml --profile memcached up --build --wait": ENGINE,
    "docker compose -f deploy/compose/compose.yaml --profile '*' down": ENGINE,
    "kubectl apply -k deploy/kubernetes/overlays/shop": CLUSTER,
    "kubectl --namespace cubby rollout status deployment/cubby": CLUSTER,
    "kubectl label namespace shop cubby-client=true": CLUSTER,
    "kubectl --namespace cubby port-forward service/cubby 8080:8080": CLUSTER,
    "helm install cubby deploy/helm/cubby --namespace cubby --create-namespace --values my-values.yaml": CLUSTER,
    "helm test cubby --namespace cubby": CLUSTER,
    "helm upgrade cubby deploy/helm/cubby --namespace cubby --values my-values.yaml": CLUSTER,
    "kubectl --namespace cubby create secret generic cubby-tokens --from-file=tokens.json": CLUSTER,
    "kubectl --namespace cubby create secret generic redis-password --from-file=password=redis-password": CLUSTER,
    "deploy/debian/build.sh": RELEASE,
    "sudo apt install ./build/package/*.deb": RELEASE,
    "systemctl status cubby": MANAGER,
    "sudo editor /etc/cubby/cubby.env": PERSON,
    "sudo systemd-run --pipe --wait -p EnvironmentFile=/etc/cubby/cubby.env /usr/bin/cubby --check": MANAGER,
    "sudo systemctl restart cubby": MANAGER,
    "sudo systemctl reload cubby": MANAGER,
}


def lines_of(text):
    """The lines of a block, those that are continued as one, as (what stands there, the command without its comment)."""
    for line in re.findall(r"(?:[^\n]*\\\n)*[^\n]*\n", text):
        yield line, re.sub(r"\s+# .*$", "", line).strip()


def runnable(block):
    """The block's text without the lines that no test can run."""
    return "".join(line for line, command in lines_of(block.text) if command not in NOT_RUN)


def is_placed(block):
    """Whether somebody runs every line of the block, or says why not."""
    page = block.name.partition("#")[0]
    if page in SCRIPTS or block.name in DRAWINGS or any(block.name in blocks for blocks in SUITES.values()):
        return True
    return block.language in SHELL and not runnable(block).strip()


def near(kind):
    """The commands that are not run for this reason."""
    return [command for command, why in NOT_RUN.items() if why == kind]
