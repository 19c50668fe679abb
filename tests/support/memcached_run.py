#!/usr/bin/env python3
"""Runs a test program beside real memcached servers:  memcached_run.py COUNT PROGRAM [ARGUMENT…]

The program finds them in its environment: CUBBY_TEST_MEMCACHED_SERVERS (host:port,…) and CUBBY_TEST_MEMCACHED_PIDS
(their process ids, which it may stop and continue).
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.memcached_servers import ServerSet  # noqa: E402


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    servers = ServerSet(int(sys.argv[1]), "-m", "128", "-I", "16m").start()
    environment = dict(os.environ)
    environment["CUBBY_TEST_MEMCACHED_SERVERS"] = ",".join(server.address() for server in servers.servers)
    environment["CUBBY_TEST_MEMCACHED_PIDS"] = ",".join(str(server.process.pid) for server in servers.servers)
    try:
        return subprocess.run(sys.argv[2:], env=environment, check=False).returncode
    finally:
        servers.stop()


if __name__ == "__main__":
    sys.exit(main())
