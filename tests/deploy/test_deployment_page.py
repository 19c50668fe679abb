"""What docs/deployment.md prints for kubectl and helm, as it is printed there.

What kubectl and helm make without a cluster is made and held to the rules; the lines that need one are given to them with
no cluster to connect to, and each must get as far as that.
"""
import os
import re
import shutil
import sys

import pytest
import yaml

import rules
import tools
from kube import named, of_kind, service, settings

sys.path.insert(0, str(tools.ROOT / "tests"))

from support import pages, printed  # noqa: E402

BLOCKS = pages.all_blocks()
OVERLAY = "docs/deployment.md#Kubernetes (2)"
LINES = "docs/deployment.md#Kubernetes (3)"
CHART_VALUES = "docs/deployment.md#Helm (2)"
NOWHERE = """apiVersion: v1
kind: Config
current-context: nowhere
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
users: [{name: nobody, user: {}}]
"""


@pytest.fixture
def tree(tmp_path):
    """A copy of deploy/ with the page's overlay and values and the files that it speaks of."""
    shutil.copytree(tools.DEPLOY, tmp_path / "deploy")
    shop = tmp_path / "deploy/kubernetes/overlays/shop"
    for folder in (shop, tmp_path):
        folder.mkdir(exist_ok=True)
        (folder / "tokens.json").write_text('{"tokens": []}')
        (folder / "redis-password").write_text("secret")
    (shop / "kustomization.yaml").write_text(BLOCKS[OVERLAY].text)
    (tmp_path / "my-values.yaml").write_text(BLOCKS[CHART_VALUES].text)
    (tmp_path / "kubeconfig").write_text(NOWHERE)
    return tmp_path


def run_line(tree, line):
    path = ":".join([str(tools.kubectl().parent), str(tools.helm().parent), os.environ["PATH"]])
    return tools.run("sh", "-c", line, cwd=tree, env={"PATH": path, "HOME": str(tree), "KUBECONFIG": str(tree / "kubeconfig")})


def test_each_block_of_this_suite_has_its_test():
    assert {OVERLAY, LINES, CHART_VALUES} == printed.SUITES[printed.DEPLOY]


def test_the_page_says_where_the_overlay_and_the_values_are():
    page = (tools.ROOT / "docs/deployment.md").read_text()
    for file, block in (("deploy/kubernetes/overlays/shop/kustomization.yaml", OVERLAY), ("my-values.yaml", CHART_VALUES)):
        assert f"`{file}`" in page.partition(BLOCKS[block].text)[0][-600:], file


def test_an_overlay_of_ones_own_changes_image_and_settings(tree):
    done = run_line(tree, printed.runnable(BLOCKS[LINES]))
    assert done.returncode == 0, done.stderr
    objects = tools.load(done.stdout)
    assert service(objects)[2]["image"] == "registry.example.com/cubby:0.1.0"
    assert settings(objects)["REDIS_HOST"] == "redis.shop.svc.cluster.local"
    (policy,) = of_kind(objects, "NetworkPolicy")
    peers = [peer for way in policy["spec"]["egress"] for peer in way["to"]]
    assert "shop" in [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in peers]
    assert rules.faults(objects) == []
    assert tools.schema_faults({"shop": objects}) == {"shop": []}


def test_the_values_of_the_page_are_taken():
    objects = tools.render_chart(yaml.safe_load(BLOCKS[CHART_VALUES].text))
    assert service(objects)[2]["image"] == "registry.example.com/cubby:0.1.0"
    assert rules.faults(objects) == []


def test_the_secrets_of_the_page_are_those_that_its_values_name(tree):
    """Made as printed, but for sending them."""
    spec = service(tools.render_chart(yaml.safe_load(BLOCKS[CHART_VALUES].text)))[1]
    wanted = {volume["secret"]["secretName"] for volume in spec["volumes"] if "secret" in volume}
    paths = settings(tools.render_chart(yaml.safe_load(BLOCKS[CHART_VALUES].text)))
    made = []
    for line in (one for one in printed.near(printed.CLUSTER) if " create secret " in one):
        done = run_line(tree, f"{line} --dry-run=client --output yaml")
        assert done.returncode == 0, done.stderr
        made += tools.load(done.stdout)
    assert {one["metadata"]["name"] for one in made} == wanted
    assert {one["metadata"]["namespace"] for one in made} == {"cubby"}
    for secret, setting in (("cubby-tokens", "CACHE_TOKENS_FILE"), ("redis-password", "REDIS_PASSWORD_FILE")):
        assert set(named(made, "Secret", secret)["data"]) == {paths[setting].rpartition("/")[2]}


def test_the_chart_is_installed_as_printed_but_for_the_cluster(tree):
    (line,) = (one for one in printed.near(printed.CLUSTER) if one.startswith("helm install "))
    done = run_line(tree, f"{line} --dry-run=client")
    assert done.returncode == 0, done.stderr
    assert "kind: Deployment" in done.stdout and "namespace: cubby" not in done.stderr


UNREACHED = re.compile(r"connection refused|cluster unreachable", re.IGNORECASE)


@pytest.mark.parametrize("line", printed.near(printed.CLUSTER))
def test_a_line_for_a_cluster_gets_as_far_as_the_cluster(tree, line):
    done = run_line(tree, line)
    assert done.returncode != 0 and UNREACHED.search(done.stderr), done.stderr


@pytest.mark.parametrize("line", printed.near(printed.CLUSTER))
def test_a_line_with_a_wrong_word_does_not(tree, line):
    program, rest = line.split(" ", 1)
    done = run_line(tree, f"{program} {rest} --no-such-option")
    assert done.returncode != 0 and not UNREACHED.search(done.stderr), done.stderr


def inline_commands():
    """Commands in the running text of the page, and in what Helm says after an installation."""
    page = (tools.ROOT / "docs/deployment.md").read_text()
    text = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    found = re.findall(r"`((?:kubectl|helm) [^`]*)`", text)
    said = tools.run_well(tools.helm(), "install", "cubby", tools.CHART, "--dry-run=client", "--namespace", "shop").partition("NOTES:")[2]
    return found + re.findall(r"^ +((?:kubectl|helm) .*)$", said, re.MULTILINE)


def test_commands_in_the_text_get_as_far_as_the_cluster(tree):
    commands = inline_commands()
    assert len(commands) >= 4, commands
    for line in commands:
        done = run_line(tree, line.replace("MY-NAMESPACE", "shop"))
        assert done.returncode != 0 and UNREACHED.search(done.stderr), (line, done.stderr)
