"""Redis, Sentinel, webdis and memcached as the benchmark needs them: on loopback, nothing kept on disk."""

import json
import os
import re
import socket
import subprocess
import time
from types import SimpleNamespace

from kit.procs import Server, free_port


def redis_server(folder, name="redis", replica_of=None):
    port = free_port()
    argv = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder,
            "--dbfilename", f"dump-{port}.rdb", "--maxclients", "10000"]
    if replica_of:
        argv += ["--replicaof", f"127.0.0.1 {replica_of}", "--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", 0]
    return Server(name, argv, port, folder=folder)


def sentinel_server(folder, master_port, down_after_ms):
    port = free_port()
    path = folder / f"sentinel-{port}.conf"
    path.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
                    f"sentinel monitor mymaster 127.0.0.1 {master_port} 2\n"
                    f"sentinel down-after-milliseconds mymaster {down_after_ms}\n"
                    "sentinel failover-timeout mymaster 6000\nsentinel parallel-syncs mymaster 1\n")
    return Server("sentinel", ["redis-server", path, "--sentinel"], port, folder=folder)


def webdis_server(folder, redis, threads):
    port = free_port()
    path = folder / f"webdis-{port}.json"
    path.write_text(json.dumps({
        "redis_host": "127.0.0.1", "redis_port": redis.port, "redis_auth": None, "http_host": "127.0.0.1",
        "http_port": port, "threads": threads, "pool_size": threads * 2, "daemonize": False, "websockets": False,
        "database": 0, "acl": [], "verbosity": 1, "logfile": str(folder / f"webdis-{port}.out")}))
    return Server("webdis", ["webdis", path], port, folder=folder, also=[redis])


def memcached_server(folder, threads, port=None, megabytes=256):
    port = port or free_port()
    argv = ["memcached", "-l", "127.0.0.1", "-p", port, "-U", 0, "-t", threads, "-c", 4096, "-m", megabytes]
    # As root it wants to be told whose rights to take.
    return Server("memcached", argv + (["-u", "root"] if os.geteuid() == 0 else []), port, folder=folder)


def redis_call(port, *words):
    """One command of a few words; the raw reply's first kilobytes."""
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
        return connection.recv(65536)


def wait_for_replica(port, timeout=20):
    until = time.monotonic() + timeout
    while b"master_link_status:up" not in redis_call(port, "INFO", "replication"):
        if time.monotonic() > until:
            raise RuntimeError("the replica did not come up")
        time.sleep(0.05)


def wait_for_sentinels(ports, timeout=30):
    """Until each of them knows the others and the replica, without which there is no failover."""
    until = time.monotonic() + timeout
    for port in ports:
        while True:
            reply = redis_call(port, "SENTINEL", "MASTER", "mymaster").decode(errors="replace")
            fields = re.findall(r"\$\d+\r\n(.*?)\r\n", reply)
            known = dict(zip(fields[::2], fields[1::2]))
            if known.get("num-slaves") == "1" and known.get("num-other-sentinels") == str(len(ports) - 1):
                break
            if time.monotonic() > until:
                raise RuntimeError("the sentinels did not find each other")
            time.sleep(0.1)


def memcached_set(port, key, value):
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"set %s 0 0 %d\r\n%s\r\n" % (key.encode(), len(value), value))
        if connection.recv(100) != b"STORED\r\n":
            raise RuntimeError("memcached did not store")


class RedisBenchmark:
    """Runs of `redis-benchmark -c 64`, GET without pipelining; each is sized by the rate of the one before."""

    def __init__(self, redis):
        self.port, self.rate = redis.port, 50000.0

    def take(self, seconds):
        argv = ["redis-benchmark", "-h", "127.0.0.1", "-p", str(self.port), "-c", "64", "-P", "1", "--csv",
                "-n", str(max(20000, int(self.rate * seconds))), "GET", "plain:1"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        self.rate = float(done.stdout.strip().splitlines()[-1].split(",")[1].strip('"'))
        return SimpleNamespace(rate=self.rate)
