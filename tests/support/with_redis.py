#!/usr/bin/env python3
"""Runs a test program beside real Redis servers:  with_redis.py standalone|sentinel|cluster PROGRAM [ARGUMENT…]

The program finds them in its environment: CUBBY_TEST_REDIS_MODE, CUBBY_TEST_REDIS_SERVERS (host:port,…: the server, the
Sentinels or the masters) and CUBBY_TEST_REDIS_PIDS (the data servers' process ids, which it may stop and continue).
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.redis_servers import ClusterSet, RedisServer, SentinelSet  # noqa: E402


def start(mode):
    """The set, the servers that a client is told, and the data servers."""
    if mode == "standalone":
        server = RedisServer().start()
        return server, [server], [server]
    if mode == "sentinel":
        # A long down-after: a test that stops the servers is not to cause a failover.
        servers = SentinelSet(down_after_ms=60000).start()
        return servers, servers.sentinels, servers.servers
    if mode == "cluster":
        servers = ClusterSet(node_timeout_ms=60000).start()
        return servers, servers.servers, servers.servers
    raise SystemExit(__doc__)


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    mode = sys.argv[1]
    servers, told, data = start(mode)
    environment = dict(os.environ)
    environment["CUBBY_TEST_REDIS_MODE"] = mode
    environment["CUBBY_TEST_REDIS_SERVERS"] = ",".join(f"127.0.0.1:{server.port}" for server in told)
    environment["CUBBY_TEST_REDIS_PIDS"] = ",".join(str(server.process.pid) for server in data)
    try:
        return subprocess.run(sys.argv[2:], env=environment, check=False).returncode
    finally:
        for server in data:
            server.resume()
        servers.stop()


if __name__ == "__main__":
    sys.exit(main())
