"""Server processes of a benchmark: started on loopback, measured through /proc, stopped by process id."""

import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
OPEN_FILES = 40000


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def raise_open_files():
    """Lets this process and its children hold OPEN_FILES descriptors, as far as the machine allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < OPEN_FILES:
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def process_tree(pid):
    """`pid` and its descendants, as far as they still run."""
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                queue += [int(child) for child in children.read_text().split()]
            except OSError:
                continue
    return found


def cpu_seconds(pid):
    """User and system time of the process, all threads: fields 14 and 15 of proc(5) stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_bytes(pid):
    """(RSS, PSS) from smaps_rollup, in bytes; PSS counts a shared page by its share."""
    rss = pss = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            rss = int(line.split()[1]) * 1024
        elif line.startswith("Pss:"):
            pss = int(line.split()[1]) * 1024
    return rss, pss


class Server:
    """One contestant's process with its workers; `also` are servers it works through, counted in."""

    def __init__(self, name, argv, port, env=None, folder=None, also=()):
        self.name, self.argv, self.port, self.also = name, [str(a) for a in argv], port, list(also)
        self.env, self.folder = env, folder
        self.process = None

    def start(self, timeout=10):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(
            ("HTTP_", "CACHE_", "MEMORY_", "REDIS_", "MEMCACHED_", "LOG_"))}
        environment.update(self.env or {})
        self.log = open(Path(self.folder or "/tmp") / f"{self.name.replace(' ', '-')}-{self.port}.log", "wb")
        self.process = subprocess.Popen(self.argv, env=environment, stdout=self.log, stderr=self.log,
                                        stdin=subprocess.DEVNULL, preexec_fn=raise_open_files)
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                return self
            except OSError:
                time.sleep(0.005)
        self.stop()
        said = Path(self.log.name).read_text(errors="replace").strip().splitlines()[-3:]
        raise RuntimeError(f"{self.name} does not serve on port {self.port}: {' | '.join(said)}")

    @property
    def pid(self):
        return self.process.pid

    def cpu(self):
        own = sum(cpu_seconds(pid) for pid in process_tree(self.pid))
        return own + sum(other.cpu() for other in self.also)

    def memory(self):
        pairs = [memory_bytes(pid) for pid in process_tree(self.pid)]
        return sum(p[0] for p in pairs), sum(p[1] for p in pairs)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process:
            self.log.close()


class Group:
    """Stops what was started in it, last first, whatever happened."""

    def __init__(self):
        self.servers = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in reversed(self.servers):
            server.stop()

    def start(self, server):
        self.servers.append(server)
        return server.start()

    def stop(self, server):
        server.stop()
        self.servers.remove(server)
