"""The engine that a suite runs against, chosen by CUBBY_TEST_ENGINE.

All but memory are real servers, started here on free loopback ports with nothing on disk, and killed by their own process
ids. What an engine cannot do is never listed here: tests read it from /capabilities.
"""

import os

from support.memcached_servers import ServerSet
from support.redis_servers import ClusterSet, RedisServer, SentinelSet
from support.redis_tls import RedisTlsServer


class MemoryEngine:
    """Lives inside the service: nothing to start."""

    def start(self):
        return self

    def settings(self):
        return {"CACHE_ENGINE": "memory"}

    def stop(self):
        pass


ENGINES = {
    "memory": MemoryEngine,
    "redis": RedisServer,
    # Patient: a server that a busy machine keeps waiting is not to be taken for one that is gone.
    "redis-sentinel": lambda: SentinelSet(down_after_ms=60000),
    "redis-cluster": lambda: ClusterSet(node_timeout_ms=60000),
    "redis-tls": RedisTlsServer,
    "memcached": lambda: ServerSet(1, "-m", "128", "-I", "16m"),
    "memcached-3": lambda: ServerSet(3, "-m", "128", "-I", "16m"),
}


def create_engine(name=None):
    name = name or os.environ.get("CUBBY_TEST_ENGINE", "memory")
    if name not in ENGINES:
        raise RuntimeError(f"CUBBY_TEST_ENGINE={name}: one of {', '.join(ENGINES)}")
    return ENGINES[name]()
