"""Loopback ports for the servers that tests start.

They lie below those that the kernel gives to outgoing connections (32768 and up), so that nobody takes one between its
choice and its use, or while its server is down. Suites that run side by side do not get each other's: a port is taken
together with an abstract Unix socket of its name (unix(7)), which this process holds as long as it lives.
"""

import random
import socket
import time

LOWEST, HIGHEST = 10100, 32700
_chances = random.Random()
_held = []


def _hold(port):
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0cubby-test-port-{port}")
    except OSError:
        claim.close()
        return False
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        claim.close()
        return False
    _held.append(claim)
    return True


def free_port(above=0):
    """A port that is this process's own; with `above`, the port so far above it too."""
    for _ in range(1000):
        port = _chances.randrange(LOWEST, HIGHEST - above)
        if _hold(port) and (above == 0 or _hold(port + above)):
            return port
    raise RuntimeError("no free port")


def wait_for_port(port, process, timeout=30.0):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args[0]} ended with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args[0]} does not listen on port {port}")
