"""docs/operations.md speaks of every error and every alert there is, and of no others; and its figures are those that were
measured."""

import pathlib
import re

from support.service import ROOT

ROOT = pathlib.Path(ROOT)
PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
# Measured on a machine that others share: a plan is not wrong for as much.
TOLERANCE = 0.35


def errors_of_the_code():
    """(status, type) of the table in routes/problem.c."""
    text = (ROOT / "routes" / "problem.c").read_text(encoding="utf-8")
    table = re.search(r"\} rows\[PROBLEMS\] = \{\n(.*?)\n\};", text, re.DOTALL)[1]
    return re.findall(r"\{ (\d{3}), \"([a-z-]+)\", ", table)


def test_every_error_is_explained_and_no_other():
    explained = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \| ([^|]+) \| ([^|]*) \|$", PAGE, re.MULTILINE)
    assert len(explained) > 20
    assert sorted(row[:2] for row in explained) == sorted(errors_of_the_code())


def test_what_is_said_before_a_route_is_found_is_among_the_errors():
    text = (ROOT / "service" / "http" / "connection.c").read_text(encoding="utf-8")
    canned = re.findall(r"\{ (\d{3}), \"([a-z-]+)\", ", text)
    assert canned and set(canned) <= set(errors_of_the_code())


def test_every_alert_has_an_entry_and_no_other():
    rules = (ROOT / "deploy" / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
    alerts = re.findall(r"^ +- alert: (\w+)$", rules, re.MULTILINE)
    part = PAGE.partition("## What an alert asks for\n")[2].partition("\n## ")[0]
    entries = re.findall(r"^### (\w+)\n(.+)$", part, re.MULTILINE)
    assert len(alerts) > 20
    assert [name for name, _ in entries] == alerts, "in the order of alerts.yml"
    assert all(len(text) > 40 for _, text in entries)


ROWS = {("memory", "GET"): "GET /raw", ("memory", "PUT"): "PUT /raw", ("redis", "GET"): "GET /raw", ("redis", "PUT"): "PUT /raw",
        ("memcached", "GET"): "GET /raw", ("memcached", "PUT"): "PUT, memcached engine"}


def measured(engine, method):
    """CPU in µs, the median of tests/bench/RESULTS.md."""
    text = (ROOT / "tests" / "bench" / "RESULTS.md").read_text(encoding="utf-8")
    part = text.partition(f"<!-- {engine}: begin -->")[2].partition(f"<!-- {engine}: end -->")[0]
    return float(re.search(rf"^\| {ROWS[engine, method]} \| ([0-9.]+) \|", part, re.MULTILINE)[1])


def test_the_capacity_sheet_quotes_what_was_measured():
    quoted = re.findall(r"^\| `(GET|PUT) /raw`, (Redis|Memcached|memory)[^|]*\| (\d+) \|$", PAGE, re.MULTILINE)
    assert {(engine.lower(), method) for method, engine, _ in quoted} == set(ROWS)
    for method, engine, figure in quoted:
        wanted = measured(engine.lower(), method)
        assert abs(int(figure) - wanted) <= TOLERANCE * wanted, f"{method} {engine}: {figure}, measured {wanted}"
