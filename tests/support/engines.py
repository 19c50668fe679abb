"""The engine that a suite runs against, chosen by CUBBY_TEST_ENGINE: memory, redis or memcached.

Redis and Memcached are real servers, started here on a free loopback port with nothing on disk, and killed by their
own process id. What an engine cannot do is never listed here: tests read it from /capabilities.
"""

import os
import shutil
import socket
import subprocess
import time

NAMES = ("memory", "redis", "memcached")


def chosen_engine():
    name = os.environ.get("CUBBY_TEST_ENGINE", "memory")
    if name not in NAMES:
        raise RuntimeError(f"CUBBY_TEST_ENGINE={name}: one of {', '.join(NAMES)}")
    return name


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process, timeout=10.0):
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


class MemoryEngine:
    """Lives inside the service: nothing to start."""

    name = "memory"

    def start(self):
        return self

    def settings(self):
        return {"CACHE_ENGINE": "memory"}

    def stop(self):
        pass


class _ServerEngine:
    program = None

    def __init__(self):
        self.port = None
        self.process = None

    def command(self):
        raise NotImplementedError

    def start(self):
        if shutil.which(self.program) is None:
            raise RuntimeError(f"{self.program} is not installed")
        self.port = free_port()
        self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process)
        return self

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class RedisEngine(_ServerEngine):
    name = "redis"
    program = "redis-server"

    def command(self):
        return [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                "--daemonize", "no"]

    def settings(self):
        return {"CACHE_ENGINE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.port)}


class MemcachedEngine(_ServerEngine):
    name = "memcached"
    program = "memcached"

    def command(self):
        command = [self.program, "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-m", "128", "-I", "16m"]
        return command + (["-u", "nobody"] if os.geteuid() == 0 else [])

    def settings(self):
        return {"CACHE_ENGINE": "memcached", "MEMCACHED_SERVERS": f"127.0.0.1:{self.port}"}


def create_engine(name=None):
    return {"memory": MemoryEngine, "redis": RedisEngine, "memcached": MemcachedEngine}[name or chosen_engine()]()
