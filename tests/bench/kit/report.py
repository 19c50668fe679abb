"""Rows, their Markdown, and the sections of RESULTS.md."""

import os
import platform
import re
import subprocess
from pathlib import Path

RESULTS = Path(__file__).resolve().parent.parent / "RESULTS.md"


class Row:
    """One figure to reach. `reached` None: it could not be measured, and `measured` says why."""

    def __init__(self, what, target, measured, reached):
        self.what, self.target, self.measured, self.reached = what, target, measured, reached

    def markdown(self):
        verdict = "not measured" if self.reached is None else "yes" if self.reached else "**no**"
        return f"| {self.what} | {self.target} | {self.measured} | {verdict} |"


def at_most(what, limit, figure, digits=2, unit=""):
    return Row(what, f"≤ {limit}{unit}", figure.text(digits) + unit, figure.median <= limit)


def at_least(what, limit, figure, digits=2):
    return Row(what, f"≥ {limit}", figure.text(digits), figure.median >= limit)


class Section:
    """What one engine's run yields: rows to judge, absolute figures to look at, remarks."""

    def __init__(self, title):
        self.title, self.rows, self.details, self.remarks = title, [], [], []

    def detail(self, name, samples):
        from statistics import median
        self.details.append(f"| {name} | {median(s.cpu_us for s in samples):.2f} | "
                            f"{median(s.rate for s in samples):,.0f} | {median(s.p50_us for s in samples):.0f} | "
                            f"{median(s.p99_us for s in samples):.0f} |")

    def markdown(self):
        lines = [f"## {self.title}", "", "| what | to reach | measured | reached |", "|---|---|---|---|"]
        lines += [row.markdown() for row in self.rows]
        if self.details:
            lines += ["", "| medians of | CPU µs/request | requests/s | p50 µs | p99 µs |", "|---|---|---|---|---|"]
            lines += self.details
        lines += [""] + [f"- {remark}" for remark in self.remarks]
        return "\n".join(lines).rstrip() + "\n"


def package_version(name):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True, check=False)
    return f"{name} {done.stdout.strip() or 'not installed'}"


def machine():
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) // 1024
    system = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return (f"{len(os.sched_getaffinity(0))} CPUs, {model}, {memory:,} MiB; Linux {platform.release()}; "
            f"{system.get('PRETTY_NAME', '').strip(chr(34))}")


PREAMBLE = """\
# Benchmark results

Written by `tests/bench/run.sh --write`; [README.md](README.md) says how each figure is taken. A ratio is the median of
the ratios of single rounds, with the least and the greatest in brackets.
"""


def write_section(key, section):
    """Puts `section` into RESULTS.md, in place of the one of the same key."""
    text = RESULTS.read_text() if RESULTS.exists() else PREAMBLE
    begin, end = f"<!-- {key}: begin -->\n", f"<!-- {key}: end -->\n"
    block = begin + section.markdown() + end
    if begin in text and end in text:
        text = text[:text.index(begin)] + block + text[text.index(end) + len(end):]
    else:
        text = text.rstrip() + "\n\n" + block
    RESULTS.write_text(text)
