"""Real Redis servers for the tests: one, a master with a replica and three Sentinels, a cluster of three masters.

Every process listens on 127.0.0.1 at a free port, keeps nothing on disk, works in a folder of its own under a temporary
directory and is ended by its process id.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from support.ports import free_port, wait_for_port


def crc16(data):
    """CRC16 XMODEM, bit by bit: the reference that the engine's table is checked against."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = ((crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def slot_of(key):
    begin = key.find(b"{")
    end = key.find(b"}", begin + 1)
    if begin >= 0 and end > begin + 1:
        key = key[begin + 1:end]
    return crc16(key) % 16384


class ReplyError(Exception):
    pass


class Client:
    """A small blocking client for one server: the tests' own view of what Redis holds."""

    def __init__(self, port, password=None, timeout=10.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.file = self.socket.makefile("rb")
        if password is not None:
            self.call("AUTH", password)

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, *arguments):
        parts = [a if isinstance(a, bytes) else str(a).encode() for a in arguments]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return self._reply()

    def _reply(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ReplyError(rest.decode())
        if kind == b"+":
            return rest
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            data = self.file.read(int(rest) + 2)
            return data[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
        raise ConnectionError(f"unknown reply {line!r}")


class RedisServer:
    """One redis-server (or redis-sentinel, from a configuration of its own)."""

    def __init__(self, *options, port=None, program="redis-server", config=None):
        if shutil.which(program) is None:
            raise RuntimeError(f"{program} is not installed")
        self.port = port or free_port()
        self.program = program
        self.options = [str(option) for option in options]
        self.folder = tempfile.mkdtemp(prefix="cubby-redis-")
        self.config = config
        self.process = None

    def command(self):
        if self.config is not None:
            path = os.path.join(self.folder, "redis.conf")
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.config.format(port=self.port, folder=self.folder))
            return [self.program, path]
        return [self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder, "--save", "",
                "--appendonly", "no", "--daemonize", "no", *self.options]

    def start(self):
        command = self.command()
        if self.program == "redis-sentinel":
            command = [*command, "--sentinel"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        wait_for_port(self.port, self.process)
        return self

    def kill(self):
        """SIGKILL, and gone when this returns."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            self.process = None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, **options):
        return Client(self.port, **options)

    def settings(self):
        return {"CACHE_ENGINE": "redis", "REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.port)}


def wait_until(condition, timeout=15.0, what="condition"):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            result = condition()
        except (OSError, ReplyError):
            result = None
        if result:
            return result
        time.sleep(0.05)
    raise RuntimeError(f"{what} did not come true within {timeout:.0f} s")


SENTINEL_CONFIG = """port {{port}}
bind 127.0.0.1
dir {{folder}}
sentinel monitor mymaster 127.0.0.1 {master} 2
sentinel down-after-milliseconds mymaster {down_after}
sentinel failover-timeout mymaster 5000
sentinel parallel-syncs mymaster 1
"""


class SentinelSet:
    """One master, one replica, three Sentinels."""

    name = "mymaster"

    def __init__(self, down_after_ms=1000, options=()):
        self.down_after_ms = down_after_ms
        self.servers = [RedisServer(*options), None]
        self.options = options
        self.sentinels = []

    def start(self):
        master = self.servers[0].start()
        self.servers[1] = RedisServer("--replicaof", "127.0.0.1", master.port, "--repl-diskless-sync-delay", "0",
                                      *self.options).start()
        wait_until(lambda: self._replicas_online(master) == 1, what="replica in step")
        config = SENTINEL_CONFIG.format(master=master.port, down_after=self.down_after_ms)
        self.sentinels = [RedisServer(program="redis-sentinel", config=config).start() for _ in range(3)]
        wait_until(self._sentinels_agree, timeout=30, what="Sentinels know each other and the replica")
        return self

    @staticmethod
    def _replicas_online(server):
        with server.client() as client:
            role = client.call("ROLE")
            return len(role[2]) if role[0] == b"master" else 0

    def _sentinels_agree(self):
        for sentinel in self.sentinels:
            with sentinel.client() as client:
                fields = client.call("SENTINEL", "MASTER", self.name)
                state = dict(zip(fields[::2], fields[1::2]))
                if state[b"num-other-sentinels"] != b"2" or state[b"num-slaves"] != b"1":
                    return False
        return True

    def master_port(self):
        with self.sentinels[0].client() as client:
            return int(client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)[1])

    def server_at(self, port):
        return next(server for server in self.servers if server.port == port)

    def stop(self):
        for server in [*self.sentinels, *self.servers]:
            if server is not None:
                server.stop()

    def settings(self):
        return {"CACHE_ENGINE": "redis", "REDIS_MODE": "sentinel", "REDIS_MASTER_NAME": self.name,
                "REDIS_SENTINELS": ",".join(f"127.0.0.1:{s.port}" for s in self.sentinels)}


class ClusterSet:
    """Three masters without replicas; the slots in three equal runs."""

    def __init__(self, masters=3, node_timeout_ms=2000):
        self.count = masters
        self.node_timeout_ms = node_timeout_ms
        self.servers = []

    def start(self):
        for _ in range(self.count):
            port = free_port(above=10000)
            self.servers.append(RedisServer("--cluster-enabled", "yes", "--cluster-node-timeout",
                                            self.node_timeout_ms,
                                            "--cluster-config-file", "nodes.conf", port=port).start())
        for index, server in enumerate(self.servers):
            first, last = 16384 * index // self.count, 16384 * (index + 1) // self.count - 1
            with server.client() as client:
                client.call("CLUSTER", "ADDSLOTSRANGE", first, last)
                client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
        for server in self.servers[1:]:
            with server.client() as client:
                client.call("CLUSTER", "MEET", "127.0.0.1", self.servers[0].port)
        wait_until(lambda: all(self._is_whole(server) for server in self.servers), timeout=30, what="cluster whole")
        return self

    def _is_whole(self, server):
        with server.client() as client:
            info = client.call("CLUSTER", "INFO")
            return b"cluster_state:ok" in info and b"cluster_known_nodes:%d" % self.count in info

    def node_id(self, server):
        with server.client() as client:
            return client.call("CLUSTER", "MYID").decode()

    def owner(self, slot):
        """The server that says it serves a slot."""
        with self.servers[0].client() as client:
            for first, last, node, *_ in client.call("CLUSTER", "SLOTS"):
                if first <= slot <= last:
                    return next(s for s in self.servers if s.port == node[1])
        raise RuntimeError(f"no one serves slot {slot}")

    def begin_move(self, slot, source, target):
        with target.client() as client:
            client.call("CLUSTER", "SETSLOT", slot, "IMPORTING", self.node_id(source))
        with source.client() as client:
            client.call("CLUSTER", "SETSLOT", slot, "MIGRATING", self.node_id(target))

    def move_keys(self, slot, source, target, batch=10):
        with source.client() as client:
            while True:
                keys = client.call("CLUSTER", "GETKEYSINSLOT", slot, batch)
                if not keys:
                    return
                client.call("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)

    def end_move(self, slot, source, target):
        identity = self.node_id(target)
        for server in [target, source, *[s for s in self.servers if s not in (source, target)]]:
            with server.client() as client:
                client.call("CLUSTER", "SETSLOT", slot, "NODE", identity)

    def move(self, slot, source, target):
        self.begin_move(slot, source, target)
        self.move_keys(slot, source, target)
        self.end_move(slot, source, target)

    def stop(self):
        for server in self.servers:
            server.stop()

    def settings(self):
        return {"CACHE_ENGINE": "redis", "REDIS_MODE": "cluster",
                "REDIS_NODES": ",".join(f"127.0.0.1:{s.port}" for s in self.servers)}
