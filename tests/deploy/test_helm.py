"""The chart: what it refuses, what rolls the pods and what does not, and that it carries what it needs."""
import copy
import os
import urllib.parse

import pytest
import yaml

import rules
import tools
from kube import labels_of, named, of_kind, selects, service, settings
from values import VALUES


def with_value(base, path, value):
    values = copy.deepcopy(VALUES[base])
    at = values
    *way, last = path.split(".")
    for step in way:
        at = at.setdefault(step, {})
    at[last] = value
    return values


REFUSED = [
    ("defaults", "engine.typ", "redis"),
    ("defaults", "engine.type", "mongo"),
    ("defaults", "replicas", 3),
    ("defaults", "image.tag", "latest"),
    ("defaults", "engine.memory.maxBytes", "512Mi"),
    ("defaults", "resources.memory", "512MiB"),
    ("defaults", "http.maxConnections", 0),
    ("defaults", "http.maxConnections", "many"),
    ("defaults", "auth.tokens", [{"sha256": "short", "namespaces": "*", "scopes": ["read"]}]),
    ("defaults", "auth.tokens", [{"sha256": "ab" * 32, "namespaces": "*", "scopes": ["root"]}]),
    ("defaults", "auth.tokens", [{"token": "secret", "namespaces": "*", "scopes": ["read"]}]),
    ("defaults", "policies", {"users": {"defaultTtl": 60}}),
    ("defaults", "policies", {"us ers": {}}),
    ("defaults", "cache.defaultTtl", "0"),
    ("defaults", "cache.defaultTtl", "0.0s"),
    ("defaults", "cache.defaultTtl", "1w"),
    ("defaults", "tls.enabled", True),
    ("defaults", "tls.clientCaKey", "ca.crt"),
    ("defaults", "autoscaling.minReplicas", 1),
    ("redis", "autoscaling.maxReplicas", 2),
    ("redis", "podDisruptionBudget.maxUnavailable", 3),
    ("redis-cluster", "replicaCount", 1),
    ("redis-cluster", "podDisruptionBudget.maxUnavailable", 5),
    ("defaults", "resources.cpu.request", "2001m"),
    ("defaults", "resources.cpu.limit", "0.5"),
    ("defaults", "resources.cpu.limit", "0.0"),
    # More than the limit of memory holds.
    ("defaults", "resources.memory", "890Mi"),
    ("defaults", "engine.memory.maxBytes", "700MiB"),
    ("defaults", "http.maxBufferedBytes", "256M"),
    ("redis", "http.maxConnections", 20000),
    ("defaults", "drain.timeoutSeconds", 10),
    ("defaults", "http.requestTimeoutMs", 20000),
    ("defaults", "drain.delaySeconds", 2),
    ("defaults", "drain.delaySeconds", -1),
    ("defaults", "image.pullPolicy", "Sometimes"),
    ("defaults", "image.digest", "abc"),
    ("defaults", "podDisruptionBudget.maxUnavailable", 0),
    ("defaults", "podDisruptionBudget.maxUnavailable", "100%"),
    ("defaults", "podLabels", {"app.kubernetes.io/name": "other"}),
    # An empty list would mean everybody.
    ("defaults", "networkPolicy.clients", []),
    ("defaults", "networkPolicy.clients", [{}]),
    ("defaults", "networkPolicy.monitoring", []),
    ("defaults", "metrics.port", 8080),
    ("defaults", "metrics.port", 80),
    ("defaults", "extraSettings", {"HTTP_THREADS": 4}),
    ("defaults", "extraSettings", {"CACHE_AUTH": "off"}),
    ("defaults", "extraSettings", {"PATH": "/"}),
    ("defaults", "extraSettings", {"REDIS_PASSWORD": "secret"}),
    ("redis", "engine.redis.host", ""),
    ("redis", "engine.redis.mode", "sentinel"),
    ("redis", "engine.redis.port", 70000),
    ("redis", "engine.redis.host", "redis.data:6379"),
    ("redis", "engine.redis.host", "redis://redis.data"),
    ("redis", "engine.redis.sentinelPasswordKey", "sentinel-password"),
    ("redis-tls", "engine.redis.passwordSecret.name", ""),
    ("redis-tls", "engine.redis.tls.secret", ""),
    ("redis-cluster", "engine.redis.database", 3),
    ("redis", "networkPolicy.engine.to", []),
    ("memcached", "engine.memcached.servers", []),
    ("memcached", "engine.memcached.servers", ["a:b:c"]),
    ("memcached", "engine.memcached.passwordSecret.name", ""),
]


@pytest.mark.parametrize("base, path, value", REFUSED)
def test_wrong_values_are_refused(base, path, value):
    assert tools.helm_template(VALUES[base]).returncode == 0
    refused = tools.helm_template(with_value(base, path, value))
    assert refused.returncode != 0
    words = [*path.split("."), *(value if isinstance(value, dict) else [])]
    assert any(word in refused.stderr.rpartition("Error: ")[2] for word in words), refused.stderr


def test_the_chart_lints_without_warnings():
    said = tools.run_well(tools.helm(), "lint", "--strict", tools.CHART)
    assert "0 chart(s) failed" in said and "[WARNING]" not in said and "[ERROR]" not in said


def test_the_package_carries_the_alert_rules(tmp_path):
    tools.run_well(tools.helm(), "package", tools.CHART, "--destination", tmp_path)
    (package,) = tmp_path.glob("cubby-*.tgz")
    done = tools.run(tools.helm(), "template", "cubby", package, "--set", "metrics.prometheusRule.enabled=true")
    rule = of_kind(tools.load(done.stdout), "PrometheusRule")[0]
    assert rule["spec"] == yaml.safe_load((tools.DEPLOY / "monitoring/alerts.yml").read_text())


def template_of(values):
    return service(tools.render_chart(values))[0]["spec"]["template"]


@pytest.mark.parametrize("path, value, rolls", [
    ("cache.deadlineMs", 250, True),
    ("engine.redis.host", "other.data", True),
    ("extraSettings", {"HTTP_IDLE_TIMEOUT_MS": 1000}, True),
    # Read again by the running service.
    ("auth.tokens", VALUES["memory"]["auth"]["tokens"], False),
    ("policies", {"users": {"default_ttl": 60}}, False),
])
def test_what_is_read_at_the_start_rolls_the_pods_and_nothing_else_does(path, value, rolls):
    changed = template_of(with_value("redis", path, value)) != template_of(VALUES["redis"])
    assert changed == rolls


def test_extra_settings_win():
    found = settings(tools.render_chart(with_value("redis", "extraSettings", {"CACHE_DEADLINE_MS": 100, "HTTP_IDLE_TIMEOUT_MS": 75000})))
    assert (found["CACHE_DEADLINE_MS"], found["HTTP_IDLE_TIMEOUT_MS"]) == ("100", "75000")


@pytest.mark.parametrize("base, path, value", [
    ("defaults", "resources.memory", "892Mi"), ("defaults", "resources.memory", "936M"), ("defaults", "resources.cpu.request", "2000m"),
    ("defaults", "drain.timeoutSeconds", 11), ("defaults", "drain.delaySeconds", 3), ("redis", "autoscaling.maxReplicas", 4),
    ("redis", "podDisruptionBudget.maxUnavailable", 2), ("redis", "engine.redis.host", "2001:db8::7"),
])
def test_what_is_just_enough_is_taken(base, path, value):
    objects = tools.render_chart(with_value(base, path, value))
    assert rules.faults(objects) == []


def test_large_numbers_stay_numbers():
    found = settings(tools.render_chart({**with_value("redis", "http.maxConnections", 1000000), "resources": {"memory": "16Gi"}}))
    assert found["HTTP_MAX_CONNECTIONS"] == "1000000"


def test_the_kubelet_asks_where_it_needs_no_certificate():
    def asked(name):
        return {(probe["httpGet"]["port"], probe["httpGet"].get("scheme", "HTTP"))
                for kind, probe in service(tools.render_chart(VALUES[name]))[2].items() if kind.endswith("Probe")}
    assert asked("defaults") == {("http", "HTTP")}
    assert asked("tls") == {("http", "HTTPS")}
    assert asked("mutual-tls") == {("metrics", "HTTP")}


@pytest.mark.parametrize("name, scheme", [("redis", "http"), ("tls", "https")])
def test_the_test_pod_passes_the_network_policy_and_asks_the_service(name, scheme):
    objects = tools.render_chart(VALUES[name], release="shop")
    (pod,) = of_kind(objects, "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (policy,) = of_kind(objects, "NetworkPolicy")
    peers = [peer["podSelector"]["matchLabels"] for peer in policy["spec"]["ingress"][0]["from"] if "podSelector" in peer]
    assert any(selects(peer, labels_of(pod)) for peer in peers)
    asked = urllib.parse.urlsplit(pod["spec"]["containers"][0]["command"][-1])
    assert (asked.scheme, asked.path) == (scheme, "/readyz")
    (port,) = named(objects, "Service", asked.hostname)["spec"]["ports"]
    assert (port["port"], port["appProtocol"]) == (asked.port, scheme)


def test_there_is_no_test_pod_without_a_certificate_to_show():
    assert of_kind(tools.render_chart(VALUES["mutual-tls"]), "Pod") == []
    assert "helm --namespace shop test" in notes(VALUES["tls"]) and "helm --namespace shop test" not in notes(VALUES["mutual-tls"])


@pytest.mark.skipif(not os.environ.get("CUBBY_BINARY"), reason="CUBBY_BINARY does not name a built service")
@pytest.mark.parametrize("name", ["redis", "tls"])
def test_the_client_of_the_test_pod_takes_its_words(name):
    """It says that it cannot reach the Service's name here, and nothing against the name."""
    (pod,) = of_kind(tools.render_chart(VALUES[name], release="shop"), "Pod")
    words = pod["spec"]["containers"][0]["command"][1:]
    words[-1] = urllib.parse.urlsplit(words[-1])._replace(netloc="127.0.0.1:1").geturl()
    done = tools.run(os.environ["CUBBY_BINARY"], *words, env={})
    assert done.returncode == 1 and "refused" in done.stderr, done.stderr


def notes(values):
    return tools.run_well(tools.helm(), "install", "cubby", tools.CHART, "--dry-run=client", "--namespace", "shop",
                          "--values", "-", input=yaml.safe_dump(values)).partition("NOTES:")[2]


def test_the_notes_say_what_is_to_be_done():
    assert "NOBODY GETS IN YET" in notes({}) and "one replica" in notes({})
    assert "NOBODY" not in notes(VALUES["memory"])
    assert "whoever reaches the service" in notes(VALUES["mutual-tls"])
    assert "https://cubby.shop.svc:8080" in notes(VALUES["tls"])
