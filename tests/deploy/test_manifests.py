"""What kustomize and Helm make of deploy/ is valid Kubernetes, and keeps the rules."""
import pytest

import rules
import tools
from values import VALUES

RENDERINGS = [f"kustomize {name}" for name in tools.OVERLAYS] + [f"helm {name}" for name in VALUES]


@pytest.fixture(scope="session")
def renderings():
    made = {f"kustomize {name}": tools.build_overlay(name) for name in tools.OVERLAYS}
    made.update({f"helm {name}": tools.render_chart(values) for name, values in VALUES.items()})
    return made


@pytest.fixture(scope="session")
def by_schemas(renderings):
    return tools.schema_faults(renderings)


@pytest.mark.parametrize("name", RENDERINGS)
def test_objects_are_valid_by_the_schemas_of_kubernetes(by_schemas, name):
    assert by_schemas[name] == []


@pytest.mark.parametrize("name", RENDERINGS)
def test_objects_keep_the_rules(renderings, name):
    assert rules.faults(renderings[name]) == []


@pytest.mark.parametrize("name", RENDERINGS)
def test_no_two_objects_are_the_same(renderings, name):
    names = [(one["kind"], one["metadata"]["name"]) for one in renderings[name]]
    assert len(names) == len(set(names)) >= 7


@pytest.mark.parametrize("overlay", tools.OVERLAYS)
def test_overlays_bring_all_that_their_pods_need(renderings, overlay):
    objects = renderings[f"kustomize {overlay}"]
    kinds = {one["kind"] for one in objects}
    assert {"Namespace", "ServiceAccount", "ConfigMap", "Secret", "Service", "Deployment", "PodDisruptionBudget",
            "NetworkPolicy", "ServiceMonitor", "PrometheusRule"} <= kinds
    assert ("HorizontalPodAutoscaler" in kinds) == (overlay != "memory")
    _, spec, _ = rules.service(objects)
    for volume in spec["volumes"]:
        kind, name = ("Secret", volume["secret"]["secretName"]) if "secret" in volume else ("ConfigMap", volume["configMap"]["name"])
        assert rules.named(objects, kind, name), volume
