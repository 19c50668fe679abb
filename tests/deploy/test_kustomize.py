"""Roll-out with kustomize: a changed setting or password makes another name, and with it another pod template."""
import shutil

import pytest

import rules
import tools
from kube import service, settings


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


def test_an_overlay_of_ones_own_changes_image_and_settings(copy_of_overlay):
    """The example of docs/deployment.md, as it is printed there."""
    page = (tools.ROOT / "docs/deployment.md").read_text()
    text = page.partition("<!-- an overlay of one's own -->\n```yaml\n")[2].partition("```")[0]
    folder = copy_of_overlay("shop")
    folder.mkdir()
    (folder / "kustomization.yaml").write_text(text)
    (folder / "tokens.json").write_text('{"tokens": []}')
    (folder / "redis-password").write_text("secret")
    objects = tools.load(tools.run_well(tools.kubectl(), "kustomize", folder))
    assert service(objects)[2]["image"] == "registry.example.com/cubby:0.1.0"
    assert settings(objects)["REDIS_HOST"] == "redis.shop.svc.cluster.local"
    assert rules.faults(objects) == []
