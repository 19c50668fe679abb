#!/usr/bin/env python3
"""Measures the service beside its yardsticks and prints the tables of RESULTS.md; tests/bench/run.sh prepares and
calls it. README.md says how the figures are taken."""

import argparse
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kit import cubby, report

ENGINES = ("memory", "redis", "memcached", "primitives")
PACKAGES = {
    "memory": ("nginx", "wrk", "libmicrohttpd12", "libuv1"),
    "redis": ("redis-server", "webdis", "wrk", "libhiredis0.14", "libhiredis1.1.0"),
    "memcached": ("memcached", "nginx", "wrk", "libmemcached11", "libmemcached11t64", "redis-server"),
    "primitives": ("redis-server", "memcached", "wrk", "libmicrohttpd12"),
}


class Run:
    """What every row needs to know."""

    def __init__(self, args, folder):
        self.binary, self.folder = Path(args.binary).resolve(), folder
        self.rounds, self.seconds = args.rounds, args.seconds
        self.threads, self.wrk_threads = args.threads, args.wrk_threads
        self.only = args.only

    def wants(self, part):
        return not self.only or any(word in part for word in self.only)

    @staticmethod
    def note(what):
        """A progress line, for who watches."""
        def print_round(number, rounds):
            end = "\n" if number == rounds else ""
            print(f"\r{what}: round {number} of {rounds}", end=end, file=sys.stderr, flush=True)
        return print_round if sys.stderr.isatty() else None


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="the service's executable, a release build")
    parser.add_argument("--engine", nargs="+", choices=ENGINES, default=["memory"])
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1 s, to see that all works")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2, help="of each contestant's turn in a round")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of the service and of nginx")
    parser.add_argument("--wrk-threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only the parts with this in their name")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds = 3, 1
    if args.write and args.only:
        parser.error("--write wants all parts, not --only some")
    return args


def conditions(run, engine, load_before):
    versions = [text for text in map(report.package_version, PACKAGES[engine]) if not text.endswith("not installed")]
    return [f"{time.strftime('%Y-%m-%d')}; {report.machine()}.",
            f"{cubby.version(run.binary)}; {', '.join(versions)}.",
            f"{run.rounds} rounds of {run.seconds} s for each contestant, in turn; wrk with {run.wrk_threads} thread(s) "
            f"on the same CPUs; load average at the start {load_before:.2f}."]


def main():
    args = parse_arguments()
    load_before = os.getloadavg()[0]
    if load_before > 0.5:
        print(f"bench: the machine is busy (load average {load_before:.2f}); the figures will scatter", file=sys.stderr)
    fallen_short = failed = 0
    with tempfile.TemporaryDirectory(prefix="cubby-bench-") as folder:
        run = Run(args, Path(folder))
        for engine in args.engine:
            try:
                section = importlib.import_module(f"rows_{engine}").measure(run)
            except (RuntimeError, OSError, subprocess.SubprocessError) as fault:
                print(f"bench: {engine}: {fault}", file=sys.stderr)
                failed += 1
                continue
            section.remarks += conditions(run, engine, load_before)
            fallen_short += sum(row.reached is not True for row in section.rows)
            print(section.markdown(), flush=True)
            if args.write:
                report.write_section(engine, section)
    print(f"bench: {fallen_short} figure(s) not reached, {failed} engine(s) not measured", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
