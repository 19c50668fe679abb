"""The rules that deploy/kubernetes and the chart keep: those that kube-score and polaris would apply to them, and the project's.

A rule takes the objects of one installation and yields what is wrong. test_rules.py proves of each that it can fail.

Where those two want something else: images are pulled IfNotPresent (theirs: Always), because a tag is a version; there is no
priority class, which is the cluster's to name (the chart has a value for it); pods are kept apart by spreading them, not by
anti-affinity, so that they also start on few nodes.
"""
import base64
import json

from kube import (containers, labels_of, name_of, named, of_kind, pods, ports_of, quantity, selects, service, settings, size)

RULES = {}

# Kubernetes makes variables of a Service's name for the pods beside it; these would begin like settings.
TRAPS = {"redis", "memcached", "cache", "http", "memory", "log", "admin"}
MIB = 2**20
CONNECTION_BYTES = 10 * 1024
PROCESS_BYTES = 64 * MIB
# What the service takes where nothing is set (docs/configuration.md).
DEFAULTS = {"HTTP_REQUEST_TIMEOUT_MS": 10000, "CACHE_DEADLINE_MS": 500}


def rule(check):
    RULES[check.__name__] = check
    return check


def faults(objects):
    return [f"{name}: {fault}" for name, check in RULES.items() for fault in check(objects)]


# ---- Containers ----

@rule
def images_have_a_tag(objects):
    for name, container in containers(objects):
        image = container["image"]
        tag = image.rpartition("/")[2].partition(":")[2]
        if "@sha256:" not in image and tag in ("", "latest"):
            yield f"{name}: {image}"


@rule
def images_are_pulled_where_they_are_missing(objects):
    """A version's image does not change, so that a restart need not find the registry; left out, the policy hangs on the tag."""
    for name, container in containers(objects):
        if container.get("imagePullPolicy") != "IfNotPresent":
            yield f"{name}: {container.get('imagePullPolicy')}"


@rule
def resources_are_bounded(objects):
    for name, container in containers(objects):
        for side in ("requests", "limits"):
            for what in ("cpu", "memory", "ephemeral-storage"):
                if what not in container.get("resources", {}).get(side, {}):
                    yield f"{name}: no {side} of {what}"


@rule
def memory_is_not_overcommitted(objects):
    for name, container in containers(objects):
        resources = container.get("resources", {})
        if resources.get("requests", {}).get("memory") != resources.get("limits", {}).get("memory"):
            yield f"{name}: request and limit differ"


@rule
def containers_are_restricted(objects):
    for name, container in containers(objects):
        context = container.get("securityContext", {})
        for field, wanted in (("allowPrivilegeEscalation", False), ("readOnlyRootFilesystem", True), ("privileged", False)):
            if context.get(field) is not wanted:
                yield f"{name}: {field} is not {wanted}"
        if context.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{name}: capabilities are not dropped"


@rule
def pods_are_restricted(objects):
    for name, _, spec in pods(objects):
        context = spec.get("securityContext", {})
        if context.get("runAsNonRoot") is not True or context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name}: not restricted"
        # Above what a node's own users have.
        if not all(isinstance(context.get(field), int) and context[field] > 10000 for field in ("runAsUser", "runAsGroup")):
            yield f"{name}: user or group is not a number above 10000"


@rule
def nothing_of_the_host_is_used(objects):
    for name, _, spec in pods(objects):
        if any(spec.get(field) for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostAliases")):
            yield f"{name}: a namespace of the host's, or another's"
        if spec.get("securityContext", {}).get("sysctls"):
            yield f"{name}: sysctls"
        if any("procMount" in one.get("securityContext", {}) for one in spec["containers"]):
            yield f"{name}: another /proc"
        if any("hostPath" in volume for volume in spec.get("volumes", [])):
            yield f"{name}: hostPath"
        if any("hostPort" in port for one in spec["containers"] for port in one.get("ports", [])):
            yield f"{name}: hostPort"


@rule
def pods_have_no_rights_in_the_cluster(objects):
    for name, _, spec in pods(objects):
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name}: a token is mounted"
        if spec.get("serviceAccountName", "default") == "default":
            yield f"{name}: the default service account"
    for account in of_kind(objects, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"{name_of(account)}: gives its token to pods"
    if of_kind(objects, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        yield "a role"


@rule
def probes_are_distinct(objects):
    _, _, container = service(objects)
    probes = {kind: container.get(kind + "Probe", {}) for kind in ("startup", "liveness", "readiness")}
    paths = {kind: probe.get("httpGet", {}).get("path") for kind, probe in probes.items()}
    # The engine must not decide over life and death.
    if paths != {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}:
        yield f"paths are {paths}"
    for kind, probe in probes.items():
        if not all(field in probe for field in ("periodSeconds", "timeoutSeconds", "failureThreshold")):
            yield f"{kind}: a time is left to the default"
        elif probe["timeoutSeconds"] > probe["periodSeconds"]:
            yield f"{kind}: asks again before it has given up"
    if probes["startup"].get("periodSeconds", 10) > 2:
        yield "startup: a start of milliseconds waits for the probe"


# ---- Service ----

@rule
def stop_fits_the_grace(objects):
    _, spec, container = service(objects)
    values = {**DEFAULTS, **settings(objects)}
    before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    delay, drain = (int(values.get(name, -1)) / 1000 for name in ("HTTP_DRAIN_DELAY_MS", "HTTP_DRAIN_TIMEOUT_MS"))
    if min(delay, drain) < 0:
        yield "the drain is left to the defaults"
    if spec.get("terminationGracePeriodSeconds", 30) < before + delay + drain + 5:
        yield "killed while it drains"
    if drain * 1000 < int(values["HTTP_REQUEST_TIMEOUT_MS"]) + int(values["CACHE_DEADLINE_MS"]):
        yield "a request that is just beginning is cut off"
    if before + delay < 5:
        yield "gone before the cluster knows"


@rule
def memory_fits_the_limit(objects):
    _, _, container = service(objects)
    values = settings(objects)
    limit = quantity(container["resources"]["limits"]["memory"])
    need = 2 * size(values["HTTP_MAX_BUFFERED_BYTES"]) + int(values["HTTP_MAX_CONNECTIONS"]) * CONNECTION_BYTES + PROCESS_BYTES
    if values["CACHE_ENGINE"] == "memory":
        need = (need + size(values["MEMORY_MAX_BYTES"])) / 0.9
    if need > limit:
        yield f"may need {need / MIB:.0f} MiB of {limit / MIB:.0f}"


@rule
def threads_follow_the_cpu_limit(objects):
    _, _, container = service(objects)
    if settings(objects).get("HTTP_THREADS", "0") != "0" or "cpu" not in container.get("resources", {}).get("limits", {}):
        yield "HTTP_THREADS is set, or there is no limit to follow"


@rule
def settings_are_there(objects):
    _, _, container = service(objects)
    for source in container.get("envFrom", []):
        if "configMapRef" not in source or not named(objects, "ConfigMap", source["configMapRef"]["name"]):
            yield f"no ConfigMap for {source}"


@rule
def ports_agree(objects):
    _, spec, _ = service(objects)
    values = settings(objects)
    if ports_of(spec) != {"http": int(values.get("HTTP_PORT", 0)), "metrics": int(values.get("ADMIN_PORT", 0))}:
        yield f"{ports_of(spec)} are not those of the settings"
    if values.get("HTTP_HOST") != "0.0.0.0" or values.get("ADMIN_HOST") != "0.0.0.0":
        yield "listens where no other pod reaches it"


@rule
def access_is_decided(objects):
    values = settings(objects)
    if ("CACHE_TOKENS_FILE" in values) == (values.get("CACHE_AUTH") == "off"):
        yield "neither tokens nor CACHE_AUTH=off, or both"


@rule
def secrets_come_as_files(objects):
    _, _, container = service(objects)
    for config in of_kind(objects, "ConfigMap"):
        for name in config.get("data", {}):
            if name.endswith(("PASSWORD", "_URL")):
                yield f"{name} in {name_of(config)}"
    if any("secretRef" in source for source in container.get("envFrom", [])) or container.get("env"):
        yield "variables that are not in the ConfigMap"


@rule
def files_are_mounted(objects):
    _, spec, container = service(objects)
    mounts = {mount["mountPath"]: mount for mount in container.get("volumeMounts", [])}
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    for name, path in settings(objects).items():
        if not str(path).startswith("/"):
            continue
        folder, _, file = path.rpartition("/")
        volume = volumes.get(mounts.get(folder, {}).get("name"), {})
        source = (named(objects, "ConfigMap", volume.get("configMap", {}).get("name"))
                  or named(objects, "Secret", volume.get("secret", {}).get("secretName")))
        if not volume:
            yield f"{name}={path}: no volume"
        elif source and file not in {**source.get("data", {}), **source.get("stringData", {})}:
            yield f"{name}={path}: not in {name_of(source)}"


@rule
def mounts_follow_changes(objects):
    _, spec, container = service(objects)
    for mount in container.get("volumeMounts", []):
        if not mount.get("readOnly") or "subPath" in mount:
            yield f"{mount['name']}: writable, or a subPath"
    for volume in spec.get("volumes", []):
        if volume.get("secret", {}).get("defaultMode", 0) & 0o007:
            yield f"{volume['name']}: everybody may read it"


# ---- Together ----

@rule
def services_stay_in_the_cluster(objects):
    for one in of_kind(objects, "Service"):
        if one["spec"].get("type") != "ClusterIP" or one["spec"].get("externalIPs"):
            yield f"{name_of(one)}: reached from elsewhere"
    for one in of_kind(objects, "Ingress"):
        yield f"{name_of(one)}: an Ingress"


@rule
def services_find_pods(objects):
    for one in of_kind(objects, "Service"):
        found = [spec for _, labels, spec in pods(objects) if selects(one["spec"].get("selector"), labels)]
        if len(found) != 1:
            yield f"{name_of(one)}: selects {len(found)}"
        for port in one["spec"]["ports"]:
            if found and port["targetPort"] not in ports_of(found[0]):
                yield f"{name_of(one)}: no port {port['targetPort']}"


@rule
def service_names_are_no_traps(objects):
    for one in of_kind(objects, "Service"):
        if name_of(one) in TRAPS:
            yield name_of(one)
    for name, _, spec in pods(objects):
        if spec.get("enableServiceLinks") is not False:
            yield f"{name}: gets variables of all Services"


@rule
def deployments_select_their_pods(objects):
    deployment, _, _ = service(objects)
    if not selects(deployment["spec"]["selector"]["matchLabels"], labels_of(deployment["spec"]["template"])):
        yield name_of(deployment)
    for one in of_kind(objects, "Pod"):
        if selects(deployment["spec"]["selector"]["matchLabels"], labels_of(one)):
            yield f"{name_of(one)}: taken for the service"


def least_replicas(objects):
    """How many there are at the least, by the autoscaler, or where there is none by the Deployment."""
    scalers = of_kind(objects, "HorizontalPodAutoscaler")
    return scalers[0]["spec"].get("minReplicas", 1) if scalers else service(objects)[0]["spec"].get("replicas", 1)


def all_may_go(budget, replicas):
    return budget == "100%" or isinstance(budget, int) and budget >= replicas


@rule
def disruptions_are_budgeted(objects):
    deployment, _, _ = service(objects)
    labels = labels_of(deployment["spec"]["template"])
    budgets = [one["spec"] for one in of_kind(objects, "PodDisruptionBudget")
               if selects(one["spec"].get("selector", {}).get("matchLabels"), labels)]
    if len(budgets) != 1:
        yield f"{len(budgets)} budgets"
    elif str(budgets[0].get("maxUnavailable", "0")) in ("0", "0%"):
        yield "nodes can not be drained"
    elif settings(objects)["CACHE_ENGINE"] != "memory" and all_may_go(budgets[0]["maxUnavailable"], least_replicas(objects)):
        yield "all may go at one time"
    if budgets and budgets[0].get("unhealthyPodEvictionPolicy") != "AlwaysAllow":
        yield "pods that are not ready hold up a node"


@rule
def replicas_fit_the_engine(objects):
    deployment, _, _ = service(objects)
    spec, scalers = deployment["spec"], of_kind(objects, "HorizontalPodAutoscaler")
    if settings(objects)["CACHE_ENGINE"] == "memory":
        if scalers or spec.get("replicas") != 1 or spec["strategy"] != {"type": "Recreate"}:
            yield "two memory engines behind one name"
    elif not scalers:
        if spec.get("replicas", 1) < 2:
            yield "one replica"
    elif "replicas" in spec:
        yield "the autoscaler's number is overwritten with each apply"
    elif any(one["spec"]["scaleTargetRef"]["name"] != name_of(deployment) or one["spec"].get("minReplicas", 1) < 2
             for one in scalers):
        yield "scales something else, or down to one"
    elif any(one["spec"]["maxReplicas"] <= one["spec"]["minReplicas"] or not one["spec"].get("metrics") for one in scalers):
        yield "has nowhere to scale to, or nothing to scale by"


@rule
def pods_are_spread(objects):
    deployment, spec, _ = service(objects)
    labels = labels_of(deployment["spec"]["template"])
    keys = {one["topologyKey"] for one in spec.get("topologySpreadConstraints", [])
            if selects(one["labelSelector"]["matchLabels"], labels)}
    if keys != {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}:
        yield f"over {keys}"


def engine_ports(values):
    ports = {"standalone": {int(values.get("REDIS_PORT", 6379))}, "sentinel": {6379, 26379}, "cluster": {6379}}
    if values["CACHE_ENGINE"] == "memory":
        return set()
    if values["CACHE_ENGINE"] == "memcached":
        return {11211}
    return ports[values.get("REDIS_MODE", "standalone")]


@rule
def network_is_closed(objects):
    deployment, pod, _ = service(objects)
    labels = labels_of(deployment["spec"]["template"])
    policies = [one["spec"] for one in of_kind(objects, "NetworkPolicy")
                if selects(one["spec"]["podSelector"].get("matchLabels"), labels)]
    if len(policies) != 1 or set(policies[0].get("policyTypes", [])) != {"Ingress", "Egress"}:
        yield "not one policy for both ways"
        return
    ways_in, ways_out = policies[0].get("ingress") or [], policies[0].get("egress") or []
    # An empty list of peers or ports means all.
    if not all(way.get("from") and all(way["from"]) and way.get("ports") for way in ways_in):
        yield "open to everybody"
    if not all(way.get("to") and all(way["to"]) and way.get("ports") for way in ways_out):
        yield "may go anywhere"
    if {port["port"] for way in ways_in for port in way.get("ports", [])} != set(ports_of(pod)):
        yield "other ports than the service's"
    ports = engine_ports(settings(objects))
    if {port.get("port") for way in ways_out for port in way.get("ports", [])} != ports | ({53} if ports else set()):
        yield "other ways out than DNS and the engine"


@rule
def monitors_find_the_service(objects):
    for monitor in of_kind(objects, "ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"]
        found = [one for one in of_kind(objects, "Service") if selects(selector, labels_of(one))]
        if len(found) != 1:
            yield f"selects {len(found)} Services"
            continue
        ports = {port["name"] for port in found[0]["spec"]["ports"]}
        if not {one["port"] for one in monitor["spec"]["endpoints"]} <= ports:
            yield "a port that is not there"
        # The rules ask for job="cubby".
        if labels_of(found[0]).get(monitor["spec"].get("jobLabel")) != "cubby":
            yield "another job than the rules ask for"


@rule
def everything_is_labelled(objects):
    for one in objects:
        if labels_of(one).get("app.kubernetes.io/part-of") != "cubby":
            yield f"{one['kind']} {name_of(one)}"


@rule
def namespace_is_restricted(objects):
    for one in of_kind(objects, "Namespace"):
        if labels_of(one).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield name_of(one)
        strays = [name_of(other) for other in objects
                  if other is not one and other["metadata"].get("namespace") != name_of(one)]
        if strays:
            yield f"elsewhere: {strays}"


@rule
def given_tokens_open_nothing(objects):
    """What the files of this folder bring must not let anybody in."""
    for secret in of_kind(objects, "Secret"):
        for name, text in secret.get("data", {}).items():
            if name == "tokens.json" and json.loads(base64.b64decode(text)) != {"tokens": []}:
                yield name_of(secret)
