"""Scrapes until what is looked for is there."""

import time

from support.prometheus import Metrics


def scrape_until(service, condition, timeout=20.0, what="what was waited for"):
    """The first scrape that `condition` holds for; one a quarter of a second."""
    deadline = time.monotonic() + timeout
    while True:
        answer = service.request("GET", "/metrics")
        assert answer.status == 200, answer
        metrics = Metrics(answer.body.decode())
        if condition(metrics):
            return metrics
        assert time.monotonic() < deadline, f"{what}: not within {timeout:.0f} s\n{answer.body.decode()}"
        time.sleep(0.25)
