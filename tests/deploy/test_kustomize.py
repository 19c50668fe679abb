"""Roll-out with kustomize: a changed setting or password makes another name, and with it another pod template."""
import shutil

import pytest

import tools
from kube import service


@pytest.fixture
def copy_of_overlay(tmp_path):
    shutil.copytree(tools.DEPLOY / "kubernetes", tmp_path / "kubernetes")
    return lambda name: tmp_path / "kubernetes" / "overlays" / name


def template_of(folder):
    return service(tools.load(tools.run_well(tools.kubectl(), "kustomize", folder)))[0]["spec"]["template"]


@pytest.mark.parametrize("file, text, rolls", [
    ("../../base/settings.env", "\nLOG_LEVEL=debug\n", True),
    ("redis-password", "another", True),
    # Read again by the running service.
    ("../../base/tokens.json", " ", False),
    ("../../base/namespaces.json", " ", False),
])
def test_what_is_read_at_the_start_rolls_the_pods_and_nothing_else_does(copy_of_overlay, file, text, rolls):
    overlay = copy_of_overlay("redis")
    before = template_of(overlay)
    with open(overlay / file, "a", encoding="utf-8") as out:
        out.write(text)
    assert (template_of(overlay) != before) == rolls
