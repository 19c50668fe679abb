"""The Prometheus text format, read: for tests of /metrics."""

import re
import time

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')


class Metrics:
    """One scrape: types by family, values by name and labels."""

    def __init__(self, text):
        self.types, self.helps, self.samples = {}, {}, {}
        order = []
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                assert name not in self.types, f"{name} has two types"
                self.types[name] = kind
                order.append(name)
            elif line.startswith("# HELP "):
                name, text_of = line[7:].split(" ", 1)
                self.helps[name] = text_of
            else:
                self._take(line, order)
        assert set(self.types) == set(self.helps)

    def _take(self, line, order):
        match = SAMPLE.fullmatch(line)
        assert match, f"not a sample: {line!r}"
        name, labels, value = match.groups()
        family = order[-1]
        assert name == family or (self.types[family] == "histogram" and name in
                                  (family + "_bucket", family + "_sum", family + "_count")), f"{line!r} in {family}"
        pairs = tuple(sorted(LABEL.findall(labels or "")))
        assert (name, pairs) not in self.samples, f"twice: {line!r}"
        self.samples[name, pairs] = float(value)

    def get(self, name, default=0.0, **labels):
        return self.samples.get((name, tuple(sorted(labels.items()))), default)

    def all(self, name):
        """Labels and value of each sample of this name."""
        return [(dict(pairs), value) for (at, pairs), value in self.samples.items() if at == name]


def scrape(service):
    """A request is counted when its answer has left, which its client may see before: looks until nothing but the look
    itself is under way and nothing else was counted since the look before. Not for what stays under way."""
    before, deadline = None, time.monotonic() + 10
    while True:
        metrics = _scrape(service)
        counted = sum(value for labels, value in metrics.all("cubby_http_requests_total") if labels["route"] != "/metrics")
        if metrics.get("cubby_http_requests_in_flight") <= 1 and counted == before:
            return metrics
        assert time.monotonic() < deadline, "requests are under way"
        before = counted
        time.sleep(0.1)


def _scrape(service, **how):
    answer = service.request("GET", "/metrics", **how)
    assert answer.status == 200, answer
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.body.decode()
    assert text.endswith("\n")
    return Metrics(text)
