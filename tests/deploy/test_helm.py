"""The chart: what it refuses, what rolls the pods and what does not, and that it carries what it needs."""
import copy

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
    ("defaults", "tls.enabled", True),
    ("defaults", "autoscaling.minReplicas", 1),
    ("defaults", "podDisruptionBudget.maxUnavailable", 0),
    ("defaults", "metrics.port", 8080),
    ("defaults", "extraSettings", {"PATH": "/"}),
    ("defaults", "extraSettings", {"REDIS_PASSWORD": "secret"}),
    ("redis", "engine.redis.host", ""),
    ("redis", "engine.redis.mode", "sentinel"),
    ("redis", "engine.redis.port", 70000),
    ("redis", "networkPolicy.engine.to", []),
    ("memcached", "engine.memcached.servers", []),
    ("memcached", "engine.memcached.servers", ["a:b:c"]),
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


def test_large_numbers_stay_numbers():
    found = settings(tools.render_chart(with_value("redis", "http.maxConnections", 1000000)))
    assert found["HTTP_MAX_CONNECTIONS"] == "1000000"


def test_the_kubelet_asks_where_it_needs_no_certificate():
    def asked(name):
        return {(probe["httpGet"]["port"], probe["httpGet"].get("scheme", "HTTP"))
                for kind, probe in service(tools.render_chart(VALUES[name]))[2].items() if kind.endswith("Probe")}
    assert asked("defaults") == {("http", "HTTP")}
    assert asked("tls") == {("http", "HTTPS")}
    assert asked("mutual-tls") == {("metrics", "HTTP")}


def test_the_test_pod_passes_the_network_policy_and_asks_the_service():
    objects = tools.render_chart(VALUES["redis"], release="shop")
    (pod,) = of_kind(objects, "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (policy,) = of_kind(objects, "NetworkPolicy")
    peers = [peer["podSelector"]["matchLabels"] for peer in policy["spec"]["ingress"][0]["from"] if "podSelector" in peer]
    assert any(selects(peer, labels_of(pod)) for peer in peers)
    name = pod["spec"]["containers"][0]["command"][-1].removeprefix("http://").partition(":")[0]
    assert named(objects, "Service", name)


def notes(values):
    return tools.run_well(tools.helm(), "install", "cubby", tools.CHART, "--dry-run=client", "--namespace", "shop",
                          "--values", "-", input=yaml.safe_dump(values)).partition("NOTES:")[2]


def test_the_notes_say_what_is_to_be_done():
    assert "NOBODY GETS IN YET" in notes({}) and "one replica" in notes({})
    assert "NOBODY" not in notes(VALUES["memory"])
    assert "whoever reaches the service" in notes(VALUES["mutual-tls"])
    assert "https://cubby.shop.svc:8080" in notes(VALUES["tls"])


def test_the_values_of_the_page_are_taken():
    """The example of docs/deployment.md, as it is printed there."""
    page = (tools.ROOT / "docs/deployment.md").read_text()
    text = page.partition("<!-- values of one's own -->\n```yaml\n")[2].partition("```")[0]
    objects = tools.render_chart(yaml.safe_load(text))
    assert service(objects)[2]["image"] == "registry.example.com/cubby:0.1.0"
    assert rules.faults(objects) == []
