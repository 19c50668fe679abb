#!/usr/bin/env python3
"""Runs clients against two replicas of the service, disturbs the engine, and judges what they saw.

  run.py [--engine memory redis …] [--operations N] [--clients N] [--seed N] [--keep FILE]

The binary is CUBBY_BINARY (build/dev/cubby). An engine's operations come in rounds; within each the engine is disturbed
(DISTURBANCES says how) while all goes on. Ends with a status other than 0 when a history has no legal order.
"""

import argparse
import multiprocessing
import os
import pickle
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from history.checks import LOCK, check_history  # noqa: E402
from history.record import Violation  # noqa: E402
from history.workload import Worker  # noqa: E402
from support.engines import create_engine  # noqa: E402
from support.redis_servers import RedisServer  # noqa: E402
from support.service import Service  # noqa: E402

ROUND_OPERATIONS = 50_000
FEATURES = {"counters": "counter", "limits": "limit", "locks": "lock", "leases": "lease"}


class DurableRedis(RedisServer):
    """Keeps what it confirmed, across kill()."""

    def command(self):
        return [*super().command(), "--appendonly", "yes", "--appendfsync", "always"]


def open_engine(name):
    return DurableRedis() if name == "redis" else create_engine(name)


# ---- Disturbances, each called once in the middle of a round ----

def restart_redis(engine):
    engine.kill()
    time.sleep(0.3)
    engine.start()


def pause_memcached(engine):
    for server in engine.servers:
        server.pause()
        time.sleep(0.7)
        server.resume()


def disturb_nothing(engine):
    pass


DISTURBANCES = {"redis": restart_redis, "memcached": pause_memcached, "memcached-3": pause_memcached}


# ---- A round ----

def run_worker(number, port, seed, run, features, count, path):
    records = Worker(number, port, seed, run, features).work(count)
    with open(path, "wb") as file:
        pickle.dump(records, file)


def run_round(name, engine, replicas, arguments, run, features):
    """The records of all clients."""
    with tempfile.TemporaryDirectory(prefix="cubby-history-") as folder:
        workers = []
        for number in range(arguments.clients):
            port, path = replicas[number % len(replicas)].port, os.path.join(folder, str(number))
            workers.append(multiprocessing.Process(
                target=run_worker,
                args=(number, port, f"{arguments.seed}-{run}", run, features, ROUND_OPERATIONS // arguments.clients, path)))
        for worker in workers:
            worker.start()
        disturber = threading.Timer(1.5, DISTURBANCES.get(name, disturb_nothing), [engine])
        disturber.start()
        for worker in workers:
            worker.join()
        disturber.join()
        records = []
        for number, worker in enumerate(workers):
            if worker.exitcode != 0:
                raise Violation(f"client {number} met an answer that the contract does not have; see above")
            with open(os.path.join(folder, str(number)), "rb") as file:
                records += pickle.load(file)
    return records


def highest_fence(records):
    return max((op.result[1] for subject, _, op in records
                if subject == LOCK and op.kind == "acquire" and isinstance(op.result, tuple)), default=0)


def lowest_fence(records):
    return min((op.result[1] for subject, _, op in records
                if subject == LOCK and op.kind == "acquire" and isinstance(op.result, tuple)), default=1 << 62)


def report(name, total, unknown, keys, began):
    print(f"{name}: {total} operations on {keys} keys, {unknown} of unknown outcome, no violation, "
          f"{time.monotonic() - began:.0f} s", flush=True)


def features_of(replica):
    supports = replica.request("GET", "/capabilities").json()["supports"]
    return {"entry", *(step for feature, step in FEATURES.items() if supports.get(feature))}


def run_engine(name, arguments):
    engine = open_engine(name).start()
    settings = {**engine.settings(), "LOG_ACCESS": "off"}
    shared = name != "memory"
    began, total, keys, unknown, fence, number = time.monotonic(), 0, 0, 0, 0, 0
    try:
        while total < arguments.operations:
            replicas = [Service(settings).start() for _ in range(2 if shared else 1)]
            number += 1
            try:
                records = run_round(name, engine, replicas, arguments, number, features_of(replicas[0]))
            finally:
                for replica in replicas:
                    replica.stop()
            if arguments.keep:
                with open(arguments.keep, "wb") as file:
                    pickle.dump(records, file)
            count, judged = check_history(records)
            if lowest_fence(records) <= fence:
                raise Violation("fences did not grow across a restart")
            fence = highest_fence(records)
            total, keys = total + count, keys + judged
            unknown += sum(not op.known for _, _, op in records)
        report(name, total, unknown, keys, began)
    finally:
        engine.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", nargs="+", default=["memory", "redis", "memcached"])
    parser.add_argument("--operations", type=int, default=ROUND_OPERATIONS)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seed", default=str(time.time_ns()))
    parser.add_argument("--keep", help="write the last round's records here (pickle)")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    failed = False
    for name in arguments.engine:
        try:
            run_engine(name, arguments)
        except Violation as violation:
            print(f"{name}: VIOLATION\n{violation}", flush=True)
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
