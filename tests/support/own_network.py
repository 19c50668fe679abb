"""A network of a test's own, with nothing in it but its loopback: where pages say port 8080, it is free there.

Needs root, or leave to make namespaces. Processes in it are reached from in it alone.
"""

import os
import signal
import subprocess
import sys

LOOPBACK_UP = """
import fcntl, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
    fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
print("up", flush=True)
sys.stdin.read()
"""


class NoLeave(Exception):
    """The machine does not let a test make namespaces."""


class OwnNetwork:
    def __init__(self):
        new = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
        self._holder = subprocess.Popen(["unshare", *new, sys.executable, "-c", LOOPBACK_UP], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if self._holder.stdout.readline() != "up\n":
            self.close()
            raise NoLeave
        join = ["--net"] if os.geteuid() == 0 else ["--net", "--user", "--preserve-credentials"]
        self._enter = ["nsenter", "--target", str(self._holder.pid), *join, "--"]

    def start(self, words, **how):
        """A process in it, which leads a group of its own."""
        return subprocess.Popen([*self._enter, *words], start_new_session=True, **how)

    def close(self):
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait()


def end_group(process):
    """Asks all of a process's group to end; gives the process's own status."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    return process.wait(30)
