"""Alert rules, dashboard and the list of metrics hold together.

promtool judges the syntax of rules, queries and names; the rest is that what is asked for is in deploy/monitoring/metrics.md,
with the labels and values that are listed there.
"""
import json
import re
import shutil

import pytest
import yaml

import tools

MONITORING = tools.DEPLOY / "monitoring"
TESTS = ("alerts_test.yml", "alerts_engine_test.yml")
TARGET_LABELS = {"job", "instance", "namespace"}
# Their values are not listed one by one.
OPEN_LABELS = TARGET_LABELS | {"route", "method", "ns", "server", "le", "version", "engine"}


# ---- The list ----

def read_metrics(text):
    """{name: (type, labels)} from the tables of metrics.md."""
    found = {}
    for name, kind, labels in re.findall(r"^\| `([a-z_]+)` \| ([a-z]+)(?: \*\*0\*\*)? \|([^|]*)\|", text, re.M):
        assert name not in found, name
        found[name] = (kind, set(re.findall(r"`([a-z]+)`", labels)))
    return found


def read_values(text):
    """{label: all values that any row lists for it}."""
    found = {}
    table = text.partition("## Labels")[2].partition("\n## ")[0]
    for label, values in re.findall(r"^\| `([a-z]+)`[^|]*\| (.*) \|$", table, re.M):
        found.setdefault(label, set()).update(re.findall(r"`([^`]+)`", values))
    return found


LIST = (MONITORING / "metrics.md").read_text()
METRICS = read_metrics(LIST)
VALUES = read_values(LIST)


def test_the_list_is_read():
    assert len(METRICS) > 50
    assert {"route", "method", "status", "reason", "ns", "result", "verb", "server", "role", "file", "outcome"} <= set(VALUES)
    assert set().union(*(labels for _, labels in METRICS.values())) - {"version", "engine"} == set(VALUES)


def sample(name, kind, labels):
    """The metric as the service would write it."""
    pairs = ",".join(f'{label}="x"' for label in sorted(labels))
    lines = [f"# HELP {name} What it is.", f"# TYPE {name} {kind}"]
    if kind == "histogram":
        both = pairs + ("," if pairs else "")
        lines += [f'{name}_bucket{{{both}le="+Inf"}} 1', f"{name}_sum{{{pairs}}} 1", f"{name}_count{{{pairs}}} 1"]
    else:
        lines.append(f"{name}{{{pairs}}} 1" if pairs else f"{name} 1")
    return "\n".join(lines) + "\n"


def check_metrics(text):
    return tools.run(tools.promtool(), "check", "metrics", input=text)


def test_the_names_follow_the_conventions():
    done = check_metrics("".join(sample(name, *rest) for name, rest in METRICS.items()))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name, kind", [("cubby_reads", "counter"), ("cubby_entries_total", "gauge"), ("cubby_time_milliseconds", "gauge")])
def test_a_name_against_the_conventions_is_found(name, kind):
    assert check_metrics(sample(name, kind, set())).returncode != 0


def test_labels_do_not_hide_those_of_targets():
    hidden = TARGET_LABELS | {"pod", "service", "container", "endpoint"}
    assert [name for name, (_, labels) in METRICS.items() if labels & hidden] == []


# ---- Queries ----

def metric_of(name):
    """The listed metric that a series' name belongs to."""
    if name in METRICS:
        return name
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return base if METRICS.get(base, ("",))[0] == "histogram" else None


def matchers(text):
    return re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"', text)


def faults_of_matchers(name, text):
    labels = METRICS[metric_of(name)][1] | TARGET_LABELS | ({"le"} if name.endswith("_bucket") else set())
    for label, operator, value in matchers(text):
        if label not in labels:
            yield f"{name} has no label {label}"
        elif label not in OPEN_LABELS and not (label == "status" and re.fullmatch(r"[1-5][0-9.]{2}", value)):
            for one in value.split("|") if "~" in operator else [value]:
                if one not in VALUES[label]:
                    yield f"{name}: no {label} is {one}"


def faults_of_query(query):
    for found in re.finditer(r'\b((?:cubby|process)_\w+)(\{(?:[^{}"]|"[^"]*")*\})?(\[)?', query):
        name, selector, ranged = found.groups()
        if metric_of(name) is None:
            yield f"{name} is not in metrics.md"
            continue
        is_counter = METRICS[metric_of(name)][0] in ("counter", "histogram")
        if is_counter != bool(ranged) and not re.search(r"changes\($", query[:found.start()]):
            yield f"{name}: a counter without rate, or a rate of what is none"
        yield from faults_of_matchers(name, selector or "")
    for labels in re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", query):
        known = TARGET_LABELS | {"le"} | set().union(*(labels for _, labels in METRICS.values()))
        for label in filter(None, re.split(r"[\s,]+", labels)):
            if label not in known:
                yield f"by {label}"


def alerts():
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def queries_of_dashboard():
    board = json.loads((MONITORING / "dashboard.json").read_text())
    return [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel.get("targets", [])]


def test_alerts_ask_for_what_is_there():
    assert {name: list(faults_of_query(rule["expr"])) for name, rule in alerts().items() if list(faults_of_query(rule["expr"]))} == {}


def test_the_dashboard_asks_for_what_is_there():
    queries = queries_of_dashboard()
    assert len(queries) > 40
    assert [(title, list(faults_of_query(query))) for title, query in queries if list(faults_of_query(query))] == []


@pytest.mark.parametrize("query", [
    "rate(cubby_http_request_total[5m])",
    "sum(cubby_http_requests_total)",
    "rate(cubby_engine_ready[5m])",
    'rate(cubby_cache_reads_total{namespace_="users"}[5m])',
    'rate(cubby_cache_reads_total{result="hits"}[5m])',
    'rate(cubby_engine_operations_total{status=~"late|tired"}[5m])',
    "sum by (server_name) (cubby_redis_connections)",
    "rate(cubby_engine_ready_bucket[5m])",
])
def test_a_query_for_what_is_not_there_is_found(query):
    assert list(faults_of_query(query)) != []


def check_rules(tmp_path, queries):
    """promtool's word on queries, each as a recording rule."""
    rules = [{"record": f"query:{i}", "expr": query} for i, query in enumerate(queries)]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    return tools.run(tools.promtool(), "check", "rules", file)


def test_the_queries_of_the_dashboard_are_valid(tmp_path):
    queries = [query.replace("$__rate_interval", "5m").replace("$job", "cubby").replace("$instance", ".*")
               for _, query in queries_of_dashboard()]
    assert not [query for query in queries if "$" in query]
    done = check_rules(tmp_path, queries)
    assert done.returncode == 0 and f"{len(queries)} rules found" in done.stdout, done.stdout + done.stderr
    assert check_rules(tmp_path, ["sum by (a (b)"]).returncode != 0


def test_the_dashboard_is_laid_out():
    board = json.loads((MONITORING / "dashboard.json").read_text())
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
    variables = {variable["name"] for variable in board["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) - {"__rate_interval", "__all"}
    assert used == variables


# ---- Rules ----

def test_the_rules_are_valid():
    done = tools.run(tools.promtool(), "check", "rules", MONITORING / "alerts.yml")
    assert done.returncode == 0 and f"{len(alerts())} rules found" in done.stdout, done.stdout + done.stderr


def run_unit_tests(folder):
    return tools.run(tools.promtool(), "test", "rules", *TESTS, cwd=folder)


def test_the_unit_tests_of_the_rules_pass():
    done = run_unit_tests(MONITORING)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_test_that_it_fires_and_one_that_it_keeps_still():
    fires, still = set(), set()
    for file in TESTS:
        for one in yaml.safe_load((MONITORING / file).read_text())["tests"]:
            for asked in one["alert_rule_test"]:
                (fires if asked["exp_alerts"] else still).add(asked["alertname"])
    assert fires == still == set(alerts())


@pytest.mark.parametrize("spoiled", ["vector(0) > 1", "vector(1)"], ids=["never", "always"])
def test_the_unit_tests_find_rules_that_are_wrong(tmp_path, spoiled):
    """An alert that never fires, or always, fails tests of its own: all of them at once."""
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())
    for file in TESTS:
        shutil.copy(MONITORING / file, tmp_path)
    for group in groups["groups"]:
        for rule in group["rules"]:
            rule["expr"] = spoiled
    (tmp_path / "alerts.yml").write_text(yaml.safe_dump(groups))
    done = run_unit_tests(tmp_path)
    assert done.returncode != 0
    assert set(re.findall(r"alertname: *(\w+)", done.stdout + done.stderr)) == set(alerts())


def test_the_rules_of_the_operator_are_the_same():
    rule = yaml.safe_load((tools.DEPLOY / "kubernetes/components/monitoring/prometheusrule.yaml").read_text())
    assert rule["spec"] == yaml.safe_load((MONITORING / "alerts.yml").read_text())
