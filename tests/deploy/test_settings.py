"""The service itself takes the settings that the manifests give it: `cubby --check`, with the files where they say."""
import base64
import json
import os

import pytest

import tools
from kube import named, service, settings
from values import VALUES

BINARY = os.environ.get("CUBBY_BINARY", "")
pytestmark = pytest.mark.skipif(not BINARY, reason="CUBBY_BINARY does not name a built service")


def write_volumes(objects, root):
    """What the kubelet would mount, below `root`; Secrets that are not among the objects get a stand-in where they are asked for."""
    _, spec, container = service(objects)
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        folder = root / mount["mountPath"].lstrip("/")
        folder.mkdir(parents=True)
        if "configMap" in volume:
            files = named(objects, "ConfigMap", volume["configMap"]["name"])["data"]
        else:
            secret = named(objects, "Secret", volume["secret"]["secretName"]) or {}
            files = {**{key: base64.b64decode(text).decode() for key, text in secret.get("data", {}).items()},
                     **secret.get("stringData", {})}
        for name, text in files.items():
            (folder / name).write_text(text)
    return root


def environment(objects, root):
    found = {}
    for name, value in settings(objects).items():
        if value.startswith("/"):
            value = f"{root}{value}"
            if not os.path.exists(value):
                with open(value, "w", encoding="utf-8") as out:
                    out.write('{"tokens": []}' if name == "CACHE_TOKENS_FILE" else "secret")
        found[name] = value
    return found


def check(objects, root, **more):
    return tools.run(BINARY, "--check", env={**environment(objects, write_volumes(objects, root)), **more})


@pytest.mark.parametrize("overlay", tools.OVERLAYS)
def test_the_service_takes_the_settings_of_an_overlay(tmp_path, overlay):
    done = check(tools.build_overlay(overlay), tmp_path)
    assert done.returncode == 0, done.stderr


# Those with certificates need real ones, and are judged where TLS is tested.
@pytest.mark.parametrize("name", [name for name in VALUES if "tls" not in name])
def test_the_service_takes_the_settings_of_the_chart(tmp_path, name):
    done = check(tools.render_chart(VALUES[name]), tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_setting_that_is_none_is_found(tmp_path):
    assert check(tools.build_overlay("memory"), tmp_path, CACHE_ENGIN="memory").returncode == 78


def test_the_names_of_all_settings_in_the_chart_are_known():
    """Those of the sets with certificates, too."""
    known = tools.run_well(BINARY, "--help")
    for name, values in VALUES.items():
        unknown = [one for one in settings(tools.render_chart(values))
                   if one not in known and one.removesuffix("_FILE") not in known]
        assert unknown == [], (name, json.dumps(unknown))
