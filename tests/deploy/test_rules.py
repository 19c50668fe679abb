"""Each rule finds what it is there to find: a manifest that is spoiled in one place, and the rule that must say so."""
import base64
import copy

import pytest

import rules
import tools
from kube import named, of_kind, service
from values import VALUES

MUTATIONS = []


def spoils(rule, overlay="redis"):
    def keep(change):
        MUTATIONS.append(pytest.param(rule, overlay, change, id=f"{rule}: {change.__name__.replace('_', ' ')}"))
        return change
    return keep


def set_field(path, value, part="container", rule=None, overlay="redis", name=None):
    """Registers a change of one field; `path` is dotted, from the deployment, the pod or the container."""
    def change(objects):
        at = dict(zip(("deployment", "pod", "container"), service(objects)))[part]
        *way, last = path.split(".")
        for step in way:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        if value is None:
            del at[last]
        else:
            at[last] = value
    change.__name__ = name or f"{path} is {value}"
    spoils(rule, overlay)(change)


def setting(name, value, rule, overlay="redis"):
    def change(objects):
        config = named(objects, "ConfigMap", service(objects)[2]["envFrom"][0]["configMapRef"]["name"])
        config["data"].pop(name, None)
        if value is not None:
            config["data"][name] = value
    change.__name__ = f"{name} is {value}"
    spoils(rule, overlay)(change)



def in_object(kind, rule, what, overlay="redis"):
    """Registers `what`, which changes the first object of a kind."""
    def change(objects):
        what(of_kind(objects, kind)[0])
    change.__name__ = what.__name__
    return spoils(rule, overlay)(change)


set_field("image", "cubby", rule="images_have_a_tag")
set_field("image", "registry:5000/cubby", rule="images_have_a_tag")
set_field("image", "cubby:latest", rule="images_have_a_tag")
for policy in ("Always", "Never", None):
    set_field("imagePullPolicy", policy, rule="images_are_pulled_where_they_are_missing")
for side in ("requests", "limits"):
    for what in ("cpu", "memory", "ephemeral-storage"):
        set_field(f"resources.{side}.{what}", None, rule="resources_are_bounded")
set_field("resources.requests.memory", "64Mi", rule="memory_is_not_overcommitted")
for field, value in (("allowPrivilegeEscalation", True), ("readOnlyRootFilesystem", False), ("privileged", True)):
    set_field(f"securityContext.{field}", value, rule="containers_are_restricted")
set_field("securityContext.capabilities.add", ["NET_ADMIN"], rule="containers_are_restricted")
set_field("securityContext.capabilities", None, rule="containers_are_restricted")
set_field("securityContext.runAsNonRoot", None, "pod", rule="pods_are_restricted")
set_field("securityContext.runAsUser", 0, "pod", rule="pods_are_restricted")
set_field("securityContext.runAsGroup", 100, "pod", rule="pods_are_restricted")
set_field("securityContext.seccompProfile", {"type": "Unconfined"}, "pod", rule="pods_are_restricted")
for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
    set_field(field, True, "pod", rule="nothing_of_the_host_is_used")
set_field("securityContext.sysctls", [{"name": "net.core.somaxconn", "value": "1024"}], "pod", rule="nothing_of_the_host_is_used")
set_field("securityContext.procMount", "Unmasked", rule="nothing_of_the_host_is_used")
set_field("volumes.0.hostPath", {"path": "/"}, "pod", rule="nothing_of_the_host_is_used")
set_field("ports.0.hostPort", 8080, rule="nothing_of_the_host_is_used")
set_field("automountServiceAccountToken", True, "pod", rule="pods_have_no_rights_in_the_cluster")
set_field("serviceAccountName", None, "pod", rule="pods_have_no_rights_in_the_cluster")
set_field("livenessProbe.httpGet.path", "/readyz", rule="probes_are_distinct")
set_field("readinessProbe", None, rule="probes_are_distinct")
set_field("startupProbe", None, rule="probes_are_distinct")
set_field("livenessProbe", None, rule="probes_are_distinct")
set_field("livenessProbe.timeoutSeconds", 30, rule="probes_are_distinct")
set_field("readinessProbe.failureThreshold", None, rule="probes_are_distinct")
set_field("startupProbe.periodSeconds", 10, rule="probes_are_distinct")
set_field("terminationGracePeriodSeconds", 30, "pod", rule="stop_fits_the_grace")
set_field("lifecycle.preStop.sleep.seconds", 20, rule="stop_fits_the_grace")
setting("HTTP_DRAIN_TIMEOUT_MS", "60000", "stop_fits_the_grace")
setting("HTTP_DRAIN_TIMEOUT_MS", "10000", "stop_fits_the_grace")
setting("HTTP_DRAIN_DELAY_MS", None, "stop_fits_the_grace")
setting("HTTP_DRAIN_DELAY_MS", "0", "stop_fits_the_grace")
setting("HTTP_REQUEST_TIMEOUT_MS", "20000", "stop_fits_the_grace")
setting("HTTP_MAX_BUFFERED_BYTES", "256MiB", "memory_fits_the_limit")
setting("HTTP_MAX_CONNECTIONS", "100000", "memory_fits_the_limit")
setting("MEMORY_MAX_BYTES", "700MiB", "memory_fits_the_limit", "memory")
setting("HTTP_THREADS", "16", "threads_follow_the_cpu_limit")
set_field("resources.limits.cpu", None, rule="threads_follow_the_cpu_limit")
set_field("envFrom.0.configMapRef.name", "cubby", rule="settings_are_there")
setting("HTTP_PORT", "9090", "ports_agree")
setting("HTTP_HOST", None, "ports_agree")
setting("ADMIN_HOST", "127.0.0.1", "ports_agree")
setting("CACHE_TOKENS_FILE", None, "access_is_decided")
setting("CACHE_AUTH", "off", "access_is_decided")
setting("REDIS_PASSWORD", "secret", "secrets_come_as_files")
setting("REDIS_URL", "redis://:secret@redis", "secrets_come_as_files")
set_field("env", [{"name": "REDIS_PASSWORD", "value": "secret"}], rule="secrets_come_as_files")
setting("CACHE_TOKENS_FILE", "/etc/tokens.json", "files_are_mounted")
setting("CACHE_TOKENS_FILE", "/etc/cubby/tokens/other.json", "files_are_mounted")
set_field("volumeMounts.0.subPath", "tokens.json", rule="mounts_follow_changes")
set_field("volumeMounts.0.readOnly", False, rule="mounts_follow_changes")
set_field("volumes.0.secret.defaultMode", 0o644, "pod", rule="mounts_follow_changes")
set_field("enableServiceLinks", None, "pod", rule="service_names_are_no_traps")
set_field("spec.template.metadata.labels", {"app.kubernetes.io/name": "other"}, "deployment", "deployments_select_their_pods")
set_field("spec.template.metadata.labels", {"app.kubernetes.io/name": "other"}, "deployment", "services_find_pods")
set_field("spec.replicas", 3, "deployment", "replicas_fit_the_engine")
set_field("spec.replicas", 2, "deployment", "replicas_fit_the_engine", "memory")
set_field("spec.strategy", {"type": "RollingUpdate"}, "deployment", "replicas_fit_the_engine", "memory")
set_field("topologySpreadConstraints", None, "pod", rule="pods_are_spread")
set_field("topologySpreadConstraints.1.topologyKey", "topology.kubernetes.io/zone", "pod", rule="pods_are_spread")
set_field("topologySpreadConstraints.0.labelSelector.matchLabels.app", "other", "pod", rule="pods_are_spread")


def its_target_port_is_another(one):
    one["spec"]["ports"][0]["targetPort"] = "web"


def it_is_called_redis(one):
    one["metadata"]["name"] = "redis"


def it_selects_nothing(one):
    one["spec"]["selector"] = {}


def it_is_reached_from_outside(one):
    one["spec"]["type"] = "NodePort"


def it_has_an_address_outside(one):
    one["spec"]["externalIPs"] = ["192.0.2.1"]


def it_lets_all_go(one):
    one["spec"]["maxUnavailable"] = 3


def it_lets_every_part_go(one):
    one["spec"]["maxUnavailable"] = "100%"


def it_waits_for_the_unready(one):
    del one["spec"]["unhealthyPodEvictionPolicy"]


def it_has_nowhere_to_go(one):
    one["spec"]["maxReplicas"] = one["spec"]["minReplicas"]


def it_scales_by_nothing(one):
    one["spec"]["metrics"] = []


def it_allows_nothing(one):
    one["spec"]["maxUnavailable"] = 0


def it_scales_down_to_one(one):
    one["spec"]["minReplicas"] = 1


def it_scales_another(one):
    one["spec"]["scaleTargetRef"]["name"] = "other"


def it_lets_everybody_in(one):
    one["spec"]["ingress"][0]["from"] = []


def it_has_an_empty_peer(one):
    one["spec"]["ingress"][0]["from"].append({})


def it_lets_everything_out(one):
    one["spec"]["egress"].append({})


def it_opens_another_port(one):
    one["spec"]["egress"][1]["ports"].append({"protocol": "TCP", "port": 443})


def it_is_for_one_way_only(one):
    one["spec"]["policyTypes"] = ["Ingress"]


def it_asks_another_port(one):
    one["spec"]["endpoints"][0]["port"] = "web"


def it_selects_the_clients_service(one):
    one["spec"]["selector"]["matchLabels"] = {"app.kubernetes.io/component": "cache"}


def it_names_another_job(one):
    one["spec"]["jobLabel"] = "app.kubernetes.io/component"


def it_loses_its_labels(one):
    one["metadata"]["labels"] = {}


def it_is_elsewhere(one):
    one["metadata"]["namespace"] = "default"


def it_gives_its_token_to_pods(one):
    del one["automountServiceAccountToken"]


in_object("Service", "services_find_pods", its_target_port_is_another)
in_object("Service", "services_find_pods", it_selects_nothing)
in_object("Service", "service_names_are_no_traps", it_is_called_redis)
in_object("PodDisruptionBudget", "disruptions_are_budgeted", it_selects_nothing)
in_object("Service", "services_stay_in_the_cluster", it_is_reached_from_outside)
in_object("Service", "services_stay_in_the_cluster", it_has_an_address_outside)
in_object("PodDisruptionBudget", "disruptions_are_budgeted", it_allows_nothing)
in_object("PodDisruptionBudget", "disruptions_are_budgeted", it_lets_all_go)
in_object("PodDisruptionBudget", "disruptions_are_budgeted", it_lets_every_part_go)
in_object("PodDisruptionBudget", "disruptions_are_budgeted", it_waits_for_the_unready)
in_object("HorizontalPodAutoscaler", "replicas_fit_the_engine", it_has_nowhere_to_go)
in_object("HorizontalPodAutoscaler", "replicas_fit_the_engine", it_scales_by_nothing)
in_object("HorizontalPodAutoscaler", "replicas_fit_the_engine", it_scales_down_to_one)
in_object("HorizontalPodAutoscaler", "replicas_fit_the_engine", it_scales_another)
in_object("NetworkPolicy", "network_is_closed", it_lets_everybody_in)
in_object("NetworkPolicy", "network_is_closed", it_has_an_empty_peer)
in_object("NetworkPolicy", "network_is_closed", it_lets_everything_out)
in_object("NetworkPolicy", "network_is_closed", it_opens_another_port)
in_object("NetworkPolicy", "network_is_closed", it_is_for_one_way_only)
in_object("ServiceMonitor", "monitors_find_the_service", it_asks_another_port)
in_object("ServiceMonitor", "monitors_find_the_service", it_selects_the_clients_service)
in_object("ServiceMonitor", "monitors_find_the_service", it_names_another_job)
in_object("Deployment", "everything_is_labelled", it_loses_its_labels)
in_object("Namespace", "namespace_is_restricted", it_loses_its_labels)
in_object("Service", "namespace_is_restricted", it_is_elsewhere)
in_object("ServiceAccount", "pods_have_no_rights_in_the_cluster", it_gives_its_token_to_pods)


@spoils("network_is_closed", "memory")
def the_memory_engine_may_go_out(objects):
    policy = of_kind(objects, "NetworkPolicy")[0]
    policy["spec"]["egress"] = [{"to": [{"ipBlock": {"cidr": "192.0.2.1/32"}}], "ports": [{"port": 6379}]}]


@spoils("replicas_fit_the_engine")
def there_is_no_autoscaler(objects):
    objects.remove(of_kind(objects, "HorizontalPodAutoscaler")[0])


@spoils("disruptions_are_budgeted")
def there_is_no_budget(objects):
    objects.remove(of_kind(objects, "PodDisruptionBudget")[0])


@spoils("network_is_closed")
def there_is_no_policy(objects):
    objects.remove(of_kind(objects, "NetworkPolicy")[0])


@spoils("deployments_select_their_pods")
def another_pod_looks_like_the_service(objects):
    deployment = service(objects)[0]
    objects.append({"kind": "Pod", "metadata": {"name": "test", **copy.deepcopy(deployment["spec"]["template"]["metadata"])},
                    "spec": copy.deepcopy(deployment["spec"]["template"]["spec"])})


@spoils("given_tokens_open_nothing")
def a_token_is_given(objects):
    secret = next(one for one in of_kind(objects, "Secret") if "tokens.json" in one["data"])
    secret["data"]["tokens.json"] = base64.b64encode(b'{"tokens": [{"sha256": "", "namespaces": "*", "scopes": ["admin"]}]}')


@pytest.fixture(scope="session")
def whole():
    return {name: tools.build_overlay(name) for name in ("redis", "memory")}


@pytest.mark.parametrize("rule, overlay, change", MUTATIONS)
def test_a_spoiled_manifest_is_found(whole, rule, overlay, change):
    objects = copy.deepcopy(whole[overlay])
    assert list(rules.RULES[rule](objects)) == []
    change(objects)
    assert list(rules.RULES[rule](objects)) != []


def test_each_rule_is_proved():
    assert {one.values[0] for one in MUTATIONS} == set(rules.RULES)


def test_the_schemas_find_what_they_are_there_for(whole):
    """An unknown field at any depth, a wrong type, a value that is none, a missing field; in a kind of the operator's too."""
    def spoiled(kind, *way, **fields):
        objects = copy.deepcopy(of_kind(whole["redis"], kind)[:1])
        at = objects[0]
        for step in way:
            at = at[step]
        for field, value in fields.items():
            at.pop(field, None)
            if value is not None:
                at[field] = value
        return objects

    pod = ("spec", "template", "spec")
    sets = {
        "nothing": of_kind(whole["redis"], "Deployment", "ServiceMonitor"),
        "unknown field": spoiled("Deployment", *pod, "containers", 0, "readinessProbe", "httpGet", pfad="/"),
        "unknown field of the pod": spoiled("Deployment", *pod, enableServicelinks=False),
        "type": spoiled("Deployment", *pod, terminationGracePeriodSeconds="40"),
        "value": spoiled("Deployment", *pod, "containers", 0, imagePullPolicy="Sometimes"),
        "missing": spoiled("Deployment", "spec", selector=None),
        "kind": spoiled("Deployment", apiVersion="apps/v1beta9"),
        "policy": spoiled("NetworkPolicy", "spec", "ingress", 0, form=[]),
        "autoscaler": spoiled("HorizontalPodAutoscaler", "spec", maxReplicas=None),
        "monitor": spoiled("ServiceMonitor", "spec", "endpoints", 0, intervall="15s"),
        "monitor's interval": spoiled("ServiceMonitor", "spec", "endpoints", 0, interval="often"),
        "monitor's selector": spoiled("ServiceMonitor", "spec", selector=None),
        "rule": spoiled("PrometheusRule", "spec", "groups", 0, "rules", 0, expression="up"),
    }
    found = tools.schema_faults(sets)
    assert found.pop("nothing") == []
    assert [name for name, faults in found.items() if not faults] == []


def test_the_chart_keeps_the_traps_of_names_out():
    for name in ("redis", "cache"):
        assert tools.helm_template({**VALUES["defaults"], "fullnameOverride": name}).returncode != 0
